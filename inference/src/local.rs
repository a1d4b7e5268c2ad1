//! The embedded engine: GGUF models of the Llama family (Llama, Qwen2, Gemma 3) on this machine's processor.

use crate::{
    AdapterConfig, Engine, EngineConfig, EngineError, Finish, Generated, Job, Load, ModelConfig,
    ModelInfo, ModelState, Piece, ScoreQuery, ScoredPosition,
    adapter::{Adapter, Residency, Residents},
    gguf::Gguf,
    kernels::Cpu,
    llama::{Model, Shape},
    onnx::{Classifier, Embedder},
    pool::Pool,
    sampler,
    scheduler::{Event, Scheduler, Work},
    slots::Slots,
    stop::{StopScanner, Utf8Stream},
    tokenizer::Tokenizer,
};
use parking_lot::{Mutex, RwLock};
use std::{ops::ControlFlow, path::Path, sync::Arc, time::Instant};
use touchstone_primitives::{H256, manifest::Manifest};

/// Name and version in manifests. The version changes whenever the same inputs could give other bits.
const ENGINE: &str = "touchstone-cpu/1";
/// Longest context that is used unless the configuration asks for more.
const DEFAULT_CONTEXT: usize = 32_768;
/// Most of the likeliest tokens that `score` returns.
const MAX_SCORED: u8 = 128;

/// Serves any number of models. One that cannot be loaded is reported as failed, and the others answer.
pub struct LocalEngine {
    models: Vec<Entry>,
    adapters: RwLock<Vec<AdapterEntry>>,
    residents: Mutex<Residents>,
    embedder: Option<Result<Embedder, EngineError>>,
    classifiers: Vec<(String, Result<Classifier, EngineError>)>,
}

struct Entry {
    name: String,
    manifest: Manifest,
    served: Result<Served, EngineError>,
}

struct Served {
    tokenizer: Arc<Tokenizer>,
    shape: Shape,
    slots: Slots,
    scheduler: Scheduler,
}

/// An adapter that can be asked for by its own name.
#[derive(Clone)]
struct AdapterEntry {
    config: AdapterConfig,
    manifest: Manifest,
    bytes: usize,
    failed: Option<EngineError>,
}

/// An adapter and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterInfo {
    /// Its name.
    pub name: String,
    /// Name of the model that it belongs to.
    pub base: String,
    /// Bytes that it takes in memory.
    pub bytes: usize,
    /// Whether it is in memory.
    pub residency: Residency,
}

/// Who answers a job.
struct Chosen<'a> {
    served: &'a Served,
    manifest: Manifest,
    adapter: Option<Arc<Adapter>>,
}

/// A model as it comes out of its file.
struct Loaded {
    model: Model,
    tokenizer: Tokenizer,
    manifest: Manifest,
}

impl LocalEngine {
    /// Loads everything that is configured, which takes about a second for each 200 MB.
    pub fn load(config: &EngineConfig) -> Self {
        let pool = Arc::new(Pool::new(config.compute_threads()));
        let models = config
            .models
            .iter()
            .map(|m| Entry::load(m, config, &pool))
            .collect();
        let embedder = config.embedding.as_ref().map(|e| {
            let loaded = Embedder::load(e, config.compute_threads());
            if let Err(error) = &loaded {
                log::error!(target: "engine", "no embeddings: {error}");
            }
            loaded
        });
        let classifiers = config.classifiers.iter().map(|c| {
            let loaded = Classifier::load(c, config.compute_threads());
            if let Err(error) = &loaded {
                log::error!(target: "engine", "{} does not classify: {error}", c.name);
            }
            (c.name.clone(), loaded)
        });
        let residents = Mutex::new(Residents::new((config.adapter_mib as usize) << 20));
        let engine = Self {
            classifiers: classifiers.collect(),
            models,
            adapters: RwLock::default(),
            residents,
            embedder,
        };
        for adapter in &config.adapters {
            let name = &adapter.name;
            match engine.add_adapter(adapter) {
                Ok(manifest) => {
                    log::info!(target: "engine", "{name}: adapter {:?} of {} ready", manifest.adapter, adapter.base);
                }
                Err(error) => {
                    log::error!(target: "engine", "{name} is not served: {error}");
                    engine.put_adapter(AdapterEntry {
                        config: adapter.clone(),
                        manifest: unloaded(),
                        bytes: 0,
                        failed: Some(error),
                    });
                }
            }
        }
        engine
    }

    /// Checks an adapter and serves it under its name from now on, in place of one that had that name. Answers in progress go
    /// on with what they began with. The base is neither copied nor read again.
    pub fn add_adapter(&self, config: &AdapterConfig) -> Result<Manifest, EngineError> {
        if self.models.iter().any(|m| m.name == config.name) {
            let message = format!("the name \"{}\" belongs to a model already", config.name);
            return Err(EngineError::Failed(message));
        }
        let (base, served) = self.base(&config.base)?;
        let adapter = Adapter::load(&config.path, &served.shape, base.manifest.base)?;
        let wanted = config
            .blake2
            .as_ref()
            .map(|text| parse_hash(text, &config.path))
            .transpose()?;
        ensure_hash(&config.path, wanted.unwrap_or(adapter.hash), adapter.hash)?;
        let manifest = Manifest {
            adapter: Some(adapter.hash),
            ..base.manifest.clone()
        };
        self.put_adapter(AdapterEntry {
            config: config.clone(),
            manifest: manifest.clone(),
            bytes: adapter.bytes,
            failed: None,
        });
        self.residents
            .lock()
            .insert(&config.path, Arc::new(adapter));
        Ok(manifest)
    }

