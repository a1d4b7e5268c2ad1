//! Puts the questions of blind audits to other nodes, keeps their signed answers, and opens them an epoch later.
//!
//! Like the runner, the auditor decides anew at every block from the best state and the journal. That a question is put is on disk before it
//! leaves, and its answer before anything else happens: a process that is killed at any moment loses no answer that it had on disk and never
//! puts a question again whose answer it has. Only a question that was on its way when the process died is put once more, as a client
//! would whose connection broke.

use crate::{
    Journal, JournalError,
    journal::{AuditRecord, Question},
};
use futures::{Stream as Wakeups, StreamExt};
use std::{collections::BTreeMap, future::Future, sync::Arc};
use touchstone_primitives::{
    H256, Moment, NodeId,
    audit::{AuditState, Entry, Target},
    request::Request,
};

/// Blocks after which a transaction that the best state still lacks is sent again.
const RESEND_AFTER: u32 = 4;
/// How often a question is put at most.
pub const MAX_TRIES: u32 = 5;
/// Thousandths of the epoch before the first question, for each question, and between two tries.
const FIRST: u32 = 50;
const EACH: u32 = 80;
const BETWEEN: u32 = 30;
/// Epochs for which records are kept after the audited one.
const KEEP_EPOCHS: u32 = 4;

/// A question that chance drew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What was drawn: the node, the task, the place in the batch.
    pub target: Target,
    /// The question that it makes.
    pub request: Request,
    /// When the batch was declared, milliseconds: no answer is older.
    pub since: Moment,
}

/// Where the best block stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochClock {
    /// The running epoch.
    pub epoch: u32,
    /// Thousandths of it that are over, 0..=1000.
    pub permille: u32,
}

/// What the auditor wants to know of the chain.
pub trait AuditsView: Send {
    /// The node that this machine's worker key serves in the best state; `None` while that is not known.
    fn auditor(&self) -> Result<Option<NodeId>, String>;
    /// Number of the best block.
    fn best(&self) -> u32;
    /// The running epoch.
    fn clock(&self) -> Result<EpochClock, String>;
    /// Whether the node may declare a batch now.
    fn may_declare(&self, auditor: &NodeId) -> Result<bool, String>;
    /// What came of the auditor's batch of this epoch; `None` if it declared none.
    fn state(&self, auditor: &NodeId, epoch: u32) -> Result<Option<AuditState>, String>;
    /// Its questions, by place; none before the round is open.
    fn questions(&self, auditor: &NodeId, epoch: u32) -> Result<Vec<Asked>, String>;
    /// Whether the chain takes this entry as the answer. A single one that it does not take would spoil the whole batch, and a node may
    /// give out a receipt that loses its force later.
    fn proves(&self, question: &Asked, entry: &Entry) -> Result<bool, String>;
}

/// Sends the auditor's transactions. Sending again what was included already does no harm.
pub trait AuditsSender: Send {
    /// Declares a batch for the next epoch.
    fn declare(&self, auditor: &NodeId) -> impl Future<Output = Result<(), String>> + Send;
    /// Opens the batch of an epoch.
    fn open(
        &self,
        auditor: &NodeId,
        epoch: u32,
        entries: Vec<Entry>,
    ) -> impl Future<Output = Result<(), String>> + Send;
}

/// Asks other nodes, as a client does.
pub trait Peers: Send {
    /// The node's answer with its receipt; or why there is none.
    fn ask(&self, question: &Asked) -> impl Future<Output = Result<Entry, String>> + Send;
}

/// From which thousandth of the epoch on a question is put for the `tries`-th time: spread over the epoch, at moments that the nonce decides.
pub fn due(place: u8, nonce: &H256, tries: u32) -> u32 {
    let [first, ..] = nonce.0;
    let within = u32::from(first) * EACH / 256;
    FIRST + u32::from(place) * EACH + within + tries * BETWEEN
}

/// The record for these questions. On another fork others may be drawn; answers to what is still asked are kept.
fn aligned(record: Option<AuditRecord>, questions: &[Asked]) -> AuditRecord {
    let known = record.unwrap_or_default();
    let question = |asked: &Asked| {
        let query = asked.request.hash();
        let old = known.iter().find(|old| old.query == query);
        old.cloned().unwrap_or(Question {
            query,
            tries: 0,
            entry: None,
        })
    };
    questions.iter().map(question).collect()
}

/// Why a step did not succeed. The next block tries again.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AuditorError {
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The chain state could not be read.
    #[error("the chain state cannot be read: {0}")]
    Chain(String),
}

/// Does the audits of a node.
pub struct Auditor<V, S, P> {
    journal: Arc<Journal>,
    view: V,
    sender: S,
    peers: P,
    /// When a declaration for an epoch, or the opening of its batch, was sent last.
    sent: BTreeMap<(u32, bool), u32>,
}

impl<V: AuditsView, S: AuditsSender, P: Peers> Auditor<V, S, P> {
    /// Over the journal, the chain, the transaction pool and the other nodes.
    pub fn new(journal: Arc<Journal>, view: V, sender: S, peers: P) -> Self {
        Self {
            journal,
            view,
            sender,
            peers,
            sent: BTreeMap::new(),
        }
    }

