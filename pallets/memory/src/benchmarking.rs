//! Benchmarks of the calls, each in its worst case.

#![allow(clippy::arithmetic_side_effects)]

use crate::{
    BalanceOf, Call, Config, Grants, NamespaceOf, Namespaces, Pallet, Roots,
    types::{Keys, MAX_GRANTS, MAX_KEYS, MAX_SNAPSHOTS, Name},
};
use alloc::{collections::BTreeMap, vec, vec::Vec};
use frame_benchmarking::v2::*;
use frame_support::{
    pallet_prelude::*,
    traits::{Authorize, EnsureOrigin, fungible::Mutate},
};
use frame_system::{RawOrigin, pallet_prelude::BlockNumberFor};
use sp_runtime::{RuntimeAppPublic, SaturatedConversion, Saturating, traits::One};
use touchstone_primitives::{
    AccountId32, H256,
    memory::{
        Commit, Kind, NamespaceId, RETAINED, Rights, State, Visibility, Writer, Writers,
        namespace_id, tree,
    },
    tagged_hash,
    traits::MembershipOf,
    worker::WorkerId,
};

const BOTH: Rights = Rights {
    write: true,
    hold: true,
};

/// A name as long as it may be.
fn full_name() -> Name {
    vec![b'a'; 64].try_into().unwrap_or_default()
}

/// An active member with credit, its active node and the node's worker key.
fn add_member<T: Config>() -> (AccountId32, AccountId32, WorkerId)
where
    T::Currency: Mutate<AccountId32>,
{
    let (member, node) = (account("member", 0, 0), account("node", 0, 0));
    let worker = WorkerId::generate_pair(None);
    T::Membership::create_for_benchmark(&member, &node, worker.clone());
    let credit: BalanceOf<T> = T::Deposit::get().saturating_mul(1_000u32.into());
    let _ = T::Currency::mint_into(&member, credit);
    (member, node, worker)
}

/// A namespace of the member's.
fn add_namespace<T: Config>(member: &AccountId32) -> Result<NamespaceId, BenchmarkError> {
    let name = full_name();
    let id = namespace_id(core::str::from_utf8(&name).map_err(|_| "a name is text")?);
    Pallet::<T>::do_create_namespace(
        member.clone(),
        name,
        Kind::Topic,
        member.clone(),
        Writers::Nodes,
        Visibility::Granted,
    )?;
    Ok(id)
}

fn record<T: Config>(id: &NamespaceId) -> Result<NamespaceOf<T>, BenchmarkError> {
    Ok(Namespaces::<T>::get(id).ok_or("the namespace was created")?)
}

/// The commit that goes on to a next state with this tree.
fn next<T: Config>(id: &NamespaceId, tree: H256) -> Result<Commit, BenchmarkError> {
    let current = record::<T>(id)?.state;
    Ok(Commit {
        previous: current.root(),
        state: State {
            namespace: *id,
            version: current.version.saturating_add(1),
            count: 1,
            tree,
        },
        batch: H256::repeat_byte(1),
        bytes: T::MaxBytes::get(),
    })
}

fn next_block<T: Config>() -> BlockNumberFor<T> {
    let now = frame_system::Pallet::<T>::block_number().saturating_add(One::one());
    frame_system::Pallet::<T>::set_block_number(now);
    now
}

/// Commits to this tree in a block of its own.
fn commit<T: Config>(id: &NamespaceId, writer: &Writer, tree: H256) -> Result<(), BenchmarkError> {
    let now = next_block::<T>();
    Ok(Pallet::<T>::do_commit_root(
        writer.clone(),
        next::<T>(id, tree)?,
        now,
    )?)
}

/// Fills what is kept of a namespace.
fn fill<T: Config>(id: &NamespaceId, writer: &Writer, with: u32) -> Result<(), BenchmarkError> {
    for n in 0..with {
        commit::<T>(id, writer, tagged_hash("benchmark", &[&n.to_le_bytes()]))?;
    }
    Ok(())
}

