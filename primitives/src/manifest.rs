//! What exactly produced an answer. A receipt carries the hash of its manifest, and reputation is earned by a manifest.

use crate::{H256, tagged_hash};
use alloc::string::String;
use codec::{Decode, Encode};

/// Everything that decides which tokens come out for a prompt and a sampler key.
///
/// Precisions are named after what really ran, not after what the file holds: an engine that requantises at load says so.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Manifest {
    /// Blake2b-256 of the base model's canonical file.
    pub base: H256,
    /// Blake2b-256 of the adapter's canonical file, if one is applied.
    pub adapter: Option<H256>,
    /// Engine and version, for example `touchstone-cpu/1`.
    pub engine: String,
    /// Precision of the weights as computed with, for example `q4_1`.
    pub weight_dtype: String,
    /// Precision of the key-value cache, for example `f32`.
    pub cache_dtype: String,
    /// Hash of the tokenizer: vocabulary, merges and special tokens.
    pub tokenizer: H256,
    /// Hash of the chat template.
    pub chat_template: H256,
    /// Which sampler turns logits into tokens, for example `argmax/1`.
    pub sampler: String,
    /// Most tokens of prompt and answer together.
    pub context: u32,
}

impl Manifest {
    /// The hash that receipts and registries refer to.
    pub fn hash(&self) -> H256 {
        tagged_hash("touchstone/manifest/1", &[&self.encode()])
    }
}
