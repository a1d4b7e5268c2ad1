//! Matrix products with quantised weights.
//!
//! Weights lie in tiles of 16 rows, so that a vector register holds one number of each row. A product is an exact
//! integer sum for each block of 32 columns, scaled and added block after block with fused multiply-adds. So every
//! instruction set, thread count and batch gives the same bits, which is what makes answers checkable on other machines.

use crate::{adapter::Changes, gguf::Storage, kformats, math::for_each_cpu, pool::Workers};
use half::f16;

/// Rows of a tile.
pub(crate) const TILE: usize = 16;
/// Columns of a block.
pub(crate) const BLOCK: usize = 32;

/// Instructions to compute with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cpu {
    /// AVX-512 with VNNI.
    Avx512,
    /// AVX2 with FMA.
    Avx2,
    /// Whatever the compiler was told.
    Plain,
}

impl Cpu {
    /// The best that this machine has.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn detect() -> Self {
        use std::arch::is_x86_feature_detected as has;
        if has!("avx512f")
            && has!("avx512bw")
            && has!("avx512dq")
            && has!("avx512vl")
            && has!("avx512vnni")
            && has!("fma")
        {
            Self::Avx512
        } else if has!("avx2") && has!("fma") && has!("f16c") {
            Self::Avx2
        } else {
            Self::Plain
        }
    }

    /// The best that this machine has.
    #[cfg(not(target_arch = "x86_64"))]
    pub(crate) fn detect() -> Self {
        Self::Plain
    }
}

/// A cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Line([u8; 64]);

/// A weight matrix, packed for products with [`Acts`].
pub(crate) struct Matrix {
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    width: Width,
    /// For each tile and block, values of 4 columns after those of the 4 before; in each of these groups row after row.
    /// With 4 bits the low halves hold one group and the high halves the next.
    data: Vec<Line>,
    /// For each tile and block the rows' scales; with 4 bits, the rows' offsets after them.
    scales: Vec<u16>,
}

/// Bits of a packed weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// `scale * q + offset`, q from 0 to 15.
    Four,
    /// `scale * q`, q from -127 to 127.
    Eight,
}

impl Width {
    /// Lines of values of a tile's block.
    fn lines(self) -> usize {
        match self {
            Self::Four => 4,
            Self::Eight => 8,
        }
    }

    /// Scales and offsets of a tile's block.
    fn scales(self) -> usize {
        match self {
            Self::Four => 2 * TILE,
            Self::Eight => TILE,
        }
    }
}

/// Name of the precision in which weights stored like this are computed with.
pub(crate) fn computed_as(storage: Storage) -> &'static str {
    match storage {
        Storage::Q4_0 => "q4_0",
        Storage::Q4_1 | Storage::Q4K => "q4_1",
        _ => "q8_0",
    }
}

/// A block of one row: scale, offset, values.
type Block = (f16, f16, [i8; BLOCK]);

/// Repacks a block of a file, which makes one of ours or, with the K formats, eight.
fn read_blocks(storage: Storage, bytes: &[u8]) -> Result<Vec<Block>, &'static str> {
    let half = |at: usize| f16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let blocks = match storage {
        Storage::Q4_0 => {
            let offset = f16::from_f32(-8.0 * half(0).to_f32());
            vec![(half(0), offset, nibbles(&bytes[2..18]))]
        }
        Storage::Q4_1 => vec![(half(0), half(2), nibbles(&bytes[4..20]))],
        Storage::Q8_0 => {
            let mut values = [0i8; BLOCK];
            for (value, byte) in values.iter_mut().zip(&bytes[2..34]) {
                *value = i8::from_le_bytes([*byte]);
            }
            if values.contains(&i8::MIN) {
                return Err("-128 as a value of q8_0");
            }
            vec![(half(0), f16::ZERO, values)]
        }
        Storage::Q4K => kformats::q4_k(bytes)
            .map(|(scale, offset, values)| (f16::from_f32(scale), f16::from_f32(offset), values))
            .into(),
        Storage::Q5_0 => vec![round(&kformats::q5(bytes, half(0).to_f32(), None))],
        Storage::Q5_1 => {
            vec![round(&kformats::q5(
                bytes,
                half(0).to_f32(),
                Some(half(2).to_f32()),
            ))]
        }
        Storage::Q5K => kformats::q5_k(bytes)
            .chunks_exact(BLOCK)
            .map(round)
            .collect(),
        Storage::Q6K => kformats::q6_k(bytes)
            .chunks_exact(BLOCK)
            .map(round)
            .collect(),
        Storage::F32 | Storage::F16 | Storage::BF16 => vec![round(&floats(storage, bytes)?)],
    };
    let finite = |(scale, offset, _): &Block| scale.is_finite() && offset.is_finite();
    match blocks.iter().all(finite) {
        true => Ok(blocks),
        false => Err("a scale that is no finite number"),
    }
}

