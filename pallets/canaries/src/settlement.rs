//! How duties end, and what comes of them.

use crate::{
    Committed, Config, Ended, Event, Live, Pallet, Presences, Rates, Results, Rounds, WeightInfo,
    types::{Ends, Round, Settlement},
};
use alloc::{collections::BTreeMap, vec::Vec};
use frame_support::{
    BoundedVec,
    traits::{Get, Time},
    weights::Weight,
};
use touchstone_primitives::{
    AccountId32, H256, Moment, NodeId,
    apis::TopicId,
    authored,
    canary::{Duty, End, Posed, duties, scored},
    evidence::{NoteActivity, RecordEvidence, Scored},
    fixed::Fixed,
    traits::MembershipOf,
    watch,
};

impl<T: Config> Pallet<T> {
    /// The operator group that a node belongs to: its member.
    pub(crate) fn group_of(node: &NodeId) -> Option<AccountId32> {
        T::Membership::node(node).map(|view| view.member)
    }

    /// `p_hat` of a family and level for a group: what all others pass of it, else what they pass of the whole topic, else 0.
    pub(crate) fn pass_rate(
        topic: TopicId,
        stratum: H256,
        group: &AccountId32,
        now: Moment,
    ) -> Fixed {
        let of =
            |stratum| Rates::<T>::get(topic, stratum).leaving_out(group, now, T::HalfLife::get());
        of(stratum)
            .or_else(|| of(H256::zero()))
            .unwrap_or(Fixed::ZERO)
    }

    /// Settles the next nodes of a round that is closed; returns the weight.
    pub(crate) fn settle(id: u32) -> Weight {
        let Some(mut round) = Rounds::<T>::get(id) else {
            return Weight::zero();
        };
        let step = T::SettledPerBlock::get();
        let count = round.nodes.len() as u32;
        let (from, is_folding) = match round.settlement {
            Settlement::Folding(from) => (from, true),
            Settlement::Rating(from) => (from, false),
            Settlement::Settled => return Weight::zero(),
        };
        let to = from.saturating_add(step).min(count);
        let mut weight = Weight::zero();
        if round.settlement == Settlement::Folding(0) && !round.facts.authored.is_empty() {
            round.void = BoundedVec::truncate_from(Self::judge(&round));
            weight = T::WeightInfo::judge();
        }
        let nodes = round.nodes.get(from as usize..to as usize).unwrap_or(&[]);
        if is_folding {
            nodes.iter().for_each(|node| Self::fold(&round, node));
        } else {
            let all = Self::ended(&round);
            let answered = answered(&all);
            for node in nodes {
                if let Some((_, group, ends)) = all.iter().find(|(of, ..)| of == node) {
                    Self::rate(&round, group, ends, &answered);
                    Self::compare(&round, node, group, ends, &all);
                }
            }
        }
        let done = to.saturating_sub(from);
        round.settlement = match (is_folding, to >= count) {
            (true, false) => Settlement::Folding(to),
            (true, true) => Settlement::Rating(0),
            (false, false) => Settlement::Rating(to),
            (false, true) => Settlement::Settled,
        };
        if round.settlement == Settlement::Settled {
            Live::<T>::mutate(|live| live.retain(|live| *live != id));
            let topic = round.facts.topic;
            Self::deposit_event(Event::RoundSettled { round: id, topic });
        }
        Rounds::<T>::insert(id, round);
        weight.saturating_add(if is_folding {
            T::WeightInfo::fold(done)
        } else {
            T::WeightInfo::rate(done)
        })
    }

    /// How the duties of a node end, by slot.
    fn ends(
        round: &Round,
        node: &NodeId,
        group: &AccountId32,
        duties: &[(Duty, Option<Posed>)],
        now: Moment,
    ) -> Vec<End> {
        // Who is suspended cannot answer any more; what it has answered counts.
        let is_suspended = !Self::owes_duties(node);
        let (id, epoch) = (round.facts.id, round.facts.epoch);
        let commitments = Committed::<T>::get(id, node);
        if commitments.is_none() && !is_suspended {
            let mut presence = Presences::<T>::get(node);
            if !presence.was_seen(epoch) && presence.excuse(epoch, now, T::HalfLife::get()) {
                Presences::<T>::insert(node, presence);
                return duties.iter().map(|_| End::Absent).collect();
            }
        }
        let results = Results::<T>::get(id, node);
        duties
            .iter()
            .map(|(duty, _)| {
                if Self::is_void(round, duty, group) {
                    return End::Void;
                }
                let slot = usize::from(duty.slot);
                let result = results.get(slot).copied().flatten();
                if is_suspended && result.is_none() {
                    return End::Void;
                }
                let commitment = commitments.as_ref().and_then(|hashes| hashes.get(slot));
                End::of(commitment, result)
            })
            .collect()
    }

