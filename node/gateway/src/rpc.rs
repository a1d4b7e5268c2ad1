//! The JSON-RPC door.

use crate::{
    Answerer, Ask, ChainState, Client, Memory, Refusal, Update, answer::wall_clock, worker,
};
use jsonrpsee::{
    ConnectionId, Extensions, PendingSubscriptionSink, SubscriptionMessage, SubscriptionSink,
    core::{RpcResult, SubscriptionResult, async_trait},
    types::ErrorObjectOwned,
};
use sp_core::{ByteArray, H256};
use std::sync::Arc;
use touchstone_primitives::{
    Moment, NodeId,
    memory::Write,
    receipt::{Invalid, Receipt},
};
use touchstone_rpc::{
    Anchor, AskAnswer, AskRequest, AskUpdate, EngineHealth, Health, InferenceServer, MemoryAnswer,
    MemoryChange, MemoryHistory, MemoryNamespace, MemoryPage, MemoryProof, MemorySearch,
    MemoryServer, MemoryState, MemoryVerification, Model, NamespaceKey, NodeServer, PendingCommit,
    ReceiptView, ReceiptsServer, SignedCommit, StoredReceipt, Verification, errors,
};
use touchstone_workers::{Journal, JournalError};

impl From<Refusal> for ErrorObjectOwned {
    fn from(refusal: Refusal) -> Self {
        errors::error(refusal.code, refusal.message)
    }
}

/// Runs something that reads state or disk off the async threads.
async fn blocking<T: Send + 'static>(
    f: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> RpcResult<T> {
    match tokio::task::spawn_blocking(f).await {
        Ok(result) => Ok(result?),
        Err(error) => Err(errors::error(errors::STATE_UNAVAILABLE, error.to_string())),
    }
}

/// Who asks, as far as the server knows.
fn client(extensions: &Extensions) -> Client {
    match extensions.get::<ConnectionId>() {
        Some(connection) => Client::Connection(connection.0),
        None => Client::Unknown,
    }
}

/// `inference_*`.
pub struct Inference(Arc<Answerer>);

impl Inference {
    /// Over the answerer.
    pub fn new(answerer: Arc<Answerer>) -> Self {
        Self(answerer)
    }

    fn ask(request: AskRequest) -> Ask {
        Ask {
            request,
            ..Ask::default()
        }
    }
}

#[async_trait]
impl InferenceServer for Inference {
    async fn ask(&self, extensions: &Extensions, request: AskRequest) -> RpcResult<AskAnswer> {
        let client = client(extensions);
        let running = self.0.start(Self::ask(request), client).await?;
        Ok(running.finish().await?)
    }

    async fn subscribe_ask(
        &self,
        pending: PendingSubscriptionSink,
        request: AskRequest,
    ) -> SubscriptionResult {
        let client = Client::Connection(pending.connection_id().0);
        let mut running = match self.0.start(Self::ask(request), client).await {
            Ok(running) => running,
            Err(refusal) => {
                pending.reject(ErrorObjectOwned::from(refusal)).await;
                return Ok(());
            }
        };
        let sink = pending.accept().await?;
        // When the subscriber is gone, `running` is dropped, which cancels the work. While it does not read, nothing is taken
        // from `running`, and the answerer's patience counts.
        loop {
            let update = tokio::select! {
                update = running.next() => update,
                () = sink.closed() => return Ok(()),
            };
            let Some(update) = update else { return Ok(()) };
            let (item, last) = match update {
                Update::Delta { text, token_ids } => (AskUpdate::Delta { text, token_ids }, false),
                Update::Answer(answer) => (AskUpdate::Answer { answer }, true),
                Update::Refused(Refusal { code, message }) => {
                    (AskUpdate::Error { code, message }, true)
                }
            };
            if !send(&sink, &item).await || last {
                return Ok(());
            }
        }
    }

    async fn models(&self) -> RpcResult<Vec<Model>> {
        let answerer = self.0.clone();
        blocking(move || answerer.registered_models()).await
    }
}

async fn send(sink: &SubscriptionSink, item: &AskUpdate) -> bool {
    match SubscriptionMessage::from_json(item) {
        Ok(message) => sink.send(message).await.is_ok(),
        Err(_) => false,
    }
}

