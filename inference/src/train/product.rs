//! Matrix products in single precision, with weights unpacked a panel at a time.
//!
//! Every result is one sum in order with fused multiply-adds, whatever the threads and instructions, so that the same
//! training gives the same bits.

use crate::{
    kernels::{Cpu, Matrix, Out, TILE},
    math::for_each_cpu,
    pool::Workers,
};

/// Vectors that are multiplied side by side; their sums fit into the registers of AVX2 and of AVX-512.
const GROUP: usize = 6;
/// Numbers of the vectors that are multiplied with one panel: 16 KiB, which stay in the nearest cache.
const DEPTH: usize = 256;

/// Vectors to multiply with: by sixes, in each of these first number by first number.
#[derive(Default)]
pub(crate) struct Packed {
    data: Vec<f32>,
    depth: usize,
    count: usize,
}

impl Packed {
    /// Makes room for `count` vectors of `depth` numbers.
    pub(crate) fn reset(&mut self, count: usize, depth: usize) {
        self.data.resize(count.div_ceil(GROUP) * GROUP * depth, 0.0);
        (self.depth, self.count) = (depth, count);
    }

    /// Puts columns `from..from + cols` of vectors that lie `stride` apart into the places from `at` on.
    pub(crate) fn put(
        &mut self,
        workers: &Workers<'_>,
        x: &[f32],
        stride: usize,
        (from, cols): (usize, usize),
        at: usize,
    ) {
        let (depth, count) = (self.depth, self.count);
        assert!(at + cols <= depth && from + cols <= stride && x.len() >= count * stride);
        let out = Out(self.data.as_mut_ptr());
        workers.run(count.div_ceil(GROUP), &|group| {
            // Each task has its own group.
            let out = unsafe { out.slice((group * depth + at) * GROUP, cols * GROUP) };
            for j in 0..GROUP.min(count - group * GROUP) {
                let x = &x[(group * GROUP + j) * stride + from..][..cols];
                for (out, x) in out.chunks_exact_mut(GROUP).zip(x) {
                    out[j] = *x;
                }
            }
        });
    }

    /// The same for `cols` numbers of vectors that lie side by side: number after number, `stride` apart.
    pub(crate) fn put_columns(&mut self, x: &[f32], stride: usize, (from, cols): (usize, usize)) {
        assert!(cols == self.depth && from + self.count <= stride && x.len() >= cols * stride);
        for v in 0..self.count {
            let out = &mut self.data[v / GROUP * self.depth * GROUP..][..cols * GROUP];
            for (k, out) in out.chunks_exact_mut(GROUP).enumerate() {
                out[v % GROUP] = x[k * stride + from + v];
            }
        }
    }
}

