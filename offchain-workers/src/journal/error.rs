//! What can go wrong with the journal, and what to do about it.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// Why the journal did not do what it was asked for. The file is never replaced or emptied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The file is not a journal, or its content does not fit together.
    #[error(
		"the worker journal {} is damaged ({reason}); move it away and start again: with a backup in its place its receipts are \
		 kept, without one they are lost to this node. Either way the node goes on in a new stream", path.display()
	)]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A newer program wrote the file.
    #[error(
		"the worker journal {} has format {found} and this program knows {}; install the version that wrote it, or a newer one",
		path.display(), super::FORMAT
	)]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: String,
    },
    /// The file belongs to another chain.
    #[error(
		"the worker journal {} belongs to the chain with genesis {found}, this one has {expected}; give each chain its own \
		 (`--journal`), or move the old one away if that chain is gone", path.display()
	)]
    OtherChain {
        /// The file.
        path: PathBuf,
        /// Genesis hash in the file.
        found: String,
        /// Genesis hash of this chain.
        expected: String,
    },
    /// Another process uses the file.
    #[error(
		"the worker journal {} is in use by another process; stop the other node, two nodes must never share one",
		path.display()
	)]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full, or a quota or limit on file sizes is reached.
    #[error(
		"no space for the worker journal {} ({reason}); free some. Nothing that was given out is lost, and no restart is needed",
		path.display()
	)]
    NoSpace {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// Reading or writing failed.
    #[error("the worker journal {} cannot be read or written ({reason}); check the disk and the file's permissions", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The target of a copy exists.
    #[error("{} exists; a copy of the journal is never written over anything, choose another name", path.display())]
    TargetExists {
        /// The file.
        path: PathBuf,
    },
    /// The receipt was not made. Its number goes to the next one.
    #[error("the receipt was not made: {0}")]
    NotBuilt(String),
}

impl JournalError {
    /// The error of a file operation.
    pub(super) fn io(path: &Path, error: &std::io::Error) -> Self {
        let (path, reason) = (path.to_path_buf(), error.to_string());
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                Self::NoSpace { path, reason }
            }
            ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof => {
                Self::Damaged { path, reason }
            }
            _ => Self::Io { path, reason },
        }
    }

    /// The error of the database library.
    pub(super) fn of(path: &Path, error: redb::Error) -> Self {
        let owned = path.to_path_buf();
        match error {
            redb::Error::Io(error) => Self::io(path, &error),
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => {
                Self::InUse { path: owned }
            }
            redb::Error::UpgradeRequired(found) => Self::NewerFormat {
                path: owned,
                found: format!("redb {found}"),
            },
            error @ (redb::Error::Corrupted(_)
            | redb::Error::TableDoesNotExist(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::TypeDefinitionChanged { .. }) => Self::Damaged {
                path: owned,
                reason: error.to_string(),
            },
            error => Self::Io {
                path: owned,
                reason: error.to_string(),
            },
        }
    }
}
