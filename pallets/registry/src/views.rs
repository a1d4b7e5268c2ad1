//! What the runtime API shows.

use crate::{Config, Models, Pallet, Serving, Topics, types::*};
use alloc::vec::Vec;
use touchstone_primitives::{
    apis::{ModelInfo, ServingInfo, TopicInfo},
    model::ModelKind,
};

impl<T: Config> Pallet<T> {
    /// All topics, by number.
    pub fn topics() -> Vec<TopicInfo> {
        (0..Topics::<T>::count())
            .filter_map(|id| {
                let TopicRecord {
                    name,
                    tier,
                    class,
                    policy,
                } = Topics::<T>::get(id)?;
                Some(TopicInfo {
                    id,
                    name: name.into_inner(),
                    tier,
                    class,
                    policy,
                })
            })
            .collect()
    }

    /// All bases and adapters, retired ones included, in no particular order.
    pub fn models() -> Vec<ModelInfo> {
        Models::<T>::iter_values()
            .map(
                |Model {
                     record,
                     producer,
                     status,
                     ..
                 }| {
                    let (base, topic) = match record.kind {
                        ModelKind::Base => (None, None),
                        ModelKind::Adapter { base, topic } => (Some(base), Some(topic)),
                    };
                    ModelInfo {
                        hash: record.hash,
                        name: record.name.into_inner(),
                        size: record.size,
                        format: record.format,
                        base,
                        topic,
                        licence: record.licence.into_inner(),
                        recipe: record.recipe,
                        provenance: record.provenance,
                        producer,
                        status,
                    }
                },
            )
            .collect()
    }

    /// Who serves what, in no particular order.
    ///
    /// Leaves out nodes that are not active, and models that are removed, retired or not admitted to their topic any more.
    pub fn serving() -> Vec<ServingInfo> {
        Serving::<T>::iter()
            .filter(|(node, _)| Self::is_active(node))
            .flat_map(|(node, all)| {
                all.into_iter()
                    .filter(|one| Self::ensure_servable(&one.base, one.adapter.as_ref()).is_ok())
                    .map(
                        move |Served {
                                  base,
                                  adapter,
                                  capacity,
                              }| ServingInfo {
                            node: node.clone(),
                            base,
                            adapter,
                            capacity,
                        },
                    )
            })
            .collect()
    }
}
