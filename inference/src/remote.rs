//! An OpenAI-compatible server (vLLM, SGLang, llama.cpp's) as an engine.
//!
//! A receipt is about token ids, so the ids must be those that the server sampled. Text is never tokenised again here: an
//! answer whose ids the server does not tell, or not all of them, fails with what to configure. How ids are asked for:
//!
//! | server | request | ids come |
//! |---|---|---|
//! | vLLM | `return_token_ids` | with every part of the stream |
//! | SGLang | `return_input_ids_in_sglext`, `return_output_ids_in_sglext` | in the last part of the stream |
//! | llama.cpp | `/apply-template`, `/tokenize`, `/lora-adapters`, `/completion` with `return_tokens` | with the whole answer, which comes in one piece |
//!
//! llama.cpp is not asked for a stream because its stream leaves out the ids of tokens that end inside a character.
//!
//! The server's own sampler chooses the tokens, seeded with the sampler key. The manifest therefore names that server as
//! engine and sampler, and an answer cannot be replayed bit for bit as the embedded engine's can.

mod breaker;
mod config;
mod transport;
mod wire;

pub use config::{RemoteConfig, RemoteKind, RemoteLimits, RemoteModel};

use crate::{
    Engine, EngineError, Finish, Generated, Job, Load, ModelInfo, ModelState, Piece, Progress,
    ScoreQuery, ScoredPosition, slots::Slots,
};
use breaker::Breaker;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::{Duration, Instant},
};
use touchstone_primitives::{manifest::Manifest, request::Role};
use transport::{Fault, Transport};
use wire::{Chunk, Completion, Embeddings, Listing, LoraAdapter, Prompt, Tokens};

/// Most bytes of a reply that is not a stream.
const MAX_REPLY: usize = 16 << 20;
/// Longest pause before a retry.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// Answers with what a server samples.
pub struct RemoteEngine {
    server: Arc<Server>,
    slots: Slots,
    breaker: Breaker,
    /// Dropping it ends the thread that asks for the list of models.
    _poller: Sender<()>,
}

struct Server {
    config: RemoteConfig,
    transport: Transport,
    models: Vec<Model>,
    states: Mutex<Vec<ModelState>>,
}

struct Model {
    name: String,
    remote_name: String,
    /// Where the server has the adapter, if it is for this engine to switch it on.
    lora: Option<String>,
    manifest: Manifest,
}

/// What has come of an answer.
#[derive(Default)]
struct Answer {
    text: String,
    token_ids: Vec<u32>,
    prompt_token_ids: Vec<u32>,
    first: Option<Instant>,
}

impl RemoteEngine {
    /// Checks the configuration and returns; the server is asked for its models on a thread of its own, again and again.
    ///
    /// A server that cannot be reached is no error: its models are marked as failed until it answers.
    pub fn connect(config: &RemoteConfig) -> Result<Self, EngineError> {
        let models: Vec<Model> = config
            .manifests()?
            .into_iter()
            .map(|(model, manifest)| Model {
                name: model.name.clone(),
                remote_name: model.remote_name.clone(),
                lora: model.lora.clone(),
                manifest,
            })
            .collect();
        let limits = &config.limits;
        let server = Arc::new(Server {
            transport: Transport::new(&config.url, config.api_key()?, limits)?,
            states: Mutex::new(vec![ModelState::Loading(Progress::default()); models.len()]),
            models,
            config: config.clone(),
        });
        let (poller, ended) = channel();
        std::thread::Builder::new()
            .name("remote-models".into())
            .spawn({
                let server = server.clone();
                move || server.poll(&ended)
            })
            .map_err(|e| EngineError::Failed(format!("cannot start a thread: {e}")))?;
        Ok(Self {
            slots: Slots::new(config.slots, config.queue),
            breaker: Breaker::new(limits.breaker_failures, limits.breaker_rest()),
            server,
            _poller: poller,
        })
    }

    fn model(&self, name: &Option<String>) -> Result<&Model, EngineError> {
        let mut models = self.server.models.iter();
        match name {
            None => models.next(),
            Some(name) => models.find(|m| m.name == *name),
        }
        .ok_or_else(|| EngineError::UnknownModel(name.clone().unwrap_or_default()))
    }

