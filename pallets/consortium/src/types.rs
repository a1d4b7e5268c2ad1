//! What is stored and what calls and events carry.

use alloc::{boxed::Box, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{BoundedVec, traits::ConstU32};
use scale_info::TypeInfo;
use sp_core::H256;
use sp_staking::{SessionIndex, offence::Kind};
use touchstone_primitives::{
    Moment,
    consortium::{HardwareTier, MemberStatus, NodeStatus, Roles},
    provenance::Jurisdiction,
    worker::WorkerId,
};

/// Hard limit of nodes of one member; `MaxNodesPerMember` may be lower.
pub const NODES_LIMIT: u32 = 16;
/// Most candidates that wait for a vote.
pub const MAX_CANDIDATES: u32 = 32;
/// Most worker keys that are kept for one node.
pub const MAX_WORKER_KEYS: u32 = 32;
/// Most calls that wait to be executed as Root.
pub const MAX_ROOT_PROPOSALS: u32 = 16;
/// Calls up to this encoded length, in bytes, are shown whole in events.
pub const SHOWN_CALL_LENGTH: usize = 4096;

/// Libp2p PeerId, as bytes of its multihash.
pub type PeerId = BoundedVec<u8, ConstU32<64>>;
/// Multiaddress, as text.
pub type Address = BoundedVec<u8, ConstU32<128>>;
/// Addresses at which a node can be reached.
pub type Addresses = BoundedVec<Address, ConstU32<8>>;
/// Worker keys of a node, oldest first; the last one is the current one.
pub type WorkerKeys = BoundedVec<WorkerKey, ConstU32<MAX_WORKER_KEYS>>;

/// An organisation of the consortium.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Member<AccountId> {
    /// Blake2b-256 of the registered legal name, UTF-8.
    pub legal_name_hash: H256,
    /// ISO 3166-1 alpha-2 code of the country of registration.
    pub jurisdiction: Jurisdiction,
    /// Where the member stands.
    pub status: MemberStatus,
    /// The member's nodes, in the order of registration.
    pub nodes: BoundedVec<AccountId, ConstU32<NODES_LIMIT>>,
}

/// A machine of a member, named by its stash account.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Node<AccountId, Balance> {
    /// The member that runs it and on whose account the bond is held.
    pub member: AccountId,
    /// What it may do.
    pub roles: Roles,
    /// What its machine can sustain.
    pub tier: HardwareTier,
    /// Where the node itself stands. It works only while its member is active too.
    pub status: NodeStatus,
    /// Libp2p PeerId, as bytes.
    pub peer_id: PeerId,
    /// Multiaddresses, as text.
    pub addresses: Addresses,
    /// Held on the member's account for this node.
    pub bond: Balance,
    /// When the bond of a leaving node can be withdrawn, in milliseconds.
    pub unlocks_at: Option<Moment>,
    /// Offences up to this session have been punished; later reports of them change nothing.
    pub punished_through: Option<SessionIndex>,
}

/// What was added to a node's bond lately.
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
pub struct AddedBond<Balance> {
    /// How much.
    pub amount: Balance,
    /// When the last of it was added, in milliseconds.
    pub at: Moment,
}

/// A worker key and the time during which it is valid.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct WorkerKey {
    /// The key (sr25519).
    pub key: WorkerId,
    /// First valid moment, in milliseconds.
    pub from: Moment,
    /// First moment at which it is no longer valid; none for the current key.
    pub until: Option<Moment>,
}

/// Who is suspended: a member with all its nodes, or one node.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum Subject<AccountId> {
    /// A member.
    Member(AccountId),
    /// A node.
    Node(AccountId),
}

/// Why somebody is suspended.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum Cause {
    /// The council voted for it.
    Council,
    /// A proven offence of this kind, for example `babe:equivocatio`.
    Offence(Kind),
}

/// A suspension in force.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Suspension {
    /// Why.
    pub cause: Cause,
    /// When it began, in milliseconds.
    pub since: Moment,
    /// When it lapses, at the next session's start; none if only the council can end it.
    pub until: Option<Moment>,
    /// Whether it has already been prolonged because a revocation was pending.
    pub prolonged: bool,
}

/// A call that waits for the time-lock before it is executed as Root.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct RootProposal<BlockNumber, BoundedCall> {
    /// Number of the proposal.
    pub id: u32,
    /// Block in which the call is executed, or the first later one with room for it.
    pub at: BlockNumber,
    /// The call: whole if it is short, else the hash and length of its preimage.
    pub call: BoundedCall,
}

/// A call, as events show it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum ShownCall<Call> {
    /// The call itself.
    Whole(Box<Call>),
    /// A call of more than 4 KiB; the preimage pallet holds all of it.
    Long {
        /// Blake2b-256 of the encoded call.
        hash: H256,
        /// Length of the encoded call in bytes.
        length: u32,
        /// Pallet that is called.
        pallet: Vec<u8>,
        /// Function that is called.
        function: Vec<u8>,
    },
}

/// A founding member.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GenesisMember<AccountId> {
    /// Account of the organisation.
    pub account: AccountId,
    /// Blake2b-256 of its registered legal name, UTF-8.
    pub legal_name_hash: H256,
    /// ISO 3166-1 alpha-2 code.
    pub jurisdiction: Jurisdiction,
}

/// A node that works from the first block.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GenesisNode<AccountId, Balance> {
    /// Stash account.
    pub node: AccountId,
    /// Member that runs it; its account must hold the bond.
    pub member: AccountId,
    /// What it may do.
    pub roles: Roles,
    /// What its machine can sustain.
    pub tier: HardwareTier,
    /// Libp2p PeerId, as bytes.
    pub peer_id: Vec<u8>,
    /// Multiaddresses, as text.
    pub addresses: Vec<Vec<u8>>,
    /// Key with which its worker signs.
    pub worker_key: WorkerId,
    /// Bond to put on hold.
    pub bond: Balance,
}
