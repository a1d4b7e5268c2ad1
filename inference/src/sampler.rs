//! The network's sampler, `gumbel-top-k/1`: anybody who knows the key and the logits finds the same token.
//!
//! Among the `top_k` tokens with the highest logits (ties: lower id first) it emits the one with the highest
//! `logit + T * g`, where `g = -ln(-ln u)` and `u = ((w >> 11) + 0.5) / 2^53`. `w` is the first little-endian 64-bit word of the
//! ChaCha20 block whose key is the sampler key, whose 64-bit counter is `position << 32 | token` and whose 64-bit nonce is
//! zero. Positions count the answer's tokens from 0. Noise hangs on the token and its position only, so neither batch nor
//! thread nor the rest of the vocabulary can change it. At `T = 0` the highest logit wins.

use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore, SeedableRng},
};

/// Name of the sampler in manifests.
pub const SAMPLER: &str = "gumbel-top-k/1";

/// Standard Gumbel noise of a token at a position of the answer.
pub fn gumbel(key: &[u8; 32], position: u32, token: u32) -> f64 {
    let mut stream = ChaCha20Rng::from_seed(*key);
    let block = u64::from(position) << 32 | u64::from(token);
    stream.set_word_pos(u128::from(block) << 4);
    let u = ((stream.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    -(-u.ln()).ln()
}

/// The `count` highest logits and their tokens, highest first; ties: lower id first.
pub fn top(logits: &[f32], count: usize) -> Vec<(u32, f32)> {
    let mut best: Vec<(u32, f32)> = Vec::with_capacity(count + 1);
    if count == 0 {
        return best;
    }
    let mut least = f32::NEG_INFINITY;
    for (id, &logit) in logits.iter().enumerate() {
        if best.len() == count && logit <= least {
            continue;
        }
        let at = best.partition_point(|&(_, other)| other >= logit);
        best.insert(at, (id as u32, logit));
        best.truncate(count);
        least = best.last().map_or(f32::NEG_INFINITY, |&(_, logit)| logit);
    }
    best
}

/// The token to emit, its logit, or `None` if there are no logits.
pub fn choose(
    logits: &[f32],
    top_k: u8,
    temperature_milli: u32,
    key: &[u8; 32],
    position: u32,
) -> Option<(u32, f32)> {
    if temperature_milli == 0 {
        return top(logits, 1).first().copied();
    }
    let temperature = f64::from(temperature_milli) / 1000.0;
    let mut best: Option<(f64, u32, f32)> = None;
    for (id, logit) in top(logits, usize::from(top_k.clamp(1, 64))) {
        let score = f64::from(logit) + temperature * gumbel(key, position, id);
        if best.is_none_or(|(s, i, _)| score > s || (score == s && id < i)) {
            best = Some((score, id, logit));
        }
    }
    best.map(|(_, id, logit)| (id, logit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_lower_id() {
        assert_eq!(
            top(&[1.0, 3.0, 3.0, 2.0, 3.0], 3),
            [(1, 3.0), (2, 3.0), (4, 3.0)]
        );
        assert_eq!(choose(&[1.0, 3.0, 3.0], 2, 0, &[0; 32], 0), Some((1, 3.0)));
        assert_eq!(choose(&[], 2, 500, &[0; 32], 0), None);
    }

    #[test]
    fn tokens_come_as_often_as_their_probabilities_say() {
        let logits = [0.0f32, 1.0, 2.0];
        let total: f64 = logits.iter().map(|z| f64::from(*z).exp()).sum();
        let draws = 20_000;
        let mut counts = [0u32; 3];
        for position in 0..draws {
            counts[choose(&logits, 3, 1000, &[7; 32], position).unwrap().0 as usize] += 1;
        }
        for (z, count) in logits.iter().zip(counts) {
            let expected = f64::from(*z).exp() / total;
            assert!((f64::from(count) / f64::from(draws) - expected).abs() < 0.015);
        }
    }
}
