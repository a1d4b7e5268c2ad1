//! Benchmarks of the calls, each in its worst case.

#![allow(clippy::arithmetic_side_effects)]

use crate::{Call, Candidates, Champions, Config, Models, Pallet, Serving, Topics, types::*};
use alloc::{boxed::Box, vec, vec::Vec};
use frame_benchmarking::v2::*;
use frame_support::{pallet_prelude::*, traits::EnsureOrigin};
use frame_system::RawOrigin;
use sp_runtime::RuntimeAppPublic;
use touchstone_primitives::{
    H256, NodeId,
    apis::{ModelFormat, ModelStatus, TopicId},
    model::{ModelKind, ModelRecord},
    provenance::{Class, Openness, Policy, Provenance, Text, Tier},
    traits::MembershipOf,
    worker::WorkerId,
};

fn full_text(n: u32) -> Text {
    let mut bytes = vec![b'a'; 64];
    for (to, from) in bytes.iter_mut().zip(n.to_be_bytes()) {
        *to = b'a' + from % 26;
    }
    bytes.try_into().unwrap_or_default()
}

fn hash(n: u32) -> H256 {
    H256::from(sp_io::hashing::blake2_256(&n.encode()))
}

fn full_policy() -> Policy {
    let mut jurisdictions = vec![*b"AA"; 31];
    jurisdictions.push(*b"US");
    Policy {
        jurisdictions: jurisdictions.try_into().unwrap_or_default(),
        denied_lineages: vec![full_text(1); 8].try_into().unwrap_or_default(),
        admit_fully_open: false,
    }
}

fn record(n: u32, kind: ModelKind) -> ModelRecord {
    ModelRecord {
        hash: hash(n),
        name: full_text(n),
        size: u64::MAX,
        format: ModelFormat::Gguf,
        kind,
        licence: full_text(n),
        recipe: Some(hash(n)),
        provenance: Provenance {
            base_lineage: full_text(0),
            data_sources: vec![full_text(n); 8].try_into().unwrap_or_default(),
            architecture: full_text(n),
            operator: full_text(n),
            jurisdiction: *b"US",
            method: full_text(n),
            openness: Openness::Weights,
        },
    }
}

fn govern<T: Config>() -> Result<T::RuntimeOrigin, BenchmarkError> {
    T::GovernOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)
}

fn add_topic<T: Config>() -> Result<TopicId, BenchmarkError> {
    let topic = Topics::<T>::count();
    let (name, policy) = (full_text(topic), full_policy());
    Pallet::<T>::do_register_topic(TopicRecord {
        name,
        tier: Tier::T3,
        class: Class::A,
        policy,
    })?;
    Ok(topic)
}

fn add_model<T: Config>(record: ModelRecord, status: ModelStatus) -> Result<(), BenchmarkError> {
    Ok(Pallet::<T>::insert_genesis_model(
        &producer::<T>(),
        &record,
        status,
    )?)
}

fn producer<T: Config>() -> NodeId {
    account("producer", 0, 0)
}

fn add_producer<T: Config>() -> (NodeId, WorkerId) {
    let (node, worker) = (producer::<T>(), WorkerId::generate_pair(None));
    T::Membership::create_for_benchmark(&account("member", 0, 0), &node, worker.clone());
    (node, worker)
}

/// `MaxServing` bases that the node serves; returns the last.
fn fill_serving<T: Config>(node: &NodeId) -> Result<H256, BenchmarkError> {
    let mut all = Vec::new();
    for n in 0..T::MaxServing::get() {
        all.push(Served {
            base: hash(1_000_000 + n),
            adapter: None,
            capacity: 1,
        });
    }
    let last = all.last().map(|one| one.base).unwrap_or_default();
    let all = BoundedVec::try_from(all).map_err(|_| "full")?;
    Serving::<T>::insert(node, all);
    Ok(last)
}

