//! Benchmarks, each in its worst case.

#![allow(clippy::arithmetic_side_effects)]

use crate::{Batches, Call, Config, Heads, Pallet};
use frame_benchmarking::v2::*;
use frame_support::{pallet_prelude::*, traits::Authorize};
use frame_system::{RawOrigin, pallet_prelude::BlockNumberFor};
use sp_runtime::{RuntimeAppPublic, Saturating, traits::One};
use touchstone_primitives::{
    H256, NodeId, mailbox::AnchorTask, traits::MembershipOf, worker::WorkerId,
};

fn add_gateway<T: Config>(n: u32) -> (NodeId, WorkerId) {
    let (node, worker): (NodeId, _) = (account("gateway", n, 0), WorkerId::generate_pair(None));
    T::Membership::create_for_benchmark(&account("member", n, 0), &node, worker.clone());
    (node, worker)
}

fn task<T: Config>(node: NodeId, stream: u32) -> AnchorTask {
    let last = u64::from(T::MaxBatch::get()).saturating_sub(1);
    AnchorTask {
        node,
        stream,
        first: 0,
        last,
        root: H256::repeat_byte(1),
        policy_version: 0,
    }
}

/// A submission that opens a stream after one that anchored.
fn submission<T: Config>() -> Result<(Call<T>, NodeId), BenchmarkError> {
    let (gateway, worker) = add_gateway::<T>(0);
    let valid_until =
        frame_system::Pallet::<T>::block_number().saturating_add(T::MaxValidity::get());
    Pallet::<T>::do_anchor_batch(task::<T>(gateway.clone(), 0), valid_until)?;
    let now = frame_system::Pallet::<T>::block_number().saturating_add(One::one());
    frame_system::Pallet::<T>::set_block_number(now);
    let task = task::<T>(gateway.clone(), 1);
    let valid_until: BlockNumberFor<T> = now;
    let message = Pallet::<T>::submission(&task, valid_until);
    let signature = worker
        .sign(&message.as_bytes())
        .ok_or("the keystore holds the key")?;
    let AnchorTask {
        node,
        stream,
        first,
        last,
        root,
        policy_version,
    } = task;
    let call = Call::anchor_batch {
        node,
        stream,
        first,
        last,
        root,
        policy_version,
        valid_until,
        signature,
    };
    Ok((call, gateway))
}

#[benchmarks]
mod benchmarks {
    use super::*;
    use frame_support::traits::UnfilteredDispatchable;

    #[benchmark]
    fn anchor_batch() -> Result<(), BenchmarkError> {
        let (call, gateway) = submission::<T>()?;
        #[block]
        {
            call.dispatch_bypass_filter(RawOrigin::<NodeId>::Authorized.into())
                .map_err(|e| e.error)?;
        }
        assert_eq!(Heads::<T>::get(gateway).stream, 1);
        Ok(())
    }

    #[benchmark]
    fn authorize_anchor_batch() -> Result<(), BenchmarkError> {
        let (call, _) = submission::<T>()?;
        #[block]
        {
            call.authorize(TransactionSource::External)
                .ok_or("the call has an authorisation")?
                .map_err(|_| "the submission is valid")?;
        }
        Ok(())
    }

    /// Every batch is of another gateway.
    #[benchmark]
    fn prune(n: Linear<0, { T::MaxPruned::get() }>) -> Result<(), BenchmarkError> {
        for i in 0..n {
            let (gateway, _) = add_gateway::<T>(i);
            let now = frame_system::Pallet::<T>::block_number();
            Pallet::<T>::do_anchor_batch(task::<T>(gateway, 0), now)?;
        }
        let late = T::Retention::get().saturating_add(1_000_000u32.into());
        #[block]
        {
            Pallet::<T>::prune(late, T::MaxPruned::get());
        }
        assert_eq!(Batches::<T>::iter().count(), 0);
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
