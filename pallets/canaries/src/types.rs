//! What the pallet stores, and why it refuses submissions.

use codec::{Decode, Encode, MaxEncodedLen};
use frame_support::{
    BoundedVec,
    pallet_prelude::InvalidTransaction,
    traits::{ConstU32, fungible::Inspect},
};
use scale_info::TypeInfo;
use touchstone_primitives::{
    H256, Moment, NodeId,
    authored::{Failures, MAX_AUTHORED, Sealed},
    canary::{End, MAX_SLOTS, Outcome, RoundFacts},
    tagged_hash,
};

/// Most nodes with duties in a round.
pub const MAX_NODES: u32 = 100;
/// Most topics with canaries.
pub const MAX_TOPICS: u32 = 256;
/// Most rounds that are not settled.
pub const MAX_LIVE: u32 = 512;

/// The model that a node answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Served {
    /// Base.
    pub base: H256,
    /// Adapter, if any.
    pub adapter: Option<H256>,
}

impl Served {
    /// Hash that names base and adapter together.
    pub fn hash(&self) -> H256 {
        let adapter = self.adapter.unwrap_or_default();
        tagged_hash(
            "touchstone/served/1",
            &[self.base.as_bytes(), adapter.as_bytes()],
        )
    }
}

/// That a node serves a topic.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Enrolment {
    /// What it serves with.
    pub served: Served,
    /// First epoch in which it has duties.
    pub from: u32,
    /// First epoch in which it has none any more, if it is leaving.
    pub until: Option<u32>,
    /// Another model, and the first epoch in which the node answers with it.
    pub next: Option<(Served, u32)>,
}

impl Enrolment {
    /// Whether the node has duties in this epoch.
    pub fn is_due(&self, epoch: u32) -> bool {
        epoch >= self.from && !self.has_ended(epoch)
    }

    /// Whether the node has left.
    pub fn has_ended(&self, epoch: u32) -> bool {
        self.until.is_some_and(|until| until <= epoch)
    }

    /// The model that counts in this epoch.
    pub fn served_in(&self, epoch: u32) -> Served {
        match self.next {
            Some((next, from)) if epoch >= from => next,
            _ => self.served,
        }
    }
}

/// When a node last declared to leave a topic, and what it served then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Departure {
    /// When, in milliseconds.
    pub at: Moment,
    /// Its model.
    pub served: Served,
}

/// How far the settlement of a round is. Evidence is folded first, node by node; then the pass rates are brought up to date, so
/// that they are the same for all nodes of the round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub enum Settlement {
    /// So many nodes' evidence is folded.
    Folding(u32),
    /// So many nodes' answers are in the pass rates.
    Rating(u32),
    /// All done.
    Settled,
}

/// A round.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Round {
    /// What fixes it.
    pub facts: RoundFacts,
    /// Nodes with duties in it, by id.
    pub nodes: BoundedVec<NodeId, ConstU32<MAX_NODES>>,
    /// How far its settlement is.
    pub settlement: Settlement,
    /// Slots of members' canaries that score nobody, once they are judged.
    pub void: BoundedVec<u8, ConstU32<MAX_AUTHORED>>,
}

/// Balance in which deposits are held.
pub type BalanceOf<T> = <<T as crate::Config>::Currency as Inspect<NodeId>>::Balance;

/// A canary that a member wrote.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Canary<Balance> {
    /// The member.
    pub author: NodeId,
    /// Topic that it is for.
    pub topic: u32,
    /// What was registered.
    pub sealed: Sealed,
    /// What is held for it.
    pub deposit: Balance,
    /// Round that drew it.
    pub round: Option<u32>,
}

/// A member that writes canaries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Author {
    /// How many of its canaries wait to be drawn.
    pub waiting: u32,
    /// Canaries that were drawn and stayed sealed.
    pub failures: Failures,
}

/// Epochs for which batches of blind audits are kept after the one that they are about.
pub const KEPT_AUDITS: u32 = 8;
/// Most epochs with batches.
pub const MAX_AUDIT_EPOCHS: u32 = 16;

/// The batches of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct AuditEpoch {
    /// Epoch in which the questions are put.
    pub epoch: u32,
    /// How many batches there are.
    pub batches: u32,
    /// Whether those that were not opened in time are void already.
    pub closed: bool,
}

/// Outcomes of a node's revealed answers, by slot.
pub type Outcomes = BoundedVec<Option<Outcome>, ConstU32<MAX_SLOTS>>;
/// How a node's duties ended, by slot.
pub type Ends = BoundedVec<End, ConstU32<MAX_SLOTS>>;

