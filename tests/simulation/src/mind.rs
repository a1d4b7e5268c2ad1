//! Who takes part, and how often it is right.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use touchstone_primitives::NodeId;

/// What a node is asked.
pub struct Asked {
    /// Day of the year.
    pub day: u32,
    /// Place of the family in the topic.
    pub family: usize,
    /// Level, 1 to 5.
    pub level: u8,
    /// Chance to be right without reading the task.
    pub guess: f64,
    /// Chance to be right if the node does its best.
    pub best: f64,
}

/// What a model is good at: its chance to be right, where one of its skill that is equally good at everything has `best`.
pub type Talent = fn(&Asked) -> f64;

/// How a node behaves: its chance to be right at what it is asked, `None` while it does not serve.
pub type Conduct = fn(&Asked) -> Option<f64>;

/// Always does its best.
pub fn honest(asked: &Asked) -> Option<f64> {
    Some(asked.best)
}

/// The chance of a model of this skill: even between guessing and certainty where the level is as hard as the skill is high.
fn best(skill: f64, level: u8, guess: f64) -> f64 {
    let hardness = f64::from(level) - 3.0;
    guess + (1.0 - guess) / (1.0 + (hardness - skill).exp())
}

/// A node.
#[derive(Clone)]
pub struct Node {
    /// What its model can do on each topic, on the scale of levels: 0 is half of what level 3 asks beyond guessing.
    pub skill: Vec<f64>,
    /// What it is good at.
    pub talent: Talent,
    /// How it behaves.
    pub conduct: Conduct,
}

/// An operator: a member of the consortium with its nodes.
#[derive(Clone)]
pub struct Operator {
    /// Bond in the chain's smallest unit.
    pub bond: u128,
    /// Its nodes.
    pub nodes: Vec<Node>,
}

impl Node {
    /// What it is asked, with what it can do.
    pub fn ask(&self, topic: usize, day: u32, family: usize, level: u8, guess: f64) -> Asked {
        let even = Asked {
            day,
            family,
            level,
            guess,
            best: best(self.skill[topic], level, guess),
        };
        Asked {
            best: (self.talent)(&even),
            ..even
        }
    }
}

impl Operator {
    /// One with this many nodes of the same skill on every topic.
    pub fn with(nodes: usize, skill: f64, conduct: Conduct) -> Self {
        let node = Node {
            skill: vec![skill; 3],
            talent: |asked| asked.best,
            conduct,
        };
        Self {
            bond: BOND,
            nodes: vec![node; nodes],
        }
    }

    /// The same with models of this talent.
    pub fn talented(mut self, talent: Talent) -> Self {
        self.nodes.iter_mut().for_each(|node| node.talent = talent);
        self
    }
}

/// What everybody bonds unless it is said otherwise: the bond of a validator.
pub const BOND: u128 = 1_000_000_000_000_000;

/// Honest operators with one to six nodes each, skills from -1 to 2 on each of three topics, and nodes a little apart.
pub fn consortium(seed: u64, operators: usize) -> Vec<Operator> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    (0..operators)
        .map(|_| {
            let skill: [f64; 3] = std::array::from_fn(|_| dice.gen_range(-1.0..2.0));
            let nodes = dice.gen_range(1..=6);
            let node = |dice: &mut ChaCha8Rng| Node {
                skill: skill.map(|s| s + dice.gen_range(-0.3..0.3)).into(),
                talent: |asked| asked.best,
                conduct: honest,
            };
            Operator {
                bond: BOND,
                nodes: (0..nodes).map(|_| node(&mut dice)).collect(),
            }
        })
        .collect()
}

/// The name of an operator, or of one of its nodes.
pub fn name(operator: usize, node: Option<usize>) -> NodeId {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&(operator as u64).to_be_bytes());
    bytes[8..16].copy_from_slice(&node.map_or(0, |node| node as u64 + 1).to_be_bytes());
    bytes.into()
}

/// The operator behind a name.
pub fn operator(name: &NodeId) -> usize {
    let bytes: &[u8; 32] = name.as_ref();
    bytes[..8]
        .iter()
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}
