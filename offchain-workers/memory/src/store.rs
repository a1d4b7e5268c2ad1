//! The file, and how a batch of writes gets into it.
//!
//! Everything of one batch (fragments, full text, vectors, tree, log, version) is one SQLite transaction, synced before `commit` returns. A
//! crash at any point leaves the version before or the one after. Deleting overwrites: SQLite's `secure_delete` and that of its full-text
//! index are on, and the write-ahead log is emptied after each batch that deletes.

use crate::{
    Change, MemoryError,
    change::{Chain, ensure, validate},
    seal::{OVERHEAD, Seal, place},
    search::Index,
    tree::{Cache, Stored, advance, anchored, held, lines, prune, state, versions},
};
use codec::{DecodeAll, Encode};
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};
use touchstone_primitives::{
    H256,
    memory::{
        Commit, Fragment, Key, MAX_NAMESPACE_NAME, NamespaceId, State, Value, Write,
        answer::Opened, batch_root, namespace_id, tree::EMPTY,
    },
    tagged_hash,
};

/// Version of the layout.
const FORMAT: i64 = 1;
/// Bytes of a salt.
const SALT: usize = 32;

const SCHEMA: &str = "
CREATE TABLE namespaces (
	id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE, sealed BLOB,
	version INTEGER NOT NULL, count INTEGER NOT NULL, tree BLOB NOT NULL, bytes INTEGER NOT NULL);
CREATE TABLE versions (
	ns INTEGER NOT NULL, version INTEGER NOT NULL, count INTEGER NOT NULL, tree BLOB NOT NULL, batch BLOB NOT NULL, block BLOB,
	pinned INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (ns, version)) WITHOUT ROWID;
CREATE TABLE fragments (
	id INTEGER PRIMARY KEY, ns INTEGER NOT NULL, key BLOB NOT NULL, fragment BLOB NOT NULL, value BLOB NOT NULL, body BLOB NOT NULL,
	digest BLOB, vector BLOB, UNIQUE (ns, key));
CREATE INDEX by_digest ON fragments (ns, digest);
CREATE INDEX unembedded ON fragments (ns) WHERE vector IS NULL;
CREATE TABLE nodes (hash BLOB PRIMARY KEY, ns INTEGER NOT NULL, version INTEGER NOT NULL, node BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX by_version ON nodes (ns, version);
CREATE TABLE stale (ns INTEGER NOT NULL, version INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (ns, version, hash)) WITHOUT ROWID;
CREATE INDEX stale_by_hash ON stale (hash);
CREATE TABLE log (ns INTEGER NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL, hash BLOB NOT NULL, entry BLOB NOT NULL,
	PRIMARY KEY (ns, version, at), UNIQUE (ns, hash)) WITHOUT ROWID;
CREATE TABLE staged_log (ns INTEGER NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL, entry BLOB NOT NULL,
	PRIMARY KEY (ns, version, at)) WITHOUT ROWID;
CREATE TABLE staged_values (ns INTEGER NOT NULL, key BLOB NOT NULL, value BLOB, awaited INTEGER NOT NULL, PRIMARY KEY (ns, key)) WITHOUT ROWID;
CREATE INDEX awaited ON staged_values (ns) WHERE awaited = 1;
CREATE TABLE staged (ns INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, fragment BLOB NOT NULL, body BLOB NOT NULL, vector BLOB,
	PRIMARY KEY (ns, key));
CREATE TABLE conflicts (ns INTEGER NOT NULL, hash BLOB NOT NULL, entry BLOB NOT NULL, content BLOB, PRIMARY KEY (ns, hash));
";

/// Tables that hold rows of a namespace.
const TABLES: [&str; 9] = [
    "versions",
    "fragments",
    "nodes",
    "stale",
    "log",
    "staged_log",
    "staged_values",
    "staged",
    "conflicts",
];

/// The full-text index of all namespaces that are not sealed.
pub(crate) const TEXTS: &str = "
CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5 (title, text, ns UNINDEXED, tokenize = 'porter unicode61');
INSERT INTO texts (texts, rank) VALUES ('secure-delete', 1);
INSERT INTO texts (texts, rank) VALUES ('rank', 'bm25(4.0, 1.0)');
";

/// Called with the name of each step of a change; tests stop the process there.
pub type Probe = Arc<dyn Fn(&'static str) + Send + Sync>;

/// A namespace, as this node holds it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Held {
    /// Its name.
    pub name: String,
    /// Its newest state.
    pub state: State,
    /// Bytes of its fragments' canonical encodings.
    pub bytes: u64,
    /// Fragments that have a vector, and so are found by meaning too.
    pub vectors: u64,
    /// Whether it is encrypted at rest.
    pub sealed: bool,
    /// Whether this node can read it now.
    pub readable: bool,
    /// Newest version that a block anchors, and that block.
    pub anchored: Option<(u64, H256)>,
    /// Writes that lost against others ([`Store::conflicts`]).
    pub conflicts: u64,
}

/// A version of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Version {
    /// Its state.
    pub state: State,
    /// Merkle root over the writes that led to it.
    pub batch: H256,
    /// Block that anchors its root; absent while it waits for that.
    pub block: Option<H256>,
}

