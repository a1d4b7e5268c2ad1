//! Exact search among vectors of length 1, kept as bytes with one scale each: a quarter of the memory of floats, and four times as
//! many numbers per instruction.

use std::collections::BinaryHeap;

const SCALE: usize = 4;

/// Largest scale of a vector of length 1, in which no number is larger than 1.
const LARGEST: f32 = 1.001 / 127.0;

/// The scale of a packed vector; nothing if it is none of a vector of length 1, so that no sender can put one before all others.
pub(crate) fn scale(packed: &[u8]) -> Option<f32> {
    let scale = packed.first_chunk().copied().map(f32::from_le_bytes);
    scale.filter(|scale| *scale > 0.0 && *scale <= LARGEST)
}

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
            Some((_, numbers)) if length == self.length => {
                self.bytes.extend(numbers.iter().map(|byte| *byte as i8));
                packed.and_then(scale).unwrap_or(0.0)
            }
            _ => {
                self.bytes.resize(self.bytes.len() + self.length, 0);
                0.0
            }
        };
        self.scales.push(scale);
    }

    /// Gives a row a vector; one of another length is left out.
    pub(crate) fn set(&mut self, row: usize, packed: &[u8]) {
        let last = self.scales.len();
        self.push(Some(packed));
        if row < last {
            self.swap_remove(row);
        }
    }

    /// Whether nine of ten rows have a vector.
    pub(crate) fn is_nearly_complete(&self) -> bool {
        let present = self.scales.iter().filter(|scale| **scale > 0.0).count();
        present * 10 >= self.scales.len() * 9
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
        // The worst of the best on top.
        let mut best: BinaryHeap<(std::cmp::Reverse<i64>, usize)> = BinaryHeap::new();
        for (row, (numbers, scale)) in self
            .bytes
            .chunks_exact(self.length)
            .zip(&self.scales)
            .enumerate()
        {
            if *scale <= 0.0 || !admits(row) {
                continue;
            }
            let score = (dot(&query, numbers) as f32 * scale * 1e6) as i64;
            if best.len() == count {
                // Nearly all rows end here, so that the heap is rarely touched.
                if best
                    .peek()
                    .is_none_or(|(std::cmp::Reverse(worst), _)| score <= *worst)
                {
                    continue;
                }
                best.pop();
            }
            best.push((std::cmp::Reverse(score), row));
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
        vectors.push(Some(
            &[f32::INFINITY.to_le_bytes().as_slice(), &[127; 2]].concat(),
        ));
        vectors.swap_remove(0);
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
