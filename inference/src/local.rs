//! The embedded engine: GGUF models of the Llama family (Llama, Qwen2, Gemma 3) on this machine's processor.

use crate::{
    AdapterConfig, AdapterInfo, Engine, EngineConfig, EngineError, Finish, Generated, Job, Load,
    ModelConfig, ModelInfo, ModelState, Piece, Progress, Residency, ScoreQuery, ScoredPosition,
    adapter::{Adapter, Residents},
    gguf::{Gguf, Reading},
    kernels::Cpu,
    llama::{Model, Shape},
    onnx::{Classifier, Embedder},
    pool::{Pool, lower_priority},
    sampler,
    scheduler::{Event, Scheduler, Work},
    slots::Slots,
    stop::{StopScanner, Utf8Stream},
    tokenizer::Tokenizer,
};
use parking_lot::{Mutex, RwLock};
use std::{
    ops::ControlFlow,
    path::Path,
    sync::{Arc, OnceLock},
    time::Instant,
};
use touchstone_primitives::{H256, manifest::Manifest};

/// Name and version in manifests. The version changes whenever the same inputs could give other bits.
pub(crate) const ENGINE: &str = "touchstone-cpu/1";
/// Longest context that is used unless the configuration asks for more.
const DEFAULT_CONTEXT: usize = 32_768;
/// Most of the likeliest tokens that `score` returns.
const MAX_SCORED: u8 = 128;

/// Serves any number of models. One that cannot be loaded is reported as failed, and the others answer.
pub struct LocalEngine {
    config: EngineConfig,
    pool: Arc<Pool>,
    models: Vec<Entry>,
    adapters: RwLock<Vec<AdapterEntry>>,
    residents: Mutex<Residents>,
    embedder: OnceLock<Result<Embedder, EngineError>>,
    /// By name. Empty while it is being loaded, as everything here.
    classifiers: Vec<(String, OnceLock<Result<Classifier, EngineError>>)>,
}

struct Entry {
    config: ModelConfig,
    reading: Arc<Reading>,
    /// Empty while the model is being loaded.
    served: OnceLock<Result<Served, EngineError>>,
}

struct Served {
    manifest: Manifest,
    tokenizer: Arc<Tokenizer>,
    shape: Shape,
    slots: Slots,
    scheduler: Scheduler,
}

/// An adapter that can be asked for.
#[derive(Clone)]
struct AdapterEntry {
    config: AdapterConfig,
    /// Empty while it is being read for the first time.
    checked: Option<Result<Checked, EngineError>>,
}

/// What is known of a sound adapter.
#[derive(Clone)]
struct Checked {
    manifest: Manifest,
    bytes: usize,
}

/// Who answers a job.
struct Chosen<'a> {
    served: &'a Served,
    manifest: Manifest,
    adapter: Option<Arc<Adapter>>,
}

/// A model as it comes out of its file.
pub(crate) struct Loaded {
    pub(crate) model: Model,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) manifest: Manifest,
}

impl LocalEngine {
    /// Returns when everything that is configured has been loaded or refused, after about a second for each 200 MB.
    pub fn load(config: &EngineConfig) -> Self {
        let engine = Self::new(config);
        for model in &engine.models {
            engine.load_model(model);
        }
        engine.load_encoders();
        engine
    }

    /// Returns at once. Each model is loaded on a thread of its own, its adapters after it, and is
    /// [`ModelState::Loading`] meanwhile.
    pub fn start(config: &EngineConfig) -> Arc<Self> {
        let engine = Arc::new(Self::new(config));
        for (index, model) in engine.models.iter().enumerate() {
            let loader = engine.clone();
            let thread = beside(&model.config.name, move || {
                loader.load_model(&loader.models[index]);
            });
            if let Err(error) = thread {
                let _ = model.served.set(Err(error));
            }
        }
        let loader = engine.clone();
        if let Err(error) = beside("encoders", move || loader.load_encoders()) {
            let _ = engine.embedder.set(Err(error.clone()));
            for (_, place) in &engine.classifiers {
                let _ = place.set(Err(error.clone()));
            }
        }
        engine
    }

