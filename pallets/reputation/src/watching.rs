//! Watching for drift and for gaps between public and secret canaries, and what comes of flags.

use crate::{Accounts, Config, Drifts, Error, Event, Gaps, Pallet, Waiting};
use alloc::vec::Vec;
use frame_support::{ensure, pallet_prelude::DispatchResult, traits::Get};
use touchstone_primitives::{
    Moment, NodeId,
    apis::TopicId,
    evidence::{Offence, Scored},
    fixed::Fixed,
    watch::{Finding, Flag, Pair},
};

impl<T: Config> Pallet<T> {
    /// Compares a node with its peers. Without evidence there is nothing to watch.
    pub(crate) fn do_compare(node: &NodeId, topic: TopicId, own: Fixed, peers: Fixed) {
        if !Accounts::<T>::contains_key(topic, node) {
            return;
        }
        let (now, alpha) = (Self::now(), T::FalseAlarms::get());
        let flag = Drifts::<T>::mutate(topic, node, |drift| drift.observe(own, peers, now, alpha));
        if let Some(flag) = flag {
            Self::raised(node, topic, Offence::Drift, flag);
        }
    }

    /// Pairs these duties with those that wait, and looks for a gap. Auditors of the node's own group are not asked.
    pub(crate) fn match_up(
        node: &NodeId,
        topic: TopicId,
        member: &NodeId,
        auditor: Option<&NodeId>,
        scored: &[Scored],
    ) {
        let auditor = auditor.map(Self::group_of);
        if auditor.as_ref() == Some(&Self::group_of(member)) {
            return;
        }
        let (now, alpha) = (Self::now(), T::FalseAlarms::get());
        Self::lapse(node, topic, now);
        let pairs: Vec<Pair> = Waiting::<T>::mutate(topic, node, |queues| {
            let arrive = |duty| queues.arrive(duty, auditor.as_ref());
            scored.iter().filter_map(arrive).collect()
        });
        for pair in pairs {
            match Gaps::<T>::mutate(topic, node, |gap| gap.observe(&pair, now, alpha)) {
                Some(Finding::Raised(flag)) => Self::raised(node, topic, Offence::Goodhart, flag),
                Some(Finding::Confirmed { flag, by_others }) => {
                    Self::confirmed(node, topic, Offence::Goodhart, flag, Some(by_others))
                }
                None => {}
            }
        }
    }

    fn lapse(node: &NodeId, topic: TopicId, now: Moment) {
        let lapsed = Gaps::<T>::try_mutate(topic, node, |gap| {
            gap.lapse(now).then_some(gap.exonerations).ok_or(())
        });
        if let Ok(exonerations) = lapsed {
            Self::cleared(node, topic, Offence::Goodhart, exonerations);
        }
    }

    /// The node serves another model: what was seen of the old one is forgotten, except for flags. Nobody sheds one by changing its model.
    pub(crate) fn watch_anew(node: &NodeId, topic: TopicId) {
        Waiting::<T>::remove(topic, node);
        Drifts::<T>::mutate_exists(topic, node, |drift| {
            if let Some(drift) = drift.as_mut().filter(|drift| drift.flag.is_none()) {
                drift.restart(false);
            }
        });
        Gaps::<T>::mutate_exists(topic, node, |gap| {
            if let Some(gap) = gap.as_mut().filter(|gap| gap.flag.is_none()) {
                gap.restart(false);
            }
        });
    }

    /// Forgets what was watched for another member.
    pub(crate) fn forget_watches(node: &NodeId, topic: TopicId) {
        Waiting::<T>::remove(topic, node);
        Drifts::<T>::remove(topic, node);
        Gaps::<T>::remove(topic, node);
    }

    pub(crate) fn do_clear_flag(node: NodeId, topic: TopicId, offence: Offence) -> DispatchResult {
        let exonerations = match offence {
            Offence::Drift => Drifts::<T>::try_mutate(topic, &node, |drift| {
                ensure!(drift.flag.is_some(), Error::<T>::NotFlagged);
                drift.restart(true);
                Ok::<_, Error<T>>(drift.exonerations)
            })?,
            Offence::Goodhart => Gaps::<T>::try_mutate(topic, &node, |gap| {
                ensure!(gap.flag.is_some(), Error::<T>::NotFlagged);
                gap.restart(true);
                Ok::<_, Error<T>>(gap.exonerations)
            })?,
            Offence::Collusion | Offence::FailedAudit => return Err(Error::<T>::NotFlagged.into()),
        };
        Self::cleared(&node, topic, offence, exonerations);
        Ok(())
    }

    pub(crate) fn do_confirm_drift(node: NodeId, topic: TopicId) -> DispatchResult {
        let flag = Drifts::<T>::try_mutate(topic, &node, |drift| {
            let flag = drift.flag.ok_or(Error::<T>::NotFlagged)?;
            drift.restart(false);
            Ok::<_, Error<T>>(flag)
        })?;
        Self::confirmed(&node, topic, Offence::Drift, flag, None);
        Ok(())
    }

    fn raised(node: &NodeId, topic: TopicId, offence: Offence, flag: Flag) {
        Self::deposit_event(Event::FlagRaised {
            node: node.clone(),
            topic,
            offence,
            flag,
        });
    }

    fn confirmed(
        node: &NodeId,
        topic: TopicId,
        offence: Offence,
        flag: Flag,
        by_others: Option<Flag>,
    ) {
        Self::deposit_event(Event::FlagConfirmed {
            node: node.clone(),
            topic,
            offence,
            flag,
            by_others,
        });
        Self::do_punish(node, topic, offence);
    }

    fn cleared(node: &NodeId, topic: TopicId, offence: Offence, exonerations: u32) {
        Self::deposit_event(Event::FlagCleared {
            node: node.clone(),
            topic,
            offence,
            exonerations,
        });
    }
}
