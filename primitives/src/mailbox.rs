//! The slot through which a gateway's worker asks the chain's offchain hook to anchor a batch of receipts.
//!
//! The worker (native code) writes one record, the hook of the receipts pallet reads it at every best block. The slot lives in the
//! offchain storage of the node, which is neither durable at once nor private to this program: a record therefore carries
//! a version and a checksum, and whatever does not decode is ignored. The worker's journal stays the truth; it overwrites the slot
//! whenever the next batch is due and at start.

use crate::{H256, NodeId, tagged_hash};
use alloc::vec::Vec;
use codec::{Decode, DecodeAll, Encode};

/// Key of the slot in the persistent offchain storage.
///
/// Native code adds the prefix of that storage (`sp_core::offchain::STORAGE_PREFIX`); the runtime's host functions add it themselves.
pub const ANCHOR_SLOT: &[u8] = b"touchstone/mailbox/anchor";

/// Version of the record, its first byte.
pub const RECORD_VERSION: u8 = 1;

const CHECKSUM_TAG: &str = "touchstone/mailbox/anchor/1";

/// A batch of receipts that the gateway's worker wants anchored.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AnchorTask {
    /// The gateway.
    pub node: NodeId,
    /// Its stream.
    pub stream: u32,
    /// First sequence of the batch.
    pub first: u64,
    /// Last sequence of the batch.
    pub last: u64,
    /// Merkle root over the receipt ids, in order of sequence ([`crate::merkle::root`]).
    pub root: H256,
    /// Version of the routing policy that the receipts were answered under.
    pub policy_version: u32,
}

impl AnchorTask {
    /// What tells two tasks apart: the hash of their content.
    pub fn id(&self) -> H256 {
        tagged_hash(CHECKSUM_TAG, &[&self.encode()])
    }
}

/// Why the bytes of the slot are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadRecord {
    /// Too short, or written by another version of the node.
    Version,
    /// The checksum does not match: torn, or written by something else.
    Checksum,
    /// The checksum matches and the content still is no task.
    Content,
}

/// The record of a task: version, checksum, SCALE of the task.
pub fn encode_task(task: &AnchorTask) -> Vec<u8> {
    let mut record = Vec::with_capacity(128);
    record.push(RECORD_VERSION);
    record.extend_from_slice(task.id().as_bytes());
    task.encode_to(&mut record);
    record
}

/// The task of a record, or why there is none.
pub fn decode_task(record: &[u8]) -> Result<AnchorTask, BadRecord> {
    let (&version, rest) = record.split_first().ok_or(BadRecord::Version)?;
    if version != RECORD_VERSION {
        return Err(BadRecord::Version);
    }
    let (checksum, content) = rest.split_at_checked(32).ok_or(BadRecord::Version)?;
    if tagged_hash(CHECKSUM_TAG, &[content]).as_bytes() != checksum {
        return Err(BadRecord::Checksum);
    }
    AnchorTask::decode_all(&mut &*content).map_err(|_| BadRecord::Content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn task() -> AnchorTask {
        AnchorTask {
            node: NodeId::new([7; 32]),
            stream: 1,
            first: 20,
            last: 29,
            root: H256::repeat_byte(3),
            policy_version: 2,
        }
    }

    #[test]
    fn a_record_comes_back() {
        assert_eq!(decode_task(&encode_task(&task())), Ok(task()));
    }

    #[test]
    fn records_are_pinned() {
        let expected = [
            "01",
            "e1988a67cea5912b3bf3d8e4dee22f5e5d371f5a8ccd69f84687670b961d29bb",
            "0707070707070707070707070707070707070707070707070707070707070707",
            "01000000",
            "1400000000000000",
            "1d00000000000000",
            "0303030303030303030303030303030303030303030303030303030303030303",
            "02000000",
        ];
        assert_eq!(hex::encode(encode_task(&task())), expected.concat());
    }

    #[test]
    fn another_version_is_told_apart_from_damage() {
        let mut record = encode_task(&task());
        record[0] = 2;
        assert_eq!(decode_task(&record), Err(BadRecord::Version));
        assert_eq!(decode_task(&[]), Err(BadRecord::Version));
        assert_eq!(decode_task(&[RECORD_VERSION; 20]), Err(BadRecord::Version));
    }

    #[test]
    fn content_that_is_no_task_is_refused_even_with_its_checksum() {
        let mut content = task().encode();
        content.push(0);
        let mut record = vec![RECORD_VERSION];
        record.extend_from_slice(tagged_hash(CHECKSUM_TAG, &[&content]).as_bytes());
        record.extend_from_slice(&content);
        assert_eq!(decode_task(&record), Err(BadRecord::Content));
    }

    proptest! {
        #[test]
        fn garbage_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(decode_task(&bytes).is_err());
        }

        #[test]
        fn a_torn_or_flipped_record_is_refused(cut in any::<usize>(), bit in any::<usize>()) {
            let record = encode_task(&task());
            prop_assert!(decode_task(&record[..cut % record.len()]).is_err());
            let mut flipped = record.clone();
            flipped[bit / 8 % record.len()] ^= 1 << (bit % 8);
            prop_assert!(decode_task(&flipped).is_err());
        }
    }
}