/// The 32 numbers of 4 bits in 16 bytes: first all low halves, then all high ones.
fn nibbles(packed: &[u8]) -> [i8; BLOCK] {
    let mut values = [0; BLOCK];
    for (i, byte) in packed.iter().enumerate() {
        values[i] = (byte & 15) as i8;
        values[i + 16] = (byte >> 4) as i8;
    }
    values
}

/// Rounds 32 numbers to 8 bits. Numbers that are not finite make a scale that is not.
fn round(numbers: &[f32]) -> Block {
    let nan = numbers.iter().any(|x| x.is_nan());
    let most = if nan {
        f32::NAN
    } else {
        numbers.iter().fold(0f32, |m, x| m.max(x.abs()))
    };
    let scale = f16::from_f32(most / 127.0);
    let inverse = if scale > f16::ZERO {
        1.0 / scale.to_f32()
    } else {
        0.0
    };
    let mut values = [0; BLOCK];
    for (value, x) in values.iter_mut().zip(numbers) {
        *value = (x * inverse).round_ties_even().clamp(-127.0, 127.0) as i8;
    }
    (scale, f16::ZERO, values)
}

/// Reads unquantised numbers.
pub(crate) fn floats(storage: Storage, bytes: &[u8]) -> Result<Vec<f32>, &'static str> {
    let floats: Vec<f32> = match storage {
        Storage::F32 => bytes
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect(),
        Storage::F16 => bytes
            .chunks_exact(2)
            .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
            .collect(),
        Storage::BF16 => bytes
            .chunks_exact(2)
            .map(|b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32())
            .collect(),
        _ => return Err("quantised values where plain numbers belong"),
    };
    match floats.iter().all(|x| x.is_finite()) {
        true => Ok(floats),
        false => Err("a value that is no finite number"),
    }
}

