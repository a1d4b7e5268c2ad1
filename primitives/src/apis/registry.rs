//! Topics, models and who serves them.

use crate::{
    AccountId32, H256, NodeId,
    provenance::{Class, Policy, Provenance, Tier},
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Number of a topic.
pub type TopicId = u32;

/// Where a model stands on its topic.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ModelStatus {
    /// Serves.
    Champion,
    /// Proposed, not adopted.
    Candidate,
    /// Former champion that is kept ready.
    Warm,
    /// Does not serve any more.
    Retired,
}

/// File format of a model.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum ModelFormat {
    /// GGUF file.
    Gguf,
    /// Safetensors file.
    Safetensors,
    /// ONNX file.
    Onnx,
}

/// A topic, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct TopicInfo {
    /// Number.
    pub id: TopicId,
    /// Unique name, UTF-8.
    pub name: Vec<u8>,
    /// Trust tier.
    pub tier: Tier,
    /// Verification class.
    pub class: Class,
    /// Admitted provenance.
    pub policy: Policy,
}

/// A base or adapter, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct ModelInfo {
    /// Blake2b-256 of the canonical file: the model's id.
    pub hash: H256,
    /// Name for people, UTF-8.
    pub name: Vec<u8>,
    /// Size of the file in bytes.
    pub size: u64,
    /// Format of the file.
    pub format: ModelFormat,
    /// Base that an adapter applies to; `None` for bases.
    pub base: Option<H256>,
    /// Topic of an adapter; `None` for bases.
    pub topic: Option<TopicId>,
    /// SPDX expression of the licence.
    pub licence: Vec<u8>,
    /// Hash of the training recipe, if one is published.
    pub recipe: Option<H256>,
    /// Where it comes from.
    pub provenance: Provenance,
    /// Node or member account that registered and signed it.
    pub producer: AccountId32,
    /// Where it stands.
    pub status: ModelStatus,
}

/// That a node serves a base, with or without an adapter.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct ServingInfo {
    /// The node.
    pub node: NodeId,
    /// Base it has loaded.
    pub base: H256,
    /// Adapter it applies, if any.
    pub adapter: Option<H256>,
    /// Requests it answers at the same time.
    pub capacity: u32,
}

sp_api::decl_runtime_apis! {
    /// Topics, bases, adapters and who serves them.
    pub trait RegistryApi {
        /// All topics.
        fn topics() -> Vec<TopicInfo>;
        /// All bases and adapters.
        fn models() -> Vec<ModelInfo>;
        /// Who serves what.
        fn serving() -> Vec<ServingInfo>;
    }
}
