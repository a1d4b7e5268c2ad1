//! Does a node's duties in canary rounds: asks the engine, keeps the answers, commits to them, reveals them.
//!
//! Like the anchorer, the runner decides anew at every block from two things only: what the chain's state shows and what the
//! journal holds. Salt and answer are on disk before the commitment leaves. A record is sealed before that, and from then on its
//! answers never change, so that a node that is killed at any moment neither commits to two different answers nor loses the
//! means to reveal. Work for rounds is done one answer at a time, behind the questions of users.

use crate::{
    Journal, JournalError,
    journal::{Ended, Opening, RoundId, RoundRecord, Stage},
};
use futures::{Stream as Wakeups, StreamExt};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use touchstone_primitives::{H256, NodeId, apis::TopicId};

/// Blocks after which a transaction that the best state still lacks is sent again.
const RESEND_AFTER: u32 = 4;
/// Closed rounds stay in the journal for so many blocks, for people who look into it.
const KEEP_BLOCKS: u32 = 2_400;
/// Old ones are looked for every so many blocks.
const PRUNE_EVERY: u32 = 100;
/// Most bytes of an answer.
pub const MAX_ANSWER: usize = touchstone_primitives::checkers::MAX_ANSWER as usize;

/// Something a node must answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duty {
    /// What is posed: the hash to which the commitment is bound.
    pub posed: H256,
    /// What the model is asked; `None` while it is sealed. What is still sealed when commitments begin gets no answer.
    pub prompt: Option<String>,
    /// Most tokens of the answer.
    pub max_tokens: u32,
}

/// Blocks in which something may be included: from the first to the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First block.
    pub first: u32,
    /// Last block.
    pub last: u32,
}

/// A round that is not over, as the best state shows it to a node with duties in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRound {
    /// Its topic.
    pub topic: TopicId,
    /// Name of the topic.
    pub topic_name: String,
    /// Base that the node is enrolled with.
    pub base: H256,
    /// Adapter that it is enrolled with, if any.
    pub adapter: Option<H256>,
    /// Its number.
    pub round: u32,
    /// Seed of the round: the sampler's noise comes from it.
    pub seed: H256,
    /// When commitments are taken.
    pub commit: Window,
    /// When answers are revealed.
    pub reveal: Window,
    /// The node's duties, by slot.
    pub duties: Vec<Duty>,
    /// The node's commitments by slot, once it has committed; zero where there is no answer.
    pub committed: Option<Vec<H256>>,
    /// Slots whose answer is revealed.
    pub revealed: Vec<u32>,
}

/// What the runner wants to know of the chain.
pub trait RoundsView: Send {
    /// The node that this machine's worker key serves in the best state; `None` while that is not known.
    fn node(&self) -> Result<Option<NodeId>, String>;
    /// Number of the best block.
    fn best(&self) -> u32;
    /// Number of the finalised block.
    fn finalized(&self) -> u32;
    /// Rounds of the best state in which the node has duties.
    fn open(&self, node: &NodeId) -> Result<Vec<OpenRound>, String>;
    /// How the round ended for the node, once it is settled in the finalised state. A round that is not known there `until` it is
    /// over never was, or is forgotten.
    fn ended(&self, id: &RoundId, until: u32) -> Result<Option<Ended>, String>;
    /// The commitment to an answer.
    fn commitment(&self, id: &RoundId, posed: &H256, opening: &Opening) -> H256;
}

/// Sends the runner's transactions, with another hash at every block: pools refuse for a while what they have refused once. Sending again
/// what was included already does no harm.
pub trait RoundsSender: Send {
    /// The node's commitments, by slot.
    fn commit(
        &self,
        id: &RoundId,
        commitments: Vec<H256>,
    ) -> impl Future<Output = Result<(), String>> + Send;
    /// Answers of these slots.
    fn reveal(
        &self,
        id: &RoundId,
        openings: Vec<(u32, Opening)>,
    ) -> impl Future<Output = Result<(), String>> + Send;
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// Not now: users are waiting, the model is being loaded, the node is catching up.
    Later(String),
    /// Not this question.
    Never(String),
}

