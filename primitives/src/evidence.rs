//! What pallets tell each other about evidence: duties that ended, offences, standings and weights (whitepaper 9.9).

use crate::{H256, Moment, NodeId, apis::TopicId, fixed::Fixed, independence::Origin};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Most entries of an outcome ring: the last shared canaries that a node answered on a topic.
pub const RING_LENGTH: u32 = 256;

/// One duty that ended with evidence.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Scored {
    /// What was posed. For a shared instance the same for every node that got it.
    pub duty: H256,
    /// Hash of the generator or of the checker's form, never the author's text.
    pub family: H256,
    /// Epoch of the round.
    pub epoch: u32,
    /// Effective difficulty, in (0, 1].
    pub difficulty: Fixed,
    /// What came of it, in [0, 1].
    pub outcome: Fixed,
    /// First 8 bytes of the hash of the canonical wrong answer; `None` when right or when there was no answer.
    pub wrong: Option<[u8; 8]>,
    /// How many wrong answers are plausible.
    pub options: u32,
    /// Whether the same instance was posed to all groups.
    pub shared: bool,
}

/// One entry of an outcome ring. Only shared instances enter it: only on those can two nodes agree.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RingEntry {
    /// First 8 bytes of [`Scored::duty`].
    pub duty: [u8; 8],
    /// When it was scored.
    pub at: Moment,
    /// Whether the answer was right (outcome of at least a half).
    pub right: bool,
    /// [`Scored::wrong`].
    pub wrong: Option<[u8; 8]>,
    /// [`Scored::options`].
    pub options: u32,
}

/// What lowers a group's safety factor `S`.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Offence {
    /// Answers became worse than those of peers on the same canaries, confirmed.
    Drift,
    /// Good at public canaries, bad at secret ones, confirmed.
    Goodhart,
    /// Agreed on wrong answers with others, confirmed.
    Collusion,
    /// An audit that was confirmed by other auditors failed.
    FailedAudit,
}

impl Offence {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Drift,
        Self::Goodhart,
        Self::Collusion,
        Self::FailedAudit,
    ];
}

/// What a node is worth on a topic, with everything its reputation is made of.
#[derive(
    Clone,
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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Standing {
    /// `N`: decayed mass of the evidence.
    pub evidence: Fixed,
    /// `P`: decayed mass of what was right, at most `N`.
    pub passed: Fixed,
    /// Epochs that gave evidence, counted once each.
    pub epochs: u32,
    /// `C_hat`: competence, drawn towards the prior while there is little evidence, in [0, 1].
    pub competence: Fixed,
    /// `N^gamma`.
    pub volume: Fixed,
    /// `g`: factor of the group's stake, in [1, g_max].
    pub stake: Fixed,
    /// `B = C_hat · N^gamma · g`, what influence is computed from.
    pub base: Fixed,
    /// `S`: the group's safety factor, in [0, 1].
    pub safety: Fixed,
    /// `R = B · S`, what people see.
    pub reputation: Fixed,
}

/// What an operator group weighs in votes and panels of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GroupWeight {
    /// The operator group: the member that runs the nodes.
    pub group: NodeId,
    /// Its best node on the topic; ties go to the lower id.
    pub node: NodeId,
    /// `B_G = C_hat · N^gamma · g` of that node, without `S`.
    pub base: Fixed,
    /// `u_G`: share after the clip. The shares of a topic sum to at most 1.
    pub share: Fixed,
    /// `S_G`.
    pub safety: Fixed,
    /// `w_G = S_G · u_G`. Not renormalised: what `S` takes away belongs to nobody.
    pub weight: Fixed,
}

/// Takes evidence. Implemented by the reputation pallet.
pub trait RecordEvidence {
    /// Folds duties of public rounds into `N`, `P` and the outcome ring.
    fn record(node: &NodeId, topic: TopicId, scored: &[Scored]);

    /// Folds duties of a blind audit by this member into `N`, `P` and the secret tally.
    fn record_secret(node: &NodeId, topic: TopicId, auditor: &NodeId, scored: &[Scored]);

    /// The node's outcome at an instance that other groups got too, and the mean of what peers of at least two other groups reached,
    /// both in [0, 1] with missing answers as 0. To be told after the duties of the instance are recorded.
    fn compare(node: &NodeId, topic: TopicId, own: Fixed, peers: Fixed);

    /// The node serves another model from now on: multiplies `N` and `P` by the governed factor.
    fn manifest_changed(node: &NodeId, topic: TopicId);

    /// A confirmed offence: multiplies `S` of the node's group.
    fn offence(node: &NodeId, topic: TopicId, offence: Offence);
}

