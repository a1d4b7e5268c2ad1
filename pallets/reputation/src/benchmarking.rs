//! Benchmarks, each in its worst case.

#![allow(clippy::arithmetic_side_effects)]

use crate::{
    Accounts, Call, Config, Drifts, Gaps, Groups, History, MergedInto, Pallet, Rings, Waiting,
    types::{MAX_FOLDS, MAX_OFFENCES},
};
use alloc::vec::Vec;
use frame_benchmarking::v2::*;
use frame_support::traits::{EnsureOrigin, Get};
use sp_core::sr25519;
use touchstone_primitives::{
    H256, NodeId,
    evidence::{CompetenceOf, Offence, RING_LENGTH, RecordEvidence, Scored},
    fixed::Fixed,
    reputation::{Knobs, Penalty},
    traits::MembershipOf,
    watch::{BASELINE, Drift, Gap, MAX_AUDITORS, MAX_WAITING, Queues},
    worker::WorkerId,
};

fn scored(n: u32) -> Scored {
    Scored {
        duty: touchstone_primitives::tagged_hash("benchmark", &[&n.to_le_bytes()]),
        family: H256::zero(),
        epoch: n,
        difficulty: Fixed::HALF,
        outcome: Fixed::percent(30),
        wrong: Some([7; 8]),
        options: 10,
        shared: true,
    }
}

fn add_node<T: Config>(n: u32) -> NodeId {
    let node: NodeId = account("node", n, 0);
    // Any key will do, nothing is signed.
    let key: [u8; 32] = node.clone().into();
    let worker = WorkerId::from(sr25519::Public::from_raw(key));
    T::Membership::create_for_benchmark(&account("member", n, 0), &node, worker);
    node
}

/// A node with full ring and history.
fn add_known<T: Config>(n: u32) -> NodeId {
    let node = add_node::<T>(n);
    let all: Vec<_> = (0..RING_LENGTH).map(scored).collect();
    for _ in 0..MAX_FOLDS {
        Pallet::<T>::record(&node, 0, &all);
    }
    node
}

/// Duties of one family and epoch.
fn alike(n: u32) -> Vec<Scored> {
    let duty = Scored {
        shared: true,
        ..scored(1)
    };
    alloc::vec![duty; n as usize]
}

/// A node with full ring and history, full queues of outcomes that wait, the last `n` of which these duties match, and two full sides of
/// auditors, of which the last one is returned.
fn add_audited<T: Config>(n: u32, is_public: bool) -> (NodeId, NodeId) {
    let node = add_known::<T>(0);
    let auditor: NodeId = account("auditor", 0, 0);
    let (mut queues, mut gap) = (Queues::default(), Gap::default());
    for i in 0..MAX_WAITING {
        let is_match = i + n >= MAX_WAITING;
        let other = |epoch| Scored { epoch, ..scored(1) };
        let epoch = if is_match { 1 } else { 2 };
        queues.arrive(&other(if is_public { 3 } else { epoch }), None);
        queues.arrive(&other(if is_public { epoch } else { 4 }), Some(&auditor));
    }
    for i in 1..MAX_AUDITORS {
        let _ = gap.one.auditors.try_push(account("one", i, 0));
        let _ = gap.other.auditors.try_push(account("other", i, 0));
    }
    let _ = gap.other.auditors.try_push(auditor.clone());
    Waiting::<T>::insert(0, &node, queues);
    Gaps::<T>::insert(0, &node, gap);
    (node, auditor)
}

