//! An engine without a model: fast, deterministic, and with every behaviour of a real one that callers must handle.

use crate::{
    AdapterInfo, Engine, EngineError, Finish, Generated, Job, Load, ModelInfo, ModelState, Piece,
    Residency, ScoreQuery, ScoredPosition, slots::Slots, stop::StopScanner,
};
use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};
use touchstone_primitives::{H256, manifest::Manifest, tagged_hash};

const WORDS: [&str; 16] = [
    "stone ", "gold ", "streak ", "proof ", "the ", "a ", "weigh ", "mark ", "true ", "false ",
    "test ", "assay ", "ring ", "scale ", "nine ", "carat ",
];
/// The end mark.
const END: u32 = WORDS.len() as u32;

/// Answers with words that follow from the question and the sampler key alone.
///
/// A prompt token is a word of the conversation. The answer's length is between 8 and 39 tokens, unless a limit ends it.
pub struct DummyEngine {
    manifest: Manifest,
    adapters: Vec<String>,
    slots: Slots,
    delay: Duration,
}

impl Default for DummyEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl DummyEngine {
    /// An engine with 8 slots, 64 waiting places and a context of 4096 tokens.
    pub fn new() -> Self {
        let manifest = Manifest {
            base: H256::repeat_byte(0xdd),
            adapter: None,
            engine: "dummy/1".into(),
            weight_dtype: "none".into(),
            cache_dtype: "none".into(),
            tokenizer: tagged_hash("touchstone/tokenizer/1", &[b"dummy"]),
            chat_template: tagged_hash("touchstone/chat-template/1", &[b"dummy"]),
            sampler: "dummy/1".into(),
            context: 4096,
        };
        Self {
            manifest,
            adapters: Vec::new(),
            slots: Slots::new(8, 64),
            delay: Duration::ZERO,
        }
    }

    /// The same engine, which takes this long for every token.
    pub fn slow(mut self, per_token: Duration) -> Self {
        self.delay = per_token;
        self
    }

    /// The same engine with this many slots and waiting places.
    pub fn limits(mut self, slots: u32, queue: u32) -> Self {
        self.slots = Slots::new(slots, queue);
        self
    }

    /// The same engine with a context of this many tokens.
    pub fn context(mut self, tokens: u32) -> Self {
        self.manifest.context = tokens;
        self
    }

    /// The same engine with one more adapter, which has answers of its own.
    pub fn adapter(mut self, name: &str) -> Self {
        self.adapters.push(name.into());
        self
    }

    /// All models, `dummy` first.
    fn manifests(&self) -> impl Iterator<Item = (String, Manifest)> {
        let adapters = self.adapters.iter().map(|name| {
            let adapter = tagged_hash("touchstone/dummy/adapter", &[name.as_bytes()]);
            let manifest = Manifest {
                adapter: Some(adapter),
                ..self.manifest.clone()
            };
            (format!("dummy+{name}"), manifest)
        });
        std::iter::once(("dummy".into(), self.manifest.clone())).chain(adapters)
    }

    fn manifest(&self, model: &Option<String>) -> Result<Manifest, EngineError> {
        let asked = model.as_deref().unwrap_or("dummy");
        let found = self.manifests().find(|(name, _)| name == asked);
        found
            .map(|(_, manifest)| manifest)
            .ok_or_else(|| EngineError::UnknownModel(asked.into()))
    }
}

/// A number that follows from the inputs, to choose words with.
fn draw(key: &[u8; 32], prompt: &[u32], position: usize) -> usize {
    let bytes: Vec<u8> = prompt.iter().flat_map(|t| t.to_le_bytes()).collect();
    let hash = tagged_hash(
        "touchstone/dummy/1",
        &[key, &bytes, &position.to_le_bytes()],
    );
    usize::from(hash.as_bytes()[0])
}

impl Engine for DummyEngine {
    fn models(&self) -> Vec<ModelInfo> {
        let adapter = |id: &str| AdapterInfo {
            name: id.trim_start_matches("dummy+").into(),
            base: "dummy".into(),
            bytes: 1,
            residency: Residency::Resident,
        };
        self.manifests()
            .map(|(name, manifest)| ModelInfo {
                adapter: manifest.adapter.map(|_| adapter(&name)),
                name,
                manifest,
                state: ModelState::Ready,
            })
            .collect()
    }

