//! Forward and backward through the frozen base and the factors beside it.

use super::{
    batch::Batch,
    factors::{Layout, matrices},
    ops::{self, Heads},
    product::{Packed, Place, Source, Term, multiply},
};
use crate::{
    kernels::{Cpu, Out},
    llama::{Model, Shape},
    math,
    pool::Workers,
};

/// What a layer's forward pass leaves behind for the backward pass.
#[derive(Default)]
struct Kept {
    input: Vec<f32>,
    middle: Vec<f32>,
    qkv: Vec<f32>,
    /// Attention's probabilities.
    weights: Vec<f32>,
    /// Gate and up.
    both: Vec<f32>,
    /// What the matrices of each bundle are multiplied with.
    inputs: [Vec<f32>; 4],
    /// What the second factors of each bundle are multiplied with.
    inner: [Vec<f32>; 4],
}

/// A model and memory for its passes.
pub(crate) struct Passes<'a> {
    model: &'a Model,
    layout: &'a Layout,
    cpu: Cpu,
    kept: Vec<Kept>,
    packed: Packed,
    columns: Packed,
}

/// Makes room for `count` numbers, whatever they are.
fn room(numbers: &mut Vec<f32>, count: usize) -> &mut [f32] {
    numbers.resize(count, 0.0);
    numbers
}

/// Calls `task` for every row, with its part of `out`.
fn each_row(
    workers: &Workers<'_>,
    out: &mut [f32],
    width: usize,
    task: &(dyn Fn(usize, &mut [f32]) + Sync),
) {
    /// Rows of a task.
    const TOGETHER: usize = 8;
    let count = out.len() / width;
    let out = Out(out.as_mut_ptr());
    workers.run(count.div_ceil(TOGETHER), &|n| {
        for row in n * TOGETHER..count.min((n + 1) * TOGETHER) {
            // Each row has its own place.
            task(row, unsafe { out.slice(row * width, width) });
        }
    });
}

impl<'a> Passes<'a> {
    pub(crate) fn new(model: &'a Model, layout: &'a Layout, cpu: Cpu) -> Self {
        Self {
            model,
            layout,
            cpu,
            kept: model.layers.iter().map(|_| Kept::default()).collect(),
            packed: Packed::default(),
            columns: Packed::default(),
        }
    }

    fn heads(&self) -> Heads {
        let Shape {
            heads,
            kv_heads,
            head,
            ..
        } = self.model.shape;
        Heads {
            heads,
            kv_heads,
            head,
        }
    }

    /// The batch's weighted loss. With `grads`, adds the gradient of the factors to them.
    pub(crate) fn run(
        &mut self,
        workers: &Workers<'_>,
        batch: &Batch,
        factors: &[f32],
        grads: Option<&mut [f32]>,
    ) -> f64 {
        let x = self.forward(workers, batch, factors);
        let (loss, dx) = self.loss(workers, batch, &x, grads.is_some());
        if let Some(grads) = grads {
            self.backward(workers, batch, factors, dx, grads);
        }
        loss
    }

