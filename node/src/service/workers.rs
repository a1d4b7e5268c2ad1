//! The engine, the journal, the doors and the receipt anchorer of this node.

pub mod auditor;
mod canaries;
mod custody;
mod engine;
mod link;
mod memory;
mod metrics;

use super::{
    Backend, Client, Pool,
    replication::{Peers, Server},
};
use crate::{
    chain::Chain,
    cli::{InferenceArgs, OnOff},
};
use futures::{StreamExt, stream};
use jsonrpsee::RpcModule;
pub use link::Link;
use sc_client_api::{Backend as _, BlockchainEvents};
use sc_network::request_responses::IncomingRequest;
use sc_network_sync::SyncingService;
use sc_service::{ChainType, Configuration, TaskManager, error::Error as ServiceError};
use sp_keystore::{Keystore, KeystorePtr};
use std::{path::PathBuf, sync::Arc};
use touchstone_gateway::{
    Answerer, ChainState, Limits, Memory, anchor, canaries::Canaries, openai, rpc,
};
use touchstone_memory::Store;
use touchstone_primitives::worker;
use touchstone_runtime::opaque::Block;
use touchstone_workers::{
    AnchorLimits, Anchorer, Auditor, Custodian, Journal, OffchainMailbox, Runner, Vault,
};

/// API key of the OpenAI-compatible door on chains with well-known keys.
const DEV_KEY: &str = "devnet";

/// What the workers start from.
pub struct Start<'a> {
    /// The node's configuration.
    pub config: &'a Configuration,
    /// Engine and doors.
    pub inference: InferenceArgs,
    /// The chain.
    pub client: Arc<Client>,
    /// Its database, for the mailbox.
    pub backend: Arc<Backend>,
    /// Takes the node's own transactions.
    pub pool: Arc<Pool>,
    /// Worker key.
    pub keystore: KeystorePtr,
    /// Peers.
    pub sync: Arc<SyncingService<Block>>,
    /// Nodes that hold memory.
    pub peers: Peers,
    /// What they ask.
    pub memory_questions: async_channel::Receiver<IncomingRequest>,
    /// Runs the tasks.
    pub task_manager: &'a TaskManager,
}

/// The running workers, as far as RPC needs them.
pub struct Workers {
    answerer: Arc<Answerer>,
    chain: Arc<dyn ChainState>,
    journal: Arc<Journal>,
    memory: Arc<Memory>,
    link: Link,
    openai_port: Option<u16>,
}

impl Workers {
    /// Adds the product's own methods.
    pub fn merge_into(
        &self,
        module: &mut RpcModule<()>,
    ) -> Result<(), jsonrpsee::core::RegisterMethodError> {
        use touchstone_rpc::{
            CanaryServer, InferenceServer, MemoryServer, NodeServer, ReceiptsServer,
        };
        let (answerer, chain) = (self.answerer.clone(), self.chain.clone());
        module.merge(rpc::Inference::new(answerer.clone()).into_rpc())?;
        module.merge(rpc::MemoryDoor::new(self.memory.clone()).into_rpc())?;
        let vault = Vault::new(self.journal.clone());
        let custody = custody::Custody::new(self.link.clone(), vault);
        module.merge(custody.into_rpc())?;
        module.merge(rpc::Receipts::new(chain, self.journal.clone()).into_rpc())?;
        let version = env!("CARGO_PKG_VERSION");
        module.merge(rpc::Node::new(answerer, version, self.openai_port).into_rpc())
    }
}

/// Development accounts (`--alice` and so on) bring their worker key as they bring their session keys.
pub fn insert_dev_key(config: &Configuration, keystore: &dyn Keystore) -> Result<(), ServiceError> {
    if let Some(seed) = &config.dev_key_seed {
        keystore
            .sr25519_generate_new(worker::KEY_TYPE, Some(seed))
            .map_err(|e| ServiceError::Other(format!("cannot insert the worker key: {e}")))?;
    }
    Ok(())
}

fn other(e: impl std::fmt::Display) -> ServiceError {
    ServiceError::Other(e.to_string())
}