impl Matrix {
    /// Packs the bytes of a file. `cols` must be a multiple of 32 and `bytes` as long as the shape says.
    pub(crate) fn pack(
        storage: Storage,
        rows: usize,
        cols: usize,
        bytes: &[u8],
    ) -> Result<Self, &'static str> {
        let (values, block_bytes) = storage.block();
        // Plain numbers come one by one, and are taken by 32; the K formats come by 256.
        let size = BLOCK.max(values as usize);
        let stride = size / values as usize * block_bytes as usize;
        let blocks = cols / BLOCK;
        if !cols.is_multiple_of(size) || bytes.len() != rows * cols / size * stride {
            return Err("rows that are not made of whole blocks of 32 values");
        }
        let width = match storage {
            Storage::Q4_0 | Storage::Q4_1 | Storage::Q4K => Width::Four,
            _ => Width::Eight,
        };
        let tiles = rows.div_ceil(TILE);
        let data = vec![Line([0; 64]); tiles * blocks * width.lines()];
        let scales = vec![0u16; tiles * blocks * width.scales()];
        let mut matrix = Self {
            rows,
            cols,
            width,
            data,
            scales,
        };
        let mut index = 0;
        for bytes in bytes.chunks_exact(stride) {
            for block in read_blocks(storage, bytes)? {
                matrix.put(index / blocks, index % blocks, block);
                index += 1;
            }
        }
        Ok(matrix)
    }

    /// Puts a block of a row into its place.
    fn put(&mut self, row: usize, block: usize, (scale, offset, values): Block) {
        let width = self.width;
        let at = row / TILE * (self.cols / BLOCK) + block;
        let lane = row % TILE;
        let scales = &mut self.scales[at * width.scales()..][..width.scales()];
        scales[lane] = scale.to_bits();
        if width == Width::Four {
            scales[TILE + lane] = offset.to_bits();
        }
        let lines = &mut self.data[at * width.lines()..][..width.lines()];
        for (col, value) in values.iter().enumerate() {
            let (group, byte) = (col / 4, lane * 4 + col % 4);
            match width {
                Width::Four => lines[group / 2].0[byte] |= (*value as u8) << (group % 2 * 4),
                Width::Eight => lines[group].0[byte] = *value as u8,
            }
        }
    }

    /// Bytes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.data.len() * 64 + self.scales.len() * 2
    }

    /// Unpacks sixteen rows and sixteen columns: column after column, in each of them row after row. Rows past the end are 0.
    pub(crate) fn unpack(&self, cpu: Cpu, tile: usize, strip: usize, out: &mut [f32; TILE * TILE]) {
        let at = tile * (self.cols / BLOCK) + strip / 2;
        let lines = &self.data[at * self.width.lines()..][..self.width.lines()];
        let halves = &self.scales[at * self.width.scales()..][..self.width.scales()];
        let mut scales = [[0f32; TILE]; 2];
        for (scale, half) in scales.as_flattened_mut().iter_mut().zip(halves) {
            *scale = f16::from_bits(*half).to_f32();
        }
        unpack(cpu, lines, strip % 2, self.width, &scales, out);
    }

    fn tiles(&self) -> usize {
        self.rows.div_ceil(TILE)
    }

    /// Unpacks one row, as for an embedding.
    pub(crate) fn row(&self, row: usize, out: &mut [f32]) {
        let blocks = self.cols / BLOCK;
        let lane = row % TILE;
        for (block, out) in out.chunks_exact_mut(BLOCK).enumerate() {
            let at = row / TILE * blocks + block;
            let scales = &self.scales[at * self.width.scales()..][..self.width.scales()];
            let lines = &self.data[at * self.width.lines()..][..self.width.lines()];
            let scale = f16::from_bits(scales[lane]).to_f32();
            for (col, out) in out.iter_mut().enumerate() {
                let (group, byte) = (col / 4, lane * 4 + col % 4);
                *out = match self.width {
                    Width::Four => {
                        let q = lines[group / 2].0[byte] >> (group % 2 * 4) & 15;
                        let offset = f16::from_bits(scales[TILE + lane]).to_f32();
                        scale.mul_add(f32::from(q), offset)
                    }
                    Width::Eight => scale * f32::from(lines[group].0[byte] as i8),
                };
            }
        }
    }
}

for_each_cpu! {
    /// Unpacks one half of a block of a tile; see [`Matrix::unpack`].
    pub(crate) fn unpack(
        lines: &[Line],
        half: usize,
        width: Width,
        scales: &[[f32; TILE]; 2],
        out: &mut [f32; TILE * TILE],
    ) {
        for (n, out) in out.chunks_exact_mut(4 * TILE).enumerate() {
            let group = half * 4 + n;
            let (line, shift) = match width {
                Width::Four => (&lines[group / 2].0, group % 2 * 4),
                Width::Eight => (&lines[group].0, 0),
            };
            for (col, out) in out.chunks_exact_mut(TILE).enumerate() {
                for (lane, out) in out.iter_mut().enumerate() {
                    let byte = line[lane * 4 + col];
                    let q = match width {
                        Width::Four => f32::from(byte >> shift & 15),
                        Width::Eight => f32::from(byte as i8),
                    };
                    *out = scales[0][lane].mul_add(q, scales[1][lane]);
                }
            }
        }
    }
}