    /// Runs a batch through all layers.
    fn forward(&mut self, workers: &Workers<'_>, batch: &Batch, factors: &[f32]) -> Vec<f32> {
        let (model, cpu, heads) = (self.model, self.cpu, self.heads());
        let Shape {
            width,
            hidden,
            neighbours,
            eps,
            ..
        } = model.shape;
        let (count, q) = (batch.len(), heads.heads * heads.head);
        let rotated = (heads.heads + heads.kv_heads) * heads.head;
        let mut x = vec![0.0; count * width];
        for (token, x) in batch.tokens.iter().zip(x.chunks_exact_mut(width)) {
            model.embedding.row(*token as usize, x);
        }
        for (n, layer) in model.layers.iter().enumerate() {
            let mut kept = std::mem::take(&mut self.kept[n]);
            let out = room(&mut kept.inputs[0], count * width);
            each_row(workers, out, width, &|row, out| {
                let x = &x[row * width..][..width];
                math::rms_norm(cpu, x, &layer.attention_norm, eps, out);
            });
            let qkv = room(&mut kept.qkv, count * heads.stride());
            self.project(
                workers,
                (n, 0),
                factors,
                &kept.inputs[0],
                &mut kept.inner[0],
                qkv,
            );
            each_row(workers, qkv, heads.stride(), &|row, out| {
                if let Some(biases) = &layer.biases {
                    math::add(cpu, out, biases.concat().as_slice());
                }
                let (cos, sin) = self.angles(batch.positions[row]);
                math::rotate(cpu, &mut out[..rotated], heads.head, cos, sin, neighbours);
            });
            let pairs = batch.weights_at(count) * heads.heads;
            let weights = Out(room(&mut kept.weights, pairs).as_mut_ptr());
            let (qkv, out) = (&kept.qkv, room(&mut kept.inputs[1], count * q));
            each_row(workers, out, q, &|row, out| {
                let at = batch.weights_at(row) * heads.heads;
                // Each row has its own weights.
                let weights = unsafe { weights.slice(at, batch.seen(row).len() * heads.heads) };
                ops::attend(cpu, heads, batch, row, qkv, weights, out);
            });
            let middle = room(&mut kept.middle, count * width);
            self.project(
                workers,
                (n, 1),
                factors,
                &kept.inputs[1],
                &mut kept.inner[1],
                middle,
            );
            math::add(cpu, middle, &x);

            let (middle, out) = (&kept.middle, room(&mut kept.inputs[2], count * width));
            each_row(workers, out, width, &|row, out| {
                let x = &middle[row * width..][..width];
                math::rms_norm(cpu, x, &layer.ffn_norm, eps, out);
            });
            let both = room(&mut kept.both, count * 2 * hidden);
            self.project(
                workers,
                (n, 2),
                factors,
                &kept.inputs[2],
                &mut kept.inner[2],
                both,
            );
            let (both, out) = (&kept.both, room(&mut kept.inputs[3], count * hidden));
            each_row(workers, out, hidden, &|row, out| {
                ops::swiglu(cpu, &both[row * 2 * hidden..][..2 * hidden], out);
            });
            let mut next = vec![0.0; count * width];
            self.project(
                workers,
                (n, 3),
                factors,
                &kept.inputs[3],
                &mut kept.inner[3],
                &mut next,
            );
            math::add(cpu, &mut next, &kept.middle);
            kept.input = std::mem::replace(&mut x, next);
            self.kept[n] = kept;
        }
        x
    }

    /// The loss at the aims, and its gradient at the last layer's results.
    fn loss(
        &mut self,
        workers: &Workers<'_>,
        batch: &Batch,
        x: &[f32],
        back: bool,
    ) -> (f64, Vec<f32>) {
        let (cpu, Shape { width, eps, .. }) = (self.cpu, &self.model.shape);
        let (width, eps) = (*width, *eps);
        let (aims, norm) = (&batch.aims, &self.model.norm);
        let head = self.model.head.as_ref().unwrap_or(&self.model.embedding);
        let mut normed = vec![0.0; aims.len() * width];
        each_row(workers, &mut normed, width, &|n, out| {
            math::rms_norm(cpu, &x[aims[n].row * width..][..width], norm, eps, out);
        });
        let (packed, vocabulary) = (&mut self.packed, head.rows);
        packed.reset(aims.len(), width);
        packed.put(workers, &normed, width, (0, width), 0);
        let mut logits = vec![0.0; aims.len() * vocabulary];
        let terms = [Term {
            x: (0, width),
            source: Source::Rows(head),
        }];
        multiply(workers, cpu, packed, &terms, all(&mut logits, vocabulary));
        let mut losses = vec![0f32; aims.len()];
        let each = Out(losses.as_mut_ptr());
        each_row(workers, &mut logits, vocabulary, &|n, logits| {
            let (token, total) = (aims[n].token as usize, math::log_sum_exp(cpu, logits));
            // Each row has its own place.
            unsafe { each.slice(n, 1) }.fill(total - logits[token]);
            ops::loss_back(cpu, logits, token, total, aims[n].weight);
        });
        let weighted = aims.iter().zip(&losses);
        let loss = weighted
            .map(|(a, l)| f64::from(a.weight) * f64::from(*l))
            .sum();
        if !back {
            return (loss, Vec::new());
        }
        packed.reset(aims.len(), vocabulary);
        packed.put(workers, &logits, vocabulary, (0, vocabulary), 0);
        let terms = [Term {
            x: (0, vocabulary),
            source: Source::Columns(head),
        }];
        multiply(workers, cpu, packed, &terms, all(&mut normed, width));
        let mut dx = vec![0.0; batch.len() * width];
        for (aim, dy) in aims.iter().zip(normed.chunks_exact(width)) {
            let (x, dx) = (
                &x[aim.row * width..][..width],
                &mut dx[aim.row * width..][..width],
            );
            ops::rms_norm_back(cpu, x, norm, eps, dy, dx);
        }
        (loss, dx)
    }

