//! Stored types.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{BoundedVec, traits::ConstU32};
use scale_info::TypeInfo;
use touchstone_primitives::{
    NodeId,
    apis::OffenceRecord,
    evidence::{RING_LENGTH, RingEntry},
    reputation::{Account, Fold, Safety},
};

/// Most folds kept of an account.
pub const MAX_FOLDS: u32 = 32;
/// Most offences kept of a group.
pub const MAX_OFFENCES: u32 = 32;

/// Last answers to shared instances, oldest first.
pub type Ring = BoundedVec<RingEntry, ConstU32<RING_LENGTH>>;
/// Last folds, oldest first.
pub type Folds = BoundedVec<Fold, ConstU32<MAX_FOLDS>>;

/// What a node has shown on a topic, and for whom.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct NodeAccount {
    /// The member that ran the node. A stash account that is registered by another one starts from nothing.
    pub member: NodeId,
    /// The evidence.
    pub account: Account,
}

/// The past of an operator group.
#[derive(
    Clone,
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
pub struct Group {
    /// Its safety factor.
    pub safety: Safety,
    /// Last offences, oldest first.
    pub offences: BoundedVec<OffenceRecord, ConstU32<MAX_OFFENCES>>,
}