/// Why a submission is refused before it reaches a block.
///
/// `Custom(code)` in the transaction's error is one of the codes below; errors that the SDK has a name for use that. A commitment that is
/// due and not signed by the node's current worker key over exactly its content is refused as `BadProof`, and so is an answer that
/// does not match its commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such round, or it is settled. `Custom(1)`.
    RoundNotFound,
    /// The node has no duties in the round. `Custom(2)`.
    NoDuty,
    /// The node is not active. `Custom(3)`.
    NodeNotActive,
    /// Not one commitment for each duty. `Custom(4)`.
    WrongNumber,
    /// The block that it was valid until has passed. `Custom(5)`.
    Expired,
    /// Valid for longer than `MaxValidity` blocks. `Custom(6)`.
    ValidTooLong,
    /// Commitments of the round are not taken yet. `Future`.
    CommitNotOpen,
    /// Commitments of the round are not taken any more. `Custom(7)`.
    CommitClosed,
    /// Answers of the round are not taken yet. `Future`.
    RevealNotOpen,
    /// Answers of the round are not taken any more. `Custom(8)`.
    RevealClosed,
    /// The node has committed already; the first commitment counts. `Stale`.
    AlreadyCommitted,
    /// The node has not committed to an answer in this slot. `Custom(9)`.
    NotCommitted,
    /// The answer is revealed already. `Stale`.
    AlreadyRevealed,
    /// The answer does not match its commitment. `BadProof`.
    Mismatch,
    /// No answer, or one slot twice. `Custom(10)`.
    BadAnswers,
    /// No round has drawn the canary. `Custom(11)`.
    NotDrawn,
    /// Not the window of this part, or the task was not opened. `Custom(12)`.
    OpeningNotDue,
    /// The part is open. `Stale`.
    AlreadyOpened,
    /// The part cannot be used. `Custom(13)`.
    Unfit,
    /// Not an active node with the role of an auditor. `Custom(14)`.
    NotAuditor,
    /// The auditor's member gave a void batch. `Custom(15)`.
    AuditsBarred,
    /// The auditor has declared its batch already. `Stale`.
    AlreadyDeclared,
    /// As many batches as there may be. `Custom(16)`.
    TooManyAudits,
    /// No topic is examined. `Custom(17)`.
    NothingExamined,
    /// There is no such batch, or no round to audit. `Custom(18)`.
    AuditNotFound,
    /// The audited epoch is not over. `Future`.
    AuditNotDue,
    /// The epoch after the audited one is over. `Custom(19)`.
    AuditClosed,
    /// The batch is opened. `Stale`.
    AlreadyAudited,
    /// Entries out of order or of places that do not exist. `Custom(20)`.
    BadEntries,
    /// The VRF signature is not the auditor's over this round and these entries. `BadProof`.
    BadVrf,
    /// An entry does not show what the node answered to this question. `BadProof`.
    BadReceipt,
}

impl From<Refusal> for InvalidTransaction {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::RoundNotFound => Self::Custom(1),
            Refusal::NoDuty => Self::Custom(2),
            Refusal::NodeNotActive => Self::Custom(3),
            Refusal::WrongNumber => Self::Custom(4),
            Refusal::Expired => Self::Custom(5),
            Refusal::ValidTooLong => Self::Custom(6),
            Refusal::CommitClosed => Self::Custom(7),
            Refusal::CommitNotOpen | Refusal::RevealNotOpen | Refusal::AuditNotDue => Self::Future,
            Refusal::RevealClosed => Self::Custom(8),
            Refusal::AlreadyCommitted
            | Refusal::AlreadyRevealed
            | Refusal::AlreadyOpened
            | Refusal::AlreadyDeclared
            | Refusal::AlreadyAudited => Self::Stale,
            Refusal::NotCommitted => Self::Custom(9),
            Refusal::Mismatch | Refusal::BadVrf | Refusal::BadReceipt => Self::BadProof,
            Refusal::BadAnswers => Self::Custom(10),
            Refusal::NotDrawn => Self::Custom(11),
            Refusal::OpeningNotDue => Self::Custom(12),
            Refusal::Unfit => Self::Custom(13),
            Refusal::NotAuditor => Self::Custom(14),
            Refusal::AuditsBarred => Self::Custom(15),
            Refusal::TooManyAudits => Self::Custom(16),
            Refusal::NothingExamined => Self::Custom(17),
            Refusal::AuditNotFound => Self::Custom(18),
            Refusal::AuditClosed => Self::Custom(19),
            Refusal::BadEntries => Self::Custom(20),
        }
    }
}