    /// Runs the gradient of the last layer's results back through all layers.
    fn backward(
        &mut self,
        workers: &Workers<'_>,
        batch: &Batch,
        factors: &[f32],
        mut dx: Vec<f32>,
        grads: &mut [f32],
    ) {
        let (model, cpu, heads) = (self.model, self.cpu, self.heads());
        let Shape {
            width,
            hidden,
            neighbours,
            eps,
            ..
        } = model.shape;
        let (count, q) = (batch.len(), heads.heads * heads.head);
        let mut dinner = vec![0.0; count * hidden.max(q)];
        let mut dnormed = vec![0.0; count * width];
        let (mut scores, mut dqkv) = (Vec::new(), vec![0.0; count * heads.stride()]);
        for (n, layer) in model.layers.iter().enumerate().rev() {
            let mut kept = std::mem::take(&mut self.kept[n]);
            let out = &mut dinner[..count * hidden];
            self.project_back(workers, (n, 3), factors, &kept, &dx, Some(out), grads);
            each_row(workers, &mut kept.both, 2 * hidden, &|row, both| {
                ops::swiglu_back(cpu, both, &dinner[row * hidden..][..hidden]);
            });
            let out = Some(&mut dnormed[..]);
            self.project_back(workers, (n, 2), factors, &kept, &kept.both, out, grads);
            each_row(workers, &mut dx, width, &|row, dx| {
                let (x, dy) = (&kept.middle[row * width..], &dnormed[row * width..]);
                ops::rms_norm_back(cpu, &x[..width], &layer.ffn_norm, eps, &dy[..width], dx);
            });

            let out = &mut dinner[..count * q];
            self.project_back(workers, (n, 1), factors, &kept, &dx, Some(out), grads);
            let (qkv, weights, douts) = (&kept.qkv, &kept.weights, &dinner[..count * q]);
            let places = Out(room(&mut scores, weights.len()).as_mut_ptr());
            each_row(workers, &mut dqkv, heads.stride(), &|row, dqkv| {
                let at = batch.weights_at(row) * heads.heads;
                let seen = batch.seen(row).len() * heads.heads;
                // Each row has its own scores.
                let scores = unsafe { places.slice(at, seen) };
                let (weights, dout) = (&weights[at..][..seen], &douts[row * q..][..q]);
                let dquery = &mut dqkv[..q];
                ops::attend_back_queries(
                    cpu, heads, batch, row, qkv, weights, dout, scores, dquery,
                );
            });
            each_row(workers, &mut dqkv, heads.stride(), &|row, dqkv| {
                let out = &mut dqkv[q..];
                ops::attend_back_keys(cpu, heads, batch, row, qkv, weights, &scores, douts, out);
                let (cos, sin) = self.angles(batch.positions[row]);
                let sin: Vec<f32> = sin.iter().map(|s| -s).collect();
                let rotated = &mut dqkv[..(heads.heads + heads.kv_heads) * heads.head];
                math::rotate(cpu, rotated, heads.head, cos, &sin, neighbours);
            });
            // Nothing before the first layer is trained.
            let out = (n > 0).then_some(&mut dnormed[..]);
            self.project_back(workers, (n, 0), factors, &kept, &dqkv, out, grads);
            each_row(workers, &mut dx, width, &|row, dx| {
                let (x, dy) = (&kept.input[row * width..], &dnormed[row * width..]);
                ops::rms_norm_back(
                    cpu,
                    &x[..width],
                    &layer.attention_norm,
                    eps,
                    &dy[..width],
                    dx,
                );
            });
            self.kept[n] = kept;
        }
    }

    /// Cosines and sines of a position. Models that can be trained have one rotation.
    fn angles(&self, position: usize) -> (&[f32], &[f32]) {
        let pairs = self.model.shape.head / 2;
        let range = position * pairs..(position + 1) * pairs;
        let rope = &self.model.ropes[0];
        (&rope.cos[range.clone()], &rope.sin[range])
    }

