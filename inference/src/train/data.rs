//! Training data: one JSON object on each line, `{"prompt": "...", "completion": "..."}`.

use super::TrainError;
use crate::tokenizer::Tokenizer;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use serde::Deserialize;
use std::path::Path;
use touchstone_primitives::{
    H256,
    request::{Message, Role},
};

/// A line as it is written.
#[derive(Deserialize)]
struct Line {
    prompt: String,
    completion: String,
}

/// A prompt and its answer, in tokens.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Example {
    pub(crate) tokens: Vec<u32>,
    /// The first token of the answer; there is at least one before it.
    pub(crate) first: usize,
}

/// Everything in a file.
pub(crate) struct Data {
    pub(crate) examples: Vec<Example>,
    /// Blake2b-256 of the file.
    pub(crate) hash: H256,
}

impl Data {
    /// Reads a file and puts it into the model's chat template. Examples of more than `most` tokens are refused.
    pub(crate) fn read(
        file: &Path,
        tokenizer: &Tokenizer,
        most: usize,
    ) -> Result<Self, TrainError> {
        let bytes = std::fs::read(file).map_err(|e| TrainError::io(file, e))?;
        let mut examples = Vec::new();
        for (number, line) in bytes.split(|b| *b == b'\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let bad = |found: String| TrainError::Data {
                file: file.into(),
                line: number + 1,
                found,
            };
            let line: Line = serde_json::from_slice(line).map_err(|e| bad(e.to_string()))?;
            if line.prompt.is_empty() || line.completion.is_empty() {
                return Err(bad("an empty text".into()));
            }
            let message = Message {
                role: Role::User,
                content: line.prompt,
            };
            let mut tokens = tokenizer.prompt(&[message])?;
            let first = tokens.len();
            tokens.extend(tokenizer.answer(&line.completion)?);
            if first == 0 || tokens.len() > most {
                return Err(bad(format!(
                    "{} tokens with the chat template, where 2 to {most} are possible",
                    tokens.len()
                )));
            }
            examples.push(Example { tokens, first });
        }
        if examples.is_empty() {
            return Err(TrainError::Data {
                file: file.into(),
                line: 1,
                found: "no line at all".into(),
            });
        }
        Ok(Self {
            examples,
            hash: super::blake2(&bytes),
        })
    }

    /// The examples of a step, counted from 0. Each round through the data is shuffled anew, and depends on the seed only.
    pub(crate) fn step(&self, seed: u64, batch: usize, step: usize) -> Vec<&Example> {
        let count = self.examples.len();
        let mut round = None;
        (step * batch..(step + 1) * batch)
            .map(|n| {
                let (_, order) = match round.take() {
                    Some((known, order)) if known == n / count => round.insert((known, order)),
                    _ => round.insert((n / count, shuffled(count, seed, n / count))),
                };
                &self.examples[order[n % count]]
            })
            .collect()
    }
}

/// The numbers below `count` in an order drawn for a round.
fn shuffled(count: usize, seed: u64, round: usize) -> Vec<usize> {
    let mut draw = ChaCha8Rng::seed_from_u64(seed);
    draw.set_stream(round as u64 + 1);
    let mut order: Vec<usize> = (0..count).collect();
    for n in (1..count).rev() {
        order.swap(n, (draw.next_u64() % (n as u64 + 1)) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_holds_every_example_once_in_an_order_of_its_own() {
        let examples = (0..10).map(|n| Example {
            tokens: vec![n],
            first: 0,
        });
        let data = Data {
            examples: examples.collect(),
            hash: H256::zero(),
        };
        let drawn = |seed| -> Vec<u32> {
            let steps = (0..10).flat_map(|step| data.step(seed, 4, step));
            steps.map(|e| e.tokens[0]).collect()
        };
        for round in drawn(1).chunks_exact(10) {
            let mut sorted = round.to_vec();
            sorted.sort();
            assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        }
        assert_ne!(drawn(1)[..10], drawn(1)[10..20]);
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }
}
