//! Namespaces of memory and their roots.

use crate::{
    AccountId32, H256,
    memory::{
        Key, Kind, NamespaceId, Rights, State, Value, Visibility, Writer, Writers,
        tree::{BadProof, Proof},
    },
};
use alloc::{string::String, vec::Vec};
use codec::{Decode, Encode};
use scale_info::TypeInfo;

/// A namespace, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct NamespaceInfo {
    /// Its id.
    pub id: NamespaceId,
    /// Its name.
    pub name: String,
    /// Whose knowledge it holds.
    pub kind: Kind,
    /// Who decides about it.
    pub owner: AccountId32,
    /// Who may change it.
    pub writers: Writers,
    /// Who may hold and read it.
    pub visibility: Visibility,
    /// Accounts that the owner lists, with what they may do.
    pub granted: Vec<(AccountId32, Rights)>,
    /// Its newest state.
    pub state: State,
    /// Root of that state.
    pub root: H256,
    /// Bytes of its fragments.
    pub bytes: u64,
    /// Block of the last commit, or of the creation.
    pub block: u32,
}

/// A root that the chain keeps.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct RootInfo {
    /// The state that it commits to.
    pub state: State,
    /// The root.
    pub root: H256,
    /// Merkle root over the signed writes that led to it.
    pub batch: H256,
    /// Who committed it; absent for the council.
    pub writer: Option<Writer>,
    /// Block that anchored it.
    pub block: u32,
    /// Name of the snapshot if it is one; snapshots are kept for as long as the namespace.
    pub snapshot: Option<String>,
}

/// Why a statement about a namespace does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub enum NotProven {
    /// There is no such namespace.
    UnknownNamespace,
    /// The version was never committed, or is not kept any more.
    UnknownVersion,
    /// The proof does not show it.
    BadProof(BadProof),
}

sp_api::decl_runtime_apis! {
    /// Memory: namespaces, their roots, and what a proof shows against them.
    pub trait MemoryApi {
        /// A namespace.
        fn namespace(id: NamespaceId) -> Option<NamespaceInfo>;
        /// Namespaces in the order of their ids, at most 100 at once, after the one given.
        fn namespaces(after: Option<NamespaceId>, limit: u32) -> Vec<NamespaceInfo>;
        /// The root of a version that is kept.
        fn memory_root(id: NamespaceId, version: u64) -> Option<RootInfo>;
        /// All roots that are kept, oldest first: the last 64 and the snapshots.
        fn memory_history(id: NamespaceId) -> Vec<RootInfo>;
        /// What an account, or the node of that stash account, may do.
        fn memory_rights(id: NamespaceId, who: AccountId32) -> Rights;
        /// What a version holds at these keys, as the proof shows.
        fn memory_verify(id: NamespaceId, version: u64, keys: Vec<Key>, proof: Proof) -> Result<Vec<Option<Value>>, NotProven>;
    }
}