    /// Nothing is loaded yet.
    fn new(config: &EngineConfig) -> Self {
        let known = |name: &String| config.models.iter().any(|m| m.name == *name);
        let adapters = config.adapters.iter().map(|config| AdapterEntry {
            config: config.clone(),
            checked: (!known(&config.base)).then(|| {
                let error = EngineError::UnknownModel(config.base.clone());
                log::error!(target: "engine", "adapter {} is not served: {error}", config.id());
                Err(error)
            }),
        });
        Self {
            pool: Arc::new(Pool::new(config.compute_threads())),
            models: config.models.iter().cloned().map(Entry::new).collect(),
            adapters: RwLock::new(adapters.collect()),
            residents: Mutex::new(Residents::new((config.adapter_mib as usize) << 20)),
            embedder: OnceLock::new(),
            classifiers: config
                .classifiers
                .iter()
                .map(|c| (c.name.clone(), OnceLock::new()))
                .collect(),
            config: config.clone(),
        }
    }

    fn load_model(&self, model: &Entry) {
        let name = &model.config.name;
        let served = model.load(&self.config, &self.pool);
        if let Err(error) = &served {
            log::error!(target: "engine", "{name} is not served: {error}");
        }
        let _ = model.served.set(served);
        for adapter in self.config.adapters.iter().filter(|a| a.base == *name) {
            let id = adapter.id();
            match self.add_adapter(adapter) {
                Ok(manifest) => {
                    log::info!(target: "engine", "{id}: adapter {:?} ready", manifest.adapter.unwrap_or_default());
                }
                Err(error) => {
                    log::error!(target: "engine", "adapter {id} is not served: {error}");
                    self.put_adapter(AdapterEntry {
                        config: adapter.clone(),
                        checked: Some(Err(error)),
                    });
                }
            }
        }
    }

    fn load_encoders(&self) {
        let threads = self.config.compute_threads();
        if let Some(config) = &self.config.embedding {
            let loaded = Embedder::load(config, threads);
            if let Err(error) = &loaded {
                log::error!(target: "engine", "no embeddings: {error}");
            }
            let _ = self.embedder.set(loaded);
        }
        for (config, (name, place)) in self.config.classifiers.iter().zip(&self.classifiers) {
            let loaded = Classifier::load(config, threads);
            if let Err(error) = &loaded {
                log::error!(target: "engine", "{name} does not classify: {error}");
            }
            let _ = place.set(loaded);
        }
    }

    /// Checks an adapter and serves it from now on, in place of one that had its name on that base. Answers in progress go
    /// on with what they began with. The base is neither copied nor read again.
    pub fn add_adapter(&self, config: &AdapterConfig) -> Result<Manifest, EngineError> {
        let taken = |m: &Entry| m.config.name == config.name || m.config.name == config.id();
        if self.models.iter().any(taken) {
            let message = format!("the name \"{}\" belongs to a model already", config.name);
            return Err(EngineError::Failed(message));
        }
        let served = self.base(&config.base)?;
        let adapter = Adapter::load(&config.path, &served.shape, served.manifest.base)?;
        let wanted = config
            .blake2
            .as_ref()
            .map(|text| parse_hash(text, &config.path))
            .transpose()?;
        ensure_hash(&config.path, wanted.unwrap_or(adapter.hash), adapter.hash)?;
        let manifest = Manifest {
            adapter: Some(adapter.hash),
            ..served.manifest.clone()
        };
        self.put_adapter(AdapterEntry {
            config: config.clone(),
            checked: Some(Ok(Checked {
                manifest: manifest.clone(),
                bytes: adapter.bytes,
            })),
        });
        self.residents
            .lock()
            .insert(&config.path, Arc::new(adapter));
        Ok(manifest)
    }

    /// The tokens that a model would have to write to answer with a text, its end mark included: what to score.
    pub fn tokens_of_answer(
        &self,
        model: Option<&str>,
        text: &str,
    ) -> Result<Vec<u32>, EngineError> {
        let chosen = self.choose(&model.map(String::from))?;
        chosen.served.tokenizer.answer(text)
    }

