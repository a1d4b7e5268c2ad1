//! Examples side by side. What all of them begin with, as the chat template's own words, is computed once.

use super::data::Example;
use std::ops::Range;

/// A place whose next token is learned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Aim {
    pub(crate) row: usize,
    pub(crate) token: u32,
    /// Its part of the step's loss.
    pub(crate) weight: f32,
}

/// Tokens to run through the model together, those of one example after those of the one before.
pub(crate) struct Batch {
    pub(crate) tokens: Vec<u32>,
    pub(crate) positions: Vec<usize>,
    pub(crate) aims: Vec<Aim>,
    /// How many rows, from the first on, belong to all examples.
    trunk: usize,
    /// Rows of the example that a row belongs to.
    own: Vec<Range<usize>>,
    /// For each row, how many rows are seen by those before it.
    weights: Vec<usize>,
}

/// The rows that a row sees: some of the trunk, and some of its own example.
#[derive(Clone)]
pub(crate) struct Seen {
    trunk: usize,
    own: Range<usize>,
}

impl Seen {
    pub(crate) fn len(&self) -> usize {
        self.trunk + self.own.len()
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = usize> {
        (0..self.trunk).chain(self.own.clone())
    }

    /// Which of them a row is.
    pub(crate) fn index(&self, row: usize) -> usize {
        match row < self.trunk {
            true => row,
            false => self.trunk + row - self.own.start,
        }
    }
}

impl Batch {
    /// Lays out examples. Every example weighs `weight`, however long its answer is.
    pub(crate) fn new(examples: &[&Example], weight: f32) -> Self {
        // The last token of a prompt foretells the first of the answer, so it stays with its example.
        let most = examples.iter().map(|e| e.first - 1).min().unwrap_or(0);
        let trunk = (0..most)
            .take_while(|n| {
                examples
                    .iter()
                    .all(|e| e.tokens[*n] == examples[0].tokens[*n])
            })
            .count();
        let mut batch = Self {
            tokens: examples
                .first()
                .map_or(vec![], |e| e.tokens[..trunk].into()),
            positions: (0..trunk).collect(),
            aims: Vec::new(),
            trunk,
            own: vec![0..trunk; trunk],
            weights: Vec::new(),
        };
        for example in examples {
            let start = batch.tokens.len();
            // Nothing follows on the last token.
            let last = example.tokens.len() - 1;
            let each = weight / (last + 1 - example.first) as f32;
            batch.tokens.extend(&example.tokens[trunk..last]);
            batch.positions.extend(trunk..last);
            batch
                .own
                .resize(batch.tokens.len(), start..start + last - trunk);
            batch.aims.extend((example.first..=last).map(|n| Aim {
                row: start + n - 1 - trunk,
                token: example.tokens[n],
                weight: each,
            }));
        }
        let mut before = 0;
        for row in 0..=batch.tokens.len() {
            batch.weights.push(before);
            if row < batch.tokens.len() {
                before += batch.seen(row).len();
            }
        }
        batch
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// What a row attends to.
    pub(crate) fn seen(&self, row: usize) -> Seen {
        match row < self.trunk {
            true => Seen {
                trunk: row + 1,
                own: 0..0,
            },
            false => Seen {
                trunk: self.trunk,
                own: self.own[row].start..row + 1,
            },
        }
    }

    /// The rows that attend to a row.
    pub(crate) fn seen_by(&self, row: usize) -> Range<usize> {
        match row < self.trunk {
            true => row..self.len(),
            false => row..self.own[row].end,
        }
    }

    /// How many pairs of rows that see each other come before those of `row`; with the number of rows, how many there are.
    pub(crate) fn weights_at(&self, row: usize) -> usize {
        self.weights[row]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_examples_share_is_one_trunk_and_rows_see_what_comes_before_them() {
        let example = |tokens: &[u32], first| Example {
            tokens: tokens.into(),
            first,
        };
        let (a, b) = (
            example(&[1, 2, 3, 4, 5], 3),
            example(&[1, 2, 9, 7, 8, 6], 4),
        );
        let batch = Batch::new(&[&a, &b], 0.5);
        assert_eq!(batch.tokens, [1, 2, 3, 4, 9, 7, 8]);
        assert_eq!(batch.positions, [0, 1, 2, 3, 2, 3, 4]);
        let aims: Vec<_> = batch
            .aims
            .iter()
            .map(|a| (a.row, a.token, a.weight))
            .collect();
        assert_eq!(
            aims,
            [(2, 4, 0.25), (3, 5, 0.25), (5, 8, 0.25), (6, 6, 0.25)]
        );
        for row in 0..batch.len() {
            let seen = batch.seen(row);
            assert_eq!(seen.rows().count(), seen.len());
            for (n, other) in seen.rows().enumerate() {
                assert!(batch.seen_by(other).contains(&row) && seen.index(other) == n);
            }
            let observers = (0..batch.len()).filter(|o| batch.seen(*o).rows().any(|r| r == row));
            assert_eq!(
                observers.collect::<Vec<_>>(),
                batch.seen_by(row).collect::<Vec<_>>()
            );
        }
        assert_eq!(batch.seen(5).rows().collect::<Vec<_>>(), [0, 1, 4, 5]);
        assert_eq!(batch.weights_at(batch.len()), 1 + 2 + 3 + 4 + 3 + 4 + 5);
    }
}