/// Asks the engine what is posed, as a user's question would be asked.
pub trait Answers: Send {
    /// The answer. `urgent` says that the window is about to close, so that users may have to wait for one answer.
    fn answer(
        &self,
        round: &OpenRound,
        slot: u32,
        urgent: bool,
    ) -> impl Future<Output = Result<String, NoAnswer>> + Send;
}

/// What is to be done in a round now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Wait,
    /// Ask the engine for this slot.
    Answer(u32),
    /// No more answers: what there is becomes what is committed to.
    Seal,
    /// Send the commitments.
    Commit,
    /// Send the answers of these slots.
    Reveal(Vec<u32>),
    /// The chain holds commitments of this node that the journal cannot open.
    Lost,
}

/// How many blocks before the end of the window answers stop: the commitment still has to be included.
fn margin(commit: Window) -> u32 {
    (commit.last.saturating_sub(commit.first) / 4).clamp(1, 5)
}

/// What is to be done in block `now` (the one after the best one), given what the journal holds and to what it commits.
///
/// Nothing is sent for the first block of a window: pools of nodes that have not imported the block before it would refuse the transaction
/// as too early, and refuse it again later because they have seen it.
pub fn next(round: &OpenRound, record: &RoundRecord, commitments: &[H256], now: u32) -> Action {
    if record.is_closed() {
        return Action::Wait;
    }
    match &round.committed {
        Some(committed) if record.stage != Stage::Sealed || committed != commitments => {
            Action::Lost
        }
        Some(_) if now <= round.reveal.first || now > round.reveal.last => Action::Wait,
        Some(_) => {
            let answered = record.duties.iter().zip(0..);
            let open: Vec<u32> = answered
                .filter(|((_, opening), slot)| opening.is_some() && !round.revealed.contains(slot))
                .map(|(_, slot)| slot)
                .collect();
            match open.is_empty() {
                true => Action::Wait,
                false => Action::Reveal(open),
            }
        }
        None if now > round.commit.last => Action::Wait,
        None if record.stage == Stage::Sealed => match now <= round.commit.first {
            true => Action::Wait,
            false => Action::Commit,
        },
        None => {
            let missing = record
                .duties
                .iter()
                .zip(&round.duties)
                .position(|((_, opening), duty)| opening.is_none() && duty.prompt.is_some());
            let some = record.duties.iter().any(|(_, opening)| opening.is_some());
            let is_sealed = round.duties.iter().any(|duty| duty.prompt.is_none());
            let late = now.saturating_add(margin(round.commit)) > round.commit.last;
            match missing {
                None if is_sealed && now <= round.commit.first => Action::Wait,
                None if some => Action::Seal,
                None => Action::Wait,
                Some(_) if late && some => Action::Seal,
                Some(slot) => Action::Answer(slot as u32),
            }
        }
    }
}

/// The record for a round as the best state shows it: answers to what is still posed are kept. On another fork other things may be
/// posed; nothing of this node is committed there yet.
fn aligned(record: Option<RoundRecord>, round: &OpenRound) -> RoundRecord {
    let posed: Vec<H256> = round.duties.iter().map(|duty| duty.posed).collect();
    let until = round.reveal.last.saturating_add(1);
    match record {
        Some(record) if record.duties.iter().map(|(posed, _)| posed).eq(&posed) => record,
        Some(record) => {
            let mut new = RoundRecord::new(posed, until);
            for (posed, opening) in &mut new.duties {
                let kept = record.duties.iter().find(|(known, _)| known == posed);
                *opening = kept.and_then(|(_, opening)| opening.clone());
            }
            new
        }
        None => RoundRecord::new(posed, until),
    }
}

fn count<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}

