//! One connection to one node: blocks, state, runtime APIs.

use crate::{Error, Result};
use codec::{Decode, DecodeAll, Encode};
use jsonrpsee::{
    core::{
        client::{ClientT, Subscription, SubscriptionClientT},
        traits::ToRpcParams,
    },
    rpc_params,
    ws_client::{WsClient, WsClientBuilder},
};
use serde::de::DeserializeOwned;
use sp_core::{Bytes, H256};
use sp_runtime::{generic, traits::BlakeTwo256};
use std::time::Duration;
use touchstone_primitives::{
    AccountId32, Moment, NodeId,
    apis::*,
    audit::Audit,
    canary::Commitments,
    memory::{Key, NamespaceId, Rights, Value, tree::Proof},
    reputation::Fold,
    worker::WorkerId,
};
use touchstone_rpc::{Health, NodeClient};

/// Header of a block.
pub type Header = generic::Header<u32, BlakeTwo256>;

/// A block as the node sends it.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Block {
    /// Its header.
    pub header: Header,
    /// Its transactions, SCALE-encoded with their length.
    pub extrinsics: Vec<Bytes>,
}

#[derive(serde::Deserialize)]
struct SignedBlock {
    block: Block,
}

/// Which runtime a node runs.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeVersion {
    /// Name of the chain's specification.
    pub spec_name: String,
    /// Version of the runtime.
    pub spec_version: u32,
    /// Version of the transaction format.
    pub transaction_version: u32,
}

/// A connection to one node.
pub struct Chain {
    client: WsClient,
    url: String,
    genesis: H256,
}

impl Chain {
    /// Connects and asks for the genesis hash.
    pub async fn connect(url: &str) -> Result<Self> {
        let client = WsClientBuilder::default()
            .connection_timeout(Duration::from_secs(10))
            .request_timeout(Duration::from_secs(300))
            .max_request_size(32 * 1024 * 1024)
            .max_response_size(64 * 1024 * 1024)
            .build(url)
            .await
            .map_err(|e| Error::Unreachable {
                url: url.into(),
                reason: e.to_string(),
            })?;
        let mut chain = Self {
            client,
            url: url.into(),
            genesis: H256::zero(),
        };
        chain.genesis = chain
            .block_hash(0)
            .await?
            .ok_or_else(|| Error::Unreadable {
                what: "the genesis block".into(),
                reason: "there is none".into(),
            })?;
        Ok(chain)
    }

    /// The JSON-RPC client, for the typed clients of `touchstone-rpc`.
    pub fn client(&self) -> &WsClient {
        &self.client
    }

    /// Address of the node.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Genesis hash of the chain.
    pub fn genesis(&self) -> H256 {
        self.genesis
    }

    /// Any request.
    pub async fn request<R: DeserializeOwned>(
        &self,
        method: &str,
        params: impl ToRpcParams + Send,
    ) -> Result<R> {
        self.client
            .request(method, params)
            .await
            .map_err(|e| Error::of(method, e))
    }

    /// Hash of the block of this number on the node's best chain.
    pub async fn block_hash(&self, number: u32) -> Result<Option<H256>> {
        self.request("chain_getBlockHash", rpc_params![number])
            .await
    }

    /// Hash of the best block.
    pub async fn best(&self) -> Result<H256> {
        self.request("chain_getBlockHash", rpc_params![]).await
    }

    /// Hash of the last finalised block.
    pub async fn finalized(&self) -> Result<H256> {
        self.request("chain_getFinalizedHead", rpc_params![]).await
    }

    /// Header of a block.
    pub async fn header(&self, hash: H256) -> Result<Header> {
        let header: Option<Header> = self.request("chain_getHeader", rpc_params![hash]).await?;
        header.ok_or_else(|| Error::Unreadable {
            what: format!("the header of {hash:?}"),
            reason: "the node does not know the block".into(),
        })
    }

