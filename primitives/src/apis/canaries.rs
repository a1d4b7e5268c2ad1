//! Rounds, duties and who serves what.

use crate::{
    H256, NodeId,
    apis::TopicId,
    audit::{Audit, Target, VrfOutput},
    authored::Sealed,
    canary::{Commitments, End, RoundFacts},
    checkers::Checker,
    fixed::Fixed,
    reputation::Tally,
};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use scale_info::TypeInfo;

/// A topic's examination, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct CanaryTopicInfo {
    /// The topic.
    pub topic: TopicId,
    /// Names of the families that are drawn from, and their levels.
    pub families: Vec<(Vec<u8>, u8)>,
    /// Procedural duties of a node in a round.
    pub slots: u8,
    /// Most canaries of members in a round.
    pub authored: u8,
    /// Canaries of members that wait to be drawn.
    pub waiting: u32,
    /// `b_t`: average pass rate of answers that do not read the task.
    pub null_rate: Fixed,
}

/// A canary that a member wrote, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct CanaryInfo {
    /// Its number.
    pub id: u32,
    /// The member.
    pub author: NodeId,
    /// Topic that it is for.
    pub topic: TopicId,
    /// What was registered.
    pub sealed: Sealed,
    /// Round that drew it.
    pub round: Option<u32>,
    /// The task's text, once it is open.
    pub task: Option<Vec<u8>>,
    /// The encoded checker, once it is open.
    pub checker: Option<Vec<u8>>,
}

/// That a node serves a topic, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct EnrolmentInfo {
    /// The topic.
    pub topic: TopicId,
    /// The node.
    pub node: NodeId,
    /// Base that it serves with.
    pub base: H256,
    /// Adapter that it serves with, if any.
    pub adapter: Option<H256>,
    /// First epoch in which it has duties.
    pub from: u32,
    /// First epoch in which it has none any more, if it is leaving.
    pub until: Option<u32>,
}

/// A round, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct RoundInfo {
    /// What fixes it.
    pub facts: RoundFacts,
    /// Nodes with duties in it, by id.
    pub nodes: Vec<NodeId>,
    /// Whether its evidence is folded.
    pub settled: bool,
}

/// A duty of a node, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct DutyInfo {
    /// Its place in the node's commitments.
    pub slot: u8,
    /// Hash that names the instance.
    pub instance: H256,
    /// Whether every group gets it.
    pub shared: bool,
    /// Number of the member's canary, if it is one.
    pub canary: Option<u32>,
    /// Name of the family; empty for a member's canary.
    pub family: Vec<u8>,
    /// Level, 1..=5; 0 for a member's canary.
    pub level: u8,
    /// What pass rates are kept by; zero while that is sealed.
    pub stratum: H256,
    /// What the model is asked, UTF-8; empty while it is sealed.
    pub prompt: Vec<u8>,
    /// What decides about the answer; `None` while it is sealed.
    pub checker: Option<Checker>,
    /// The difficulty that it starts with.
    pub difficulty: Fixed,
    /// What it is worth to this node as things stand: the difficulty after what others pass and what needs no thought.
    pub worth: Fixed,
    /// How it ended, once the round is settled.
    pub end: Option<End>,
}

/// Pass rate of a family and level on a topic, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct FamilyInfo {
    /// Name of the family; empty for all families of the topic together.
    pub family: Vec<u8>,
    /// Level, 0 for all.
    pub level: u8,
    /// Answers and those that were right, decayed.
    pub tally: Tally,
}

sp_api::decl_runtime_apis! {
    /// Canaries: rounds, duties and enrolments.
    pub trait CanariesApi {
        /// The running epoch.
        fn epoch() -> u32;
        /// What topics are examined in.
        fn canary_topics() -> Vec<CanaryTopicInfo>;
        /// Who serves what.
        fn enrolments() -> Vec<EnrolmentInfo>;
        /// Rounds that are not settled, oldest first.
        fn rounds() -> Vec<RoundInfo>;
        /// A round, while it is kept.
        fn round(id: u32) -> Option<RoundInfo>;
        /// A canary of a member, while it waits or its round is kept.
        fn canary(id: u32) -> Option<CanaryInfo>;
        /// Canaries of members on a topic, by number.
        fn canaries(topic: TopicId) -> Vec<CanaryInfo>;
        /// Duties of a node in a round.
        fn duties(round: u32, node: NodeId) -> Vec<DutyInfo>;
        /// What a node committed to in a round.
        fn commitments(round: u32, node: NodeId) -> Option<Commitments>;
        /// Slots that a node has revealed in a round.
        fn revealed(round: u32, node: NodeId) -> Vec<u8>;
        /// Blind audits of an epoch, by auditor; kept for a few epochs.
        fn audits(epoch: u32) -> Vec<(NodeId, Audit)>;
        /// Whether the node may declare a blind audit now.
        fn may_declare_audit(auditor: NodeId) -> bool;
        /// What the auditor asks in this epoch if this is its output; nothing before the round is open.
        fn audit_targets(auditor: NodeId, epoch: u32, output: VrfOutput) -> Vec<Target>;
        /// Pass rates on a topic.
        fn family_rates(topic: TopicId) -> Vec<FamilyInfo>;
    }
}
