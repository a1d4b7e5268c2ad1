//! Memory behind the doors: who may write and read what, and answers whose root is the one on chain.
//!
//! The store has the fragments, the chain has the roots and the rights. Whatever is read here comes with a proof, and what is put before
//! a model was checked against a finalised root first.

use crate::{ChainState, Client, Limits, Refusal, StateError, limits::Rates, worker};
use codec::{DecodeAll, Encode};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use sp_core::sr25519;
use sp_keystore::KeystorePtr;
use std::{collections::BTreeSet, sync::Arc};
use touchstone_inference::Engine;
use touchstone_memory::{Answer, Change, MemoryError, Query, Store};
use touchstone_primitives::{
    AccountId32, H256,
    apis::NamespaceInfo,
    memory::{
        Commit, NamespaceId, Rights, Visibility, Write, Writer, key, may_commit, namespace_id, tree,
    },
    worker::WorkerId,
};
use touchstone_rpc::{
    AnchorBlock, AskMemory, HeldNamespace, MAX_HITS, MAX_IDS, MemoryAnswer, MemoryChange,
    MemoryHistory, MemoryNamespace, MemoryPage, MemoryProof, MemorySearch, MemoryState,
    MemoryVerification, NamespaceKey, PendingCommit, SignedCommit, errors,
};

/// Hits of a search that does not say how many.
const DEFAULT_HITS: usize = 5;
/// Fragments that a question is answered with if it does not say.
const DEFAULT_CITED: usize = 3;
/// Most of them.
const MAX_CITED: usize = 16;
/// Most bytes of a query.
const MAX_QUERY: usize = 4096;
/// Fragments of a page.
const PAGE: usize = 256;

/// Sends a signed commit to the chain.
pub trait SendCommit: Send + Sync {
    /// Resolves when the pool has taken it, or says why it did not.
    fn send(
        &self,
        commit: Commit,
        writer: Writer,
        valid_until: u32,
        signature: sr25519::Signature,
    ) -> BoxFuture<'_, Result<(), String>>;
}

/// The memory of a node. See the [module](self).
pub struct Memory {
    store: Arc<Store>,
    chain: Arc<dyn ChainState>,
    engine: Option<Arc<dyn Engine>>,
    keystore: KeystorePtr,
    sender: Arc<dyn SendCommit>,
    limits: Limits,
    rates: Mutex<Rates>,
}

impl From<MemoryError> for Refusal {
    fn from(error: MemoryError) -> Self {
        let code = match error {
            MemoryError::UnknownNamespace(_) => errors::UNKNOWN_NAMESPACE,
            MemoryError::Locked | MemoryError::WrongKey => errors::SEALED,
            MemoryError::BadSignature(_)
            | MemoryError::OtherFragment(_)
            | MemoryError::Unchanged(_) => errors::INVALID_REQUEST,
            MemoryError::TooLarge { .. } => errors::REQUEST_TOO_LARGE,
            MemoryError::Conflict { .. } | MemoryError::Replayed(_) => errors::WRITE_CONFLICT,
            MemoryError::UnknownVersion(_) => errors::UNKNOWN_VERSION,
            _ => errors::MEMORY_FAILED,
        };
        Self::new(code, error.to_string())
    }
}

