//! Keeps this node's memory in step with the chain: commits what waits, notes what is final, fetches what others have written, forgets
//! what was deleted, and embeds texts while nobody asks.

use super::link::{LIFETIME, Link};
use crate::service::replication::{MAX_KEYS, Peers, Request, Response, nodes};
use futures::{Stream, StreamExt, future::BoxFuture};
use rand::seq::SliceRandom;
use sp_api::ApiExt;
use sp_core::sr25519;
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};
use touchstone_gateway::{BlockRef, SendCommit, worker::Worker};
use touchstone_inference::{Engine, EngineError};
use touchstone_memory::{MemoryError, Store};
use touchstone_primitives::{
    H256, NodeId,
    apis::{MemoryApi, NamespaceInfo, NodeInfo, RootInfo},
    memory::{Commit, NamespaceId, Writer, may_commit},
};
use touchstone_runtime::opaque::Block;

/// Blocks after which a commit that is not in the chain is sent again.
const RESEND_AFTER: u32 = 5;
/// Texts that are embedded at once: a search waits for as many.
const EMBEDDED: usize = 4;
/// Pause when there is nothing to embed, or while questions are answered.
const REST: Duration = Duration::from_secs(2);

impl SendCommit for Link {
    fn send(
        &self,
        commit: Commit,
        writer: Writer,
        valid_until: u32,
        signature: sr25519::Signature,
    ) -> BoxFuture<'_, Result<(), String>> {
        let call = pallet_memory::Call::commit_root {
            writer,
            commit,
            valid_until,
            signature,
        };
        Box::pin(self.submit(call))
    }
}

/// What became of a namespace in one look.
enum Step {
    Nothing,
    Commit(Commit),
    Fetch(RootInfo),
}

/// Keeps memory in step. See the [module](self).
pub struct Keeper {
    /// The chain.
    pub link: Link,
    /// What this node holds.
    pub store: Arc<Store>,
    /// Other nodes.
    pub peers: Peers,
    /// The root that the last commit went on from, and the block at which it was sent.
    sent: HashMap<NamespaceId, (H256, u32)>,
    /// What is wrong with namespaces, so that it is said once.
    told: HashMap<NamespaceId, String>,
}

impl Keeper {
    /// Over the store of this node.
    pub fn new(link: Link, store: Arc<Store>, peers: Peers) -> Self {
        Self {
            link,
            store,
            peers,
            sent: HashMap::new(),
            told: HashMap::new(),
        }
    }

    /// Looks at each wake-up.
    pub async fn run(mut self, mut wakeups: impl Stream<Item = ()> + Unpin) {
        while wakeups.next().await.is_some() {
            if let Err(error) = self.look().await {
                log::warn!(target: "memory", "memory is not in step with the chain: {error}");
            }
        }
    }

    async fn look(&mut self) -> Result<(), String> {
        let (best, finalized) = (self.link.chain.best(), self.link.chain.finalized());
        let api = self.link.api();
        let has_memory = api.has_api::<dyn MemoryApi<Block>>(finalized.hash);
        drop(api);
        if self.link.chain.network().is_syncing || !has_memory.map_err(|e| e.to_string())? {
            return Ok(());
        }
        let Some(worker) = self.link.worker()? else {
            return Ok(());
        };
        let namespaces = self.link.chain.namespaces(finalized.hash);
        let namespaces = namespaces.map_err(|e| e.to_string())?;
        self.forget(&namespaces)?;
        for info in &namespaces {
            // One namespace that fails must not hold up the others.
            match self.keep(info, &worker, best, finalized).await {
                Ok(()) => drop(self.told.remove(&info.id)),
                Err(error) if self.told.get(&info.id) == Some(&error) => {}
                Err(error) => {
                    log::warn!(target: "memory", "namespace \"{}\": {error}", info.name);
                    self.told.insert(info.id, error);
                }
            }
        }
        Ok(())
    }

    /// Forgets namespaces that were anchored once and are no longer on chain.
    fn forget(&self, namespaces: &[NamespaceInfo]) -> Result<(), String> {
        for held in self.store.namespaces().map_err(|e| e.to_string())? {
            let id = held.state.namespace;
            if held.anchored.is_some() && !namespaces.iter().any(|info| info.id == id) {
                let forgotten = self.store.delete_namespace(&id);
                forgotten.map_err(|e| e.to_string())?;
                log::info!(target: "memory", "namespace \"{}\" was deleted; it is forgotten here", held.name);
            }
        }
        Ok(())
    }

    async fn keep(
        &mut self,
        info: &NamespaceInfo,
        worker: &Worker,
        best: BlockRef,
        finalized: BlockRef,
    ) -> Result<(), String> {
        match self.step(info, worker, best, finalized)? {
            Step::Nothing => Ok(()),
            Step::Commit(commit) => self.commit(commit, worker, best).await,
            Step::Fetch(root) => self.fetch(info, &root, &worker.node.node, finalized).await,
        }
    }

