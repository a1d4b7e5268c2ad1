//! The way of a question: limits, engine, signatures, journal, answer.
//!
//! The answer's text streams while it is made. The receipt, and with it the final answer, leaves only after the journal has it on
//! disk. A client that goes away, or does not read, cancels the work.

use crate::{
    BlockRef, ChainState, Client, Limits, Memory, StateError,
    limits::Rates,
    models::{default_model, find_model},
    worker::{self, Worker},
};
use parking_lot::Mutex;
use sp_keystore::KeystorePtr;
use std::{
    ops::ControlFlow,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};
use touchstone_inference::{
    Engine, EngineError, Finish, Generated, Job, Load, ModelInfo, ModelState, Piece, Residency,
};
use touchstone_primitives::{
    H256, Moment, NodeId,
    apis::{self, TopicInfo},
    memory::answer::cite,
    merkle::token_root,
    provenance::{self, Policy, Tier},
    receipt::{Beacon, Body, Receipt, ReceiptV1, Sampler, Wrapper, answer_hash, sampler_key},
    request::{self, Request},
};
use touchstone_rpc::{
    Adapter, AskAnswer, AskMemory, AskRequest, FinishReason, MemoryAnswer, Model, Progress,
    ReceiptView, Remembered, Timings, Usage, errors,
};
use touchstone_workers::{Journal, JournalError};

/// Until the network routes there is one policy: whoever is asked answers.
const POLICY_VERSION: u32 = 0;
/// Updates that a client may leave unread before its patience counts.
const UPDATES: usize = 64;
/// Longest name of a model or adapter, bytes.
const MAX_NAME: usize = 256;
/// Most texts that may end an answer.
pub const MAX_STOPS: usize = 4;
/// A new journal is used only while the chain is at most this old: before that, the chain may not show yet what was given out.
const FRESH: Duration = Duration::from_secs(600);

/// A question, as the doors pass it on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ask {
    /// What is asked.
    pub request: AskRequest,
    /// Texts that end the answer; they are not part of it.
    pub stop: Vec<String>,
}

/// Why a question is not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// One of [`errors`].
    pub code: i32,
    /// What happened and what to do.
    pub message: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

impl From<StateError> for Refusal {
    fn from(error: StateError) -> Self {
        let message = format!("the node cannot read its chain state ({error}); try again");
        Self::new(errors::STATE_UNAVAILABLE, message)
    }
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        let code = match error {
            EngineError::Busy { .. } => errors::BUSY,
            EngineError::ContextExceeded { .. } => errors::CONTEXT_EXCEEDED,
            EngineError::UnknownModel(_) => errors::UNKNOWN_MODEL,
            EngineError::Loading(..) => errors::LOADING,
            EngineError::BadModel { .. } | EngineError::NotReady(..) => errors::NO_ENGINE,
            EngineError::Unsupported(_) | EngineError::Failed(_) => errors::ENGINE_FAILED,
        };
        Self::new(code, error.to_string())
    }
}

/// A part of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// More text.
    Delta {
        /// Text to append; empty while a character is incomplete.
        text: String,
        /// Tokens to append.
        token_ids: Vec<u32>,
    },
    /// The whole answer; the last update.
    Answer(Box<AskAnswer>),
    /// It could not be finished; the last update.
    Refused(Refusal),
}

/// An answer that is being made. Dropping it cancels the work.
pub struct Running {
    updates: mpsc::Receiver<Update>,
    model: String,
}

impl Running {
    /// Name of the model that answers.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The next update; `None` after the last one.
    pub async fn next(&mut self) -> Option<Update> {
        self.updates.recv().await
    }

    /// Waits for the whole answer.
    pub async fn finish(mut self) -> Result<AskAnswer, Refusal> {
        while let Some(update) = self.next().await {
            match update {
                Update::Delta { .. } => {}
                Update::Answer(answer) => return Ok(*answer),
                Update::Refused(refusal) => return Err(refusal),
            }
        }
        Err(Refusal::new(
            errors::ENGINE_FAILED,
            "the answer was cancelled; ask again",
        ))
    }
}

