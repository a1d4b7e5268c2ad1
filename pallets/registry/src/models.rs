//! Bases and adapters, and their statuses.

use crate::{
    BaseUses, Candidates, Champions, Config, Error, Event, Models, Pallet, Topics, types::*,
};
use frame_support::{ensure, pallet_prelude::*};
use frame_system::pallet_prelude::BlockNumberFor;
use touchstone_primitives::{
    H256, NodeId,
    apis::{ModelStatus, TopicId},
    consortium::NodeRole,
    model::{BadModel, ModelKind, ModelRecord, declaration},
    traits::MembershipOf,
    worker::{self, WorkerSignature},
};

impl<T: Config> Pallet<T> {
    /// What a producer signs to register this record on this chain.
    pub fn declaration(node: &NodeId, record: &ModelRecord) -> H256 {
        // frame-system never prunes the hash of block 0.
        let genesis = frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::default());
        declaration(&genesis, node, record)
    }

    pub(crate) fn do_register_model(
        node: NodeId,
        record: ModelRecord,
        signature: WorkerSignature,
    ) -> DispatchResult {
        Self::ensure_active(&node)?;
        ensure!(
            T::Membership::is_active(&node, NodeRole::Producer),
            Error::<T>::NotProducer
        );
        ensure!(
            Candidates::<T>::get(&node) < T::MaxCandidates::get(),
            Error::<T>::TooManyCandidates
        );
        Self::ensure_registrable(&record)?;
        let key = T::Membership::worker_key(&node).ok_or(Error::<T>::BadSignature)?;
        let message = Self::declaration(&node, &record);
        ensure!(
            worker::verify(&key, &message, &signature),
            Error::<T>::BadSignature
        );

        let (model, kind) = (record.hash, record.kind);
        Self::insert_candidate(
            &node,
            record,
            Some(Seal {
                key,
                signature: signature.into_inner(),
            }),
        );
        Self::deposit_event(Event::ModelRegistered {
            model,
            kind,
            producer: node,
        });
        Ok(())
    }

    pub(crate) fn insert_genesis_model(
        producer: &NodeId,
        record: &ModelRecord,
        status: ModelStatus,
    ) -> DispatchResult {
        Self::ensure_registrable(record)?;
        Self::insert_candidate(producer, record.clone(), None);
        if status == ModelStatus::Candidate {
            return Ok(());
        }
        Self::do_set_status(&record.hash, status)
    }

    /// That the record is well-formed, new, fits, and passes the gate.
    fn ensure_registrable(record: &ModelRecord) -> DispatchResult {
        record.check().map_err(|why| match why {
            BadModel::Name => Error::<T>::BadName,
            BadModel::Licence => Error::<T>::BadLicence,
            BadModel::Size => Error::<T>::BadSize,
            BadModel::Provenance => Error::<T>::BadProvenance,
            BadModel::Hash => Error::<T>::BadHash,
        })?;
        ensure!(
            !Models::<T>::contains_key(record.hash),
            Error::<T>::AlreadyRegistered
        );
        ensure!(
            Models::<T>::count() < T::MaxModels::get(),
            Error::<T>::TooManyModels
        );
        if let ModelKind::Adapter { base, topic } = record.kind {
            let topic = Topics::<T>::get(topic).ok_or(Error::<T>::TopicNotFound)?;
            let base = Self::live_base(&base)?.record.provenance;
            ensure!(
                base.base_lineage == record.provenance.base_lineage,
                Error::<T>::WrongLineage
            );
            Self::ensure_admitted(&topic, &[&base, &record.provenance])?;
        }
        Ok(())
    }

    fn insert_candidate(producer: &NodeId, record: ModelRecord, seal: Option<Seal>) {
        Candidates::<T>::mutate(producer, |n| *n = n.saturating_add(1));
        if let ModelKind::Adapter { base, .. } = record.kind {
            BaseUses::<T>::mutate(base, |uses| uses.adapters = uses.adapters.saturating_add(1));
        }
        let status = ModelStatus::Candidate;
        let producer = producer.clone();
        Models::<T>::insert(
            record.hash,
            Model {
                record,
                producer,
                seal,
                status,
            },
        );
    }

    pub(crate) fn do_retire_model(who: &NodeId, hash: &H256) -> DispatchResult {
        let model = Models::<T>::get(hash).ok_or(Error::<T>::ModelNotFound)?;
        Self::ensure_acts_for(who, &model.producer)?;
        ensure!(
            model.status == ModelStatus::Candidate,
            Error::<T>::NotCandidate
        );
        Self::write_status(hash, model, ModelStatus::Retired);
        Ok(())
    }

    pub(crate) fn do_set_status(hash: &H256, to: ModelStatus) -> DispatchResult {
        let model = Models::<T>::get(hash).ok_or(Error::<T>::ModelNotFound)?;
        ensure!(model.status != to, Error::<T>::SameStatus);
        match model.record.kind {
            ModelKind::Base => ensure!(
                to != ModelStatus::Retired || BaseUses::<T>::get(hash).champions == 0,
                Error::<T>::BaseInUse
            ),
            ModelKind::Adapter { base, topic } if to == ModelStatus::Champion => Self::crown(
                &model,
                topic,
                Champion {
                    base,
                    adapter: *hash,
                },
            )?,
            ModelKind::Adapter { base, topic } if model.status == ModelStatus::Champion => {
                Champions::<T>::mutate(topic, |all| all.retain(|one| one.adapter != *hash));
                BaseUses::<T>::mutate(base, |uses| {
                    uses.champions = uses.champions.saturating_sub(1)
                });
            }
            ModelKind::Adapter { .. } => (),
        }
        Self::write_status(hash, model, to);
        Ok(())
    }

    /// Makes room for the topic's new champion on its base; the one that it replaces becomes warm.
    fn crown(model: &Model, topic: TopicId, champion: Champion) -> DispatchResult {
        let record = Topics::<T>::get(topic).ok_or(Error::<T>::TopicNotFound)?;
        let base = Self::live_base(&champion.base)?;
        Self::ensure_admitted(
            &record,
            &[&base.record.provenance, &model.record.provenance],
        )?;
        let mut champions = Champions::<T>::get(topic);
        match champions.iter_mut().find(|one| one.base == champion.base) {
            Some(place) => {
                let former = place.adapter;
                *place = champion;
                let former_model = Models::<T>::get(former).ok_or(Error::<T>::ModelNotFound)?;
                Self::write_status(&former, former_model, ModelStatus::Warm);
            }
            None => {
                champions
                    .try_push(champion)
                    .map_err(|_| Error::<T>::TooManyChampions)?;
                BaseUses::<T>::mutate(champion.base, |uses| {
                    uses.champions = uses.champions.saturating_add(1)
                });
            }
        }
        Champions::<T>::insert(topic, champions);
        Ok(())
    }

    /// Writes the status and keeps count of the producer's candidates.
    fn write_status(hash: &H256, mut model: Model, to: ModelStatus) {
        let from = core::mem::replace(&mut model.status, to);
        if from == ModelStatus::Candidate {
            Candidates::<T>::mutate_exists(&model.producer, |n| {
                *n = n.and_then(|n| n.checked_sub(1)).filter(|n| *n > 0)
            });
        }
        if to == ModelStatus::Candidate {
            Candidates::<T>::mutate(&model.producer, |n| *n = n.saturating_add(1));
        }
        Models::<T>::insert(hash, model);
        Self::deposit_event(Event::StatusChanged {
            model: *hash,
            from,
            to,
        });
    }

    pub(crate) fn do_remove_model(hash: &H256) -> DispatchResult {
        let model = Models::<T>::get(hash).ok_or(Error::<T>::ModelNotFound)?;
        ensure!(model.status == ModelStatus::Retired, Error::<T>::NotRetired);
        match model.record.kind {
            ModelKind::Base => {
                ensure!(
                    BaseUses::<T>::get(hash).adapters == 0,
                    Error::<T>::BaseHasAdapters
                )
            }
            ModelKind::Adapter { base, .. } => BaseUses::<T>::mutate_exists(base, |uses| {
                *uses = uses
                    .map(|uses| BaseUse {
                        adapters: uses.adapters.saturating_sub(1),
                        ..uses
                    })
                    .filter(|uses| uses.adapters > 0)
            }),
        }
        Models::<T>::remove(hash);
        Self::deposit_event(Event::ModelRemoved { model: *hash });
        Ok(())
    }
}
