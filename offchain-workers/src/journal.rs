//! The journal: every receipt that a gateway gives out and every answer in a canary round, durable before it leaves the process.
//!
//! One file of its own, outside the chain's database. For each gateway and stream it holds consecutive receipts; the number of the
//! next one is part of the same transaction that stores the receipt, so that a crash at any point leaves neither a gap nor a
//! number used twice. Answers that finish at the same time share one disk flush.
//!
//! Purging or reverting the chain leaves the journal alone. A journal that was lost (a new file) or restored from a copy does
//! not know what was given out meanwhile; it goes on in a new stream, and receipts say in which stream they stand.

mod audits;
mod error;
mod file;
mod kept;
mod rounds;

pub use audits::{AuditRecord, Question};
pub use error::JournalError;
pub use rounds::{Ended, Opening, RoundId, RoundRecord, Stage};

use codec::{DecodeAll, Encode};
use file::{Database, IDS, RECEIPTS, STREAMS, receipt_key, stream_key};
use parking_lot::Mutex;
use redb::{
    ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata, WriteTransaction,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread::JoinHandle,
};
use touchstone_primitives::{
    H256, Moment, NodeId,
    apis::StreamHead,
    merkle::{self, Proof},
    receipt::Receipt,
};

/// Version of the layout of tables and records.
pub const FORMAT: u32 = 1;
/// Most answers that share one disk flush.
const MAX_GROUP: usize = 256;
/// Most receipts removed by one call of [`Journal::prune`].
const MAX_PRUNED: usize = 10_000;

/// A stream of a gateway, as the journal holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its number.
    pub stream: u32,
    /// First sequence that is still held; earlier ones were anchored and pruned.
    pub oldest: u64,
    /// Next sequence to be given out.
    pub next: u64,
}

/// Consecutive receipts that one batch can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Their ids, in order of sequence.
    pub ids: Vec<H256>,
    /// Sequence of the last one.
    pub last: u64,
    /// Version of the routing policy that all of them were answered under.
    pub policy_version: u32,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Receipts that are held.
    pub receipts: u64,
    /// Canary rounds that are held.
    pub rounds: u64,
    /// Streams by gateway.
    pub streams: Vec<(NodeId, Stream)>,
}

