//! What the runtime API shows.

use crate::{
    Committed, Config, Ended, Enrolments, Examined, Live, Pallet, Rates, Results, Rounds, Rules,
    types::{Round, Settlement},
};
use alloc::vec::Vec;
use frame_support::traits::{Get, Time};
use touchstone_primitives::{
    H256, NodeId,
    apis::{CanaryTopicInfo, DutyInfo, EnrolmentInfo, FamilyInfo, RoundInfo, TopicId},
    canary::{Commitments, duties, effective_difficulty},
    evidence::NullRateOf,
    generators,
};

fn name_of(family: &H256) -> Vec<u8> {
    generators::family(family).map_or_else(Vec::new, |family| family.name.into())
}

fn info(round: Round) -> RoundInfo {
    RoundInfo {
        settled: round.settlement == Settlement::Settled,
        facts: round.facts,
        nodes: round.nodes.into_inner(),
    }
}

impl<T: Config> Pallet<T> {
    /// The running epoch.
    pub fn epoch() -> u32 {
        T::Epoch::get()
    }

    /// What topics are examined in, by topic.
    pub fn canary_topics() -> Vec<CanaryTopicInfo> {
        Examined::<T>::get()
            .into_iter()
            .filter_map(|topic| {
                let rules = Rules::<T>::get(topic)?;
                let families = rules
                    .families
                    .iter()
                    .map(|(family, level)| (name_of(family), *level));
                Some(CanaryTopicInfo {
                    topic,
                    families: families.collect(),
                    slots: rules.slots,
                    null_rate: Self::null_rate(topic),
                })
            })
            .collect()
    }

    /// Who serves what, by topic and node.
    pub fn enrolments() -> Vec<EnrolmentInfo> {
        let mut all: Vec<_> = Enrolments::<T>::iter()
            .map(|(topic, node, enrolment)| {
                let served = enrolment.served_in(T::Epoch::get());
                EnrolmentInfo {
                    topic,
                    node,
                    base: served.base,
                    adapter: served.adapter,
                    from: enrolment.from,
                    until: enrolment.until,
                }
            })
            .collect();
        all.sort_by(|a, b| (a.topic, &a.node).cmp(&(b.topic, &b.node)));
        all
    }

    /// Rounds that are not settled, oldest first.
    pub fn rounds() -> Vec<RoundInfo> {
        Live::<T>::get()
            .into_iter()
            .filter_map(Self::round)
            .collect()
    }

    /// A round, while it is kept.
    pub fn round(id: u32) -> Option<RoundInfo> {
        Rounds::<T>::get(id).map(info)
    }

    /// Duties of a node in a round; none for a node without.
    pub fn duties(id: u32, node: NodeId) -> Vec<DutyInfo> {
        let Some(round) =
            Rounds::<T>::get(id).filter(|round| round.nodes.binary_search(&node).is_ok())
        else {
            return Vec::new();
        };
        let Some(group) = Self::group_of(&node) else {
            return Vec::new();
        };
        let (ends, now) = (Ended::<T>::get(id, &node), T::Time::now());
        duties(&round.facts, &group)
            .into_iter()
            .filter_map(|duty| {
                let task = duty.task()?;
                let stratum = duty.stratum();
                let rate = Self::pass_rate(round.facts.topic, stratum, &group, now);
                let null_rate = generators::null_rate(&duty.family);
                let end = ends
                    .as_ref()
                    .and_then(|ends| ends.get(usize::from(duty.slot)));
                Some(DutyInfo {
                    slot: duty.slot,
                    instance: duty.instance,
                    shared: duty.shared,
                    family: name_of(&duty.family),
                    level: duty.level,
                    stratum,
                    prompt: task.prompt.into_bytes(),
                    checker: task.checker,
                    difficulty: task.difficulty,
                    worth: effective_difficulty(task.difficulty, rate, null_rate),
                    end: end.copied(),
                })
            })
            .collect()
    }

    /// What a node committed to in a round.
    pub fn commitments(id: u32, node: NodeId) -> Option<Commitments> {
        Committed::<T>::get(id, node)
    }

    /// Slots that a node has revealed in a round.
    pub fn revealed(id: u32, node: NodeId) -> Vec<u8> {
        let results = Results::<T>::get(id, node);
        (0..)
            .zip(&results)
            .filter(|(_, result)| result.is_some())
            .map(|(slot, _)| slot)
            .collect()
    }

    /// Pass rates on a topic: all families together first, then each family and level that has answers.
    pub fn family_rates(topic: TopicId) -> Vec<FamilyInfo> {
        let (now, half_life) = (T::Time::now(), T::HalfLife::get());
        let info = |family: &[u8], level, stratum| {
            Rates::<T>::contains_key(topic, stratum).then(|| FamilyInfo {
                family: family.into(),
                level,
                tally: Rates::<T>::get(topic, stratum).all.at(now, half_life),
            })
        };
        let each = generators::families().iter().flat_map(|family| {
            (1..=generators::LEVELS)
                .filter_map(move |level| info(family.name.as_bytes(), level, family.stratum(level)))
        });
        info(&[], 0, H256::zero()).into_iter().chain(each).collect()
    }
}