/// What was done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Questions answered, with receipt.
    pub answered: u64,
    /// Answers that were cancelled because the client went away or did not read.
    pub cancelled: u64,
    /// Questions refused by a limit or a check.
    pub refused: u64,
    /// Answers that failed on the way.
    pub failed: u64,
    /// Tokens of finished answers.
    pub tokens: u64,
}

#[derive(Default)]
struct Counts {
    answered: AtomicU64,
    cancelled: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    tokens: AtomicU64,
}

/// Answers questions. See the [module](self).
pub struct Answerer {
    engine: Option<Arc<dyn Engine>>,
    chain: Arc<dyn ChainState>,
    keystore: KeystorePtr,
    journal: Arc<Journal>,
    limits: Limits,
    rates: Mutex<Rates>,
    slots: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    counts: Counts,
    memory: OnceLock<Arc<Memory>>,
}

/// A question that passed every check and may be answered.
struct Prepared {
    request: Request,
    topic: Option<TopicInfo>,
    model: ModelInfo,
    node: NodeId,
    beacon: Beacon,
    key: H256,
    stop: Vec<String>,
    memory: Option<Recalled>,
}

/// What of memory a question is answered with.
struct Recalled {
    asked: AskMemory,
    answer: MemoryAnswer,
}

impl Answerer {
    /// `engine` is `None` on a node that answers nothing.
    pub fn new(
        engine: Option<Arc<dyn Engine>>,
        chain: Arc<dyn ChainState>,
        keystore: KeystorePtr,
        journal: Arc<Journal>,
        limits: Limits,
    ) -> Arc<Self> {
        Arc::new(Self {
            engine,
            chain,
            keystore,
            journal,
            limits,
            rates: Mutex::new(Rates::per_minute(limits.per_minute, limits.burst)),
            slots: Arc::new(Semaphore::new(limits.slots.max(1))),
            waiting: Arc::default(),
            counts: Counts::default(),
            memory: OnceLock::new(),
        })
    }

    /// Lets questions be answered with memory.
    pub fn set_memory(&self, memory: Arc<Memory>) {
        let _ = self.memory.set(memory);
    }

    /// The chain that it answers on.
    pub fn chain(&self) -> &Arc<dyn ChainState> {
        &self.chain
    }

    /// The keystore that it signs with.
    pub fn keystore(&self) -> &KeystorePtr {
        &self.keystore
    }

    /// What was done since the start.
    pub fn counters(&self) -> Counters {
        let Counts {
            answered,
            cancelled,
            refused,
            failed,
            tokens,
        } = &self.counts;
        Counters {
            answered: answered.load(Relaxed),
            cancelled: cancelled.load(Relaxed),
            refused: refused.load(Relaxed),
            failed: failed.load(Relaxed),
            tokens: tokens.load(Relaxed),
        }
    }

    /// How many questions are being answered and wait.
    pub fn load(&self) -> Load {
        let engine = self
            .engine
            .as_ref()
            .map(|engine| engine.load())
            .unwrap_or_default();
        let waiting = u32::try_from(self.waiting.load(Relaxed)).unwrap_or(u32::MAX);
        Load {
            queued: engine.queued.saturating_add(waiting),
            ..engine
        }
    }

    /// Receipts that are not anchored in finalised state yet; 0 if this machine works for no node.
    pub fn mailbox_depth(&self) -> Result<u64, Refusal> {
        let at = self.chain.finalized().hash;
        let Some(worker) = worker::find(&*self.chain, &self.keystore, self.chain.best().hash)?
        else {
            return Ok(0);
        };
        let head = self.chain.head(at, &worker.node.node)?;
        self.journal
            .unanchored(&worker.node.node, head)
            .map_err(journal_failed)
    }

    /// What can be answered with: empty without an engine.
    pub fn models(&self) -> Vec<ModelInfo> {
        self.engine
            .as_ref()
            .map(|engine| engine.models())
            .unwrap_or_default()
    }

