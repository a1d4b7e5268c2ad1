//! Suspension, its lapse, and reinstatement.

use crate::*;
use touchstone_primitives::consortium::{
    MemberStatus, NodeRole, NodeStatus, max_suspended, more_than_half,
};

impl<T: Config> Pallet<T> {
    pub(crate) fn do_suspend_member(member: T::AccountId) -> DispatchResult {
        Self::ensure_active_member(&member)?;
        let call = Call::suspend_member {
            member: member.clone(),
        };
        Self::ensure_enough_without(&member, call, more_than_half)?;
        Self::ensure_room_for_suspension(|_, node| node.member == member)?;
        Self::set_status(&member, MemberStatus::Suspended)?;
        let until = Self::record_council_suspension(Subject::Member(member.clone()));
        Self::deposit_event(Event::MemberSuspended { member, until });
        Self::disable_barred();
        Ok(())
    }

    pub(crate) fn do_suspend_node(node: T::AccountId) -> DispatchResult {
        let record = Nodes::<T>::get(&node).ok_or(Error::<T>::UnknownNode)?;
        ensure!(
            record.status == NodeStatus::Active,
            Error::<T>::NodeNotActive
        );
        let call = Call::suspend_node { node: node.clone() };
        Self::ensure_enough_without(&record.member, call, more_than_half)?;
        Self::ensure_room_for_suspension(|other, _| *other == node)?;
        Self::set_node_status(&node, NodeStatus::Active, NodeStatus::Suspended);
        let until = Self::record_council_suspension(Subject::Node(node.clone()));
        let until = Some(until);
        Self::deposit_event(Event::NodeSuspended {
            node,
            cause: Cause::Council,
            until,
        });
        Self::disable_barred();
        Ok(())
    }

    pub(crate) fn do_reinstate_member(member: T::AccountId) -> DispatchResult {
        let record = Members::<T>::get(&member).ok_or(Error::<T>::UnknownMember)?;
        ensure!(
            record.status == MemberStatus::Suspended,
            Error::<T>::NotSuspended
        );
        let call = Call::reinstate_member {
            member: member.clone(),
        };
        Self::ensure_enough_without(&member, call, more_than_half)?;
        Self::lift(&Subject::Member(member.clone()));
        Self::deposit_event(Event::MemberReinstated { member });
        Ok(())
    }

    pub(crate) fn do_reinstate_node(node: T::AccountId) -> DispatchResult {
        let record = Nodes::<T>::get(&node).ok_or(Error::<T>::UnknownNode)?;
        ensure!(
            record.status == NodeStatus::Suspended,
            Error::<T>::NotSuspended
        );
        ensure!(record.bond >= T::MinBond::get(), Error::<T>::BondTooLow);
        let call = Call::reinstate_node { node: node.clone() };
        Self::ensure_enough_without(&record.member, call, more_than_half)?;
        Self::lift(&Subject::Node(node.clone()));
        Self::deposit_event(Event::NodeReinstated { node });
        Ok(())
    }

    /// Suspends a node for an offence until the council reinstates it. `false` when too many are suspended already.
    pub(crate) fn suspend_offender(node: &T::AccountId, kind: Kind) -> bool {
        if Self::ensure_room_for_suspension(|other, _| other == node).is_err() {
            return false;
        }
        let cause = Cause::Offence(kind);
        // A node that leaves keeps leaving, but is barred until it is out.
        Self::set_node_status(node, NodeStatus::Active, NodeStatus::Suspended);
        let suspension = Suspension {
            cause: cause.clone(),
            since: Self::now(),
            until: None,
            prolonged: false,
        };
        Suspensions::<T>::insert(Subject::Node(node.clone()), suspension);
        Self::deposit_event(Event::NodeSuspended {
            node: node.clone(),
            cause,
            until: None,
        });
        Self::disable_barred();
        true
    }

    /// Suspends queued offenders for whom there is room now.
    pub(crate) fn suspend_queued() {
        let queue = QueuedSuspensions::<T>::get();
        if queue.is_empty() {
            return;
        }
        let mut rest = queue.into_inner();
        rest.retain(|(node, kind)| !Self::suspend_offender(node, *kind));
        QueuedSuspensions::<T>::put(BoundedVec::truncate_from(rest));
    }

