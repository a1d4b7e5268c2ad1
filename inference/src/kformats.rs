//! GGML's other quantised formats, unpacked to be repacked: they are computed with in 4 or 8 bits like the rest.

use crate::kernels::BLOCK;
use half::f16;

/// Values of a block of a K format.
const LARGE: usize = 256;

fn half(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

/// Scale and minimum of part `n` of 8, six bits each, out of twelve bytes.
fn six_bits(packed: &[u8], n: usize) -> (f32, f32) {
    let (scale, least) = match n < 4 {
        true => (packed[n] & 63, packed[n + 4] & 63),
        false => (
            packed[n + 4] & 15 | packed[n - 4] >> 6 << 4,
            packed[n + 4] >> 4 | packed[n] >> 6 << 4,
        ),
    };
    (f32::from(scale), f32::from(least))
}

/// The eight parts of a Q4_K block: scale, offset, values from 0 to 15.
pub(crate) fn q4_k(bytes: &[u8]) -> [(f32, f32, [i8; BLOCK]); 8] {
    let (scale, least) = (half(bytes, 0), half(bytes, 2));
    std::array::from_fn(|n| {
        let (s, m) = six_bits(&bytes[4..16], n);
        let packed = &bytes[16 + n / 2 * BLOCK..][..BLOCK];
        let values = std::array::from_fn(|i| (packed[i] >> (n % 2 * 4) & 15) as i8);
        (scale * s, -least * m, values)
    })
}

/// The numbers of a Q5_0 block, or with a minimum of a Q5_1 block.
pub(crate) fn q5(bytes: &[u8], scale: f32, least: Option<f32>) -> [f32; BLOCK] {
    let start = if least.is_some() { 4 } else { 2 };
    let fifth = u32::from_le_bytes([
        bytes[start],
        bytes[start + 1],
        bytes[start + 2],
        bytes[start + 3],
    ]);
    let packed = &bytes[start + 4..][..16];
    std::array::from_fn(|i| {
        let low = packed[i % 16] >> (i / 16 * 4) & 15;
        let q = f32::from(low | ((fifth >> i & 1) << 4) as u8);
        match least {
            Some(least) => scale * q + least,
            None => scale * (q - 16.0),
        }
    })
}

/// The numbers of a Q5_K block.
pub(crate) fn q5_k(bytes: &[u8]) -> [f32; LARGE] {
    let (scale, least) = (half(bytes, 0), half(bytes, 2));
    let (fifth, packed) = (&bytes[16..48], &bytes[48..176]);
    std::array::from_fn(|i| {
        let (n, within) = (i / BLOCK, i % BLOCK);
        let (s, m) = six_bits(&bytes[4..16], n);
        let low = packed[n / 2 * BLOCK + within] >> (n % 2 * 4) & 15;
        let q = low | (fifth[within] >> n & 1) << 4;
        scale * s * f32::from(q) - least * m
    })
}

/// The numbers of a Q6_K block.
pub(crate) fn q6_k(bytes: &[u8]) -> [f32; LARGE] {
    let (low, high, scales) = (&bytes[..128], &bytes[128..192], &bytes[192..208]);
    let scale = half(bytes, 208);
    std::array::from_fn(|i| {
        let (part, within) = (i / 128, i % 128);
        let (quarter, n) = (within / 32, within % 32);
        let four = low[part * 64 + quarter % 2 * 32 + n] >> (quarter / 2 * 4) & 15;
        let two = high[part * 32 + n] >> (quarter * 2) & 3;
        let q = f32::from(four | two << 4) - 32.0;
        scale * f32::from(scales[i / 16] as i8) * q
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{gguf::Storage, kernels::Matrix};

    /// Blocks and what the `gguf` package for Python makes of them.
    #[test]
    fn unpacked_numbers_are_those_of_the_reference() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../tests/vectors/formats.json")).unwrap();
        for (name, storage) in [
            ("Q4_0", Storage::Q4_0),
            ("Q4_1", Storage::Q4_1),
            ("Q5_0", Storage::Q5_0),
            ("Q5_1", Storage::Q5_1),
            ("Q8_0", Storage::Q8_0),
            ("Q4_K", Storage::Q4K),
            ("Q5_K", Storage::Q5K),
            ("Q6_K", Storage::Q6K),
        ] {
            let bytes = hex::decode(vectors[name]["bytes"].as_str().unwrap()).unwrap();
            let exact: Vec<f32> = vectors[name]["numbers"]
                .as_array()
                .unwrap()
                .iter()
                .map(|x| x.as_f64().unwrap() as f32)
                .collect();
            let matrix = Matrix::pack(storage, 1, exact.len(), &bytes).unwrap();
            let mut row = vec![0.0; exact.len()];
            matrix.row(0, &mut row);
            for (n, (exact, ours)) in exact.iter().zip(&row).enumerate() {
                let block = &row[n / BLOCK * BLOCK..][..BLOCK];
                let most = block.iter().fold(0f32, |m, x| m.max(x.abs()));
                assert!(
                    (exact - ours).abs() <= most / 200.0,
                    "{name} {n}: {exact} and {ours}"
                );
            }
        }
    }
}