/// `receipts_*`.
pub struct Receipts {
    chain: Arc<dyn ChainState>,
    journal: Arc<Journal>,
}

impl Receipts {
    /// Over the chain and the journal.
    pub fn new(chain: Arc<dyn ChainState>, journal: Arc<Journal>) -> Self {
        Self { chain, journal }
    }
}

#[async_trait]
impl ReceiptsServer for Receipts {
    async fn get(&self, id: H256) -> RpcResult<StoredReceipt> {
        let (chain, journal) = (self.chain.clone(), self.journal.clone());
        blocking(move || stored(&*chain, &journal, &id)).await
    }

    async fn verify(
        &self,
        receipt: ReceiptView,
        anchor: Option<Anchor>,
    ) -> RpcResult<Verification> {
        let chain = self.chain.clone();
        blocking(move || verify(&*chain, &receipt, anchor.as_ref())).await
    }
}

fn stored(chain: &dyn ChainState, journal: &Journal, id: &H256) -> Result<StoredReceipt, Refusal> {
    let failed = |e: JournalError| Refusal::new(errors::JOURNAL_FAILED, e.to_string());
    let receipt = journal.receipt(id).map_err(failed)?.ok_or_else(|| {
        Refusal::new(
            errors::UNKNOWN_RECEIPT,
            "no receipt of this id is kept here; ask the gateway that gave it out",
        )
    })?;
    let wrapper = receipt.wrapper();
    let (gateway, stream, sequence) = (&wrapper.gateway, wrapper.stream, wrapper.sequence);
    let mut anchor = None;
    if let Some(batch) = chain.batch_of(chain.best().hash, gateway, stream, sequence)? {
        let proof = journal
            .proof(gateway, stream, batch.first, batch.last, sequence)
            .map_err(failed)?
            .filter(|proof| batch.holds(sequence, id, proof));
        let block_hash = chain.hash_of(batch.block)?;
        if let (Some(proof), Some(block_hash)) = (proof, block_hash) {
            let finalized = batch.block <= chain.finalized().number;
            anchor = Some(Anchor {
                block: batch.block,
                block_hash,
                root: batch.root,
                proof,
                finalized,
            });
        }
    }
    Ok(StoredReceipt {
        receipt: ReceiptView::of(&receipt),
        anchor,
    })
}

fn verify(
    chain: &dyn ChainState,
    view: &ReceiptView,
    anchor: Option<&Anchor>,
) -> Result<Verification, Refusal> {
    let receipt = view
        .receipt()
        .map_err(|e| Refusal::new(errors::INVALID_REQUEST, e))?;
    let failed = |reason: String| Verification {
        valid: false,
        anchored: false,
        reason: Some(reason),
    };
    if let Err(reason) = verify_signatures(chain, &receipt)? {
        return Ok(failed(reason));
    }
    let Some(anchor) = anchor else {
        return Ok(Verification {
            valid: true,
            anchored: false,
            reason: None,
        });
    };
    match verify_anchor(chain, &receipt, anchor)? {
        Ok(()) => Ok(Verification {
            valid: true,
            anchored: true,
            reason: None,
        }),
        Err(reason) => Ok(failed(reason)),
    }
}

fn verify_signatures(
    chain: &dyn ChainState,
    receipt: &Receipt,
) -> Result<Result<(), String>, Refusal> {
    let at = chain.finalized().hash;
    let wrapper = receipt.wrapper();
    if wrapper.genesis != chain.genesis() {
        return Ok(Err("it was made for another chain".into()));
    }
    let key = |node: &NodeId, time: Moment| chain.worker_key_at(at, node, time);
    let keys = (
        key(&wrapper.specialist, wrapper.answered_at)?,
        key(&wrapper.gateway, wrapper.answered_at)?,
    );
    let (Some(specialist), Some(gateway)) = keys else {
        return Ok(Err(
			"finalised state names no worker key of the node for the time of the answer: the node is unknown, its key is \
			 newer than the answer, or the block that registered it is not final yet"
				.into(),
		));
    };
    Ok(receipt
        .verify(&chain.genesis(), &specialist, &gateway)
        .map_err(|invalid| {
            match invalid {
                Invalid::OtherChain => "it was made for another chain",
                Invalid::SpecialistSignature => "the specialist's signature does not match its key",
                Invalid::GatewaySignature => "the gateway's signature does not match its key",
            }
            .into()
        }))
}

