//! Command line of the node.

use clap::Parser;
use std::path::PathBuf;

/// A node of a Touchstone consortium: chain, workers and inference engine.
#[derive(Debug, Parser)]
#[command(
    name = "touchstone-node",
    after_help = "Examples:
  A development chain of one node, with the model that scripts/setup installed:
    touchstone-node --dev
  One validator of a consortium:
    touchstone-node --chain consortium.json --validator --base-path /var/lib/touchstone --name acme-1
  A gateway whose engine is a vLLM server:
    touchstone-node --chain consortium.json --engine remote:http://127.0.0.1:8000/v1 --remote-config vllm.json
  A node that serves no answers:
    touchstone-node --chain consortium.json --engine none"
)]
pub struct Cli {
    /// What to do instead of running.
    #[command(subcommand)]
    pub subcommand: Option<Subcommand>,

    /// The node. Offchain workers run always unless `--offchain-worker never` is given.
    #[command(flatten)]
    pub run: sc_cli::RunCmd,

    /// The engine and the doors to it.
    #[command(flatten)]
    pub inference: InferenceArgs,

    /// Stop before the disk is full.
    #[command(flatten)]
    pub storage_monitor: sc_storage_monitor::StorageMonitorParams,
}

/// The engine and the doors to it.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Inference")]
pub struct InferenceArgs {
    /// Where answers come from: `embedded`, `none`, `dummy` (for tests) or `remote:URL` of an OpenAI-compatible server.
    #[arg(long, value_name = "ENGINE", default_value = "embedded")]
    pub engine: EngineChoice,

    /// A model file of the embedded engine, as NAME=PATH; may be repeated, the first one is the default. Without it the
    /// model that scripts/setup installed.
    #[arg(long, value_name = "NAME=PATH", value_parser = name_and_path)]
    pub model: Vec<(String, PathBuf)>,

    /// File that describes the server of `--engine remote:URL`: its kind, version and models with what they are, in JSON
    /// (docs/operate.md).
    #[arg(long, value_name = "PATH")]
    pub remote_config: Option<PathBuf>,

    /// Threads of the embedded engine; default: all cores but one, so that authoring is never starved.
    #[arg(long, value_name = "N")]
    pub engine_threads: Option<usize>,

    /// Requests that the engine answers at the same time.
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub engine_slots: usize,

    /// Requests that may wait for the engine; further ones are refused as busy.
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub engine_queue: usize,

    /// Port of the OpenAI-compatible door on the loopback interface; closed if absent.
    #[arg(long, value_name = "PORT")]
    pub openai_port: Option<u16>,

    /// API key that the OpenAI-compatible door accepts; may be repeated. On development chains the default is `devnet`.
    #[arg(long, value_name = "KEY")]
    pub openai_key: Vec<String>,

    /// File of the worker journal: receipts before they are anchored. Back it up; it is not part of the chain database.
    /// Default: `journal` in the chain's folder under the base path.
    #[arg(long, value_name = "PATH")]
    pub journal: Option<PathBuf>,
}

/// Where answers come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineChoice {
    /// The engine in this process.
    Embedded,
    /// No engine: this node answers nothing.
    None,
    /// A deterministic engine without a model, for tests.
    Dummy,
    /// An OpenAI-compatible server.
    Remote(String),
}

impl std::str::FromStr for EngineChoice {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match (s, s.strip_prefix("remote:")) {
            ("embedded", _) => Ok(Self::Embedded),
            ("none", _) => Ok(Self::None),
            ("dummy", _) => Ok(Self::Dummy),
            (_, Some(url)) if url.starts_with("http://") || url.starts_with("https://") => {
                Ok(Self::Remote(url.into()))
            }
            _ => Err("expected embedded, none, dummy or remote:http(s)://HOST/v1".into()),
        }
    }
}

fn name_and_path(s: &str) -> Result<(String, PathBuf), String> {
    match s.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => {
            Ok((name.into(), path.into()))
        }
        _ => Err("expected NAME=PATH, for example smollm2=/srv/models/smollm2.gguf".into()),
    }
}

/// What to do instead of running.
#[derive(Debug, clap::Subcommand)]
#[allow(clippy::large_enum_variant)]
pub enum Subcommand {
    /// Make, inspect and insert keys.
    #[command(subcommand)]
    Key(sc_cli::KeySubcommand),

    /// Write the chain specification, raw if asked.
    #[deprecated(note = "upstream prefers export-chain-spec")]
    BuildSpec(sc_cli::BuildSpecCmd),

    /// Write the chain specification.
    ExportChainSpec(sc_cli::ExportChainSpecCmd),

    /// Validate blocks.
    CheckBlock(sc_cli::CheckBlockCmd),

    /// Export blocks.
    ExportBlocks(sc_cli::ExportBlocksCmd),

    /// Export the state of a block into a chain specification.
    ExportState(sc_cli::ExportStateCmd),

    /// Import blocks.
    ImportBlocks(sc_cli::ImportBlocksCmd),

    /// Remove the chain database. The worker journal stays.
    PurgeChain(sc_cli::PurgeChainCmd),

    /// Revert the chain to an earlier state. The worker journal stays.
    Revert(sc_cli::RevertCmd),

    /// Show information about the chain database.
    ChainInfo(sc_cli::ChainInfoCmd),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_is_named_on_the_command_line() {
        let parse = |s: &str| s.parse::<EngineChoice>();
        assert_eq!(parse("embedded"), Ok(EngineChoice::Embedded));
        assert_eq!(
            parse("remote:http://127.0.0.1:8000/v1"),
            Ok(EngineChoice::Remote("http://127.0.0.1:8000/v1".into()))
        );
        assert!(parse("remote:ftp://x").is_err() && parse("fast").is_err());
    }

    #[test]
    fn a_model_is_a_name_and_a_path() {
        assert_eq!(name_and_path("a=/b"), Ok(("a".into(), "/b".into())));
        assert!(name_and_path("/b").is_err() && name_and_path("=x").is_err());
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