    fn step(
        &self,
        info: &NamespaceInfo,
        worker: &Worker,
        best: BlockRef,
        finalized: BlockRef,
    ) -> Result<Step, String> {
        let (chain, node) = (&self.link.chain, &worker.node.node);
        let rights = chain.memory_rights(finalized.hash, &info.id, node);
        let rights = rights.map_err(|e| e.to_string())?;
        if !rights.hold {
            return Ok(Step::Nothing);
        }
        if info.state.version > 0 {
            let version = info.state.version;
            let is_noted = match self.store.state(&info.id, Some(version)) {
                Ok((state, block)) if state == info.state => Some(block.is_some()),
                Ok(_) | Err(MemoryError::UnknownVersion(_) | MemoryError::UnknownNamespace(_)) => {
                    None
                }
                Err(error) => return Err(error.to_string()),
            };
            let root = || {
                let root = chain.memory_root(finalized.hash, &info.id, version);
                root.map_err(|e| e.to_string())?
                    .ok_or("the chain does not have its newest root".to_owned())
            };
            match is_noted {
                Some(true) => {}
                Some(false) => {
                    let noted = self
                        .store
                        .set_anchored(&info.id, version, self.block(&root()?)?);
                    noted.map_err(|e| e.to_string())?;
                }
                None => return Ok(Step::Fetch(root()?)),
            }
        }
        self.pin(info, finalized)?;
        if !may_commit(info.writers, rights) || self.is_under_way(&info.id, best) {
            return Ok(Step::Nothing);
        }
        let pending = match self.store.pending(&info.id) {
            Err(MemoryError::UnknownNamespace(_)) | Ok(None) => return Ok(Step::Nothing),
            pending => pending.map_err(|e| e.to_string())?,
        };
        let now = chain.namespace(best.hash, &info.id);
        let now = now.map_err(|e| e.to_string())?;
        Ok(match (pending, now) {
            (Some(commit), Some(now)) if now.root == commit.previous => Step::Commit(commit),
            _ => Step::Nothing,
        })
    }

    /// Keeps what proofs against the chain's snapshots need.
    fn pin(&self, info: &NamespaceInfo, finalized: BlockRef) -> Result<(), String> {
        let history = self.link.chain.memory_history(finalized.hash, &info.id);
        let history = history.map_err(|e| e.to_string())?;
        let snapshots = history.iter().filter(|root| root.snapshot.is_some());
        let snapshots: Vec<u64> = snapshots.map(|root| root.state.version).collect();
        match self.store.pin(&info.id, &snapshots) {
            Err(MemoryError::UnknownNamespace(_)) => Ok(()),
            pinned => pinned.map_err(|e| e.to_string()),
        }
    }

    fn block(&self, root: &RootInfo) -> Result<H256, String> {
        let hash = self.link.chain.hash_of(root.block);
        hash.map_err(|e| e.to_string())?
            .ok_or_else(|| format!("block {} is unknown", root.block))
    }

    /// Whether a commit was sent so lately that the chain may still take it, and goes on from what it has. Putting a commit together reads
    /// all writes that wait.
    fn is_under_way(&self, namespace: &NamespaceId, best: BlockRef) -> bool {
        self.sent.get(namespace).is_some_and(|(previous, at)| {
            let now = self.link.chain.namespace(best.hash, namespace);
            best.number < at.saturating_add(RESEND_AFTER)
                && now.is_ok_and(|now| now.is_some_and(|now| now.root == *previous))
        })
    }

    /// Signs and sends a commit.
    async fn commit(
        &mut self,
        commit: Commit,
        worker: &Worker,
        best: BlockRef,
    ) -> Result<(), String> {
        let writer = Writer::Node(worker.node.node.clone());
        let valid_until = best.number.saturating_add(LIFETIME);
        let message = commit.message(&self.link.chain.genesis(), &writer, valid_until.into());
        let signature = worker.sign(&self.link.keystore, &message);
        let signature = signature.ok_or("the worker key is no longer in the keystore")?;
        self.sent
            .insert(commit.state.namespace, (commit.previous, best.number));
        self.link
            .send(commit, writer, valid_until, signature.into())
            .await
    }

    /// Gets what others have written from one of those that hold it.
    async fn fetch(
        &self,
        info: &NamespaceInfo,
        root: &RootInfo,
        node: &NodeId,
        finalized: BlockRef,
    ) -> Result<(), String> {
        let mut holders = nodes(&self.link.client, finalized.hash)?;
        holders.retain(|holder| holder.node != *node);
        holders.shuffle(&mut rand::thread_rng());
        let mut reasons = BTreeSet::new();
        for holder in &holders {
            match self.fetch_from(info, root, holder, finalized).await {
                Ok(()) => return Ok(()),
                Err(reason) => reasons.insert(format!("{}: {reason}", holder.node)),
            };
        }
        let reasons: Vec<String> = reasons.into_iter().collect();
        let (version, reasons) = (root.state.version, reasons.join("; "));
        Err(format!(
            "version {version} could not be fetched yet; {reasons}"
        ))
    }

