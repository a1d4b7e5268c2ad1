//! Blind audits in the journal: what was asked, how often, and what was answered, durable before the next step.

use super::{
    Journal, JournalError, damaged,
    file::{self, AUDITS, stream_key},
};
use codec::{Decode, DecodeAll, Encode};
use touchstone_primitives::{H256, NodeId, audit::Entry};

/// A question of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Question {
    /// Hash of the request.
    pub query: H256,
    /// How often it was put.
    pub tries: u32,
    /// What the node answered.
    pub entry: Option<Entry>,
}

/// The questions of an auditor in an epoch, by place.
pub type AuditRecord = Vec<Question>;

/// Versions of the record.
#[derive(Encode, Decode)]
enum Stored {
    #[codec(index = 1)]
    V1(AuditRecord),
}

impl Journal {
    /// What the auditor asked in an epoch.
    pub fn audit(&self, auditor: &NodeId, epoch: u32) -> Result<Option<AuditRecord>, JournalError> {
        self.file.read(|transaction| {
            let Some(table) = file::later(transaction, AUDITS)? else {
                return Ok(None);
            };
            let record = table.get(&stream_key(auditor, epoch))?;
            let decode = |bytes: &[u8]| match Stored::decode_all(&mut &*bytes) {
                Ok(Stored::V1(record)) => Ok(record),
                Err(e) => Err(damaged(format!("audit of epoch {epoch}: {e}"))),
            };
            record.map(|record| decode(record.value())).transpose()
        })
    }

    /// Keeps what the auditor asked; durable when it returns. `steps` are the names for the probe.
    pub(crate) fn put_audit(
        &self,
        auditor: &NodeId,
        epoch: u32,
        record: &AuditRecord,
        steps: [&'static str; 2],
    ) -> Result<(), JournalError> {
        let record = Stored::V1(record.clone()).encode();
        self.file.write(steps, |transaction| {
            let mut table = transaction.open_table(AUDITS)?;
            table.insert(&stream_key(auditor, epoch), record.as_slice())?;
            Ok(())
        })
    }

    /// Removes the auditor's batches of epochs before this one.
    pub(crate) fn prune_audits(&self, auditor: &NodeId, before: u32) -> Result<(), JournalError> {
        let range = stream_key(auditor, 0)..stream_key(auditor, before);
        let has_old = self.file.read(|transaction| {
            let Some(table) = file::later(transaction, AUDITS)? else {
                return Ok(false);
            };
            Ok(table
                .range::<&[u8; 36]>(&range.start..&range.end)?
                .next()
                .is_some())
        })?;
        if !has_old {
            return Ok(());
        }
        let steps = ["prune audits: stored", "prune audits: durable"];
        self.file.write(steps, |transaction| {
            let mut table = transaction.open_table(AUDITS)?;
            table.retain_in::<&[u8; 36], _>(&range.start..&range.end, |_, _| false)?;
            Ok(())
        })
    }
}
