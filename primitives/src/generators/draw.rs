//! Numbers drawn from a seed.

use crate::{H256, tagged_hash};
use alloc::vec::Vec;

/// A stream of numbers that depends on nothing but family, level and seed: Blake2b-256 of a counter, four numbers a hash.
pub struct Draw {
    key: H256,
    block: H256,
    counter: u64,
}

impl Draw {
    /// The stream of a family, level and seed.
    pub fn new(family: &H256, level: u8, seed: &H256) -> Self {
        Self {
            key: tagged_hash(
                "touchstone/task/1",
                &[family.as_bytes(), &[level], seed.as_bytes()],
            ),
            block: H256::zero(),
            counter: 0,
        }
    }

    fn next(&mut self) -> u64 {
        let place = (self.counter % 4) as usize;
        if place == 0 {
            self.block = tagged_hash(
                "touchstone/task/draw/1",
                &[self.key.as_bytes(), &self.counter.to_le_bytes()],
            );
        }
        self.counter = self.counter.saturating_add(1);
        let start = place.saturating_mul(8);
        self.block
            .as_bytes()
            .get(start..start.saturating_add(8))
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u64::from_le_bytes)
    }

    /// A number below `bound` (0 for a bound of 0). The bias is below `bound` / 2^64.
    pub fn below(&mut self, bound: u32) -> u32 {
        let wide = u128::from(self.next()).saturating_mul(u128::from(bound));
        u32::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub fn from_to(&mut self, low: u32, high: u32) -> u32 {
        let span = high.saturating_sub(low).saturating_add(1);
        low.saturating_add(self.below(span))
    }

    /// One of the items.
    pub fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> Option<&'a T> {
        let place = self.below(items.len() as u32);
        items.get(place as usize).copied()
    }

    /// One of the words, empty when there are none.
    pub fn word<'a>(&mut self, words: &[&'a str]) -> &'a str {
        self.pick(words).unwrap_or_default()
    }

    /// `count` different items, in drawn order (all of them when there are fewer).
    pub fn some<T: Copy>(&mut self, items: &[T], count: usize) -> Vec<T> {
        let mut left = items.to_vec();
        let mut drawn = Vec::with_capacity(count);
        while drawn.len() < count && !left.is_empty() {
            let place = self.below(left.len() as u32) as usize;
            drawn.push(left.remove(place));
        }
        drawn
    }

    /// `count` different numbers from `low` to `high`, in drawn order. The range must hold many more than `count`.
    pub fn numbers(&mut self, low: u32, high: u32, count: usize) -> Vec<u32> {
        let mut drawn = Vec::with_capacity(count);
        // A hundred tries for each number: the chance to run out of them is nil for the ranges in use.
        for _ in 0..count.saturating_mul(100) {
            let number = self.from_to(low, high);
            if !drawn.contains(&number) {
                drawn.push(number);
            }
            if drawn.len() == count {
                break;
            }
        }
        drawn
    }
}