    /// The same with what the registry says.
    pub fn registered_models(&self) -> Result<Vec<Model>, Refusal> {
        let registry = self.chain.models(self.chain.best().hash)?;
        let knows = |hash: &H256| registry.iter().any(|model| model.hash == *hash);
        Ok(self
            .models()
            .into_iter()
            .map(
                |ModelInfo {
                     name,
                     manifest,
                     state,
                     adapter,
                 }| Model {
                    name,
                    manifest_hash: manifest.hash(),
                    registered: knows(&manifest.base)
                        && manifest.adapter.as_ref().is_none_or(knows),
                    manifest,
                    progress: match state {
                        ModelState::Loading(progress) => Some(Progress {
                            read: progress.read,
                            size: progress.size,
                            percent: progress.percent(),
                        }),
                        _ => None,
                    },
                    state: match state {
                        ModelState::Ready => "ready".into(),
                        ModelState::Loading(_) => "loading".into(),
                        ModelState::Failed(reason) => reason,
                    },
                    adapter: adapter.map(|adapter| Adapter {
                        name: adapter.name,
                        base: adapter.base,
                        bytes: adapter.bytes as u64,
                        residency: match adapter.residency {
                            Residency::Loading => "loading",
                            Residency::Resident => "resident",
                            Residency::Evicted => "evicted",
                        }
                        .into(),
                    }),
                },
            )
            .collect())
    }

    /// Whether the model that answers by default is `ready`, `loading` or `failed`, or there is `none`; and which models do not
    /// answer, and why.
    pub fn engine_state(&self) -> (&'static str, Option<String>) {
        if self.engine.is_none() {
            return (
                "none",
                Some("start the node with `--engine` to answer questions".into()),
            );
        }
        let models = self.models();
        let silent: Vec<String> = models
            .iter()
            .filter_map(|model| match &model.state {
                ModelState::Ready => None,
                ModelState::Loading(progress) => Some(format!(
                    "{}: loading, {} % are read",
                    model.name,
                    progress.percent()
                )),
                ModelState::Failed(reason) => Some(format!("{}: {reason}", model.name)),
            })
            .collect();
        let detail = (!silent.is_empty()).then(|| silent.join("; "));
        match default_model(&models).map(|model| &model.state) {
            Some(ModelState::Ready) => ("ready", detail),
            Some(ModelState::Loading(_)) => ("loading", detail),
            Some(ModelState::Failed(_)) => ("failed", detail),
            None => ("failed", Some("the engine has no model".into())),
        }
    }

    /// Checks a question and starts to answer it. What can be refused at once is refused here.
    pub async fn start(self: &Arc<Self>, ask: Ask, client: Client) -> Result<Running, Refusal> {
        let started = self.try_start(ask, client).await;
        if started.is_err() {
            self.counts.refused.fetch_add(1, Relaxed);
        }
        started
    }

    async fn try_start(self: &Arc<Self>, ask: Ask, client: Client) -> Result<Running, Refusal> {
        self.rates.lock().admit("requests", client)?;
        let prepared = {
            let this = self.clone();
            tokio::task::spawn_blocking(move || this.prepare(ask))
                .await
                .map_err(panicked)??
        };
        let place = self.place()?;
        let model = prepared.model.name.clone();
        let (sender, updates) = mpsc::channel(UPDATES);
        tokio::spawn(self.clone().run(prepared, place, sender));
        Ok(Running { updates, model })
    }

    /// A slot, or a place in the queue.
    fn place(&self) -> Result<Place, Refusal> {
        if let Ok(permit) = self.slots.clone().try_acquire_owned() {
            return Ok(Place::Slot(permit));
        }
        let queue = self.limits.queue;
        let queued = self
            .waiting
            .fetch_update(Relaxed, Relaxed, |n| (n < queue).then_some(n + 1));
        queued.map_err(|waiting| {
            Refusal::new(
                errors::BUSY,
                format!(
                    "{} requests are being answered and {waiting} wait; try again later",
                    self.limits.slots.max(1)
                ),
            )
        })?;
        Ok(Place::Queue(Queued(self.waiting.clone())))
    }