/// The store of a node: one file.
pub struct Store {
    pub(crate) file: PathBuf,
    pub(crate) inner: Mutex<Inner>,
    probe: Option<Probe>,
}

pub(crate) struct Inner {
    pub(crate) db: Connection,
    pub(crate) seals: HashMap<NamespaceId, Seal>,
    pub(crate) indexes: HashMap<NamespaceId, Index>,
    pub(crate) cache: Cache,
}

#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) sealed: Option<Vec<u8>>,
    pub(crate) state: State,
    pub(crate) bytes: u64,
}

impl Row {
    /// Bytes of the canonical encoding of the fragment in a body of this length.
    pub(crate) fn size(&self, body: usize) -> u64 {
        let around = if self.sealed.is_some() {
            SALT + OVERHEAD
        } else {
            SALT
        };
        body.saturating_sub(around) as u64
    }
}

pub(crate) fn hash(bytes: Vec<u8>) -> Result<H256, rusqlite::Error> {
    let bytes = <[u8; 32]>::try_from(bytes.as_slice());
    bytes.map(H256).map_err(|_| {
        rusqlite::Error::InvalidColumnType(0, "hash".into(), rusqlite::types::Type::Blob)
    })
}

pub(crate) fn column(row: &rusqlite::Row<'_>, at: usize) -> Result<H256, rusqlite::Error> {
    hash(row.get(at)?)
}

pub(crate) fn row(db: &Connection, namespace: &NamespaceId) -> Result<Row, MemoryError> {
    let mut query = db.prepare_cached(
        "SELECT id, name, sealed, version, count, tree, bytes FROM namespaces WHERE hash = ?",
    )?;
    let found = query
        .query_row([namespace.as_bytes()], |row| {
            Ok(Row {
                id: row.get(0)?,
                name: row.get(1)?,
                sealed: row.get(2)?,
                state: State {
                    namespace: *namespace,
                    version: row.get::<_, i64>(3)? as u64,
                    count: row.get::<_, i64>(4)? as u64,
                    tree: column(row, 5)?,
                },
                bytes: row.get::<_, i64>(6)? as u64,
            })
        })
        .optional()?;
    found.ok_or_else(|| MemoryError::UnknownNamespace(format!("{namespace:?}")))
}

/// What a text is recognised by. Of a sealed namespace only the key's holder can compute it.
pub fn digest(key: Option<&[u8; 32]>, namespace: &NamespaceId, text: &str) -> H256 {
    digest_of(key.map(Seal::new).as_ref(), namespace, text)
}

pub(crate) fn digest_of(seal: Option<&Seal>, namespace: &NamespaceId, text: &str) -> H256 {
    let secret = seal.map(Seal::digest_key).unwrap_or_default();
    tagged_hash(
        "touchstone/memory/digest/1",
        &[secret.as_bytes(), namespace.as_bytes(), text.as_bytes()],
    )
}

/// Salt and fragment of a record.
pub(crate) fn open_body(
    seal: Option<&Seal>,
    namespace: &NamespaceId,
    key: &Key,
    body: &[u8],
) -> Result<(H256, Fragment), MemoryError> {
    let opened = match seal {
        Some(seal) => &seal.open(&place(namespace, key, "body"), body)?,
        None => body,
    };
    <(H256, Fragment)>::decode_all(&mut &*opened)
        .map_err(|e| MemoryError::Corrupt(format!("fragment {key:?}: {e}")))
}

