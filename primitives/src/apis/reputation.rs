//! Reputation, influence and the evidence behind them. Every answer holds what is needed to redo its arithmetic.

use crate::{
    Moment, NodeId,
    apis::TopicId,
    evidence::{GroupWeight, Offence, RingEntry, Standing},
    fixed::Fixed,
    independence::{self, Correlation, Origin},
    influence::{self, Candidate, Electorate, Eligibility},
    reputation::{self, Account, Fold, Knobs, Penalty, Safety},
    watch::{Drift, Gap},
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// A confirmed offence of a group.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OffenceRecord {
    /// When it was confirmed.
    pub at: Moment,
    /// The node that committed it.
    pub node: NodeId,
    /// The topic on which it did.
    pub topic: TopicId,
    /// What it was.
    pub offence: Offence,
    /// `S` right afterwards.
    pub safety: Fixed,
    /// What it cost of the node's bond, in the chain's smallest unit.
    pub slashed: u128,
}

/// An operator group: its safety factor and its past, which stay when it leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GroupInfo {
    /// Members that count as this group.
    pub members: Vec<NodeId>,
    /// `S` when it was last changed.
    pub safety: Safety,
    /// `S` now.
    pub safety_now: Fixed,
    /// The group's smallest bond.
    pub bond: u128,
    /// Last offences, oldest first.
    pub offences: Vec<OffenceRecord>,
}

/// One topic of a node's reputation vector.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TopicStanding {
    /// The topic.
    pub topic: TopicId,
    /// What the node has shown there.
    pub standing: Standing,
    /// Whether it has influence there.
    pub eligibility: Eligibility,
}

/// How a node's number on a topic came about.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Explanation {
    /// The node.
    pub node: NodeId,
    /// Its operator group.
    pub group: NodeId,
    /// The topic.
    pub topic: TopicId,
    /// The chain's time.
    pub now: Moment,
    /// Parameters in force on the topic.
    pub knobs: Knobs,
    /// What the chain keeps, as of its last update.
    pub account: Account,
    /// What is left of it now: `2^(-elapsed/T_half)`.
    pub factor: Fixed,
    /// The group's `S` when it was last changed.
    pub safety: Safety,
    /// The group's smallest bond.
    pub bond: u128,
    /// What the chain makes of these.
    pub standing: Standing,
    /// Whether the node has influence.
    pub eligibility: Eligibility,
    /// What its group weighs; `None` when another node stands for the group, the group has no influence, or there is no
    /// electorate.
    pub weight: Option<GroupWeight>,
}

impl Explanation {
    /// The standing, computed again from the other fields. Equal to the chain's to the last digit.
    pub fn redo(&self) -> Standing {
        let safety = self.safety.now(self.now, self.knobs.recovery);
        reputation::standing(&self.account, safety, self.bond, self.now, &self.knobs)
    }
}

/// One node of a ranking.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RankingRow {
    /// The node.
    pub node: NodeId,
    /// Its operator group.
    pub group: NodeId,
    /// What it has shown.
    pub standing: Standing,
    /// Whether it has influence.
    pub eligibility: Eligibility,
    /// `w` of its group if it stands for the group, otherwise 0.
    pub weight: Fixed,
}

/// A topic's nodes by reputation, and how its votes are shared out.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Ranking {
    /// The topic.
    pub topic: TopicId,
    /// The chain's time.
    pub now: Moment,
    /// Parameters in force on the topic.
    pub knobs: Knobs,
    /// Bar, cap, threshold and the groups' weights.
    pub electorate: Electorate,
    /// Active nodes with evidence, by reputation, highest first.
    pub rows: Vec<RankingRow>,
}

impl Ranking {
    /// The electorate, computed again from the rows. Equal to the chain's to the last digit.
    pub fn redo(&self) -> Electorate {
        let candidates: Vec<_> = self
            .rows
            .iter()
            .map(|row| Candidate {
                group: row.group.clone(),
                node: row.node.clone(),
                standing: row.standing.clone(),
            })
            .collect();
        influence::electorate(&candidates, self.electorate.bar.null_rate, &self.knobs)
    }
}

