//! The file, and how a batch of writes gets into it.
//!
//! Everything of one batch (fragments, full text, vectors, tree, log, version) is one SQLite transaction, synced before `commit` returns. A
//! crash at any point leaves the version before or the one after. Deleting overwrites: SQLite's `secure_delete` and that of its full-text
//! index are on, and the write-ahead log is emptied after each batch that deletes.

use crate::{
    MemoryError,
    rules::{self, Anchor, EMPTY, Fragment, Key, Node, Nodes, Proof, Value, Write},
    seal::{Seal, place},
    search::Index,
};
use codec::{DecodeAll, Encode};
use parking_lot::Mutex;
use rand::RngCore;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sp_core::{Pair, sr25519};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};
use touchstone_primitives::{H256, tagged_hash};

/// Version of the layout.
const FORMAT: i64 = 1;
/// Versions of a namespace whose proofs can still be made.
pub const RETAINED: u64 = 64;
/// Most writes of a batch.
pub const MAX_BATCH: usize = 4096;
/// Most bytes of a fragment's text.
pub const MAX_TEXT: usize = 16 << 10;
/// Most bytes of a title, a source, a kind or a label.
pub const MAX_NAME: usize = 1024;
/// Most labels of a fragment.
pub const MAX_LABELS: usize = 16;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS namespaces (
	id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE, sealed BLOB,
	version INTEGER NOT NULL, count INTEGER NOT NULL, tree BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS versions (
	ns INTEGER NOT NULL, version INTEGER NOT NULL, count INTEGER NOT NULL, tree BLOB NOT NULL, batch BLOB NOT NULL, block BLOB,
	PRIMARY KEY (ns, version)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fragments (
	id INTEGER PRIMARY KEY, ns INTEGER NOT NULL, key BLOB NOT NULL, fragment BLOB NOT NULL, value BLOB NOT NULL, body BLOB NOT NULL,
	digest BLOB NOT NULL, vector BLOB, UNIQUE (ns, key));
CREATE INDEX IF NOT EXISTS by_digest ON fragments (ns, digest);
CREATE TABLE IF NOT EXISTS nodes (hash BLOB PRIMARY KEY, ns INTEGER NOT NULL, version INTEGER NOT NULL, node BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_version ON nodes (ns, version);
CREATE TABLE IF NOT EXISTS stale (ns INTEGER NOT NULL, version INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (ns, version, hash)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS stale_by_hash ON stale (hash);
CREATE TABLE IF NOT EXISTS log (ns INTEGER NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL, entry BLOB NOT NULL,
	PRIMARY KEY (ns, version, at)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sources (ns INTEGER NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (ns, digest)) WITHOUT ROWID;
";

/// The full-text index of all namespaces that are not sealed.
pub(crate) const TEXTS: &str = "
CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5 (title, text, ns UNINDEXED, tokenize = 'porter unicode61');
INSERT INTO texts (texts, rank) VALUES ('secure-delete', 1);
";

/// Called with the name of each step of a commit; tests stop the process there.
pub type Probe = Arc<dyn Fn(&'static str) + Send + Sync>;

/// A signed write, with the content that the log has only the hash of.
#[derive(Clone, Debug)]
pub struct Change {
    /// The line of the log.
    pub write: Write,
    /// Id, salt and fragment of a put.
    pub content: Option<(H256, H256, Fragment)>,
    /// Embedding of the text, of length 1; without one the fragment is found by its words only.
    pub vector: Option<Vec<f32>>,
}

impl Change {
    /// A put under a new random id and salt, signed by `contributor`.
    pub fn put(
        namespace: &H256,
        fragment: Fragment,
        vector: Option<Vec<f32>>,
        contributor: &sr25519::Pair,
    ) -> Self {
        Self::put_as(namespace, random(), fragment, vector, contributor)
    }

    /// A put under a given id, which replaces what is there.
    pub fn put_as(
        namespace: &H256,
        id: H256,
        fragment: Fragment,
        vector: Option<Vec<f32>>,
        contributor: &sr25519::Pair,
    ) -> Self {
        let salt = random();
        let value = rules::value(&salt, &fragment);
        Self {
            write: sign(namespace, &id, Some(value), contributor),
            content: Some((id, salt, fragment)),
            vector,
        }
    }

    /// A deletion of fragment `id`.
    pub fn delete(namespace: &H256, id: &H256, contributor: &sr25519::Pair) -> Self {
        Self {
            write: sign(namespace, id, None, contributor),
            content: None,
            vector: None,
        }
    }
}

fn sign(namespace: &H256, id: &H256, value: Option<Value>, contributor: &sr25519::Pair) -> Write {
    let key = rules::key(namespace, id);
    let message = Write::message(namespace, &key, value.as_ref());
    Write {
        namespace: *namespace,
        key,
        value,
        contributor: contributor.public().0,
        signature: contributor.sign(message.as_bytes()).0,
    }
}

fn random() -> H256 {
    let mut bytes = [0; 32];
    rand::thread_rng().fill_bytes(&mut bytes);
    H256(bytes)
}

/// Id of the namespace that has this name.
pub fn namespace_id(name: &str) -> H256 {
    tagged_hash("touchstone/memory/namespace/1", &[name.as_bytes()])
}

/// A namespace, as this node holds it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Held {
    /// Its name.
    pub name: String,
    /// Its newest state.
    pub anchor: Anchor,
    /// Whether it is encrypted at rest.
    pub sealed: bool,
    /// Whether this node can read it now.
    pub readable: bool,
    /// Newest version that a block anchors, and that block.
    pub anchored: Option<(u64, H256)>,
}

/// A version of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Version {
    /// Its state.
    pub anchor: Anchor,
    /// Hash of the batch of writes that led to it.
    pub batch: H256,
    /// Block that anchors its root; absent while it waits for that.
    pub block: Option<H256>,
}

/// What is to be anchored: `commit_root` replaces `previous` by the root of `next`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// State that the chain has.
    pub previous: Anchor,
    /// State that it gets.
    pub next: Anchor,
    /// Hash of all signed writes in between, in order.
    pub batch: H256,
}

/// A fragment and everything that shows that it belongs to a state of its namespace.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Proven {
    /// Id of the fragment.
    pub id: H256,
    /// Its salt.
    pub salt: H256,
    /// The fragment.
    pub fragment: Fragment,
    /// Its place in the tree.
    pub proof: Proof,
}

/// The store of a node: one file.
pub struct Store {
    pub(crate) file: PathBuf,
    pub(crate) inner: Mutex<Inner>,
    probe: Option<Probe>,
}

pub(crate) struct Inner {
    pub(crate) db: Connection,
    pub(crate) seals: HashMap<H256, Seal>,
    pub(crate) indexes: HashMap<H256, Index>,
}

#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) sealed: Option<Vec<u8>>,
    pub(crate) anchor: Anchor,
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

/// Nodes of the file, each read once.
pub(crate) struct Stored<'a> {
    db: &'a Connection,
    cache: RefCell<HashMap<H256, Node>>,
}

impl<'a> Stored<'a> {
    pub(crate) fn new(db: &'a Connection) -> Self {
        Self {
            db,
            cache: RefCell::default(),
        }
    }
}

impl Nodes for Stored<'_> {
    fn get(&self, hash: &H256) -> Option<Node> {
        if let Some(node) = self.cache.borrow().get(hash) {
            return Some(*node);
        }
        let mut query = self
            .db
            .prepare_cached("SELECT node FROM nodes WHERE hash = ?")
            .ok()?;
        let bytes: Vec<u8> = query.query_row([hash.as_bytes()], |row| row.get(0)).ok()?;
        let node = Node::decode_all(&mut bytes.as_slice()).ok()?;
        self.cache.borrow_mut().insert(*hash, node);
        Some(node)
    }
}

