//! What is done at start: the content must have the root that the file names. What can be derived from the content is repaired.

use crate::{
    MemoryError,
    store::{Store, TEXTS, column, open_body, row},
};
use codec::{DecodeAll, Encode};
use rusqlite::{Connection, params};
use std::collections::{BTreeMap, HashSet};
use touchstone_primitives::{
    H256,
    memory::{
        Key, State, Value,
        tree::{EMPTY, Node, update},
        value as value_of,
    },
};

impl Store {
    /// Checks every namespace: refuses altered content, repairs tree and full text.
    pub(crate) fn check(&self) -> Result<(), MemoryError> {
        let mut guard = self.inner.lock();
        let db = &mut guard.db;
        let namespaces: Vec<H256> = db
            .prepare("SELECT hash FROM namespaces")?
            .query_map([], |row| column(row, 0))?
            .collect::<Result<_, _>>()?;
        for namespace in namespaces {
            let row = row(db, &namespace)?;
            let (mut leaves, mut intact, mut bytes) = (Vec::new(), true, 0);
            let mut query = db.prepare("SELECT key, value, body FROM fragments WHERE ns = ?")?;
            let mut rows = query.query([row.id])?;
            while let Some(found) = rows.next()? {
                let (key, value): (Key, Value) = (column(found, 0)?, column(found, 1)?);
                let body = found.get_ref(2)?.as_blob().unwrap_or_default();
                bytes += row.size(body.len());
                if row.sealed.is_none() {
                    // A sealed body is checked when its key is granted.
                    intact &= open_body(None, &namespace, &key, body)
                        .is_ok_and(|(salt, fragment)| value_of(&salt, &fragment) == value);
                }
                leaves.push((key, Some(value)));
            }
            drop(rows);
            drop(query);
            let tree = update(&BTreeMap::new(), EMPTY, &leaves)?;
            if !intact || tree.root != row.state.tree || leaves.len() as u64 != row.state.count {
                let found = State {
                    count: leaves.len() as u64,
                    tree: if intact { tree.root } else { EMPTY },
                    ..row.state
                };
                return Err(MemoryError::Altered {
                    file: self.file.clone(),
                    namespace: row.name,
                    expected: row.state.root(),
                    found: found.root(),
                });
            }
            if bytes != row.bytes {
                log::warn!(target: "memory", "the bytes of \"{}\" are counted again", row.name);
                db.execute(
                    "UPDATE namespaces SET bytes = ? WHERE id = ?",
                    params![bytes as i64, row.id],
                )?;
            }
            let bad = damaged(db, row.id, &tree.written)?;
            if !bad.is_empty() {
                log::warn!(target: "memory", "{} nodes of the tree of \"{}\" are built again", bad.len(), row.name);
                let tx = db.transaction()?;
                for (hash, node) in bad {
                    tx.execute(
                        "INSERT INTO nodes (hash, ns, version, node) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET node = excluded.node",
                        params![hash.as_bytes(), row.id, row.state.version as i64, node.encode()],
                    )?;
                }
                tx.commit()?;
            }
        }
        if !texts_are_whole(db) {
            log::warn!(target: "memory", "the full-text index is built again");
            rebuild_texts(db)?;
        }
        Ok(())
    }
}

/// Nodes of the tree that the file lacks or holds otherwise.
fn damaged(
    db: &Connection,
    ns: i64,
    tree: &BTreeMap<H256, Node>,
) -> Result<Vec<(H256, Node)>, MemoryError> {
    let mut sound = HashSet::new();
    let mut query = db.prepare("SELECT hash, node FROM nodes WHERE ns = ?")?;
    let mut rows = query.query([ns])?;
    while let Some(found) = rows.next()? {
        let hash = column(found, 0)?;
        let node = Node::decode_all(&mut found.get_ref(1)?.as_blob().unwrap_or_default());
        if node.is_ok_and(|node| node.hash() == hash) {
            sound.insert(hash);
        }
    }
    let bad = tree.iter().filter(|(hash, _)| !sound.contains(*hash));
    Ok(bad.map(|(hash, node)| (*hash, *node)).collect())
}

fn texts_are_whole(db: &Connection) -> bool {
    let checked = db.execute_batch("INSERT INTO texts (texts) VALUES ('integrity-check')");
    let different = db.query_row::<i64, _, _>(
        "SELECT (SELECT count(*) FROM fragments f JOIN namespaces n ON n.id = f.ns WHERE n.sealed IS NULL
			AND NOT EXISTS (SELECT 1 FROM texts t WHERE t.rowid = f.id))
			+ (SELECT count(*) FROM texts t WHERE NOT EXISTS (SELECT 1 FROM fragments f WHERE f.id = t.rowid))",
        [],
        |row| row.get(0),
    );
    checked.is_ok() && different == Ok(0)
}

fn rebuild_texts(db: &mut Connection) -> Result<(), MemoryError> {
    let tx = db.transaction()?;
    tx.execute_batch(&format!("DROP TABLE IF EXISTS texts;{TEXTS}"))?;
    let mut query = tx.prepare(
        "SELECT f.id, f.ns, f.key, f.body, n.hash FROM fragments f JOIN namespaces n ON n.id = f.ns WHERE n.sealed IS NULL",
    )?;
    let mut rows = query.query([])?;
    while let Some(found) = rows.next()? {
        let (id, ns): (i64, i64) = (found.get(0)?, found.get(1)?);
        let body = found.get_ref(3)?.as_blob().unwrap_or_default();
        let (_, fragment) = open_body(None, &column(found, 4)?, &column(found, 2)?, body)?;
        tx.prepare_cached("INSERT INTO texts (rowid, title, text, ns) VALUES (?, ?, ?, ?)")?
            .execute(params![id, fragment.title, fragment.text, ns])?;
    }
    drop(rows);
    drop(query);
    Ok(tx.commit()?)
}
