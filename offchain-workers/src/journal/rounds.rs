//! Canary rounds in the journal: salts and answers, durable before the commitment to them leaves the process.

use super::{
    Journal, JournalError, damaged,
    file::{self, ROUNDS, stream_key},
};
use codec::{Decode, DecodeAll, Encode};
use redb::{ReadTransaction, ReadableTable};
use touchstone_primitives::{H256, NodeId};

type Key = [u8; 36];

/// A round, and the node that has duties in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoundId {
    /// The node.
    pub node: NodeId,
    /// Number of the round.
    pub round: u32,
}

/// What opens a commitment.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Opening {
    /// What hides the answer until it is revealed.
    pub salt: [u8; 32],
    /// The answer; empty when there is none.
    pub answer: Vec<u8>,
}

/// How the duties of a node in a round ended, in finalised state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Ended {
    /// Revealed and right.
    pub right: u32,
    /// Revealed and wrong.
    pub wrong: u32,
    /// Not committed to, or not revealed.
    pub missed: u32,
    /// No evidence: void, or the node was away.
    pub void: u32,
}

/// How far the node is with a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Stage {
    /// Answers may be added.
    Answering,
    /// The answers are what they are: a commitment to them may have left.
    Sealed,
    /// It is over, since this block.
    Closed {
        /// How its duties ended.
        ended: Ended,
        /// Finalised block at which that was seen.
        at: u32,
    },
}

/// What a node answers in a round.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RoundRecord {
    /// By slot: what is posed there, and the answer once there is one.
    pub duties: Vec<(H256, Option<Opening>)>,
    /// First block in which nothing of the round is taken any more.
    pub until: u32,
    /// How far the node is.
    pub stage: Stage,
    /// Whether the best state has shown the commitment.
    pub committed: bool,
}

impl RoundRecord {
    /// One without answers.
    pub fn new(posed: impl IntoIterator<Item = H256>, until: u32) -> Self {
        Self {
            until,
            duties: posed.into_iter().map(|posed| (posed, None)).collect(),
            stage: Stage::Answering,
            committed: false,
        }
    }

    /// Whether the round is over for this node.
    pub fn is_closed(&self) -> bool {
        matches!(self.stage, Stage::Closed { .. })
    }
}

/// Versions of the record.
#[derive(Encode, Decode)]
enum Stored {
    #[codec(index = 1)]
    V1(RoundRecord),
}

fn key_of(id: &RoundId) -> Key {
    stream_key(&id.node, id.round)
}

fn id_of(key: &Key) -> RoundId {
    let (node, round) = file::stream_of(key);
    RoundId { node, round }
}

fn decode(key: &Key, record: &[u8]) -> Result<RoundRecord, redb::Error> {
    match Stored::decode_all(&mut &*record) {
        Ok(Stored::V1(record)) => Ok(record),
        Err(e) => Err(damaged(format!("round {:?}: {e}", id_of(key)))),
    }
}

impl Journal {
    /// What the node answers in a round.
    pub fn round(&self, id: &RoundId) -> Result<Option<RoundRecord>, JournalError> {
        let key = key_of(id);
        self.file.read(|transaction| {
            let Some(table) = file::later(transaction, ROUNDS)? else {
                return Ok(None);
            };
            let record = table.get(&key)?;
            record
                .map(|record| decode(&key, record.value()))
                .transpose()
        })
    }

    /// All rounds that are held, of all nodes.
    pub fn rounds(&self) -> Result<Vec<(RoundId, RoundRecord)>, JournalError> {
        self.file.read(all)
    }

    /// Keeps what the node answers in a round; durable when it returns. `steps` are the names for the probe.
    pub(crate) fn put_round(
        &self,
        id: &RoundId,
        record: &RoundRecord,
        steps: [&'static str; 2],
    ) -> Result<(), JournalError> {
        let record = Stored::V1(record.clone()).encode();
        self.file.write(steps, |transaction| {
            let mut table = transaction.open_table(ROUNDS)?;
            table.insert(&key_of(id), record.as_slice())?;
            Ok(())
        })
    }

    /// Removes rounds that ended before this block; returns how many.
    pub fn prune_rounds(&self, before: u32) -> Result<u64, JournalError> {
        let steps = ["prune rounds: stored", "prune rounds: durable"];
        let old =
            |record: &RoundRecord| matches!(record.stage, Stage::Closed { at, .. } if at < before);
        let gone: Vec<RoundId> = self
            .rounds()?
            .into_iter()
            .filter(|(_, record)| old(record))
            .map(|(id, _)| id)
            .collect();
        if !gone.is_empty() {
            self.file.write(steps, |transaction| {
                let mut table = transaction.open_table(ROUNDS)?;
                for id in &gone {
                    table.remove(&key_of(id))?;
                }
                Ok(())
            })?;
        }
        Ok(gone.len() as u64)
    }
}

fn all(transaction: &ReadTransaction) -> Result<Vec<(RoundId, RoundRecord)>, redb::Error> {
    let Some(table) = file::later(transaction, ROUNDS)? else {
        return Ok(Vec::new());
    };
    let mut out = Vec::new();
    for entry in table.iter()? {
        let (key, record) = entry?;
        out.push((id_of(key.value()), decode(key.value(), record.value())?));
    }
    Ok(out)
}

/// Reads every record; how many there are.
pub(super) fn check(transaction: &ReadTransaction) -> Result<u64, redb::Error> {
    Ok(all(transaction)?.len() as u64)
}
