//! What members' canaries hide, encrypted, by the seal of the task.

use super::{
    Journal, JournalError,
    file::{self, KEPT},
};
use touchstone_primitives::H256;

impl Journal {
    /// Keeps encrypted canaries; durable when it returns.
    pub(crate) fn put_kept(&self, all: &[(H256, Vec<u8>)]) -> Result<(), JournalError> {
        self.file
            .write(["kept: stored", "kept: durable"], |transaction| {
                let mut table = transaction.open_table(KEPT)?;
                for (task, record) in all {
                    table.insert(&task.0, record.as_slice())?;
                }
                Ok(())
            })
    }

    /// An encrypted canary.
    pub(crate) fn kept(&self, task: &H256) -> Result<Option<Vec<u8>>, JournalError> {
        self.file.read(|transaction| {
            let Some(table) = file::later(transaction, KEPT)? else {
                return Ok(None);
            };
            let record = table.get(&task.0)?;
            Ok(record.map(|record| record.value().to_vec()))
        })
    }
}
