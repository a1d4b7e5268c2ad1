//! The file: tables, keys, creating, opening, copying.

use super::{FORMAT, JournalError};
use redb::{
    Builder, ConcurrencyMode, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable,
    TableDefinition,
};
use std::{
    fs::{self, OpenOptions},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};
use touchstone_primitives::{H256, NodeId};

pub(super) use redb::Database;

/// `format`, `genesis`, and `copy` if this is a backup that no node was started on yet.
pub(super) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
/// Gateway and stream: oldest sequence that is held, next sequence.
pub(super) const STREAMS: TableDefinition<&[u8; 36], (u64, u64)> = TableDefinition::new("streams");
/// Gateway, stream and sequence: id and receipt.
pub(super) const RECEIPTS: TableDefinition<&[u8; 44], &[u8]> = TableDefinition::new("receipts");
/// Id: where the receipt stands.
pub(super) const IDS: TableDefinition<&[u8; 32], &[u8; 44]> = TableDefinition::new("ids");

/// Node and round: what the node answers there ([`super::rounds`]).
pub(super) const ROUNDS: TableDefinition<&[u8; 36], &[u8]> = TableDefinition::new("rounds");

/// Seal of a canary's task: what the canary hides, encrypted ([`super::kept`]).
pub(super) const KEPT: TableDefinition<&[u8; 32], &[u8]> = TableDefinition::new("kept");

/// Auditor and epoch: what it asked in a blind audit ([`super::audits`]).
pub(super) const AUDITS: TableDefinition<&[u8; 36], &[u8]> = TableDefinition::new("audits");

/// Memory for pages; appending touches only the newest ones.
const CACHE_BYTES: usize = 16 << 20;

/// Big-endian, so that keys sort by number.
pub(super) fn receipt_key(gateway: &NodeId, stream: u32, sequence: u64) -> [u8; 44] {
    let mut key = [0; 44];
    key[..36].copy_from_slice(&stream_key(gateway, stream));
    key[36..].copy_from_slice(&sequence.to_be_bytes());
    key
}

pub(super) fn stream_key(gateway: &NodeId, stream: u32) -> [u8; 36] {
    let mut key = [0; 36];
    key[..32].copy_from_slice(gateway.as_ref());
    key[32..].copy_from_slice(&stream.to_be_bytes());
    key
}

pub(super) fn stream_of(key: &[u8; 36]) -> (NodeId, u32) {
    let (mut gateway, mut stream) = ([0; 32], [0; 4]);
    gateway.copy_from_slice(&key[..32]);
    stream.copy_from_slice(&key[32..]);
    (NodeId::new(gateway), u32::from_be_bytes(stream))
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .set_cache_size(CACHE_BYTES)
        // `doctor` may read beside the node.
        .set_concurrency_mode(ConcurrencyMode::SingleWriter);
    builder
}

/// Makes a new journal. It appears under its name only when it is complete, so that a crash leaves none or a whole one.
pub(super) fn create(path: &Path, genesis: H256) -> Result<(), JournalError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|e| JournalError::io(path, &e))?;
    }
    write_new(path, |transaction| {
        transaction.open_table(STREAMS)?;
        transaction.open_table(RECEIPTS)?;
        transaction.open_table(IDS)?;
        transaction.open_table(ROUNDS)?;
        transaction.open_table(KEPT)?;
        transaction.open_table(AUDITS)?;
        let mut meta = transaction.open_table(META)?;
        meta.insert("format", FORMAT.to_le_bytes().as_slice())?;
        meta.insert("genesis", genesis.as_bytes())?;
        Ok(())
    })
}

fn write_new(
    path: &Path,
    fill: impl FnOnce(&redb::WriteTransaction) -> Result<(), redb::Error>,
) -> Result<(), JournalError> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    let io = |e: std::io::Error| JournalError::io(path, &e);
    match fs::remove_file(&unfinished) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io(e)),
        _ => {}
    }
    let fail = |e: redb::Error| JournalError::of(path, e);
    let database = builder().create(&unfinished).map_err(|e| fail(e.into()))?;
    let transaction = database.begin_write().map_err(|e| fail(e.into()))?;
    fill(&transaction).map_err(fail)?;
    transaction.commit().map_err(|e| fail(e.into()))?;
    database.close().map_err(|e| fail(e.into()))?;
    OpenOptions::new()
        .write(true)
        .open(&unfinished)
        .and_then(|f| f.sync_all())
        .map_err(io)?;
    fs::rename(&unfinished, path).map_err(io)?;
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    OpenOptions::new()
        .read(true)
        .open(folder)
        .and_then(|f| f.sync_all())
        .map_err(io)
}

/// Opens a journal for writing and checks all of its pages.
pub(super) fn open(path: &Path, genesis: H256) -> Result<Database, JournalError> {
    let size = fs::metadata(path)
        .map_err(|e| JournalError::io(path, &e))?
        .len();
    if size == 0 {
        // The library would take it for a new file.
        let reason = "it is empty".into();
        return Err(JournalError::Damaged {
            path: path.into(),
            reason,
        });
    }
    let database = guarded(path, || {
        Ok(builder().set_check_integrity_on_open(true).open(path)?)
    })?;
    guarded(path, || {
        let transaction = database.begin_read()?;
        Ok(check_meta(path, &transaction, Some(genesis)))
    })??;
    guarded(path, || add_later_tables(&database))?;
    guarded(path, || leave_old_streams(&database))?;
    Ok(database)
}

/// Journals of older programs lack tables.
fn add_later_tables(database: &Database) -> Result<(), redb::Error> {
    let read = database.begin_read()?;
    if later(&read, ROUNDS)?.is_none()
        || later(&read, KEPT)?.is_none()
        || later(&read, AUDITS)?.is_none()
    {
        let transaction = database.begin_write()?;
        transaction.open_table(ROUNDS)?;
        transaction.open_table(KEPT)?;
        transaction.open_table(AUDITS)?;
        transaction.commit()?;
    }
    Ok(())
}

