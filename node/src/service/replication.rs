//! Memory between nodes: a request-response protocol by which a node gets log and content of a namespace from those that hold it.
//!
//! Only active nodes of the consortium are answered, and only about namespaces that they may hold. What is sent are lines that a finalised
//! block anchors; whoever receives them checks signatures, hashes and the root, so that an answer can be wrong but not harmful.

use crate::service::{Client, workers::Link};
use codec::{Decode, DecodeAll, Encode};
use futures::StreamExt;
use parking_lot::Mutex;
use sc_network::{
    IfDisconnected, NetworkBackend, PeerId, ProtocolName,
    request_responses::{IncomingRequest, OutgoingResponse},
    service::traits::NetworkService,
};
use sp_api::ProvideRuntimeApi;
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use touchstone_memory::{Content, MemoryError, Store};
use touchstone_primitives::{
    H256,
    apis::{ConsortiumApi, MemoryApi, NodeInfo},
    consortium::NodeStatus,
    memory::{Key, MAX_BATCH, NamespaceId, Write},
};
use touchstone_runtime::{Hash, opaque::Block};

/// Most bytes of a question: the keys of a page of content.
const MAX_REQUEST: u64 = 64 << 10;
/// Most bytes of an answer: a page of the log has about 1 MiB, one of content as much and one fragment more.
const MAX_RESPONSE: u64 = 4 << 20;
/// How long a peer may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Questions that wait.
const QUEUE: usize = 64;
/// Questions that are answered at the same time, each from another peer.
const SLOTS: usize = 4;
/// Keys of a page of content.
pub const MAX_KEYS: usize = 1024;

/// What a node asks.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Request {
    /// Lines of the log after a version.
    #[codec(index = 0)]
    Log {
        /// The namespace.
        namespace: NamespaceId,
        /// Version that the node has.
        after: u64,
    },
    /// Content of fragments.
    #[codec(index = 1)]
    Contents {
        /// The namespace.
        namespace: NamespaceId,
        /// Where they are, at most [`MAX_KEYS`].
        keys: Vec<Key>,
    },
}

/// What it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Response {
    /// Lines that a finalised block anchors, each with its version; whole versions.
    #[codec(index = 0)]
    Log {
        /// What tells the key of a sealed namespace from others.
        sealed: Option<Vec<u8>>,
        /// The lines.
        lines: Vec<(u64, Write)>,
    },
    /// Content, in the order of the keys; what is not here is left out, and so is what does not fit.
    #[codec(index = 1)]
    Contents(Vec<Content>),
    /// Nothing, and why.
    #[codec(index = 2)]
    Refused(Refused),
}

/// Why a node is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Refused {
    /// It asks for more at once than is answered.
    #[codec(index = 0)]
    Busy,
    /// It is no active node, or may not hold the namespace.
    #[codec(index = 1)]
    NotAllowed,
    /// The namespace is not held here.
    #[codec(index = 2)]
    NotHeld,
    /// The question cannot be read.
    #[codec(index = 3)]
    Malformed,
    /// This node failed.
    #[codec(index = 4)]
    Failed,
}

fn name(genesis: &Hash) -> ProtocolName {
    format!("/{}/touchstone/memory/1", hex::encode(genesis)).into()
}

/// Configuration of the protocol, and where its questions arrive.
pub fn protocol<N: NetworkBackend<Block, Hash>>(
    genesis: &Hash,
) -> (
    N::RequestResponseProtocolConfig,
    async_channel::Receiver<IncomingRequest>,
) {
    let (queue, questions) = async_channel::bounded(QUEUE);
    let config = N::request_response_config(
        name(genesis),
        Vec::new(),
        MAX_REQUEST,
        MAX_RESPONSE,
        TIMEOUT,
        Some(queue),
    );
    (config, questions)
}

/// Peers of a node, to ask.
#[derive(Clone)]
pub struct Peers {
    network: Arc<dyn NetworkService>,
    protocol: ProtocolName,
}

impl Peers {
    /// Over the network of the chain with this genesis.
    pub fn new(network: Arc<dyn NetworkService>, genesis: &Hash) -> Self {
        Self {
            network,
            protocol: name(genesis),
        }
    }

