//! What the registry stores.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::sr25519;
use touchstone_primitives::{
    H256, NodeId,
    apis::ModelStatus,
    model::ModelRecord,
    provenance::{Class, Policy, Text, Tier},
    worker::WorkerId,
};

/// A topic: what it is called, how sensitive it is, how its answers are verified, which models it admits.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub struct TopicRecord {
    /// Unique name, UTF-8.
    pub name: Text,
    /// Trust tier.
    pub tier: Tier,
    /// Verification class.
    pub class: Class,
    /// Admitted provenance.
    pub policy: Policy,
}

/// A registered base or adapter.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Model {
    /// What the producer declared.
    pub record: ModelRecord,
    /// Node that produced it.
    pub producer: NodeId,
    /// The producer's signature over the record. Models of the genesis block have none: the chain itself vouches for them.
    pub seal: Option<Seal>,
    /// Where it stands.
    pub status: ModelStatus,
}

/// Signature of a producer's worker key over [`touchstone_primitives::model::declaration`].
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Seal {
    /// Worker key of the producer at registration.
    pub key: WorkerId,
    /// Its signature.
    pub signature: sr25519::Signature,
}

/// The champion of a topic on one base.
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
pub struct Champion {
    /// The base.
    pub base: H256,
    /// The adapter.
    pub adapter: H256,
}

/// How many adapters are built on a base.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct BaseUse {
    /// Registered adapters, whatever their status.
    pub adapters: u32,
    /// Those of them that are champions.
    pub champions: u32,
}

/// A base, with or without an adapter, that a node serves.
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
pub struct Served {
    /// The base.
    pub base: H256,
    /// The adapter, if any.
    pub adapter: Option<H256>,
    /// Requests that the node answers at the same time.
    pub capacity: u32,
}
