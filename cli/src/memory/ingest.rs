//! `touchstone memory ingest`.

use super::writer::{Target, Writer};
use crate::{Result, output};
use clap::Args;
use codec::Encode;
use sp_core::H256;
use std::{
    io::IsTerminal,
    ops::ControlFlow,
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio::runtime::Handle;
use touchstone_client::{Chain, Error};
use touchstone_memory::{MemoryError, Progress, Sink, digest, ingest::Ingest as Documents};
use touchstone_primitives::memory::Fragment;
use touchstone_rpc::{MAX_IDS, MemoryClient, MemoryState, errors};

/// Bytes of fragments that go to the node in one request.
const REQUEST: usize = 4 << 20;

/// Read documents and folders of them into a namespace: text, Markdown, HTML, JSON lines, manual pages, each of them also as .gz.
///
/// Every passage is signed by the writer. An ingest that was interrupted is started again in the same way: passages that are there
/// are not written twice.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone memory ingest --namespace topic/manuals --key-file member.key /usr/share/man/man1 /usr/share/doc
  touchstone memory ingest --namespace user/ada --sealed --key-file ada.key --wait-finalized diary/

A line of JSON has `text` and, if it likes, `title`, `source`, `kind`, `created` (milliseconds) and `labels`.")]
pub struct Ingest {
    #[command(flatten)]
    target: Target,
    /// Label of all passages.
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    /// Stop after so many passages.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Files and folders.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// A node that is reached over its RPC.
struct Node {
    chain: Chain,
    writer: Writer,
    runtime: Handle,
    state: Option<MemoryState>,
}

impl Sink for Node {
    fn known(&mut self, texts: &[&str]) -> Result<Vec<bool>, MemoryError> {
        let key = self.writer.key.as_ref().map(|key| key.as_fixed_bytes());
        let digests = texts.iter().map(|text| digest(key, &self.writer.id, text));
        let digests: Vec<H256> = digests.collect();
        let (client, name) = (self.chain.client(), &self.writer.name);
        let mut known = Vec::new();
        for some in digests.chunks(MAX_IDS) {
            known.extend(self.patiently("memory_known", async || {
                client.known(name.clone(), some.to_vec()).await
            })?);
        }
        Ok(known)
    }

    fn put(&mut self, fragments: Vec<Fragment>) -> Result<(), MemoryError> {
        let (mut changes, mut bytes) = (Vec::new(), 0);
        for fragment in fragments {
            let size = fragment.encoded_size();
            if bytes + size > REQUEST {
                self.send(std::mem::take(&mut changes))?;
                bytes = 0;
            }
            bytes += size;
            changes.push(self.writer.put(fragment));
        }
        self.send(changes)
    }
}

impl Node {
    fn send(&mut self, changes: Vec<touchstone_rpc::MemoryChange>) -> Result<(), MemoryError> {
        if changes.is_empty() {
            return Ok(());
        }
        let (client, name) = (self.chain.client(), &self.writer.name);
        let state = self.patiently("memory_put", async || {
            client
                .put(name.clone(), changes.clone(), self.writer.key)
                .await
        })?;
        self.state = Some(state);
        Ok(())
    }

    /// Asks again for as long as the node says that it is asked too often.
    fn patiently<T>(
        &self,
        method: &str,
        ask: impl AsyncFn() -> Result<T, jsonrpsee::core::ClientError>,
    ) -> Result<T, MemoryError> {
        self.runtime.block_on(async {
            loop {
                match ask().await.map_err(|e| Error::of(method, e)) {
                    Err(error) if error.code() == Some(errors::RATE_LIMITED) => {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                    answer => return answer.map_err(|e| MemoryError::Sink(e.to_string())),
                }
            }
        })
    }
}

impl Ingest {
    pub async fn run(self, chain: Chain) -> Result<()> {
        let writer = self.target.writer(&chain)?;
        let mut node = Node {
            chain,
            writer: writer.clone(),
            runtime: Handle::current(),
            state: None,
        };
        let started = Instant::now();
        let ingested = tokio::task::spawn_blocking(move || {
            let mut shown = Shown::new(started);
            let mut progress = |progress: &Progress| {
                shown.show(progress);
                match self.limit.is_some_and(|limit| progress.fragments >= limit) {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            };
            let mut documents = Documents {
                sink: &mut node,
                labels: self.label,
            };
            let done = documents.run(&self.paths, &mut progress);
            done.map(|done| (done, node))
        });
        let (done, node) = ingested
            .await
            .map_err(|e| e.to_string())?
            .map_err(|e| e.to_string())?;
        eprintln!();
        for (path, reason) in done.refused.iter().take(20) {
            eprintln!("not taken: {}: {reason}", path.display());
        }
        if let Some(more) = done.refused.len().checked_sub(20).filter(|more| *more > 0) {
            eprintln!("not taken: {more} more");
        }
        eprintln!(
            "{} fragments of {} documents written in {}; {} passages and {} documents were there, {} files are no text",
            done.fragments,
            done.documents,
            output::duration(started.elapsed()),
            done.duplicates,
            done.known,
            done.binary
        );
        let Some(state) = node.state else {
            return Ok(());
        };
        eprintln!(
            "version {}, {} fragments, root {:?}",
            state.state.version, state.state.count, state.root
        );
        writer
            .settle(&node.chain, state, self.target.wait_finalized)
            .await
    }
}

/// Progress on standard error: a line that is overwritten on a terminal, a line now and then elsewhere.
struct Shown {
    started: Instant,
    last: Instant,
    is_terminal: bool,
}

impl Shown {
    fn new(started: Instant) -> Self {
        Self {
            started,
            last: started,
            is_terminal: std::io::stderr().is_terminal(),
        }
    }

    fn show(&mut self, progress: &Progress) {
        let pause = Duration::from_millis(if self.is_terminal { 200 } else { 10_000 });
        if self.last.elapsed() < pause {
            return;
        }
        self.last = Instant::now();
        let seconds = self.started.elapsed().as_secs_f64().max(0.001);
        let line = format!(
            "{} documents, {} fragments ({:.0}/s), {} there already",
            progress.documents,
            progress.fragments,
            progress.fragments as f64 / seconds,
            progress.duplicates
        );
        match self.is_terminal {
            true => eprint!("\r\x1b[K{line}"),
            false => eprintln!("{line}"),
        }
    }
}
