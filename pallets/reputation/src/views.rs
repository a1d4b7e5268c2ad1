//! What other pallets and the runtime API read.

use crate::{Accounts, Config, Drifts, Gaps, Groups, History, Pallet, Rings, types::NodeAccount};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use frame_support::traits::Get;
use touchstone_primitives::{
    NodeId,
    apis::{
        Correlations, Explanation, GroupInfo, Leader, MAX_CORRELATED, PairCorrelation, Ranking,
        RankingRow, TopicId, TopicStanding, Watched,
    },
    consortium::NodeStatus,
    evidence::{CompetenceOf, GroupWeight, NullRateOf, Offence, OriginOf, RingEntry, Standing},
    fixed::{Fixed, decay},
    independence,
    influence::{self, Bar, Candidate, Electorate},
    reputation::{self, Fold, Penalty},
    traits::MembershipOf,
};

impl<T: Config> CompetenceOf for Pallet<T> {
    fn standing(node: &NodeId, topic: TopicId) -> Standing {
        let Some(member) = Self::member_of(node, topic) else {
            return Standing::default();
        };
        let group = Self::group_of(&member);
        let (safety, bond) = (Self::safety_of(&group), Self::bond_of(&group));
        let (account, knobs) = (
            Self::account_of(node, topic, &member),
            Self::knobs_of(topic),
        );
        reputation::standing(&account, safety, bond, Self::now(), &knobs)
    }

    fn weights(topic: TopicId) -> Vec<GroupWeight> {
        Self::electorate(topic).weights
    }

    fn is_newcomer(node: &NodeId, topic: TopicId) -> bool {
        influence::is_newcomer(&Self::standing(node, topic), &Self::knobs_of(topic))
    }
}

impl<T: Config> Pallet<T> {
    /// Active nodes with evidence on the topic, with their groups and standings.
    pub fn candidates(topic: TopicId) -> Vec<Candidate> {
        let (now, knobs) = (Self::now(), Self::knobs_of(topic));
        let mut groups = BTreeMap::new();
        Accounts::<T>::iter_prefix(topic)
            .filter_map(|(node, NodeAccount { member, account })| {
                let view = T::Membership::node(&node)?;
                if view.status != NodeStatus::Active || view.member != member {
                    return None;
                }
                let group = Self::group_of(&member);
                let (safety, bond) = *groups
                    .entry(group.clone())
                    .or_insert_with(|| (Self::safety_of(&group), Self::bond_of(&group)));
                let standing = reputation::standing(&account, safety, bond, now, &knobs);
                Some(Candidate {
                    group,
                    node,
                    standing,
                })
            })
            .collect()
    }

    /// How the topic's votes are shared out.
    pub fn electorate(topic: TopicId) -> Electorate {
        let null_rate = T::NullRates::null_rate(topic);
        influence::electorate(&Self::candidates(topic), null_rate, &Self::knobs_of(topic))
    }

    /// What the node has shown on every topic with evidence, by topic.
    pub fn vector(node: &NodeId) -> Vec<TopicStanding> {
        let topics: BTreeSet<_> = Accounts::<T>::iter_keys()
            .filter(|(_, other)| other == node)
            .map(|(topic, _)| topic)
            .collect();
        let standing = |topic| {
            let standing = Self::standing(node, topic);
            let bar = Self::bar(topic, &Self::candidates(topic));
            TopicStanding {
                topic,
                eligibility: influence::eligibility(&standing, &bar, &Self::knobs_of(topic)),
                standing,
            }
        };
        topics.into_iter().map(standing).collect()
    }

    /// Nodes of the topic by reputation, with the groups' weights and every intermediate.
    pub fn ranking(topic: TopicId) -> Ranking {
        let (knobs, candidates) = (Self::knobs_of(topic), Self::candidates(topic));
        let null_rate = T::NullRates::null_rate(topic);
        let electorate = influence::electorate(&candidates, null_rate, &knobs);
        let weights: BTreeMap<_, _> = electorate
            .weights
            .iter()
            .map(|weight| (&weight.node, weight.weight))
            .collect();
        let mut rows: Vec<_> = candidates
            .into_iter()
            .map(
                |Candidate {
                     group,
                     node,
                     standing,
                 }| RankingRow {
                    eligibility: influence::eligibility(&standing, &electorate.bar, &knobs),
                    weight: weights.get(&node).copied().unwrap_or(Fixed::ZERO),
                    node,
                    group,
                    standing,
                },
            )
            .collect();
        rows.sort_by(|a, b| {
            let by_reputation = b.standing.reputation.cmp(&a.standing.reputation);
            by_reputation.then_with(|| a.node.cmp(&b.node))
        });
        Ranking {
            topic,
            now: Self::now(),
            knobs,
            electorate,
            rows,
        }
    }