/// Starts engine, journal, doors and anchorer.
pub async fn start(start: Start<'_>) -> Result<Workers, ServiceError> {
    let Start {
        config,
        inference,
        client,
        backend,
        pool,
        keystore,
        sync,
        peers,
        memory_questions,
        task_manager,
    } = start;
    let spawn = task_manager.spawn_handle();

    let reads = Chain::new(client.clone(), sync);
    spawn.spawn(
        "network-watch",
        Some("workers"),
        reads.clone().watch_network(),
    );
    let chain: Arc<dyn ChainState> = Arc::new(reads);

    let path = inference
        .journal
        .clone()
        .unwrap_or_else(|| journal_path(config));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| other(format!("{}: {e}", folder.display())))?;
    }
    let journal = Arc::new(Journal::open(&path, chain.genesis()).map_err(other)?);

    let engine = engine::start(&inference).map_err(other)?;
    let limits = Limits {
        slots: inference.engine_slots,
        queue: inference.engine_queue,
        ..Limits::default()
    };
    let canaries_on = inference.canaries.unwrap_or(match engine {
        Some(_) => OnOff::On,
        None => OnOff::Off,
    });
    let answerer = Answerer::new(
        engine.clone(),
        chain.clone(),
        keystore.clone(),
        journal.clone(),
        limits,
    );

    let mut openai_port = None;
    if let Some(port) = inference.openai_port {
        let mut keys = inference.openai_key.clone();
        let well_known = config.chain_spec.chain_type() != ChainType::Live;
        if keys.is_empty() && well_known {
            keys.push(DEV_KEY.into());
        }
        let listener = openai::bind(port).await.map_err(|e| {
            other(format!(
                "cannot open the OpenAI-compatible door on port {port}: {e}"
            ))
        })?;
        openai_port = listener.local_addr().ok().map(|address| address.port());
        let door = openai::serve(listener, answerer.clone(), keys).map_err(other)?;
        spawn.spawn("openai-door", Some("workers"), door);
    }

    let mailbox = OffchainMailbox::new(
        backend
            .offchain_storage()
            .ok_or_else(|| other("the database has no offchain storage"))?,
    );
    let anchorer = Anchorer::new(
        journal.clone(),
        anchor::View::new(chain.clone(), keystore.clone()),
        mailbox,
        AnchorLimits::default(),
    );
    let link = Link {
        client: client.clone(),
        pool,
        chain: chain.clone(),
        keystore,
    };
    let store = Store::open(&path.with_file_name("memory")).map_err(other)?;
    let store = Arc::new(store);
    let memory = Memory::new(
        store.clone(),
        chain.clone(),
        engine.clone(),
        link.keystore.clone(),
        Arc::new(link.clone()),
        limits,
    );
    answerer.set_memory(memory.clone());
    let openings = custody::Openings(link.clone());
    let custodian = Custodian::new(Vault::new(journal.clone()), openings.clone(), openings);
    let audited: std::collections::BTreeMap<_, _> = inference
        .peer_rpc
        .iter()
        .map(|peer| (peer.node.clone(), peer.url.clone()))
        .collect();
    let auditor = (!audited.is_empty()).then(|| {
        let audits = auditor::Audits {
            link: link.clone(),
            peers: audited,
        };
        Auditor::new(journal.clone(), audits.clone(), audits.clone(), audits)
    });
    let runner = (canaries_on == OnOff::On).then(|| {
        let rounds = canaries::Rounds {
            link: link.clone(),
            max_tokens: inference.canary_tokens,
        };
        let engine = Canaries::new(answerer.clone());
        Runner::new(journal.clone(), rounds.clone(), rounds, engine)
    });
    if let Some(registry) = config.prometheus_registry() {
        let metrics = metrics::Metrics::register(registry).map_err(other)?;
        let canaries = runner.as_ref().map(Runner::counters);
        spawn.spawn(
            "worker-metrics",
            Some("workers"),
            metrics.watch(
                answerer.clone(),
                anchorer.counters(),
                canaries,
                memory.clone(),
            ),
        );
    }
    let wakeups = || {
        Box::pin(stream::select(
            client
                .import_notification_stream()
                .filter_map(|block| async move { block.is_new_best.then_some(()) }),
            client.finality_notification_stream().map(|_| ()),
        ))
    };
    spawn.spawn_blocking("receipt-anchorer", Some("workers"), anchorer.run(wakeups()));
    spawn.spawn_blocking(
        "canary-custodian",
        Some("workers"),
        custodian.run(wakeups()),
    );
    let keeper = memory::Keeper::new(link.clone(), store.clone(), peers);
    spawn.spawn_blocking("memory-keeper", Some("workers"), keeper.run(wakeups()));
    if let Some(engine) = engine {
        let embedding = memory::embed(store.clone(), engine);
        spawn.spawn_blocking("memory-embedder", Some("workers"), embedding);
    }
    let server = Server {
        link: link.clone(),
        store,
    };
    spawn.spawn(
        "memory-server",
        Some("workers"),
        server.run(memory_questions),
    );
    if let Some(auditor) = auditor {
        spawn.spawn_blocking("blind-auditor", Some("workers"), auditor.run(wakeups()));
    }
    if let Some(runner) = runner {
        let work = runner.run(wakeups());
        spawn.spawn_blocking("canary-runner", Some("workers"), work);
    }

    Ok(Workers {
        answerer,
        chain,
        journal,
        memory,
        link,
        openai_port,
    })
}

/// `journal` beside the chain database: purging the chain leaves it alone.
fn journal_path(config: &Configuration) -> PathBuf {
    config
        .base_path
        .config_dir(config.chain_spec.id())
        .join("journal")
}