    /// Number of the best block.
    pub async fn best_number(&self) -> Result<u32> {
        Ok(self.header(self.best().await?).await?.number)
    }

    /// Number of the last finalised block.
    pub async fn finalized_number(&self) -> Result<u32> {
        Ok(self.header(self.finalized().await?).await?.number)
    }

    /// A block with its transactions.
    pub async fn block(&self, hash: H256) -> Result<Block> {
        let block: Option<SignedBlock> = self.request("chain_getBlock", rpc_params![hash]).await?;
        block
            .map(|signed| signed.block)
            .ok_or_else(|| Error::Unreadable {
                what: format!("block {hash:?}"),
                reason: "the node does not know it".into(),
            })
    }

    /// Headers of blocks as they become final.
    pub async fn finalized_heads(&self) -> Result<Subscription<Header>> {
        let method = "chain_subscribeFinalizedHeads";
        self.client
            .subscribe(method, rpc_params![], "chain_unsubscribeFinalizedHeads")
            .await
            .map_err(|e| Error::of(method, e))
    }

    /// Which runtime is in force after this block.
    pub async fn runtime_version(&self, at: H256) -> Result<RuntimeVersion> {
        self.request("state_getRuntimeVersion", rpc_params![at])
            .await
    }

    /// Calls a runtime API, for example `ConsortiumApi_members`; several arguments are a tuple, none is `()`.
    pub async fn call<R: Decode>(
        &self,
        function: &str,
        arguments: &impl Encode,
        at: H256,
    ) -> Result<R> {
        let bytes: Bytes = self
            .request(
                "state_call",
                rpc_params![function, Bytes(arguments.encode()), at],
            )
            .await?;
        decode(function, &bytes)
    }

    /// Reads a storage value.
    pub async fn storage<V: Decode>(&self, key: &[u8], at: H256) -> Result<Option<V>> {
        let bytes: Option<Bytes> = self
            .request("state_getStorage", rpc_params![Bytes(key.to_vec()), at])
            .await?;
        bytes
            .map(|bytes| decode("a storage value", &bytes))
            .transpose()
    }

    /// The chain's clock: the timestamp of a block, milliseconds.
    pub async fn timestamp(&self, at: H256) -> Result<Moment> {
        Ok(self
            .storage(&storage_key("Timestamp", "Now"), at)
            .await?
            .unwrap_or_default())
    }

    /// Members that are not revoked.
    pub async fn members(&self, at: H256) -> Result<Vec<MemberInfo>> {
        self.call("ConsortiumApi_members", &(), at).await
    }

    /// All nodes.
    pub async fn nodes(&self, at: H256) -> Result<Vec<NodeInfo>> {
        self.call("ConsortiumApi_nodes", &(), at).await
    }

    /// One node.
    pub async fn node(&self, node: &NodeId, at: H256) -> Result<Option<NodeInfo>> {
        self.call("ConsortiumApi_node", node, at).await
    }

    /// The node whose current worker key this is.
    pub async fn node_of_worker(&self, key: &WorkerId, at: H256) -> Result<Option<NodeId>> {
        self.call("ConsortiumApi_node_of_worker", key, at).await
    }

    /// The worker key that was valid for the node at `time`, as the state after block `at` says.
    pub async fn worker_key_at(
        &self,
        node: &NodeId,
        time: Moment,
        at: H256,
    ) -> Result<Option<WorkerId>> {
        self.call("ConsortiumApi_worker_key_at", &(node, time), at)
            .await
    }

    /// The anchored batch that holds a sequence.
    pub async fn batch_of(
        &self,
        gateway: &NodeId,
        stream: u32,
        sequence: u64,
        at: H256,
    ) -> Result<Option<BatchInfo>> {
        self.call("ReceiptsApi_batch_of", &(gateway, stream, sequence), at)
            .await
    }

    /// Where the gateway's next batch must start.
    pub async fn stream_head(&self, gateway: &NodeId, at: H256) -> Result<StreamHead> {
        self.call("ReceiptsApi_head", gateway, at).await
    }

