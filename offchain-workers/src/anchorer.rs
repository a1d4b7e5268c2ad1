//! Decides which receipts are anchored next.
//!
//! The anchorer never remembers what it did. At every new best block it compares the chain's head of its stream with the journal
//! and writes the batch that is due into the mailbox; the pallet's offchain hook submits what stands there as long as the
//! best state lacks it. A reorganisation that takes a batch back therefore needs no special care: the head goes back, and the
//! same batch is due again. Receipts leave the journal only when their batch is final and old.

use crate::{Journal, JournalError, Mailbox, Stream};
use futures::{Stream as Wakeups, StreamExt};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};
use touchstone_primitives::{
    Moment, NodeId,
    apis::StreamHead,
    mailbox::{ANCHOR_SLOT, AnchorTask, decode_task, encode_task},
    merkle,
};

/// What the anchorer wants to know of the chain.
pub trait ChainView: Send {
    /// The node that this machine's worker key serves in the best state, while it may anchor.
    fn gateway(&self) -> Result<Option<NodeId>, String>;
    /// Where its next batch must start, in the best state.
    fn head(&self, gateway: &NodeId) -> Result<StreamHead, String>;
    /// The same in the finalised state.
    fn finalized_head(&self, gateway: &NodeId) -> Result<StreamHead, String>;
    /// The chain's clock at the best block, milliseconds.
    fn now(&self) -> Result<Moment, String>;
}

/// When a batch is due and how large it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnchorLimits {
    /// A batch is due when this many receipts wait.
    pub batch: u64,
    /// Or when the oldest one has waited this long, milliseconds.
    pub max_wait: Moment,
    /// Most receipts of a batch; the pallet takes at least as many.
    pub max_batch: u64,
    /// Anchored receipts are kept this long, milliseconds: longer than the chain keeps their root.
    pub keep: Moment,
}

impl Default for AnchorLimits {
    fn default() -> Self {
        Self {
            batch: 64,
            max_wait: 6_000,
            max_batch: 1024,
            keep: 100 * 24 * 3600 * 1000,
        }
    }
}

/// Consecutive receipts of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Stream.
    pub stream: u32,
    /// First sequence.
    pub first: u64,
    /// Last sequence.
    pub last: u64,
}

/// What can be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Everything is anchored, or the chain's state is older than what the journal still holds.
    Nothing,
    /// The chain has sequences that the journal never gave out: this stream cannot go on, that one can.
    Open(u32),
    /// These wait.
    Waiting(Range),
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing.
    Idle,
    /// Anchor these.
    Anchor(Range),
    /// Go on in this stream.
    OpenStream(u32),
}

/// The stream in which a gateway must go on whose newest stream is `newest`; `None` if it can go on where it is.
///
/// A journal that is behind the chain was lost or restored: its numbers are taken.
pub fn must_open(head: StreamHead, newest: Option<&Stream>) -> Option<u32> {
    match newest {
        None if head == StreamHead::default() => Some(0),
        None => Some(head.stream.saturating_add(1)),
        Some(own) if (own.stream, own.next) < (head.stream, head.next) => {
            Some(head.stream.saturating_add(1))
        }
        Some(_) => None,
    }
}

/// What waits, given the chain's head and the journal's streams in ascending order.
pub fn next(head: StreamHead, streams: &[Stream]) -> Next {
    if streams.is_empty() && head == StreamHead::default() {
        return Next::Nothing;
    }
    if let Some(stream) = must_open(head, streams.last()) {
        return Next::Open(stream);
    }
    // The head's stream first: what an earlier stream still holds can only be anchored before the next one begins.
    let starts = [(head.stream, head.next), (head.stream.saturating_add(1), 0)];
    for (stream, first) in starts {
        let Some(own) = streams
            .iter()
            .find(|s| s.stream == stream && s.next > first)
        else {
            continue;
        };
        return match own.oldest <= first {
            true => Next::Waiting(Range {
                stream,
                first,
                last: own.next.saturating_sub(1),
            }),
            // Anchored and pruned long ago: this node's chain is still catching up.
            false => Next::Nothing,
        };
    }
    Next::Nothing
}

/// Whether what waits is due. `standing` is the batch that the mailbox asks for already: it stays as it is until the chain
/// has it, so that one batch is submitted once and not anew for every receipt that arrives meanwhile.
pub fn plan(
    next: Next,
    standing: Option<Range>,
    waiting_since: Option<Moment>,
    now: Moment,
    limits: &AnchorLimits,
) -> Plan {
    let waiting = match next {
        Next::Nothing => return Plan::Idle,
        Next::Open(stream) => return Plan::OpenStream(stream),
        Next::Waiting(range) => range,
    };
    if let Some(standing) = standing
        && (standing.stream, standing.first) == (waiting.stream, waiting.first)
        && (standing.first..=waiting.last).contains(&standing.last)
    {
        return Plan::Anchor(standing);
    }
    let count = waiting.last.saturating_sub(waiting.first).saturating_add(1);
    let old = waiting_since.is_some_and(|since| now.saturating_sub(since) >= limits.max_wait);
    if count < limits.batch && !old {
        return Plan::Idle;
    }
    let most = waiting
        .first
        .saturating_add(limits.max_batch.max(1))
        .saturating_sub(1);
    Plan::Anchor(Range {
        last: waiting.last.min(most),
        ..waiting
    })
}

