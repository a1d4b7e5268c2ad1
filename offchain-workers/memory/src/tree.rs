//! Nodes of the trees in the file, and how a tree moves from version to version.

use crate::{
    MemoryError,
    store::{Row, Version, column, hash},
};
use codec::{DecodeAll, Encode};
use rusqlite::{Connection, Transaction, params};
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
};
use touchstone_primitives::{
    H256,
    memory::{
        Key, RETAINED, State, Value, Write, batch_root,
        tree::{self, MissingNode, Node, Nodes, Proof, Step},
    },
};

/// Nodes that are kept in memory; each takes about 200 bytes. A node never changes, so that none is ever out of date.
const CACHED: usize = 1 << 17;

/// Nodes that were read lately.
#[derive(Default)]
pub(crate) struct Cache(RefCell<HashMap<H256, Node>>);

impl Cache {
    pub(crate) fn clear(&self) {
        self.0.borrow_mut().clear();
    }

    fn add(&self, hash: H256, node: Node) {
        let mut nodes = self.0.borrow_mut();
        if nodes.len() >= CACHED {
            nodes.clear();
        }
        nodes.insert(hash, node);
    }
}

/// Nodes of the file.
pub(crate) struct Stored<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) cache: &'a Cache,
}

impl Nodes for Stored<'_> {
    fn get(&self, hash: &H256) -> Option<Node> {
        if let Some(node) = self.cache.0.borrow().get(hash) {
            return Some(*node);
        }
        let mut query = self
            .db
            .prepare_cached("SELECT node FROM nodes WHERE hash = ?")
            .ok()?;
        let node = query.query_row([hash.as_bytes()], |row| {
            Ok(Node::decode_all(&mut row.get_ref(0)?.as_blob()?))
        });
        let node = node.ok()?.ok()?;
        self.cache.add(*hash, node);
        Some(node)
    }
}

/// What the tree with this root holds at each of these keys. It is our own tree, so that no hash need be checked.
pub(crate) fn held(
    nodes: &Stored<'_>,
    root: H256,
    keys: impl IntoIterator<Item = Key>,
) -> Result<BTreeMap<Key, Option<Value>>, MissingNode> {
    let keys: Vec<Key> = keys.into_iter().collect();
    let Proof(steps) = tree::prove(nodes, root, &keys)?;
    let mut held: BTreeMap<Key, Option<Value>> = keys.into_iter().map(|key| (key, None)).collect();
    for step in steps {
        if let Step::Leaf(key, value) = step
            && let Some(at) = held.get_mut(&key)
        {
            *at = Some(value);
        }
    }
    Ok(held)
}

