//! `touchstone journal`: looks after the file in which a node keeps its receipts until they are anchored.

use crate::{Failure, Result};
use std::path::PathBuf;

/// Check or back up a node's journal of receipts. Both work while the node runs.
#[derive(clap::Subcommand)]
pub enum Journal {
    /// Read every record, and say what the journal holds.
    #[command(
        after_help = "Example:\n  touchstone journal check /var/lib/touchstone/chains/example-consortium/journal"
    )]
    Check {
        /// The journal's file.
        path: PathBuf,
    },
    /// Write a consistent copy. A node that is started on it goes on in a new stream.
    #[command(
        after_help = "Example:\n  touchstone journal backup /var/lib/touchstone/chains/example-consortium/journal \
                      /backup/journal-2026-11-22"
    )]
    Backup {
        /// The journal's file.
        path: PathBuf,
        /// The copy, which must not exist yet.
        to: PathBuf,
    },
}

impl Journal {
    /// Does it.
    pub fn run(self) -> Result<()> {
        let told = |e: touchstone_workers::JournalError| Failure::Told(e.to_string());
        match self {
            Self::Check { path } => {
                let summary = touchstone_workers::inspect(&path).map_err(told)?;
                println!(
                    "{} receipts and {} canary rounds, every record reads and every receipt has its hash",
                    summary.receipts, summary.rounds
                );
                for (gateway, stream) in summary.streams {
                    println!(
                        "{gateway}: stream {}, next sequence {}",
                        stream.stream, stream.next
                    );
                }
            }
            Self::Backup { path, to } => {
                touchstone_workers::backup(&path, &to).map_err(told)?;
                let copied = touchstone_workers::inspect(&to).map_err(told)?;
                println!("{} receipts in {}", copied.receipts, to.display());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use touchstone_primitives::H256;

    #[test]
    fn a_copy_holds_what_the_journal_holds_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let (path, to) = (folder.path().join("journal"), folder.path().join("copy"));
        drop(touchstone_workers::Journal::open(&path, H256::zero()).unwrap());
        let backup = || {
            Journal::Backup {
                path: path.clone(),
                to: to.clone(),
            }
            .run()
        };
        assert!(backup().is_ok());
        assert!(Journal::Check { path: to.clone() }.run().is_ok());
        assert!(backup().is_err(), "the copy exists");
        std::fs::write(&to, b"no journal").unwrap();
        assert!(Journal::Check { path: to.clone() }.run().is_err());
    }
}
