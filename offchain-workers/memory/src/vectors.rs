//! Exact search among vectors of length 1, kept as bytes with one scale each: a quarter of the memory of floats, and four times as
//! many numbers per instruction.

use std::collections::BinaryHeap;

const SCALE: usize = 4;

/// A vector as it is stored: its scale, then a byte for each number.
pub fn pack(vector: &[f32]) -> Vec<u8> {
    let largest = vector.iter().fold(0f32, |max, x| max.max(x.abs()));
    let scale = if largest.is_finite() {
        largest / 127.0
    } else {
        0.0
    };
    let mut packed = scale.to_le_bytes().to_vec();
    packed.extend(vector.iter().map(|x| {
        if scale > 0.0 {
            (x / scale).round() as i8 as u8
        } else {
            0
        }
    }));
    packed
}

/// Vectors of one length, by row.
#[derive(Default)]
pub(crate) struct Vectors {
    length: usize,
    bytes: Vec<i8>,
    scales: Vec<f32>,
}

fn dot(a: &[i8], b: &[i8]) -> i32 {
    let products = a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b));
    products.sum()
}

impl Vectors {
    /// Appends a row; one that is absent or of another length never matches.
    pub(crate) fn push(&mut self, packed: Option<&[u8]>) {
        let numbers = packed.and_then(|packed| packed.split_at_checked(SCALE));
        let length = numbers.map_or(0, |(_, numbers)| numbers.len());
        if self.length == 0 && length > 0 {
            self.length = length;
            self.bytes.resize(self.scales.len() * length, 0);
        }
        let scale = match numbers {
            Some((scale, numbers)) if length == self.length => {
                self.bytes.extend(numbers.iter().map(|byte| *byte as i8));
                scale.try_into().map_or(0.0, f32::from_le_bytes)
            }
            _ => {
                self.bytes.resize(self.bytes.len() + self.length, 0);
                0.0
            }
        };
        self.scales.push(scale);
    }

    /// Removes a row by moving the last one into its place.
    pub(crate) fn swap_remove(&mut self, row: usize) {
        self.scales.swap_remove(row);
        let (last, length) = (self.scales.len() * self.length, self.length);
        self.bytes.copy_within(last..last + length, row * length);
        self.bytes.truncate(last);
    }

    /// The `count` nearest rows that `admits` lets through, nearest first.
    pub(crate) fn nearest(
        &self,
        query: &[f32],
        count: usize,
        admits: impl Fn(usize) -> bool,
    ) -> Vec<usize> {
        if self.length == 0 || query.len() != self.length {
            return Vec::new();
        }
        let query: Vec<i8> = pack(query)[SCALE..].iter().map(|b| *b as i8).collect();
        // The worst of the best on top; a float that is never negative zero or NaN sorts like its bits.
        let mut best: BinaryHeap<(std::cmp::Reverse<i64>, usize)> = BinaryHeap::new();
        for (row, (numbers, scale)) in self
            .bytes
            .chunks_exact(self.length)
            .zip(&self.scales)
            .enumerate()
        {
            if *scale > 0.0 && admits(row) {
                let score = dot(&query, numbers) as f32 * scale * 1e6;
                best.push((std::cmp::Reverse(score as i64), row));
                if best.len() > count {
                    best.pop();
                }
            }
        }
        best.into_sorted_vec().into_iter().map(|(_, r)| r).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_vectors_come_first_and_removed_ones_never() {
        let mut vectors = Vectors::default();
        vectors.push(None);
        for vector in [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]] {
            vectors.push(Some(&pack(&vector)));
        }
        assert_eq!(vectors.nearest(&[1.0, 0.1], 2, |_| true), [1, 2]);
        vectors.swap_remove(1);
        assert_eq!(vectors.nearest(&[1.0, 0.1], 9, |_| true), [2, 1]);
        assert_eq!(vectors.nearest(&[1.0, 0.1], 9, |row| row == 1), [1]);
        assert!(vectors.nearest(&[1.0], 9, |_| true).is_empty());
    }
}
