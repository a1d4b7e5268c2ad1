//! Gradients of what a transformer computes besides matrix products, and attention within a batch. Sums are taken in a fixed
//! order, as in `math`.

use super::batch::Batch;
use crate::{
    kernels::Cpu,
    math::{LANES, exp, for_each_cpu, sum},
};

/// The sum of the products of two vectors.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0f32; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane = a.mul_add(*b, *lane);
        }
    }
    for ((lane, a), b) in lanes.iter_mut().zip(a_rest).zip(b_rest) {
        *lane = a.mul_add(*b, *lane);
    }
    sum(lanes)
}

/// `y += factor * x`.
#[inline(always)]
fn add_times(y: &mut [f32], factor: f32, x: &[f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y = factor.mul_add(*x, *y);
    }
}

for_each_cpu! {
    /// Adds to `dx` what `math::rms_norm` makes of the gradient `dy`.
    pub(crate) fn rms_norm_back(x: &[f32], weight: &[f32], eps: f32, dy: &[f32], dx: &mut [f32]) {
        let mut weighted = [0f32; LANES];
        let chunks = x.chunks_exact(LANES).zip(weight.chunks_exact(LANES));
        for ((x, weight), dy) in chunks.zip(dy.chunks_exact(LANES)) {
            for i in 0..LANES {
                weighted[i] = (weight[i] * dy[i]).mul_add(x[i], weighted[i]);
            }
        }
        let count = x.len() as f32;
        let scale = 1.0 / (dot(x, x) / count + eps).sqrt();
        let shift = sum(weighted) * scale * scale * scale / count;
        for (((dx, x), weight), dy) in dx.iter_mut().zip(x).zip(weight).zip(dy) {
            *dx += scale * weight * dy - shift * x;
        }
    }
}

for_each_cpu! {
    /// `out = gate / (1 + e^-gate) * up`; `both` holds the gate and then `up`.
    pub(crate) fn swiglu(both: &[f32], out: &mut [f32]) {
        let (gate, up) = both.split_at(out.len());
        for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
            *out = gate / (1.0 + exp(-gate)) * up;
        }
    }
}

for_each_cpu! {
    /// Replaces gate and `up` by their gradients, given that of `swiglu`'s result.
    pub(crate) fn swiglu_back(both: &mut [f32], dy: &[f32]) {
        let (gate, up) = both.split_at_mut(dy.len());
        for ((gate, up), dy) in gate.iter_mut().zip(up).zip(dy) {
            let open = 1.0 / (1.0 + exp(-*gate));
            let silu = *gate * open;
            (*gate, *up) = (
                dy * *up * open * (1.0 + *gate * (1.0 - open)),
                dy * silu,
            );
        }
    }
}

for_each_cpu! {
    /// Replaces logits by the gradient of the weighted loss `-ln p(token)`; `total` is the logits' `log_sum_exp`.
    pub(crate) fn loss_back(logits: &mut [f32], token: usize, total: f32, weight: f32) {
        for z in logits.iter_mut() {
            *z = exp(*z - total) * weight;
        }
        logits[token] -= weight;
    }
}

/// How queries, keys and values lie beside each other in a row.
#[derive(Clone, Copy)]
pub(crate) struct Heads {
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head: usize,
}

impl Heads {
    /// Numbers of a row.
    pub(crate) fn stride(self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head
    }

    fn query(self, row: usize, head: usize) -> usize {
        row * self.stride() + head * self.head
    }

    fn key(self, row: usize, kv_head: usize) -> usize {
        self.query(row, self.heads + kv_head)
    }

    fn value(self, row: usize, kv_head: usize) -> usize {
        self.query(row, self.heads + self.kv_heads + kv_head)
    }

    fn shared_by(self) -> usize {
        self.heads / self.kv_heads
    }
}

for_each_cpu! {
    /// Attention of a row: its probabilities, head after head, and what they make of the values.
    pub(crate) fn attend(
        shape: Heads,
        batch: &Batch,
        row: usize,
        qkv: &[f32],
        weights: &mut [f32],
        out: &mut [f32],
    ) {
        let (seen, factor) = (batch.seen(row), 1.0 / (shape.head as f32).sqrt());
        for (h, weights) in weights.chunks_exact_mut(seen.len()).enumerate() {
            let kv = h / shape.shared_by();
            let query = &qkv[shape.query(row, h)..][..shape.head];
            for (weight, other) in weights.iter_mut().zip(seen.rows()) {
                *weight = dot(query, &qkv[shape.key(other, kv)..][..shape.head]) * factor;
            }
            let most = weights.iter().fold(f32::NEG_INFINITY, |m, x| m.max(*x));
            let mut total = 0.0;
            for weight in weights.iter_mut() {
                *weight = exp(*weight - most);
                total += *weight;
            }
            let out = &mut out[h * shape.head..][..shape.head];
            out.fill(0.0);
            for (weight, other) in weights.iter_mut().zip(seen.rows()) {
                *weight /= total;
                add_times(out, *weight, &qkv[shape.value(other, kv)..][..shape.head]);
            }
        }
    }
}

for_each_cpu! {
    /// The first half of attention's gradient: those of a row's scores, and of its queries.
    pub(crate) fn attend_back_queries(
        shape: Heads,
        batch: &Batch,
        row: usize,
        qkv: &[f32],
        weights: &[f32],
        dout: &[f32],
        scores: &mut [f32],
        dquery: &mut [f32],
    ) {
        let (seen, factor) = (batch.seen(row), 1.0 / (shape.head as f32).sqrt());
        let heads = weights.chunks_exact(seen.len()).zip(scores.chunks_exact_mut(seen.len()));
        for (h, (weights, scores)) in heads.enumerate() {
            let kv = h / shape.shared_by();
            let dout = &dout[h * shape.head..][..shape.head];
            let mut mean = 0.0;
            for ((score, weight), other) in scores.iter_mut().zip(weights).zip(seen.rows()) {
                *score = dot(dout, &qkv[shape.value(other, kv)..][..shape.head]);
                mean = weight.mul_add(*score, mean);
            }
            let dquery = &mut dquery[h * shape.head..][..shape.head];
            dquery.fill(0.0);
            for ((score, weight), other) in scores.iter_mut().zip(weights).zip(seen.rows()) {
                *score = weight * (*score - mean) * factor;
                add_times(dquery, *score, &qkv[shape.key(other, kv)..][..shape.head]);
            }
        }
    }
}

for_each_cpu! {
    /// The second half: the gradients of a row's keys and values, from all rows that see it.
    pub(crate) fn attend_back_keys(
        shape: Heads,
        batch: &Batch,
        row: usize,
        qkv: &[f32],
        weights: &[f32],
        scores: &[f32],
        douts: &[f32],
        dkeys_and_values: &mut [f32],
    ) {
        let width = shape.heads * shape.head;
        let (dkeys, dvalues) = dkeys_and_values.split_at_mut(shape.kv_heads * shape.head);
        dkeys.fill(0.0);
        dvalues.fill(0.0);
        for other in batch.seen_by(row) {
            let seen = batch.seen(other);
            let at = batch.weights_at(other) * shape.heads + seen.index(row);
            for h in 0..shape.heads {
                let (kv, at) = (h / shape.shared_by() * shape.head, at + h * seen.len());
                let query = &qkv[shape.query(other, h)..][..shape.head];
                add_times(&mut dkeys[kv..][..shape.head], scores[at], query);
                let dout = &douts[other * width + h * shape.head..][..shape.head];
                add_times(&mut dvalues[kv..][..shape.head], weights[at], dout);
            }
        }
    }
}
