//! What can go wrong.

use std::path::PathBuf;
use touchstone_primitives::{
    H256,
    memory::{Key, tree::MissingNode},
};

/// Why the store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// There is no such namespace here.
    #[error("no namespace {0} here; `memory_namespaces` lists those there are")]
    UnknownNamespace(String),
    /// The name is taken.
    #[error("namespace \"{0}\" exists already")]
    NamespaceExists(String),
    /// The namespace is sealed and its key was not granted.
    #[error("this namespace is sealed and its owner has not granted this node the key")]
    Locked,
    /// The key does not open the namespace.
    #[error("the key does not open this namespace")]
    WrongKey,
    /// A write is not signed by its contributor, or is for another namespace.
    #[error("write {0} of the batch is not signed by its contributor for this namespace")]
    BadSignature(usize),
    /// A value in the log is not that of the fragment that came with it.
    #[error("write {0} of the batch signs another fragment than the one that came with it")]
    OtherFragment(usize),
    /// A write replaces another value than the one that is there.
    #[error(
        "write {at} does not replace what is at {key:?} now; read the fragment again and sign a new write"
    )]
    Conflict {
        /// Which write of the batch.
        at: usize,
        /// Its key.
        key: Key,
    },
    /// A write changes nothing.
    #[error("write {0} of the batch replaces a value by itself")]
    Unchanged(usize),
    /// A write was applied before.
    #[error("write {0} of the batch was applied before; a signed write counts once")]
    Replayed(usize),
    /// Something is larger than the store takes.
    #[error("{what} is {found}; at most {limit} is taken")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        found: usize,
        /// How large it may be.
        limit: usize,
    },
    /// The version is not held any more, or never was.
    #[error("version {0} is not held; those of the newest 64 anchored ones are")]
    UnknownVersion(u64),
    /// The chain has a state that the staged log does not lead to.
    #[error(
        "the log that came leads to root {found:?}, the chain has {expected:?}; it was dropped, ask another member"
    )]
    OtherRoot {
        /// Root on chain.
        expected: H256,
        /// Root that was reached.
        found: H256,
    },
    /// The chain has another batch than the staged log.
    #[error("the log that came is not the batch on chain; it was dropped, ask another member")]
    OtherBatch,
    /// A page of a log does not follow the one before it.
    #[error("the page of the log does not follow version {0}")]
    OutOfOrder(u64),
    /// The staged log ends elsewhere than the state that is to be adopted.
    #[error("the staged log leads to version {staged}, not {wanted}")]
    OtherVersion {
        /// Where it ends.
        staged: u64,
        /// Where it should.
        wanted: u64,
    },
    /// Sealed content that came is not what the log has a hash of.
    #[error(
        "the content that came for {0:?} is not what the log has a hash of; it was dropped, ask another member"
    )]
    OtherContent(Key),
    /// Content of staged writes has not come yet.
    #[error("the content of {0} fragments is missing")]
    Incomplete(u64),
    /// The content is not what the root commits to.
    #[error(
        "{file}: the content of namespace \"{namespace}\" has root {found:?}, but {expected:?} is committed; the file was altered. \
		 Restore a copy, or `touchstone memory rebuild` from other members"
    )]
    Altered {
        /// The store's file.
        file: PathBuf,
        /// Name of the namespace.
        namespace: String,
        /// Root that is committed.
        expected: H256,
        /// Root of the content.
        found: H256,
    },
    /// No space is left.
    #[error("{0}: the disk is full; nothing of the batch was stored. Make space and try again")]
    NoSpace(PathBuf),
    /// Written by another version of the program.
    #[error("{file}: layout {found}, this program knows {known}")]
    Format {
        /// The store's file.
        file: PathBuf,
        /// Its layout.
        found: i64,
        /// The layout of this program.
        known: i64,
    },
    /// A record cannot be read.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// The tree is incomplete.
    #[error(transparent)]
    Tree(#[from] MissingNode),
    /// A sink could not take fragments.
    #[error("cannot store fragments: {0}")]
    Sink(String),
    /// A file cannot be read.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A document is not what it should be.
    #[error("{path}: {reason}")]
    Document {
        /// The document.
        path: PathBuf,
        /// Why it is not taken.
        reason: String,
    },
    /// The database failed.
    #[error("the store failed: {0}")]
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for MemoryError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DiskFull, SystemIoFailure};
        match error.sqlite_error_code() {
            // A file that may not grow is reported as a failed write.
            Some(DiskFull | SystemIoFailure) => MemoryError::NoSpace(PathBuf::from("memory")),
            _ => MemoryError::Database(error),
        }
    }
}
