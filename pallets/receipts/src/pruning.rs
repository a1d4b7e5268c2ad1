//! The end of a batch's retention.

use crate::{Batches, Config, Expiring, ExpiringEnds, Heads, Pallet};
use frame_support::traits::Get;
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::Saturating;

impl<T: Config> Pallet<T> {
    /// Removes at most `limit` batches that are older than the retention; returns how many queue entries it read.
    ///
    /// Batches are queued in the order in which they were anchored, so the first one that is not old enough ends the work.
    pub(crate) fn prune(now: BlockNumberFor<T>, limit: u32) -> u32 {
        let retention = T::Retention::get();
        let mut ends = ExpiringEnds::<T>::get();
        let mut read = 0u32;
        while read < limit && ends.first < ends.next {
            read = read.saturating_add(1);
            if let Some(gateway) = Expiring::<T>::get(ends.first) {
                let mut head = Heads::<T>::get(&gateway);
                let anchored = Batches::<T>::get(&gateway, head.oldest).map(|batch| batch.block);
                if anchored.is_some_and(|block| block.saturating_add(retention) >= now) {
                    break;
                }
                Batches::<T>::remove(&gateway, head.oldest);
                head.oldest = head.oldest.saturating_add(1);
                Heads::<T>::insert(&gateway, head);
            }
            Expiring::<T>::remove(ends.first);
            ends.first = ends.first.saturating_add(1);
        }
        ExpiringEnds::<T>::put(ends);
        read
    }
}
