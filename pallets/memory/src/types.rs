//! What the pallet stores, and why it refuses commits.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{BoundedVec, pallet_prelude::InvalidTransaction, traits::ConstU32};
use scale_info::TypeInfo;
use touchstone_primitives::{
    AccountId32, H256,
    memory::{Key, Kind, MAX_NAMESPACE_NAME, RETAINED, State, Visibility, Writer, Writers},
};

/// Most accounts that the owner of a namespace lists.
pub const MAX_GRANTS: u32 = 64;
/// Most snapshots of a namespace.
pub const MAX_SNAPSHOTS: u32 = 64;
/// Most keys that are verified on chain at once.
pub const MAX_KEYS: u32 = 16;
/// Most versions that a commit goes on by, so that nobody can use up the numbers of a namespace.
pub const MAX_ADVANCE: u64 = 1 << 32;

/// Name of a namespace or of a snapshot.
pub type Name = BoundedVec<u8, ConstU32<MAX_NAMESPACE_NAME>>;
/// Keys that are verified at once.
pub type Keys = BoundedVec<Key, ConstU32<MAX_KEYS>>;

/// A namespace.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Namespace<Balance, BlockNumber> {
    /// Its name; the id is [its hash](touchstone_primitives::memory::namespace_id).
    pub name: Name,
    /// Whose knowledge it holds.
    pub kind: Kind,
    /// Who decides about it.
    pub owner: AccountId32,
    /// The member who paid the deposit, and gets it back.
    pub sponsor: AccountId32,
    /// That deposit.
    pub deposit: Balance,
    /// Who may change it.
    pub writers: Writers,
    /// Who may hold and read it.
    pub visibility: Visibility,
    /// Its newest state.
    pub state: State,
    /// Bytes of its fragments, as the last commit says.
    pub bytes: u64,
    /// Block of the last commit, or of the creation.
    pub committed_at: BlockNumber,
    /// Block of the creation.
    pub since: BlockNumber,
    /// Versions that are kept for being among the last, oldest first.
    pub retained: BoundedVec<u64, ConstU32<RETAINED>>,
    /// Number of its snapshots.
    pub snapshots: u32,
    /// Number of accounts that its owner lists.
    pub grants: u32,
}

/// A committed state of a namespace.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Root<BlockNumber> {
    /// The state. It comes first: light clients read these 80 bytes by a proof of storage.
    pub state: State,
    /// Merkle root over the signed writes that led to it.
    pub batch: H256,
    /// Who committed it; absent for the council and for the empty state.
    pub writer: Option<Writer>,
    /// Block that anchored it.
    pub block: BlockNumber,
    /// Name of the snapshot if it is one.
    pub snapshot: Option<Name>,
}

/// How many commits of writers are in a block.
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
pub struct InBlock<BlockNumber> {
    /// The block.
    pub block: BlockNumber,
    /// Commits in it.
    pub count: u32,
}

/// Why a commit is refused before it reaches a block.
///
/// `Custom(code)` in the transaction's error is one of the codes below; errors that the SDK has a name for use that. A commit that is in
/// order and not signed by its writer over exactly its content is refused as `BadProof`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such namespace. `Custom(1)`.
    UnknownNamespace,
    /// The block that it was valid until has passed. `Custom(2)`.
    Expired,
    /// Valid for longer than `MaxValidity` blocks. `Custom(3)`.
    ValidTooLong,
    /// The namespace has another root than the commit goes on from. `Stale`.
    StaleRoot,
    /// The version is not above the newest one, or more than [`MAX_ADVANCE`] above it. `Custom(4)`.
    BadVersion,
    /// Number of fragments and tree do not fit: one is empty and the other is not. `Custom(5)`.
    BadState,
    /// More bytes than a namespace may have. `Custom(6)`.
    TooLarge,
    /// The writer is a node that is not active. `Custom(7)`.
    NodeNotActive,
    /// The writer may not change this namespace. `Custom(8)`.
    NotPermitted,
    /// The namespace was created or changed in this block, or the block has all the commits it takes; the pool keeps the commit for the next one.
    /// `ExhaustsResources`.
    TooManyInBlock,
}

impl From<Refusal> for InvalidTransaction {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::UnknownNamespace => Self::Custom(1),
            Refusal::Expired => Self::Custom(2),
            Refusal::ValidTooLong => Self::Custom(3),
            Refusal::StaleRoot => Self::Stale,
            Refusal::BadVersion => Self::Custom(4),
            Refusal::BadState => Self::Custom(5),
            Refusal::TooLarge => Self::Custom(6),
            Refusal::NodeNotActive => Self::Custom(7),
            Refusal::NotPermitted => Self::Custom(8),
            Refusal::TooManyInBlock => Self::ExhaustsResources,
        }
    }
}
