//! What must hold after every block.

#![cfg(any(feature = "std", feature = "try-runtime"))]

use crate::{
    BaseUses, Candidates, Champions, Config, Models, Pallet, Serving, TopicByName, Topics, types::*,
};
use alloc::collections::{BTreeMap, BTreeSet};
use frame_support::{ensure, traits::Get};
use sp_runtime::TryRuntimeError;
use touchstone_primitives::{apis::ModelStatus, model::ModelKind};

impl<T: Config> Pallet<T> {
    /// Checks that counters, indices and the gate agree with the models and topics.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        Self::try_topics()?;
        Self::try_models()?;
        Self::try_champions()?;
        Self::try_serving()
    }

    fn try_topics() -> Result<(), TryRuntimeError> {
        let count = Topics::<T>::count();
        ensure!(count <= T::MaxTopics::get(), "too many topics");
        ensure!(
            Topics::<T>::iter_keys().all(|id| id < count),
            "topic numbers have gaps"
        );
        ensure!(
            TopicByName::<T>::iter().count() == Topics::<T>::iter_keys().count(),
            "topics and names differ in number"
        );
        for (id, topic) in Topics::<T>::iter() {
            ensure!(
                TopicByName::<T>::get(&topic.name) == Some(id),
                "topic not found by its name"
            );
        }
        Ok(())
    }

    fn try_models() -> Result<(), TryRuntimeError> {
        ensure!(
            Models::<T>::count() <= T::MaxModels::get(),
            "too many models"
        );
        let mut uses = BTreeMap::<_, BaseUse>::new();
        let mut candidates = BTreeMap::<_, u32>::new();
        for (hash, model) in Models::<T>::iter() {
            ensure!(hash == model.record.hash, "model stored under another hash");
            ensure!(model.record.check().is_ok(), "malformed record");
            if model.status == ModelStatus::Candidate {
                let n = candidates.entry(model.producer.clone()).or_default();
                *n = n.saturating_add(1);
            }
            let ModelKind::Adapter { base, topic } = model.record.kind else {
                continue;
            };
            ensure!(Topics::<T>::contains_key(topic), "adapter without topic");
            let base_model = Models::<T>::get(base).ok_or("adapter without base")?;
            ensure!(
                base_model.record.kind == ModelKind::Base,
                "adapter of an adapter"
            );
            ensure!(
                base_model.record.provenance.base_lineage == model.record.provenance.base_lineage,
                "adapter of another lineage than its base"
            );
            let uses = uses.entry(base).or_default();
            uses.adapters = uses.adapters.saturating_add(1);
            if model.status == ModelStatus::Champion {
                uses.champions = uses.champions.saturating_add(1);
                ensure!(
                    base_model.status != ModelStatus::Retired,
                    "champion on a retired base"
                );
                ensure!(
                    Champions::<T>::get(topic).contains(&Champion {
                        base,
                        adapter: hash
                    }),
                    "champion missing from its topic's list"
                );
            }
        }
        ensure!(
            BaseUses::<T>::iter().collect::<BTreeMap<_, _>>() == uses,
            "wrong base uses"
        );
        ensure!(
            Candidates::<T>::iter().collect::<BTreeMap<_, _>>() == candidates,
            "wrong number of candidates"
        );
        Ok(())
    }

    fn try_champions() -> Result<(), TryRuntimeError> {
        for (topic, champions) in Champions::<T>::iter() {
            let bases: BTreeSet<_> = champions.iter().map(|one| one.base).collect();
            ensure!(bases.len() == champions.len(), "two champions on one base");
            for Champion { base, adapter } in champions {
                let model = Models::<T>::get(adapter).ok_or("champion is not registered")?;
                ensure!(
                    model.status == ModelStatus::Champion,
                    "listed champion has another status"
                );
                Self::ensure_eligible(topic, &base, Some(&adapter))
                    .map_err(|_| "champion is not eligible for its topic")?;
            }
        }
        Ok(())
    }

    fn try_serving() -> Result<(), TryRuntimeError> {
        for (_, all) in Serving::<T>::iter() {
            ensure!(!all.is_empty(), "empty list of served models");
            let pairs: BTreeSet<_> = all.iter().map(|one| (one.base, one.adapter)).collect();
            ensure!(pairs.len() == all.len(), "a node serves the same twice");
            ensure!(
                all.iter()
                    .all(|one| one.capacity > 0 && one.capacity <= T::MaxCapacity::get()),
                "capacity out of range"
            );
        }
        Ok(())
    }
}
