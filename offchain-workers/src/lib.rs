//! The off-chain side of a node that must survive anything: the journal of receipts and the worker that gets them anchored.
//!
//! | module | what it does |
//! |---|---|
//! | [`journal`] | keeps every receipt durably before it leaves the process, and numbers them without gaps |
//! | [`anchorer`] | decides which receipts are anchored next and hands that to the chain's offchain hook |
//! | [`mailbox`] | the slot in the offchain storage through which the hook is reached |
//!
//! The journal is the truth. The mailbox may be lost at any time: the anchorer writes it again at the next block.

pub mod anchorer;
pub mod journal;
pub mod mailbox;

pub use anchorer::{AnchorCounters, AnchorLimits, Anchorer, ChainView, Plan};
pub use journal::{Journal, JournalError, Stream, Summary, backup, inspect};
pub use mailbox::{Mailbox, OffchainMailbox};