/// Vectors to multiply with, in 8 bits with a scale for each block.
#[derive(Default)]
pub(crate) struct Acts {
    cols: usize,
    values: Vec<i8>,
    scales: Vec<f32>,
    sums: Vec<i32>,
    /// Scale times sum.
    weights: Vec<f32>,
}

impl Acts {
    /// Makes room for `count` vectors of `cols` numbers.
    pub(crate) fn reset(&mut self, count: usize, cols: usize) {
        self.cols = cols;
        self.values.resize(count * cols, 0);
        for part in [&mut self.scales, &mut self.weights] {
            part.resize(count * cols / BLOCK, 0.0);
        }
        self.sums.resize(count * cols / BLOCK, 0);
    }

    /// The places of the vectors, to be filled from several threads.
    pub(crate) fn places(&mut self) -> ActsPlaces {
        ActsPlaces {
            cols: self.cols,
            values: self.values.as_mut_ptr(),
            scales: self.scales.as_mut_ptr(),
            sums: self.sums.as_mut_ptr(),
            weights: self.weights.as_mut_ptr(),
        }
    }
}

/// Where quantised vectors go.
#[derive(Clone, Copy)]
pub(crate) struct ActsPlaces {
    cols: usize,
    values: *mut i8,
    scales: *mut f32,
    sums: *mut i32,
    weights: *mut f32,
}

// Each vector has its own place; see `store`.
unsafe impl Send for ActsPlaces {}
unsafe impl Sync for ActsPlaces {}

impl ActsPlaces {
    /// Quantises `x` into place `index`.
    ///
    /// # Safety
    /// The `Acts` are alive, have that place, and nobody else uses it meanwhile.
    pub(crate) unsafe fn store(&self, cpu: Cpu, index: usize, x: &[f32]) {
        let blocks = self.cols / BLOCK;
        let (values, scales, sums, weights) = unsafe {
            (
                std::slice::from_raw_parts_mut(self.values.add(index * self.cols), self.cols),
                std::slice::from_raw_parts_mut(self.scales.add(index * blocks), blocks),
                std::slice::from_raw_parts_mut(self.sums.add(index * blocks), blocks),
                std::slice::from_raw_parts_mut(self.weights.add(index * blocks), blocks),
            )
        };
        crate::math::quantise(cpu, x, values, scales, sums, weights);
    }
}

/// A pointer that several threads write through, each to its own places.
#[derive(Clone, Copy)]
pub(crate) struct Out(pub(crate) *mut f32);
unsafe impl Send for Out {}
unsafe impl Sync for Out {}

impl Out {
    /// The `count` numbers from `at` on.
    ///
    /// # Safety
    /// They exist, and nobody else uses them meanwhile.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn slice(&self, at: usize, count: usize) -> &mut [f32] {
        unsafe { std::slice::from_raw_parts_mut(self.0.add(at), count) }
    }
}