    async fn fetch_from(
        &self,
        info: &NamespaceInfo,
        root: &RootInfo,
        holder: &NodeInfo,
        finalized: BlockRef,
    ) -> Result<(), String> {
        let (store, namespace, target) = (&self.store, info.id, root.state.version);
        let text = |error: MemoryError| error.to_string();
        loop {
            let after = match store.staged(&namespace) {
                Ok(staged) if staged.version >= target => break,
                Ok(staged) => staged.version,
                Err(MemoryError::UnknownNamespace(_)) => 0,
                Err(error) => return Err(error.to_string()),
            };
            let asked = self.peers.ask(holder, Request::Log { namespace, after });
            let Response::Log { sealed, mut lines } = asked.await? else {
                return Err("it answers something else".into());
            };
            lines.retain(|(version, _)| *version <= target);
            if lines.is_empty() {
                return Err("it does not have it yet".into());
            }
            if after == 0 {
                match store.create_replica(&info.name, sealed.as_deref()) {
                    Ok(_) | Err(MemoryError::NamespaceExists(_)) => {}
                    Err(error) => return Err(error.to_string()),
                }
            }
            store.stage_log(&namespace, &lines).map_err(text)?;
        }
        loop {
            let keys = store.missing(&namespace, MAX_KEYS).map_err(text)?;
            if keys.is_empty() {
                break;
            }
            let asked = self
                .peers
                .ask(holder, Request::Contents { namespace, keys });
            let Response::Contents(contents) = asked.await? else {
                return Err("it answers something else".into());
            };
            if store.stage(&namespace, contents).map_err(text)? == 0 {
                return Err("it lacks content, or what it sends is not what was written".into());
            }
            let staged = store.staged(&namespace).map_err(text)?;
            log::info!(
                target: "memory",
                "namespace \"{}\": {} fragments fetched, {} to go", info.name, staged.contents, staged.missing
            );
        }
        let held = store.namespace(&namespace).map_err(text)?;
        let history = self.link.chain.memory_history(finalized.hash, &namespace);
        let history = history.map_err(|e| e.to_string())?;
        // The chain names the writes of one commit; a longer way is checked by its root alone.
        let base = held.anchored.map_or(0, |(version, _)| version);
        let before = history
            .iter()
            .rev()
            .find(|older| older.state.version < target);
        let is_next = before.is_none_or(|before| before.state.version == base);
        let batch = is_next.then_some(root.batch);
        let adopted = store.adopt(&namespace, &root.state, self.block(root)?, batch);
        let adopted = adopted.map_err(text)?;
        for conflict in &adopted.conflicts {
            log::warn!(
                target: "memory",
                "namespace \"{}\": a write to {:?} lost against another one; `memory_history` keeps it", info.name, conflict.write.key
            );
        }
        log::info!(target: "memory", "namespace \"{}\": version {target} is here", info.name);
        Ok(())
    }
}

/// Embeds what has no vector yet, while no question is being answered.
pub async fn embed(store: Arc<Store>, engine: Arc<dyn Engine>) {
    loop {
        match embed_some(&store, &*engine) {
            // Where the node that stops can end this.
            Ok(true) => tokio::task::yield_now().await,
            Ok(false) => tokio::time::sleep(REST).await,
            Err(error) => {
                log::info!(target: "memory", "fragments are found by words only: {error}");
                tokio::time::sleep(REST * 30).await;
            }
        }
    }
}

/// Whether something was embedded.
fn embed_some(store: &Store, engine: &dyn Engine) -> Result<bool, String> {
    let load = engine.load();
    if load.active > 0 || load.queued > 0 {
        return Ok(false);
    }
    for held in store.namespaces().map_err(|e| e.to_string())? {
        if !held.readable || held.vectors >= held.state.count {
            continue;
        }
        let namespace = held.state.namespace;
        let waiting = store.unembedded(&namespace, EMBEDDED);
        let (keys, texts): (Vec<_>, Vec<_>) =
            waiting.map_err(|e| e.to_string())?.into_iter().unzip();
        if keys.is_empty() {
            continue;
        }
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let vectors = match engine.embed(&texts) {
            Err(EngineError::Loading(..)) => return Ok(false),
            vectors => vectors.map_err(|e| e.to_string())?,
        };
        let vectors = keys.into_iter().zip(vectors).collect();
        let set = store.set_vectors(&namespace, vectors);
        set.map_err(|e| e.to_string())?;
        return Ok(true);
    }
    Ok(false)
}
