//! Who may act for a node, and which models a topic admits.

use crate::{Config, Error, Models, Pallet, Topics, types::*};
use alloc::vec::Vec;
use frame_support::ensure;
use touchstone_primitives::{
    H256, NodeId,
    apis::{ModelStatus, TopicId},
    consortium::NodeStatus,
    evidence::ModelsOf,
    model::ModelKind,
    provenance::{self, NotAdmitted, Provenance},
    traits::MembershipOf,
};

impl<T: Config> Pallet<T> {
    /// That `who` is the node's stash account or its member's account.
    pub(crate) fn ensure_acts_for(who: &NodeId, node: &NodeId) -> Result<(), Error<T>> {
        let is_member = || T::Membership::node(node).is_some_and(|view| view.member == *who);
        ensure!(who == node || is_member(), Error::<T>::NotYourNode);
        Ok(())
    }

    /// That the node and its member are active.
    pub(crate) fn ensure_active(node: &NodeId) -> Result<(), Error<T>> {
        ensure!(Self::is_active(node), Error::<T>::NodeNotActive);
        Ok(())
    }

    pub(crate) fn is_active(node: &NodeId) -> bool {
        T::Membership::node(node).is_some_and(|view| view.status == NodeStatus::Active)
    }

    /// The base of this hash, unless it is retired.
    pub(crate) fn live_base(hash: &H256) -> Result<Model, Error<T>> {
        let base = Models::<T>::get(hash).ok_or(Error::<T>::ModelNotFound)?;
        ensure!(base.record.kind == ModelKind::Base, Error::<T>::NotBase);
        ensure!(
            base.status != ModelStatus::Retired,
            Error::<T>::ModelRetired
        );
        Ok(base)
    }

    /// That the topic admits all of these origins.
    pub(crate) fn ensure_admitted(
        topic: &TopicRecord,
        origins: &[&Provenance],
    ) -> Result<(), Error<T>> {
        for origin in origins {
            provenance::admits(topic.tier, &topic.policy, origin).map_err(|why| match why {
                NotAdmitted::Lineage => Error::<T>::LineageNotAdmitted,
                NotAdmitted::Jurisdiction => Error::<T>::JurisdictionNotAdmitted,
                NotAdmitted::NoPolicy => Error::<T>::PolicyMissing,
            })?;
        }
        Ok(())
    }

    /// That this base with this adapter (or none) can serve; returns the adapter's topic.
    ///
    /// Both exist, are what they are used as, belong together, are not retired, and the adapter's topic admits both.
    pub(crate) fn ensure_servable(
        base: &H256,
        adapter: Option<&H256>,
    ) -> Result<Option<TopicId>, Error<T>> {
        let base_model = Self::live_base(base)?;
        let Some(adapter) = adapter else {
            return Ok(None);
        };
        let adapter = Models::<T>::get(adapter).ok_or(Error::<T>::ModelNotFound)?;
        let ModelKind::Adapter {
            base: own_base,
            topic,
        } = adapter.record.kind
        else {
            return Err(Error::<T>::NotAdapter);
        };
        ensure!(own_base == *base, Error::<T>::WrongBase);
        ensure!(
            adapter.status != ModelStatus::Retired,
            Error::<T>::ModelRetired
        );
        let record = Topics::<T>::get(topic).ok_or(Error::<T>::TopicNotFound)?;
        Self::ensure_admitted(
            &record,
            &[&base_model.record.provenance, &adapter.record.provenance],
        )?;
        Ok(Some(topic))
    }

    /// That queries on the topic may be answered by this base with this adapter (or none).
    pub fn ensure_eligible(
        topic: TopicId,
        base: &H256,
        adapter: Option<&H256>,
    ) -> Result<(), Error<T>> {
        let record = Topics::<T>::get(topic).ok_or(Error::<T>::TopicNotFound)?;
        match Self::ensure_servable(base, adapter)? {
            Some(trained_for) => ensure!(trained_for == topic, Error::<T>::WrongTopic),
            None => Self::ensure_admitted(&record, &[&Self::live_base(base)?.record.provenance])?,
        }
        Ok(())
    }

    /// Whether queries on the topic may be answered by this base with this adapter (or none).
    pub fn eligible(topic: TopicId, base: &H256, adapter: Option<&H256>) -> bool {
        Self::ensure_eligible(topic, base, adapter).is_ok()
    }
}

impl<T: Config> ModelsOf for Pallet<T> {
    fn is_topic(topic: TopicId) -> bool {
        Topics::<T>::contains_key(topic)
    }

    fn topic_name(topic: TopicId) -> Option<Vec<u8>> {
        Topics::<T>::get(topic).map(|topic| topic.name.into_inner())
    }

    fn may_serve(topic: TopicId, base: &H256, adapter: Option<&H256>) -> bool {
        Self::eligible(topic, base, adapter)
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn create_for_benchmark(topic: TopicId) -> H256 {
        crate::benchmarking::create_topic_and_base::<T>(topic)
    }
}