/// Multiplies each of the first `count` vectors with each matrix; `outs[m][v * rows + r]` is the product of vector v and row r.
/// What adapters change is added.
pub(crate) fn multiply(
    workers: &Workers<'_>,
    cpu: Cpu,
    matrices: &[&Matrix],
    acts: &Acts,
    count: usize,
    changes: Option<&Changes<'_>>,
    outs: &mut [&mut Vec<f32>],
) {
    for (matrix, out) in matrices.iter().zip(outs.iter_mut()) {
        assert_eq!(matrix.cols, acts.cols);
        out.resize(count * matrix.rows, 0.0);
    }
    assert!(acts.values.len() >= count * acts.cols);
    let total: usize = matrices.iter().map(|m| m.tiles()).sum();
    let chunk = total.div_ceil(workers.threads() * 8).max(1);
    let pointers: Vec<Out> = outs.iter_mut().map(|out| Out(out.as_mut_ptr())).collect();
    // Tasks are begun in order: when the first tile needs what adapters change, somebody is at work on all of it.
    let extra = changes.map_or(0, Changes::tasks);
    let extra_chunk = extra.div_ceil(workers.threads() * 4).max(1);
    let extra_tasks = extra.div_ceil(extra_chunk);
    workers.run(extra_tasks + total.div_ceil(chunk), &|task| {
        if let (Some(changes), true) = (changes, task < extra_tasks) {
            changes.run(cpu, task * extra_chunk..extra.min((task + 1) * extra_chunk));
            return;
        }
        let task = task - extra_tasks;
        for index in task * chunk..total.min((task + 1) * chunk) {
            let (mut matrix, mut tile) = (0, index);
            while tile >= matrices[matrix].tiles() {
                tile -= matrices[matrix].tiles();
                matrix += 1;
            }
            let change = |first: usize, sums: &mut [[f32; TILE]]| {
                if let Some(changes) = changes {
                    changes.add(cpu, matrix, first, tile, sums);
                }
            };
            // Each tile writes its own rows of each vector; all lengths were checked above.
            unsafe {
                multiply_tile(
                    cpu,
                    matrices[matrix],
                    tile,
                    acts,
                    count,
                    change,
                    pointers[matrix],
                )
            };
        }
    });
}

unsafe fn multiply_tile(
    cpu: Cpu,
    matrix: &Matrix,
    tile: usize,
    acts: &Acts,
    count: usize,
    change: impl Fn(usize, &mut [[f32; TILE]]),
    out: Out,
) {
    let blocks = matrix.cols / BLOCK;
    let part = Part {
        blocks,
        width: matrix.width,
        data: &matrix.data[tile * blocks * matrix.width.lines()..][..blocks * matrix.width.lines()],
        scales: &matrix.scales[tile * blocks * matrix.width.scales()..]
            [..blocks * matrix.width.scales()],
    };
    let rows = TILE.min(matrix.rows - tile * TILE);
    let mut sums = [[0f32; TILE]; 8];
    let mut first = 0;
    while first < count {
        let group = 8.min(count - first);
        macro_rules! each {
			($($n:literal)*) => {
				match group {
					$($n => {
						let sums: &mut [[f32; TILE]; $n] = (&mut sums[..$n]).try_into().expect("same length");
						unsafe { dispatch(cpu, &part, acts, first, sums) }
					})*
					_ => unreachable!("at most 8 at a time"),
				}
			};
		}
        each!(1 2 3 4 5 6 7 8);
        change(first, &mut sums[..group]);
        for (n, sums) in sums[..group].iter().enumerate() {
            let at = (first + n) * matrix.rows + tile * TILE;
            unsafe { out.slice(at, rows) }.copy_from_slice(&sums[..rows]);
        }
        first += group;
    }
}

/// One tile of a matrix.
struct Part<'a> {
    blocks: usize,
    width: Width,
    data: &'a [Line],
    scales: &'a [u16],
}

/// # Safety
/// The machine has the instructions of `cpu`; `acts` holds the vectors `first..first + N`, as long as the tile is wide.
unsafe fn dispatch<const N: usize>(
    cpu: Cpu,
    part: &Part<'_>,
    acts: &Acts,
    first: usize,
    out: &mut [[f32; TILE]; N],
) {
    match cpu {
        #[cfg(target_arch = "x86_64")]
        Cpu::Avx512 => unsafe { x86::wide(part, acts, first, out) },
        #[cfg(target_arch = "x86_64")]
        Cpu::Avx2 => unsafe { x86::narrow(part, acts, first, out) },
        _ => plain(part, acts, first, out),
    }
}