/// The seal of a namespace if it has one, or why it cannot be read.
pub(crate) fn seal_of<'a>(
    seals: &'a HashMap<NamespaceId, Seal>,
    row: &Row,
) -> Result<Option<&'a Seal>, MemoryError> {
    match (&row.sealed, seals.get(&row.state.namespace)) {
        (None, _) => Ok(None),
        (Some(_), Some(seal)) => Ok(Some(seal)),
        (Some(_), None) => Err(MemoryError::Locked),
    }
}

/// A fragment as the file has it.
pub(crate) struct Record {
    pub(crate) key: Key,
    pub(crate) id: H256,
    pub(crate) value: Value,
    pub(crate) body: Vec<u8>,
    pub(crate) vector: Option<Vec<u8>>,
}

impl Record {
    fn of(
        change: &Change,
        seal: Option<&Seal>,
        namespace: &NamespaceId,
    ) -> Result<Option<Self>, MemoryError> {
        let (Some(Opened { id, salt, fragment }), Some(value)) =
            (&change.content, &change.write.value)
        else {
            return Ok(None);
        };
        let key = change.write.key;
        let mut body = (salt, fragment).encode();
        if let Some(seal) = seal {
            body = seal.seal(&place(namespace, &key, "body"), &body)?;
        }
        let vector = change.vector.as_deref();
        let vector = vector.map(|vector| packed(seal, namespace, &key, vector));
        Ok(Some(Self {
            key,
            id: *id,
            value: *value,
            body,
            vector: vector.transpose()?,
        }))
    }
}

/// A vector as it is stored.
pub(crate) fn packed(
    seal: Option<&Seal>,
    namespace: &NamespaceId,
    key: &Key,
    vector: &[f32],
) -> Result<Vec<u8>, MemoryError> {
    let vector = crate::vectors::pack(vector);
    match seal {
        Some(seal) => seal.seal(&place(namespace, key, "vector"), &vector),
        None => Ok(vector),
    }
}

/// Removes what is at a key: its row and the bytes of its fragment.
pub(crate) fn remove(
    tx: &Transaction<'_>,
    row: &Row,
    key: &Key,
) -> Result<Option<(i64, u64)>, MemoryError> {
    let gone: Option<(i64, usize)> = tx
        .prepare_cached(
            "DELETE FROM fragments WHERE ns = ? AND key = ? RETURNING id, length(body)",
        )?
        .query_row(params![row.id, key.as_bytes()], |found| {
            Ok((found.get(0)?, found.get::<_, i64>(1)? as usize))
        })
        .optional()?;
    let Some((id, length)) = gone else {
        return Ok(None);
    };
    if row.sealed.is_none() {
        tx.prepare_cached("DELETE FROM texts WHERE rowid = ?")?
            .execute([id])?;
    }
    Ok(Some((id, row.size(length))))
}

/// Inserts a record. Its fragment is given where it can be read.
pub(crate) fn insert(
    tx: &Transaction<'_>,
    row: &Row,
    seal: Option<&Seal>,
    record: &Record,
    fragment: Option<&Fragment>,
) -> Result<i64, MemoryError> {
    let digest = fragment.map(|f| digest_of(seal, &row.state.namespace, &f.text).0);
    tx.prepare_cached(
        "INSERT INTO fragments (ns, key, fragment, value, body, digest, vector) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        row.id,
        record.key.as_bytes(),
        record.id.as_bytes(),
        record.value.as_bytes(),
        record.body,
        digest,
        record.vector
    ])?;
    let id = tx.last_insert_rowid();
    if let (None, Some(fragment)) = (&row.sealed, fragment) {
        tx.prepare_cached("INSERT INTO texts (rowid, title, text, ns) VALUES (?, ?, ?, ?)")?
            .execute(params![id, fragment.title, fragment.text, row.id])?;
    }
    Ok(id)
}