pub(crate) fn row(db: &Connection, namespace: &H256) -> Result<Row, MemoryError> {
    let mut query = db.prepare_cached(
        "SELECT id, name, sealed, version, count, tree FROM namespaces WHERE hash = ?",
    )?;
    let found = query
        .query_row([namespace.as_bytes()], |row| {
            Ok(Row {
                id: row.get(0)?,
                name: row.get(1)?,
                sealed: row.get(2)?,
                anchor: Anchor {
                    namespace: *namespace,
                    version: row.get::<_, i64>(3)? as u64,
                    count: row.get::<_, i64>(4)? as u64,
                    tree: column(row, 5)?,
                },
            })
        })
        .optional()?;
    found.ok_or_else(|| MemoryError::UnknownNamespace(format!("{namespace:?}")))
}

fn versions(db: &Connection, row: &Row, only: Option<u64>) -> Result<Vec<Version>, MemoryError> {
    let mut query = db.prepare_cached(
        "SELECT version, count, tree, batch, block FROM versions WHERE ns = ?1 AND (?2 IS NULL OR version = ?2) ORDER BY version",
    )?;
    let found = query.query_map(params![row.id, only.map(|v| v as i64)], |found| {
        Ok(Version {
            anchor: Anchor {
                namespace: row.anchor.namespace,
                version: found.get::<_, i64>(0)? as u64,
                count: found.get::<_, i64>(1)? as u64,
                tree: column(found, 2)?,
            },
            batch: column(found, 3)?,
            block: found.get::<_, Option<Vec<u8>>>(4)?.map(hash).transpose()?,
        })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// The newest anchored state: what the chain has. Version 0 is on chain from the start.
pub(crate) fn anchored(db: &Connection, row: &Row) -> Result<(Anchor, Option<H256>), MemoryError> {
    let mut query = db.prepare_cached(
        "SELECT version, count, tree, block FROM versions WHERE ns = ? AND block IS NOT NULL ORDER BY version DESC LIMIT 1",
    )?;
    let found = query
        .query_row([row.id], |found| {
            Ok((
                Anchor {
                    namespace: row.anchor.namespace,
                    version: found.get::<_, i64>(0)? as u64,
                    count: found.get::<_, i64>(1)? as u64,
                    tree: column(found, 2)?,
                },
                Some(column(found, 3)?),
            ))
        })
        .optional()?;
    Ok(found.unwrap_or((empty(&row.anchor.namespace), None)))
}

fn empty(namespace: &H256) -> Anchor {
    Anchor {
        namespace: *namespace,
        version: 0,
        count: 0,
        tree: EMPTY,
    }
}

fn pending_writes(db: &Connection, row: &Row, after: u64) -> Result<Vec<Write>, MemoryError> {
    let mut query = db.prepare_cached(
        "SELECT entry FROM log WHERE ns = ? AND version > ? ORDER BY version, at",
    )?;
    let entries = query.query_map(params![row.id, after as i64], |row| {
        row.get::<_, Vec<u8>>(0)
    })?;
    let mut writes = Vec::new();
    for entry in entries {
        let write = Write::decode_all(&mut entry?.as_slice());
        writes.push(write.map_err(|e| MemoryError::Corrupt(format!("a line of the log: {e}")))?);
    }
    Ok(writes)
}

fn ensure(what: &'static str, found: usize, limit: usize) -> Result<(), MemoryError> {
    if found > limit {
        return Err(MemoryError::TooLarge { what, found, limit });
    }
    Ok(())
}

fn validate(namespace: &H256, changes: &[Change]) -> Result<(), MemoryError> {
    ensure("a batch", changes.len(), MAX_BATCH)?;
    for (at, change) in changes.iter().enumerate() {
        let write = &change.write;
        if write.namespace != *namespace || !write.is_signed() {
            return Err(MemoryError::BadSignature(at));
        }
        let matches = match (&change.content, &write.value) {
            (None, None) => true,
            (Some((id, salt, fragment)), Some(value)) => {
                ensure("a fragment's text", fragment.text.len(), MAX_TEXT)?;
                ensure("the number of labels", fragment.labels.len(), MAX_LABELS)?;
                let names = [&fragment.title, &fragment.source, &fragment.kind];
                for name in names.into_iter().chain(&fragment.labels) {
                    ensure("a title, source, kind or label", name.len(), MAX_NAME)?;
                }
                rules::key(namespace, id) == write.key && rules::value(salt, fragment) == *value
            }
            _ => false,
        };
        if !matches {
            return Err(MemoryError::OtherFragment(at));
        }
    }
    Ok(())
}

/// What a text is recognised by. Of a sealed namespace only the key's holder can compute it.
pub(crate) fn digest(seal: Option<&Seal>, namespace: &H256, text: &[u8]) -> H256 {
    let secret = seal.map(Seal::digest_key).unwrap_or_default();
    tagged_hash(
        "touchstone/memory/digest/1",
        &[secret.as_bytes(), namespace.as_bytes(), text],
    )
}

/// Salt and fragment of a record.
pub(crate) fn open_body(
    seal: Option<&Seal>,
    namespace: &H256,
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

impl Inner {
    /// The seal of a namespace if it has one, or why it cannot be read.
    pub(crate) fn seal(&self, row: &Row) -> Result<Option<&Seal>, MemoryError> {
        match (&row.sealed, self.seals.get(&row.anchor.namespace)) {
            (None, _) => Ok(None),
            (Some(_), Some(seal)) => Ok(Some(seal)),
            (Some(_), None) => Err(MemoryError::Locked),
        }
    }
}

fn remove(tx: &Transaction<'_>, ns: i64, key: &Key) -> Result<Option<i64>, MemoryError> {
    let id: Option<i64> = tx
        .prepare_cached("DELETE FROM fragments WHERE ns = ? AND key = ? RETURNING id")?
        .query_row(params![ns, key.as_bytes()], |row| row.get(0))
        .optional()?;
    if let Some(id) = id {
        tx.prepare_cached("DELETE FROM texts WHERE rowid = ?")?
            .execute([id])?;
    }
    Ok(id)
}

fn insert(
    tx: &Transaction<'_>,
    row: &Row,
    seal: Option<&Seal>,
    change: &Change,
) -> Result<Option<i64>, MemoryError> {
    let (Some((id, salt, fragment)), Some(value)) = (&change.content, &change.write.value) else {
        return Ok(None);
    };
    let (namespace, key) = (&row.anchor.namespace, &change.write.key);
    let mut body = (salt, fragment).encode();
    let mut vector = change.vector.as_deref().map(crate::vectors::pack);
    if let Some(seal) = seal {
        body = seal.seal(&place(namespace, key, "body"), &body)?;
        if let Some(vector) = &mut vector {
            *vector = seal.seal(&place(namespace, key, "vector"), vector)?;
        }
    }
    tx.prepare_cached(
        "INSERT INTO fragments (ns, key, fragment, value, body, digest, vector) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        row.id,
        key.as_bytes(),
        id.as_bytes(),
        value.as_bytes(),
        body,
        digest(seal, namespace, fragment.text.as_bytes()).as_bytes(),
        vector
    ])?;
    let id = tx.last_insert_rowid();
    if seal.is_none() {
        tx.prepare_cached("INSERT INTO texts (rowid, title, text, ns) VALUES (?, ?, ?, ?)")?
            .execute(params![id, fragment.title, fragment.text, row.id])?;
    }
    Ok(Some(id))
}

/// Moves the tree by one version and notes what that leaves behind.
fn advance(
    tx: &Transaction<'_>,
    row: &Row,
    from: &Anchor,
    writes: &[Write],
    block: Option<H256>,
) -> Result<Anchor, MemoryError> {
    let nodes = Stored::new(tx);
    let mut last: BTreeMap<Key, Option<Value>> = BTreeMap::new();
    for write in writes {
        last.insert(write.key, write.value);
    }
    let mut count = from.count;
    for (key, value) in &last {
        let proof = rules::prove(&nodes, from.tree, key)?;
        let before = proof.leaf.is_some_and(|(at, _)| at == *key);
        count = count + u64::from(value.is_some()) - u64::from(before);
    }
    let changes: Vec<_> = last.into_iter().collect();
    let update = rules::update(&nodes, from.tree, &changes)?;
    let next = Anchor {
        namespace: from.namespace,
        version: from.version + 1,
        count,
        tree: update.root,
    };
    let version = next.version as i64;
    let mut put = tx.prepare_cached(
        "INSERT INTO nodes (hash, ns, version, node) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )?;
    let mut revive = tx.prepare_cached("DELETE FROM stale WHERE hash = ?")?;
    for (hash, node) in &update.written {
        put.execute(params![hash.as_bytes(), row.id, version, node.encode()])?;
        revive.execute([hash.as_bytes()])?;
    }
    let mut stale = tx.prepare_cached("INSERT INTO stale (ns, version, hash) VALUES (?, ?, ?)")?;
    for hash in &update.dropped {
        stale.execute(params![row.id, version, hash.as_bytes()])?;
    }
    let mut log =
        tx.prepare_cached("INSERT INTO log (ns, version, at, entry) VALUES (?, ?, ?, ?)")?;
    for (at, write) in writes.iter().enumerate() {
        log.execute(params![row.id, version, at as i64, write.encode()])?;
    }
    tx.execute(
        "INSERT INTO versions (ns, version, count, tree, batch, block) VALUES (?, ?, ?, ?, ?, ?)",
        params![
            row.id,
            version,
            count as i64,
            next.tree.as_bytes(),
            rules::batch_hash(writes).as_bytes(),
            block.map(|b| b.0)
        ],
    )?;
    tx.execute(
        "UPDATE namespaces SET version = ?, count = ?, tree = ? WHERE id = ?",
        params![version, count as i64, next.tree.as_bytes(), row.id],
    )?;
    Ok(next)
}

/// Forgets nodes that no retained version needs.
fn prune(tx: &Transaction<'_>, row: &Row, newest: u64) -> Result<(), MemoryError> {
    let (base, _) = anchored(tx, row)?;
    let limit = newest.saturating_sub(RETAINED).min(base.version) as i64;
    tx.execute(
        "DELETE FROM nodes WHERE hash IN (SELECT hash FROM stale WHERE ns = ?1 AND version <= ?2)",
        params![row.id, limit],
    )?;
    tx.execute(
        "DELETE FROM stale WHERE ns = ? AND version <= ?",
        params![row.id, limit],
    )?;
    Ok(())
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
        db.set_prepared_statement_cache_capacity(64);
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
            }),
            probe,
        };
        store.check()?;
        Ok(store)
    }

    fn step(&self, name: &'static str) {
        if let Some(probe) = &self.probe {
            probe(name);
        }
    }

    /// Creates a namespace, encrypted at rest if a key is given; the key is not kept on disk.
    pub fn create(&self, name: &str, key: Option<&[u8; 32]>) -> Result<H256, MemoryError> {
        ensure("a namespace's name", name.len(), MAX_NAME)?;
        let namespace = namespace_id(name);
        let mut inner = self.inner.lock();
        let seal = key.map(Seal::new);
        let token = seal
            .as_ref()
            .map(|seal| seal.seal(namespace.as_bytes(), b"touchstone"))
            .transpose()?;
        let inserted = inner.db.execute(
            "INSERT INTO namespaces (hash, name, sealed, version, count, tree) VALUES (?, ?, ?, 0, 0, ?) ON CONFLICT DO NOTHING",
            params![namespace.as_bytes(), name, token, EMPTY.as_bytes()],
        );
        if inserted.map_err(|e| at(e.into(), &self.file))? == 0 {
            return Err(MemoryError::NamespaceExists(name.into()));
        }
        if let Some(seal) = seal {
            inner.seals.insert(namespace, seal);
        }
        Ok(namespace)
    }

    /// Grants this node the key of a sealed namespace, until [`Store::revoke`] or the end of the process.
    pub fn grant(&self, namespace: &H256, key: &[u8; 32]) -> Result<(), MemoryError> {
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
    pub fn revoke(&self, namespace: &H256) {
        let mut inner = self.inner.lock();
        inner.indexes.remove(namespace);
        inner.seals.remove(namespace);
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
        let held = hashes.iter().map(|namespace| {
            let row = row(&inner.db, namespace)?;
            let (base, block) = anchored(&inner.db, &row)?;
            Ok(Held {
                readable: inner.seal(&row).is_ok(),
                name: row.name,
                anchor: row.anchor,
                sealed: row.sealed.is_some(),
                anchored: block.map(|block| (base.version, block)),
            })
        });
        held.collect()
    }

    /// The newest state of a namespace.
    pub fn anchor(&self, namespace: &H256) -> Result<Anchor, MemoryError> {
        Ok(row(&self.inner.lock().db, namespace)?.anchor)
    }

    /// Its versions, oldest first.
    pub fn history(&self, namespace: &H256) -> Result<Vec<Version>, MemoryError> {
        let inner = self.inner.lock();
        versions(&inner.db, &row(&inner.db, namespace)?, None)
    }

    /// Stores a batch of signed writes as one new version, durably; whether contributors may write is for the caller to check.
    pub fn commit(&self, namespace: &H256, changes: &[Change]) -> Result<Anchor, MemoryError> {
        self.commit_sources(namespace, changes, &[])
    }

    /// [`Store::commit`], noting as well that these documents are in.
    pub(crate) fn commit_sources(
        &self,
        namespace: &H256,
        changes: &[Change],
        sources: &[H256],
    ) -> Result<Anchor, MemoryError> {
        let result = self.try_commit(namespace, changes, sources);
        result.map_err(|error| at(error, &self.file))
    }

    fn try_commit(
        &self,
        namespace: &H256,
        changes: &[Change],
        sources: &[H256],
    ) -> Result<Anchor, MemoryError> {
        validate(namespace, changes)?;
        self.step("commit: begun");
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        let row = row(&inner.db, namespace)?;
        let seal = match (&row.sealed, inner.seals.get(namespace)) {
            (Some(_), None) => return Err(MemoryError::Locked),
            (_, seal) => seal,
        };
        let tx = inner.db.transaction()?;
        for source in sources {
            tx.execute(
                "INSERT INTO sources (ns, digest) VALUES (?, ?) ON CONFLICT DO NOTHING",
                params![row.id, source.as_bytes()],
            )?;
        }
        if changes.is_empty() {
            tx.commit()?;
            return Ok(row.anchor);
        }
        let (mut gone, mut new) = (Vec::new(), Vec::new());
        for change in changes {
            gone.extend(remove(&tx, row.id, &change.write.key)?);
            if let Some(id) = insert(&tx, &row, seal, change)? {
                new.push((id, change));
            }
        }
        self.step("commit: content");
        let writes: Vec<Write> = changes.iter().map(|c| c.write.clone()).collect();
        let next = advance(&tx, &row, &row.anchor, &writes, None)?;
        self.step("commit: tree");
        prune(&tx, &row, next.version)?;
        self.step("commit: pruned");
        tx.commit()?;
        self.step("commit: durable");
        if let Some(index) = inner.indexes.get_mut(namespace) {
            index.remove(&gone)?;
            for (id, change) in new {
                if !gone.contains(&id)
                    && let Some((_, _, fragment)) = &change.content
                {
                    index.insert(id, fragment, change.vector.as_deref())?;
                }
            }
        }
        if !gone.is_empty() {
            // The write-ahead log still has the pages as they were.
            inner
                .db
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            self.step("commit: wiped");
        }
        Ok(next)
    }

    /// What has to be anchored next; nothing if the chain has the newest version.
    pub fn pending(&self, namespace: &H256) -> Result<Option<Pending>, MemoryError> {
        let inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        let (previous, _) = anchored(&inner.db, &row)?;
        if previous.version == row.anchor.version {
            return Ok(None);
        }
        let writes = pending_writes(&inner.db, &row, previous.version)?;
        Ok(Some(Pending {
            previous,
            next: row.anchor,
            batch: rules::batch_hash(&writes),
        }))
    }

    /// Notes that `block` anchors a version; earlier ones that waited are anchored by it too.
    pub fn set_anchored(
        &self,
        namespace: &H256,
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
        )?;
        if noted == 0 {
            return Err(MemoryError::UnknownVersion(version));
        }
        self.step("anchor: noted");
        tx.commit()?;
        self.step("anchor: durable");
        Ok(())
    }

    /// After a lost race: takes the other contributors' writes, which the chain anchored as `onto` in `block`, and puts our own pending
    /// ones on top as one new version. Where both wrote the same fragment ours is the later write. Nothing changes if their writes do
    /// not lead to `onto`.
    pub fn rebase(
        &self,
        namespace: &H256,
        onto: &Anchor,
        block: H256,
        theirs: &[Change],
    ) -> Result<Anchor, MemoryError> {
        validate(namespace, theirs)?;
        self.step("rebase: begun");
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        let row = row(&inner.db, namespace)?;
        let seal = match (&row.sealed, inner.seals.get(namespace)) {
            (Some(_), None) => return Err(MemoryError::Locked),
            (_, seal) => seal,
        };
        let tx = inner.db.transaction()?;
        let (base, _) = anchored(&tx, &row)?;
        let ours = pending_writes(&tx, &row, base.version)?;
        let our_keys: BTreeSet<Key> = ours.iter().map(|write| write.key).collect();
        for table in ["versions", "log", "stale", "nodes"] {
            tx.execute(
                &format!("DELETE FROM {table} WHERE ns = ? AND version > ?"),
                params![row.id, base.version as i64],
            )?;
        }
        let writes: Vec<Write> = theirs.iter().map(|c| c.write.clone()).collect();
        let reached = advance(&tx, &row, &base, &writes, Some(block))?;
        if reached != *onto {
            return Err(MemoryError::OtherRoot {
                expected: onto.root(),
                found: reached.root(),
            });
        }
        for change in theirs {
            if !our_keys.contains(&change.write.key) {
                remove(&tx, row.id, &change.write.key)?;
                insert(&tx, &row, seal, change)?;
            }
        }
        self.step("rebase: theirs");
        let next = if ours.is_empty() {
            reached
        } else {
            advance(&tx, &row, &reached, &ours, None)?
        };
        tx.commit()?;
        self.step("rebase: durable");
        inner.indexes.remove(namespace);
        inner
            .db
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(next)
    }

    /// A fragment with its proof in a given version (the newest one if absent); `None` for the content if it is not there now.
    pub fn prove(
        &self,
        namespace: &H256,
        id: &H256,
        version: Option<u64>,
    ) -> Result<(Anchor, Proof), MemoryError> {
        let inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        let anchor = state(&inner.db, &row, version)?;
        let nodes = Stored::new(&inner.db);
        let proof = rules::prove(&nodes, anchor.tree, &rules::key(namespace, id))
            .map_err(|_| MemoryError::UnknownVersion(anchor.version))?;
        Ok((anchor, proof))
    }

    /// A fragment, its salt and its proof in the newest version.
    pub fn get(&self, namespace: &H256, id: &H256) -> Result<Option<Proven>, MemoryError> {
        let inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        let seal = inner.seal(&row)?;
        let key = rules::key(namespace, id);
        let body: Option<Vec<u8>> = inner
            .db
            .prepare_cached("SELECT body FROM fragments WHERE ns = ? AND key = ?")?
            .query_row(params![row.id, key.as_bytes()], |row| row.get(0))
            .optional()?;
        let Some(body) = body else { return Ok(None) };
        let (salt, fragment) = open_body(seal, namespace, &key, &body)?;
        let proof = rules::prove(&Stored::new(&inner.db), row.anchor.tree, &key)?;
        Ok(Some(Proven {
            id: *id,
            salt,
            fragment,
            proof,
        }))
    }

    /// Whether this text is a fragment already.
    pub(crate) fn has_text(&self, namespace: &H256, text: &str) -> Result<bool, MemoryError> {
        let inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        let digest = digest(inner.seal(&row)?, namespace, text.as_bytes());
        let mut query = inner
            .db
            .prepare_cached("SELECT 1 FROM fragments WHERE ns = ? AND digest = ?")?;
        Ok(query.exists(params![row.id, digest.as_bytes()])?)
    }

    /// What a document is recognised by.
    pub(crate) fn source(&self, namespace: &H256, bytes: &[u8]) -> Result<H256, MemoryError> {
        let inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        Ok(digest(inner.seal(&row)?, namespace, bytes))
    }

    /// Whether a document with these bytes was ingested to its end.
    pub(crate) fn has_source(&self, namespace: &H256, digest: &H256) -> Result<bool, MemoryError> {
        let inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        let mut query = inner
            .db
            .prepare_cached("SELECT 1 FROM sources WHERE ns = ? AND digest = ?")?;
        Ok(query.exists(params![row.id, digest.as_bytes()])?)
    }

    /// Calls `each` with every fragment of a namespace that `wanted` names by a label, or with all.
    pub fn export(
        &self,
        namespace: &H256,
        label: Option<&str>,
        each: &mut dyn FnMut(H256, Fragment),
    ) -> Result<u64, MemoryError> {
        let inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        let seal = inner.seal(&row)?;
        let mut query = inner
            .db
            .prepare("SELECT key, fragment, body FROM fragments WHERE ns = ? ORDER BY id")?;
        let mut rows = query.query([row.id])?;
        let mut count = 0;
        while let Some(found) = rows.next()? {
            let (key, id) = (column(found, 0)?, column(found, 1)?);
            let (_, fragment) = open_body(
                seal,
                namespace,
                &key,
                found.get_ref(2)?.as_blob().unwrap_or(&[]),
            )?;
            if label.is_none_or(|label| fragment.labels.iter().any(|l| l == label)) {
                count += 1;
                each(id, fragment);
            }
        }
        Ok(count)
    }
}

/// State of a version; the newest if none is given.
pub(crate) fn state(
    db: &Connection,
    row: &Row,
    version: Option<u64>,
) -> Result<Anchor, MemoryError> {
    match version {
        None => Ok(row.anchor),
        Some(0) => Ok(empty(&row.anchor.namespace)),
        Some(version) => {
            let found = versions(db, row, Some(version))?;
            let found = found.first().ok_or(MemoryError::UnknownVersion(version))?;
            Ok(found.anchor)
        }
    }
}

/// Names the file in errors that the database raised.
fn at(error: MemoryError, file: &Path) -> MemoryError {
    match error {
        MemoryError::NoSpace(_) => MemoryError::NoSpace(file.into()),
        other => other,
    }
}