/// A node that is flagged for drift.
fn add_drifted<T: Config>() -> NodeId {
    let node = add_known::<T>(0);
    let mut drift = Drift::default();
    for n in 0..=u32::MAX {
        let own = Fixed::from_int((n < BASELINE).into());
        if drift
            .observe(own, Fixed::ONE, 0, T::FalseAlarms::get())
            .is_some()
        {
            break;
        }
    }
    Drifts::<T>::insert(0, &node, drift);
    node
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn set_knobs() -> Result<(), BenchmarkError> {
        let origin =
            T::GovernOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, 0, Some(Knobs::default()));
        Ok(())
    }

    #[benchmark]
    fn set_penalty() -> Result<(), BenchmarkError> {
        let origin =
            T::GovernOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        let penalty = Penalty::starting(Offence::Drift);
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, Offence::Drift, penalty);
        Ok(())
    }

    /// A hundred other members are merged already.
    #[benchmark]
    fn merge_groups() -> Result<(), BenchmarkError> {
        let origin =
            T::GovernOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        let offender = add_node::<T>(0);
        add_node::<T>(1);
        Pallet::<T>::offence(&offender, 0, Offence::Collusion);
        let (member, into): (NodeId, NodeId) = (account("member", 0, 0), account("member", 1, 0));
        for n in 0..90 {
            MergedInto::<T>::insert(account::<NodeId>("other", n, 0), &into);
        }
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, member.clone(), into);
        assert!(MergedInto::<T>::contains_key(member));
        Ok(())
    }

    #[benchmark]
    fn split_group() -> Result<(), BenchmarkError> {
        let origin =
            T::GovernOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        let (member, into): (NodeId, NodeId) = (account("member", 0, 0), account("member", 1, 0));
        MergedInto::<T>::insert(&member, &into);
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, member.clone());
        assert!(!MergedInto::<T>::contains_key(member));
        Ok(())
    }

    #[benchmark]
    fn clear_flag() -> Result<(), BenchmarkError> {
        let origin =
            T::GovernOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        let node = add_drifted::<T>();
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, node.clone(), 0, Offence::Drift);
        assert_eq!(Drifts::<T>::get(0, node).exonerations, 1);
        Ok(())
    }

    /// The group's history is full.
    #[benchmark]
    fn confirm_drift() -> Result<(), BenchmarkError> {
        let origin =
            T::GovernOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        let node = add_drifted::<T>();
        for _ in 0..MAX_OFFENCES {
            Pallet::<T>::offence(&node, 0, Offence::Drift);
        }
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, node.clone(), 0);
        assert!(Drifts::<T>::get(0, node).flag.is_none());
        Ok(())
    }

    /// The baseline is complete.
    #[benchmark]
    fn compare() -> Result<(), BenchmarkError> {
        let node = add_known::<T>(0);
        let third = Fixed::ratio(1, 3);
        for _ in 0..=BASELINE {
            Pallet::<T>::compare(&node, 0, Fixed::ONE, third);
        }
        #[block]
        {
            Pallet::<T>::compare(&node, 0, Fixed::ZERO, third);
        }
        assert_eq!(Drifts::<T>::get(0, node).since.pairs, 2);
        Ok(())
    }

    /// Ring, history, queues and sides are full, and every duty finds a partner.
    #[benchmark]
    fn record(n: Linear<1, 64>) -> Result<(), BenchmarkError> {
        let (node, _) = add_audited::<T>(n, true);
        let duties = alike(n);
        #[block]
        {
            Pallet::<T>::record(&node, 0, &duties);
        }
        assert_eq!(Gaps::<T>::get(0, &node).other.recent.pairs, n);
        assert_eq!(Rings::<T>::get(0, &node).len() as u32, RING_LENGTH);
        assert_eq!(History::<T>::get(0, &node).len() as u32, MAX_FOLDS);
        Ok(())
    }

    /// History, queues and sides are full, and every duty finds a partner.
    #[benchmark]
    fn record_secret(n: Linear<1, 64>) -> Result<(), BenchmarkError> {
        let (node, auditor) = add_audited::<T>(n, false);
        let duties = alike(n);
        #[block]
        {
            Pallet::<T>::record_secret(&node, 0, &auditor, &duties);
        }
        assert_eq!(Gaps::<T>::get(0, &node).other.recent.pairs, n);
        Ok(())
    }

    #[benchmark]
    fn manifest_changed() -> Result<(), BenchmarkError> {
        let node = add_known::<T>(0);
        #[block]
        {
            Pallet::<T>::manifest_changed(&node, 0);
        }
        assert!(Accounts::<T>::contains_key(0, &node));
        Ok(())
    }

    /// The group's history is full.
    #[benchmark]
    fn offence() -> Result<(), BenchmarkError> {
        let node = add_known::<T>(0);
        for _ in 0..MAX_OFFENCES {
            Pallet::<T>::offence(&node, 0, Offence::Drift);
        }
        #[block]
        {
            Pallet::<T>::offence(&node, 0, Offence::Collusion);
        }
        let group: NodeId = account("member", 0, 0);
        assert_eq!(Groups::<T>::get(group).offences.len() as u32, MAX_OFFENCES);
        Ok(())
    }

    /// Every node is of another group.
    #[benchmark]
    fn weights(n: Linear<1, 90>) -> Result<(), BenchmarkError> {
        for i in 0..n {
            let node = add_node::<T>(i);
            for epoch in 1..=2 {
                Pallet::<T>::record(&node, 0, &alloc::vec![scored(epoch); 10]);
            }
        }
        let shared;
        #[block]
        {
            shared = Pallet::<T>::weights(0);
        }
        assert!(shared.is_empty() == (n < 3));
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
