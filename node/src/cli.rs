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
  The same with a model and an adapter of its own, asked for as `law` or as model `small+law`:
    touchstone-node --chain consortium.json --validator --model small=/srv/small.gguf --adapter law=/srv/law,base=small
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

    /// A model file of the embedded engine; may be repeated, the first one is the default. HASH is the Blake2b-256 that the
    /// file must have. Without any, the model that scripts/setup installed.
    #[arg(long, value_name = "NAME=PATH[,blake2=HASH]", value_parser = model)]
    pub model: Vec<Named>,

    /// A LoRA adapter on a model of the embedded engine: a folder with adapter_config.json and adapter_model.safetensors, as
    /// PEFT writes them. May be repeated. Without `base` it belongs to the default model. HASH is the one that
    /// `inference_models` and the registry give the adapter. Clients ask for it by name or as model BASE+NAME.
    #[arg(long, value_name = "NAME=DIR[,base=MODEL][,blake2=HASH]", value_parser = adapter)]
    pub adapter: Vec<Named>,

    /// Memory for adapters, in MiB. Those that were not used for longest make room and are read again when asked for.
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    pub adapter_memory: u32,

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

    /// Whether the node answers the canaries that its enrolments oblige it to; it does by default if it has an engine.
    #[arg(long, value_name = "on|off")]
    pub canaries: Option<OnOff>,

    /// Most tokens of an answer to a canary. Fewer than the default make the node fail what takes more words.
    #[arg(long, value_name = "N", default_value_t = touchstone_primitives::canary::ANSWER_TOKENS)]
    pub canary_tokens: u32,

    /// Where another node answers clients; may be repeated. A node with the role of an auditor puts the questions of blind audits there;
    /// without any address it declares no audits.
    #[arg(long, value_name = "NODE=ws://HOST:PORT")]
    pub peer_rpc: Vec<crate::service::PeerRpc>,

    /// File of the worker journal: receipts before they are anchored. Back it up; it is not part of the chain database.
    /// Default: `journal` in the chain's folder under the base path.
    #[arg(long, value_name = "PATH")]
    pub journal: Option<PathBuf>,
}

/// Whether to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OnOff {
    /// Do it.
    On,
    /// Do not.
    Off,
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

/// Something on disk under a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Name for people and clients.
    pub name: String,
    /// File or folder.
    pub path: PathBuf,
    /// Name of the model that it belongs to.
    pub base: Option<String>,
    /// Hash that it must have, 64 hex digits.
    pub blake2: Option<String>,
}

fn model(s: &str) -> Result<Named, String> {
    let named = named(s)?;
    match named.base {
        Some(_) => Err("a model has no base; adapters have: --adapter NAME=DIR,base=MODEL".into()),
        None => Ok(named),
    }
}

fn adapter(s: &str) -> Result<Named, String> {
    named(s)
}

/// Reads `NAME=PATH[,base=MODEL][,blake2=HASH]`. Paths may hold commas.
fn named(s: &str) -> Result<Named, String> {
    let mut named = Named::default();
    let mut rest = s;
    while let Some((before, option)) = rest.rsplit_once(',') {
        let (place, value) = match option.split_once('=') {
            Some(("base", value)) => (&mut named.base, value),
            Some(("blake2", value)) => (&mut named.blake2, value.trim_start_matches("0x")),
            _ => break,
        };
        if place.replace(value.into()).is_some() {
            return Err(format!("`{option}` is said twice"));
        }
        rest = before;
    }
    let is_hash = |hash: &String| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    if !named.blake2.iter().all(is_hash) {
        return Err("blake2= wants 64 hex digits".into());
    }
    match rest.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() && !name.contains('+') => {
            named.name = name.into();
            named.path = path.into();
            Ok(named)
        }
        _ => Err("expected NAME=PATH with a name without `+`, for example smollm2=/srv/models/smollm2.gguf".into()),
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
    fn models_and_adapters_are_names_with_paths() {
        let hash = "ab".repeat(32);
        let plain = Named {
            name: "a".into(),
            path: "/b,c=d".into(),
            ..Named::default()
        };
        assert_eq!(model("a=/b,c=d"), Ok(plain.clone()));
        let checked = Named {
            blake2: Some(hash.clone()),
            ..plain
        };
        assert_eq!(
            model(&format!("a=/b,c=d,blake2=0x{hash}")),
            Ok(checked.clone())
        );
        let on_base = Named {
            base: Some("m".into()),
            ..checked
        };
        for s in [
            format!("a=/b,c=d,base=m,blake2={hash}"),
            format!("a=/b,c=d,blake2={hash},base=m"),
        ] {
            assert_eq!(adapter(&s), Ok(on_base.clone()));
            assert!(model(&s).is_err());
        }
        for wrong in ["/b", "=x", "a+b=/c", "a=/b,blake2=12", "a=/b,base=m,base=n"] {
            assert!(adapter(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