    /// Runs `call` behind the breaker, again as long as it may be repeated.
    fn guarded<T>(
        &self,
        model: &str,
        mut call: impl FnMut() -> (bool, Result<T, Fault>),
    ) -> Result<T, EngineError> {
        let pass = self.breaker.admit().map_err(|open| {
			EngineError::NotReady(
				model.into(),
				format!(
					"{} failed {} times in a row and gets a rest; it is tried again in {} ms; look into its log",
					self.server.config.url,
					open.failures,
					open.retry_in.as_millis()
				),
			)
		})?;
        let mut attempt = 0;
        loop {
            let (begun, result) = call();
            match result {
                Ok(value) => {
                    pass.succeeded();
                    return Ok(value);
                }
                Err(fault)
                    if !begun
                        && fault.may_be_repeated()
                        && attempt < self.server.config.limits.retries =>
                {
                    let base = self.server.config.limits.pause();
                    let pause = base.saturating_mul(1 << attempt.min(8));
                    log::debug!(target: "engine", "{}: {fault}; again in {pause:?}", self.server.config.url);
                    std::thread::sleep(pause.max(fault.asked_pause()).min(MAX_PAUSE));
                    attempt += 1;
                }
                Err(fault) => {
                    match fault.is_the_servers() {
                        true => pass.failed(),
                        false => pass.succeeded(),
                    }
                    return Err(self.explain(fault));
                }
            }
        }
    }

    fn explain(&self, fault: Fault) -> EngineError {
        match fault {
            Fault::Engine(error) => error,
            Fault::Setup(what) => EngineError::Unsupported(what),
            Fault::Status { code: 429, .. } => {
                let Load { active, queued } = self.slots.load();
                EngineError::Busy { active, queued }
            }
            fault => EngineError::Failed(format!("{}: {fault}", self.server.config.url)),
        }
    }
}