    async fn run(self: Arc<Self>, prepared: Prepared, place: Place, updates: mpsc::Sender<Update>) {
        let arrived = Instant::now();
        let slot = match place {
            Place::Slot(slot) => slot,
            Place::Queue(_queued) => tokio::select! {
                slot = self.slots.clone().acquire_owned() => match slot {
                    Ok(slot) => slot,
                    Err(_) => return,
                },
                // The client did not wait.
                () = updates.closed() => {
                    self.counts.cancelled.fetch_add(1, Relaxed);
                    return;
                }
            },
        };
        let queued = arrived.elapsed();
        let this = self.clone();
        let last = updates.clone();
        let work = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            this.answer(prepared, queued, &updates)
        });
        let update = match work.await.map_err(panicked).and_then(|answer| answer) {
            Ok(Some(answer)) => {
                self.counts.answered.fetch_add(1, Relaxed);
                self.counts
                    .tokens
                    .fetch_add(answer.token_ids.len() as u64, Relaxed);
                Update::Answer(Box::new(answer))
            }
            Ok(None) => {
                self.counts.cancelled.fetch_add(1, Relaxed);
                return;
            }
            Err(refusal) => {
                self.counts.failed.fetch_add(1, Relaxed);
                log::warn!(target: "gateway", "a question was not answered: {refusal}");
                Update::Refused(refusal)
            }
        };
        let _ = tokio::time::timeout(self.limits.patience, last.send(update)).await;
    }

    /// Everything that can be checked before the engine is asked.
    fn prepare(&self, mut ask: Ask) -> Result<Prepared, Refusal> {
        check_size(&ask)?;
        let named = (ask.request.model.clone(), ask.request.adapter.clone());
        let asked = ask.request.memory.take();
        let mut request = ask
            .request
            .canonical(H256(rand::random()))
            .map_err(|message| Refusal::new(errors::INVALID_REQUEST, message))?;
        let model = self.model(named.0.as_deref(), named.1.as_deref())?;
        if self.chain.network().is_syncing {
            return Err(Refusal::new(
                errors::STATE_UNAVAILABLE,
                "this node is catching up with the chain; try again when `node_health` says that it is not syncing",
            ));
        }
        let best = self.chain.best();
        let worker = self.worker(best)?;
        let node = worker.node.node;
        self.check_journal(&node, best)?;
        let topic = match &request.topic {
            Some(name) => Some(self.topic(name, &model, best)?),
            None => None,
        };
        let memory = match asked {
            Some(asked) => Some(self.recall(asked, &mut request)?),
            None => None,
        };
        let beacon = self.chain.beacon(best.hash)?;
        let key = sampler_key(
            &self.chain.genesis(),
            &request.hash(),
            &node,
            &model.manifest.hash(),
            &beacon,
        );
        Ok(Prepared {
            request,
            topic,
            model,
            node,
            beacon,
            key,
            stop: ask.stop,
            memory,
        })
    }

    /// Puts what memory has on the question before it.
    fn recall(&self, asked: AskMemory, request: &mut Request) -> Result<Recalled, Refusal> {
        let memory = self.memory.get().ok_or_else(|| {
            Refusal::new(
                errors::MEMORY_FAILED,
                "this node keeps no memory; ask another one",
            )
        })?;
        let question = request.messages.last().map(|last| last.content.as_str());
        let mut answer = memory.retrieve(&asked, question.unwrap_or_default())?;
        let messages = std::mem::take(&mut request.messages);
        let (messages, cited) = cite(messages, &answer.hits);
        request.messages = messages;
        answer.hits.truncate(cited);
        answer.scores.truncate(cited);
        let fits = request.check().map_err(errors::explain);
        fits.map_err(|message| Refusal::new(errors::REQUEST_TOO_LARGE, message))?;
        Ok(Recalled { asked, answer })
    }

    /// Stores what was to be remembered; the answer is there already.
    fn remember(&self, asked: AskMemory) -> Option<Remembered> {
        let memory = self.memory.get().filter(|_| !asked.remember.is_empty())?;
        let stored = memory.put(&asked.namespace, asked.remember, asked.key.as_ref());
        Some(match stored {
            Ok(state) => Remembered::Stored(Box::new(state)),
            Err(refusal) => Remembered::Refused(refusal.message),
        })
    }

    /// The model that is asked for, if it is ready.
    fn model(&self, name: Option<&str>, adapter: Option<&str>) -> Result<ModelInfo, Refusal> {
        let models = self.models();
        if models.is_empty() {
            let (state, detail) = self.engine_state();
            let detail = detail
                .map(|detail| format!(": {detail}"))
                .unwrap_or_default();
            let message = format!("the engine is {state}{detail}");
            return Err(Refusal::new(errors::NO_ENGINE, message));
        }
        let model = find_model(&models, name, adapter)?;
        match &model.state {
            ModelState::Ready => Ok(model.clone()),
            ModelState::Loading(progress) => {
                Err(EngineError::Loading(model.name.clone(), progress.percent()).into())
            }
            ModelState::Failed(reason) => Err(Refusal::new(
                errors::NO_ENGINE,
                format!("model \"{}\" could not be loaded: {reason}", model.name),
            )),
        }
    }

    /// The worker, while its receipts can be anchored.
    fn worker(&self, at: BlockRef) -> Result<Worker, Refusal> {
        let refuse = |message: String| Refusal::new(errors::NOT_A_WORKER, message);
        let worker = worker::find(&*self.chain, &self.keystore, at.hash)?.ok_or_else(|| {
			refuse(if worker::keys(&self.keystore).is_empty() {
				"this node has no worker key, so it cannot sign receipts; insert one with `touchstone-node key insert \
				 --key-type tswk` and register it with `touchstone keys rotate`"
					.into()
			} else {
				"no worker key of this node is registered on the chain; register one with `touchstone keys rotate`"
					.into()
			})
		})?;
        worker.may_serve().map_err(refuse)?;
        Ok(worker)
    }

    /// A journal that never gave out a number for this node learns from the chain which ones are taken; the chain must be recent for
    /// that.
    fn check_journal(&self, node: &NodeId, best: BlockRef) -> Result<(), Refusal> {
        if !self
            .journal
            .streams(node)
            .map_err(journal_failed)?
            .is_empty()
        {
            return Ok(());
        }
        let age = wall_clock().saturating_sub(self.chain.now(best.hash)?);
        if u128::from(age) > FRESH.as_millis() {
            return Err(Refusal::new(
                errors::STATE_UNAVAILABLE,
                "the worker journal is new and this node's chain is old; questions are answered once it has caught up",
            ));
        }
        Ok(())
    }

    /// The topic, if it admits the model.
    fn topic(&self, name: &str, model: &ModelInfo, at: BlockRef) -> Result<TopicInfo, Refusal> {
        let topics = self.chain.topics(at.hash)?;
        let topic = topics
            .into_iter()
            .find(|topic| topic.name == name.as_bytes())
            .ok_or_else(|| {
                Refusal::new(
                    errors::UNKNOWN_TOPIC,
                    format!("no topic \"{name}\"; the registry lists those there are"),
                )
            })?;
        if topic.tier != Tier::T3 && topic.policy == Policy::default() {
            return Ok(topic);
        }
        let registry = self.chain.models(at.hash)?;
        for hash in std::iter::once(&model.manifest.base).chain(&model.manifest.adapter) {
            admitted(&topic, hash, &registry).map_err(|reason| {
				Refusal::new(
					errors::MODEL_NOT_ADMITTED,
					format!(
						"topic \"{name}\" does not admit model \"{}\": {reason}; ask a node that serves the topic",
						model.name
					),
				)
			})?;
        }
        Ok(topic)
    }

    /// Asks the engine, signs, and makes the receipt durable. `None` if the client went away.
    fn answer(
        &self,
        prepared: Prepared,
        queued: Duration,
        updates: &mpsc::Sender<Update>,
    ) -> Result<Option<AskAnswer>, Refusal> {
        let Some(engine) = &self.engine else {
            return Err(Refusal::new(errors::NO_ENGINE, "this node runs no engine"));
        };
        let job = Job {
            model: Some(prepared.model.name.clone()),
            messages: prepared.request.messages.clone(),
            max_tokens: prepared.request.options.max_tokens,
            temperature_milli: prepared.request.options.temperature_milli,
            top_k: prepared.request.options.top_k,
            sampler_key: prepared.key.0,
            stop: prepared.stop.clone(),
        };
        let runtime = Handle::current();
        let mut sink = |piece: Piece| {
            // An empty one only asks whether anybody still waits for the answer.
            if piece == Piece::default() {
                return match updates.is_closed() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                };
            }
            let delta = Update::Delta {
                text: piece.text,
                token_ids: piece.token_ids,
            };
            match self.pass_on(&runtime, updates, delta) {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        };
        let generated = engine.generate(&job, &mut sink)?;
        let finish_reason = match generated.finish {
            Finish::Stop => FinishReason::Stop,
            Finish::Length => FinishReason::Length,
            Finish::Cancelled => return Ok(None),
        };
        if generated.manifest != prepared.model.manifest {
            let reason = "the engine answered with another model than it announced; ask again";
            return Err(Refusal::new(errors::ENGINE_FAILED, reason));
        }
        let signing = Instant::now();
        let receipt = self.receipt(&prepared, &generated)?;
        let (memory, remembered) = match prepared.memory {
            Some(Recalled { asked, answer }) => (Some(answer), self.remember(asked)),
            None => (None, None),
        };
        let (prompt, completion) = (
            count(&generated.prompt_token_ids),
            count(&generated.token_ids),
        );
        Ok(Some(AskAnswer {
            text: generated.text,
            token_ids: generated.token_ids,
            finish_reason,
            manifest: generated.manifest,
            usage: Usage {
                prompt_tokens: prompt,
                completion_tokens: completion,
                total_tokens: prompt.saturating_add(completion),
            },
            timings: Timings {
                queue_ms: millis(queued + generated.queued),
                prefill_ms: millis(generated.prefill),
                decode_ms: millis(generated.decode),
                receipt_ms: millis(signing.elapsed()),
            },
            receipt: ReceiptView::of(&receipt),
            memory,
            remembered,
        }))
    }

    /// Whether the client took the update, in time.
    fn pass_on(&self, runtime: &Handle, updates: &mpsc::Sender<Update>, update: Update) -> bool {
        match updates.try_send(update) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(update)) => runtime
                .block_on(async {
                    tokio::time::timeout(self.limits.patience, updates.send(update)).await
                })
                .is_ok_and(|sent| sent.is_ok()),
        }
    }

    /// The signed record, on disk when this returns.
    fn receipt(&self, prepared: &Prepared, generated: &Generated) -> Result<Receipt, Refusal> {
        let best = self.chain.best();
        let worker = self.worker(best)?;
        let node = prepared.node.clone();
        if worker.node.node != node {
            let reason = "the worker key was registered for another node meanwhile; ask again";
            return Err(Refusal::new(errors::NOT_A_WORKER, reason));
        }
        let genesis = self.chain.genesis();
        let options = prepared.request.options;
        let body = Body {
            query_hash: prepared.request.hash(),
            topic: prepared.request.topic.clone(),
            // Without a topic nothing says how the answer could be checked: subjective, of low risk.
            tier: prepared.topic.as_ref().map_or(Tier::T2, |topic| topic.tier),
            policy_version: POLICY_VERSION,
            table_root: None,
            options_hash: options.hash(),
            client_nonce: prepared.request.client_nonce,
            request_signature: None,
            beacon: prepared.beacon.clone(),
            sampler: Sampler {
                temperature_milli: options.temperature_milli,
                top_k: options.top_k,
                max_tokens: options.max_tokens,
                vrf_proof: None,
            },
            gap_root: None,
            manifest_hash: generated.manifest.hash(),
            prompt_token_root: token_root(&generated.prompt_token_ids),
            token_root: token_root(&generated.token_ids),
            token_count: count(&generated.token_ids),
            answer_hash: answer_hash(&generated.text),
            memory_root: prepared.memory.as_ref().map(|memory| memory.answer.root),
            declines: Vec::new(),
            verdict: None,
        };
        let no_key = || {
            let reason = "the worker key is no longer in the keystore; insert it again";
            Refusal::new(errors::NOT_A_WORKER, reason)
        };
        let specialist_signature = worker
            .sign(&self.keystore, &body.hash(&genesis, &node))
            .ok_or_else(no_key)?;
        let answered_at = self.chain.now(best.hash)?;
        let head = self.chain.head(best.hash, &node)?;
        let keystore = self.keystore.clone();
        let gateway = node.clone();
        let build = move |stream, sequence| {
            let wrapper = Wrapper {
                genesis,
                body,
                specialist: node.clone(),
                specialist_signature,
                gateway: node,
                stream,
                sequence,
                answered_at,
            };
            let gateway_signature = worker
                .sign(&keystore, &wrapper.id())
                .ok_or("the worker key is no longer in the keystore")?;
            Ok(Receipt::V1(ReceiptV1 {
                wrapper,
                gateway_signature,
            }))
        };
        self.journal
            .append(&gateway, head, build)
            .map_err(journal_failed)
    }
}