impl RecordEvidence for () {
    fn record(_: &NodeId, _: TopicId, _: &[Scored]) {}
    fn record_secret(_: &NodeId, _: TopicId, _: &NodeId, _: &[Scored]) {}
    fn compare(_: &NodeId, _: TopicId, _: Fixed, _: Fixed) {}
    fn manifest_changed(_: &NodeId, _: TopicId) {}
    fn offence(_: &NodeId, _: TopicId, _: Offence) {}
}

/// Gives competence and influence. Implemented by the reputation pallet.
pub trait CompetenceOf {
    /// Where the node stands on the topic now.
    fn standing(node: &NodeId, topic: TopicId) -> Standing;

    /// Weights of the eligible groups of the topic, by id. Empty when fewer than three groups are eligible: there is no
    /// electorate then.
    fn weights(topic: TopicId) -> Vec<GroupWeight>;

    /// Whether the node has too little evidence on the topic to be judged, and so may get exploration slots.
    fn is_newcomer(node: &NodeId, topic: TopicId) -> bool;
}

impl CompetenceOf for () {
    fn standing(_: &NodeId, _: TopicId) -> Standing {
        Standing::default()
    }
    fn weights(_: TopicId) -> Vec<GroupWeight> {
        Vec::new()
    }
    fn is_newcomer(_: &NodeId, _: TopicId) -> bool {
        true
    }
}

/// Gives who serves what. Implemented by the canaries pallet.
pub trait ServingOf {
    /// Manifest hash of base and adapter with which the node serves the topic in the epoch.
    fn serves(node: &NodeId, topic: TopicId, epoch: u32) -> Option<H256>;

    /// Nodes that serve the topic in the epoch, by id.
    fn serving(topic: TopicId, epoch: u32) -> Vec<NodeId>;

    /// Topics that somebody serves or served.
    fn topics() -> Vec<TopicId>;
}

impl ServingOf for () {
    fn serves(_: &NodeId, _: TopicId, _: u32) -> Option<H256> {
        None
    }
    fn serving(_: TopicId, _: u32) -> Vec<NodeId> {
        Vec::new()
    }
    fn topics() -> Vec<TopicId> {
        Vec::new()
    }
}

/// Gives who runs a node and with which model. Implemented by the runtime, from what several pallets know.
pub trait OriginOf {
    /// Operator group and model with which the node serves the topic; `None` when it does not.
    fn origin(node: &NodeId, topic: TopicId) -> Option<Origin>;
}

impl OriginOf for () {
    fn origin(_: &NodeId, _: TopicId) -> Option<Origin> {
        None
    }
}

/// Gives what a node gets right without thinking. Implemented by the canaries pallet.
pub trait NullRateOf {
    /// `b_t`: pass rate on the topic of the null battery (empty, echo, constant and modal answers), in [0, 1].
    fn null_rate(topic: TopicId) -> Fixed;
}

impl NullRateOf for () {
    fn null_rate(_: TopicId) -> Fixed {
        Fixed::ZERO
    }
}

/// Gives what a group has at stake. Implemented by the consortium pallet.
pub trait BondOf {
    /// The smallest bond of this member's nodes, in the chain's smallest unit; 0 without nodes. What was added after a node was
    /// registered counts only once it has been locked for the whole unbonding delay.
    fn bond(member: &NodeId) -> u128;

    /// Takes this part of the node's bond for an offence; how much it was.
    fn slash(node: &NodeId, part: Fixed) -> u128;
}

impl BondOf for () {
    fn bond(_: &NodeId) -> u128 {
        0
    }
    fn slash(_: &NodeId, _: Fixed) -> u128 {
        0
    }
}

/// Is told that a node does its work. Implemented by the canaries pallet.
pub trait NoteActivity {
    /// The node answered something just now.
    fn active(node: &NodeId);
}

impl NoteActivity for () {
    fn active(_: &NodeId) {}
}

/// Gives which models may answer on a topic. Implemented by the registry pallet.
pub trait ModelsOf {
    /// Whether the topic exists.
    fn is_topic(topic: TopicId) -> bool;

    /// The topic's name, as queries have it, UTF-8; `None` if there is no such topic.
    fn topic_name(topic: TopicId) -> Option<Vec<u8>>;

    /// Whether queries on the topic may be answered by this base with this adapter (or none).
    fn may_serve(topic: TopicId, base: &H256, adapter: Option<&H256>) -> bool;

    /// Puts a topic and a base that may serve it into state.
    #[cfg(feature = "runtime-benchmarks")]
    fn create_for_benchmark(topic: TopicId) -> H256;
}
