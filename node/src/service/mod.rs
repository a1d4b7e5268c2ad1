//! Assembles the node: database and client, consensus, network, RPC, workers and engine.

mod consensus;
mod replication;
pub mod workers;

pub use workers::auditor::PeerRpc;

use crate::{cli::InferenceArgs, rpc};
use sc_client_api::{Backend as _, BlockBackend};
use sc_network::{NetworkBackend, config::FullNetworkConfiguration};
use sc_service::{
    Configuration, PartialComponents, TaskManager, WarpSyncConfig, error::Error as ServiceError,
};
use sc_telemetry::{Telemetry, TelemetryWorker};
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use std::{path::Path, sync::Arc, time::Duration};
use touchstone_runtime::{Hash, RuntimeApi, opaque::Block};

/// Executes the runtime: standard host functions only, so that light clients can run it too.
pub type Executor = sc_executor::WasmExecutor<sp_io::SubstrateHostFunctions>;
/// The chain's client.
pub type Client = sc_service::TFullClient<Block, RuntimeApi, Executor>;
/// Its database.
pub type Backend = sc_service::TFullBackend<Block>;
/// Its transaction pool.
pub type Pool = sc_transaction_pool::TransactionPoolHandle<Block, Client>;
type SelectChain = sc_consensus::LongestChain<Backend, Block>;

/// GRANDPA keeps a justification at least this often, for light clients and warp sync.
const JUSTIFICATION_PERIOD: u32 = 64;

/// What the command line says beyond the usual configuration.
pub struct Options {
    /// Engine and doors.
    pub inference: InferenceArgs,
    /// When to stop for want of disk space.
    pub storage_monitor: sc_storage_monitor::StorageMonitorParams,
}

/// What every command needs.
pub type Partial = PartialComponents<
    Client,
    Backend,
    SelectChain,
    sc_consensus::DefaultImportQueue<Block>,
    Pool,
    (consensus::Parts, Option<Telemetry>),
>;

/// Opens the database and puts together what every command needs.
pub fn new_partial(config: &Configuration) -> Result<Partial, ServiceError> {
    let telemetry = config
        .telemetry_endpoints
        .clone()
        .filter(|endpoints| !endpoints.is_empty())
        .map(|endpoints| -> Result<_, sc_telemetry::Error> {
            let worker = TelemetryWorker::new(16)?;
            let telemetry = worker.handle().new_telemetry(endpoints);
            Ok((worker, telemetry))
        })
        .transpose()?;
    let executor = sc_service::new_wasm_executor(&config.executor);
    let (client, backend, keystore_container, task_manager) =
        sc_service::new_full_parts::<Block, RuntimeApi, _>(
            config,
            telemetry.as_ref().map(|(_, telemetry)| telemetry.handle()),
            executor,
            Vec::new(),
        )?;
    let client = Arc::new(client);
    let telemetry = telemetry.map(|(worker, telemetry)| {
        task_manager
            .spawn_handle()
            .spawn("telemetry", None, worker.run());
        telemetry
    });
    let select_chain = sc_consensus::LongestChain::new(backend.clone());
    let transaction_pool: Arc<Pool> = Arc::from(
        sc_transaction_pool::Builder::new(
            task_manager.spawn_essential_handle(),
            client.clone(),
            config.role.is_authority().into(),
        )
        .with_options(config.transaction_pool.clone())
        .with_prometheus(config.prometheus_registry())
        .build(),
    );
    let (import_queue, parts) = consensus::import(
        config,
        client.clone(),
        select_chain.clone(),
        OffchainTransactionPoolFactory::new(transaction_pool.clone()),
        &task_manager,
        telemetry.as_ref().map(Telemetry::handle),
    )?;
    Ok(PartialComponents {
        client,
        backend,
        task_manager,
        import_queue,
        keystore_container,
        select_chain,
        transaction_pool,
        other: (parts, telemetry),
    })
}

