//! Which receipts are anchored.

use crate::{
    H256, NodeId,
    merkle::{self, Proof},
};
use codec::{Decode, Encode};
use scale_info::TypeInfo;

/// An anchored batch, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct BatchInfo {
    /// Gateway that anchored it.
    pub gateway: NodeId,
    /// Its stream.
    pub stream: u32,
    /// First sequence of the batch.
    pub first: u64,
    /// Last sequence of the batch.
    pub last: u64,
    /// Number of receipts: last - first + 1.
    pub count: u32,
    /// Merkle root over receipt ids, in order of sequence.
    pub root: H256,
    /// Version of the routing policy.
    pub policy_version: u32,
    /// Block that anchored it.
    pub block: u32,
}

impl BatchInfo {
    /// Whether `proof` shows that the receipt of this id stands at `sequence` of the batch.
    ///
    /// Anybody who has the batch from the chain (by API, storage proof or light client) can decide this alone. A proof for
    /// another place of the same tree is refused.
    pub fn holds(&self, sequence: u64, id: &H256, proof: &Proof) -> bool {
        sequence.checked_sub(self.first) == Some(u64::from(proof.index))
            && proof.count == self.count
            && merkle::verify(&self.root, id, proof)
    }
}

/// Where a gateway's next batch must start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct StreamHead {
    /// Current stream.
    pub stream: u32,
    /// First sequence that is not anchored.
    pub next: u64,
}

sp_api::decl_runtime_apis! {
    /// Anchored receipt batches.
    pub trait ReceiptsApi {
        /// The batch that holds this sequence, while its root is retained.
        fn batch_of(gateway: NodeId, stream: u32, sequence: u64) -> Option<BatchInfo>;
        /// Where the gateway's next batch must start.
        fn head(gateway: NodeId) -> StreamHead;
        /// Whether the receipt id is anchored at this place.
        fn is_anchored(gateway: NodeId, stream: u32, sequence: u64, id: H256, proof: Proof) -> bool;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_anchored_only_at_its_own_place() {
        let ids: Vec<H256> = (0..5).map(H256::repeat_byte).collect();
        let batch = BatchInfo {
            gateway: NodeId::new([1; 32]),
            stream: 0,
            first: 10,
            last: 14,
            count: 5,
            root: merkle::root(&ids),
            policy_version: 0,
            block: 1,
        };
        let proof = merkle::prove(&ids, 2).unwrap();
        assert!(batch.holds(12, &ids[2], &proof));
        for sequence in [0, 9, 11, 13, u64::MAX] {
            assert!(!batch.holds(sequence, &ids[2], &proof));
        }
        assert!(!batch.holds(12, &ids[3], &proof));
        let longer = BatchInfo {
            last: 15,
            count: 6,
            ..batch
        };
        assert!(!longer.holds(12, &ids[2], &proof));
    }
}
