//! Synthetic fragments and queries; the same in every run.

use rand::{Rng, SeedableRng, rngs::StdRng};

/// Length of MiniLM's vectors.
pub const DIMENSIONS: usize = 384;
/// Topics that vectors lie around, as embeddings of texts do.
const TOPICS: usize = 500;

/// Makes the fragments one after the other, so that a million of them need not be in memory.
pub struct Corpus {
    pub count: usize,
    topics: Vec<Vec<f32>>,
}

/// Words by a law like Zipf's, so that lists of the full-text index are as uneven as those of real texts.
pub fn word(random: &mut StdRng) -> String {
    let rank = (random.r#gen::<f64>() * 11.0).exp() as u64;
    format!("w{rank}")
}

fn unit(vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.into_iter().map(|x| x / length).collect()
}

fn noise(random: &mut StdRng) -> Vec<f32> {
    unit(
        (0..DIMENSIONS)
            .map(|_| random.r#gen::<f32>() - 0.5)
            .collect(),
    )
}

impl Corpus {
    pub fn new(count: usize) -> Self {
        let mut random = StdRng::seed_from_u64(1);
        let topics = (0..TOPICS).map(|_| noise(&mut random)).collect();
        Self { count, topics }
    }

    /// Text and vector of fragment number `at`.
    pub fn fragment(&self, at: usize) -> (String, Vec<f32>) {
        let mut random = StdRng::seed_from_u64(at as u64 + 1_000);
        let words: Vec<_> = (0..80).map(|_| word(&mut random)).collect();
        (words.join(" "), self.vector(&mut random))
    }

    /// A vector near one of the topics.
    pub fn vector(&self, random: &mut StdRng) -> Vec<f32> {
        let topic = &self.topics[random.gen_range(0..TOPICS)];
        let noise = noise(random);
        unit(topic.iter().zip(noise).map(|(t, n)| t + n * 0.8).collect())
    }
}
