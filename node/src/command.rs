//! What each command does.

use crate::{
    cli::{Cli, Subcommand},
    service,
};
use sc_cli::{CliConfiguration, OffchainWorkerEnabled, SubstrateCli};
use sc_consensus::DefaultImportQueue;
use sc_network::config::NetworkBackendType;
use sc_service::{Configuration, PartialComponents};
use std::sync::Arc;
use touchstone_runtime::{Hash, opaque::Block};

impl SubstrateCli for Cli {
    fn impl_name() -> String {
        "Touchstone Node".into()
    }

    fn impl_version() -> String {
        env!("CARGO_PKG_VERSION").into()
    }

    fn description() -> String {
        env!("CARGO_PKG_DESCRIPTION").into()
    }

    fn author() -> String {
        env!("CARGO_PKG_AUTHORS").into()
    }

    fn support_url() -> String {
        env!("CARGO_PKG_REPOSITORY").into()
    }

    fn copyright_start_year() -> i32 {
        2026
    }

    fn load_spec(&self, id: &str) -> Result<Box<dyn sc_service::ChainSpec>, String> {
        touchstone_chain_spec::load(id).map(|spec| Box::new(spec) as _)
    }
}

/// What a command on the chain's database works with.
struct Opened {
    config: Configuration,
    client: Arc<service::Client>,
    backend: Arc<service::Backend>,
    import_queue: DefaultImportQueue<Block>,
}

/// Opens the database and runs a command on it.
fn on_database<F>(
    cli: &Cli,
    cmd: &impl CliConfiguration,
    work: impl FnOnce(Opened) -> F,
) -> sc_cli::Result<()>
where
    F: Future<Output = sc_cli::Result<()>>,
{
    cli.create_runner(cmd)?.async_run(|config| {
        let PartialComponents {
            client,
            backend,
            task_manager,
            import_queue,
            ..
        } = service::new_partial(&config)?;
        let opened = Opened {
            config,
            client,
            backend,
            import_queue,
        };
        Ok((work(opened), task_manager))
    })
}

/// Parses the command line and does what it says.
pub fn run() -> sc_cli::Result<()> {
    let cli = Cli::from_args();
    match &cli.subcommand {
        Some(Subcommand::Key(cmd)) => cmd.run(&cli),
        #[allow(deprecated)]
        Some(Subcommand::BuildSpec(cmd)) => {
            let runner = cli.create_runner(cmd)?;
            runner.sync_run(|config| cmd.run(config.chain_spec, config.network))
        }
        Some(Subcommand::ExportChainSpec(cmd)) => {
            let chain_spec = cli.load_spec(&cmd.chain)?;
            cmd.run(chain_spec)
        }
        Some(Subcommand::CheckBlock(cmd)) => on_database(&cli, cmd, |opened| {
            cmd.run(opened.client, opened.import_queue)
        }),
        Some(Subcommand::ExportBlocks(cmd)) => on_database(&cli, cmd, |opened| {
            cmd.run(opened.client, opened.config.database)
        }),
        Some(Subcommand::ExportState(cmd)) => on_database(&cli, cmd, |opened| {
            cmd.run(opened.client, opened.config.chain_spec)
        }),
        Some(Subcommand::ImportBlocks(cmd)) => on_database(&cli, cmd, |opened| {
            cmd.run(opened.client, opened.import_queue)
        }),
        Some(Subcommand::PurgeChain(cmd)) => {
            let runner = cli.create_runner(cmd)?;
            runner.sync_run(|config| cmd.run(config.database))
        }
        Some(Subcommand::Revert(cmd)) => on_database(&cli, cmd, |opened| {
            let aux_revert = Box::new(|client: Arc<service::Client>, backend, blocks| {
                sc_consensus_babe::revert(client.clone(), backend, blocks)?;
                sc_consensus_grandpa::revert(client, blocks)?;
                Ok(())
            });
            cmd.run(opened.client, opened.backend, Some(aux_revert))
        }),
        Some(Subcommand::ChainInfo(cmd)) => {
            let runner = cli.create_runner(cmd)?;
            runner.sync_run(|config| cmd.run::<Block>(&config))
        }
        None => {
            let runner = cli.create_runner(&cli.run)?;
            runner.run_node_until_exit(|mut config| async move {
                config.offchain_worker.enabled = !matches!(
                    cli.run.offchain_worker_params.enabled,
                    OffchainWorkerEnabled::Never
                );
                let options = service::Options {
                    inference: cli.inference,
                    storage_monitor: cli.storage_monitor,
                };
                match config.network.network_backend {
                    NetworkBackendType::Libp2p => {
                        service::new_full::<sc_network::NetworkWorker<Block, Hash>>(config, options)
                            .await
                    }
                    NetworkBackendType::Litep2p => {
                        service::new_full::<sc_network::Litep2pNetworkBackend>(config, options)
                            .await
                    }
                }
                .map_err(sc_cli::Error::Service)
            })
        }
    }
}
