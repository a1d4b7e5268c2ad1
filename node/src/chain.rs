//! The chain as the gateway and the workers see it: reads over the client's runtime APIs.

use crate::service::Client;
use sc_client_api::{HeaderBackend, StorageKey, StorageProvider};
use sc_network_sync::SyncingService;
use sp_api::{ApiError, ProvideRuntimeApi};
use sp_consensus_babe::BabeApi;
use sp_crypto_hashing::twox_128;
use std::sync::Arc;
use touchstone_gateway::{BlockRef, ChainState, Network, StateError};
use touchstone_primitives::{
    AccountId32, H256, Moment, NodeId,
    apis::{
        BatchInfo, ConsortiumApi, MemberInfo, MemoryApi, ModelInfo, NamespaceInfo, NodeInfo,
        ReceiptsApi, RegistryApi, RootInfo, StreamHead, TopicInfo,
    },
    memory::{NamespaceId, Rights},
    receipt::Beacon,
    worker::WorkerId,
};
use touchstone_runtime::opaque::Block;

/// Namespaces that are read at once.
const NAMESPACES: u32 = 100;

/// Reads of this node's chain.
#[derive(Clone)]
pub struct Chain {
    client: Arc<Client>,
    sync: Arc<SyncingService<Block>>,
    network: Arc<std::sync::RwLock<Network>>,
}

fn unreadable(what: impl std::fmt::Display) -> StateError {
    StateError(format!("cannot read the chain's state: {what}"))
}

impl Chain {
    /// Over this client. [`Chain::watch_network`] keeps the count of peers fresh.
    pub fn new(client: Arc<Client>, sync: Arc<SyncingService<Block>>) -> Self {
        Self {
            client,
            sync,
            network: Default::default(),
        }
    }

    /// Asks the sync service for the state of the network every other second.
    pub async fn watch_network(self) {
        use sp_consensus::SyncOracle;
        loop {
            if let Ok(status) = self.sync.status().await
                && let Ok(mut network) = self.network.write()
            {
                network.peers = status.num_peers;
                network.is_syncing = self.sync.is_major_syncing();
            }
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        }
    }
}

impl ChainState for Chain {
    fn genesis(&self) -> H256 {
        self.client.info().genesis_hash
    }

    fn best(&self) -> BlockRef {
        let info = self.client.info();
        BlockRef {
            number: info.best_number,
            hash: info.best_hash,
        }
    }

    fn finalized(&self) -> BlockRef {
        let info = self.client.info();
        BlockRef {
            number: info.finalized_number,
            hash: info.finalized_hash,
        }
    }

    fn hash_of(&self, number: u32) -> Result<Option<H256>, StateError> {
        self.client.hash(number).map_err(unreadable)
    }

    fn network(&self) -> Network {
        self.network
            .read()
            .map(|network| *network)
            .unwrap_or_default()
    }

    fn now(&self, at: H256) -> Result<Moment, StateError> {
        let key = StorageKey([twox_128(b"Timestamp"), twox_128(b"Now")].concat());
        let now = self.client.storage(at, &key).map_err(unreadable)?;
        // The genesis block has no time yet.
        now.map_or(Ok(0), |bytes| {
            codec::Decode::decode(&mut &bytes.0[..]).map_err(unreadable)
        })
    }

    fn beacon(&self, at: H256) -> Result<Beacon, StateError> {
        let epoch = self
            .client
            .runtime_api()
            .current_epoch(at)
            .map_err(unreadable)?;
        Ok(Beacon {
            session: epoch.epoch_index as u32,
            randomness: H256(epoch.randomness),
        })
    }

    fn topics(&self, at: H256) -> Result<Vec<TopicInfo>, StateError> {
        self.client.runtime_api().topics(at).map_err(unreadable)
    }

    fn models(&self, at: H256) -> Result<Vec<ModelInfo>, StateError> {
        self.client.runtime_api().models(at).map_err(unreadable)
    }

    fn members(&self, at: H256) -> Result<Vec<MemberInfo>, StateError> {
        self.client.runtime_api().members(at).map_err(unreadable)
    }

    fn node(&self, at: H256, node: &NodeId) -> Result<Option<NodeInfo>, StateError> {
        ConsortiumApi::node(&*self.client.runtime_api(), at, node.clone()).map_err(unreadable)
    }

    fn node_of_worker(&self, at: H256, key: &WorkerId) -> Result<Option<NodeId>, StateError> {
        self.client
            .runtime_api()
            .node_of_worker(at, key.clone())
            .map_err(unreadable)
    }

    fn worker_key_at(
        &self,
        at: H256,
        node: &NodeId,
        time: Moment,
    ) -> Result<Option<WorkerId>, StateError> {
        self.client
            .runtime_api()
            .worker_key_at(at, node.clone(), time)
            .map_err(unreadable)
    }

    fn batch_of(
        &self,
        at: H256,
        gateway: &NodeId,
        stream: u32,
        sequence: u64,
    ) -> Result<Option<BatchInfo>, StateError> {
        let batch: Result<_, ApiError> =
            self.client
                .runtime_api()
                .batch_of(at, gateway.clone(), stream, sequence);
        batch.map_err(unreadable)
    }

    fn head(&self, at: H256, gateway: &NodeId) -> Result<StreamHead, StateError> {
        self.client
            .runtime_api()
            .head(at, gateway.clone())
            .map_err(unreadable)
    }

    fn namespace(&self, at: H256, id: &NamespaceId) -> Result<Option<NamespaceInfo>, StateError> {
        self.client
            .runtime_api()
            .namespace(at, *id)
            .map_err(unreadable)
    }

    fn namespaces(&self, at: H256) -> Result<Vec<NamespaceInfo>, StateError> {
        let api = self.client.runtime_api();
        let mut all: Vec<NamespaceInfo> = Vec::new();
        loop {
            let after = all.last().map(|last| last.id);
            let page = api.namespaces(at, after, NAMESPACES).map_err(unreadable)?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    fn memory_root(
        &self,
        at: H256,
        id: &NamespaceId,
        version: u64,
    ) -> Result<Option<RootInfo>, StateError> {
        self.client
            .runtime_api()
            .memory_root(at, *id, version)
            .map_err(unreadable)
    }

    fn memory_history(&self, at: H256, id: &NamespaceId) -> Result<Vec<RootInfo>, StateError> {
        self.client
            .runtime_api()
            .memory_history(at, *id)
            .map_err(unreadable)
    }

    fn memory_rights(
        &self,
        at: H256,
        id: &NamespaceId,
        who: &AccountId32,
    ) -> Result<Rights, StateError> {
        self.client
            .runtime_api()
            .memory_rights(at, *id, who.clone())
            .map_err(unreadable)
    }
}
