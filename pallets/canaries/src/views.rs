//! What the runtime API shows.

use crate::{
    Authored, CheckersOpened, Committed, Config, Ended, Enrolments, Examined, Live, Pallet, Pools,
    Rates, Results, Rounds, Rules, TasksOpened,
    types::{Round, Settlement},
};
use alloc::vec::Vec;
use frame_support::{
    BoundedVec,
    traits::{Get, Time},
};
use touchstone_primitives::{
    H256, NodeId,
    apis::{CanaryInfo, CanaryTopicInfo, DutyInfo, EnrolmentInfo, FamilyInfo, RoundInfo, TopicId},
    canary::Commitments,
    evidence::NullRateOf,
    fixed::Fixed,
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
                    authored: rules.authored,
                    waiting: Pools::<T>::get(topic).len() as u32,
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
        Self::posed_duties(&round.facts, &group)
            .into_iter()
            .map(|(duty, posed)| {
                let end = ends
                    .as_ref()
                    .and_then(|ends| ends.get(usize::from(duty.slot)));
                let worth = posed.as_ref().map_or(Fixed::ZERO, |posed| {
                    posed.worth(Self::pass_rate(
                        round.facts.topic,
                        posed.stratum,
                        &group,
                        now,
                    ))
                });
                // A member's task is open before its checker.
                let canary = duty.authored.as_ref().map(|(id, _)| *id);
                let prompt = match (&posed, canary) {
                    (Some(posed), _) => posed.task.prompt.clone().into_bytes(),
                    (None, Some(id)) => TasksOpened::<T>::get(id).unwrap_or_default().into_inner(),
                    (None, None) => Vec::new(),
                };
                DutyInfo {
                    slot: duty.slot,
                    instance: duty.instance,
                    shared: duty.shared,
                    canary,
                    family: name_of(&duty.family),
                    level: duty.level,
                    stratum: posed.as_ref().map_or(H256::zero(), |posed| posed.stratum),
                    prompt,
                    difficulty: posed.as_ref().map_or(Fixed::ZERO, |p| p.task.difficulty),
                    checker: posed.map(|posed| posed.task.checker),
                    worth,
                    end: end.copied(),
                }
            })
            .collect()
    }

    /// A canary of a member.
    pub fn canary(id: u32) -> Option<CanaryInfo> {
        let canary = Authored::<T>::get(id)?;
        Some(CanaryInfo {
            id,
            author: canary.author,
            topic: canary.topic,
            sealed: canary.sealed,
            round: canary.round,
            task: TasksOpened::<T>::get(id).map(BoundedVec::into_inner),
            checker: CheckersOpened::<T>::get(id).map(BoundedVec::into_inner),
        })
    }

    /// Canaries of a topic that wait to be drawn, and those that rounds which are kept have drawn, by number.
    pub fn canaries(topic: TopicId) -> Vec<CanaryInfo> {
        let mut ids: Vec<u32> = Authored::<T>::iter()
            .filter(|(_, canary)| canary.topic == topic)
            .map(|(id, _)| id)
            .collect();
        ids.sort();
        ids.into_iter().filter_map(Self::canary).collect()
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
