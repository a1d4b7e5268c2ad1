//! What the runtime API shows.

use crate::{BatchOf, Batches, Config, Heads, Pallet};
use sp_runtime::SaturatedConversion;
use touchstone_primitives::{
    H256, NodeId,
    apis::{BatchInfo, StreamHead},
    merkle::Proof,
};

impl<T: Config> Pallet<T> {
    /// Where the gateway's next batch must start.
    pub fn head(gateway: NodeId) -> StreamHead {
        let head = Heads::<T>::get(gateway);
        StreamHead {
            stream: head.stream,
            next: head.next,
        }
    }

    /// The batch that holds this sequence, while its root is retained.
    ///
    /// Retained batches are numbered in order of stream and sequence, so this is a binary search.
    pub fn batch_of(gateway: NodeId, stream: u32, sequence: u64) -> Option<BatchInfo> {
        let head = Heads::<T>::get(&gateway);
        let (mut low, mut high) = (head.oldest, head.next_batch);
        while low < high {
            let middle = low.midpoint(high);
            let BatchOf::<T> {
                stream: of,
                first,
                count,
                root,
                policy_version,
                block,
            } = Batches::<T>::get(&gateway, middle)?;
            let next = first.saturating_add(count.into());
            if (of, next) <= (stream, sequence) {
                low = middle.saturating_add(1);
            } else if (of, first) > (stream, sequence) {
                high = middle;
            } else {
                let (last, block) = (next.saturating_sub(1), block.saturated_into());
                return Some(BatchInfo {
                    gateway,
                    stream,
                    first,
                    last,
                    count,
                    root,
                    policy_version,
                    block,
                });
            }
        }
        None
    }

    /// Whether the receipt id is anchored at this place.
    pub fn is_anchored(
        gateway: NodeId,
        stream: u32,
        sequence: u64,
        id: H256,
        proof: Proof,
    ) -> bool {
        Self::batch_of(gateway, stream, sequence)
            .is_some_and(|batch| batch.holds(sequence, &id, &proof))
    }
}
