//! The off-chain side of a node that must survive anything: the journal, and the workers that act on it.
//!
//! | module | what it does |
//! |---|---|
//! | [`journal`] | keeps receipts and canary answers durably before they leave the process, and numbers receipts without gaps |
//! | [`anchorer`] | decides which receipts are anchored next and hands that to the chain's offchain hook |
//! | [`runner`] | answers the node's canaries, commits to the answers and reveals them |
//! | [`custody`] | keeps what members' canaries hide, sealed, and opens it when a round has drawn them |
//! | [`auditor`] | puts the questions of blind audits to other nodes and opens their signed answers |
//! | [`mailbox`] | the slot in the offchain storage through which the hook is reached |
//!
//! The journal is the truth. The mailbox may be lost at any time: the anchorer writes it again at the next block.

pub mod anchorer;
pub mod auditor;
pub mod custody;
pub mod journal;
pub mod mailbox;
pub mod runner;

pub use anchorer::{AnchorCounters, AnchorLimits, Anchorer, ChainView, Plan};
pub use auditor::{Asked, Auditor, AuditsSender, AuditsView, EpochClock, Peers};
pub use custody::{Custodian, DueOpening, Hidden, Kept, Key, OpeningsSender, OpeningsView, Vault};
pub use journal::{
    Ended, Journal, JournalError, Opening, RoundId, RoundRecord, Stage, Stream, Summary, backup,
    inspect,
};
pub use mailbox::{Mailbox, OffchainMailbox};
pub use runner::{
    Answers, Duty, NoAnswer, OpenRound, RoundsSender, RoundsView, Runner, RunnerCounters, Window,
};