fn verify_anchor(
    chain: &dyn ChainState,
    receipt: &Receipt,
    anchor: &Anchor,
) -> Result<Result<(), String>, Refusal> {
    let finalized = chain.finalized();
    if anchor.block > finalized.number {
        return Ok(Err(format!(
            "block {} is not final yet (finalised: {}); try again in a few seconds",
            anchor.block, finalized.number
        )));
    }
    let wrapper = receipt.wrapper();
    let batch = chain.batch_of(
        finalized.hash,
        &wrapper.gateway,
        wrapper.stream,
        wrapper.sequence,
    )?;
    let Some(batch) = batch else {
        return Ok(Err(
            "no anchored batch holds its number, or its root is no longer retained".into(),
        ));
    };
    if batch.root != anchor.root || batch.block != anchor.block {
        return Ok(Err(format!(
            "its number is anchored in block {} under root {:?}, not as the anchor says",
            batch.block, batch.root
        )));
    }
    if chain.hash_of(batch.block)? != Some(anchor.block_hash) {
        return Ok(Err(format!("block {} has another hash", batch.block)));
    }
    if !batch.holds(wrapper.sequence, &receipt.id(), &anchor.proof) {
        return Ok(Err(
            "the proof does not show the receipt in the batch".into()
        ));
    }
    Ok(Ok(()))
}

/// `memory_*`.
pub struct MemoryDoor(Arc<Memory>);

impl MemoryDoor {
    /// Over the memory.
    pub fn new(memory: Arc<Memory>) -> Self {
        Self(memory)
    }

    /// Does something with the memory, if the client has not asked for too much.
    async fn serve<T: Send + 'static>(
        &self,
        extensions: &Extensions,
        f: impl FnOnce(&Memory) -> Result<T, Refusal> + Send + 'static,
    ) -> RpcResult<T> {
        self.0.admit(client(extensions))?;
        let memory = self.0.clone();
        blocking(move || f(&memory)).await
    }
}

#[async_trait]
impl MemoryServer for MemoryDoor {
    async fn namespaces(&self) -> RpcResult<Vec<MemoryNamespace>> {
        let memory = self.0.clone();
        blocking(move || memory.namespaces()).await
    }

    async fn put(
        &self,
        extensions: &Extensions,
        namespace: String,
        changes: Vec<MemoryChange>,
        key: Option<NamespaceKey>,
    ) -> RpcResult<MemoryState> {
        let put = move |memory: &Memory| memory.put(&namespace, changes, key.as_ref());
        self.serve(extensions, put).await
    }

    async fn delete(
        &self,
        extensions: &Extensions,
        namespace: String,
        writes: Vec<Write>,
        key: Option<NamespaceKey>,
    ) -> RpcResult<MemoryState> {
        if writes.iter().any(|write| write.value.is_some()) {
            let reason = "only deletions; put with `memory_put`";
            return Err(errors::error(errors::INVALID_REQUEST, reason));
        }
        let deletion = |write| MemoryChange {
            write,
            content: None,
        };
        let changes = writes.into_iter().map(deletion).collect();
        let put = move |memory: &Memory| memory.put(&namespace, changes, key.as_ref());
        self.serve(extensions, put).await
    }

    async fn search(
        &self,
        extensions: &Extensions,
        search: MemorySearch,
    ) -> RpcResult<MemoryAnswer> {
        let find = move |memory: &Memory| memory.search(&search);
        self.serve(extensions, find).await
    }

    async fn get(
        &self,
        extensions: &Extensions,
        namespace: String,
        ids: Vec<H256>,
        key: Option<NamespaceKey>,
    ) -> RpcResult<MemoryAnswer> {
        let get = move |memory: &Memory| memory.get(&namespace, &ids, key.as_ref());
        self.serve(extensions, get).await
    }

    async fn prove(
        &self,
        extensions: &Extensions,
        namespace: String,
        ids: Vec<H256>,
        version: Option<u64>,
    ) -> RpcResult<MemoryProof> {
        let prove = move |memory: &Memory| memory.prove(&namespace, &ids, version);
        self.serve(extensions, prove).await
    }