    /// All topics.
    pub async fn topics(&self, at: H256) -> Result<Vec<TopicInfo>> {
        self.call("RegistryApi_topics", &(), at).await
    }

    /// All registered bases and adapters.
    pub async fn registered_models(&self, at: H256) -> Result<Vec<ModelInfo>> {
        self.call("RegistryApi_models", &(), at).await
    }

    /// Who serves what.
    pub async fn serving(&self, at: H256) -> Result<Vec<ServingInfo>> {
        self.call("RegistryApi_serving", &(), at).await
    }

    /// The topic of this name or number.
    pub async fn topic(&self, name: &str, at: H256) -> Result<Option<TopicInfo>> {
        let number = name.parse::<TopicId>().ok();
        let is_meant =
            |topic: &TopicInfo| topic.name == name.as_bytes() || Some(topic.id) == number;
        Ok(self.topics(at).await?.into_iter().find(is_meant))
    }

    /// What a node has shown on every topic with evidence.
    pub async fn reputation_vector(&self, node: &NodeId, at: H256) -> Result<Vec<TopicStanding>> {
        self.call("ReputationApi_vector", node, at).await
    }

    /// The nodes of a topic by reputation.
    pub async fn ranking(&self, topic: TopicId, at: H256) -> Result<Ranking> {
        self.call("ReputationApi_ranking", &topic, at).await
    }

    /// How a node's number on a topic came about.
    pub async fn explain(
        &self,
        node: &NodeId,
        topic: TopicId,
        at: H256,
    ) -> Result<Option<Explanation>> {
        self.call("ReputationApi_explain", &(node, topic), at).await
    }

    /// The last folds of a node's evidence on a topic, oldest first.
    pub async fn evidence_history(
        &self,
        node: &NodeId,
        topic: TopicId,
        at: H256,
    ) -> Result<Vec<Fold>> {
        self.call("ReputationApi_history", &(node, topic), at).await
    }

    /// How far the nodes of a topic err alike.
    pub async fn correlations(&self, topic: TopicId, at: H256) -> Result<Correlations> {
        self.call("ReputationApi_correlations", &topic, at).await
    }

    /// What is watched of the nodes of a topic.
    pub async fn watched(&self, topic: TopicId, at: H256) -> Result<Vec<Watched>> {
        self.call("ReputationApi_watched", &topic, at).await
    }

    /// What topics are examined in.
    pub async fn canary_topics(&self, at: H256) -> Result<Vec<CanaryTopicInfo>> {
        self.call("CanariesApi_canary_topics", &(), at).await
    }

    /// Who serves what.
    pub async fn enrolments(&self, at: H256) -> Result<Vec<EnrolmentInfo>> {
        self.call("CanariesApi_enrolments", &(), at).await
    }

    /// Rounds that are not settled, oldest first.
    pub async fn rounds(&self, at: H256) -> Result<Vec<RoundInfo>> {
        self.call("CanariesApi_rounds", &(), at).await
    }

    /// A round, while it is kept.
    pub async fn round(&self, round: u32, at: H256) -> Result<Option<RoundInfo>> {
        self.call("CanariesApi_round", &round, at).await
    }

    /// Duties of a node in a round.
    pub async fn duties(&self, round: u32, node: &NodeId, at: H256) -> Result<Vec<DutyInfo>> {
        self.call("CanariesApi_duties", &(round, node), at).await
    }

    /// A canary of a member, while it waits or its round is kept.
    pub async fn canary(&self, id: u32, at: H256) -> Result<Option<CanaryInfo>> {
        self.call("CanariesApi_canary", &id, at).await
    }

    /// Canaries of members on a topic, by number.
    pub async fn canaries(&self, topic: TopicId, at: H256) -> Result<Vec<CanaryInfo>> {
        self.call("CanariesApi_canaries", &topic, at).await
    }

