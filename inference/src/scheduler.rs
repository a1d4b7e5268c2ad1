//! Runs the jobs of one model side by side: every pass takes one token of each answer in progress and as much of the waiting
//! prompts as fits.

use crate::{
    EngineError, ScoredPosition,
    adapter::Adapter,
    kernels::Cpu,
    llama::{Cache, Model, Row, Scratch},
    math,
    pool::{Pool, lower_priority},
    prefix::Prefixes,
    sampler,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
};
use touchstone_primitives::H256;

/// Most prompt tokens in a pass, so that answers in progress are not held up for long.
const PREFILL: usize = 128;
/// Most rows of logits at a time, when scoring.
const LOGITS: usize = 64;

/// What is to be done with a sequence.
pub(crate) enum Work {
    /// Answer it.
    Generate {
        prompt: Vec<u32>,
        max_tokens: usize,
        top_k: u8,
        temperature_milli: u32,
        key: [u8; 32],
        /// Tokens that end the answer.
        is_end: Arc<dyn Fn(u32) -> bool + Send + Sync>,
    },
    /// Score the tokens from `first` on.
    Score {
        tokens: Vec<u32>,
        first: usize,
        top_k: usize,
    },
}

/// What comes back, in this order: `Reading`, `Prefilled`, tokens or scores, then the channel closes.
pub(crate) enum Event {
    /// A part of the prompt has been read, and more is left.
    Reading,
    /// The prompt has been read.
    Prefilled,
    /// A token of the answer and its natural-log probability.
    Token(u32, f32),
    /// The score of the next position.
    Scored(ScoredPosition),
    /// The model computes nonsense.
    NotFinite,
    /// Everything asked for is done.
    Done,
}

/// The sending side of a job.
struct Submission {
    work: Work,
    adapter: Option<Arc<Adapter>>,
    events: Sender<Event>,
    cancelled: Arc<AtomicBool>,
}

impl Submission {
    fn adapter(&self) -> Option<H256> {
        self.adapter.as_ref().map(|a| a.hash)
    }
}

/// A job that was handed in. Dropping it cancels.
pub(crate) struct Ticket {
    pub(crate) events: Receiver<Event>,
    cancelled: Arc<AtomicBool>,
}

impl Ticket {
    /// Asks for the end and waits until nothing of the job is computed any more.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
        while self.events.recv().is_ok() {}
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.cancelled.store(true, Relaxed);
    }
}

/// The thread of one model.
pub(crate) struct Scheduler {
    submissions: Option<Sender<Submission>>,
    thread: Option<JoinHandle<()>>,
}

impl Scheduler {
    /// Starts the thread. It keeps up to `prefixes` bytes of finished sequences, for others that begin alike.
    pub(crate) fn start(
        name: &str,
        model: Model,
        pool: Arc<Pool>,
        prefixes: usize,
    ) -> std::io::Result<Self> {
        let (submissions, inbox) = channel();
        let thread = std::thread::Builder::new()
            .name(format!("engine-{name}"))
            .spawn(move || {
                lower_priority();
                run(&model, &pool, &inbox, Prefixes::new(prefixes));
            })?;
        Ok(Self {
            submissions: Some(submissions),
            thread: Some(thread),
        })
    }