/// What vectors are multiplied with.
pub(crate) enum Source<'a> {
    /// The rows of a frozen matrix.
    Rows(&'a Matrix),
    /// Its columns.
    Columns(&'a Matrix),
    /// Row after row: a result for each row.
    PlainRows(&'a [f32], usize),
    /// Row after row of the given stride: a result for each column.
    PlainColumns(&'a [f32], usize),
}

/// A term of a sum of products.
pub(crate) struct Term<'a> {
    /// Which numbers of the vectors: from which on, and how many.
    pub(crate) x: (usize, usize),
    pub(crate) source: Source<'a>,
}

impl Term<'_> {
    /// Unpacks what the results `tile * 16..` need for `depth` numbers from `start` on: number after number, result by result.
    fn unpack(
        &self,
        cpu: Cpu,
        tile: usize,
        width: usize,
        (start, depth): (usize, usize),
        panel: &mut [f32; DEPTH * TILE],
    ) {
        let mut square = [0f32; TILE * TILE];
        let mut squares = panel[..depth.next_multiple_of(TILE) * TILE]
            .as_chunks_mut::<{ TILE * TILE }>()
            .0
            .iter_mut();
        match self.source {
            Source::Rows(matrix) => {
                for (n, out) in (&mut squares).enumerate() {
                    matrix.unpack(cpu, tile, start / TILE + n, out);
                }
            }
            Source::Columns(matrix) => {
                for (n, out) in (&mut squares).enumerate() {
                    matrix.unpack(cpu, start / TILE + n, tile, &mut square);
                    transpose(cpu, &square, out);
                }
            }
            Source::PlainRows(data, cols) => {
                for lane in 0..width {
                    let row = &data[(tile * TILE + lane) * cols + start..][..depth];
                    for (out, x) in panel.chunks_exact_mut(TILE).zip(row) {
                        out[lane] = *x;
                    }
                }
            }
            Source::PlainColumns(data, stride) => {
                for (k, out) in panel.chunks_exact_mut(TILE).take(depth).enumerate() {
                    let row = &data[(start + k) * stride + tile * TILE..][..width];
                    copy(row, out);
                }
            }
        }
    }
}

for_each_cpu! {
    /// Swaps rows and columns.
    pub(crate) fn transpose(from: &[f32; TILE * TILE], to: &mut [f32; TILE * TILE]) {
        for (i, to) in to.chunks_exact_mut(TILE).enumerate() {
            for (j, to) in to.iter_mut().enumerate() {
                *to = from[j * TILE + i];
            }
        }
    }
}

for_each_cpu! {
    /// Adds the products of six vectors with a panel.
    pub(crate) fn step(panel: &[f32], x: &[f32], sums: &mut [[f32; TILE]; GROUP]) {
        let mut all = *sums;
        let (panel, x) = (panel.as_chunks::<TILE>().0, x.as_chunks::<GROUP>().0);
        for (weights, x) in panel.iter().zip(x) {
            for (sums, x) in all.iter_mut().zip(x) {
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum = x.mul_add(*weight, *sum);
                }
            }
        }
        *sums = all;
    }
}

/// Copies as much as both hold; a whole tile, as almost always, is a single move.
#[inline(always)]
fn copy(from: &[f32], to: &mut [f32]) {
    match (from.as_array::<TILE>(), to.as_mut_array::<TILE>()) {
        (Some(from), Some(to)) => *to = *from,
        _ => to.iter_mut().zip(from).for_each(|(to, from)| *to = *from),
    }
}

/// Where results go: those of each vector `stride` after those before, from column `at` on.
pub(crate) struct Place<'a> {
    pub(crate) out: &'a mut [f32],
    pub(crate) stride: usize,
    pub(crate) at: usize,
    /// How many there are of each vector.
    pub(crate) cols: usize,
    /// Whether they are added to what is there.
    pub(crate) add: bool,
}