    fn generate(
        &self,
        job: &Job,
        sink: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<Generated, EngineError> {
        let manifest = self.manifest(&job.model)?;
        let prompt: Vec<u32> = job
            .messages
            .iter()
            .flat_map(|m| m.content.split_whitespace())
            .map(|word| {
                let hash = tagged_hash("touchstone/dummy/word", &[word.as_bytes()]);
                u32::from_le_bytes([hash[0], hash[1], hash[2], 0])
            })
            .collect();
        let prompt_len = u32::try_from(prompt.len()).unwrap_or(u32::MAX);
        if prompt_len.saturating_add(job.max_tokens) > manifest.context {
            return Err(EngineError::ContextExceeded {
                prompt: prompt_len,
                max_tokens: job.max_tokens,
                context: manifest.context,
            });
        }
        let arrived = Instant::now();
        let mut go_on = || sink(Piece::default()).is_continue();
        let Some(_slot) = self.slots.acquire_while(&mut go_on)? else {
            let manifest = self.manifest.clone();
            return Ok(Generated::cancelled(manifest, prompt, arrived.elapsed()));
        };
        let started = Instant::now();
        let noise = if job.temperature_milli == 0 {
            [0; 32]
        } else {
            job.sampler_key
        };
        let key = match manifest.adapter {
            Some(adapter) => tagged_hash("touchstone/dummy/adapted", &[&adapter.0, &noise]).0,
            None => noise,
        };
        let key = &key;
        let length = 8 + draw(key, &prompt, usize::MAX) % 32;
        let mut scanner = StopScanner::new(&job.stop);
        let mut token_ids = Vec::new();
        let mut text = String::new();
        let mut finish = Finish::Length;
        while token_ids.len() < job.max_tokens as usize {
            std::thread::sleep(self.delay);
            let end = token_ids.len() == length;
            let id = if end {
                END
            } else {
                (draw(key, &prompt, token_ids.len()) % 16) as u32
            };
            token_ids.push(id);
            let (shown, stopped) = match WORDS.get(id as usize) {
                Some(word) => scanner.push(word),
                None => (String::new(), true),
            };
            let last = end || stopped || token_ids.len() == job.max_tokens as usize;
            let shown = match last && (end || !stopped) {
                true => shown + &scanner.finish(),
                false => shown,
            };
            text += &shown;
            let piece = Piece {
                text: shown,
                token_ids: vec![id],
                logprobs: vec![-1.0],
            };
            let asked_to_stop = sink(piece).is_break();
            if stopped {
                finish = Finish::Stop;
                break;
            }
            if asked_to_stop {
                finish = Finish::Cancelled;
                break;
            }
        }
        Ok(Generated {
            text,
            token_ids,
            prompt_token_ids: prompt,
            finish,
            manifest,
            queued: started - arrived,
            prefill: Duration::ZERO,
            decode: started.elapsed(),
        })
    }

    fn score(&self, query: &ScoreQuery) -> Result<Vec<ScoredPosition>, EngineError> {
        self.manifest(&query.model)?;
        let _slot = self.slots.acquire()?;
        let count = u32::from(query.top_k.clamp(1, 16));
        Ok(query
            .token_ids
            .iter()
            .map(|&id| ScoredPosition {
                top: (0..count)
                    .map(|n| ((id + n) % (END + 1), -1.0 - n as f32))
                    .collect(),
                logprob: -1.0,
            })
            .collect())
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        let vector = |text: &&str| {
            let hash = tagged_hash("touchstone/dummy/embed", &[text.as_bytes()]);
            let raw: Vec<f32> = hash
                .as_bytes()
                .iter()
                .map(|b| f32::from(*b) - 127.5)
                .collect();
            let length = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
            raw.iter().map(|x| x / length).collect()
        };
        Ok(texts.iter().map(vector).collect())
    }

    fn load(&self) -> Load {
        self.slots.load()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, mpsc};
    use touchstone_primitives::request::{Message, Role};

    fn job(content: &str) -> Job {
        Job {
            model: None,
            messages: vec![Message {
                role: Role::User,
                content: content.into(),
            }],
            max_tokens: 64,
            temperature_milli: 700,
            top_k: 8,
            sampler_key: [1; 32],
            stop: vec![],
        }
    }

    fn run(engine: &DummyEngine, job: &Job) -> (Generated, String) {
        let mut streamed = String::new();
        let answer = engine.generate(job, &mut |piece| {
            streamed += &piece.text;
            ControlFlow::Continue(())
        });
        (answer.unwrap(), streamed)
    }

    #[test]
    fn same_key_same_tokens_other_key_other_tokens() {
        let engine = DummyEngine::new();
        let (a, streamed) = run(&engine, &job("what is gold"));
        assert_eq!(a.text, streamed);
        assert_eq!(a.finish, Finish::Stop);
        assert_eq!(a.token_ids, run(&engine, &job("what is gold")).0.token_ids);
        let other = Job {
            sampler_key: [2; 32],
            ..job("what is gold")
        };
        assert_ne!(a.token_ids, run(&engine, &other).0.token_ids);
    }

    #[test]
    fn limits_stop_texts_and_cancellation_end_an_answer() {
        let engine = DummyEngine::new();
        let (whole, _) = run(&engine, &job("what is gold"));
        let (short, _) = run(
            &engine,
            &Job {
                max_tokens: 3,
                ..job("what is gold")
            },
        );
        assert_eq!((short.finish, short.token_ids.len()), (Finish::Length, 3));

        let stop = WORDS[whole.token_ids[2] as usize].to_string();
        let (stopped, streamed) = run(
            &engine,
            &Job {
                stop: vec![stop.clone()],
                ..job("what is gold")
            },
        );
        assert_eq!(stopped.finish, Finish::Stop);
        assert_eq!(stopped.text, streamed);
        assert!(!stopped.text.contains(&stop) && whole.text.starts_with(&stopped.text));

        let cancelled = engine
            .generate(&job("what is gold"), &mut |_| ControlFlow::Break(()))
            .unwrap();
        assert_eq!(
            (cancelled.finish, cancelled.token_ids.len()),
            (Finish::Cancelled, 1)
        );
        assert_eq!(engine.load(), Load::default());
    }

    #[test]
    fn context_and_model_name_are_checked() {
        let engine = DummyEngine::new().context(66);
        assert!(
            engine
                .generate(&job("two words"), &mut |_| ControlFlow::Continue(()))
                .is_ok()
        );
        assert_eq!(
            engine.generate(&job("now three words"), &mut |_| ControlFlow::Continue(())),
            Err(EngineError::ContextExceeded {
                prompt: 3,
                max_tokens: 64,
                context: 66
            })
        );
        let unknown = Job {
            model: Some("gpt".into()),
            ..job("x")
        };
        assert_eq!(
            engine.generate(&unknown, &mut |_| ControlFlow::Continue(())),
            Err(EngineError::UnknownModel("gpt".into()))
        );
    }

    #[test]
    fn adapter_has_answers_and_a_manifest_of_its_own() {
        let engine = DummyEngine::new().adapter("law");
        let named = |name: &str| Job {
            model: Some(name.into()),
            ..job("what is gold")
        };
        let (base, law) = (
            run(&engine, &named("dummy")).0,
            run(&engine, &named("dummy+law")).0,
        );
        assert_eq!(
            base.token_ids,
            run(&engine, &job("what is gold")).0.token_ids
        );
        assert_ne!(base.token_ids, law.token_ids);
        assert_eq!(
            (base.manifest.base, base.manifest.adapter),
            (law.manifest.base, None)
        );
        assert!(law.manifest.adapter.is_some() && engine.models()[1].manifest == law.manifest);
    }

    #[test]
    fn full_engine_says_busy_and_serves_the_next_when_a_slot_frees() {
        let engine = Arc::new(DummyEngine::new().limits(1, 0));
        let (running, is_running) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let worker = std::thread::spawn({
            let engine = engine.clone();
            move || {
                engine.generate(&job("x"), &mut |_| {
                    running.send(()).unwrap();
                    released.recv().unwrap();
                    ControlFlow::Break(())
                })
            }
        });
        is_running.recv().unwrap();
        assert_eq!(
            engine.load(),
            Load {
                active: 1,
                queued: 0
            }
        );
        assert_eq!(
            engine.generate(&job("y"), &mut |_| ControlFlow::Continue(())),
            Err(EngineError::Busy {
                active: 1,
                queued: 0
            })
        );
        release.send(()).unwrap();
        worker.join().unwrap().unwrap();
        assert!(
            engine
                .generate(&job("y"), &mut |_| ControlFlow::Continue(()))
                .is_ok()
        );
    }

    #[test]
    fn vectors_have_length_one() {
        for v in DummyEngine::new().embed(&["a", "b"]).unwrap() {
            assert!((v.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }
}