    /// Hands a job in. How many may run is for the caller to bound.
    pub(crate) fn submit(
        &self,
        work: Work,
        adapter: Option<Arc<Adapter>>,
    ) -> Result<Ticket, EngineError> {
        let (events, receiver) = channel();
        let cancelled = Arc::new(AtomicBool::new(false));
        let submission = Submission {
            work,
            adapter,
            events,
            cancelled: cancelled.clone(),
        };
        self.submissions
            .as_ref()
            .and_then(|s| s.send(submission).ok())
            .ok_or_else(|| EngineError::Failed("its thread has ended; restart the node".into()))?;
        Ok(Ticket {
            events: receiver,
            cancelled,
        })
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.submissions = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A sequence in progress.
struct Sequence {
    submission: Submission,
    cache: Cache,
    /// Tokens so far, the answer's included.
    tokens: Vec<u32>,
    prompt: usize,
}

impl Sequence {
    fn new(submission: Submission, prefixes: &mut Prefixes) -> Self {
        let (tokens, prompt) = match &submission.work {
            Work::Generate { prompt, .. } => (prompt.clone(), prompt.len()),
            Work::Score { tokens, .. } => (tokens.clone(), tokens.len()),
        };
        // An audit computes everything itself.
        let cache = match &submission.work {
            Work::Generate { .. } => prefixes.find(submission.adapter(), &tokens),
            Work::Score { .. } => Cache::default(),
        };
        Self {
            submission,
            cache,
            tokens,
            prompt,
        }
    }

    fn reading(&self) -> bool {
        self.cache.length < self.prompt
    }

    fn send(&self, event: Event) {
        // Nobody listening is noticed before the next pass.
        if self.submission.events.send(event).is_err() {
            self.submission.cancelled.store(true, Relaxed);
        }
    }
}

fn run(model: &Model, pool: &Pool, inbox: &Receiver<Submission>, mut prefixes: Prefixes) {
    let mut scratch = Scratch::default();
    let mut sequences: Vec<Sequence> = Vec::new();
    loop {
        if sequences.is_empty() {
            match inbox.recv() {
                Ok(submission) => sequences.push(Sequence::new(submission, &mut prefixes)),
                Err(_) => return,
            }
        }
        sequences.extend(inbox.try_iter().map(|s| Sequence::new(s, &mut prefixes)));
        sequences.retain(|s| !s.submission.cancelled.load(Relaxed));
        if !sequences.is_empty() {
            for finished in pass(model, pool, &mut scratch, &mut sequences) {
                let Sequence {
                    submission,
                    cache,
                    mut tokens,
                    ..
                } = finished;
                tokens.truncate(cache.length);
                prefixes.keep(submission.adapter(), tokens, cache);
            }
            let reading = sequences.iter().filter(|s| s.reading());
            reading.for_each(|s| s.send(Event::Reading));
        }
    }
}

/// One pass: chooses rows, computes them, hands out what they give, and takes out the sequences that are done.
fn pass(
    model: &Model,
    pool: &Pool,
    scratch: &mut Scratch,
    sequences: &mut Vec<Sequence>,
) -> Vec<Sequence> {
    let mut rows = Vec::new();
    let mut reading: usize = sequences.iter().filter(|s| s.reading()).count();
    let mut budget = PREFILL;
    for (cache, sequence) in sequences.iter().enumerate() {
        let from = sequence.cache.length;
        let mut count = sequence.tokens.len() - from;
        if sequence.reading() {
            count = count.min(budget.div_ceil(reading));
            budget -= count;
            reading -= 1;
        }
        let tokens = &sequence.tokens[from..from + count];
        rows.extend(tokens.iter().zip(from..).map(|(&token, position)| Row {
            cache,
            position,
            token,
        }));
    }
    let workers = pool.enter();
    let (mut caches, mut adapters) = (Vec::new(), Vec::new());
    for sequence in sequences.iter_mut() {
        caches.push(&mut sequence.cache);
        adapters.push(sequence.submission.adapter.as_deref());
    }
    model.forward(&workers, scratch, &mut caches, &adapters, &rows);

    // A row gives logits if the token after it is to be chosen or scored.
    let wanted: Vec<usize> = rows
        .iter()
        .enumerate()
        .filter(|(_, row)| match &sequences[row.cache].submission.work {
            Work::Generate { .. } => row.position + 1 == sequences[row.cache].tokens.len(),
            Work::Score { first, tokens, .. } => {
                (*first..tokens.len()).contains(&(row.position + 1))
            }
        })
        .map(|(index, _)| index)
        .collect();
    let mut done = vec![false; sequences.len()];
    for part in wanted.chunks(LOGITS) {
        let logits = model.logits(&workers, scratch, part);
        for (index, logits) in part.iter().zip(logits.chunks_exact(model.shape.vocabulary)) {
            let row = rows[*index];
            done[row.cache] |= sequences[row.cache].take(row, logits, model.cpu());
        }
    }
    drop(workers);
    let mut finished = Vec::new();
    for (index, sequence) in std::mem::take(sequences).into_iter().enumerate() {
        match done[index] || !sequence.reading() && sequence.is_score() {
            true => finished.push(sequence),
            false => sequences.push(sequence),
        }
    }
    finished
        .iter()
        .for_each(|sequence| sequence.send(Event::Done));
    finished
}

impl Sequence {
    /// Uses the logits after a row; true if the job is done.
    fn take(&mut self, row: Row, logits: &[f32], cpu: Cpu) -> bool {
        let normaliser = math::log_sum_exp(cpu, logits);
        if !normaliser.is_finite() {
            self.send(Event::NotFinite);
            return true;
        }
        match &self.submission.work {
            Work::Generate {
                max_tokens,
                top_k,
                temperature_milli,
                key,
                is_end,
                ..
            } => {
                let position = self.tokens.len() - self.prompt;
                if position == 0 {
                    self.send(Event::Prefilled);
                }
                let chosen =
                    sampler::choose(logits, *top_k, *temperature_milli, key, position as u32);
                let Some((token, logit)) = chosen else {
                    return true;
                };
                let done = position + 1 >= *max_tokens || is_end(token);
                self.send(Event::Token(token, logit - normaliser));
                self.tokens.push(token);
                done
            }
            Work::Score { tokens, top_k, .. } => {
                let top = sampler::top(logits, *top_k);
                let top = top
                    .into_iter()
                    .map(|(id, logit)| (id, logit - normaliser))
                    .collect();
                let logit = tokens
                    .get(row.position + 1)
                    .and_then(|token| logits.get(*token as usize))
                    .copied();
                let logprob = logit.map_or(f32::NEG_INFINITY, |logit| logit - normaliser);
                self.send(Event::Scored(ScoredPosition { top, logprob }));
                row.position + 2 == tokens.len()
            }
        }
    }

    fn is_score(&self) -> bool {
        matches!(self.submission.work, Work::Score { .. })
    }
}
