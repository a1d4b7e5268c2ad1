//! What an adapter was made of: enough to make it again, bit by bit.

use super::TrainError;
use crate::adapter::{MAX_RANK, Target};
use serde::{Deserialize, Serialize};
use std::path::Path;
use touchstone_primitives::H256;

/// Version of the computation. It changes whenever the same inputs could give other bits.
pub(super) const TRAINER: &str = "touchstone-train/1";

/// How to train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Rank of the change of each matrix, 1..=256.
    pub rank: usize,
    /// The change is multiplied by `alpha / rank`.
    pub alpha: f64,
    /// Matrices that are changed, by PEFT's names: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj.
    pub targets: Vec<String>,
    /// Steps of the optimiser.
    pub steps: usize,
    /// Examples of a step.
    pub batch: usize,
    /// Highest learning rate; it rises to it in the first twentieth of the steps and then falls towards 0.
    pub learning_rate: f64,
    /// How much of each factor is forgotten in a step, multiplied by the learning rate.
    pub weight_decay: f64,
    /// What the first factors and the order of the examples are drawn from.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 16.0,
            targets: Target::ALL.map(|t| name(t).into()).into(),
            steps: 200,
            batch: 8,
            learning_rate: 5e-4,
            weight_decay: 0.0,
            seed: 0,
        }
    }
}

/// PEFT's name of a matrix.
fn name(target: Target) -> &'static str {
    let module = target.module();
    module.rsplit('.').next().unwrap_or(module)
}

impl Settings {
    /// Checks everything and returns the targets in the model's order.
    pub(super) fn check(&self) -> Result<Vec<Target>, TrainError> {
        let refuse = |what: String| Err(TrainError::Settings(what));
        if !(1..=MAX_RANK).contains(&self.rank) {
            return refuse(format!("rank {}: 1 to {MAX_RANK} is possible", self.rank));
        }
        for (name, count) in [("steps", self.steps), ("batch", self.batch)] {
            if !(1..=1_000_000).contains(&count) {
                return refuse(format!("{name} {count}: 1 to 1000000 is possible"));
            }
        }
        for (name, number) in [("alpha", self.alpha), ("learning rate", self.learning_rate)] {
            if !(number.is_finite() && number > 0.0) {
                return refuse(format!("{name} {number}: it must be above 0"));
            }
        }
        if !(0.0..=1.0).contains(&self.weight_decay) {
            return refuse(format!(
                "weight decay {}: 0 to 1 is possible",
                self.weight_decay
            ));
        }
        let known = |text: &String| Target::ALL.iter().any(|t| name(*t) == text);
        if let Some(unknown) = self.targets.iter().find(|text| !known(text)) {
            let all = Target::ALL.map(name).join(", ");
            return refuse(format!("target {unknown:?}: there are {all}"));
        }
        let chosen = |t: &Target| self.targets.iter().any(|text| name(*t) == text);
        let targets: Vec<Target> = Target::ALL.into_iter().filter(chosen).collect();
        match targets.is_empty() {
            true => refuse("no targets: name at least one matrix to change".into()),
            false => Ok(targets),
        }
    }
}

/// A file that went into an adapter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ingredient {
    /// What it is called.
    pub name: String,
    /// Its Blake2b-256.
    pub blake2: H256,
}

/// How an adapter came to be. The same base, data and settings on the same kind of machine give the same adapter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recipe {
    /// Version of the trainer.
    pub trainer: String,
    /// Version of the engine.
    pub engine: String,
    /// Processor family and the instructions that were used.
    pub cpu: String,
    /// The base model's file.
    pub base: Ingredient,
    /// The training data's file.
    pub data: Ingredient,
    /// Lines of the data.
    pub examples: usize,
    /// How it was trained.
    pub settings: Settings,
    /// Mean loss of the first and the last tenth of the steps, in nats per token.
    pub loss: [f32; 2],
    /// The adapter's content hash, as the engine and the registry know it.
    pub adapter: H256,
}

impl Recipe {
    /// What is in a recipe's file. It is written without a detour through `serde_json::Value`, whose numbers depend on the features
    /// of serde_json that other crates of a build switch on.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Reads a recipe's file.
    pub fn read(file: &Path) -> Result<Self, TrainError> {
        let bytes = std::fs::read(file).map_err(|e| TrainError::io(file, e))?;
        serde_json::from_slice(&bytes).map_err(|e| TrainError::Recipe {
            file: file.into(),
            found: e.to_string(),
        })
    }

    /// Checks that a base, data and this trainer are those of the recipe.
    pub(super) fn ensure(&self, base: H256, data: H256) -> Result<(), TrainError> {
        let differs = |what, wanted: String, found: String| {
            Err(TrainError::Differs {
                what,
                wanted,
                found,
            })
        };
        if self.trainer != TRAINER {
            return differs("trainer", self.trainer.clone(), TRAINER.into());
        }
        for (what, wanted, found) in [
            ("base", self.base.blake2, base),
            ("data", self.data.blake2, data),
        ] {
            if wanted != found {
                return differs(what, format!("{wanted:?}"), format!("{found:?}"));
            }
        }
        Ok(())
    }
}