/// What the runner did since the start.
#[derive(Debug, Default)]
pub struct RunnerCounters {
    /// Duties that it saw.
    pub duties: AtomicU64,
    /// Duties that the engine answered.
    pub answered: AtomicU64,
    /// Duties whose commitment is in a block.
    pub committed: AtomicU64,
    /// Duties that ended revealed and right, in finalised state.
    pub right: AtomicU64,
    /// Duties that ended revealed and wrong.
    pub wrong: AtomicU64,
    /// Duties that ended without an answer that was revealed in time.
    pub missed: AtomicU64,
    /// Attempts that failed; each is in the log, and the next block tries again.
    pub errors: AtomicU64,
}

/// Why a step did not succeed. The next block tries again.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RunnerError {
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The chain state could not be read.
    #[error("the chain state cannot be read: {0}")]
    Chain(String),
}

/// Does the duties of a node.
pub struct Runner<V, S, A> {
    journal: Arc<Journal>,
    view: V,
    sender: S,
    engine: A,
    counters: Arc<RunnerCounters>,
    /// Rounds in the journal that are not closed; `None` before the journal was asked.
    unclosed: Option<BTreeSet<RoundId>>,
    /// Finalised block at which old rounds were last looked for.
    pruned_at: Option<u32>,
    /// Block that a round's last transaction was meant for, once the pool has taken it.
    sent: BTreeMap<RoundId, u32>,
    /// Rounds of which somebody was told that their commitments are lost.
    lost: Vec<RoundId>,
    /// Why no answer could be had in a round, when that was last said.
    excuses: BTreeMap<RoundId, String>,
}

impl<V: RoundsView, S: RoundsSender, A: Answers> Runner<V, S, A> {
    /// Over the journal, the chain, the transaction pool and the engine.
    pub fn new(journal: Arc<Journal>, view: V, sender: S, engine: A) -> Self {
        Self {
            journal,
            view,
            sender,
            engine,
            counters: Arc::default(),
            unclosed: None,
            pruned_at: None,
            sent: BTreeMap::new(),
            lost: Vec::new(),
            excuses: BTreeMap::new(),
        }
    }

    /// What it did.
    pub fn counters(&self) -> Arc<RunnerCounters> {
        self.counters.clone()
    }

