//! BABE and GRANDPA: importing blocks and authoring them.

use super::{Backend, Client, JUSTIFICATION_PERIOD, Pool, SelectChain};
use sc_consensus::DefaultImportQueue;
use sc_consensus_babe::{BabeBlockImport, BabeLink, BabeWorkerHandle, SlotProportion};
use sc_consensus_grandpa::{GrandpaBlockImport, LinkHalf};
use sc_network_sync::SyncingService;
use sc_service::{Configuration, TaskManager, error::Error as ServiceError};
use sc_telemetry::TelemetryHandle;
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_consensus_babe::{SlotDuration, inherents::InherentDataProvider as SlotInherent};
use sp_inherents::CreateInherentDataProviders;
use sp_keystore::KeystorePtr;
use std::sync::Arc;
use substrate_prometheus_endpoint::Registry;
use touchstone_runtime::{Hash, opaque::Block};

type Inherents = (SlotInherent, sp_timestamp::InherentDataProvider);

/// Slot and time for a block that is made or checked now.
#[derive(Clone)]
pub struct Slots(SlotDuration);

#[async_trait::async_trait]
impl CreateInherentDataProviders<Block, ()> for Slots {
    type InherentDataProviders = Inherents;

    async fn create_inherent_data_providers(
        &self,
        _parent: Hash,
        _: (),
    ) -> Result<Inherents, Box<dyn std::error::Error + Send + Sync>> {
        let timestamp = sp_timestamp::InherentDataProvider::from_system_time();
        Ok((
            SlotInherent::from_timestamp_and_slot_duration(*timestamp, self.0),
            timestamp,
        ))
    }
}

type Grandpa = GrandpaBlockImport<Backend, Block, Client, SelectChain>;
/// The import pipeline: BABE around GRANDPA around the client.
pub type BlockImport = BabeBlockImport<Block, Client, Grandpa, Slots, SelectChain>;

/// What consensus needs after the import queue is built.
pub struct Parts {
    /// Imports own blocks.
    pub block_import: BlockImport,
    /// GRANDPA's half of the link to the import.
    pub grandpa_link: LinkHalf<Block, Client, SelectChain>,
    /// BABE's epochs.
    pub babe_link: BabeLink<Block>,
    /// Questions to BABE, for RPC.
    pub babe_worker: BabeWorkerHandle<Block>,
}

/// Builds the import pipeline.
pub fn import(
    config: &Configuration,
    client: Arc<Client>,
    select_chain: SelectChain,
    pool: OffchainTransactionPoolFactory<Block>,
    task_manager: &TaskManager,
    telemetry: Option<TelemetryHandle>,
) -> Result<(DefaultImportQueue<Block>, Parts), ServiceError> {
    let (grandpa_import, grandpa_link) = sc_consensus_grandpa::block_import(
        client.clone(),
        JUSTIFICATION_PERIOD,
        &client,
        select_chain.clone(),
        telemetry.clone(),
    )?;
    let justification_import = grandpa_import.clone();
    let babe_config = sc_consensus_babe::configuration(&*client)?;
    let slots = Slots(babe_config.slot_duration());
    let (block_import, babe_link) = sc_consensus_babe::block_import(
        babe_config,
        grandpa_import,
        client.clone(),
        slots,
        select_chain,
        pool,
    )?;
    let (queue, babe_worker) =
        sc_consensus_babe::import_queue(sc_consensus_babe::ImportQueueParams {
            link: babe_link.clone(),
            block_import: block_import.clone(),
            justification_import: Some(Box::new(justification_import)),
            client,
            slot_duration: babe_link.config().slot_duration(),
            spawner: &task_manager.spawn_essential_handle(),
            registry: config.prometheus_registry(),
            telemetry,
        })?;
    Ok((
        queue,
        Parts {
            block_import,
            grandpa_link,
            babe_link,
            babe_worker,
        },
    ))
}

/// What authoring needs.
pub struct Author<'a> {
    /// The chain.
    pub client: Arc<Client>,
    /// Holds the BABE key.
    pub keystore: KeystorePtr,
    /// Finds the block to build on.
    pub select_chain: SelectChain,
    /// Transactions to put into blocks.
    pub pool: Arc<Pool>,
    /// Imports own blocks.
    pub block_import: BlockImport,
    /// BABE's epochs.
    pub babe_link: BabeLink<Block>,
    /// Whether the node is catching up.
    pub sync: Arc<SyncingService<Block>>,
    /// Author even without peers.
    pub force_authoring: bool,
    /// Metrics.
    pub registry: Option<&'a Registry>,
    /// Telemetry.
    pub telemetry: Option<TelemetryHandle>,
    /// Runs the worker.
    pub task_manager: &'a TaskManager,
}

/// Starts to author blocks.
pub fn author(params: Author<'_>) -> Result<(), ServiceError> {
    let proposer = sc_basic_authorship::ProposerFactory::new(
        params.task_manager.spawn_handle(),
        params.client.clone(),
        params.pool,
        params.registry,
        params.telemetry.clone(),
    );
    let slots = Slots(params.babe_link.config().slot_duration());
    let babe = sc_consensus_babe::start_babe(sc_consensus_babe::BabeParams {
        keystore: params.keystore,
        client: params.client,
        select_chain: params.select_chain,
        env: proposer,
        block_import: params.block_import,
        sync_oracle: params.sync.clone(),
        justification_sync_link: params.sync,
        create_inherent_data_providers: slots,
        force_authoring: params.force_authoring,
        // Fewer blocks would not help finality, and the way out of a stall is counted in blocks (docs/operate.md).
        backoff_authoring_blocks: None::<
            sc_consensus_slots::BackoffAuthoringOnFinalizedHeadLagging<u32>,
        >,
        babe_link: params.babe_link,
        block_proposal_slot_portion: SlotProportion::new(0.5),
        max_block_proposal_slot_portion: None,
        telemetry: params.telemetry,
    })?;
    params.task_manager.spawn_essential_handle().spawn_blocking(
        "babe-proposer",
        Some("block-authoring"),
        babe,
    );
    Ok(())
}