impl Server {
    fn poll(&self, ended: &Receiver<()>) {
        loop {
            self.ask_for_models();
            if ended.recv_timeout(self.config.limits.poll()) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    fn ask_for_models(&self) {
        let listed = self
            .transport
            .get("/models", self.config.limits.first_token())
            .and_then(|mut reply| reply.json::<Listing>(MAX_REPLY));
        let states = self.models.iter().map(|model| match &listed {
            Err(fault) => ModelState::Failed(format!(
                "{}: {fault}; it is asked again every {} s",
                self.config.url,
                self.config.limits.poll().as_secs()
            )),
            Ok(listing) if listing.data.iter().any(|m| m.id == model.remote_name) => {
                match self.switch(model) {
                    Ok(_) => ModelState::Ready,
                    Err(fault) => ModelState::Failed(format!("{}: {fault}", self.config.url)),
                }
            }
            Ok(_) if model.lora.is_some() && self.config.kind == RemoteKind::Vllm => {
                match self.load_adapter(model) {
                    Ok(()) => ModelState::Ready,
                    Err(fault) => ModelState::Failed(format!(
                        "{} does not load the adapter: {fault}; start vLLM with --enable-lora and \
                         VLLM_ALLOW_RUNTIME_LORA_UPDATING=True, or with --lora-modules",
                        self.config.url
                    )),
                }
            }
            Ok(listing) => ModelState::Failed(format!(
                "{} does not serve \"{}\" but {:?}; correct `remoteName`",
                self.config.url,
                model.remote_name,
                listing
                    .data
                    .iter()
                    .map(|m| &m.id)
                    .take(16)
                    .collect::<Vec<_>>()
            )),
        });
        let states: Vec<_> = states.collect();
        let mut known = self.states.lock();
        for ((old, new), model) in known.iter().zip(&states).zip(&self.models) {
            match new {
                ModelState::Failed(why) if old != new => {
                    log::warn!(target: "engine", "{}: {why}", model.name)
                }
                ModelState::Ready if old != new => {
                    log::info!(target: "engine", "{}: {} serves it", model.name, self.config.url)
                }
                _ => {}
            }
        }
        *known = states;
    }

    /// Has vLLM load an adapter that it does not list.
    fn load_adapter(&self, model: &Model) -> Result<(), Fault> {
        let body = json!({ "lora_name": model.remote_name, "lora_path": model.lora });
        let wait = self.config.limits.first_token();
        self.transport
            .post("/load_lora_adapter", &body, wait, &mut || true)?;
        Ok(())
    }

    /// llama.cpp's adapters, each switched on or off for a request to a model. A request that says nothing about them would be answered
    /// with all that the server was started with.
    fn switch(&self, model: &Model) -> Result<Vec<Value>, Fault> {
        if self.config.kind != RemoteKind::LlamaCpp {
            return Ok(Vec::new());
        }
        let known: Vec<LoraAdapter> = self
            .transport
            .get_native("/lora-adapters", self.config.limits.first_token())?
            .json(MAX_REPLY)?;
        let wanted = |adapter: &LoraAdapter| Some(&adapter.path) == model.lora.as_ref();
        if model.lora.is_some() && !known.iter().any(wanted) {
            return Err(Fault::Setup(
                "apply the adapter: the server does not list it under /lora-adapters; start llama-server with --lora and the same file \
                 as `lora` in the remote configuration",
            ));
        }
        let known = known.iter();
        Ok(known
            .map(|a| json!({ "id": a.id, "scale": if wanted(a) { 1 } else { 0 } }))
            .collect())
    }

    /// One attempt to have a streamed answer, from vLLM or SGLang.
    fn stream(
        &self,
        model: &Model,
        job: &Job,
        answer: &mut Answer,
        sink: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<Finish, Fault> {
        let limits = &self.config.limits;
        let mut body = sampling(job);
        body["model"] = json!(model.remote_name);
        body["messages"] = messages(job);
        body["max_tokens"] = json!(job.max_tokens);
        body["repetition_penalty"] = json!(1);
        body["logprobs"] = json!(true);
        body["stream"] = json!(true);
        body["stream_options"] = json!({ "include_usage": true });
        let sglang = self.config.kind == RemoteKind::Sglang;
        match sglang {
            true => {
                body["return_input_ids_in_sglext"] = json!(true);
                body["return_output_ids_in_sglext"] = json!(true);
            }
            false => body["return_token_ids"] = json!(true),
        }
        let missing = Fault::Setup(self.config.kind.how_to_get_ids());
        let mut deadline = Instant::now() + limits.first_token();
        let mut reply = {
            let mut go_on = || sink(Piece::default()).is_continue();
            let wait = limits.first_token();
            self.transport
                .post("/chat/completions", &body, wait, &mut go_on)?
        };
        reply.expect_stream()?;
        let (mut finish, mut usage, mut logprobs) = (None, None, Vec::new());
        loop {
            let mut go_on = || sink(Piece::default()).is_continue();
            let line = reply.line(deadline, &mut go_on)?;
            let line = line.ok_or(Fault::Truncated)?;
            let Some(data) = line.strip_prefix("data:").map(str::trim) else {
                continue;
            };
            if data == "[DONE]" {
                break;
            }
            let chunk: Chunk = wire::parse(data.as_bytes())?;
            if let Some(error) = chunk.error {
                return Err(Fault::Garbled(format!(
                    "the stream says {}",
                    wire::shorten(&error.to_string())
                )));
            }
            usage = chunk.usage.or(usage);
            let mut piece = Piece::default();
            if let Some(ids) = chunk.prompt_token_ids {
                answer.prompt_token_ids = ids;
                ensure_fits(answer, job, model)?;
            }
            if let Some(ids) = chunk.sglext {
                answer.prompt_token_ids = ids.input_ids.unwrap_or_default().flatten();
                piece.token_ids = ids.output_ids.unwrap_or_default().flatten();
                piece.logprobs = std::mem::take(&mut logprobs);
                ensure_fits(answer, job, model)?;
            }
            if let Some(choice) = chunk.choices.into_iter().next() {
                if choice.delta.has_reasoning() {
                    return Err(Fault::Setup(
                        "take an answer that the server splits: start the server without a reasoning parser",
                    ));
                }
                piece.text = choice.delta.content.unwrap_or_default();
                let scores = choice.logprobs.and_then(|l| l.content).unwrap_or_default();
                let scores = scores.into_iter().map(|l| l.logprob);
                match sglang {
                    true => logprobs.extend(scores),
                    false => {
                        piece.token_ids = choice.token_ids.unwrap_or_default();
                        piece.logprobs = scores.collect();
                        // Said before the first text leaves, not after the whole answer.
                        if !piece.text.is_empty()
                            && (answer.prompt_token_ids.is_empty()
                                || answer.token_ids.is_empty() && piece.token_ids.is_empty())
                        {
                            return Err(missing);
                        }
                    }
                }
                finish = choice.finish_reason.or(finish);
            }
            if piece.text.is_empty() && piece.token_ids.is_empty() {
                continue;
            }
            deadline = Instant::now() + limits.between_tokens();
            if deliver(answer, piece, job, sink)?.is_break() {
                return Ok(Finish::Cancelled);
            }
        }
        let usage =
            usage.ok_or_else(|| Fault::Garbled("no usage at the end of the stream".into()))?;
        if answer.token_ids.is_empty()
            || usage.completion_tokens != answer.token_ids.len()
            || usage.prompt_tokens != answer.prompt_token_ids.len()
        {
            return Err(missing);
        }
        match finish.as_deref() {
            Some("stop") => Ok(Finish::Stop),
            Some("length") => Ok(Finish::Length),
            Some(other) => Err(Fault::Garbled(format!(
                "finish_reason \"{}\"",
                wire::shorten(other)
            ))),
            None => Err(Fault::Truncated),
        }
    }

    /// One attempt to have an answer from llama.cpp's server, in one piece.
    fn whole(
        &self,
        model: &Model,
        job: &Job,
        answer: &mut Answer,
        sink: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<Finish, Fault> {
        let limits = &self.config.limits;
        let mut ask = |path: &str, mut body: Value, wait: Duration| {
            body["model"] = json!(model.remote_name);
            let mut go_on = || sink(Piece::default()).is_continue();
            self.transport.post_native(path, &body, wait, &mut go_on)
        };
        let missing = Fault::Setup(self.config.kind.how_to_get_ids());
        let prompt: Prompt = ask(
            "/apply-template",
            json!({ "messages": messages(job) }),
            limits.first_token(),
        )?
        .json(MAX_REPLY)?;
        let tokens: Tokens = ask(
            "/tokenize",
            json!({ "content": prompt.prompt, "add_special": true, "parse_special": true }),
            limits.first_token(),
        )?
        .json(MAX_REPLY)?;
        answer.prompt_token_ids = tokens.tokens;
        ensure_fits(answer, job, model)?;

        let adapters = self.switch(model)?;
        let mut body = sampling(job);
        // What the server keeps of earlier prompts may have been computed with another adapter.
        body["cache_prompt"] = json!(adapters.is_empty());
        body["lora"] = json!(adapters);
        body["n_probs"] = json!(1);
        body["prompt"] = json!(answer.prompt_token_ids);
        body["n_predict"] = json!(job.max_tokens);
        body["repeat_penalty"] = json!(1);
        body["samplers"] = json!(["top_k", "temperature"]);
        body["return_tokens"] = json!(true);
        body["stream"] = json!(false);
        let wait = limits.first_token() + limits.between_tokens().saturating_mul(job.max_tokens);
        let reply: Completion = ask("/completion", body, wait)?.json(MAX_REPLY)?;
        if reply.tokens.is_empty()
            || reply.tokens.len() != reply.tokens_predicted
            || answer.prompt_token_ids.len() != reply.tokens_evaluated
            || reply.truncated
        {
            return Err(missing);
        }
        let piece = Piece {
            text: reply.content,
            token_ids: reply.tokens,
            logprobs: reply
                .completion_probabilities
                .iter()
                .map(|p| p.logprob)
                .collect(),
        };
        match (deliver(answer, piece, job, sink)?, reply.stop_type.as_str()) {
            (ControlFlow::Break(()), _) => Ok(Finish::Cancelled),
            (_, "eos" | "word") => Ok(Finish::Stop),
            (_, "limit") => Ok(Finish::Length),
            (_, other) => Err(Fault::Garbled(format!(
                "stop_type \"{}\"",
                wire::shorten(other)
            ))),
        }
    }
}

/// Options that all three servers call the same. Those that a server would else take from its own defaults are spelt out.
fn sampling(job: &Job) -> Value {
    let [a, b, c, d, ..] = job.sampler_key;
    json!({
        "temperature": f64::from(job.temperature_milli) / 1000.0,
        "top_k": job.top_k,
        "top_p": 1,
        "min_p": 0,
        "presence_penalty": 0,
        "frequency_penalty": 0,
        // 31 bits: llama.cpp reads the highest 32-bit number as "choose one".
        "seed": u32::from_le_bytes([a, b, c, d]) >> 1,
        "stop": job.stop.iter().filter(|s| !s.is_empty()).collect::<Vec<_>>(),
    })
}

fn messages(job: &Job) -> Value {
    let role = |role| match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    job.messages
        .iter()
        .map(|m| json!({ "role": role(m.role), "content": m.content }))
        .collect()
}

fn ensure_fits(answer: &Answer, job: &Job, model: &Model) -> Result<(), Fault> {
    let prompt = answer.prompt_token_ids.len() as u32;
    let context = model.manifest.context;
    match prompt.saturating_add(job.max_tokens) > context {
        true => Err(Fault::Engine(EngineError::ContextExceeded {
            prompt,
            max_tokens: job.max_tokens,
            context,
        })),
        false => Ok(()),
    }
}

/// Adds a piece to the answer and passes it on.
fn deliver(
    answer: &mut Answer,
    mut piece: Piece,
    job: &Job,
    sink: &mut dyn FnMut(Piece) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Fault> {
    answer.first.get_or_insert_with(Instant::now);
    answer.text += &piece.text;
    answer.token_ids.extend(&piece.token_ids);
    if answer.token_ids.len() > job.max_tokens as usize {
        return Err(Fault::Garbled(format!(
            "{} tokens where at most {} were asked for",
            answer.token_ids.len(),
            job.max_tokens
        )));
    }
    if piece.logprobs.len() != piece.token_ids.len() {
        piece.logprobs.clear();
    }
    Ok(sink(piece))
}

impl Engine for RemoteEngine {
    fn models(&self) -> Vec<ModelInfo> {
        let states = self.server.states.lock();
        let models = self.server.models.iter().zip(states.iter());
        models
            .map(|(model, state)| ModelInfo {
                name: model.name.clone(),
                manifest: model.manifest.clone(),
                state: state.clone(),
                adapter: None,
            })
            .collect()
    }

    /// Log probabilities are those that the server tells, and absent if it tells none. Cancelling closes the connection,
    /// upon which these servers stop working; with SGLang a cancelled answer has no ids, as they would have come last.
    fn generate(
        &self,
        job: &Job,
        sink: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<Generated, EngineError> {
        let model = self.model(&job.model)?;
        let arrived = Instant::now();
        let mut go_on = || sink(Piece::default()).is_continue();
        let Some(_slot) = self.slots.acquire_while(&mut go_on)? else {
            let manifest = model.manifest.clone();
            return Ok(Generated::cancelled(
                manifest,
                Vec::new(),
                arrived.elapsed(),
            ));
        };
        let queued = arrived.elapsed();
        let (started, finish, answer) = self.guarded(&model.name, || {
            let started = Instant::now();
            let mut answer = Answer::default();
            let result = match self.server.config.kind {
                RemoteKind::LlamaCpp => self.server.whole(model, job, &mut answer, sink),
                _ => self.server.stream(model, job, &mut answer, sink),
            };
            let result = match result {
                Err(Fault::Cancelled) => Ok(Finish::Cancelled),
                result => result,
            };
            (
                answer.first.is_some(),
                result.map(|finish| (started, finish, answer)),
            )
        })?;
        let first = answer.first.unwrap_or_else(Instant::now);
        Ok(Generated {
            text: answer.text,
            token_ids: answer.token_ids,
            prompt_token_ids: answer.prompt_token_ids,
            finish,
            manifest: model.manifest.clone(),
            queued,
            prefill: first - started,
            decode: first.elapsed(),
        })
    }

    /// Not possible: these servers tell too few likely tokens for each position, or none of a given answer.
    fn score(&self, _: &ScoreQuery) -> Result<Vec<ScoredPosition>, EngineError> {
        Err(EngineError::Unsupported(
            "score answers: a remote server does not tell enough; audit with the embedded engine",
        ))
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        let model = self.server.config.embedding.as_deref().ok_or(EngineError::Unsupported(
			"turn sentences into vectors: name the server's model under `embedding` in the remote configuration",
		))?;
        let _slot = self.slots.acquire()?;
        self.guarded(model, || {
            let body = json!({ "model": model, "input": texts, "encoding_format": "float" });
            let wait = self.server.config.limits.first_token();
            let vectors = self
                .server
                .transport
                .post("/embeddings", &body, wait, &mut || true)
                .and_then(|mut reply| reply.json::<Embeddings>(MAX_REPLY))
                .and_then(|reply| reply.vectors(texts.len()));
            (false, vectors)
        })
    }

    fn load(&self) -> Load {
        self.slots.load()
    }
}