    fn put_adapter(&self, entry: AdapterEntry) {
        let mut adapters = self.adapters.write();
        let id = entry.config.id();
        match adapters.iter_mut().find(|a| a.config.id() == id) {
            Some(place) => *place = entry,
            None => adapters.push(entry),
        }
    }

    /// The sound adapters, and which of them are in memory.
    pub fn adapters(&self) -> Vec<AdapterInfo> {
        let residents = self.residents.lock();
        let adapters = self.adapters.read();
        let sound = adapters.iter().filter(|a| matches!(a.checked, Some(Ok(_))));
        sound.map(|a| a.info(&residents)).collect()
    }

    fn base(&self, name: &str) -> Result<&Served, EngineError> {
        let entry = self.models.iter().find(|m| m.config.name == name);
        let entry = entry.ok_or_else(|| EngineError::UnknownModel(name.into()))?;
        match entry.served.get() {
            Some(Ok(served)) => Ok(served),
            Some(Err(e)) => Err(EngineError::NotReady(name.into(), e.to_string())),
            None => {
                let percent = entry.reading.progress().percent();
                Err(EngineError::Loading(name.into(), percent))
            }
        }
    }

    /// How much of a model's file has been read.
    fn progress(&self, name: &str) -> Progress {
        let entry = self.models.iter().find(|m| m.config.name == name);
        entry.map(|m| m.reading.progress()).unwrap_or_default()
    }

    fn choose(&self, name: &Option<String>) -> Result<Chosen<'_>, EngineError> {
        let first = self.models.first().map(|m| &m.config.name);
        let name = name.as_ref().or(first).ok_or_else(|| {
            EngineError::NotReady("default".into(), "no model is configured".into())
        })?;
        let found = self
            .adapters
            .read()
            .iter()
            .find(|a| a.config.id() == *name || a.config.name == *name)
            .cloned();
        let Some(AdapterEntry { config, checked }) = found else {
            let served = self.base(name)?;
            return Ok(Chosen {
                served,
                manifest: served.manifest.clone(),
                adapter: None,
            });
        };
        let manifest = match checked {
            Some(Ok(checked)) => checked.manifest,
            Some(Err(error)) => return Err(EngineError::NotReady(config.id(), error.to_string())),
            None => {
                let percent = self.progress(&config.base).percent();
                return Err(EngineError::Loading(config.id(), percent));
            }
        };
        let served = self.base(&config.base)?;
        let resident = self.residents.lock().get(&config.path);
        let adapter = match resident.filter(|a| Some(a.hash) == manifest.adapter) {
            Some(adapter) => adapter,
            None => {
                // The file may have changed since it was checked.
                let adapter = Adapter::load(&config.path, &served.shape, served.manifest.base)?;
                ensure_hash(
                    &config.path,
                    manifest.adapter.unwrap_or_default(),
                    adapter.hash,
                )?;
                let adapter = Arc::new(adapter);
                self.residents.lock().insert(&config.path, adapter.clone());
                adapter
            }
        };
        Ok(Chosen {
            served,
            manifest,
            adapter: Some(adapter),
        })
    }
}

/// Runs something on a thread of its own that never keeps the rest of the node waiting.
fn beside(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), EngineError> {
    let builder = std::thread::Builder::new().name(format!("load-{name}"));
    let thread = builder.spawn(move || {
        lower_priority();
        work();
    });
    thread
        .map(drop)
        .map_err(|e| EngineError::Failed(format!("no thread to load it: {e}")))
}

impl Entry {
    fn new(config: ModelConfig) -> Self {
        Self {
            config,
            reading: Arc::default(),
            served: OnceLock::new(),
        }
    }

