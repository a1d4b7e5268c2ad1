//! Who serves what.

use crate::{Config, Error, Event, Pallet, Serving, types::Served};
use frame_support::{ensure, pallet_prelude::*};
use touchstone_primitives::{H256, NodeId};

impl<T: Config> Pallet<T> {
    pub(crate) fn do_serve(node: &NodeId, served: Served) -> DispatchResult {
        let Served {
            base,
            adapter,
            capacity,
        } = served;
        ensure!(
            capacity > 0 && capacity <= T::MaxCapacity::get(),
            Error::<T>::BadCapacity
        );
        Self::ensure_servable(&base, adapter.as_ref())?;
        Serving::<T>::try_mutate(node, |all| {
            match all
                .iter_mut()
                .find(|one| one.base == base && one.adapter == adapter)
            {
                Some(one) => one.capacity = capacity,
                None => all
                    .try_push(served)
                    .map_err(|_| Error::<T>::TooManyServed)?,
            }
            Ok::<_, Error<T>>(())
        })?;
        Self::deposit_event(Event::ServingDeclared {
            node: node.clone(),
            base,
            adapter,
            capacity,
        });
        Ok(())
    }

    pub(crate) fn do_stop_serving(
        node: NodeId,
        base: H256,
        adapter: Option<H256>,
    ) -> DispatchResult {
        let mut all = Serving::<T>::get(&node);
        let before = all.len();
        all.retain(|one| one.base != base || one.adapter != adapter);
        ensure!(all.len() < before, Error::<T>::NotServed);
        if all.is_empty() {
            Serving::<T>::remove(&node);
        } else {
            Serving::<T>::insert(&node, all);
        }
        Self::deposit_event(Event::ServingStopped {
            node,
            base,
            adapter,
        });
        Ok(())
    }
}