/// What the anchorer did since the start.
#[derive(Debug, Default)]
pub struct AnchorCounters {
    /// Batches put into the mailbox.
    pub published: AtomicU64,
    /// Streams opened because the journal was behind the chain.
    pub opened_streams: AtomicU64,
    /// Receipts removed because they were anchored and old.
    pub pruned: AtomicU64,
    /// Attempts that failed; each is in the log, and the next block tries again.
    pub errors: AtomicU64,
}

/// Why a step did not succeed. The next block tries again.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StepError {
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The chain state could not be read.
    #[error("the chain state cannot be read: {0}")]
    Chain(String),
}

/// Gets receipts anchored.
pub struct Anchorer<V, M> {
    journal: Arc<Journal>,
    view: V,
    mailbox: M,
    limits: AnchorLimits,
    counters: Arc<AnchorCounters>,
    pruned_at: Moment,
}

impl<V: ChainView, M: Mailbox> Anchorer<V, M> {
    /// Over the journal, the chain and the mailbox.
    pub fn new(journal: Arc<Journal>, view: V, mailbox: M, limits: AnchorLimits) -> Self {
        Self {
            journal,
            view,
            mailbox,
            limits,
            counters: Default::default(),
            pruned_at: 0,
        }
    }

    /// What it did.
    pub fn counters(&self) -> Arc<AnchorCounters> {
        self.counters.clone()
    }

    /// Runs a step at the start and at every wakeup: one for each new best and each finalised block.
    pub async fn run(mut self, mut wakeups: impl Wakeups<Item = ()> + Unpin) {
        loop {
            if let Err(error) = self.step() {
                self.counters.errors.fetch_add(1, Relaxed);
                log::error!(target: "anchorer", "receipts are not anchored: {error}");
            }
            if wakeups.next().await.is_none() {
                return;
            }
        }
    }

    /// Looks at the chain and the journal and does what is due.
    pub fn step(&mut self) -> Result<Plan, StepError> {
        let Some(gateway) = self.view.gateway().map_err(StepError::Chain)? else {
            return Ok(Plan::Idle);
        };
        let head = self.view.head(&gateway).map_err(StepError::Chain)?;
        let now = self.view.now().map_err(StepError::Chain)?;
        let streams = self.journal.streams(&gateway)?;
        let next = next(head, &streams);
        let since = match next {
            Next::Waiting(range) => {
                self.journal
                    .answered_at(&gateway, range.stream, range.first)?
            }
            _ => None,
        };
        let standing = self.standing(&gateway)?;
        let plan = plan(next, standing, since, now, &self.limits);
        match plan {
            Plan::Idle => {}
            Plan::OpenStream(stream) => {
                log::warn!(
                    target: "anchorer",
                    "the chain has receipts of stream {} up to {} that this journal never gave out (it was lost or restored); \
                     going on in stream {stream}",
                    head.stream,
                    head.next,
                );
                self.journal.open_stream(&gateway, stream)?;
                self.counters.opened_streams.fetch_add(1, Relaxed);
            }
            Plan::Anchor(range) => self.publish(&gateway, range)?,
        }
        self.prune(&gateway, now)?;
        Ok(plan)
    }

    /// The batch that the mailbox asks for, if it is ours and the journal still agrees with it.
    fn standing(&self, gateway: &NodeId) -> Result<Option<Range>, StepError> {
        let task = self
            .mailbox
            .get(ANCHOR_SLOT)
            .and_then(|record| decode_task(&record).ok());
        let Some(task) = task.filter(|task| task.node == *gateway) else {
            return Ok(None);
        };
        let range = Range {
            stream: task.stream,
            first: task.first,
            last: task.last,
        };
        let same = match task.last.checked_sub(task.first) {
            Some(more) if more < self.limits.max_batch => self.task(gateway, range)? == Some(task),
            _ => false,
        };
        Ok(same.then_some(range))
    }

    /// The task for a range, cut where the routing policy changes; `None` if the journal does not hold all of it.
    fn task(&self, gateway: &NodeId, range: Range) -> Result<Option<AnchorTask>, StepError> {
        let Some(batch) = self
            .journal
            .batch(gateway, range.stream, range.first, range.last)?
        else {
            return Ok(None);
        };
        Ok(Some(AnchorTask {
            node: gateway.clone(),
            stream: range.stream,
            first: range.first,
            last: batch.last,
            root: merkle::root(&batch.ids),
            policy_version: batch.policy_version,
        }))
    }

    fn publish(&mut self, gateway: &NodeId, range: Range) -> Result<(), StepError> {
        let Some(task) = self.task(gateway, range)? else {
            return Ok(());
        };
        let record = encode_task(&task);
        self.journal.probe("anchor: planned");
        if self.mailbox.get(ANCHOR_SLOT).as_ref() != Some(&record) {
            self.mailbox.set(ANCHOR_SLOT, &record);
            self.counters.published.fetch_add(1, Relaxed);
            log::debug!(
                target: "anchorer",
                "asking to anchor stream {} from {} to {}", task.stream, task.first, task.last
            );
        }
        self.journal.probe("anchor: published");
        Ok(())
    }

