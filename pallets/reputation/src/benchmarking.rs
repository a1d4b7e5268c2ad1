//! Benchmarks, each in its worst case.

#![allow(clippy::arithmetic_side_effects)]

use crate::{
    Accounts, Call, Config, Groups, History, MergedInto, Pallet, Rings,
    types::{MAX_FOLDS, MAX_OFFENCES},
};
use alloc::vec::Vec;
use frame_benchmarking::v2::*;
use frame_support::traits::EnsureOrigin;
use sp_core::sr25519;
use touchstone_primitives::{
    H256, NodeId,
    evidence::{CompetenceOf, Offence, RING_LENGTH, RecordEvidence, Scored},
    fixed::Fixed,
    reputation::{Knobs, Penalty},
    traits::MembershipOf,
    worker::WorkerId,
};

fn scored(n: u32) -> Scored {
    Scored {
        duty: H256::from_low_u64_be(n.into()),
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
        for n in 0..100 {
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

    /// Ring and history are full.
    #[benchmark]
    fn record(n: Linear<1, 64>) -> Result<(), BenchmarkError> {
        let node = add_known::<T>(0);
        let duties: Vec<_> = (1_000..1_000 + n).map(scored).collect();
        #[block]
        {
            Pallet::<T>::record(&node, 0, &duties);
        }
        assert_eq!(Rings::<T>::get(0, &node).len() as u32, RING_LENGTH);
        assert_eq!(History::<T>::get(0, &node).len() as u32, MAX_FOLDS);
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
    fn weights(n: Linear<1, 100>) -> Result<(), BenchmarkError> {
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