    fn put_adapter(&self, entry: AdapterEntry) {
        let mut adapters = self.adapters.write();
        match adapters
            .iter_mut()
            .find(|a| a.config.name == entry.config.name)
        {
            Some(place) => *place = entry,
            None => adapters.push(entry),
        }
    }

    /// The adapters that can be asked for, and which of them are in memory.
    pub fn adapters(&self) -> Vec<AdapterInfo> {
        let residents = self.residents.lock();
        let adapters = self.adapters.read();
        let sound = adapters.iter().filter(|a| a.failed.is_none());
        sound
            .map(|a| AdapterInfo {
                name: a.config.name.clone(),
                base: a.config.base.clone(),
                bytes: a.bytes,
                residency: match residents.holds(&a.config.path) {
                    true => Residency::Resident,
                    false => Residency::Evicted,
                },
            })
            .collect()
    }

    fn base(&self, name: &str) -> Result<(&Entry, &Served), EngineError> {
        let entry = self.models.iter().find(|m| m.name == name);
        let entry = entry.ok_or_else(|| EngineError::UnknownModel(name.into()))?;
        match &entry.served {
            Ok(served) => Ok((entry, served)),
            Err(e) => Err(EngineError::NotReady(entry.name.clone(), e.to_string())),
        }
    }

    fn choose(&self, name: &Option<String>) -> Result<Chosen<'_>, EngineError> {
        let first = self.models.first().map(|m| &m.name);
        let name = name.as_ref().or(first).ok_or_else(|| {
            EngineError::NotReady("default".into(), "no model is configured".into())
        })?;
        let found = self
            .adapters
            .read()
            .iter()
            .find(|a| a.config.name == *name)
            .cloned();
        let Some(AdapterEntry {
            config,
            manifest,
            failed,
            ..
        }) = found
        else {
            let (entry, served) = self.base(name)?;
            return Ok(Chosen {
                served,
                manifest: entry.manifest.clone(),
                adapter: None,
            });
        };
        if let Some(error) = failed {
            return Err(EngineError::NotReady(config.name, error.to_string()));
        }
        let (base, served) = self.base(&config.base)?;
        let resident = self.residents.lock().get(&config.path);
        let adapter = match resident.filter(|a| Some(a.hash) == manifest.adapter) {
            Some(adapter) => adapter,
            None => {
                // The file may have changed since it was checked.
                let adapter = Adapter::load(&config.path, &served.shape, base.manifest.base)?;
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

impl Entry {
    fn load(config: &ModelConfig, engine: &EngineConfig, pool: &Arc<Pool>) -> Self {
        let name = config.name.clone();
        let started = Instant::now();
        let served = load_file(config, Cpu::detect()).and_then(|loaded| {
            let Loaded {
                model,
                tokenizer,
                manifest,
            } = loaded;
            log::info!(
                target: "engine",
                "{name}: {} MB of {} weights ready after {:?}; file {:?}",
                model.bytes() / 1_000_000, model.dtype, started.elapsed(), manifest.base,
            );
            let shape = model.shape.clone();
            let prefixes = (engine.prefix_mib as usize) << 20;
            let scheduler = Scheduler::start(&name, model, pool.clone(), prefixes)
                .map_err(|e| EngineError::Failed(format!("no thread for the model: {e}")))?;
            let slots = Slots::new(engine.slots, engine.queue);
            Ok((
                Served {
                    tokenizer: Arc::new(tokenizer),
                    shape,
                    slots,
                    scheduler,
                },
                manifest,
            ))
        });
        match served {
            Ok((served, manifest)) => Self {
                name,
                manifest,
                served: Ok(served),
            },
            Err(error) => {
                log::error!(target: "engine", "{name} is not served: {error}");
                Self {
                    name,
                    manifest: unloaded(),
                    served: Err(error),
                }
            }
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

fn load_file(config: &ModelConfig, cpu: Cpu) -> Result<Loaded, EngineError> {
    let wanted = config
        .blake2
        .as_ref()
        .map(|text| parse_hash(text, &config.path))
        .transpose()?;
    let mut gguf = Gguf::open(Path::new(&config.path))?;
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
        let state = |failed: Option<&EngineError>| match failed {
            None => ModelState::Ready,
            Some(error) => ModelState::Failed(error.to_string()),
        };
        let bases = self.models.iter().map(|m| ModelInfo {
            name: m.name.clone(),
            manifest: m.manifest.clone(),
            state: state(m.served.as_ref().err()),
        });
        let adapters = self.adapters.read();
        let adapters = adapters.iter().map(|a| ModelInfo {
            name: a.config.name.clone(),
            manifest: a.manifest.clone(),
            state: state(a.failed.as_ref()),
        });
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
        match &self.embedder {
            None => Err(EngineError::Unsupported(
                "embed: no embedding model is configured",
            )),
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
            Some((_, Err(error))) => Err(error.clone()),
            Some((_, Ok(classifier))) => classifier.classify(texts),
        }
    }

    fn load(&self) -> Load {
        let loads = self
            .models
            .iter()
            .filter_map(|m| m.served.as_ref().ok())
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