/// Starts the node.
pub async fn new_full<N: NetworkBackend<Block, Hash>>(
    config: Configuration,
    options: Options,
) -> Result<TaskManager, ServiceError> {
    let PartialComponents {
        client,
        backend,
        mut task_manager,
        import_queue,
        keystore_container,
        select_chain,
        transaction_pool,
        other: (parts, mut telemetry),
    } = new_partial(&config)?;

    let registry = config.prometheus_registry().cloned();
    let metrics = N::register_notification_metrics(registry.as_ref());
    let mut net_config =
        FullNetworkConfiguration::<_, _, N>::new(&config.network, registry.clone());
    let genesis_hash = client
        .block_hash(0)?
        .ok_or("the chain has no genesis block")?;
    let grandpa_protocol =
        sc_consensus_grandpa::protocol_standard_name(&genesis_hash, &config.chain_spec);
    let (grandpa_config, grandpa_notifications) =
        sc_consensus_grandpa::grandpa_peers_set_config::<_, N>(
            grandpa_protocol.clone(),
            metrics.clone(),
            net_config.peer_store_handle(),
        );
    net_config.add_notification_protocol(grandpa_config);
    let (memory_protocol, memory_questions) = replication::protocol::<N>(&genesis_hash);
    net_config.add_request_response_protocol(memory_protocol);
    let warp_sync = Arc::new(sc_consensus_grandpa::warp_proof::NetworkProvider::new(
        backend.clone(),
        parts.grandpa_link.shared_authority_set().clone(),
        Vec::new(),
    ));
    let (network, system_rpc_tx, tx_handler_controller, sync_service, _bitswap) =
        sc_service::build_network(sc_service::BuildNetworkParams {
            config: &config,
            net_config,
            client: client.clone(),
            transaction_pool: transaction_pool.clone(),
            spawn_handle: task_manager.spawn_handle(),
            spawn_essential_handle: task_manager.spawn_essential_handle(),
            import_queue,
            block_announce_validator_builder: None,
            warp_sync_config: Some(WarpSyncConfig::WithProvider(warp_sync)),
            block_relay: None,
            metrics,
            gap_sync_body_policy: None,
        })?;

    let keystore = keystore_container.keystore();
    workers::insert_dev_key(&config, &*keystore)?;
    if config.offchain_worker.enabled {
        let offchain = sc_offchain::OffchainWorkers::new(sc_offchain::OffchainWorkerOptions {
            runtime_api_provider: client.clone(),
            keystore: Some(keystore.clone()),
            offchain_db: backend.offchain_storage(),
            transaction_pool: Some(OffchainTransactionPoolFactory::new(
                transaction_pool.clone(),
            )),
            network_provider: Arc::new(network.clone()),
            is_validator: config.role.is_authority(),
            enable_http_requests: false,
            custom_extensions: |_| Vec::new(),
        })?;
        task_manager.spawn_handle().spawn(
            "offchain-workers",
            "offchain",
            offchain.run(client.clone(), task_manager.spawn_handle()),
        );
    }

    let workers = workers::start(workers::Start {
        config: &config,
        inference: options.inference,
        client: client.clone(),
        backend: backend.clone(),
        pool: transaction_pool.clone(),
        keystore: keystore.clone(),
        sync: sync_service.clone(),
        peers: replication::Peers::new(network.clone(), &genesis_hash),
        memory_questions,
        task_manager: &task_manager,
    })
    .await?;

    let role = config.role;
    let name = config.network.node_name.clone();
    let force_authoring = config.force_authoring;
    let enable_grandpa = !config.disable_grandpa;
    let database_path = config.database.path().map(Path::to_path_buf);
    let shared_voter_state = sc_consensus_grandpa::SharedVoterState::empty();

    let rpc_builder = {
        let deps = rpc::Deps {
            client: client.clone(),
            pool: transaction_pool.clone(),
            select_chain: select_chain.clone(),
            keystore: keystore.clone(),
            babe: parts.babe_worker.clone(),
            authority_set: parts.grandpa_link.shared_authority_set().clone(),
            voter_state: shared_voter_state.clone(),
            justifications: parts.grandpa_link.justification_stream(),
            finality_proofs: sc_consensus_grandpa::FinalityProofProvider::new_for_service(
                backend.clone(),
                Some(parts.grandpa_link.shared_authority_set().clone()),
            ),
            workers,
        };
        Box::new(move |executor| rpc::create(&deps, executor).map_err(Into::into))
    };
    sc_service::spawn_tasks(sc_service::SpawnTasksParams {
        config,
        client: client.clone(),
        backend,
        task_manager: &mut task_manager,
        keystore: keystore.clone(),
        transaction_pool: transaction_pool.clone(),
        rpc_builder,
        network: network.clone(),
        system_rpc_tx,
        tx_handler_controller,
        sync_service: sync_service.clone(),
        telemetry: telemetry.as_mut(),
        tracing_execute_block: None,
    })?;

    if let Some(path) = database_path {
        sc_storage_monitor::StorageMonitorService::try_spawn(
            options.storage_monitor,
            path,
            &task_manager.spawn_essential_handle(),
        )
        .map_err(|e| ServiceError::Application(e.into()))?;
    }

    if role.is_authority() {
        consensus::author(consensus::Author {
            client: client.clone(),
            keystore: keystore.clone(),
            select_chain,
            pool: transaction_pool.clone(),
            block_import: parts.block_import,
            babe_link: parts.babe_link,
            sync: sync_service.clone(),
            force_authoring,
            registry: registry.as_ref(),
            telemetry: telemetry.as_ref().map(Telemetry::handle),
            task_manager: &task_manager,
        })?;
    }
    if enable_grandpa {
        let grandpa =
            sc_consensus_grandpa::run_grandpa_voter(sc_consensus_grandpa::GrandpaParams {
                config: sc_consensus_grandpa::Config {
                    gossip_duration: Duration::from_millis(333),
                    justification_generation_period: JUSTIFICATION_PERIOD,
                    name: Some(name),
                    observer_enabled: false,
                    keystore: role.is_authority().then_some(keystore),
                    local_role: role,
                    telemetry: telemetry.as_ref().map(Telemetry::handle),
                    protocol_name: grandpa_protocol,
                },
                link: parts.grandpa_link,
                network,
                sync: sync_service,
                notification_service: grandpa_notifications,
                voting_rule: sc_consensus_grandpa::VotingRulesBuilder::default().build(),
                prometheus_registry: registry,
                shared_voter_state,
                telemetry: telemetry.as_ref().map(Telemetry::handle),
                offchain_tx_pool_factory: OffchainTransactionPoolFactory::new(transaction_pool),
            })?;
        task_manager
            .spawn_essential_handle()
            .spawn_blocking("grandpa-voter", None, grandpa);
    }
    Ok(task_manager)
}
