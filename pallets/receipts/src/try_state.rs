//! What must hold after every block.

#![cfg(any(feature = "std", feature = "try-runtime"))]

use crate::{Batches, Config, Expiring, ExpiringEnds, Heads, Pallet};
use alloc::collections::BTreeMap;
use frame_support::{ensure, traits::Get};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks that retained batches of every gateway are contiguous up to its head, and that each is queued for expiry once.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        let mut retained = BTreeMap::new();
        for (gateway, head) in Heads::<T>::iter() {
            ensure!(
                head.oldest <= head.next_batch,
                "more batches removed than anchored"
            );
            let mut expected: Option<(u32, u64)> = None;
            for number in head.oldest..head.next_batch {
                let batch = Batches::<T>::get(&gateway, number).ok_or("missing batch")?;
                ensure!(
                    batch.count > 0 && batch.count <= T::MaxBatch::get(),
                    "bad batch size"
                );
                ensure!(
                    batch.block <= head.block,
                    "batch newer than its gateway's head"
                );
                let continues = match expected {
                    Some((stream, next)) if batch.stream == stream => batch.first == next,
                    Some((stream, _)) => {
                        batch.stream == stream.saturating_add(1) && batch.first == 0
                    }
                    None => number > 0 || batch.first == 0,
                };
                ensure!(continues, "gap or overlap between batches");
                expected = Some((batch.stream, batch.first.saturating_add(batch.count.into())));
            }
            ensure!(
                expected.is_none_or(|end| end == (head.stream, head.next)),
                "the last batch does not end at the head"
            );
            let count = head.next_batch.saturating_sub(head.oldest);
            ensure!(
                Batches::<T>::iter_prefix(&gateway).count() as u64 == count,
                "batches beyond the head"
            );
            if count > 0 {
                retained.insert(gateway, count);
            }
        }
        let ends = ExpiringEnds::<T>::get();
        let mut queued = BTreeMap::<_, u64>::new();
        for position in ends.first..ends.next {
            let gateway = Expiring::<T>::get(position).ok_or("hole in the expiry queue")?;
            let n = queued.entry(gateway).or_default();
            *n = n.saturating_add(1);
        }
        ensure!(
            queued == retained,
            "expiry queue and retained batches differ"
        );
        ensure!(
            Expiring::<T>::iter_keys().all(|at| at >= ends.first && at < ends.next),
            "entries outside of the expiry queue"
        );
        let all = Batches::<T>::iter_keys().count() as u64;
        ensure!(
            ends.next.checked_sub(ends.first) == Some(all),
            "batches without gateway"
        );
        Ok(())
    }
}