/// One place of the leaderboard.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Leader {
    /// The topic.
    pub topic: TopicId,
    /// Place on the topic, from 1.
    pub place: u32,
    /// The node.
    pub node: NodeId,
    /// `R`.
    pub reputation: Fixed,
    /// `w` of its group if it stands for the group, otherwise 0.
    pub weight: Fixed,
}

/// Most nodes whose correlations are shown.
pub const MAX_CORRELATED: u32 = 100;

/// The correlation of two nodes, by their places among the nodes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PairCorrelation {
    /// Place of the one.
    pub one: u32,
    /// Place of the other, above `one`.
    pub other: u32,
    /// How far they err alike.
    pub correlation: Correlation,
}

/// How far the nodes of a topic err alike.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Correlations {
    /// The topic.
    pub topic: TopicId,
    /// The chain's time.
    pub now: Moment,
    /// Milliseconds after which a shared canary counts half.
    pub half_life: u64,
    /// Nodes that serve the topic and have answered shared canaries, by id, at most [`MAX_CORRELATED`].
    pub nodes: Vec<(NodeId, Origin)>,
    /// Every two of them, in order.
    pub pairs: Vec<PairCorrelation>,
}

impl Correlations {
    /// `rho` of the nodes at these places; 0 of places that are none.
    pub fn rho(&self, one: usize, other: usize) -> Fixed {
        let (one, other) = (one.min(other) as u32, one.max(other) as u32);
        if one == other {
            return Fixed::ONE;
        }
        self.pairs
            .binary_search_by_key(&(one, other), |pair| (pair.one, pair.other))
            .ok()
            .and_then(|place| self.pairs.get(place))
            .map_or(Fixed::ZERO, |pair| pair.correlation.rho)
    }

    /// `n_eff`: for how many independent nodes all of them count.
    pub fn effective(&self) -> Fixed {
        independence::effective_number(self.nodes.len(), |i, j| self.rho(i, j))
    }
}

/// What is watched of a node on a topic.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Watched {
    /// The topic.
    pub topic: TopicId,
    /// The node.
    pub node: NodeId,
    /// Chance that a watch ever flags a node that did nothing.
    pub alpha: Fixed,
    /// Whether it became worse.
    pub drift: Drift,
    /// Whether it is better at public canaries.
    pub gap: Gap,
}

sp_api::decl_runtime_apis! {
    /// Reputation and influence.
    pub trait ReputationApi {
        /// What the node has shown on every topic with evidence, by topic.
        fn vector(node: NodeId) -> Vec<TopicStanding>;
        /// Nodes of the topic by reputation, with the groups' weights and every intermediate.
        fn ranking(topic: TopicId) -> Ranking;
        /// How the node's number on the topic came about; `None` of an unknown node.
        fn explain(node: NodeId, topic: TopicId) -> Option<Explanation>;
        /// The last folds of evidence, oldest first.
        fn history(node: NodeId, topic: TopicId) -> Vec<Fold>;
        /// The node's last answers to shared instances, oldest first: what correlations are computed from.
        fn ring(node: NodeId, topic: TopicId) -> Vec<RingEntry>;
        /// How far the nodes of the topic err alike, with everything it is made of.
        fn correlations(topic: TopicId) -> Correlations;
        /// What is watched of the nodes of the topic, by node.
        fn watched(topic: TopicId) -> Vec<Watched>;
        /// The first `places` nodes of every topic.
        fn leaderboard(places: u32) -> Vec<Leader>;
        /// The group to which the member counts.
        fn group(member: NodeId) -> GroupInfo;
        /// Parameters in force on the topic.
        fn knobs(topic: TopicId) -> Knobs;
        /// What each offence costs.
        fn penalties() -> Vec<(Offence, Penalty)>;
    }
}
