//! What a transformer computes besides matrix products. Each function gives the same bits on every machine: sums are taken
//! in a fixed order, sixteen at a time, and the exponential is our own.

use crate::kernels::{BLOCK, Cpu};

/// Numbers that are summed side by side.
pub(crate) const LANES: usize = 16;

/// Compiles a function once for each instruction set and chooses by its first argument. Fused multiply-adds are written
/// out, and the compiler may not reorder sums, so all versions agree.
macro_rules! for_each_cpu {
	($(#[$doc:meta])* pub(crate) fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
		$(#[$doc])*
		#[allow(clippy::too_many_arguments)]
		pub(crate) fn $name(cpu: Cpu, $($arg: $type),*) $(-> $ret)? {
			#[inline(always)]
			#[allow(clippy::too_many_arguments)]
			fn body($($arg: $type),*) $(-> $ret)? $body
			#[cfg(target_arch = "x86_64")]
			{
				#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
				#[allow(clippy::too_many_arguments)]
				fn wide($($arg: $type),*) $(-> $ret)? { body($($arg),*) }
				#[target_feature(enable = "avx2,fma,f16c")]
				#[allow(clippy::too_many_arguments)]
				fn narrow($($arg: $type),*) $(-> $ret)? { body($($arg),*) }
				match cpu {
					// `Cpu::detect` found the instructions.
					Cpu::Avx512 => return unsafe { wide($($arg),*) },
					Cpu::Avx2 => return unsafe { narrow($($arg),*) },
					Cpu::Plain => {},
				}
			}
			let _ = cpu;
			body($($arg),*)
		}
	};
}

pub(crate) use for_each_cpu;

/// e^x with a relative error below 2e-7; 0 far below, finite far above.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    /// Adding it rounds to whole numbers.
    const ROUND: f32 = 12_582_912.0;
    // Unlike `clamp`, this makes a number of NaN.
    #[allow(clippy::manual_clamp)]
    let x = x.max(-87.0).min(88.0);
    let rounded = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let power = rounded.to_bits().wrapping_sub(ROUND.to_bits());
    let whole = rounded - ROUND;
    let r = whole.mul_add(-0.693_359_4, x);
    let r = whole.mul_add(2.121_944_4e-4, r);
    let p = 1.987_569_1e-4f32;
    let p = p.mul_add(r, 1.398_2e-3);
    let p = p.mul_add(r, 8.333_452e-3);
    let p = p.mul_add(r, 4.166_579_6e-2);
    let p = p.mul_add(r, 1.666_666_5e-1);
    let p = p.mul_add(r, 0.5);
    let p = (p * r).mul_add(r, r) + 1.0;
    p * f32::from_bits(power.wrapping_add(127) << 23)
}

/// The sum of the lanes, as a tree.
#[inline(always)]
pub(crate) fn sum(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}

for_each_cpu! {
    /// Root-mean-square norm: `out = x / sqrt(mean(x^2) + eps) * weight`.
    pub(crate) fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
        let mut lanes = [0f32; LANES];
        for chunk in x.chunks_exact(LANES) {
            for (lane, x) in lanes.iter_mut().zip(chunk) {
                *lane = x.mul_add(*x, *lane);
            }
        }
        let scale = 1.0 / (sum(lanes) / x.len() as f32 + eps).sqrt();
        for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
            *out = x * scale * weight;
        }
    }
}