    fn load(&self, engine: &EngineConfig, pool: &Arc<Pool>) -> Result<Served, EngineError> {
        let name = &self.config.name;
        log::info!(target: "engine", "{name}: loading {}", self.config.path.display());
        let started = Instant::now();
        let Loaded {
            model,
            tokenizer,
            manifest,
        } = load_file(&self.config, Cpu::detect(), &self.reading)?;
        log::info!(
            target: "engine",
            "{name}: {} MB of {} weights ready after {:?}; file {:?}",
            model.bytes() / 1_000_000, model.dtype, started.elapsed(), manifest.base,
        );
        let shape = model.shape.clone();
        let prefixes = (engine.prefix_mib as usize) << 20;
        let scheduler = Scheduler::start(name, model, pool.clone(), prefixes)
            .map_err(|e| EngineError::Failed(format!("no thread for the model: {e}")))?;
        Ok(Served {
            manifest,
            tokenizer: Arc::new(tokenizer),
            shape,
            slots: Slots::new(engine.slots, engine.queue),
            scheduler,
        })
    }

    fn info(&self) -> ModelInfo {
        let (manifest, state) = match self.served.get() {
            Some(Ok(served)) => (served.manifest.clone(), ModelState::Ready),
            Some(Err(error)) => (unloaded(), ModelState::Failed(error.to_string())),
            None => (unloaded(), ModelState::Loading(self.reading.progress())),
        };
        ModelInfo {
            name: self.config.name.clone(),
            manifest,
            state,
            adapter: None,
        }
    }
}

impl AdapterEntry {
    fn info(&self, residents: &Residents) -> AdapterInfo {
        AdapterInfo {
            name: self.config.name.clone(),
            base: self.config.base.clone(),
            bytes: match &self.checked {
                Some(Ok(checked)) => checked.bytes,
                _ => 0,
            },
            residency: match &self.checked {
                None => Residency::Loading,
                Some(Ok(_)) if residents.holds(&self.config.path) => Residency::Resident,
                Some(_) => Residency::Evicted,
            },
        }
    }

    /// `base` says how much of its base has been read.
    fn model(&self, residents: &Residents, base: Progress) -> ModelInfo {
        let (manifest, state) = match &self.checked {
            Some(Ok(checked)) => (checked.manifest.clone(), ModelState::Ready),
            Some(Err(error)) => (unloaded(), ModelState::Failed(error.to_string())),
            None => (unloaded(), ModelState::Loading(base)),
        };
        ModelInfo {
            name: self.config.id(),
            manifest,
            state,
            adapter: Some(self.info(residents)),
        }
    }
}

/// The manifest of a model of which nothing is known.
fn unloaded() -> Manifest {
    Manifest {
        base: H256::zero(),
        adapter: None,
        engine: ENGINE.into(),
        weight_dtype: String::new(),
        cache_dtype: String::new(),
        tokenizer: H256::zero(),
        chat_template: H256::zero(),
        sampler: sampler::SAMPLER.into(),
        context: 0,
    }
}

/// Reads a hash in hex that an operator gave for a file.
fn parse_hash(text: &str, file: &Path) -> Result<H256, EngineError> {
    let mut hash = [0; 32];
    match hex::decode_to_slice(text.trim_start_matches("0x"), &mut hash) {
        Ok(()) => Ok(H256(hash)),
        Err(e) => Err(EngineError::BadModel {
            file: file.into(),
            expected: "a configured Blake2b-256 of 64 hex digits".into(),
            found: format!("{text:?}: {e}"),
        }),
    }
}

fn ensure_hash(file: &Path, wanted: H256, found: H256) -> Result<(), EngineError> {
    match wanted == found {
        true => Ok(()),
        false => Err(EngineError::BadModel {
            file: file.into(),
            expected: format!("Blake2b-256 {wanted:?}"),
            found: format!("{found:?}"),
        }),
    }
}