/// Moves the tree from one state by lines of the log, each kept under its own version, and notes what that leaves behind.
pub(crate) fn advance(
    nodes: &Stored<'_>,
    row: &Row,
    from: &State,
    lines: &[(u64, Write)],
    version: u64,
    block: Option<H256>,
) -> Result<State, MemoryError> {
    let tx = nodes.db;
    let last: BTreeMap<Key, Option<Value>> = lines.iter().map(|(_, w)| (w.key, w.value)).collect();
    let mut count = from.count;
    for (key, before) in held(nodes, from.tree, last.keys().copied())? {
        let after = last.get(&key).copied().flatten();
        count = count + u64::from(after.is_some()) - u64::from(before.is_some());
    }
    let changes: Vec<_> = last.into_iter().collect();
    let update = tree::update(nodes, from.tree, &changes)?;
    let next = State {
        namespace: from.namespace,
        version,
        count,
        tree: update.root,
    };
    let at_version = version as i64;
    let mut put = tx.prepare_cached(
        "INSERT INTO nodes (hash, ns, version, node) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )?;
    let mut revive = tx.prepare_cached("DELETE FROM stale WHERE hash = ?")?;
    for (hash, node) in &update.written {
        if put.execute(params![hash.as_bytes(), row.id, at_version, node.encode()])? == 0 {
            revive.execute([hash.as_bytes()])?;
        }
    }
    let mut stale = tx.prepare_cached(
        "INSERT INTO stale (ns, version, hash) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    )?;
    for hash in &update.dropped {
        stale.execute(params![row.id, at_version, hash.as_bytes()])?;
    }
    let mut log =
        tx.prepare_cached("INSERT INTO log (ns, version, at, hash, entry) VALUES (?, ?, ?, ?, ?)")?;
    for (at, (version, write)) in lines.iter().enumerate() {
        log.execute(params![
            row.id,
            *version as i64,
            at as i64,
            write.hash().as_bytes(),
            write.encode()
        ])?;
    }
    let writes: Vec<Write> = lines.iter().map(|(_, write)| write.clone()).collect();
    tx.execute(
        "INSERT INTO versions (ns, version, count, tree, batch, block) VALUES (?, ?, ?, ?, ?, ?)",
        params![
            row.id,
            at_version,
            count as i64,
            next.tree.as_bytes(),
            batch_root(&writes).as_bytes(),
            block.map(|block| block.0)
        ],
    )?;
    tx.execute(
        "UPDATE namespaces SET version = ?, count = ?, tree = ? WHERE id = ?",
        params![at_version, count as i64, next.tree.as_bytes(), row.id],
    )?;
    Ok(next)
}

/// Takes back what came after a version. The content stays as it is, for the caller to bring in line.
pub(crate) fn roll_back(tx: &Transaction<'_>, row: &Row, to: u64) -> Result<(), MemoryError> {
    for table in ["versions", "log", "stale", "nodes"] {
        tx.execute(
            &format!("DELETE FROM {table} WHERE ns = ? AND version > ?"),
            params![row.id, to as i64],
        )?;
    }
    Ok(())
}

/// Forgets the versions that nobody can check: those between two that the chain has had, and those whose root it does not keep any more;
/// not those that are pinned. With each go the nodes that only it needed.
pub(crate) fn prune(tx: &Transaction<'_>, row: &Row) -> Result<(), MemoryError> {
    let mut dropped = tx.prepare_cached(
        "SELECT version FROM versions WHERE ns = ?1 AND NOT pinned AND version < (SELECT max(version) FROM versions WHERE ns = ?1 AND block IS NOT NULL)
			AND version NOT IN (SELECT version FROM versions WHERE ns = ?1 AND block IS NOT NULL ORDER BY version DESC LIMIT ?2)
			ORDER BY version DESC",
    )?;
    let dropped: Vec<i64> = dropped
        .query_map(params![row.id, RETAINED], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for version in dropped {
        tx.prepare_cached("DELETE FROM versions WHERE ns = ? AND version = ?")?
            .execute(params![row.id, version])?;
        // What became stale up to the next version and was in no other one.
        for sql in [
            "DELETE FROM nodes WHERE hash IN (SELECT s.hash FROM stale s JOIN nodes n ON n.hash = s.hash WHERE s.ns = ?1 AND s.version > ?2
				AND s.version <= (SELECT min(version) FROM versions WHERE ns = ?1 AND version > ?2)
				AND NOT EXISTS (SELECT 1 FROM versions p WHERE p.ns = ?1 AND p.version >= n.version AND p.version < s.version))",
            "DELETE FROM stale WHERE ns = ?1 AND version > ?2 AND version <= (SELECT min(version) FROM versions WHERE ns = ?1 AND version > ?2)
				AND NOT EXISTS (SELECT 1 FROM nodes n WHERE n.hash = stale.hash)",
        ] {
            tx.prepare_cached(sql)?.execute(params![row.id, version])?;
        }
    }
    Ok(())
}

/// Versions that are held, oldest first, or one of them.
pub(crate) fn versions(
    db: &Connection,
    row: &Row,
    only: Option<u64>,
) -> Result<Vec<Version>, MemoryError> {
    let mut query = db.prepare_cached(
        "SELECT version, count, tree, batch, block FROM versions WHERE ns = ?1 AND (?2 IS NULL OR version = ?2) ORDER BY version",
    )?;
    let found = query.query_map(params![row.id, only.map(|v| v as i64)], |found| {
        Ok(Version {
            state: State {
                namespace: row.state.namespace,
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
pub(crate) fn anchored(db: &Connection, row: &Row) -> Result<(State, Option<H256>), MemoryError> {
    let newest: Option<i64> = db
        .prepare_cached("SELECT max(version) FROM versions WHERE ns = ? AND block IS NOT NULL")?
        .query_row([row.id], |row| row.get(0))?;
    match newest {
        Some(newest) => state(db, row, Some(newest as u64)),
        None => Ok((State::empty(row.state.namespace), None)),
    }
}

/// State of a version and the block that anchors it; the newest if none is given.
pub(crate) fn state(
    db: &Connection,
    row: &Row,
    version: Option<u64>,
) -> Result<(State, Option<H256>), MemoryError> {
    match version.unwrap_or(row.state.version) {
        0 => Ok((State::empty(row.state.namespace), None)),
        version => {
            let found = versions(db, row, Some(version))?;
            let found = found.first().ok_or(MemoryError::UnknownVersion(version))?;
            Ok((found.state, found.block))
        }
    }
}

/// Lines of the log after a version.
pub(crate) fn lines(
    db: &Connection,
    table: &str,
    row: &Row,
    after: u64,
    limit: usize,
) -> Result<Vec<(u64, Write)>, MemoryError> {
    let mut query = db.prepare_cached(&format!(
        "SELECT version, entry FROM {table} WHERE ns = ? AND version > ? ORDER BY version, at LIMIT ?"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = query.query(params![row.id, after as i64, limit])?;
    let mut lines = Vec::new();
    while let Some(found) = rows.next()? {
        let write = Write::decode_all(&mut found.get_ref(1)?.as_blob().unwrap_or_default());
        let write = write.map_err(|e| MemoryError::Corrupt(format!("a line of the log: {e}")))?;
        lines.push((found.get::<_, i64>(0)? as u64, write));
    }
    Ok(lines)
}