for_each_cpu! {
    /// Rounds to 8 bits, block by block: `x = scale * value`. `weights` gets scale times sum.
    pub(crate) fn quantise(
        x: &[f32],
        values: &mut [i8],
        scales: &mut [f32],
        sums: &mut [i32],
        weights: &mut [f32],
    ) {
        for (block, x) in x.chunks_exact(BLOCK).enumerate() {
            let mut lanes = [0f32; LANES];
            for chunk in x.chunks_exact(LANES) {
                for (lane, x) in lanes.iter_mut().zip(chunk) {
                    *lane = lane.max(x.abs());
                }
            }
            let most = lanes.iter().fold(0f32, |m, x| m.max(*x));
            let scale = most / 127.0;
            let inverse = if most > 0.0 { 127.0 / most } else { 0.0 };
            let mut sum = 0;
            for (value, x) in values[block * BLOCK..][..BLOCK].iter_mut().zip(x) {
                let q = (x * inverse).round_ties_even() as i32;
                let q = q.clamp(-127, 127);
                sum += q;
                *value = q as i8;
            }
            scales[block] = scale;
            sums[block] = sum;
            weights[block] = scale * sum as f32;
        }
    }
}

for_each_cpu! {
    /// The gate of SwiGLU: `gate = gate / (1 + e^-gate) * up`.
    pub(crate) fn silu_times(gate: &mut [f32], up: &[f32]) {
        for (gate, up) in gate.iter_mut().zip(up) {
            *gate = *gate / (1.0 + exp(-*gate)) * up;
        }
    }
}

for_each_cpu! {
    /// The gate of GeGLU: `gate = gelu(gate) * up`, with GELU as its tanh formula, which is `x / (1 + e^-2u)`.
    pub(crate) fn gelu_times(gate: &mut [f32], up: &[f32]) {
        /// 2 * sqrt(2 / pi).
        const FACTOR: f32 = 1.595_769;
        for (gate, up) in gate.iter_mut().zip(up) {
            let x = *gate;
            let u = FACTOR * x * (0.044_715 * x).mul_add(x, 1.0);
            *gate = x / (1.0 + exp(-u)) * up;
        }
    }
}

/// The number that bf16 bits stand for.
#[inline(always)]
fn bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

for_each_cpu! {
    /// `out = scale * A x`, A as bf16, row by row.
    pub(crate) fn project(a: &[u16], scale: f32, x: &[f32], out: &mut [f32]) {
        /// Rows that are computed side by side.
        const ROWS: usize = 4;
        let mut rows = out.chunks_mut(ROWS).zip(a.chunks(ROWS * x.len()));
        for (out, a) in &mut rows {
            let mut lanes = [[0f32; LANES]; ROWS];
            if out.len() == ROWS {
                let (a0, a) = a.split_at(x.len());
                let (a1, a) = a.split_at(x.len());
                let (a2, a3) = a.split_at(x.len());
                let rows = a0.chunks_exact(LANES).zip(a1.chunks_exact(LANES));
                let rows = rows.zip(a2.chunks_exact(LANES).zip(a3.chunks_exact(LANES)));
                for (((a0, a1), (a2, a3)), x) in rows.zip(x.chunks_exact(LANES)) {
                    for i in 0..LANES {
                        lanes[0][i] = bf16(a0[i]).mul_add(x[i], lanes[0][i]);
                        lanes[1][i] = bf16(a1[i]).mul_add(x[i], lanes[1][i]);
                        lanes[2][i] = bf16(a2[i]).mul_add(x[i], lanes[2][i]);
                        lanes[3][i] = bf16(a3[i]).mul_add(x[i], lanes[3][i]);
                    }
                }
            } else {
                for (lanes, a) in lanes.iter_mut().zip(a.chunks_exact(x.len())) {
                    for (a, x) in a.chunks_exact(LANES).zip(x.chunks_exact(LANES)) {
                        for i in 0..LANES {
                            lanes[i] = bf16(a[i]).mul_add(x[i], lanes[i]);
                        }
                    }
                }
            }
            for (out, lanes) in out.iter_mut().zip(lanes) {
                *out = scale * sum(lanes);
            }
        }
    }
}

/// Asks for these numbers to be in the cache soon.
#[inline(always)]
pub(crate) fn prefetch(numbers: &[u16]) {
    /// Numbers of a line of the cache.
    const LINE: usize = 32;
    #[cfg(target_arch = "x86_64")]
    for line in numbers.chunks(LINE) {
        // Any address may be prefetched, and this one exists.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(
                line.as_ptr().cast(),
            )
        };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (numbers, LINE);
}