/// A table that older programs did not make; `None` in a journal that no newer one has opened for writing yet.
pub(super) fn later<K: redb::Key + 'static, V: redb::Value + 'static>(
    transaction: &ReadTransaction,
    table: TableDefinition<K, V>,
) -> Result<Option<ReadOnlyTable<K, V>>, redb::Error> {
    match transaction.open_table(table) {
        Ok(table) => Ok(Some(table)),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The library checks what it reads, but not everything: a panic over a damaged file is a damaged file.
fn guarded<T>(path: &Path, f: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, JournalError> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(result) => result.map_err(|e| JournalError::of(path, e)),
        Err(_) => Err(JournalError::Damaged {
            path: path.into(),
            reason: "its pages do not fit together".into(),
        }),
    }
}

fn check_meta(
    path: &Path,
    transaction: &ReadTransaction,
    genesis: Option<H256>,
) -> Result<(), JournalError> {
    let fail = |e: redb::Error| JournalError::of(path, e);
    let meta = transaction.open_table(META).map_err(|e| fail(e.into()))?;
    let value = |name: &str| -> Result<Vec<u8>, JournalError> {
        match meta.get(name).map_err(|e| fail(e.into()))? {
            Some(value) => Ok(value.value().to_vec()),
            None => Err(fail(redb::Error::Corrupted(format!(
                "it does not say its {name}"
            )))),
        }
    };
    let format = value("format")?;
    let format = format
        .as_slice()
        .try_into()
        .map(u32::from_le_bytes)
        .unwrap_or(u32::MAX);
    if format != FORMAT {
        return Err(JournalError::NewerFormat {
            path: path.into(),
            found: format.to_string(),
        });
    }
    let found = value("genesis")?;
    match genesis {
        Some(expected) if found != expected.as_bytes() => Err(JournalError::OtherChain {
            path: path.into(),
            found: format!("0x{}", hex::encode(found)),
            expected: format!("{expected:?}"),
        }),
        _ => Ok(()),
    }
}

/// A node that starts on a backup goes on in new streams.
fn leave_old_streams(database: &Database) -> Result<(), redb::Error> {
    let is_copy = database
        .begin_read()?
        .open_table(META)?
        .get("copy")?
        .is_some();
    if !is_copy {
        return Ok(());
    }
    let transaction = database.begin_write()?;
    {
        let mut streams = transaction.open_table(STREAMS)?;
        let mut newest = std::collections::BTreeMap::new();
        for entry in streams.iter()? {
            let (gateway, stream) = stream_of(entry?.0.value());
            newest.insert(gateway, stream);
        }
        for (gateway, stream) in newest {
            streams.insert(&stream_key(&gateway, stream.saturating_add(1)), (0, 0))?;
        }
        transaction.open_table(META)?.remove("copy")?;
    }
    transaction.commit()?;
    log::warn!(target: "journal", "this journal was restored from a copy: going on in new streams");
    Ok(())
}

/// Reads a journal that somebody else may be writing to.
pub(super) fn read_only<T>(
    path: &Path,
    f: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
) -> Result<T, JournalError> {
    let size = fs::metadata(path)
        .map_err(|e| JournalError::io(path, &e))?
        .len();
    if size == 0 {
        let reason = "it is empty".into();
        return Err(JournalError::Damaged {
            path: path.into(),
            reason,
        });
    }
    guarded(path, || {
        let database: Box<dyn ReadableDatabase> = match builder().open_read_only(path) {
            Ok(database) => Box::new(database),
            // The node was killed; opening for writing puts the file in order, which nobody else can be doing now.
            Err(redb::DatabaseError::RepairAborted) => Box::new(builder().open(path)?),
            Err(e) => return Err(e.into()),
        };
        let transaction = database.begin_read()?;
        if let Err(error) = check_meta(path, &transaction, None) {
            return Ok(Err(error));
        }
        Ok(Ok(f(&transaction)?))
    })?
}

/// Writes what the transaction sees to a new file.
pub(super) fn copy(
    from: &Path,
    transaction: &ReadTransaction,
    to: &Path,
) -> Result<(), JournalError> {
    if to.exists() {
        return Err(JournalError::TargetExists { path: to.into() });
    }
    // Told apart, so that a failure to read is not taken for one to write.
    let mut unreadable = None;
    let written = write_new(to, |target| {
        let read = (|| -> Result<(), redb::Error> {
            macro_rules! copy_tables {
				($($table:expr),*) => {$({
					let (source, mut target) =
						(transaction.open_table($table)?, target.open_table($table)?);
					for entry in source.iter()? {
						let (key, value) = entry?;
						target.insert(key.value(), value.value())?;
					}
				})*};
			}
            copy_tables!(META, STREAMS, RECEIPTS, IDS);
            macro_rules! copy_later_tables {
				($($table:expr),*) => {$({
					let mut target = target.open_table($table)?;
					if let Some(source) = later(transaction, $table)? {
						for entry in source.iter()? {
							let (key, value) = entry?;
							target.insert(key.value(), value.value())?;
						}
					}
				})*};
			}
            copy_later_tables!(ROUNDS, KEPT, AUDITS);
            target.open_table(META)?.insert("copy", [1].as_slice())?;
            Ok(())
        })();
        if let Err(redb::Error::Corrupted(reason)) = &read {
            unreadable = Some(JournalError::Damaged {
                path: from.into(),
                reason: reason.clone(),
            });
        }
        read
    });
    match unreadable {
        Some(error) => Err(error),
        None => written,
    }
}