    /// Ends the duties of a node and hands the evidence on.
    fn fold(round: &Round, node: &NodeId) {
        let facts = &round.facts;
        let Some(group) = Self::group_of(node) else {
            return;
        };
        let now = T::Time::now();
        let duties = Self::posed_duties(facts, &group);
        let ends = Self::ends(round, node, &group, &duties, now);
        let mut evidence: Vec<(bool, Scored)> = duties
            .iter()
            .zip(&ends)
            .filter_map(|((duty, posed), end)| {
                let posed = posed.as_ref()?;
                let rate = Self::pass_rate(facts.topic, posed.stratum, &group, now);
                let scored = scored(duty, posed, *end, facts.epoch, rate)?;
                Some((duty.authored.is_some(), scored))
            })
            .collect();
        authored::cap(&mut evidence);
        let evidence: Vec<Scored> = evidence.into_iter().map(|(_, scored)| scored).collect();
        if !evidence.is_empty() {
            T::Evidence::record(node, facts.topic, &evidence);
        }
        let right = ends.iter().filter(|end| end.passed() == Some(true)).count();
        Self::deposit_event(Event::NodeSettled {
            round: facts.id,
            node: node.clone(),
            counted: evidence.len() as u32,
            right: right as u32,
        });
        // One end for each duty: the bound of the slots.
        if let Ok(ends) = Ends::try_from(ends) {
            Ended::<T>::insert(facts.id, node, ends);
        }
    }

    /// How the duties of all nodes of a round ended, with their groups.
    fn ended(round: &Round) -> Vec<(NodeId, AccountId32, Ends)> {
        let of = |node: &NodeId| {
            let ends = Ended::<T>::get(round.facts.id, node)?;
            Some((node.clone(), Self::group_of(node)?, ends))
        };
        round.nodes.iter().filter_map(of).collect()
    }

    /// Hands on how a node did on the instances that all groups got, and how its peers did. Duties that give no evidence do not
    /// count on either side.
    fn compare(
        round: &Round,
        node: &NodeId,
        group: &AccountId32,
        ends: &Ends,
        all: &[(NodeId, AccountId32, Ends)],
    ) {
        for (duty, end) in duties(&round.facts, group).iter().zip(ends) {
            let Some(passed) = end.passed().filter(|_| duty.shared) else {
                continue;
            };
            let alike = all.iter().filter_map(|(_, group, ends)| {
                Some((group, ends.get(usize::from(duty.slot))?.passed()?))
            });
            if let Some(peers) = watch::peers(group, alike) {
                let own = Fixed::from_int(passed.into());
                T::Evidence::compare(node, round.facts.topic, own, peers);
            }
        }
    }

    /// Brings the pass rates up to date with the answers of a node. Answers that were not given say nothing about a task.
    ///
    /// Nodes of a group got the same task, so together they count as one answer: nobody sets what rivals' work is worth by running
    /// many nodes.
    fn rate(
        round: &Round,
        group: &AccountId32,
        ends: &Ends,
        answered: &BTreeMap<(&AccountId32, u8), u64>,
    ) {
        let (now, half_life) = (T::Time::now(), T::HalfLife::get());
        for (duty, end) in duties(&round.facts, group).iter().zip(ends) {
            let (End::Scored(_), Some(posed)) = (end, Self::posed(duty)) else {
                continue;
            };
            let passed = end.passed() == Some(true);
            let nodes = answered.get(&(group, duty.slot)).copied();
            let share = Fixed::ONE.over(Fixed::from_int(nodes.unwrap_or(1).max(1)));
            for stratum in [posed.stratum, H256::zero()] {
                Rates::<T>::mutate(round.facts.topic, stratum, |rate| {
                    rate.add(group, passed, share, now, half_life)
                });
            }
        }
    }
}

/// How many nodes of each group gave an answer, by slot.
fn answered(all: &[(NodeId, AccountId32, Ends)]) -> BTreeMap<(&AccountId32, u8), u64> {
    let mut answered = BTreeMap::new();
    for (_, group, ends) in all {
        for (slot, end) in (0u8..).zip(ends) {
            if matches!(end, End::Scored(_)) {
                let count: &mut u64 = answered.entry((group, slot)).or_default();
                *count = count.saturating_add(1);
            }
        }
    }
    answered
}

impl<T: Config> NoteActivity for Pallet<T> {
    fn active(node: &NodeId) {
        let epoch = T::Epoch::get();
        let mut presence = Presences::<T>::get(node);
        if !presence.was_seen(epoch) {
            presence.see(epoch);
            Presences::<T>::insert(node, presence);
        }
    }
}