for_each_cpu! {
    /// `y += B x` for sixteen rows, B as bf16, column by column.
    pub(crate) fn expand(b: &[u16], x: &[f32], y: &mut [f32; LANES]) {
        let mut sums = *y;
        for (x, b) in x.iter().zip(b.chunks_exact(LANES)) {
            for i in 0..LANES {
                sums[i] = x.mul_add(bf16(b[i]), sums[i]);
            }
        }
        *y = sums;
    }
}

for_each_cpu! {
    /// `x += y`.
    pub(crate) fn add(x: &mut [f32], y: &[f32]) {
        for (x, y) in x.iter_mut().zip(y) {
            *x += y;
        }
    }
}

for_each_cpu! {
    /// Rotates the pairs of each head by the angles of a position. Pairs are neighbours, or the halves of a head.
    pub(crate) fn rotate(x: &mut [f32], head: usize, cos: &[f32], sin: &[f32], neighbours: bool) {
        for x in x.chunks_exact_mut(head) {
            for (i, (cos, sin)) in cos.iter().zip(sin).enumerate() {
                let (a, b) = if neighbours { (2 * i, 2 * i + 1) } else { (i, i + head / 2) };
                let (xa, xb) = (x[a], x[b]);
                x[a] = xa.mul_add(*cos, -(xb * sin));
                x[b] = xa.mul_add(*sin, xb * cos);
            }
        }
    }
}

for_each_cpu! {
    /// ln(sum(e^x)).
    pub(crate) fn log_sum_exp(x: &[f32]) -> f32 {
        let most = x.iter().fold(f32::NEG_INFINITY, |m, x| m.max(*x));
        let mut lanes = [0f32; LANES];
        let chunks = x.chunks_exact(LANES);
        let rest = chunks.remainder();
        for chunk in chunks {
            for (lane, x) in lanes.iter_mut().zip(chunk) {
                *lane += exp(x - most);
            }
        }
        for (lane, x) in lanes.iter_mut().zip(rest) {
            *lane += exp(x - most);
        }
        most + sum(lanes).ln()
    }
}

