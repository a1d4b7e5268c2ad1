//! What can go wrong.

use crate::rules::MissingNode;
use std::path::PathBuf;
use touchstone_primitives::H256;

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
    #[error("version {0} is not held; the newest 64 are")]
    UnknownVersion(u64),
    /// The chain knows a state that the given writes do not lead to.
    #[error(
        "the writes of the other contributors lead to root {found:?}, the chain has {expected:?}"
    )]
    OtherRoot {
        /// Root on chain.
        expected: H256,
        /// Root that was reached.
        found: H256,
    },
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
    /// The embedding model failed.
    #[error("cannot embed: {0}")]
    Embed(String),
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