    /// Works at the start and at every wakeup: one for each new best and each finalised block.
    pub async fn run(mut self, mut wakeups: impl Wakeups<Item = ()> + Unpin) {
        loop {
            loop {
                match self.step().await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        log::error!(target: "auditor", "audits are not done: {error}");
                        break;
                    }
                }
            }
            if wakeups.next().await.is_none() {
                return;
            }
        }
    }

    /// Does what is due, at most one question; whether there may be more to do at once.
    pub async fn step(&mut self) -> Result<bool, AuditorError> {
        let Some(auditor) = self.view.auditor().map_err(AuditorError::Chain)? else {
            return Ok(false);
        };
        let clock = self.view.clock().map_err(AuditorError::Chain)?;
        self.sent.retain(|(epoch, _), _| epoch + 1 >= clock.epoch);
        self.declare(&auditor, clock.epoch + 1).await?;
        if let Some(over) = clock.epoch.checked_sub(1) {
            self.open(&auditor, over).await?;
        }
        let oldest = clock.epoch.saturating_sub(KEEP_EPOCHS);
        self.journal.prune_audits(&auditor, oldest)?;
        self.pose(&auditor, clock).await
    }

    fn is_due(&self, what: (u32, bool)) -> bool {
        let sent = self.sent.get(&what);
        // A number below the one of the sending means that the chain was reverted.
        sent.and_then(|at| self.view.best().checked_sub(*at))
            .is_none_or(|age| age >= RESEND_AFTER)
    }

    fn note(&mut self, what: (u32, bool), result: Result<(), String>) {
        let (epoch, name) = (what.0, if what.1 { "opening" } else { "declaration" });
        match result {
            Ok(()) => {
                log::info!(target: "auditor", "epoch {epoch}: sent the {name} of the batch");
                self.sent.insert(what, self.view.best());
            }
            // It is full, say: the next block tries again.
            Err(reason) => log::debug!(
                target: "auditor",
                "epoch {epoch}: the pool refused the {name}: {reason}",
            ),
        }
    }

    async fn declare(&mut self, auditor: &NodeId, epoch: u32) -> Result<(), AuditorError> {
        let may = self
            .view
            .may_declare(auditor)
            .map_err(AuditorError::Chain)?;
        if may && self.is_due((epoch, false)) {
            self.journal.probe("declare: planned");
            let sent = self.sender.declare(auditor).await;
            self.journal.probe("declare: sent");
            self.note((epoch, false), sent);
        }
        Ok(())
    }

    fn is_declared(&self, auditor: &NodeId, epoch: u32) -> Result<bool, AuditorError> {
        let state = self
            .view
            .state(auditor, epoch)
            .map_err(AuditorError::Chain)?;
        Ok(state == Some(AuditState::Declared))
    }

    /// Opens the batch of an epoch that is over, with every answer that there is.
    async fn open(&mut self, auditor: &NodeId, epoch: u32) -> Result<(), AuditorError> {
        if !self.is_due((epoch, true)) || !self.is_declared(auditor, epoch)? {
            return Ok(());
        }
        let questions = self
            .view
            .questions(auditor, epoch)
            .map_err(AuditorError::Chain)?;
        if questions.is_empty() {
            return Ok(());
        }
        let record = aligned(self.journal.audit(auditor, epoch)?, &questions);
        let mut entries = Vec::new();
        for (asked, question) in questions.iter().zip(record) {
            let Some(entry) = question.entry else {
                continue;
            };
            let entry = Entry {
                place: asked.target.duty.slot,
                ..entry
            };
            if self
                .view
                .proves(asked, &entry)
                .map_err(AuditorError::Chain)?
            {
                entries.push(entry);
            }
        }
        if entries.len() < questions.len() {
            log::warn!(
                target: "auditor",
                "epoch {epoch}: {} of {} questions have no answer; more than one of a node that was at work voids the batch",
                questions.len() - entries.len(), questions.len(),
            );
        }
        self.journal.probe("open: planned");
        let sent = self.sender.open(auditor, epoch, entries).await;
        self.journal.probe("open: sent");
        self.note((epoch, true), sent);
        Ok(())
    }

    /// Puts the next question that is due; whether one was put.
    async fn pose(&mut self, auditor: &NodeId, clock: EpochClock) -> Result<bool, AuditorError> {
        let epoch = clock.epoch;
        if !self.is_declared(auditor, epoch)? {
            return Ok(false);
        }
        let questions = self
            .view
            .questions(auditor, epoch)
            .map_err(AuditorError::Chain)?;
        let mut record = aligned(self.journal.audit(auditor, epoch)?, &questions);
        let is_due = |asked: &Asked, known: &Question| {
            known.entry.is_none()
                && known.tries < MAX_TRIES
                && due(
                    asked.target.duty.slot,
                    &asked.request.client_nonce,
                    known.tries,
                ) <= clock.permille
        };
        let next = questions.iter().zip(&mut record).enumerate();
        let next = next
            .filter(|(_, (asked, known))| is_due(asked, known))
            .min_by_key(|(_, (asked, known))| {
                due(
                    asked.target.duty.slot,
                    &asked.request.client_nonce,
                    known.tries,
                )
            });
        let Some((index, (asked, known))) = next else {
            return Ok(false);
        };
        known.tries += 1;
        self.journal
            .put_audit(auditor, epoch, &record, ["pose: stored", "pose: durable"])?;
        let mut answer = self.peers.ask(asked).await;
        self.journal.probe("pose: answered");
        if let Ok(entry) = &answer
            && !self
                .view
                .proves(asked, entry)
                .map_err(AuditorError::Chain)?
        {
            answer = Err("what it sent proves nothing".into());
        }
        match answer {
            Ok(entry) => {
                if let Some(known) = record.get_mut(index) {
                    known.entry = Some(entry);
                }
                let steps = ["answer kept: stored", "answer kept: durable"];
                self.journal.put_audit(auditor, epoch, &record, steps)?;
            }
            Err(reason) => log::warn!(
                target: "auditor",
                "epoch {epoch}: node {} gave no answer: {reason}", asked.target.node,
            ),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