for_each_cpu! {
    /// Attention of one query head over the positions from `first` up to `count`.
    ///
    /// `keys` holds blocks of 16 positions, `key_stride` apart, in each of them number after number of a key for all 16; `values` holds
    /// one value after the other, `value_stride` apart. `scores` is scratch.
    pub(crate) fn attend(
        query: &[f32],
        keys: &[f32],
        key_stride: usize,
        values: &[f32],
        value_stride: usize,
        first: usize,
        count: usize,
        scores: &mut Vec<f32>,
        out: &mut [f32],
    ) {
        // Whole blocks of positions that are not seen are left out, and the others in the first block masked.
        let skipped = first / LANES;
        let keys = &keys[skipped * key_stride..];
        let values = &values[skipped * LANES * value_stride..];
        let (first, count) = (first % LANES, count - skipped * LANES);
        let blocks = count.div_ceil(LANES);
        scores.resize(blocks * LANES, 0.0);
        let factor = 1.0 / (query.len() as f32).sqrt();
        for (block, scores) in scores.chunks_exact_mut(LANES).enumerate() {
            let keys = &keys[block * key_stride..][..query.len() * LANES];
            let mut lanes = [0f32; LANES];
            for (q, keys) in query.iter().zip(keys.chunks_exact(LANES)) {
                for (lane, key) in lanes.iter_mut().zip(keys) {
                    *lane = q.mul_add(*key, *lane);
                }
            }
            for (score, lane) in scores.iter_mut().zip(lanes) {
                *score = lane * factor;
            }
        }
        scores[..first].fill(f32::NEG_INFINITY);
        scores[count..].fill(f32::NEG_INFINITY);
        let mut most = [f32::NEG_INFINITY; LANES];
        for chunk in scores.chunks_exact(LANES) {
            for (most, score) in most.iter_mut().zip(chunk) {
                *most = most.max(*score);
            }
        }
        let most = most.iter().fold(f32::NEG_INFINITY, |m, x| m.max(*x));
        let mut lanes = [0f32; LANES];
        for chunk in scores.chunks_exact_mut(LANES) {
            for (lane, score) in lanes.iter_mut().zip(chunk) {
                let weight = if *score == f32::NEG_INFINITY { 0.0 } else { exp(*score - most) };
                *score = weight;
                *lane += weight;
            }
        }
        let scale = 1.0 / sum(lanes);
        const PART: usize = 4 * LANES;
        for (part, out) in out.chunks_mut(PART).enumerate() {
            let mut sums = [0f32; PART];
            let at = part * PART;
            if out.len() == PART {
                for (position, weight) in scores[..count].iter().enumerate() {
                    let value = &values[position * value_stride + at..][..PART];
                    for (sum, value) in sums.iter_mut().zip(value) {
                        *sum = weight.mul_add(*value, *sum);
                    }
                }
            } else {
                for (position, weight) in scores[..count].iter().enumerate() {
                    let value = &values[position * value_stride + at..][..out.len()];
                    for (sum, value) in sums.iter_mut().zip(value) {
                        *sum = weight.mul_add(*value, *sum);
                    }
                }
            }
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = sum * scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_is_precise_and_never_overflows() {
        for i in -8_000..8_000 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < 2e-7, "{x}");
        }
        assert!(exp(f32::MAX).is_finite() && exp(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn attention_is_the_weighted_mean_of_the_values() {
        let (head, count) = (64, 21);
        let number = |n: usize| ((n * 7919) % 1000) as f32 / 500.0 - 1.0;
        let query: Vec<f32> = (0..head).map(number).collect();
        let key = |p: usize, d: usize| number(p * 131 + d * 17 + 5);
        let value = |p: usize, d: usize| number(p * 37 + d * 3 + 11);
        let mut keys = vec![0.0; 2 * head * LANES];
        let mut values = vec![0.0; 32 * head];
        for p in 0..count {
            for d in 0..head {
                keys[p / LANES * head * LANES + d * LANES + p % LANES] = key(p, d);
                values[p * head + d] = value(p, d);
            }
        }
        let weights: Vec<f64> = (0..count)
            .map(|p| {
                let score: f64 = (0..head)
                    .map(|d| f64::from(query[d]) * f64::from(key(p, d)))
                    .sum();
                (score / 8.0).exp()
            })
            .collect();
        for first in [0, 5, 17] {
            let total: f64 = weights[first..].iter().sum();
            let mut reference: Option<Vec<f32>> = None;
            for cpu in [Cpu::Plain, Cpu::detect()] {
                let mut out = vec![0.0; head];
                attend(
                    cpu,
                    &query,
                    &keys,
                    head * LANES,
                    &values,
                    head,
                    first,
                    count,
                    &mut vec![],
                    &mut out,
                );
                for (d, out) in out.iter().enumerate() {
                    let seen = weights.iter().enumerate().skip(first);
                    let exact: f64 = seen.map(|(p, w)| w / total * f64::from(value(p, d))).sum();
                    assert!((exact - f64::from(*out)).abs() < 1e-5);
                }
                assert_eq!(reference.get_or_insert(out.clone()), &out);
            }
        }
    }

    #[test]
    fn gelu_is_the_tanh_formula() {
        for i in -1_000..1_000 {
            let x = i as f32 / 50.0;
            let exact = f64::from(x);
            let u = (2.0 / std::f64::consts::PI).sqrt() * (exact + 0.044_715 * exact.powi(3));
            let mut gate = [x];
            gelu_times(Cpu::Plain, &mut gate, &[3.0]);
            let error = f64::from(gate[0]) - 1.5 * exact * (1.0 + u.tanh());
            assert!(error.abs() < 1e-5, "{x}: {error}");
        }
    }
}