    /// Once an hour of chain time.
    fn prune(&mut self, gateway: &NodeId, now: Moment) -> Result<(), StepError> {
        if now.saturating_sub(self.pruned_at) < 3_600_000 {
            return Ok(());
        }
        let head = self
            .view
            .finalized_head(gateway)
            .map_err(StepError::Chain)?;
        let pruned = self
            .journal
            .prune(gateway, head, now.saturating_sub(self.limits.keep))?;
        self.counters.pruned.fetch_add(pruned, Relaxed);
        self.pruned_at = now;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(stream: u32, next: u64) -> StreamHead {
        StreamHead { stream, next }
    }

    fn own(stream: u32, oldest: u64, next: u64) -> Stream {
        Stream {
            stream,
            oldest,
            next,
        }
    }

    fn waiting(stream: u32, first: u64, last: u64) -> Next {
        Next::Waiting(Range {
            stream,
            first,
            last,
        })
    }

    const LIMITS: AnchorLimits = AnchorLimits {
        batch: 10,
        max_wait: 1000,
        max_batch: 20,
        keep: 1,
    };

    #[test]
    fn a_new_gateway_begins_with_stream_0_and_has_nothing_to_do() {
        assert_eq!(must_open(head(0, 0), None), Some(0));
        assert_eq!(next(head(0, 0), &[]), Next::Nothing);
    }

    #[test]
    fn what_the_chain_lacks_waits() {
        assert_eq!(next(head(0, 0), &[own(0, 0, 5)]), waiting(0, 0, 4));
        assert_eq!(next(head(0, 3), &[own(0, 0, 5)]), waiting(0, 3, 4));
        assert_eq!(next(head(0, 5), &[own(0, 0, 5)]), Next::Nothing);
        assert_eq!(next(head(2, 3), &[own(2, 3, 4)]), waiting(2, 3, 3));
    }

    #[test]
    fn a_lost_journal_goes_on_in_the_next_stream() {
        assert_eq!(next(head(0, 5), &[]), Next::Open(1));
        assert_eq!(next(head(3, 0), &[]), Next::Open(4));
        assert_eq!(next(head(3, 0), &[own(2, 0, 9)]), Next::Open(4));
        assert_eq!(next(head(0, 5), &[own(0, 0, 4)]), Next::Open(1));
        assert_eq!(must_open(head(0, 5), Some(&own(0, 0, 5))), None);
    }

    #[test]
    fn the_rest_of_a_stream_is_anchored_before_the_next_one() {
        let streams = [own(0, 0, 7), own(1, 0, 2)];
        assert_eq!(next(head(0, 5), &streams), waiting(0, 5, 6));
        assert_eq!(next(head(0, 7), &streams), waiting(1, 0, 1));
        assert_eq!(next(head(1, 1), &streams), waiting(1, 1, 1));
        assert_eq!(
            next(head(0, 7), &[own(0, 0, 7), own(1, 0, 0)]),
            Next::Nothing
        );
    }

    #[test]
    fn a_chain_that_is_catching_up_opens_no_stream() {
        assert_eq!(next(head(0, 0), &[own(0, 40, 50)]), Next::Nothing);
        assert_eq!(next(head(0, 0), &[own(3, 0, 50)]), Next::Nothing);
    }

    #[test]
    fn a_batch_is_due_when_it_is_large_or_old() {
        let few = waiting(0, 0, 3);
        assert_eq!(plan(few, None, Some(500), 1400, &LIMITS), Plan::Idle);
        let range = Range {
            stream: 0,
            first: 0,
            last: 3,
        };
        assert_eq!(
            plan(few, None, Some(500), 1500, &LIMITS),
            Plan::Anchor(range)
        );
        let enough = Range {
            stream: 0,
            first: 0,
            last: 9,
        };
        assert_eq!(
            plan(Next::Waiting(enough), None, Some(500), 500, &LIMITS),
            Plan::Anchor(enough)
        );
        let many = plan(waiting(0, 7, 99), None, Some(500), 500, &LIMITS);
        assert_eq!(
            many,
            Plan::Anchor(Range {
                stream: 0,
                first: 7,
                last: 26
            })
        );
    }

    #[test]
    fn a_batch_that_is_under_way_stays_as_it_is() {
        let standing = Range {
            stream: 0,
            first: 5,
            last: 6,
        };
        let keep = |next| plan(next, Some(standing), Some(0), 0, &LIMITS);
        assert_eq!(keep(waiting(0, 5, 30)), Plan::Anchor(standing));
        // Anchored meanwhile, or of another stream, or the journal lost its end: no longer what is needed.
        assert_eq!(keep(waiting(0, 7, 8)), Plan::Idle);
        assert_eq!(keep(waiting(1, 5, 8)), Plan::Idle);
        assert_eq!(keep(waiting(0, 5, 5)), Plan::Idle);
    }
}
