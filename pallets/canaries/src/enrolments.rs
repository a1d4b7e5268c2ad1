//! Who serves which topic, and what topics are examined in.

use crate::{
    Config, Departures, Enrolled, Enrolments, Error, Event, Examined, Pallet, Rules,
    types::{Departure, Enrolment, MAX_NODES, Served},
};
use alloc::vec::Vec;
use frame_support::{
    ensure,
    pallet_prelude::*,
    traits::{Get, Time},
};
use touchstone_primitives::{
    H256, NodeId,
    apis::TopicId,
    canary::TopicRules,
    consortium::NodeStatus,
    evidence::{ModelsOf, NullRateOf, ServingOf},
    fixed::Fixed,
    traits::MembershipOf,
};

impl<T: Config> Pallet<T> {
    pub(crate) fn is_active(node: &NodeId) -> bool {
        Self::status_of(node) == Some(NodeStatus::Active)
    }

    /// Whether a node keeps the duties that it has. Who announces that it leaves still owes them, or it would leave whenever a round
    /// went badly; who was suspended cannot help it.
    pub(crate) fn owes_duties(node: &NodeId) -> bool {
        matches!(
            Self::status_of(node),
            Some(NodeStatus::Active | NodeStatus::Leaving)
        )
    }

    fn status_of(node: &NodeId) -> Option<NodeStatus> {
        T::Membership::node(node).map(|view| view.status)
    }

    pub(crate) fn do_set_topic(topic: TopicId, rules: Option<TopicRules>) -> DispatchResult {
        ensure!(T::Models::is_topic(topic), Error::<T>::TopicNotExamined);
        Examined::<T>::try_mutate(|topics| match (topics.binary_search(&topic), &rules) {
            (Err(place), Some(_)) => topics
                .try_insert(place, topic)
                .map_err(|_| Error::<T>::TooManyTopics),
            (Ok(place), None) => {
                topics.remove(place);
                Ok(())
            }
            _ => Ok(()),
        })?;
        if let Some(rules) = &rules {
            ensure!(rules.is_valid(), Error::<T>::BadRules);
            Rules::<T>::insert(topic, rules);
        } else {
            Rules::<T>::remove(topic);
        }
        Self::deposit_event(Event::TopicSet { topic, rules });
        Ok(())
    }

    pub(crate) fn do_enrol(
        node: NodeId,
        topic: TopicId,
        served: Served,
        from: u32,
    ) -> DispatchResult {
        ensure!(
            Rules::<T>::contains_key(topic),
            Error::<T>::TopicNotExamined
        );
        ensure!(Self::is_active(&node), Error::<T>::NodeNotActive);
        ensure!(
            T::Models::may_serve(topic, &served.base, served.adapter.as_ref()),
            Error::<T>::ModelNotAdmitted
        );
        let epoch = T::Epoch::get();
        let known = Enrolments::<T>::get(topic, &node);
        let has_left = known
            .as_ref()
            .is_some_and(|enrolment| enrolment.has_ended(epoch));
        if has_left {
            Self::remove_enrolment(topic, &node);
        }
        let enrolment = match known.filter(|_| !has_left) {
            None => {
                Enrolled::<T>::try_mutate(topic, |count| {
                    ensure!(*count < MAX_NODES, Error::<T>::TooManyEnrolled);
                    *count = count.saturating_add(1);
                    Ok::<_, Error<T>>(())
                })?;
                // Who comes back with another model loses what is lost by changing it in place.
                let before = Departures::<T>::get(topic, &node).map_or(served, |left| left.served);
                Enrolment {
                    served: before,
                    from,
                    until: None,
                    next: (before != served).then_some((served, from)),
                }
            }
            Some(enrolment) => {
                ensure!(enrolment.until.is_none(), Error::<T>::IsLeaving);
                let last = enrolment.next.map_or(enrolment.served, |(next, _)| next);
                ensure!(last != served, Error::<T>::AlreadyEnrolled);
                Enrolment {
                    next: Some((served, from)),
                    ..enrolment
                }
            }
        };
        Enrolments::<T>::insert(topic, &node, enrolment);
        let Served { base, adapter } = served;
        Self::deposit_event(Event::Enrolled {
            node,
            topic,
            base,
            adapter,
            from,
        });
        Ok(())
    }

    pub(crate) fn do_leave(node: NodeId, topic: TopicId) -> DispatchResult {
        let mut enrolment = Enrolments::<T>::get(topic, &node).ok_or(Error::<T>::NotEnrolled)?;
        ensure!(enrolment.until.is_none(), Error::<T>::IsLeaving);
        let now = T::Time::now();
        let quarter = T::HalfLife::get() / 4;
        let waits = Departures::<T>::get(topic, &node)
            .is_some_and(|left| now.saturating_sub(left.at) < quarter);
        ensure!(!waits, Error::<T>::LeftTooRecently);
        let until = T::Epoch::get().saturating_add(2);
        enrolment.until = Some(until);
        Enrolments::<T>::insert(topic, &node, &enrolment);
        let served = enrolment.served;
        Departures::<T>::insert(topic, &node, Departure { at: now, served });
        Self::deposit_event(Event::Leaving { node, topic, until });
        Ok(())
    }

    /// Removes the enrolment of a node that has left, so that its place is free.
    ///
    /// What is kept is the model that its evidence was earned with. A change that had not taken effect yet has cost nothing, so
    /// it must cost when the node comes back with it.
    pub(crate) fn remove_enrolment(topic: TopicId, node: &NodeId) {
        if let Some(enrolment) = Enrolments::<T>::take(topic, node) {
            Enrolled::<T>::mutate(topic, |count| *count = count.saturating_sub(1));
            Departures::<T>::mutate(topic, node, |left| {
                if let Some(left) = left {
                    left.served = enrolment.served;
                }
            });
        }
    }
}

impl<T: Config> ServingOf for Pallet<T> {
    fn serves(node: &NodeId, topic: TopicId, epoch: u32) -> Option<H256> {
        Enrolments::<T>::get(topic, node)
            .filter(|enrolment| enrolment.is_due(epoch))
            .map(|enrolment| enrolment.served_in(epoch).hash())
    }

    fn serving(topic: TopicId, epoch: u32) -> Vec<NodeId> {
        let mut nodes: Vec<NodeId> = Enrolments::<T>::iter_prefix(topic)
            .filter(|(_, enrolment)| enrolment.is_due(epoch))
            .map(|(node, _)| node)
            .collect();
        nodes.sort();
        nodes
    }

    fn topics() -> Vec<TopicId> {
        Examined::<T>::get().into_inner()
    }
}

impl<T: Config> NullRateOf for Pallet<T> {
    fn null_rate(topic: TopicId) -> Fixed {
        Rules::<T>::get(topic).map_or(Fixed::ZERO, |rules| rules.null_rate())
    }
}