enum Place {
    Slot(OwnedSemaphorePermit),
    Queue(Queued),
}

/// A place in the queue; dropping it leaves the queue.
struct Queued(Arc<AtomicUsize>);

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

fn check_size(ask: &Ask) -> Result<(), Refusal> {
    let too_large = |message: String| Err(Refusal::new(errors::REQUEST_TOO_LARGE, message));
    let messages = ask.request.messages.as_deref().unwrap_or_default();
    if messages.len() > request::MAX_MESSAGES {
        return too_large(errors::explain(request::InvalidRequest::TooManyMessages));
    }
    let prompt = ask.request.prompt.as_ref().map_or(0, String::len);
    let texts = messages
        .iter()
        .map(|message| message.content.len())
        .chain([prompt]);
    if texts.fold(0usize, usize::saturating_add) > request::MAX_PROMPT_BYTES {
        return too_large(errors::explain(request::InvalidRequest::PromptTooLong));
    }
    let named = [&ask.request.model, &ask.request.adapter];
    if named
        .into_iter()
        .flatten()
        .any(|name| name.len() > MAX_NAME)
    {
        let message = format!("`model` and `adapter` are names of at most {MAX_NAME} bytes");
        return Err(Refusal::new(errors::INVALID_REQUEST, message));
    }
    if ask.stop.len() > MAX_STOPS
        || ask
            .stop
            .iter()
            .any(|stop| stop.is_empty() || stop.len() > 256)
    {
        let message = format!("at most {MAX_STOPS} stop texts, of 1 to 256 bytes each");
        return Err(Refusal::new(errors::INVALID_REQUEST, message));
    }
    Ok(())
}