/// Called with the name of every step at which a crash is interesting; for tests.
pub type Probe = Arc<dyn Fn(&'static str) + Send + Sync>;

type Build = Box<dyn FnOnce(u32, u64) -> Result<Receipt, String> + Send>;

struct Job {
    gateway: NodeId,
    head: StreamHead,
    build: Build,
    reply: mpsc::SyncSender<Result<Receipt, JournalError>>,
}

/// See the [module](self). All methods block on the disk; call them from threads that may.
pub struct Journal {
    file: Arc<File>,
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

struct File {
    path: PathBuf,
    genesis: H256,
    /// `None` after an error of the disk: the next call opens the file again.
    database: Mutex<Option<Arc<Database>>>,
    probe: Option<Probe>,
}

impl Journal {
    /// Opens the journal of the chain with this genesis; makes a new one if there is no file.
    ///
    /// A file that is damaged, of another chain or of a newer program is an error and stays as it is.
    pub fn open(path: &Path, genesis: H256) -> Result<Self, JournalError> {
        Self::open_probed(path, genesis, None)
    }

    /// The same, with a probe.
    #[doc(hidden)]
    pub fn open_probed(
        path: &Path,
        genesis: H256,
        probe: Option<Probe>,
    ) -> Result<Self, JournalError> {
        if !path.exists() {
            file::create(path, genesis)?;
        }
        let database = file::open(path, genesis)?;
        let file = Arc::new(File {
            path: path.into(),
            genesis,
            database: Mutex::new(Some(Arc::new(database))),
            probe,
        });
        let (jobs, queue) = mpsc::channel();
        let writer = std::thread::Builder::new()
            .name("journal".into())
            .spawn({
                let file = file.clone();
                move || file.write_jobs(queue)
            })
            .map_err(|e| JournalError::io(path, &e))?;
        Ok(Self {
            file,
            jobs: Some(jobs),
            writer: Some(writer),
        })
    }

    /// Gives out the next number of the gateway's stream, lets `build` make and sign the receipt, and returns it once it is
    /// durable. If anything fails, the number is given to the next receipt.
    ///
    /// `head` is the chain's view of the gateway; if the chain is ahead of the journal, a new stream is opened first.
    pub fn append(
        &self,
        gateway: &NodeId,
        head: StreamHead,
        build: impl FnOnce(u32, u64) -> Result<Receipt, String> + Send + 'static,
    ) -> Result<Receipt, JournalError> {
        let (reply, answer) = mpsc::sync_channel(1);
        let job = Job {
            gateway: gateway.clone(),
            head,
            build: Box::new(build),
            reply,
        };
        let stopped = || JournalError::Io {
            path: self.file.path.clone(),
            reason: "the writing thread has ended".into(),
        };
        self.jobs
            .as_ref()
            .ok_or_else(stopped)?
            .send(job)
            .map_err(|_| stopped())?;
        answer.recv().map_err(|_| stopped())?
    }

    /// Makes `stream` the one that the gateway goes on in. Nothing happens if it is not newer than the current one.
    pub fn open_stream(&self, gateway: &NodeId, stream: u32) -> Result<(), JournalError> {
        self.file.write(
            ["open stream: stored", "open stream: durable"],
            |transaction| {
                let mut streams = transaction.open_table(STREAMS)?;
                let newer = newest(&streams, gateway)?.is_none_or(|own| own.stream < stream);
                if newer {
                    streams.insert(&stream_key(gateway, stream), (0, 0))?;
                }
                Ok(())
            },
        )
    }

    /// The gateway's streams in ascending order.
    pub fn streams(&self, gateway: &NodeId) -> Result<Vec<Stream>, JournalError> {
        self.file
            .read(|transaction| streams(&transaction.open_table(STREAMS)?, gateway))
    }

    /// The receipt of this id.
    pub fn receipt(&self, id: &H256) -> Result<Option<Receipt>, JournalError> {
        self.file.read(|transaction| {
            let Some(key) = transaction.open_table(IDS)?.get(&id.0)? else {
                return Ok(None);
            };
            match transaction.open_table(RECEIPTS)?.get(key.value())? {
                Some(record) => Ok(Some(decode_record(record.value()).map_err(damaged)?.1)),
                None => Err(damaged(format!(
                    "receipt {id:?} is in the index and nowhere else"
                ))),
            }
        })
    }

    /// The receipt of this number.
    pub fn receipt_at(
        &self,
        gateway: &NodeId,
        stream: u32,
        sequence: u64,
    ) -> Result<Option<Receipt>, JournalError> {
        self.file.read(|transaction| {
            let receipts = transaction.open_table(RECEIPTS)?;
            match receipts.get(&receipt_key(gateway, stream, sequence))? {
                Some(record) => Ok(Some(decode_record(record.value()).map_err(damaged)?.1)),
                None => Ok(None),
            }
        })
    }

    /// When the receipt of this number was answered.
    pub fn answered_at(
        &self,
        gateway: &NodeId,
        stream: u32,
        sequence: u64,
    ) -> Result<Option<Moment>, JournalError> {
        let receipt = self.receipt_at(gateway, stream, sequence)?;
        Ok(receipt.map(|receipt| receipt.wrapper().answered_at))
    }

    /// Ids from `first` to `last`; `None` if not all of them are held.
    pub fn ids(
        &self,
        gateway: &NodeId,
        stream: u32,
        first: u64,
        last: u64,
    ) -> Result<Option<Vec<H256>>, JournalError> {
        let records = self.file.read(|transaction| {
            records(
                &transaction.open_table(RECEIPTS)?,
                gateway,
                stream,
                first,
                last,
                |record| Ok(decode_id(record)?.0),
            )
        })?;
        Ok(complete(records, first, last))
    }

    /// Receipts from `first` on, up to `last` or to where the routing policy changes; `None` if not all of them are held.
    pub fn batch(
        &self,
        gateway: &NodeId,
        stream: u32,
        first: u64,
        last: u64,
    ) -> Result<Option<Batch>, JournalError> {
        let records = self.file.read(|transaction| {
            records(
                &transaction.open_table(RECEIPTS)?,
                gateway,
                stream,
                first,
                last,
                |record| {
                    let (id, receipt) = decode_record(record)?;
                    Ok((id, receipt.wrapper().body.policy_version))
                },
            )
        })?;
        let Some(records) = complete(records, first, last) else {
            return Ok(None);
        };
        let Some(&(_, policy_version)) = records.first() else {
            return Ok(None);
        };
        let ids: Vec<H256> = records
            .iter()
            .take_while(|(_, policy)| *policy == policy_version)
            .map(|(id, _)| *id)
            .collect();
        let last = first + ids.len() as u64 - 1;
        Ok(Some(Batch {
            ids,
            last,
            policy_version,
        }))
    }

    /// Proof that the receipt `sequence` is in the batch from `first` to `last`; `None` if not all of the batch is held.
    pub fn proof(
        &self,
        gateway: &NodeId,
        stream: u32,
        first: u64,
        last: u64,
        sequence: u64,
    ) -> Result<Option<Proof>, JournalError> {
        let Some(ids) = self.ids(gateway, stream, first, last)? else {
            return Ok(None);
        };
        let index = sequence
            .checked_sub(first)
            .and_then(|index| u32::try_from(index).ok());
        Ok(index.and_then(|index| merkle::prove(&ids, index)))
    }

    /// How many receipts the chain with this head lacks.
    pub fn unanchored(&self, gateway: &NodeId, head: StreamHead) -> Result<u64, JournalError> {
        let waiting = |own: &Stream| match own.stream.cmp(&head.stream) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => own.next.saturating_sub(own.oldest.max(head.next)),
            std::cmp::Ordering::Greater => own.next - own.oldest,
        };
        Ok(self.streams(gateway)?.iter().map(waiting).sum())
    }

    /// Removes receipts that were answered before `before` and that the finalised head has passed; returns how many.
    pub fn prune(
        &self,
        gateway: &NodeId,
        finalized: StreamHead,
        before: Moment,
    ) -> Result<u64, JournalError> {
        self.file
            .write(["prune: stored", "prune: durable"], |transaction| {
                let mut streams = transaction.open_table(STREAMS)?;
                let mut receipts = transaction.open_table(RECEIPTS)?;
                let mut ids = transaction.open_table(IDS)?;
                let mut pruned = 0;
                for own in self::streams(&streams, gateway)? {
                    let end = match own.stream.cmp(&finalized.stream) {
                        std::cmp::Ordering::Less => own.next,
                        std::cmp::Ordering::Equal => own.next.min(finalized.next),
                        std::cmp::Ordering::Greater => break,
                    };
                    let mut oldest = own.oldest;
                    while oldest < end && pruned < MAX_PRUNED as u64 {
                        let key = receipt_key(gateway, own.stream, oldest);
                        let (id, receipt) = match receipts.get(&key)? {
                            Some(record) => decode_record(record.value()).map_err(damaged)?,
                            None => return Err(damaged(format!("receipt {oldest} is missing"))),
                        };
                        if receipt.wrapper().answered_at >= before {
                            break;
                        }
                        receipts.remove(&key)?;
                        ids.remove(&id.0)?;
                        oldest += 1;
                        pruned += 1;
                    }
                    if oldest != own.oldest {
                        streams.insert(&stream_key(gateway, own.stream), (oldest, own.next))?;
                    }
                }
                Ok(pruned)
            })
    }

    /// Reads everything and checks that it fits together.
    pub fn check(&self) -> Result<Summary, JournalError> {
        self.file.read(check)
    }

    /// Writes a consistent copy to `to`, which must not exist, while the journal is in use.
    ///
    /// Whoever starts a node on the copy goes on in new streams: the copy cannot know what was given out after it was made.
    pub fn backup(&self, to: &Path) -> Result<(), JournalError> {
        let database = self.file.database()?;
        let transaction = database
            .begin_read()
            .map_err(|e| JournalError::of(&self.file.path, e.into()))?;
        file::copy(&self.file.path, &transaction, to)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Tells the probe that a step is reached.
    pub(crate) fn probe(&self, step: &'static str) {
        self.file.probe(step);
    }
}

impl Drop for Journal {
    /// Waits until everything that was asked for is written and the file is closed.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl File {
    fn probe(&self, step: &'static str) {
        if let Some(probe) = &self.probe {
            probe(step);
        }
    }

    /// The database, opened again if the disk failed before.
    fn database(&self) -> Result<Arc<Database>, JournalError> {
        let mut slot = self.database.lock();
        if let Some(database) = &*slot {
            return Ok(database.clone());
        }
        let database = Arc::new(file::open(&self.path, self.genesis)?);
        *slot = Some(database.clone());
        Ok(database)
    }

    /// After an error of the disk the library refuses everything until the file is opened again.
    fn fail(&self, error: redb::Error) -> JournalError {
        let disk = matches!(
            error,
            redb::Error::Io(_) | redb::Error::PreviousIo | redb::Error::LockPoisoned(_)
        );
        let error = JournalError::of(&self.path, error);
        if disk {
            log::error!(target: "journal", "{error}");
            *self.database.lock() = None;
        }
        error
    }

    fn read<T>(
        &self,
        f: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, JournalError> {
        let database = self.database()?;
        let result = database
            .begin_read()
            .map_err(redb::Error::from)
            .and_then(|t| f(&t));
        result.map_err(|e| self.fail(e))
    }

    fn write<T>(
        &self,
        [stored, durable]: [&'static str; 2],
        f: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, JournalError> {
        let database = self.database()?;
        let result = (|| -> Result<T, redb::Error> {
            let transaction = database.begin_write()?;
            let value = f(&transaction)?;
            self.probe(stored);
            // Durable when it returns: that is the library's default, and what the journal is for.
            transaction.commit()?;
            self.probe(durable);
            Ok(value)
        })();
        result.map_err(|e| self.fail(e))
    }

    fn write_jobs(&self, queue: mpsc::Receiver<Job>) {
        while let Ok(job) = queue.recv() {
            let mut jobs = vec![job];
            jobs.extend(queue.try_iter().take(MAX_GROUP - 1));
            let (replies, jobs): (Vec<_>, Vec<_>) = jobs
                .into_iter()
                .map(|job| (job.reply, (job.gateway, job.head, job.build)))
                .unzip();
            let written = self.write(["append: stored", "append: durable"], |transaction| {
                jobs.into_iter()
                    .map(|(gateway, head, build)| self.append(transaction, &gateway, head, build))
                    .collect::<Result<Vec<_>, redb::Error>>()
            });
            match written {
                // A client that went away meanwhile does not listen any more; its receipt is kept all the same.
                Ok(made) => replies.into_iter().zip(made).for_each(|(reply, receipt)| {
                    let _ = reply.send(receipt);
                }),
                Err(error) => replies.into_iter().for_each(|reply| {
                    let _ = reply.send(Err(error.clone()));
                }),
            }
        }
    }

    /// One receipt within a transaction. The inner error is that of the builder: only this receipt fails then.
    fn append(
        &self,
        transaction: &WriteTransaction,
        gateway: &NodeId,
        head: StreamHead,
        build: Build,
    ) -> Result<Result<Receipt, JournalError>, redb::Error> {
        let mut streams = transaction.open_table(STREAMS)?;
        let newest = newest(&streams, gateway)?;
        let opened = crate::anchorer::must_open(head, newest.as_ref());
        if let (Some(stream), true) = (opened, head != StreamHead::default()) {
            log::warn!(
                target: "journal",
                "the chain has receipts that this journal never gave out (it was lost or restored); going on in stream {stream}"
            );
        }
        let own = match (opened, newest) {
            (Some(stream), _) => Stream {
                stream,
                oldest: 0,
                next: 0,
            },
            (None, Some(own)) => own,
            (None, None) => return Err(damaged("a gateway has no stream".into())),
        };
        self.probe("append: begun");
        let built = catch_unwind(AssertUnwindSafe(|| build(own.stream, own.next)))
            .unwrap_or_else(|_| Err("making the receipt panicked".into()));
        let receipt = match built {
            Ok(receipt) => receipt,
            Err(reason) => return Ok(Err(JournalError::NotBuilt(reason))),
        };
        let wrapper = receipt.wrapper();
        let placed = (&wrapper.gateway, wrapper.stream, wrapper.sequence);
        if placed != (gateway, own.stream, own.next) || wrapper.genesis != self.genesis {
            let reason = "the receipt was made for another chain, gateway or number".into();
            return Ok(Err(JournalError::NotBuilt(reason)));
        }
        self.probe("append: signed");
        let (id, key) = (receipt.id(), receipt_key(gateway, own.stream, own.next));
        transaction
            .open_table(RECEIPTS)?
            .insert(&key, encode_record(&id, &receipt).as_slice())?;
        transaction.open_table(IDS)?.insert(&id.0, &key)?;
        streams.insert(&stream_key(gateway, own.stream), (own.oldest, own.next + 1))?;
        Ok(Ok(receipt))
    }
}

/// Checks a journal without opening it for writing; also while a node uses it.
pub fn inspect(path: &Path) -> Result<Summary, JournalError> {
    file::read_only(path, check)
}

/// Copies a journal without opening it for writing; also while a node uses it. See [`Journal::backup`].
pub fn backup(from: &Path, to: &Path) -> Result<(), JournalError> {
    file::read_only(from, |transaction| Ok(file::copy(from, transaction, to)))?
}

fn damaged(reason: String) -> redb::Error {
    redb::Error::Corrupted(reason)
}

/// A record: the id, then the receipt.
fn encode_record(id: &H256, receipt: &Receipt) -> Vec<u8> {
    let mut record = id.0.to_vec();
    receipt.encode_to(&mut record);
    record
}

fn decode_id(record: &[u8]) -> Result<(H256, &[u8]), String> {
    match record.split_first_chunk::<32>() {
        Some((id, rest)) => Ok((H256(*id), rest)),
        None => Err(format!("a record of {} bytes", record.len())),
    }
}

/// The receipt of a record; or why the record is damaged.
pub fn decode_record(record: &[u8]) -> Result<(H256, Receipt), String> {
    let (id, mut rest) = decode_id(record)?;
    let receipt = Receipt::decode_all(&mut rest).map_err(|e| format!("receipt {id:?}: {e}"))?;
    if receipt.id() != id {
        return Err(format!("the record of {id:?} holds {:?}", receipt.id()));
    }
    Ok((id, receipt))
}

fn records<T>(
    receipts: &impl ReadableTable<&'static [u8; 44], &'static [u8]>,
    gateway: &NodeId,
    stream: u32,
    first: u64,
    last: u64,
    read: impl Fn(&[u8]) -> Result<T, String>,
) -> Result<Vec<T>, redb::Error> {
    let (from, to) = (
        receipt_key(gateway, stream, first),
        receipt_key(gateway, stream, last),
    );
    if from > to {
        return Ok(Vec::new());
    }
    let mut out = Vec::new();
    for entry in receipts.range::<&[u8; 44]>(&from..=&to)? {
        out.push(read(entry?.1.value()).map_err(damaged)?);
    }
    Ok(out)
}

fn complete<T>(records: Vec<T>, first: u64, last: u64) -> Option<Vec<T>> {
    let expected = last.checked_sub(first)?.checked_add(1)?;
    (records.len() as u64 == expected).then_some(records)
}

type StreamTable = &'static [u8; 36];

fn streams(
    table: &impl ReadableTable<StreamTable, (u64, u64)>,
    gateway: &NodeId,
) -> Result<Vec<Stream>, redb::Error> {
    let (from, to) = (stream_key(gateway, 0), stream_key(gateway, u32::MAX));
    let mut out = Vec::new();
    for entry in table.range::<&[u8; 36]>(&from..=&to)? {
        let (key, value) = entry?;
        let (oldest, next) = value.value();
        out.push(Stream {
            stream: file::stream_of(key.value()).1,
            oldest,
            next,
        });
    }
    Ok(out)
}

fn newest(
    table: &impl ReadableTable<StreamTable, (u64, u64)>,
    gateway: &NodeId,
) -> Result<Option<Stream>, redb::Error> {
    Ok(streams(table, gateway)?.pop())
}

fn check(transaction: &ReadTransaction) -> Result<Summary, redb::Error> {
    let (receipts, ids) = (
        transaction.open_table(RECEIPTS)?,
        transaction.open_table(IDS)?,
    );
    let mut summary = Summary::default();
    for entry in transaction.open_table(STREAMS)?.iter()? {
        let (key, value) = entry?;
        let (gateway, stream) = file::stream_of(key.value());
        let (oldest, next) = value.value();
        if oldest > next {
            return Err(damaged(format!("stream {stream} begins after its end")));
        }
        for sequence in oldest..next {
            let key = receipt_key(&gateway, stream, sequence);
            let missing = || damaged(format!("receipt {sequence} of stream {stream} is missing"));
            let record = receipts.get(&key)?.ok_or_else(missing)?;
            let (id, receipt) = decode_record(record.value()).map_err(damaged)?;
            let wrapper = receipt.wrapper();
            if (&wrapper.gateway, wrapper.stream, wrapper.sequence) != (&gateway, stream, sequence)
            {
                return Err(damaged(format!("receipt {id:?} stands in the wrong place")));
            }
            if ids.get(&id.0)?.map(|key| *key.value()) != Some(key) {
                return Err(damaged(format!("receipt {id:?} is not in the index")));
            }
            summary.receipts += 1;
        }
        summary.streams.push((
            gateway,
            Stream {
                stream,
                oldest,
                next,
            },
        ));
    }
    let (held, indexed) = (receipts.len()?, ids.len()?);
    if held != summary.receipts || indexed != summary.receipts {
        return Err(damaged(format!(
            "{} receipts in streams, {held} stored, {indexed} in the index",
            summary.receipts
        )));
    }
    summary.rounds = rounds::check(transaction)?;
    Ok(summary)
}

#[cfg(test)]
mod tests;