    /// What a node committed to in a round.
    pub async fn commitments(
        &self,
        round: u32,
        node: &NodeId,
        at: H256,
    ) -> Result<Option<Commitments>> {
        self.call("CanariesApi_commitments", &(round, node), at)
            .await
    }

    /// Slots that a node has revealed in a round.
    pub async fn revealed(&self, round: u32, node: &NodeId, at: H256) -> Result<Vec<u8>> {
        self.call("CanariesApi_revealed", &(round, node), at).await
    }

    /// The running epoch.
    pub async fn epoch(&self, at: H256) -> Result<u32> {
        self.call("CanariesApi_epoch", &(), at).await
    }

    /// Blind audits of an epoch, by auditor.
    pub async fn audits(&self, epoch: u32, at: H256) -> Result<Vec<(NodeId, Audit)>> {
        self.call("CanariesApi_audits", &epoch, at).await
    }

    /// Pass rates on a topic.
    pub async fn family_rates(&self, topic: TopicId, at: H256) -> Result<Vec<FamilyInfo>> {
        self.call("CanariesApi_family_rates", &topic, at).await
    }

    /// A namespace of memory.
    pub async fn namespace(&self, id: NamespaceId, at: H256) -> Result<Option<NamespaceInfo>> {
        self.call("MemoryApi_namespace", &id, at).await
    }

    /// All namespaces of memory, in the order of their ids.
    pub async fn namespaces(&self, at: H256) -> Result<Vec<NamespaceInfo>> {
        const PAGE: u32 = 100;
        let mut all = Vec::<NamespaceInfo>::new();
        loop {
            let after = all.last().map(|namespace| namespace.id);
            let page: Vec<NamespaceInfo> = self
                .call("MemoryApi_namespaces", &(after, PAGE), at)
                .await?;
            let is_last = page.len() < PAGE as usize;
            all.extend(page);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// The root of a version of a namespace, if it is kept.
    pub async fn memory_root(
        &self,
        id: NamespaceId,
        version: u64,
        at: H256,
    ) -> Result<Option<RootInfo>> {
        self.call("MemoryApi_memory_root", &(id, version), at).await
    }

    /// The roots of a namespace that are kept, oldest first.
    pub async fn memory_history(&self, id: NamespaceId, at: H256) -> Result<Vec<RootInfo>> {
        self.call("MemoryApi_memory_history", &id, at).await
    }

    /// What an account, or the node of that stash account, may do with a namespace.
    pub async fn memory_rights(
        &self,
        id: NamespaceId,
        who: &AccountId32,
        at: H256,
    ) -> Result<Rights> {
        self.call("MemoryApi_memory_rights", &(id, who), at).await
    }

    /// What a version of a namespace holds at these keys, as the proof shows.
    pub async fn memory_verify(
        &self,
        id: NamespaceId,
        version: u64,
        keys: &[Key],
        proof: &Proof,
        at: H256,
    ) -> Result<std::result::Result<Vec<Option<Value>>, NotProven>> {
        self.call("MemoryApi_memory_verify", &(id, version, keys, proof), at)
            .await
    }

    /// Next nonce of an account, transactions in the pool included.
    pub async fn next_nonce(&self, account: &AccountId32) -> Result<u32> {
        self.request("system_accountNextIndex", rpc_params![account])
            .await
    }

    /// How the node does.
    pub async fn health(&self) -> Result<Health> {
        self.client
            .health()
            .await
            .map_err(|e| Error::of("node_health", e))
    }
}

/// Key of a storage value.
pub fn storage_key(pallet: &str, item: &str) -> Vec<u8> {
    [pallet, item]
        .map(|name| sp_crypto_hashing::twox_128(name.as_bytes()))
        .concat()
}

fn decode<T: Decode>(what: &str, bytes: &[u8]) -> Result<T> {
    T::decode_all(&mut &bytes[..]).map_err(|e| Error::Unreadable {
        what: what.into(),
        reason: e.to_string(),
    })
}