fn plain<const N: usize>(part: &Part<'_>, acts: &Acts, first: usize, out: &mut [[f32; TILE]; N]) {
    for (n, out) in out.iter_mut().enumerate() {
        *out = [0.0; TILE];
        for block in 0..part.blocks {
            let at = (first + n) * part.blocks + block;
            let x = &acts.values[at * BLOCK..][..BLOCK];
            let lines = &part.data[block * part.width.lines()..][..part.width.lines()];
            let scales = &part.scales[block * part.width.scales()..][..part.width.scales()];
            for (lane, out) in out.iter_mut().enumerate() {
                let mut sum = 0i32;
                for (col, x) in x.iter().enumerate() {
                    let (group, byte) = (col / 4, lane * 4 + col % 4);
                    let q = match part.width {
                        Width::Four => (lines[group / 2].0[byte] >> (group % 2 * 4) & 15) as i8,
                        Width::Eight => lines[group].0[byte] as i8,
                    };
                    sum += i32::from(q) * i32::from(*x);
                }
                let scale = f16::from_bits(scales[lane]).to_f32() * acts.scales[at];
                *out = scale.mul_add(sum as f32, *out);
                if part.width == Width::Four {
                    let offset = f16::from_bits(scales[TILE + lane]).to_f32();
                    *out = offset.mul_add(acts.weights[at], *out);
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::*;
    use std::arch::x86_64::*;

    /// # Safety
    /// As `dispatch`.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
    pub(super) unsafe fn wide<const N: usize>(
        part: &Part<'_>,
        acts: &Acts,
        first: usize,
        out: &mut [[f32; TILE]; N],
    ) {
        unsafe {
            let nibble = _mm512_set1_epi8(15);
            let sign = _mm512_set1_epi8(-128);
            let mut totals = [_mm512_setzero_ps(); N];
            for block in 0..part.blocks {
                let lines = part
                    .data
                    .as_ptr()
                    .add(block * part.width.lines())
                    .cast::<__m512i>();
                let scales = part.scales.as_ptr().add(block * part.width.scales());
                let scale = _mm512_cvtph_ps(_mm256_loadu_si256(scales.cast()));
                let mut w = [_mm512_setzero_si512(); 8];
                match part.width {
                    Width::Four => {
                        for i in 0..4 {
                            let both = _mm512_load_si512(lines.add(i));
                            w[2 * i] = _mm512_and_si512(both, nibble);
                            w[2 * i + 1] = _mm512_and_si512(_mm512_srli_epi16(both, 4), nibble);
                        }
                    }
                    Width::Eight => {
                        for (i, w) in w.iter_mut().enumerate() {
                            // As numbers from 1 to 255, that is 128 too high.
                            *w = _mm512_xor_si512(_mm512_load_si512(lines.add(i)), sign);
                        }
                    }
                }
                for (n, total) in totals.iter_mut().enumerate() {
                    let at = (first + n) * part.blocks + block;
                    let x = acts.values.as_ptr().add(at * BLOCK).cast::<i32>();
                    let mut sum = match part.width {
                        Width::Four => _mm512_setzero_si512(),
                        Width::Eight => _mm512_set1_epi32(-128 * *acts.sums.as_ptr().add(at)),
                    };
                    let mut other = _mm512_setzero_si512();
                    for i in 0..4 {
                        let x0 = _mm512_set1_epi32(x.add(2 * i).read_unaligned());
                        let x1 = _mm512_set1_epi32(x.add(2 * i + 1).read_unaligned());
                        sum = _mm512_dpbusd_epi32(sum, w[2 * i], x0);
                        other = _mm512_dpbusd_epi32(other, w[2 * i + 1], x1);
                    }
                    let sum = _mm512_cvtepi32_ps(_mm512_add_epi32(sum, other));
                    let scale = _mm512_mul_ps(scale, _mm512_set1_ps(*acts.scales.as_ptr().add(at)));
                    *total = _mm512_fmadd_ps(scale, sum, *total);
                    if part.width == Width::Four {
                        let offset = _mm512_cvtph_ps(_mm256_loadu_si256(scales.add(TILE).cast()));
                        let weight = _mm512_set1_ps(*acts.weights.as_ptr().add(at));
                        *total = _mm512_fmadd_ps(offset, weight, *total);
                    }
                }
            }
            for (out, total) in out.iter_mut().zip(totals) {
                _mm512_storeu_ps(out.as_mut_ptr(), total);
            }
        }
    }

    /// # Safety
    /// As `dispatch`.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) unsafe fn narrow<const N: usize>(
        part: &Part<'_>,
        acts: &Acts,
        first: usize,
        out: &mut [[f32; TILE]; N],
    ) {
        unsafe {
            let nibble = _mm256_set1_epi8(15);
            let ones = _mm256_set1_epi16(1);
            for half in 0..2 {
                let mut totals = [_mm256_setzero_ps(); N];
                for block in 0..part.blocks {
                    let lines = part
                        .data
                        .as_ptr()
                        .add(block * part.width.lines())
                        .cast::<__m256i>();
                    let lines = lines.add(half);
                    let scales = part
                        .scales
                        .as_ptr()
                        .add(block * part.width.scales() + half * 8);
                    let scale = _mm256_cvtph_ps(_mm_loadu_si128(scales.cast()));
                    for (n, total) in totals.iter_mut().enumerate() {
                        let at = (first + n) * part.blocks + block;
                        let x = acts.values.as_ptr().add(at * BLOCK).cast::<i32>();
                        let x = |i: usize| _mm256_set1_epi32(x.add(i).read_unaligned());
                        let mut sum = _mm256_setzero_si256();
                        match part.width {
                            Width::Four => {
                                // Eight times at most 2 * 15 * 127 fit into 16 bits.
                                for i in 0..4 {
                                    let both = _mm256_load_si256(lines.add(2 * i));
                                    let low = _mm256_and_si256(both, nibble);
                                    let high = _mm256_and_si256(_mm256_srli_epi16(both, 4), nibble);
                                    sum =
                                        _mm256_add_epi16(sum, _mm256_maddubs_epi16(low, x(2 * i)));
                                    sum = _mm256_add_epi16(
                                        sum,
                                        _mm256_maddubs_epi16(high, x(2 * i + 1)),
                                    );
                                }
                                sum = _mm256_madd_epi16(sum, ones);
                            }
                            Width::Eight => {
                                for i in 0..8 {
                                    let w = _mm256_load_si256(lines.add(2 * i));
                                    let x = x(i);
                                    let pairs = _mm256_maddubs_epi16(
                                        _mm256_abs_epi8(x),
                                        _mm256_sign_epi8(w, x),
                                    );
                                    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
                                }
                            }
                        }
                        let scale =
                            _mm256_mul_ps(scale, _mm256_set1_ps(*acts.scales.as_ptr().add(at)));
                        *total = _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(sum), *total);
                        if part.width == Width::Four {
                            let offset = _mm256_cvtph_ps(_mm_loadu_si128(scales.add(TILE).cast()));
                            let weight = _mm256_set1_ps(*acts.weights.as_ptr().add(at));
                            *total = _mm256_fmadd_ps(offset, weight, *total);
                        }
                    }
                }
                for (out, total) in out.iter_mut().zip(totals) {
                    _mm256_storeu_ps(out.as_mut_ptr().add(half * 8), total);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Pool;
    use rand_chacha::{
        ChaCha8Rng,
        rand_core::{RngCore, SeedableRng},
    };

    fn random_bytes(storage: Storage, rows: usize, cols: usize, seed: u64) -> Vec<u8> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (values, size) = storage.block();
        let mut bytes = Vec::new();
        for _ in 0..rows * cols / values as usize {
            let mut block = vec![0; size as usize];
            rng.fill_bytes(&mut block);
            let small = |rng: &mut ChaCha8Rng| {
                f16::from_f32((rng.next_u32() % 2000) as f32 / 1e5 - 0.01).to_le_bytes()
            };
            match storage {
                Storage::F32 => {
                    block = ((rng.next_u32() % 2000) as f32 / 1e3 - 1.0)
                        .to_le_bytes()
                        .into()
                }
                Storage::F16 => block.copy_from_slice(&small(&mut rng)),
                Storage::BF16 => block[1] = 0x3c,
                Storage::Q4_1 => {
                    block[..2].copy_from_slice(&small(&mut rng));
                    block[2..4].copy_from_slice(&small(&mut rng));
                }
                _ => block[..2].copy_from_slice(&small(&mut rng)),
            }
            if storage == Storage::Q8_0 {
                block[2..]
                    .iter_mut()
                    .filter(|b| **b == 128)
                    .for_each(|b| *b = 0);
            }
            bytes.extend(block);
        }
        bytes
    }

    fn available() -> Vec<Cpu> {
        match Cpu::detect() {
            Cpu::Avx512 => vec![Cpu::Plain, Cpu::Avx2, Cpu::Avx512],
            Cpu::Avx2 => vec![Cpu::Plain, Cpu::Avx2],
            Cpu::Plain => vec![Cpu::Plain],
        }
    }

    #[test]
    fn all_instruction_sets_threads_and_batches_give_the_same_bits_and_the_right_product() {
        let (rows, cols, count) = (40, 96, 11);
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let x: Vec<f32> = (0..count * cols)
            .map(|_| (rng.next_u32() % 4000) as f32 / 1e3 - 2.0)
            .collect();
        for storage in [
            Storage::Q4_0,
            Storage::Q4_1,
            Storage::Q8_0,
            Storage::F16,
            Storage::BF16,
            Storage::F32,
        ] {
            let bytes = random_bytes(storage, rows, cols, 9);
            let matrix = Matrix::pack(storage, rows, cols, &bytes).unwrap();
            let mut reference: Option<Vec<f32>> = None;
            for cpu in available() {
                for threads in [1, 3] {
                    let pool = Pool::new(threads);
                    let workers = pool.enter();
                    let mut acts = Acts::default();
                    acts.reset(count, cols);
                    for (n, x) in x.chunks(cols).enumerate() {
                        unsafe { acts.places().store(cpu, n, x) };
                    }
                    let mut out = vec![];
                    multiply(
                        &workers,
                        cpu,
                        &[&matrix],
                        &acts,
                        count,
                        None,
                        &mut [&mut out],
                    );
                    assert_eq!(
                        reference.get_or_insert(out.clone()),
                        &out,
                        "{storage:?} {cpu:?}"
                    );
                    for (n, x) in x.chunks(cols).enumerate() {
                        let mut alone = Acts::default();
                        alone.reset(1, cols);
                        unsafe { alone.places().store(cpu, 0, x) };
                        let mut one = vec![];
                        multiply(&workers, cpu, &[&matrix], &alone, 1, None, &mut [&mut one]);
                        assert_eq!(one, out[n * rows..][..rows]);
                    }
                }
            }
            let out = reference.unwrap();
            let mut row = vec![0.0; cols];
            for r in 0..rows {
                matrix.row(r, &mut row);
                for n in 0..count {
                    let x = &x[n * cols..][..cols];
                    let exact: f32 = row.iter().zip(x).map(|(w, x)| w * x).sum();
                    let size: f32 = row.iter().zip(x).map(|(w, x)| (w * x).abs()).sum();
                    assert!(
                        (exact - out[n * rows + r]).abs() <= 0.01 * size + 1e-4,
                        "{storage:?}: {exact} and {}",
                        out[n * rows + r]
                    );
                }
            }
        }
    }

    #[test]
    fn numbers_that_are_not_finite_are_refused() {
        let mut bytes = random_bytes(Storage::Q4_1, 1, 32, 1);
        bytes[..2].copy_from_slice(&f16::NAN.to_le_bytes());
        assert!(Matrix::pack(Storage::Q4_1, 1, 32, &bytes).is_err());
        let mut bytes = random_bytes(Storage::F32, 1, 32, 1);
        bytes[4..8].copy_from_slice(&f32::INFINITY.to_le_bytes());
        assert!(Matrix::pack(Storage::F32, 1, 32, &bytes).is_err());
    }
}