impl Memory {
    /// Over the store of this node.
    pub fn new(
        store: Arc<Store>,
        chain: Arc<dyn ChainState>,
        engine: Option<Arc<dyn Engine>>,
        keystore: KeystorePtr,
        sender: Arc<dyn SendCommit>,
        limits: Limits,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            chain,
            engine,
            keystore,
            sender,
            limits,
            rates: Mutex::new(Rates::per_minute(
                limits.memory_per_minute,
                limits.memory_per_minute / 4,
            )),
        })
    }

    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Counts a request of a client against its share.
    pub fn admit(&self, client: Client) -> Result<(), Refusal> {
        self.rates.lock().admit("requests to memory", client)
    }

    /// All namespaces, by name.
    pub fn namespaces(&self) -> Result<Vec<MemoryNamespace>, Refusal> {
        let mut all = self.chain.namespaces(self.chain.best().hash)?;
        all.sort_by(|a, b| a.name.cmp(&b.name));
        let held = self.store.namespaces()?;
        Ok(all
            .into_iter()
            .map(|chain| MemoryNamespace {
                held: held
                    .iter()
                    .find(|held| held.state.namespace == chain.id)
                    .map(|held| HeldNamespace {
                        state: held.state,
                        sealed: held.sealed,
                        readable: held.readable,
                        anchored: held.anchored.map(|(version, _)| version),
                        embedded: held.vectors,
                        conflicts: held.conflicts,
                    }),
                chain,
            })
            .collect())
    }

    fn namespace(&self, name: &str) -> Result<NamespaceInfo, Refusal> {
        let found = self
            .chain
            .namespace(self.chain.best().hash, &namespace_id(name))?;
        found.ok_or_else(|| {
            let message = format!(
                "no namespace \"{name}\" on chain; `touchstone memory namespaces` lists those there are, and a member creates new ones"
            );
            Refusal::new(errors::UNKNOWN_NAMESPACE, message)
        })
    }

    /// The namespace, open for reading.
    fn readable(&self, name: &str, key: Option<&NamespaceKey>) -> Result<NamespaceId, Refusal> {
        let info = self.namespace(name)?;
        if info.state.version == 0 && self.store.namespace(&info.id).is_err() {
            let message = format!("nothing was written to \"{name}\" yet");
            return Err(Refusal::new(errors::UNKNOWN_NAMESPACE, message));
        }
        match self.store.token(&info.id) {
            Ok(sealed) => self.unseal(&info, sealed.is_some(), key)?,
            Err(MemoryError::UnknownNamespace(_)) => {
                let message = format!(
                    "this node does not hold \"{name}\" (yet); ask one that its owner has granted it"
                );
                return Err(Refusal::new(errors::UNKNOWN_NAMESPACE, message));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(info.id)
    }

    /// Only whoever sends the key reads a sealed namespace, also while this node remembers the key.
    fn unseal(
        &self,
        info: &NamespaceInfo,
        is_sealed: bool,
        key: Option<&NamespaceKey>,
    ) -> Result<(), Refusal> {
        match key_of(info, is_sealed, key)? {
            Some(key) => Ok(self.store.grant(&info.id, key)?),
            None => Ok(()),
        }
    }

    /// What an account, or the node behind a worker key, may do.
    fn rights(&self, namespace: &NamespaceId, who: &AccountId32) -> Result<Rights, StateError> {
        let best = self.chain.best().hash;
        let mut rights = self.chain.memory_rights(best, namespace, who)?;
        let key = WorkerId::from(sr25519::Public::from_raw(*who.as_ref()));
        if let Some(node) = self.chain.node_of_worker(best, &key)? {
            let of_node = self.chain.memory_rights(best, namespace, &node)?;
            rights.write |= of_node.write;
            rights.hold |= of_node.hold;
        }
        Ok(rights)
    }

    /// What this node may do; nothing if it is not registered.
    fn own_rights(&self, namespace: &NamespaceId) -> Result<Rights, Refusal> {
        let best = self.chain.best().hash;
        Ok(match worker::find(&*self.chain, &self.keystore, best)? {
            Some(worker) => self
                .chain
                .memory_rights(best, namespace, &worker.node.node)?,
            None => Rights::default(),
        })
    }

    fn check_writers(&self, info: &NamespaceInfo, writes: &[&Write]) -> Result<(), Refusal> {
        let contributors: BTreeSet<&AccountId32> =
            writes.iter().map(|write| &write.contributor).collect();
        for contributor in contributors {
            if !self.rights(&info.id, contributor)?.write {
                let message = format!(
                    "{contributor} may not write to \"{}\"; its owner can grant it",
                    info.name
                );
                return Err(Refusal::new(errors::NOT_A_WRITER, message));
            }
        }
        Ok(())
    }

    /// Stores signed writes.
    pub fn put(
        &self,
        name: &str,
        changes: Vec<MemoryChange>,
        key: Option<&NamespaceKey>,
    ) -> Result<MemoryState, Refusal> {
        let info = self.namespace(name)?;
        let writes: Vec<&Write> = changes.iter().map(|change| &change.write).collect();
        self.check_writers(&info, &writes)?;
        self.hold(&info, key)?;
        let room = self.limits.memory_bytes;
        let size: u64 = changes
            .iter()
            .filter_map(|change| change.content.as_ref())
            .map(|content| content.fragment.encoded_size() as u64)
            .sum();
        if self.store.namespace(&info.id)?.bytes.saturating_add(size) > room {
            let message = format!("a namespace has at most {room} bytes here; delete fragments");
            return Err(Refusal::new(errors::QUOTA_EXCEEDED, message));
        }
        let changes: Vec<Change> = changes
            .into_iter()
            .map(|MemoryChange { write, content }| Change {
                write,
                content,
                vector: None,
            })
            .collect();
        let state = self.store.commit(&info.id, &changes)?;
        Ok(MemoryState {
            state,
            root: state.root(),
            pending: self.pending_of(&info)?,
        })
    }

    /// Makes sure that this node holds the namespace, if it may.
    fn hold(&self, info: &NamespaceInfo, key: Option<&NamespaceKey>) -> Result<(), Refusal> {
        if !self.own_rights(&info.id)?.hold {
            let message = format!(
                "this node may not hold \"{}\"; send it to one that its owner has granted it",
                info.name
            );
            return Err(Refusal::new(errors::UNKNOWN_NAMESPACE, message));
        }
        match self.store.token(&info.id) {
            Ok(sealed) => self.unseal(info, sealed.is_some(), key),
            Err(MemoryError::UnknownNamespace(_)) if info.state.version > 0 => {
                let message = format!(
                    "this node is still fetching \"{}\" from its peers; try again, or ask another node",
                    info.name
                );
                Err(Refusal::new(errors::UNKNOWN_NAMESPACE, message))
            }
            Err(MemoryError::UnknownNamespace(_)) => {
                let is_sealed = info.visibility == Visibility::Granted;
                match self.store.create(&info.name, key_of(info, is_sealed, key)?) {
                    Ok(_) | Err(MemoryError::NamespaceExists(_)) => Ok(()),
                    Err(error) => Err(error.into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    fn pending_of(&self, info: &NamespaceInfo) -> Result<Option<PendingCommit>, Refusal> {
        if may_commit(info.writers, self.own_rights(&info.id)?) {
            return Ok(None);
        }
        let pending = self.store.pending(&info.id)?;
        Ok(pending.map(|commit| PendingCommit {
            state: commit.state,
            commit: commit.encode().into(),
        }))
    }

    /// What a permitted writer has to sign; nothing if this node does it or nothing waits.
    pub fn pending(&self, name: &str) -> Result<Option<PendingCommit>, Refusal> {
        let info = self.namespace(name)?;
        self.pending_of(&info)
    }

    /// Checks a signed commit as far as that is possible here.
    pub fn check_commit(&self, signed: &SignedCommit) -> Result<Commit, Refusal> {
        let commit = Commit::decode_all(&mut &signed.commit.0[..])
            .map_err(|e| Refusal::new(errors::INVALID_REQUEST, format!("`commit`: {e}")))?;
        let worker = match &signed.writer {
            Writer::Node(node) => self
                .chain
                .node(self.chain.best().hash, node)?
                .map(|node| node.worker_key),
            Writer::Account(_) => None,
        };
        let is_signed = commit.is_signed(
            &self.chain.genesis(),
            &signed.writer,
            signed.valid_until.into(),
            worker.as_ref(),
            &signed.signature,
        );
        if !is_signed {
            let reason = "the signature is not the writer's over this commit";
            return Err(Refusal::new(errors::INVALID_REQUEST, reason));
        }
        Ok(commit)
    }

    /// Sends a signed commit to the chain.
    pub async fn commit(&self, commit: Commit, signed: SignedCommit) -> Result<(), Refusal> {
        let SignedCommit {
            writer,
            valid_until,
            signature,
            ..
        } = signed;
        let sent = self
            .sender
            .send(commit, writer, valid_until, signature)
            .await;
        sent.map_err(|reason| Refusal::new(errors::COMMIT_REFUSED, reason))
    }

    /// Searches a namespace.
    pub fn search(&self, search: &MemorySearch) -> Result<MemoryAnswer, Refusal> {
        let invalid = |message: String| Refusal::new(errors::INVALID_REQUEST, message);
        let k = search.k.unwrap_or(DEFAULT_HITS);
        if !(1..=MAX_HITS).contains(&k) {
            return Err(invalid(format!("`k` must be 1..={MAX_HITS}")));
        }
        if search.query.len() > MAX_QUERY {
            return Err(invalid(format!("`query` has at most {MAX_QUERY} bytes")));
        }
        let namespace = self.readable(&search.namespace, search.key.as_ref())?;
        let query = Query {
            text: search.query.clone(),
            vector: self.vector(&namespace, &search.query)?,
            k,
            kinds: search.kinds.clone(),
            labels: search.labels.clone(),
            since: search.since,
            until: search.until,
            anchored: !search.latest,
        };
        let found = self.store.search(&namespace, &query)?;
        self.answer(found)
    }

    /// Embedding of a query; without an embedding model, or while most fragments have no vector to compare it with, the search is by words.
    fn vector(&self, namespace: &NamespaceId, text: &str) -> Result<Option<Vec<f32>>, Refusal> {
        let held = self.store.namespace(namespace)?;
        let is_ready = held.vectors * 10 >= held.state.count * 9;
        let Some(engine) = self.engine.as_ref().filter(|_| is_ready) else {
            return Ok(None);
        };
        let vectors = engine.embed(&[text]).unwrap_or_default();
        Ok(vectors.into_iter().next())
    }

    fn block(
        &self,
        block: Option<H256>,
        id: &NamespaceId,
        version: u64,
    ) -> Result<Option<AnchorBlock>, Refusal> {
        let Some(hash) = block else { return Ok(None) };
        let root = self
            .chain
            .memory_root(self.chain.finalized().hash, id, version)?;
        Ok(root.map(|root| AnchorBlock {
            number: root.block,
            hash,
        }))
    }

    fn answer(&self, found: Answer) -> Result<MemoryAnswer, Refusal> {
        let state = found.state;
        Ok(MemoryAnswer {
            root: state.root(),
            block: self.block(found.block, &state.namespace, state.version)?,
            state,
            proof: found.proof,
            hits: found.hits,
            absent: found.absent,
            scores: found.scores,
        })
    }

    /// Fragments by id, or proof that they are absent.
    pub fn get(
        &self,
        name: &str,
        ids: &[H256],
        key: Option<&NamespaceKey>,
    ) -> Result<MemoryAnswer, Refusal> {
        limit_ids(ids.len())?;
        let namespace = self.readable(name, key)?;
        self.answer(self.store.get(&namespace, ids, None)?)
    }

    /// What a version has at these ids.
    pub fn prove(
        &self,
        name: &str,
        ids: &[H256],
        version: Option<u64>,
    ) -> Result<MemoryProof, Refusal> {
        limit_ids(ids.len())?;
        let info = self.namespace(name)?;
        let held = self.store.namespace(&info.id)?;
        let version = version.or(held.anchored.map(|(version, _)| version));
        let keys: Vec<H256> = ids.iter().map(|id| key(&info.id, id)).collect();
        let (state, proof) = self.store.prove(&info.id, &keys, version)?;
        let values = tree::verify(&state.tree, &proof, &keys)
            .map_err(|e| Refusal::new(errors::MEMORY_FAILED, e.to_string()))?;
        Ok(MemoryProof {
            state,
            root: state.root(),
            proof,
            values,
        })
    }

    /// Checks an answer against finalised state.
    pub fn verify(&self, answer: &MemoryAnswer) -> Result<MemoryVerification, Refusal> {
        if let Err(reason) = answer.verify() {
            return Ok(MemoryVerification {
                valid: false,
                anchored: false,
                reason: Some(reason),
            });
        }
        let anchored = self.check_anchored(answer)?;
        Ok(MemoryVerification {
            valid: true,
            anchored: anchored.is_ok(),
            reason: anchored.err(),
        })
    }

    /// That finalised state has the answer's root.
    fn check_anchored(&self, answer: &MemoryAnswer) -> Result<Result<(), String>, StateError> {
        let state = &answer.state;
        let finalized = self.chain.finalized();
        let root = self
            .chain
            .memory_root(finalized.hash, &state.namespace, state.version)?;
        Ok(match root {
            Some(root) if root.root == answer.root => Ok(()),
            Some(_) => Err("finalised state has another root for this version".into()),
            None => Err(format!(
                "finalised state (block {}) has no root of version {}: it is not anchored yet, or older than the last 64",
                finalized.number, state.version
            )),
        })
    }

    /// Which digests are known.
    pub fn known(&self, name: &str, digests: &[H256]) -> Result<Vec<bool>, Refusal> {
        limit_ids(digests.len())?;
        let info = self.namespace(name)?;
        match self.store.known(&info.id, digests) {
            Err(MemoryError::UnknownNamespace(_)) => Ok(vec![false; digests.len()]),
            known => Ok(known?),
        }
    }

    /// Roots, versions and lost races.
    pub fn history(&self, name: &str) -> Result<MemoryHistory, Refusal> {
        let info = self.namespace(name)?;
        let roots = self
            .chain
            .memory_history(self.chain.best().hash, &info.id)?;
        let (held, conflicts) = match self.store.history(&info.id) {
            Ok(versions) => (
                versions.into_iter().map(|v| v.state.version).collect(),
                self.store
                    .conflicts(&info.id)?
                    .into_iter()
                    .map(|c| c.write)
                    .collect(),
            ),
            Err(MemoryError::UnknownNamespace(_)) => (Vec::new(), Vec::new()),
            Err(error) => return Err(error.into()),
        };
        Ok(MemoryHistory {
            roots,
            held,
            conflicts,
        })
    }

    /// A page of fragments.
    pub fn export(
        &self,
        name: &str,
        label: Option<&str>,
        from: Option<u64>,
        key: Option<&NamespaceKey>,
    ) -> Result<MemoryPage, Refusal> {
        let namespace = self.readable(name, key)?;
        let (fragments, next) = self
            .store
            .page(&namespace, label, from.unwrap_or(0), PAGE)?;
        Ok(MemoryPage { fragments, next })
    }

    /// Fragments to answer a question with, checked against the finalised root.
    pub(crate) fn retrieve(
        &self,
        memory: &AskMemory,
        question: &str,
    ) -> Result<MemoryAnswer, Refusal> {
        let k = memory.k.unwrap_or(DEFAULT_CITED);
        if !(1..=MAX_CITED).contains(&k) {
            let message = format!("`memory.k` must be 1..={MAX_CITED}");
            return Err(Refusal::new(errors::INVALID_REQUEST, message));
        }
        let writes: Vec<&Write> = memory.remember.iter().map(|change| &change.write).collect();
        if !writes.is_empty() {
            self.check_writers(&self.namespace(&memory.namespace)?, &writes)?;
        }
        let answer = self.search(&MemorySearch {
            namespace: memory.namespace.clone(),
            query: question.chars().take(MAX_QUERY / 4).collect(),
            k: Some(k),
            key: memory.key,
            ..MemorySearch::default()
        })?;
        let checked = match answer.verify() {
            Ok(()) => self.check_anchored(&answer)?,
            Err(reason) => Err(reason),
        };
        checked.map_err(|reason| {
            let message = format!("memory cannot be proven, so it is not used: {reason}");
            Refusal::new(errors::UNKNOWN_VERSION, message)
        })?;
        Ok(answer)
    }
}

/// The key that a namespace is, or is to be, sealed with.
fn key_of<'a>(
    info: &NamespaceInfo,
    is_sealed: bool,
    key: Option<&'a NamespaceKey>,
) -> Result<Option<&'a [u8; 32]>, Refusal> {
    match (is_sealed, key) {
        (false, _) => Ok(None),
        (true, Some(key)) => Ok(Some(key.as_fixed_bytes())),
        (true, None) => {
            let message = format!("\"{}\" is sealed; send its `key`", info.name);
            Err(Refusal::new(errors::SEALED, message))
        }
    }
}

fn limit_ids(count: usize) -> Result<(), Refusal> {
    if count > MAX_IDS {
        let message = format!("at most {MAX_IDS} at once");
        return Err(Refusal::new(errors::REQUEST_TOO_LARGE, message));
    }
    Ok(())
}