    async fn verify(&self, answer: MemoryAnswer) -> RpcResult<MemoryVerification> {
        let memory = self.0.clone();
        blocking(move || memory.verify(&answer)).await
    }

    async fn pending(&self, namespace: String) -> RpcResult<Option<PendingCommit>> {
        let memory = self.0.clone();
        blocking(move || memory.pending(&namespace)).await
    }

    async fn commit(&self, extensions: &Extensions, commit: SignedCommit) -> RpcResult<()> {
        let signed = commit.clone();
        let check = move |memory: &Memory| memory.check_commit(&signed);
        let checked = self.serve(extensions, check).await?;
        Ok(self.0.commit(checked, commit).await?)
    }

    async fn known(
        &self,
        extensions: &Extensions,
        namespace: String,
        digests: Vec<H256>,
    ) -> RpcResult<Vec<bool>> {
        let known = move |memory: &Memory| memory.known(&namespace, &digests);
        self.serve(extensions, known).await
    }

    async fn history(&self, namespace: String) -> RpcResult<MemoryHistory> {
        let memory = self.0.clone();
        blocking(move || memory.history(&namespace)).await
    }

    async fn export(
        &self,
        extensions: &Extensions,
        namespace: String,
        label: Option<String>,
        from: Option<u64>,
        key: Option<NamespaceKey>,
    ) -> RpcResult<MemoryPage> {
        let export =
            move |memory: &Memory| memory.export(&namespace, label.as_deref(), from, key.as_ref());
        self.serve(extensions, export).await
    }
}

/// `node_*`.
pub struct Node {
    answerer: Arc<Answerer>,
    version: String,
    openai_port: Option<u16>,
}

impl Node {
    /// `openai_port` is where the OpenAI door is open on this host.
    pub fn new(
        answerer: Arc<Answerer>,
        version: impl Into<String>,
        openai_port: Option<u16>,
    ) -> Self {
        Self {
            answerer,
            version: version.into(),
            openai_port,
        }
    }
}

#[async_trait]
impl NodeServer for Node {
    async fn health(&self) -> RpcResult<Health> {
        let answerer = self.answerer.clone();
        let (version, openai_port) = (self.version.clone(), self.openai_port);
        blocking(move || health(&answerer, version, openai_port)).await
    }
}

fn health(
    answerer: &Answerer,
    version: String,
    openai_port: Option<u16>,
) -> Result<Health, Refusal> {
    let chain = answerer.chain();
    let (best, finalized, network) = (chain.best(), chain.finalized(), chain.network());
    let worker = worker::find(&**chain, answerer.keystore(), best.hash)?;
    let key = worker.as_ref().map(|worker| worker.key.clone());
    let key = key.or_else(|| worker::keys(answerer.keystore()).into_iter().next());
    let member = match &worker {
        Some(worker) => {
            let members = chain.members(best.hash)?;
            members
                .into_iter()
                .find(|member| member.member == worker.node.member)
        }
        None => None,
    };
    let lower = |status: String| status.to_lowercase();
    let (state, detail) = answerer.engine_state();
    let load = answerer.load();
    let age = i128::from(wall_clock()) - i128::from(chain.now(best.hash)?);
    Ok(Health {
        version,
        genesis: chain.genesis(),
        peers: network.peers,
        is_syncing: network.is_syncing,
        best: best.number,
        finalized: finalized.number,
        finality_lag: best.number.saturating_sub(finalized.number),
        best_age_ms: i64::try_from(age).unwrap_or(i64::MAX),
        engine: EngineHealth {
            state: state.into(),
            detail,
            active: load.active,
            queued: load.queued,
        },
        mailbox_depth: answerer.mailbox_depth()?,
        worker_key: key.map(|key| H256::from_slice(key.as_slice())),
        node_status: worker
            .as_ref()
            .map(|worker| lower(format!("{:?}", worker.node.status))),
        member: worker.as_ref().map(|worker| worker.node.member.clone()),
        node: worker.map(|worker| worker.node.node),
        member_status: member.map(|member| lower(format!("{:?}", member.status))),
        openai_port,
    })
}