    /// Asks the peer that this node of the consortium is known by.
    pub async fn ask(&self, node: &NodeInfo, request: Request) -> Result<Response, String> {
        let peer = PeerId::from_bytes(&node.peer_id).map_err(|e| e.to_string())?;
        let asked = self.network.request(
            peer,
            self.protocol.clone(),
            request.encode(),
            None,
            IfDisconnected::ImmediateError,
        );
        let (answer, _) = asked.await.map_err(|e| e.to_string())?;
        match Response::decode_all(&mut answer.as_slice()) {
            Ok(Response::Refused(reason)) => Err(format!("it refuses: {reason:?}")),
            Ok(response) => Ok(response),
            Err(error) => Err(format!("its answer cannot be read: {error}")),
        }
    }
}

/// Answers other nodes.
pub struct Server {
    /// The chain.
    pub link: Link,
    /// What this node holds.
    pub store: Arc<Store>,
}

impl Server {
    /// Answers until the queue is closed.
    pub async fn run(self, questions: async_channel::Receiver<IncomingRequest>) {
        let (server, slots) = (Arc::new(self), Arc::new(Semaphore::new(SLOTS)));
        let busy: Arc<Mutex<HashSet<PeerId>>> = Arc::default();
        let mut questions = std::pin::pin!(questions);
        while let Some(question) = questions.next().await {
            let peer = question.peer;
            // A peer that asks the next thing before it has its answer waits for nobody but itself.
            if !busy.lock().insert(peer) {
                answer(question, Response::Refused(Refused::Busy));
                continue;
            }
            let Ok(slot) = slots.clone().acquire_owned().await else {
                return;
            };
            let (server, busy) = (server.clone(), busy.clone());
            tokio::task::spawn_blocking(move || {
                let response = server.respond(&peer, &question.payload);
                answer(question, response);
                busy.lock().remove(&peer);
                drop(slot);
            });
        }
    }

    fn respond(&self, peer: &PeerId, question: &[u8]) -> Response {
        let response = match Request::decode_all(&mut &*question) {
            Ok(request) => self.try_respond(peer, request),
            Err(_) => Err(Refused::Malformed),
        };
        response.unwrap_or_else(Response::Refused)
    }

    fn try_respond(&self, peer: &PeerId, request: Request) -> Result<Response, Refused> {
        let (Request::Log { namespace, .. } | Request::Contents { namespace, .. }) = &request;
        self.admit(peer, namespace)?;
        let failed = |error| match error {
            MemoryError::UnknownNamespace(_) => Refused::NotHeld,
            error => {
                log::warn!(target: "memory", "a peer's question could not be answered: {error}");
                Refused::Failed
            }
        };
        match request {
            Request::Log { namespace, after } => {
                let held = self.store.namespace(&namespace).map_err(failed)?;
                let anchored = held.anchored.map_or(0, |(version, _)| version);
                let lines = self.store.log(&namespace, after, MAX_BATCH);
                let mut lines = lines.map_err(failed)?;
                lines.retain(|(version, _)| *version <= anchored);
                let sealed = self.store.token(&namespace).map_err(failed)?;
                Ok(Response::Log { sealed, lines })
            }
            Request::Contents { keys, .. } if keys.len() > MAX_KEYS => Err(Refused::Malformed),
            Request::Contents { namespace, keys } => {
                let contents = self.store.contents(&namespace, &keys);
                Ok(Response::Contents(contents.map_err(failed)?))
            }
        }
    }

    /// Only active nodes that may hold the namespace.
    fn admit(&self, peer: &PeerId, namespace: &NamespaceId) -> Result<(), Refused> {
        let best = self.link.chain.best().hash;
        let peer = peer.to_bytes();
        let nodes = nodes(&self.link.client, best).map_err(|_| Refused::Failed)?;
        let node = nodes.into_iter().find(|node| node.peer_id == peer);
        let node = node.ok_or(Refused::NotAllowed)?;
        let rights = self.link.api().memory_rights(best, *namespace, node.node);
        match rights.map_err(|_| Refused::Failed)?.hold {
            true => Ok(()),
            false => Err(Refused::NotAllowed),
        }
    }
}

fn answer(question: IncomingRequest, response: Response) {
    let _ = question.pending_response.send(OutgoingResponse {
        result: Ok(response.encode()),
        reputation_changes: Vec::new(),
        sent_feedback: None,
    });
}

/// Active nodes of the consortium.
pub fn nodes(client: &Client, at: H256) -> Result<Vec<NodeInfo>, String> {
    let nodes = client.runtime_api().nodes(at).map_err(|e| e.to_string())?;
    let is_active = |node: &NodeInfo| node.status == NodeStatus::Active;
    Ok(nodes.into_iter().filter(is_active).collect())
}