    /// Products of a layer's bundle of matrices, changed by their factors: for each row, those of all matrices side by side.
    fn project(
        &mut self,
        workers: &Workers<'_>,
        (n, bundle): (usize, usize),
        factors: &[f32],
        input: &[f32],
        inner: &mut Vec<f32>,
        out: &mut [f32],
    ) {
        let (cpu, scale, r) = (self.cpu, self.layout.scale, self.layout.rank);
        let matrices = matrices(&self.model.layers[n], bundle);
        let layout = &self.layout.bundles[n][bundle];
        let (cols, rank) = (matrices[0].cols, layout.rank);
        let count = input.len() / cols;
        let packed = &mut self.packed;
        packed.reset(count, cols + rank);
        packed.put(workers, input, cols, (0, cols), 0);
        if rank > 0 {
            let terms = [Term {
                x: (0, cols),
                source: Source::PlainRows(&factors[layout.a.clone()], cols),
            }];
            let inner = room(inner, count * rank);
            multiply(workers, cpu, packed, &terms, all(inner, rank));
            inner.iter_mut().for_each(|x| *x *= scale);
            packed.put(workers, inner, rank, (0, rank), cols);
        }
        let stride = out.len() / count;
        let mut at = 0;
        for (matrix, b) in matrices.iter().zip(&layout.b) {
            let mut terms = vec![Term {
                x: (0, cols),
                source: Source::Rows(matrix),
            }];
            if let Some((number, b)) = b {
                terms.push(Term {
                    x: (cols + number * r, r),
                    source: Source::PlainColumns(&factors[b.clone()], matrix.rows),
                });
            }
            let place = Place {
                out: &mut *out,
                stride,
                at,
                cols: matrix.rows,
                add: false,
            };
            multiply(workers, cpu, packed, &terms, place);
            at += matrix.rows;
        }
    }

    /// The gradients of a bundle's factors, and of its input if that is asked for, given those of its results.
    #[allow(clippy::too_many_arguments)]
    fn project_back(
        &mut self,
        workers: &Workers<'_>,
        (n, bundle): (usize, usize),
        factors: &[f32],
        kept: &Kept,
        dy: &[f32],
        dinput: Option<&mut [f32]>,
        grads: &mut [f32],
    ) {
        let (cpu, scale, r) = (self.cpu, self.layout.scale, self.layout.rank);
        let matrices = matrices(&self.model.layers[n], bundle);
        let layout = &self.layout.bundles[n][bundle];
        let (input, inner) = (&kept.inputs[bundle], &kept.inner[bundle]);
        let (cols, rank) = (matrices[0].cols, layout.rank);
        let rows: usize = matrices.iter().map(|m| m.rows).sum();
        let count = input.len() / cols;
        let (packed, columns) = (&mut self.packed, &mut self.columns);
        packed.reset(count, rows + rank);
        packed.put(workers, dy, rows, (0, rows), 0);
        let mut dinner = vec![0.0; count * rank];
        let mut at = 0;
        for (matrix, b) in matrices.iter().zip(&layout.b) {
            if let Some((number, b)) = b {
                // The second factor's input.
                let terms = [Term {
                    x: (at, matrix.rows),
                    source: Source::PlainRows(&factors[b.clone()], matrix.rows),
                }];
                let place = Place {
                    out: &mut dinner,
                    stride: rank,
                    at: number * r,
                    cols: r,
                    add: false,
                };
                multiply(workers, cpu, packed, &terms, place);
                // The second factor.
                columns.reset(r, count);
                columns.put_columns(inner, rank, (number * r, count));
                let terms = [Term {
                    x: (0, count),
                    source: Source::PlainColumns(&dy[at..], rows),
                }];
                let place = Place {
                    add: true,
                    ..all(&mut grads[b.clone()], matrix.rows)
                };
                multiply(workers, cpu, columns, &terms, place);
            }
            at += matrix.rows;
        }
        if rank > 0 {
            dinner.iter_mut().for_each(|x| *x *= scale);
            packed.put(workers, &dinner, rank, (0, rank), rows);
            columns.reset(rank, count);
            columns.put_columns(&dinner, rank, (0, count));
            let terms = [Term {
                x: (0, count),
                source: Source::PlainColumns(input, cols),
            }];
            let place = Place {
                add: true,
                ..all(&mut grads[layout.a.clone()], cols)
            };
            multiply(workers, cpu, columns, &terms, place);
        }
        if let Some(dinput) = dinput {
            let mut at = 0;
            let mut terms: Vec<Term<'_>> = Vec::new();
            for matrix in &matrices {
                terms.push(Term {
                    x: (at, matrix.rows),
                    source: Source::Columns(matrix),
                });
                at += matrix.rows;
            }
            if rank > 0 {
                terms.push(Term {
                    x: (rows, rank),
                    source: Source::PlainColumns(&factors[layout.a.clone()], cols),
                });
            }
            multiply(workers, cpu, packed, &terms, all(dinput, cols));
        }
    }
}

/// A place that is wholly taken by results.
fn all(out: &mut [f32], cols: usize) -> Place<'_> {
    Place {
        out,
        stride: cols,
        at: 0,
        cols,
        add: false,
    }
}
