//! The work of a block: rounds are opened one at a time and settled a few nodes at a time, so that a block's work is bounded whatever the
//! number of topics, nodes and rounds.

use crate::{
    Committed, Config, Ended, Enrolments, Event, Examined, Latest, Live, NextRound, OldestRound,
    Pallet, Queue, QueuedEpoch, Results, RoundWindows, Rounds, Rules, WeightInfo,
    types::{MAX_NODES, Round, Settlement},
};
use alloc::vec::Vec;
use frame_support::{
    BoundedVec,
    traits::{Get, Randomness, Time},
    weights::Weight,
};
use sp_runtime::SaturatedConversion;
use touchstone_primitives::{
    NodeId,
    apis::TopicId,
    canary::{Phase, RoundFacts, round_seed},
    evidence::RecordEvidence,
};

impl<T: Config> Pallet<T> {
    /// Number of the current block.
    pub(crate) fn height() -> u32 {
        frame_system::Pallet::<T>::block_number().saturated_into()
    }

    /// Does one piece of work, the oldest first; returns its weight.
    pub(crate) fn work() -> Weight {
        let epoch = T::Epoch::get();
        let idle = T::WeightInfo::idle();
        if QueuedEpoch::<T>::get() != Some(epoch) {
            // Topics that were left over had a round that was still running; they wait for this epoch's turn.
            let mut topics = Examined::<T>::get();
            topics.sort_by(|a, b| b.cmp(a));
            Queue::<T>::put(topics);
            QueuedEpoch::<T>::put(Some(epoch));
        }
        if let Some(weight) = Self::work_on_audits(epoch) {
            return idle.saturating_add(weight);
        }
        // Rounds are opened in order of epochs, so nothing is due before the oldest one.
        let due = Live::<T>::get().first().copied().filter(|round| {
            // Whether a node was away for the whole epoch is known when the epoch is over.
            Rounds::<T>::get(round).is_some_and(|round| {
                round.facts.phase(Self::height()) == Phase::Closed && round.facts.epoch < epoch
            })
        });
        if let Some(round) = due {
            return idle.saturating_add(Self::settle(round));
        }
        if let Some(topic) = Queue::<T>::mutate(|queue| queue.pop()) {
            let nodes = Self::open(topic, epoch);
            return idle.saturating_add(T::WeightInfo::open(nodes));
        }
        if Self::forget() {
            return idle.saturating_add(T::WeightInfo::forget());
        }
        idle
    }

    /// Opens the topic's round of this epoch, if it has rules and nodes and the last round does not take answers any more.
    /// Returns the number of nodes that were looked at.
    fn open(topic: TopicId, epoch: u32) -> u32 {
        let (Some(rules), Some(windows)) = (Rules::<T>::get(topic), RoundWindows::<T>::get())
        else {
            return 0;
        };
        let start = Self::height();
        let runs = Latest::<T>::get(topic)
            .and_then(Rounds::<T>::get)
            .is_some_and(|round| round.facts.phase(start) != Phase::Closed);
        if runs {
            return 0;
        }
        let mut looked_at = 0u32;
        let mut nodes = Vec::<NodeId>::new();
        let enrolments: Vec<_> = Enrolments::<T>::iter_prefix(topic).collect();
        for (node, mut enrolment) in enrolments {
            looked_at = looked_at.saturating_add(1);
            if enrolment.has_ended(epoch) {
                Self::remove_enrolment(topic, &node);
                continue;
            }
            if let Some((next, from)) = enrolment.next
                && from <= epoch
            {
                enrolment.served = next;
                enrolment.next = None;
                Enrolments::<T>::insert(topic, &node, &enrolment);
                T::Evidence::manifest_changed(&node, topic);
            }
            if enrolment.is_due(epoch) && Self::is_active(&node) {
                nodes.push(node);
            }
        }
        nodes.sort();
        let Ok(nodes) = BoundedVec::try_from(nodes) else {
            return looked_at;
        };
        if nodes.is_empty() {
            return looked_at;
        }
        let id = NextRound::<T>::get();
        if Live::<T>::try_mutate(|live| live.try_push(id)).is_err() {
            return looked_at;
        }
        NextRound::<T>::put(id.saturating_add(1));
        Latest::<T>::insert(topic, id);
        let (randomness, _) = T::Randomness::random(b"touchstone/round");
        let seed = round_seed(&randomness, topic, id);
        let authored = Self::draw_authored(topic, rules.authored, id, &seed, T::Time::now());
        let facts = RoundFacts {
            id,
            topic,
            epoch,
            seed,
            start,
            windows,
            rules,
            // Not more than were asked for: the bound of the rules.
            authored: BoundedVec::truncate_from(authored),
        };
        Self::deposit_event(Event::RoundOpened {
            round: id,
            topic,
            epoch,
            seed: facts.seed,
            nodes: nodes.len() as u32,
            reveal_from: facts.reveal_from(),
            closed_from: facts.closed_from(),
        });
        Self::join_round(topic, epoch, id);
        let settlement = Settlement::Folding(0);
        Rounds::<T>::insert(
            id,
            Round {
                facts,
                nodes,
                settlement,
                void: BoundedVec::new(),
            },
        );
        looked_at
    }

    /// Removes the oldest round if more than `KeptRounds` are kept and it is settled.
    fn forget() -> bool {
        let oldest = OldestRound::<T>::get();
        if NextRound::<T>::get().saturating_sub(oldest) <= T::KeptRounds::get() {
            return false;
        }
        match Rounds::<T>::get(oldest) {
            Some(round) if round.settlement != Settlement::Settled => return false,
            Some(round) => Self::forget_authored(&round.facts),
            None => {}
        }
        Rounds::<T>::remove(oldest);
        // Not more entries than nodes of a round.
        let _ = Committed::<T>::clear_prefix(oldest, MAX_NODES, None);
        let _ = Results::<T>::clear_prefix(oldest, MAX_NODES, None);
        let _ = Ended::<T>::clear_prefix(oldest, MAX_NODES, None);
        OldestRound::<T>::put(oldest.saturating_add(1));
        true
    }
}