fn admitted(topic: &TopicInfo, hash: &H256, registry: &[apis::ModelInfo]) -> Result<(), String> {
    let model = registry
        .iter()
        .find(|model| model.hash == *hash)
        .ok_or_else(|| format!("{hash:?} is not registered, so nobody vouches for its origin"))?;
    provenance::admits(topic.tier, &topic.policy, &model.provenance).map_err(|not| {
        match not {
            provenance::NotAdmitted::Lineage => "its lineage is denied",
            provenance::NotAdmitted::Jurisdiction => "its trainer's jurisdiction is not admitted",
            provenance::NotAdmitted::NoPolicy => "the topic names no admitted jurisdiction yet",
        }
        .into()
    })
}

fn journal_failed(error: JournalError) -> Refusal {
    Refusal::new(errors::JOURNAL_FAILED, error.to_string())
}

fn panicked(error: tokio::task::JoinError) -> Refusal {
    log::error!(target: "gateway", "answering panicked: {error}");
    Refusal::new(
        errors::ENGINE_FAILED,
        "the engine failed; the node's log says more",
    )
}

fn count(ids: &[u32]) -> u32 {
    u32::try_from(ids.len()).unwrap_or(u32::MAX)
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// This machine's clock, milliseconds.
pub(crate) fn wall_clock() -> Moment {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
