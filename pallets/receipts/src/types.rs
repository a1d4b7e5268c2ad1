//! What the pallet stores, and why it refuses submissions.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::pallet_prelude::InvalidTransaction;
use scale_info::TypeInfo;
use touchstone_primitives::H256;

/// An anchored batch of receipts.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Batch<BlockNumber> {
    /// Stream of the gateway.
    pub stream: u32,
    /// First sequence of the batch.
    pub first: u64,
    /// Number of receipts; the last sequence is `first + count - 1`.
    pub count: u32,
    /// Merkle root over the receipt ids, in order of sequence.
    pub root: H256,
    /// Version of the routing policy that the receipts were answered under.
    pub policy_version: u32,
    /// Block that anchored it.
    pub block: BlockNumber,
}

/// Where a gateway stands.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Head<BlockNumber> {
    /// Current stream.
    pub stream: u32,
    /// First sequence that is not anchored.
    pub next: u64,
    /// Number of the oldest batch that is retained.
    pub oldest: u64,
    /// Number that the next batch gets. Batches are numbered from 0 through all streams of the gateway.
    pub next_batch: u64,
    /// Block of the latest batch.
    pub block: BlockNumber,
    /// Batches of the gateway in that block.
    pub in_block: u32,
}

/// Ends of the queue of batches, oldest first, that wait for the end of their retention.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Queue {
    /// Position of the oldest entry.
    pub first: u64,
    /// Position that the next entry gets.
    pub next: u64,
}

/// Why a submission is refused before it reaches a block.
///
/// `Custom(code)` in the transaction's error is one of the codes below; errors that the SDK has a name for use that. A submission that is
/// due and not signed by the node's current worker key over exactly its content is refused as `BadProof`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The node is not an active gateway. `Custom(1)`.
    NotGateway,
    /// The last sequence is below the first. `Custom(2)`.
    EmptyBatch,
    /// More receipts than `MaxBatch`. `Custom(3)`.
    BatchTooBig,
    /// The block that it was valid until has passed. `Custom(4)`.
    Expired,
    /// Valid for longer than `MaxValidity` blocks. `Custom(5)`.
    ValidTooLong,
    /// Neither the current stream nor the next one. `Custom(6)`.
    WrongStream,
    /// The sequence is anchored already. `Stale`.
    AlreadyAnchored,
    /// The batch does not start where the last one ended. `Future`.
    Gap,
    /// The gateway has anchored `MaxBatchesPerBlock` in this block; the pool keeps the submission for the next one. `ExhaustsResources`.
    TooManyInBlock,
}

impl From<Refusal> for InvalidTransaction {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotGateway => Self::Custom(1),
            Refusal::EmptyBatch => Self::Custom(2),
            Refusal::BatchTooBig => Self::Custom(3),
            Refusal::Expired => Self::Custom(4),
            Refusal::ValidTooLong => Self::Custom(5),
            Refusal::WrongStream => Self::Custom(6),
            Refusal::AlreadyAnchored => Self::Stale,
            Refusal::Gap => Self::Future,
            Refusal::TooManyInBlock => Self::ExhaustsResources,
        }
    }
}