    /// Works at the start and at every wakeup: one for each new best and each finalised block.
    pub async fn run(mut self, mut wakeups: impl Wakeups<Item = ()> + Unpin) {
        loop {
            loop {
                match self.step().await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        self.counters.errors.fetch_add(1, Relaxed);
                        log::error!(target: "canaries", "duties are not done: {error}");
                        break;
                    }
                }
            }
            if wakeups.next().await.is_none() {
                return;
            }
        }
    }

    /// Looks at the chain and the journal and does what is due, at most one answer; whether there may be more to do at once.
    pub async fn step(&mut self) -> Result<bool, RunnerError> {
        self.close()?;
        let Some(node) = self.view.node().map_err(RunnerError::Chain)? else {
            return Ok(false);
        };
        let now = self.view.best().saturating_add(1);
        let mut to_answer: Vec<(OpenRound, RoundId, RoundRecord, u32)> = Vec::new();
        let mut again = false;
        for round in self.view.open(&node).map_err(RunnerError::Chain)? {
            let id = RoundId {
                node: node.clone(),
                round: round.round,
            };
            let stored = self.journal.round(&id)?;
            let is_new = stored.is_none();
            let mut record = aligned(stored, &round);
            if is_new {
                self.take_on(&id, &record, &round)?;
            }
            let commitments = self.commitments(&id, &record);
            let action = next(&round, &record, &commitments, now);
            if round.committed.as_ref() == Some(&commitments) && !record.committed {
                record.committed = true;
                self.sent.remove(&id);
                self.journal.put_round(
                    &id,
                    &record,
                    ["committed: stored", "committed: durable"],
                )?;
                let duties = count(&record.duties).into();
                self.counters.committed.fetch_add(duties, Relaxed);
            }
            match action {
                Action::Wait => {}
                Action::Lost => self.tell_loss(&id),
                Action::Answer(slot) => to_answer.push((round, id, record, slot)),
                Action::Seal => {
                    self.seal(&id, record)?;
                    again = true;
                }
                Action::Commit => {
                    if self.is_due(&id, now) {
                        self.journal.probe("commit: planned");
                        let sent = self.sender.commit(&id, commitments).await;
                        self.journal.probe("commit: sent");
                        self.note(&id, now, "commitments", sent);
                    }
                }
                Action::Reveal(slots) => {
                    if self.is_due(&id, now) {
                        let openings = openings(&record, &slots);
                        self.journal.probe("reveal: planned");
                        let sent = self.sender.reveal(&id, openings).await;
                        self.journal.probe("reveal: sent");
                        self.note(&id, now, "answers", sent);
                    }
                }
            }
        }
        // The window that closes first goes first; what cannot be answered now does not hold up the others.
        to_answer.sort_by_key(|(round, ..)| round.commit.last);
        for (round, id, record, slot) in to_answer {
            if self.answer(&round, &id, record, slot, now).await? {
                return Ok(true);
            }
        }
        Ok(again)
    }

    /// Notes duties that are seen for the first time, so that they end in a count whatever happens to them.
    fn take_on(
        &mut self,
        id: &RoundId,
        record: &RoundRecord,
        round: &OpenRound,
    ) -> Result<(), RunnerError> {
        self.journal
            .put_round(id, record, ["seen: stored", "seen: durable"])?;
        self.unclosed.get_or_insert_default().insert(id.clone());
        let duties = count(&record.duties);
        self.counters.duties.fetch_add(duties.into(), Relaxed);
        log::info!(
            target: "canaries",
            "round {} on {}: {duties} duties, to be committed to by block {}",
            id.round, round.topic_name, round.commit.last,
        );
        Ok(())
    }

    fn commitments(&self, id: &RoundId, record: &RoundRecord) -> Vec<H256> {
        let commitment = |(posed, opening): &(H256, Option<Opening>)| match opening {
            Some(opening) => self.view.commitment(id, posed, opening),
            None => H256::zero(),
        };
        record.duties.iter().map(commitment).collect()
    }

    /// Asks the engine; whether the record has one answer more.
    async fn answer(
        &mut self,
        round: &OpenRound,
        id: &RoundId,
        mut record: RoundRecord,
        slot: u32,
        now: u32,
    ) -> Result<bool, RunnerError> {
        let left = round.commit.last.saturating_sub(now);
        let urgent = left < round.commit.last.saturating_sub(round.commit.first) / 2;
        self.journal.probe("answer: begun");
        let answer = match self.engine.answer(round, slot, urgent).await {
            Ok(text) => {
                self.counters.answered.fetch_add(1, Relaxed);
                self.excuses.remove(id);
                text
            }
            Err(NoAnswer::Later(reason)) => {
                if self.excuses.get(id) != Some(&reason) {
                    log::warn!(target: "canaries", "round {}: a duty has to wait: {reason}", id.round);
                    self.excuses.insert(id.clone(), reason);
                }
                return Ok(false);
            }
            Err(NoAnswer::Never(reason)) => {
                log::warn!(
                    target: "canaries",
                    "round {} slot {slot} stays without an answer: {reason}", id.round,
                );
                String::new()
            }
        };
        self.journal.probe("answer: made");
        if let Some((_, opening)) = record.duties.get_mut(slot as usize) {
            *opening = Some(Opening {
                salt: rand::random(),
                answer: bounded(answer).into_bytes(),
            });
        }
        self.journal
            .put_round(id, &record, ["answer: stored", "answer: durable"])?;
        Ok(true)
    }

    /// From now on the answers never change.
    fn seal(&self, id: &RoundId, mut record: RoundRecord) -> Result<(), RunnerError> {
        let missing = record
            .duties
            .iter()
            .filter(|(_, opening)| opening.is_none())
            .count();
        if missing > 0 {
            log::warn!(
                target: "canaries",
                "round {}: {missing} of {} duties were not answered in time; give the engine more threads, or leave a topic",
                id.round, record.duties.len(),
            );
        }
        record.stage = Stage::Sealed;
        Ok(self
            .journal
            .put_round(id, &record, ["seal: stored", "seal: durable"])?)
    }

    fn is_due(&self, id: &RoundId, now: u32) -> bool {
        let sent = self.sent.get(id);
        // A number below the one of the sending means that the chain was reverted.
        sent.and_then(|at| now.checked_sub(*at))
            .is_none_or(|age| age >= RESEND_AFTER)
    }

    fn note(&mut self, id: &RoundId, now: u32, what: &str, result: Result<(), String>) {
        match result {
            Ok(()) => {
                log::info!(target: "canaries", "round {}: sent {what}", id.round);
                self.sent.insert(id.clone(), now);
            }
            // It is full, say: the next block tries again.
            Err(reason) => log::debug!(
                target: "canaries",
                "round {}: the pool refused {what}: {reason}", id.round,
            ),
        }
    }

    fn tell_loss(&mut self, id: &RoundId) {
        if !self.lost.contains(id) {
            log::error!(
                target: "canaries",
                "round {}: the chain has commitments of {} that this journal did not make, so they cannot be revealed; the \
                 journal was lost or restored, or another process uses the same worker key",
                id.round, id.node,
            );
            self.lost.push(id.clone());
        }
    }

    /// Closes what finalised state shows as over.
    fn close(&mut self) -> Result<(), RunnerError> {
        let at = self.view.finalized();
        for id in self.unclosed()? {
            let Some(mut record) = self.journal.round(&id)? else {
                continue;
            };
            let Some(ended) = self
                .view
                .ended(&id, record.until)
                .map_err(RunnerError::Chain)?
            else {
                continue;
            };
            record.stage = Stage::Closed { ended, at };
            self.journal
                .put_round(&id, &record, ["close: stored", "close: durable"])?;
            let Ended {
                right,
                wrong,
                missed,
                void,
            } = ended;
            self.counters.right.fetch_add(right.into(), Relaxed);
            self.counters.wrong.fetch_add(wrong.into(), Relaxed);
            self.counters.missed.fetch_add(missed.into(), Relaxed);
            log::info!(
                target: "canaries",
                "round {} is settled: {right} right, {wrong} wrong, {missed} missed, {void} without evidence",
                id.round,
            );
            self.sent.remove(&id);
            self.excuses.remove(&id);
            self.lost.retain(|lost| *lost != id);
            if let Some(unclosed) = &mut self.unclosed {
                unclosed.remove(&id);
            }
        }
        if self
            .pruned_at
            .is_none_or(|last| at.abs_diff(last) >= PRUNE_EVERY)
        {
            self.journal.prune_rounds(at.saturating_sub(KEEP_BLOCKS))?;
            self.pruned_at = Some(at);
        }
        Ok(())
    }

    /// Rounds that are not closed. The journal is read as a whole only once.
    fn unclosed(&mut self) -> Result<Vec<RoundId>, RunnerError> {
        if self.unclosed.is_none() {
            let rounds = self.journal.rounds()?.into_iter();
            let unclosed = rounds.filter(|(_, record)| !record.is_closed());
            self.unclosed = Some(unclosed.map(|(id, _)| id).collect());
        }
        Ok(self.unclosed.iter().flatten().cloned().collect())
    }
}

/// Answers of these slots.
fn openings(record: &RoundRecord, slots: &[u32]) -> Vec<(u32, Opening)> {
    let opening = |slot: &u32| {
        let (_, opening) = record.duties.get(*slot as usize)?;
        Some((*slot, opening.clone()?))
    };
    slots.iter().filter_map(opening).collect()
}

/// The beginning of an answer that is longer than the chain takes.
fn bounded(mut answer: String) -> String {
    answer.truncate(answer.floor_char_boundary(MAX_ANSWER));
    answer
}

#[cfg(test)]
mod tests;