/// Multiplies all vectors with the terms' matrices and sums up.
pub(crate) fn multiply(
    workers: &Workers<'_>,
    cpu: Cpu,
    vectors: &Packed,
    terms: &[Term<'_>],
    place: Place<'_>,
) {
    let Place {
        out,
        stride,
        at,
        cols,
        add,
    } = place;
    let (count, groups) = (vectors.count, vectors.count.div_ceil(GROUP));
    assert!(at + cols <= stride && out.len() >= count * stride);
    assert!(terms.iter().all(|t| t.x.0 + t.x.1 <= vectors.depth));
    let out = Out(out.as_mut_ptr());
    let tiles = cols.div_ceil(TILE);
    // Few tiles are shared out by vectors too.
    let cuts = (4 * workers.threads()).div_ceil(tiles.max(1)).min(groups);
    let chunk = groups.div_ceil(cuts.max(1));
    workers.run(tiles * cuts, &|task| {
        let (tile, cut) = (task / cuts, task % cuts);
        let width = TILE.min(cols - tile * TILE);
        let mut panel = [0f32; DEPTH * TILE];
        let mut fresh = !add;
        for term in terms {
            let (from, all) = term.x;
            for start in (0..all).step_by(DEPTH) {
                let depth = DEPTH.min(all - start);
                term.unpack(cpu, tile, width, (start, depth), &mut panel);
                for group in cut * chunk..groups.min((cut + 1) * chunk) {
                    let x = (group * vectors.depth + from + start) * GROUP;
                    let x = &vectors.data[x..][..depth * GROUP];
                    // Each task has its own columns of its own vectors.
                    let place = |j: usize| unsafe {
                        out.slice((group * GROUP + j) * stride + at + tile * TILE, width)
                    };
                    let used = GROUP.min(count - group * GROUP);
                    let mut sums = [[0f32; TILE]; GROUP];
                    if !fresh {
                        for (j, sums) in sums[..used].iter_mut().enumerate() {
                            copy(place(j), sums);
                        }
                    }
                    step(cpu, &panel[..depth * TILE], x, &mut sums);
                    for (j, sums) in sums[..used].iter().enumerate() {
                        copy(sums, place(j));
                    }
                }
                fresh = false;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{gguf::Storage, pool::Pool};

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count)
            .map(|n| ((n * 7919 + seed * 104_729) % 2003) as f32 / 1001.0 - 1.0)
            .collect()
    }

    /// All four kinds of terms, with sizes that fill no tile, group or panel.
    #[test]
    fn products_are_exact_sums_and_the_same_bits_with_any_threads_and_instructions() {
        let (count, rows, cols, rank) = (13, 83, 320, 5);
        let weights = numbers(rows * cols, 1);
        let bytes: Vec<u8> = weights.iter().flat_map(|x| x.to_le_bytes()).collect();
        let matrix = Matrix::pack(Storage::F32, rows, cols, &bytes).expect("it packs");
        let weights: Vec<f32> = (0..rows)
            .flat_map(|row| {
                let mut out = vec![0.0; cols];
                matrix.row(row, &mut out);
                out
            })
            .collect();
        let (x, b) = (numbers(count * (cols + rank), 2), numbers(rank * rows, 3));
        let (dy, a) = (numbers(count * (rows + rank), 4), numbers(rank * cols, 5));
        let mut reference: Option<(Vec<f32>, Vec<f32>)> = None;
        for (cpu, threads) in [(Cpu::Plain, 1), (Cpu::detect(), 1), (Cpu::detect(), 3)] {
            let pool = Pool::new(threads);
            let workers = pool.enter();
            let mut packed = Packed::default();
            let (mut y, mut dx) = (vec![1.0; count * rows], vec![0.0; count * cols]);
            packed.reset(count, cols + rank);
            packed.put(&workers, &x, cols + rank, (0, cols + rank), 0);
            let terms = [
                Term {
                    x: (0, cols),
                    source: Source::Rows(&matrix),
                },
                Term {
                    x: (cols, rank),
                    source: Source::PlainColumns(&b, rows),
                },
            ];
            let place = Place {
                out: &mut y,
                stride: rows,
                at: 0,
                cols: rows,
                add: true,
            };
            multiply(&workers, cpu, &packed, &terms, place);
            packed.reset(count, rows + rank);
            packed.put(&workers, &dy, rows + rank, (0, rows + rank), 0);
            let turned: Vec<f32> = (0..cols * rank)
                .map(|n| a[n % rank * cols + n / rank])
                .collect();
            let terms = [
                Term {
                    x: (0, rows),
                    source: Source::Columns(&matrix),
                },
                Term {
                    x: (rows, rank),
                    source: Source::PlainRows(&turned, rank),
                },
            ];
            let place = Place {
                out: &mut dx,
                stride: cols,
                at: 0,
                cols,
                add: false,
            };
            multiply(&workers, cpu, &packed, &terms, place);
            for v in 0..count {
                for row in 0..rows {
                    let x = &x[v * (cols + rank)..][..cols + rank];
                    let exact = 1.0
                        + (0..cols)
                            .map(|k| f64::from(x[k]) * f64::from(weights[row * cols + k]))
                            .sum::<f64>()
                        + (0..rank)
                            .map(|k| f64::from(x[cols + k]) * f64::from(b[k * rows + row]))
                            .sum::<f64>();
                    assert!((exact - f64::from(y[v * rows + row])).abs() < 1e-4);
                }
                for col in 0..cols {
                    let dy = &dy[v * (rows + rank)..][..rows + rank];
                    let exact = (0..rows)
                        .map(|k| f64::from(dy[k]) * f64::from(weights[k * cols + col]))
                        .sum::<f64>()
                        + (0..rank)
                            .map(|k| f64::from(dy[rows + k]) * f64::from(a[k * cols + col]))
                            .sum::<f64>();
                    assert!((exact - f64::from(dx[v * cols + col])).abs() < 1e-4);
                }
            }
            let both = (y, dx);
            assert_eq!(reference.get_or_insert(both.clone()), &both);
        }
    }
}
