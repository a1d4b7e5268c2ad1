//! `touchstone memory rebuild`.

use crate::Result;
use clap::Args;
use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use touchstone_client::{Chain, Error};
use touchstone_rpc::MemoryClient;

/// Put aside the memory of a node that is stopped, so that it fetches all of it from other members when it starts; or watch a node that
/// does that.
///
/// What the node had not anchored yet stays in the file that is put aside, and nowhere else.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone memory rebuild --file node/chains/touchstone/memory
  touchstone memory rebuild --wait")]
pub struct Rebuild {
    /// The memory of a node that is stopped: the file `memory` beside its journal.
    #[arg(long, value_name = "FILE", required_unless_present = "wait")]
    file: Option<PathBuf>,
    /// Wait until the node of --url holds what the chain has.
    #[arg(long)]
    wait: bool,
}

impl Rebuild {
    pub async fn run(self, url: &str) -> Result<()> {
        if let Some(file) = &self.file {
            put_aside(file)?;
        }
        match self.wait {
            true => wait(&Chain::connect(url).await?).await,
            false => Ok(()),
        }
    }
}

fn put_aside(file: &Path) -> Result<()> {
    if !file.is_file() {
        return Err(format!("there is no file {}", file.display()).into());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    for suffix in ["", "-wal", "-shm"] {
        let from = PathBuf::from(format!("{}{suffix}", file.display()));
        let to = PathBuf::from(format!("{}.{now}{suffix}", file.display()));
        if from.exists() {
            std::fs::rename(&from, &to)
                .map_err(|e| format!("cannot rename {}: {e}", from.display()))?;
            eprintln!("{} is now {}", from.display(), to.display());
        }
    }
    eprintln!(
        "start the node; it fetches its namespaces. `touchstone memory rebuild --wait` watches it"
    );
    Ok(())
}

async fn wait(chain: &Chain) -> Result<()> {
    let mut shown = String::new();
    loop {
        let all = chain.client().namespaces().await;
        let all = all.map_err(|e| Error::of("memory_namespaces", e))?;
        let behind: Vec<String> = all
            .iter()
            .filter(|namespace| namespace.chain.state.version > 0)
            .filter(|namespace| {
                let held = namespace.held.as_ref().and_then(|held| held.anchored);
                held.is_none_or(|version| version < namespace.chain.state.version)
            })
            .map(|namespace| namespace.chain.name.clone())
            .collect();
        if behind.is_empty() {
            eprintln!("all namespaces are here");
            return Ok(());
        }
        let line = format!("waiting for {}", behind.join(", "));
        if line != shown {
            eprintln!("{line}");
            shown = line;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}
