//! What the gateway wants to know of the chain. The node implements it over its client, tests over plain values.

use touchstone_primitives::{
    AccountId32, H256, Moment, NodeId,
    apis::{
        BatchInfo, MemberInfo, ModelInfo, NamespaceInfo, NodeInfo, RootInfo, StreamHead, TopicInfo,
    },
    memory::{NamespaceId, Rights},
    receipt::Beacon,
    worker::WorkerId,
};

/// A block by number and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRef {
    /// Number.
    pub number: u32,
    /// Hash.
    pub hash: H256,
}

/// How the node stands in the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Connected peers.
    pub peers: u32,
    /// Whether the node is far behind its peers and catching up.
    pub is_syncing: bool,
}

/// The node's chain state could not be read: pruned, unknown block, or a runtime without the API. The text says which.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StateError(pub String);

/// Reads the chain. `at` is the hash of the block whose state is read, so that several reads agree with each other.
pub trait ChainState: Send + Sync {
    /// Genesis hash.
    fn genesis(&self) -> H256;
    /// The best block.
    fn best(&self) -> BlockRef;
    /// The last finalised block.
    fn finalized(&self) -> BlockRef;
    /// Hash of the block of this number on the best chain.
    fn hash_of(&self, number: u32) -> Result<Option<H256>, StateError>;
    /// Peers and sync.
    fn network(&self) -> Network;
    /// The chain's clock: timestamp of the block, milliseconds.
    fn now(&self, at: H256) -> Result<Moment, StateError>;
    /// Session and its randomness.
    fn beacon(&self, at: H256) -> Result<Beacon, StateError>;
    /// All topics.
    fn topics(&self, at: H256) -> Result<Vec<TopicInfo>, StateError>;
    /// All bases and adapters.
    fn models(&self, at: H256) -> Result<Vec<ModelInfo>, StateError>;
    /// Members that are not revoked.
    fn members(&self, at: H256) -> Result<Vec<MemberInfo>, StateError>;
    /// One node.
    fn node(&self, at: H256, node: &NodeId) -> Result<Option<NodeInfo>, StateError>;
    /// The node whose current worker key this is.
    fn node_of_worker(&self, at: H256, key: &WorkerId) -> Result<Option<NodeId>, StateError>;
    /// The worker key that was valid for the node at this time.
    fn worker_key_at(
        &self,
        at: H256,
        node: &NodeId,
        time: Moment,
    ) -> Result<Option<WorkerId>, StateError>;
    /// The anchored batch that holds this sequence.
    fn batch_of(
        &self,
        at: H256,
        gateway: &NodeId,
        stream: u32,
        sequence: u64,
    ) -> Result<Option<BatchInfo>, StateError>;
    /// Where the gateway's next batch must start.
    fn head(&self, at: H256, gateway: &NodeId) -> Result<StreamHead, StateError>;
    /// A namespace of memory.
    fn namespace(&self, at: H256, id: &NamespaceId) -> Result<Option<NamespaceInfo>, StateError>;
    /// All namespaces.
    fn namespaces(&self, at: H256) -> Result<Vec<NamespaceInfo>, StateError>;
    /// The root of a version of a namespace that the chain keeps.
    fn memory_root(
        &self,
        at: H256,
        id: &NamespaceId,
        version: u64,
    ) -> Result<Option<RootInfo>, StateError>;
    /// All roots of a namespace that the chain keeps, oldest first.
    fn memory_history(&self, at: H256, id: &NamespaceId) -> Result<Vec<RootInfo>, StateError>;
    /// What an account, or the node of that stash account, may do with a namespace.
    fn memory_rights(
        &self,
        at: H256,
        id: &NamespaceId,
        who: &AccountId32,
    ) -> Result<Rights, StateError>;
}