    /// Ends suspensions whose time is over, unless a revocation is pending, which prolongs them once.
    pub(crate) fn lapse_suspensions() {
        let now = Self::now();
        let over: Vec<_> = Suspensions::<T>::iter()
            .filter(|(_, suspension)| suspension.until.is_some_and(|until| until <= now))
            .collect();
        for (subject, mut suspension) in over {
            if !suspension.prolonged && Self::is_revocation_pending(&subject) {
                let until = now.saturating_add(T::SuspensionPeriod::get());
                suspension.until = Some(until);
                suspension.prolonged = true;
                Suspensions::<T>::insert(&subject, suspension);
                Self::deposit_event(Event::SuspensionProlonged { subject, until });
            } else {
                Self::lift(&subject);
                Self::deposit_event(Event::SuspensionLapsed { subject });
            }
        }
    }

    /// Whether the node may not author: it is suspended, or its member is suspended or revoked.
    pub(crate) fn is_barred(node: &T::AccountId) -> bool {
        let Some(record) = Nodes::<T>::get(node) else {
            return false;
        };
        Self::is_record_barred(node, &record)
    }

    fn is_record_barred(node: &T::AccountId, record: &NodeOf<T>) -> bool {
        Suspensions::<T>::contains_key(Subject::Node(node.clone()))
            || Suspensions::<T>::contains_key(Subject::Member(record.member.clone()))
            || Members::<T>::get(&record.member)
                .is_some_and(|member| member.status == MemberStatus::Revoked)
    }

    fn is_revocation_pending(subject: &Subject<T::AccountId>) -> bool {
        let member = match subject {
            Subject::Member(member) => Some(member.clone()),
            Subject::Node(node) => Nodes::<T>::get(node).map(|record| record.member),
        };
        member.is_some_and(|member| {
            T::Motions::ayes(&Call::<T>::revoke_member { member }.into()).is_some()
        })
    }

    fn record_council_suspension(subject: Subject<T::AccountId>) -> Moment {
        let since = Self::now();
        let until = since.saturating_add(T::SuspensionPeriod::get());
        let suspension = Suspension {
            cause: Cause::Council,
            since,
            until: Some(until),
            prolonged: false,
        };
        Suspensions::<T>::insert(subject, suspension);
        until
    }

    /// Ends a suspension and lets the validators concerned author again.
    fn lift(subject: &Subject<T::AccountId>) {
        Suspensions::<T>::remove(subject);
        let nodes = match subject {
            Subject::Node(node) => {
                Self::set_node_status(node, NodeStatus::Suspended, NodeStatus::Active);
                alloc::vec![node.clone()]
            }
            Subject::Member(member) => Members::<T>::mutate(member, |record| {
                let Some(record) = record else {
                    return Vec::new();
                };
                if record.status == MemberStatus::Suspended {
                    record.status = MemberStatus::Active;
                }
                record.nodes.to_vec()
            }),
        };
        for node in nodes.iter().filter(|node| !Self::is_barred(node)) {
            T::Sessions::enable(node);
        }
    }

    fn set_node_status(node: &T::AccountId, from: NodeStatus, to: NodeStatus) {
        Nodes::<T>::mutate(node, |record| {
            if let Some(record) = record.as_mut().filter(|record| record.status == from) {
                record.status = to;
            }
        });
    }

    /// That at most `floor((n - 1) / 3)` validators are suspended if the accused are suspended too, both in the running set and
    /// in the planned one. Suspended validators that are out already but have not left count in both.
    fn ensure_room_for_suspension(
        is_accused: impl Fn(&T::AccountId, &NodeOf<T>) -> bool,
    ) -> DispatchResult {
        let nodes: Vec<_> = Nodes::<T>::iter()
            .map(|(node, record)| {
                let accused = is_accused(&node, &record);
                let barred = Self::is_record_barred(&node, &record);
                let may_return = barred
                    && record.roles.contains(NodeRole::Validator)
                    && matches!(record.status, NodeStatus::Active | NodeStatus::Suspended);
                (node, accused, barred, may_return)
            })
            .collect();
        let has_room = |set: &[T::AccountId]| {
            let (mut validators, mut suspended, mut concerned) = (0u32, 0u32, false);
            for (node, accused, barred, may_return) in &nodes {
                let in_set = set.contains(node);
                if in_set || *may_return {
                    validators = validators.saturating_add(1);
                    suspended = suspended.saturating_add(u32::from(*barred || *accused));
                    concerned |= in_set && *accused && !*barred;
                }
            }
            // Whoever does not validate can be suspended at any time.
            !concerned || suspended <= max_suspended(validators)
        };
        let room = has_room(&T::Sessions::validators()) && has_room(&Validators::<T>::get());
        ensure!(room, Error::<T>::TooManySuspended);
        Ok(())
    }
}