/// A topic of this number and a base that it admits, for benchmarks of other pallets.
pub(crate) fn create_topic_and_base<T: Config>(topic: TopicId) -> H256 {
    while Topics::<T>::count() <= topic {
        if add_topic::<T>().is_err() {
            break;
        }
    }
    let base = record(u32::MAX, ModelKind::Base);
    let hash = base.hash;
    if !Models::<T>::contains_key(hash) {
        let _ = add_model::<T>(base, ModelStatus::Champion);
    }
    hash
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn register_topic() -> Result<(), BenchmarkError> {
        let origin = govern::<T>()?;
        let before = Topics::<T>::count();
        #[extrinsic_call]
        _(
            origin as T::RuntimeOrigin,
            full_text(0),
            Tier::T3,
            Class::A,
            full_policy(),
        );
        assert_eq!(Topics::<T>::count(), before + 1);
        Ok(())
    }

    #[benchmark]
    fn update_topic() -> Result<(), BenchmarkError> {
        let origin = govern::<T>()?;
        let topic = add_topic::<T>()?;
        for n in 0..T::MaxChampions::get() {
            let (base, adapter) = (2 * n, 2 * n + 1);
            add_model::<T>(record(base, ModelKind::Base), ModelStatus::Champion)?;
            let kind = ModelKind::Adapter {
                base: hash(base),
                topic,
            };
            add_model::<T>(record(adapter, kind), ModelStatus::Champion)?;
        }
        #[extrinsic_call]
        _(
            origin as T::RuntimeOrigin,
            topic,
            Tier::T3,
            Class::B,
            full_policy(),
        );
        assert_eq!(
            Topics::<T>::get(topic).map(|topic| topic.class),
            Some(Class::B)
        );
        Ok(())
    }

    #[benchmark]
    fn register_model() -> Result<(), BenchmarkError> {
        let (node, worker) = add_producer::<T>();
        let topic = add_topic::<T>()?;
        add_model::<T>(record(1, ModelKind::Base), ModelStatus::Champion)?;
        let record = record(
            2,
            ModelKind::Adapter {
                base: hash(1),
                topic,
            },
        );
        let message = Pallet::<T>::declaration(&node, &record);
        let signature = worker
            .sign(&message.as_bytes())
            .ok_or("the keystore holds the key")?;
        #[extrinsic_call]
        _(
            RawOrigin::Signed(node.clone()),
            node.clone(),
            Box::new(record),
            signature,
        );
        assert_eq!(Candidates::<T>::get(node), 1);
        Ok(())
    }

    #[benchmark]
    fn retire_model() -> Result<(), BenchmarkError> {
        let (node, _) = add_producer::<T>();
        add_model::<T>(record(1, ModelKind::Base), ModelStatus::Candidate)?;
        let member: NodeId = account("member", 0, 0);
        #[extrinsic_call]
        _(RawOrigin::Signed(member), hash(1));
        assert_eq!(Candidates::<T>::get(node), 0);
        Ok(())
    }

    #[benchmark]
    fn set_status() -> Result<(), BenchmarkError> {
        let origin = govern::<T>()?;
        let topic = add_topic::<T>()?;
        for n in 0..T::MaxChampions::get() {
            let (base, adapter) = (2 * n, 2 * n + 1);
            add_model::<T>(record(base, ModelKind::Base), ModelStatus::Champion)?;
            let kind = ModelKind::Adapter {
                base: hash(base),
                topic,
            };
            add_model::<T>(record(adapter, kind), ModelStatus::Champion)?;
        }
        // The challenger replaces the champion on the last base.
        let base = hash(2 * (T::MaxChampions::get() - 1));
        let challenger = record(1_000, ModelKind::Adapter { base, topic });
        add_model::<T>(challenger, ModelStatus::Candidate)?;
        #[extrinsic_call]
        _(
            origin as T::RuntimeOrigin,
            hash(1_000),
            ModelStatus::Champion,
        );
        assert!(
            Champions::<T>::get(topic)
                .iter()
                .any(|one| one.adapter == hash(1_000))
        );
        Ok(())
    }

    #[benchmark]
    fn remove_model() -> Result<(), BenchmarkError> {
        let origin = govern::<T>()?;
        let topic = add_topic::<T>()?;
        add_model::<T>(record(1, ModelKind::Base), ModelStatus::Champion)?;
        let adapter = record(
            2,
            ModelKind::Adapter {
                base: hash(1),
                topic,
            },
        );
        add_model::<T>(adapter, ModelStatus::Retired)?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, hash(2));
        assert!(!Models::<T>::contains_key(hash(2)));
        Ok(())
    }

    #[benchmark]
    fn serve() -> Result<(), BenchmarkError> {
        let (node, _) = add_producer::<T>();
        let topic = add_topic::<T>()?;
        add_model::<T>(record(1, ModelKind::Base), ModelStatus::Champion)?;
        let adapter = record(
            2,
            ModelKind::Adapter {
                base: hash(1),
                topic,
            },
        );
        add_model::<T>(adapter, ModelStatus::Champion)?;
        fill_serving::<T>(&node)?;
        Serving::<T>::mutate(&node, |all| all.pop());
        let member: NodeId = account("member", 0, 0);
        #[extrinsic_call]
        _(
            RawOrigin::Signed(member),
            node.clone(),
            hash(1),
            Some(hash(2)),
            1,
        );
        assert_eq!(Serving::<T>::get(node).len() as u32, T::MaxServing::get());
        Ok(())
    }

    #[benchmark]
    fn stop_serving() -> Result<(), BenchmarkError> {
        let (node, _) = add_producer::<T>();
        let base = fill_serving::<T>(&node)?;
        let member: NodeId = account("member", 0, 0);
        #[extrinsic_call]
        _(RawOrigin::Signed(member), node.clone(), base, None);
        assert_eq!(
            Serving::<T>::get(node).len() as u32,
            T::MaxServing::get() - 1
        );
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::empty(), crate::mock::Test);
}