/// Reads a model's file; `reading` tells others how far it has come.
pub(crate) fn load_file(
    config: &ModelConfig,
    cpu: Cpu,
    reading: &Arc<Reading>,
) -> Result<Loaded, EngineError> {
    let wanted = config
        .blake2
        .as_ref()
        .map(|text| parse_hash(text, &config.path))
        .transpose()?;
    let mut gguf = Gguf::open(Path::new(&config.path))?;
    gguf.watched_by(reading);
    let tokenizer = Tokenizer::new(&gguf)?;
    let mut shape = Shape::read(&gguf, tokenizer.size())?;
    let most = config.context.map_or(DEFAULT_CONTEXT, |c| c as usize);
    shape.context = shape.context.min(most).max(1);
    let model = Model::load(&mut gguf, shape, cpu)?;
    let base = gguf.finish()?;
    ensure_hash(&config.path, wanted.unwrap_or(base), base)?;
    let manifest = Manifest {
        base,
        adapter: None,
        engine: ENGINE.into(),
        weight_dtype: format!("{} * q8_0", model.dtype),
        cache_dtype: "f32".into(),
        tokenizer: tokenizer.hash,
        chat_template: tokenizer.template_hash,
        sampler: sampler::SAMPLER.into(),
        context: model.shape.context as u32,
    };
    Ok(Loaded {
        model,
        tokenizer,
        manifest,
    })
}

impl Engine for LocalEngine {
    fn models(&self) -> Vec<ModelInfo> {
        let residents = self.residents.lock();
        let adapters = self.adapters.read();
        let adapters = adapters
            .iter()
            .map(|a| a.model(&residents, self.progress(&a.config.base)));
        let bases = self.models.iter().map(Entry::info);
        bases.chain(adapters).collect()
    }