/// Makes `MAX_SNAPSHOTS - spare` snapshots.
fn fill_snapshots<T: Config>(
    id: &NamespaceId,
    writer: &Writer,
    spare: u32,
) -> Result<(), BenchmarkError> {
    for _ in spare..MAX_SNAPSHOTS {
        Pallet::<T>::do_snapshot(*id, record::<T>(id)?, full_name())?;
        commit::<T>(id, writer, H256::repeat_byte(1))?;
    }
    Ok(())
}

fn fill_grants<T: Config>(id: &NamespaceId, spare: u32) -> Result<(), BenchmarkError> {
    for n in spare..MAX_GRANTS {
        Pallet::<T>::do_grant(*id, record::<T>(id)?, account("listed", n, 0), BOTH)?;
    }
    Ok(())
}

/// A submission by a node for a namespace with as many roots as are retained.
fn submission<T: Config>() -> Result<(Call<T>, NamespaceId), BenchmarkError>
where
    T::Currency: Mutate<AccountId32>,
{
    let (member, node, worker) = add_member::<T>();
    let (id, writer) = (add_namespace::<T>(&member)?, Writer::Node(node.clone()));
    Pallet::<T>::do_grant(id, record::<T>(&id)?, node, BOTH)?;
    fill::<T>(&id, &writer, RETAINED)?;
    let valid_until = next_block::<T>();
    let commit = next::<T>(&id, H256::repeat_byte(9))?;
    let message = commit.message(
        &Pallet::<T>::genesis(),
        &writer,
        valid_until.saturated_into(),
    );
    let signature = worker
        .sign(&message.as_bytes())
        .ok_or("the keystore holds the key")?
        .into();
    let call = Call::commit_root {
        writer,
        commit,
        valid_until,
        signature,
    };
    Ok((call, id))
}

/// Leaves of a tree without empty subtrees: the bits of their keys are those of their numbers, lowest first.
fn leaves(count: u32) -> Vec<(H256, H256)> {
    let key = |n: u32| {
        let mut key = H256::zero();
        for (to, from) in key.0.iter_mut().zip(n.reverse_bits().to_be_bytes()) {
            *to = from;
        }
        key
    };
    (0..count).map(|n| (key(n), H256::repeat_byte(1))).collect()
}

#[benchmarks(where T::Currency: Mutate<AccountId32>)]
mod benchmarks {
    use super::*;
    use frame_support::traits::UnfilteredDispatchable;

    #[benchmark]
    fn create_namespace() -> Result<(), BenchmarkError> {
        let (member, ..) = add_member::<T>();
        #[extrinsic_call]
        _(
            RawOrigin::Signed(member.clone()),
            full_name(),
            Kind::Topic,
            member.clone(),
            Writers::Nodes,
            Visibility::Granted,
        );
        assert_eq!(Namespaces::<T>::iter().count(), 1);
        Ok(())
    }

    #[benchmark]
    fn set_policy() -> Result<(), BenchmarkError> {
        let (member, node, _) = add_member::<T>();
        let id = add_namespace::<T>(&member)?;
        fill::<T>(&id, &Writer::Node(node), RETAINED)?;
        #[extrinsic_call]
        _(
            RawOrigin::Signed(member),
            id,
            Writers::Owner,
            Visibility::Granted,
        );
        assert_eq!(record::<T>(&id)?.writers, Writers::Owner);
        Ok(())
    }