    /// How the node's number on the topic came about; `None` of an unknown node.
    pub fn explain(node: &NodeId, topic: TopicId) -> Option<Explanation> {
        let member = Self::member_of(node, topic)?;
        let group = Self::group_of(&member);
        let (now, knobs) = (Self::now(), Self::knobs_of(topic));
        let account = Self::account_of(node, topic, &member);
        let elapsed = now.saturating_sub(account.tally.updated_at);
        let standing = Self::standing(node, topic);
        let electorate = Self::electorate(topic);
        Some(Explanation {
            node: node.clone(),
            topic,
            now,
            account,
            factor: decay(elapsed, knobs.half_life),
            safety: Groups::<T>::get(&group).safety,
            bond: Self::bond_of(&group),
            eligibility: influence::eligibility(&standing, &electorate.bar, &knobs),
            weight: electorate
                .weights
                .into_iter()
                .find(|weight| weight.group == group && weight.node == *node),
            standing,
            knobs,
            group,
        })
    }

    /// The last folds of evidence, oldest first.
    pub fn history(node: &NodeId, topic: TopicId) -> Vec<Fold> {
        History::<T>::get(topic, node).into_inner()
    }

    /// The node's last answers to shared instances, oldest first: what correlations are computed from.
    pub fn ring(node: &NodeId, topic: TopicId) -> Vec<RingEntry> {
        Rings::<T>::get(topic, node).into_inner()
    }

    /// How far the nodes of the topic err alike, with everything it is made of.
    pub fn correlations(topic: TopicId) -> Correlations {
        let (now, half_life) = (Self::now(), Self::knobs_of(topic).half_life);
        let mut known: Vec<_> = Rings::<T>::iter_prefix(topic)
            .filter_map(|(node, ring)| {
                let origin = T::Origins::origin(&node, topic)?;
                Some((node, origin, ring))
            })
            .take(MAX_CORRELATED as usize)
            .collect();
        known.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        let mut pairs = Vec::new();
        for (one, (_, origin, ring)) in (0_u32..).zip(&known) {
            let later = (0_u32..).zip(&known).skip(one.saturating_add(1) as usize);
            pairs.extend(later.map(|(other, (_, its_origin, its_ring))| {
                let floor = independence::floor(origin, its_origin);
                PairCorrelation {
                    one,
                    other,
                    correlation: independence::correlation(ring, its_ring, floor, now, half_life),
                }
            }));
        }
        Correlations {
            topic,
            now,
            half_life,
            nodes: known
                .into_iter()
                .map(|(node, origin, _)| (node, origin))
                .collect(),
            pairs,
        }
    }

    /// What is watched of the nodes of the topic, by node.
    pub fn watched(topic: TopicId) -> Vec<Watched> {
        let mut nodes: Vec<_> = Accounts::<T>::iter_key_prefix(topic).collect();
        nodes.sort();
        let watched = |node| Watched {
            topic,
            alpha: T::FalseAlarms::get(),
            drift: Drifts::<T>::get(topic, &node),
            gap: Gaps::<T>::get(topic, &node),
            node,
        };
        nodes.into_iter().map(watched).collect()
    }

    /// The first `places` nodes of every topic.
    pub fn leaderboard(places: u32) -> Vec<Leader> {
        let topics: BTreeSet<_> = Accounts::<T>::iter_keys().map(|(topic, _)| topic).collect();
        let leaders = |topic| {
            let rows = Self::ranking(topic).rows.into_iter().zip(1_u32..);
            rows.take(places as usize).map(move |(row, place)| Leader {
                topic,
                place,
                node: row.node,
                reputation: row.standing.reputation,
                weight: row.weight,
            })
        };
        topics.into_iter().flat_map(leaders).collect()
    }

    /// The group to which the member counts.
    pub fn group_info(member: &NodeId) -> GroupInfo {
        let group = Self::group_of(member);
        let record = Groups::<T>::get(&group);
        GroupInfo {
            members: Self::members_of(&group),
            safety: record.safety,
            safety_now: Self::safety_of(&group),
            bond: Self::bond_of(&group),
            offences: record.offences.into_inner(),
        }
    }

    /// What each offence costs.
    pub fn penalties() -> Vec<(Offence, Penalty)> {
        Offence::ALL
            .into_iter()
            .map(|offence| (offence, Self::penalty_of(offence)))
            .collect()
    }

    fn bar(topic: TopicId, candidates: &[Candidate]) -> Bar {
        let standings = candidates.iter().map(|candidate| &candidate.standing);
        influence::bar(
            standings,
            T::NullRates::null_rate(topic),
            &Self::knobs_of(topic),
        )
    }
}