    fn generate(
        &self,
        job: &Job,
        sink: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<Generated, EngineError> {
        let Chosen {
            served,
            manifest,
            adapter,
        } = self.choose(&job.model)?;
        let arrived = Instant::now();
        let prompt = served.tokenizer.prompt(&job.messages)?;
        ensure_fits(prompt.len(), job.max_tokens, &manifest)?;
        let mut go_on = || sink(Piece::default()).is_continue();
        let Some(_slot) = served.slots.acquire_while(&mut go_on)? else {
            return Ok(Generated::cancelled(manifest, prompt, arrived.elapsed()));
        };
        let started = Instant::now();
        let tokenizer = served.tokenizer.clone();
        let work = Work::Generate {
            prompt: prompt.clone(),
            max_tokens: job.max_tokens as usize,
            top_k: job.top_k,
            temperature_milli: job.temperature_milli,
            key: job.sampler_key,
            is_end: Arc::new(move |token| tokenizer.is_end(token)),
        };
        let ticket = served.scheduler.submit(work, adapter)?;

        let mut read = started;
        let mut utf8 = Utf8Stream::default();
        let mut stops = StopScanner::new(&job.stop);
        let mut text = String::new();
        let mut token_ids = Vec::new();
        let mut finish = None;
        while finish.is_none() {
            let (token, logprob) = match ticket.events.recv() {
                Ok(Event::Reading) if sink(Piece::default()).is_break() => {
                    finish = Some(Finish::Cancelled);
                    continue;
                }
                Ok(Event::Reading) => continue,
                Ok(Event::Prefilled) => {
                    read = Instant::now();
                    continue;
                }
                Ok(Event::Token(token, logprob)) => (token, logprob),
                Ok(Event::NotFinite) => return Err(not_finite()),
                Ok(Event::Scored(_) | Event::Done) => continue,
                Err(_) => return Err(EngineError::Failed("the model stopped answering".into())),
            };
            token_ids.push(token);
            let ended = served.tokenizer.is_end(token);
            let last = ended || token_ids.len() >= job.max_tokens as usize;
            let mut new = match ended {
                true => String::new(),
                false => utf8.push(served.tokenizer.bytes(token)),
            };
            if last {
                new += &utf8.finish();
            }
            let (mut shown, stopped) = stops.push(&new);
            if last && !stopped {
                shown += &stops.finish();
            }
            text += &shown;
            finish = match (ended || stopped, last) {
                (true, _) => Some(Finish::Stop),
                (false, true) => Some(Finish::Length),
                (false, false) => None,
            };
            let piece = Piece {
                text: shown,
                token_ids: vec![token],
                logprobs: vec![logprob],
            };
            if sink(piece).is_break() {
                finish = finish.or(Some(Finish::Cancelled));
            }
        }
        ticket.cancel();
        Ok(Generated {
            text,
            token_ids,
            prompt_token_ids: prompt,
            finish: finish.unwrap_or(Finish::Cancelled),
            manifest,
            queued: started - arrived,
            prefill: read - started,
            decode: read.elapsed(),
        })
    }

    fn score(&self, query: &ScoreQuery) -> Result<Vec<ScoredPosition>, EngineError> {
        let Chosen {
            served,
            manifest,
            adapter,
        } = self.choose(&query.model)?;
        let first = query.prompt_token_ids.len();
        let tokens: Vec<u32> = query
            .prompt_token_ids
            .iter()
            .chain(&query.token_ids)
            .copied()
            .collect();
        let size = served.tokenizer.size();
        if let Some(token) = tokens.iter().find(|t| **t as usize >= size) {
            let message = format!("token {token} is outside of the vocabulary of {size}");
            return Err(EngineError::Failed(message));
        }
        if query.token_ids.is_empty() {
            return Ok(Vec::new());
        }
        if first == 0 {
            return Err(EngineError::Failed(
                "scoring needs a prompt of at least one token".into(),
            ));
        }
        ensure_fits(first, query.token_ids.len() as u32, &manifest)?;
        let _slot = served.slots.acquire()?;
        let top_k = usize::from(query.top_k.min(MAX_SCORED));
        let work = Work::Score {
            tokens,
            first,
            top_k,
        };
        let ticket = served.scheduler.submit(work, adapter)?;
        let mut scores = Vec::new();
        while let Ok(event) = ticket.events.recv() {
            match event {
                Event::Scored(score) => scores.push(score),
                Event::Done => return Ok(scores),
                Event::NotFinite => return Err(not_finite()),
                Event::Reading | Event::Prefilled | Event::Token(..) => {}
            }
        }
        Err(EngineError::Failed("the model stopped scoring".into()))
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        if self.config.embedding.is_none() {
            return Err(EngineError::Unsupported(
                "embed: no embedding model is configured",
            ));
        }
        match self.embedder.get() {
            None => Err(EngineError::Loading("embeddings".into(), 0)),
            Some(Err(error)) => Err(error.clone()),
            Some(Ok(embedder)) => embedder.embed(texts),
        }
    }

    fn classify(
        &self,
        classifier: &str,
        texts: &[&str],
    ) -> Result<Vec<Vec<(String, f32)>>, EngineError> {
        match self.classifiers.iter().find(|(name, _)| name == classifier) {
            None => Err(EngineError::UnknownModel(classifier.into())),
            Some((name, place)) => match place.get() {
                None => Err(EngineError::Loading(name.clone(), 0)),
                Some(Err(error)) => Err(error.clone()),
                Some(Ok(classifier)) => classifier.classify(texts),
            },
        }
    }

    fn load(&self) -> Load {
        let loads = self
            .models
            .iter()
            .filter_map(|m| m.served.get()?.as_ref().ok())
            .map(|s| s.slots.load());
        loads.fold(Load::default(), |sum, load| Load {
            active: sum.active + load.active,
            queued: sum.queued + load.queued,
        })
    }
}

fn not_finite() -> EngineError {
    EngineError::Failed(
        "the model computes numbers that are not finite; its file is damaged".into(),
    )
}

fn ensure_fits(prompt: usize, max_tokens: u32, manifest: &Manifest) -> Result<(), EngineError> {
    let prompt = u32::try_from(prompt).unwrap_or(u32::MAX);
    if prompt.saturating_add(max_tokens) > manifest.context {
        return Err(EngineError::ContextExceeded {
            prompt,
            max_tokens,
            context: manifest.context,
        });
    }
    if max_tokens == 0 {
        return Err(EngineError::Failed(
            "an answer of no tokens was asked for".into(),
        ));
    }
    Ok(())
}