    #[benchmark]
    fn transfer() -> Result<(), BenchmarkError> {
        let (member, node, _) = add_member::<T>();
        let id = add_namespace::<T>(&member)?;
        fill::<T>(&id, &Writer::Node(node.clone()), RETAINED)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(member), id, node.clone());
        assert_eq!(record::<T>(&id)?.owner, node);
        Ok(())
    }

    #[benchmark]
    fn grant() -> Result<(), BenchmarkError> {
        let (member, node, _) = add_member::<T>();
        let id = add_namespace::<T>(&member)?;
        fill::<T>(&id, &Writer::Node(node.clone()), RETAINED)?;
        fill_grants::<T>(&id, 1)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(member), id, node, BOTH);
        assert_eq!(record::<T>(&id)?.grants, MAX_GRANTS);
        Ok(())
    }

    #[benchmark]
    fn delete_namespace() -> Result<(), BenchmarkError> {
        let (member, node, _) = add_member::<T>();
        let (id, writer) = (add_namespace::<T>(&member)?, Writer::Node(node));
        fill_snapshots::<T>(&id, &writer, 0)?;
        fill::<T>(&id, &writer, RETAINED)?;
        fill_grants::<T>(&id, 0)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(member), id);
        assert_eq!(Roots::<T>::iter_prefix(id).count(), 0);
        assert_eq!(Grants::<T>::iter_prefix(id).count(), 0);
        Ok(())
    }

    #[benchmark]
    fn commit_root() -> Result<(), BenchmarkError> {
        let (call, id) = submission::<T>()?;
        #[block]
        {
            call.dispatch_bypass_filter(RawOrigin::<AccountId32>::Authorized.into())
                .map_err(|e| e.error)?;
        }
        assert_eq!(record::<T>(&id)?.state.version, u64::from(RETAINED) + 1);
        Ok(())
    }

    #[benchmark]
    fn authorize_commit_root() -> Result<(), BenchmarkError> {
        let (call, _) = submission::<T>()?;
        #[block]
        {
            call.authorize(TransactionSource::External)
                .ok_or("the call has an authorisation")?
                .map_err(|_| "the submission is valid")?;
        }
        Ok(())
    }

    #[benchmark]
    fn commit_root_by_council() -> Result<(), BenchmarkError> {
        let (member, node, _) = add_member::<T>();
        let id = add_namespace::<T>(&member)?;
        fill::<T>(&id, &Writer::Node(node), RETAINED)?;
        let (writers, visibility) = (Writers::Council, Visibility::Granted);
        Pallet::<T>::do_set_policy(id, record::<T>(&id)?, writers, visibility)?;
        next_block::<T>();
        let commit = next::<T>(&id, H256::repeat_byte(9))?;
        let origin =
            T::CouncilOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, commit);
        assert_eq!(record::<T>(&id)?.state.version, u64::from(RETAINED) + 1);
        Ok(())
    }

    #[benchmark]
    fn snapshot() -> Result<(), BenchmarkError> {
        let (member, node, _) = add_member::<T>();
        let id = add_namespace::<T>(&member)?;
        fill_snapshots::<T>(&id, &Writer::Node(node), 1)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(member), id, full_name());
        assert_eq!(record::<T>(&id)?.snapshots, MAX_SNAPSHOTS);
        Ok(())
    }

    #[benchmark]
    fn drop_snapshot() -> Result<(), BenchmarkError> {
        let (member, node, _) = add_member::<T>();
        let (id, writer) = (add_namespace::<T>(&member)?, Writer::Node(node));
        fill_snapshots::<T>(&id, &writer, 0)?;
        fill::<T>(&id, &writer, RETAINED)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(member), id, 0);
        assert!(!Roots::<T>::contains_key(id, 0));
        Ok(())
    }

    /// Every subtree that a step can show is a leaf, which costs a hash more than one that is hidden.
    #[benchmark]
    fn verify_fragments(n: Linear<1, { T::MaxProofSteps::get() }>) -> Result<(), BenchmarkError> {
        let (member, node, _) = add_member::<T>();
        let id = add_namespace::<T>(&member)?;
        let leaves = leaves(n.div_ceil(2));
        let changes: Vec<_> = leaves
            .iter()
            .map(|(key, value)| (*key, Some(*value)))
            .collect();
        let tree = tree::update(&BTreeMap::new(), tree::EMPTY, &changes)
            .map_err(|_| "the tree is whole")?;
        commit::<T>(&id, &Writer::Node(node), tree.root)?;
        let all: Vec<H256> = leaves.into_iter().map(|(key, _)| key).collect();
        let proof = tree::prove(&tree.written, tree.root, &all).map_err(|_| "the tree is whole")?;
        let keys = Keys::truncate_from(
            all.iter()
                .copied()
                .cycle()
                .take(MAX_KEYS as usize)
                .collect(),
        );
        #[extrinsic_call]
        _(RawOrigin::Signed(member), id, 1, keys, proof);
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