/// Whether the log has the write with this hash.
pub(crate) fn logged(db: &Connection, row: &Row, hash: &H256) -> Result<bool, MemoryError> {
    let mut query = db.prepare_cached("SELECT 1 FROM log WHERE ns = ? AND hash = ?")?;
    Ok(query.exists(params![row.id, hash.as_bytes()])?)
}

pub(crate) fn set_bytes(tx: &Transaction<'_>, row: &Row, bytes: u64) -> Result<(), MemoryError> {
    tx.execute(
        "UPDATE namespaces SET bytes = ? WHERE id = ?",
        params![bytes as i64, row.id],
    )?;
    Ok(())
}

/// Empties the write-ahead log, which still has pages as they were before they were overwritten.
pub(crate) fn wipe(db: &Connection) -> Result<(), MemoryError> {
    Ok(db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
}

impl Store {
    /// Opens or creates the file, and checks that its content has the roots that it names.
    pub fn open(file: &Path) -> Result<Self, MemoryError> {
        Self::open_probed(file, None)
    }

    /// [`Store::open`] for tests that stop the process at a step.
    pub fn open_probed(file: &Path, probe: Option<Probe>) -> Result<Self, MemoryError> {
        let result = Self::connect(file, probe);
        result.map_err(|error| at(error, file))
    }

    fn connect(file: &Path, probe: Option<Probe>) -> Result<Self, MemoryError> {
        let db = Connection::open(file)?;
        db.busy_timeout(std::time::Duration::from_secs(5))?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.pragma_update(None, "secure_delete", "ON")?;
        db.pragma_update(None, "cache_size", -65_536)?;
        // Pages; moving them into the file after every batch would take a third of its time.
        db.pragma_update(None, "wal_autocheckpoint", 16_384)?;
        db.set_prepared_statement_cache_capacity(128);
        let found: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if found != 0 && found != FORMAT {
            return Err(MemoryError::Format {
                file: file.into(),
                found,
                known: FORMAT,
            });
        }
        if found == 0 {
            db.execute_batch(&format!(
                "BEGIN IMMEDIATE;{SCHEMA}{TEXTS}PRAGMA user_version = {FORMAT};COMMIT;"
            ))?;
        }
        let store = Self {
            file: file.into(),
            inner: Mutex::new(Inner {
                db,
                seals: HashMap::new(),
                indexes: HashMap::new(),
                cache: Cache::default(),
            }),
            probe,
        };
        store.check()?;
        // A deletion that a crash interrupted after it was durable is finished now.
        wipe(&store.inner.lock().db)?;
        Ok(store)
    }

    pub(crate) fn step(&self, name: &'static str) {
        if let Some(probe) = &self.probe {
            probe(name);
        }
    }

    pub(crate) fn named<T>(&self, result: Result<T, MemoryError>) -> Result<T, MemoryError> {
        result.map_err(|error| at(error, &self.file))
    }

    /// Creates a namespace, encrypted at rest if a key is given; the key is not kept on disk.
    pub fn create(&self, name: &str, key: Option<&[u8; 32]>) -> Result<NamespaceId, MemoryError> {
        let namespace = namespace_id(name);
        let seal = key.map(Seal::new);
        let token = seal.as_ref().map(|seal| seal.token(&namespace));
        self.create_replica(name, token.transpose()?.as_deref())?;
        if let Some(seal) = seal {
            self.inner.lock().seals.insert(namespace, seal);
        }
        Ok(namespace)
    }

    /// Makes room for a namespace that another node made; `sealed` is that node's [token](Store::token) of a sealed one.
    pub fn create_replica(
        &self,
        name: &str,
        sealed: Option<&[u8]>,
    ) -> Result<NamespaceId, MemoryError> {
        ensure(
            "a namespace's name",
            name.len(),
            MAX_NAMESPACE_NAME as usize,
        )?;
        let namespace = namespace_id(name);
        let inserted = self.inner.lock().db.execute(
            "INSERT INTO namespaces (hash, name, sealed, version, count, tree, bytes) VALUES (?, ?, ?, 0, 0, ?, 0) ON CONFLICT DO NOTHING",
            params![namespace.as_bytes(), name, sealed, EMPTY.as_bytes()],
        );
        if self.named(inserted.map_err(MemoryError::from))? == 0 {
            return Err(MemoryError::NamespaceExists(name.into()));
        }
        Ok(namespace)
    }

    /// What tells the key of a sealed namespace from others, for [`Store::create_replica`]; absent for an open one.
    pub fn token(&self, namespace: &NamespaceId) -> Result<Option<Vec<u8>>, MemoryError> {
        Ok(row(&self.inner.lock().db, namespace)?.sealed)
    }

    /// Forgets a namespace and overwrites all of it.
    pub fn delete_namespace(&self, namespace: &NamespaceId) -> Result<(), MemoryError> {
        self.step("forget: begun");
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        let row = row(&inner.db, namespace)?;
        let tx = inner.db.transaction()?;
        if row.sealed.is_none() {
            tx.execute(
                "DELETE FROM texts WHERE rowid IN (SELECT id FROM fragments WHERE ns = ?)",
                [row.id],
            )?;
        }
        for table in TABLES {
            tx.execute(&format!("DELETE FROM {table} WHERE ns = ?"), [row.id])?;
        }
        tx.execute("DELETE FROM namespaces WHERE id = ?", [row.id])?;
        self.step("forget: content");
        self.named(tx.commit().map_err(MemoryError::from))?;
        self.step("forget: durable");
        inner.indexes.remove(namespace);
        inner.seals.remove(namespace);
        inner.cache.clear();
        wipe(&inner.db)
    }

    /// Grants this node the key of a sealed namespace, until [`Store::revoke`] or the end of the process.
    pub fn grant(&self, namespace: &NamespaceId, key: &[u8; 32]) -> Result<(), MemoryError> {
        let mut inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        let Some(token) = &row.sealed else {
            return Ok(());
        };
        let seal = Seal::new(key);
        seal.open(namespace.as_bytes(), token)?;
        inner.seals.insert(*namespace, seal);
        Ok(())
    }

    /// Forgets the key of a sealed namespace and what was read with it.
    pub fn revoke(&self, namespace: &NamespaceId) {
        let mut inner = self.inner.lock();
        if inner.seals.remove(namespace).is_some() {
            inner.indexes.remove(namespace);
        }
    }

    /// The namespaces of this node, by name.
    pub fn namespaces(&self) -> Result<Vec<Held>, MemoryError> {
        let inner = self.inner.lock();
        let mut query = inner
            .db
            .prepare("SELECT hash FROM namespaces ORDER BY name")?;
        let hashes: Vec<H256> = query
            .query_map([], |found| column(found, 0))?
            .collect::<Result<_, _>>()?;
        let held = hashes.iter().map(|namespace| inner.held(namespace));
        held.collect()
    }

    /// A namespace of this node.
    pub fn namespace(&self, namespace: &NamespaceId) -> Result<Held, MemoryError> {
        self.inner.lock().held(namespace)
    }

    /// State of a version that is held (the newest one if absent), and the block that anchors it.
    pub fn state(
        &self,
        namespace: &NamespaceId,
        version: Option<u64>,
    ) -> Result<(State, Option<H256>), MemoryError> {
        let inner = self.inner.lock();
        state(&inner.db, &row(&inner.db, namespace)?, version)
    }

    /// Its versions that can be proven, oldest first.
    pub fn history(&self, namespace: &NamespaceId) -> Result<Vec<Version>, MemoryError> {
        let inner = self.inner.lock();
        versions(&inner.db, &row(&inner.db, namespace)?, None)
    }

    /// Stores a batch of signed writes as one new version, durably; whether contributors may write is for the caller to check.
    ///
    /// Each write has to replace what is there, and none is taken twice.
    pub fn commit(
        &self,
        namespace: &NamespaceId,
        changes: &[Change],
    ) -> Result<State, MemoryError> {
        self.named(self.try_commit(namespace, changes))
    }

    fn try_commit(
        &self,
        namespace: &NamespaceId,
        changes: &[Change],
    ) -> Result<State, MemoryError> {
        validate(namespace, changes)?;
        self.step("commit: begun");
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        let row = row(&inner.db, namespace)?;
        let seal = seal_of(&inner.seals, &row)?;
        if changes.is_empty() {
            return Ok(row.state);
        }
        let tx = inner.db.transaction()?;
        let nodes = Stored {
            db: &tx,
            cache: &inner.cache,
        };
        let first = held(&nodes, row.state.tree, changes.iter().map(|c| c.write.key))?;
        let mut chain = Chain::new(first, |hash: &H256| logged(&tx, &row, hash));
        let mut last: BTreeMap<Key, &Change> = BTreeMap::new();
        for (at, change) in changes.iter().enumerate() {
            chain.follow(at, &change.write)??;
            last.insert(change.write.key, change);
        }
        let (mut gone, mut new, mut bytes) = (Vec::new(), Vec::new(), row.bytes);
        // In the order of the batch, so that results of one document stay together on disk.
        for change in changes {
            if !last
                .get(&change.write.key)
                .is_some_and(|last| std::ptr::eq(*last, change))
            {
                continue;
            }
            let was_there = chain.first.get(&change.write.key).copied().flatten();
            if was_there.is_some()
                && let Some((id, size)) = remove(&tx, &row, &change.write.key)?
            {
                bytes = bytes.saturating_sub(size);
                gone.push(id);
            }
            if let (Some(record), Some(Opened { fragment, .. })) =
                (Record::of(change, seal, namespace)?, &change.content)
            {
                bytes += row.size(record.body.len());
                let id = insert(&tx, &row, seal, &record, Some(fragment))?;
                new.push((id, fragment, change.vector.as_deref()));
            }
        }
        self.step("commit: content");
        let version = row.state.version + 1;
        let lines: Vec<(u64, Write)> = changes
            .iter()
            .map(|change| (version, change.write.clone()))
            .collect();
        let next = advance(&nodes, &row, &row.state, &lines, version, None)?;
        set_bytes(&tx, &row, bytes)?;
        self.step("commit: tree");
        tx.commit()?;
        self.step("commit: durable");
        if let Some(index) = inner.indexes.get_mut(namespace) {
            index.remove(&gone)?;
            for (id, fragment, vector) in new {
                index.insert(id, fragment, vector.map(crate::vectors::pack).as_deref())?;
            }
        }
        if !gone.is_empty() {
            wipe(&inner.db)?;
            self.step("commit: wiped");
        }
        Ok(next)
    }

    /// What has to be anchored next; nothing if the chain has the newest version.
    pub fn pending(&self, namespace: &NamespaceId) -> Result<Option<Commit>, MemoryError> {
        let inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        let (previous, _) = anchored(&inner.db, &row)?;
        if previous.version == row.state.version {
            return Ok(None);
        }
        let lines = lines(&inner.db, "log", &row, previous.version, usize::MAX)?;
        let writes: Vec<Write> = lines.into_iter().map(|(_, write)| write).collect();
        Ok(Some(Commit {
            previous: previous.root(),
            state: row.state,
            batch: batch_root(&writes),
            bytes: row.bytes,
        }))
    }

    /// Notes that `block`, which is final, anchors a version; earlier ones that waited are anchored by it too.
    pub fn set_anchored(
        &self,
        namespace: &NamespaceId,
        version: u64,
        block: H256,
    ) -> Result<(), MemoryError> {
        self.step("anchor: seen");
        let mut inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        let tx = inner.db.transaction()?;
        let noted = tx.execute(
            "UPDATE versions SET block = ? WHERE ns = ? AND version = ?",
            params![block.as_bytes(), row.id, version as i64],
        );
        if self.named(noted.map_err(MemoryError::from))? == 0 {
            return Err(MemoryError::UnknownVersion(version));
        }
        self.step("anchor: noted");
        prune(&tx, &row)?;
        self.step("anchor: pruned");
        self.named(tx.commit().map_err(MemoryError::from))?;
        self.step("anchor: durable");
        Ok(())
    }

    /// Keeps what proofs of exactly these versions need, besides those of the newest ones: the chain keeps snapshots for long.
    pub fn pin(&self, namespace: &NamespaceId, snapshots: &[u64]) -> Result<(), MemoryError> {
        let mut inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        let tx = inner.db.transaction()?;
        let pinned: BTreeSet<u64> = tx
            .prepare_cached("SELECT version FROM versions WHERE ns = ? AND pinned")?
            .query_map([row.id], |found| Ok(found.get::<_, i64>(0)? as u64))?
            .collect::<Result<_, _>>()?;
        let wanted: BTreeSet<u64> = snapshots.iter().copied().collect();
        for version in pinned.symmetric_difference(&wanted) {
            tx.execute(
                "UPDATE versions SET pinned = ? WHERE ns = ? AND version = ?",
                params![wanted.contains(version), row.id, *version as i64],
            )?;
        }
        self.named(tx.commit().map_err(MemoryError::from))
    }

    /// Which of these [digests](digest) are those of a fragment's text.
    pub fn known(
        &self,
        namespace: &NamespaceId,
        digests: &[H256],
    ) -> Result<Vec<bool>, MemoryError> {
        let inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        let mut query = inner
            .db
            .prepare_cached("SELECT 1 FROM fragments WHERE ns = ? AND digest = ?")?;
        let known = digests
            .iter()
            .map(|digest| Ok(query.exists(params![row.id, digest.as_bytes()])?));
        known.collect()
    }

    /// Fragments without a vector: their keys and texts, at most `limit`.
    pub fn unembedded(
        &self,
        namespace: &NamespaceId,
        limit: usize,
    ) -> Result<Vec<(Key, String)>, MemoryError> {
        let inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        let seal = seal_of(&inner.seals, &row)?;
        let mut query = inner.db.prepare_cached(
            "SELECT key, body FROM fragments WHERE ns = ? AND vector IS NULL LIMIT ?",
        )?;
        let mut rows = query.query(params![row.id, limit as i64])?;
        let mut texts = Vec::new();
        while let Some(found) = rows.next()? {
            let key = column(found, 0)?;
            let body = found.get_ref(1)?.as_blob().unwrap_or_default();
            let (_, fragment) = open_body(seal, namespace, &key, body)?;
            texts.push((key, fragment.text));
        }
        Ok(texts)
    }

    /// Adds vectors to fragments that have none; those that are gone or have one are left out. Returns how many were added.
    pub fn set_vectors(
        &self,
        namespace: &NamespaceId,
        vectors: Vec<(Key, Vec<f32>)>,
    ) -> Result<usize, MemoryError> {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        let row = row(&inner.db, namespace)?;
        let seal = seal_of(&inner.seals, &row)?;
        let tx = inner.db.transaction()?;
        let mut set = Vec::new();
        for (key, vector) in vectors {
            let stored = packed(seal, namespace, &key, &vector)?;
            let id: Option<i64> = tx
                .prepare_cached(
                    "UPDATE fragments SET vector = ? WHERE ns = ? AND key = ? AND vector IS NULL RETURNING id",
                )?
                .query_row(params![stored, row.id, key.as_bytes()], |row| row.get(0))
                .optional()?;
            set.extend(id.map(|id| (id, crate::vectors::pack(&vector))));
        }
        self.named(tx.commit().map_err(MemoryError::from))?;
        if let Some(index) = inner.indexes.get_mut(namespace) {
            for (id, vector) in &set {
                index.set_vector(*id, vector);
            }
        }
        Ok(set.len())
    }
}

impl Inner {
    fn held(&self, namespace: &NamespaceId) -> Result<Held, MemoryError> {
        let row = row(&self.db, namespace)?;
        let (base, block) = anchored(&self.db, &row)?;
        let without: i64 = self
            .db
            .prepare_cached("SELECT count(*) FROM fragments WHERE ns = ? AND vector IS NULL")?
            .query_row([row.id], |row| row.get(0))?;
        let conflicts: i64 = self
            .db
            .prepare_cached("SELECT count(*) FROM conflicts WHERE ns = ?")?
            .query_row([row.id], |row| row.get(0))?;
        Ok(Held {
            conflicts: conflicts as u64,
            readable: seal_of(&self.seals, &row).is_ok(),
            name: row.name,
            state: row.state,
            bytes: row.bytes,
            vectors: row.state.count.saturating_sub(without as u64),
            sealed: row.sealed.is_some(),
            anchored: block.map(|block| (base.version, block)),
        })
    }
}

/// Names the file in errors that the database raised.
fn at(error: MemoryError, file: &Path) -> MemoryError {
    match error {
        MemoryError::NoSpace(_) => MemoryError::NoSpace(file.into()),
        other => other,
    }
}
