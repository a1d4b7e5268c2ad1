//! What an operator sets.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Settings of the embedded engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EngineConfig {
    /// Models to serve; the first one is the default.
    pub models: Vec<ModelConfig>,
    /// Adapters on these models.
    pub adapters: Vec<AdapterConfig>,
    /// Memory for adapters, in MiB; those that were not used for longest make room for others.
    pub adapter_mib: u32,
    /// Memory for the beginnings of conversations, in MiB for each model; 0 turns this off.
    pub prefix_mib: u32,
    /// Threads that compute; by default one fewer than there are cores, so that authoring keeps one.
    pub threads: Option<usize>,
    /// Jobs that run at a time, for each model.
    pub slots: u32,
    /// Jobs that may wait, for each model.
    pub queue: u32,
    /// Model for sentence embeddings, if any.
    pub embedding: Option<OnnxConfig>,
    /// Models that classify texts.
    pub classifiers: Vec<ClassifierConfig>,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            adapters: Vec::new(),
            adapter_mib: 256,
            prefix_mib: 64,
            threads: None,
            slots: 4,
            queue: 32,
            embedding: None,
            classifiers: Vec::new(),
        }
    }
}

/// A model file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelConfig {
    /// Name for people and for the OpenAI door.
    pub name: String,
    /// The GGUF file.
    pub path: PathBuf,
    /// Blake2b-256 that the file must have, in hex.
    #[serde(default)]
    pub blake2: Option<String>,
    /// Most tokens of prompt and answer, if fewer than the model allows.
    #[serde(default)]
    pub context: Option<u32>,
}

/// A LoRA adapter in PEFT's layout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AdapterConfig {
    /// Its name; it is asked for as `BASE+NAME` in place of a model.
    pub name: String,
    /// Name of the model that it belongs to.
    pub base: String,
    /// Folder with `adapter_config.json` and `adapter_model.safetensors`.
    pub path: PathBuf,
    /// Hash that it must have, in hex.
    #[serde(default)]
    pub blake2: Option<String>,
}

impl AdapterConfig {
    /// What to ask for in place of a model: `BASE+NAME`.
    pub fn id(&self) -> String {
        format!("{}+{}", self.base, self.name)
    }
}

/// A text encoder in ONNX and what runs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OnnxConfig {
    /// The ONNX file.
    pub model: PathBuf,
    /// Its `tokenizer.json`.
    pub tokenizer: PathBuf,
    /// The ONNX Runtime library, `libonnxruntime.so`.
    pub runtime: PathBuf,
    /// What the runtime computes with.
    #[serde(default)]
    pub provider: OnnxProvider,
}

/// An execution provider of ONNX Runtime. One that this program or the library was built without is refused, never replaced in
/// silence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnnxProvider {
    /// The processor.
    #[default]
    Cpu,
    /// NVIDIA cards; needs the feature `cuda`.
    Cuda,
    /// AMD cards; needs the feature `rocm`.
    Rocm,
    /// AMD cards, through MIGraphX; needs the feature `rocm`.
    MiGraphX,
    /// Apple's processors; needs the feature `metal`.
    CoreMl,
}

/// A model that tells how well labels fit a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClassifierConfig {
    /// Name to ask for it.
    pub name: String,
    /// The model and what runs it.
    pub onnx: OnnxConfig,
    /// What its outputs mean, in their order.
    pub labels: Vec<String>,
    /// Whether several labels may fit one text; else their probabilities add up to 1.
    #[serde(default)]
    pub several: bool,
}

impl EngineConfig {
    /// Threads that compute.
    pub fn compute_threads(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        self.threads.unwrap_or(cores.saturating_sub(1)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operator_leaves_out_has_a_default_and_what_is_misspelt_is_refused() {
        let config: EngineConfig = serde_json::from_str(
            r#"{
				"models": [{ "name": "base", "path": "base.gguf" }],
				"adapters": [{ "name": "law", "base": "base", "path": "law" }],
				"adapterMib": 64,
				"slots": 2
			}"#,
        )
        .unwrap();
        assert_eq!(
            (config.slots, config.queue, config.adapter_mib),
            (2, 32, 64)
        );
        assert_eq!(
            (config.models[0].context, config.adapters[0].blake2.clone()),
            (None, None)
        );
        assert!(config.compute_threads() >= 1);
        assert!(serde_json::from_str::<EngineConfig>(r#"{ "slot": 2 }"#).is_err());

        let classifier: ClassifierConfig = serde_json::from_str(
            r#"{
				"name": "tone", "labels": ["good", "bad"],
				"onnx": { "model": "m.onnx", "tokenizer": "t.json", "runtime": "r.so", "provider": "migraphx" }
			}"#,
        )
        .unwrap();
        assert_eq!(classifier.onnx.provider, OnnxProvider::MiGraphX);
        assert!(!classifier.several);
    }
}
