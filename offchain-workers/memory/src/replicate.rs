//! Gives log and content of a namespace to other nodes, and takes theirs.
//!
//! Catching up, rebuilding a lost node and losing a race are one thing: the log after the newest anchored version is [staged](Store::stage_log),
//! then the [content](Store::stage) that it makes live, and [`Store::adopt`] applies both in one transaction if they lead to the state that the
//! chain has. All that is staged is on disk, so that it goes on after a crash where it was.

use crate::{
    MemoryError, Store,
    change::{Break, Chain, signed},
    search::open_vector,
    store::{
        Inner, Record, Row, column, hash, insert, logged, open_body, remove, row, set_bytes, wipe,
    },
    tree::{Stored, advance, anchored, held, lines, prune, roll_back, versions},
    vectors::scale,
};
use codec::{Decode, DecodeAll, Encode};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::collections::BTreeSet;
use touchstone_primitives::{
    H256,
    memory::{Fragment, Key, MAX_BATCH, NamespaceId, State, Value, Write, batch_root, key, value},
};

/// Bytes after which an answer with content ends.
const PAGE: usize = 1 << 20;
/// Most bytes of a sealed fragment: those of its largest text and names, and what sealing adds.
const MAX_BODY: usize = 48 << 10;
/// Most bytes of a vector as it is stored.
const MAX_VECTOR: usize = 16 << 10;

/// What a fragment is stored as, which another node can take as it is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Content {
    /// Id of the fragment.
    pub id: H256,
    /// Salt and fragment.
    pub body: Body,
    /// The vector as it is stored. Nothing commits to it: whoever does not trust the sender drops it and embeds the text again.
    pub vector: Option<Vec<u8>>,
}

/// Salt and fragment, readable or sealed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Body {
    /// Of a namespace that anybody may read.
    #[codec(index = 0)]
    Open {
        /// The salt.
        salt: H256,
        /// The fragment.
        fragment: Fragment,
    },
    /// Of a namespace that its owner has sealed; it can be checked once the key is granted.
    #[codec(index = 1)]
    Sealed(Vec<u8>),
}

/// One of our writes that lost against another one of the same fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The write.
    pub write: Write,
    /// What it would have put there, if it was not replaced by another one of ours.
    pub content: Option<Content>,
}

/// What [`Store::adopt`] led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// The newest state, with our pending writes on top.
    pub state: State,
    /// Our pending writes that do not fit any more; they are kept ([`Store::conflicts`]).
    pub conflicts: Vec<Conflict>,
}

/// How much of the other nodes' state has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Staged {
    /// Version after which the next page of the log starts.
    pub version: u64,
    /// Lines of the log.
    pub lines: u64,
    /// Fragments of which the content came.
    pub contents: u64,
    /// Fragments of which the content is missing.
    pub missing: u64,
}

fn content_of(
    row: &Row,
    id: H256,
    body: Vec<u8>,
    vector: Option<Vec<u8>>,
) -> Result<Content, MemoryError> {
    let body = if row.sealed.is_some() {
        Body::Sealed(body)
    } else {
        let (salt, fragment) = open_body(None, &row.state.namespace, &Key::zero(), &body)?;
        Body::Open { salt, fragment }
    };
    Ok(Content { id, body, vector })
}

/// Content that is here, of a given value if one is given.
fn content(
    db: &Connection,
    row: &Row,
    key: &Key,
    value: Option<&Value>,
) -> Result<Option<Content>, MemoryError> {
    let found = db
        .prepare_cached(
            "SELECT fragment, body, vector FROM fragments WHERE ns = ?1 AND key = ?2 AND (?3 IS NULL OR value = ?3)",
        )?
        .query_row(
            params![row.id, key.as_bytes(), value.map(|value| value.0)],
            |found| Ok((column(found, 0)?, found.get(1)?, found.get(2)?)),
        )
        .optional()?;
    found
        .map(|(id, body, vector)| content_of(row, id, body, vector))
        .transpose()
}

/// Whether content of value `?3` at key `?2` is neither here nor staged.
const IS_AWAITED: &str = "?3 IS NOT NULL
	AND NOT EXISTS (SELECT 1 FROM fragments WHERE ns = ?1 AND key = ?2 AND value = ?3)
	AND NOT EXISTS (SELECT 1 FROM staged WHERE ns = ?1 AND key = ?2 AND value = ?3)";

/// Notes what the staged log puts at a key.
fn expect(tx: &Connection, row: &Row, key: &Key, value: Option<&Value>) -> Result<(), MemoryError> {
    tx.prepare_cached(&format!(
        "INSERT OR REPLACE INTO staged_values (ns, key, value, awaited) VALUES (?1, ?2, ?3, {IS_AWAITED})"
    ))?
    .execute(params![row.id, key.as_bytes(), value.map(|value| value.0)])?;
    Ok(())
}

/// Looks at each key of the staged log again.
fn expect_all(tx: &Connection, row: &Row) -> Result<(), MemoryError> {
    let mut query = tx.prepare("SELECT key, value FROM staged_values WHERE ns = ?")?;
    let rows = query.query_map([row.id], |found| {
        let value: Option<Vec<u8>> = found.get(1)?;
        Ok((column(found, 0)?, value.map(hash).transpose()?))
    })?;
    let all: Vec<(Key, Option<Value>)> = rows.collect::<Result<_, _>>()?;
    for (key, value) in &all {
        expect(tx, row, key, value.as_ref())?;
    }
    Ok(())
}

fn clear_log(tx: &Connection, row: &Row) -> Result<(), MemoryError> {
    tx.execute("DELETE FROM staged_log WHERE ns = ?", [row.id])?;
    tx.execute("DELETE FROM staged_values WHERE ns = ?", [row.id])?;
    Ok(())
}

fn clear(tx: &Connection, row: &Row) -> Result<(), MemoryError> {
    tx.execute("DELETE FROM staged WHERE ns = ?", [row.id])?;
    clear_log(tx, row)
}

/// Last version that is staged; the anchored one if nothing is.
fn staged_version(db: &Connection, row: &Row) -> Result<u64, MemoryError> {
    let (base, _) = anchored(db, row)?;
    let last: Option<i64> = db
        .prepare_cached("SELECT max(version) FROM staged_log WHERE ns = ?")?
        .query_row([row.id], |found| found.get(0))?;
    Ok(last.map_or(0, |last| last as u64).max(base.version))
}

impl Store {
    /// Lines of the log after a version, each with its version: whole versions, as many as have at most `limit` lines together, but at
    /// least one. Never more than [`MAX_BATCH`] lines; none at the end.
    pub fn log(
        &self,
        namespace: &NamespaceId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Write)>, MemoryError> {
        let inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        let mut page = lines(&inner.db, "log", &row, after, MAX_BATCH + 1)?;
        let first = page.first().map_or(0, |(version, _)| *version);
        if let Some((beyond, _)) = page.get(limit.min(MAX_BATCH))
            && *beyond > first
        {
            let beyond = *beyond;
            page.retain(|(version, _)| *version < beyond);
        } else if page.len() > limit {
            page.retain(|(version, _)| *version == first);
        }
        Ok(page)
    }

    /// Content of the fragments that are at these keys now, as many as fit an answer; those that are not here are left out.
    pub fn contents(
        &self,
        namespace: &NamespaceId,
        keys: &[Key],
    ) -> Result<Vec<Content>, MemoryError> {
        let inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        let (mut contents, mut bytes) = (Vec::new(), 0);
        for key in keys {
            let Some(content) = content(&inner.db, &row, key, None)? else {
                continue;
            };
            bytes += content.encoded_size();
            if bytes > PAGE && !contents.is_empty() {
                break;
            }
            contents.push(content);
        }
        Ok(contents)
    }

    /// Keeps a page of another node's [log](Store::log), which follows what is staged or, at first, our newest anchored version.
    /// Checks every signature.
    pub fn stage_log(
        &self,
        namespace: &NamespaceId,
        page: &[(u64, Write)],
    ) -> Result<(), MemoryError> {
        let writes: Vec<&Write> = page.iter().map(|(_, write)| write).collect();
        signed(namespace, &writes)?;
        self.named(self.try_stage_log(namespace, page))
    }

    fn try_stage_log(
        &self,
        namespace: &NamespaceId,
        page: &[(u64, Write)],
    ) -> Result<(), MemoryError> {
        let mut inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        let tx = inner.db.transaction()?;
        let (base, _) = anchored(&tx, &row)?;
        let outdated = tx
            .prepare_cached("SELECT 1 FROM staged_log WHERE ns = ? AND version <= ?")?
            .exists(params![row.id, base.version as i64])?;
        if outdated {
            clear_log(&tx, &row)?;
        }
        let (after, mut last, mut at) = (staged_version(&tx, &row)?, 0, 0);
        for (version, write) in page {
            at = if *version == last { at + 1 } else { 0 };
            if *version <= after || *version < last || at >= MAX_BATCH {
                return Err(MemoryError::OutOfOrder(after.max(last)));
            }
            last = *version;
            tx.prepare_cached(
                "INSERT INTO staged_log (ns, version, at, entry) VALUES (?, ?, ?, ?)",
            )?
            .execute(params![row.id, last as i64, at as i64, write.encode()])?;
            expect(&tx, &row, &write.key, write.value.as_ref())?;
        }
        self.step("stage: log");
        Ok(tx.commit()?)
    }

    /// Keys at which the staged log puts fragments whose content is neither here nor staged, at most `limit`.
    pub fn missing(&self, namespace: &NamespaceId, limit: usize) -> Result<Vec<Key>, MemoryError> {
        let inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        let mut query = inner
            .db
            .prepare_cached("SELECT key FROM staged_values WHERE ns = ? AND awaited = 1 LIMIT ?")?;
        let keys = query.query_map(params![row.id, limit as i64], |found| column(found, 0))?;
        Ok(keys.collect::<Result<_, _>>()?)
    }

    /// Keeps content that is [missing](Store::missing). What the staged log has no hash of is left out; sealed content is checked if
    /// the key is granted, else when it is. Returns how many were taken.
    pub fn stage(
        &self,
        namespace: &NamespaceId,
        contents: Vec<Content>,
    ) -> Result<usize, MemoryError> {
        self.named(self.try_stage(namespace, contents))
    }

    fn try_stage(
        &self,
        namespace: &NamespaceId,
        contents: Vec<Content>,
    ) -> Result<usize, MemoryError> {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        let row = row(&inner.db, namespace)?;
        let seal = inner.seals.get(namespace);
        let tx = inner.db.transaction()?;
        let mut taken = 0;
        for content in contents {
            let key = key(namespace, &content.id);
            let awaited = tx
                .prepare_cached("SELECT value FROM staged_values WHERE ns = ? AND key = ? AND value IS NOT NULL")?
                .query_row(params![row.id, key.as_bytes()], |found| column(found, 0))
                .optional()?;
            let Some(awaited) = awaited else { continue };
            let body = match content.body {
                Body::Open { salt, fragment } if row.sealed.is_none() => (salt, fragment).encode(),
                Body::Sealed(body) if row.sealed.is_some() => body,
                _ => continue,
            };
            let readable = row.sealed.is_none() || seal.is_some();
            let vector = content.vector.filter(|vector| {
                vector.len() <= MAX_VECTOR
                    && (!readable
                        || open_vector(seal, namespace, &key, vector)
                            .is_ok_and(|vector| scale(&vector).is_some()))
            });
            let sound = match open_body(seal, namespace, &key, &body) {
                _ if !readable => body.len() <= MAX_BODY,
                Ok((salt, fragment)) => {
                    value(&salt, &fragment) == awaited && fragment.oversized().is_none()
                }
                Err(_) => false,
            };
            if !sound {
                continue;
            }
            tx.prepare_cached(
                "INSERT OR REPLACE INTO staged (ns, key, value, fragment, body, vector) VALUES (?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                row.id,
                key.as_bytes(),
                awaited.as_bytes(),
                content.id.as_bytes(),
                body,
                vector
            ])?;
            expect(&tx, &row, &key, Some(&awaited))?;
            taken += 1;
        }
        self.step("stage: content");
        tx.commit()?;
        Ok(taken)
    }

    /// How much of the other nodes' state has come.
    pub fn staged(&self, namespace: &NamespaceId) -> Result<Staged, MemoryError> {
        let inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        let count = |sql: &str| -> Result<u64, MemoryError> {
            let count: i64 = inner
                .db
                .prepare_cached(sql)?
                .query_row([row.id], |found| found.get(0))?;
            Ok(count as u64)
        };
        Ok(Staged {
            version: staged_version(&inner.db, &row)?,
            lines: count("SELECT count(*) FROM staged_log WHERE ns = ?")?,
            contents: count("SELECT count(*) FROM staged WHERE ns = ?")?,
            missing: count("SELECT count(*) FROM staged_values WHERE ns = ? AND awaited = 1")?,
        })
    }

    /// Drops all that is staged.
    pub fn unstage(&self, namespace: &NamespaceId) -> Result<(), MemoryError> {
        let mut inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        let tx = inner.db.transaction()?;
        clear(&tx, &row)?;
        tx.commit()?;
        wipe(&inner.db)
    }

    /// Takes the staged log and content as what the chain has anchored as `onto` in `block`, which is final, and puts our own pending
    /// writes on top where they still fit.
    ///
    /// The log has to lead from our newest anchored state to `onto`, and has to be the `batch` that the chain names if one is given: the
    /// caller gives it if the log covers one commit. A log that does not lead there is dropped; nothing else changes then.
    pub fn adopt(
        &self,
        namespace: &NamespaceId,
        onto: &State,
        block: H256,
        batch: Option<H256>,
    ) -> Result<Adopted, MemoryError> {
        self.step("adopt: begun");
        let mut guard = self.inner.lock();
        let row = row(&guard.db, namespace)?;
        let adopted = self.named(self.try_adopt(&mut guard, &row, onto, block, batch));
        use MemoryError::{
            Conflict, Incomplete, OtherBatch, OtherContent, OtherRoot, Replayed, Unchanged,
        };
        match &adopted {
            Ok(_) => {
                wipe(&guard.db)?;
                self.step("adopt: wiped");
            }
            Err(OtherRoot { .. } | OtherBatch | Conflict { .. } | Unchanged(_) | Replayed(_)) => {
                let tx = guard.db.transaction()?;
                clear_log(&tx, &row)?;
                tx.commit()?;
            }
            Err(OtherContent(key)) => {
                let tx = guard.db.transaction()?;
                tx.execute(
                    "DELETE FROM staged WHERE ns = ? AND key = ?",
                    params![row.id, key.as_bytes()],
                )?;
                expect_all(&tx, &row)?;
                tx.commit()?;
            }
            // Writes of ours may have replaced what was here when the log came.
            Err(Incomplete(_)) => {
                let tx = guard.db.transaction()?;
                expect_all(&tx, &row)?;
                tx.commit()?;
            }
            Err(_) => {}
        }
        adopted
    }

    fn try_adopt(
        &self,
        inner: &mut Inner,
        row: &Row,
        onto: &State,
        block: H256,
        batch: Option<H256>,
    ) -> Result<Adopted, MemoryError> {
        let tx = inner.db.transaction()?;
        let own = versions(&tx, row, Some(onto.version))?;
        if own.first().is_some_and(|own| own.state == *onto) {
            tx.execute(
                "UPDATE versions SET block = ? WHERE ns = ? AND version = ?",
                params![block.as_bytes(), row.id, onto.version as i64],
            )?;
            clear(&tx, row)?;
            tx.commit()?;
            return Ok(Adopted {
                state: row.state,
                conflicts: Vec::new(),
            });
        }
        let (base, _) = anchored(&tx, row)?;
        let theirs = lines(&tx, "staged_log", row, base.version, usize::MAX)?;
        let ours = lines(&tx, "log", row, base.version, usize::MAX)?;
        let staged = theirs.last().map_or(base.version, |(version, _)| *version);
        if staged != onto.version {
            return Err(MemoryError::OtherVersion {
                staged,
                wanted: onto.version,
            });
        }
        if let Some(batch) = batch {
            let writes: Vec<Write> = theirs.iter().map(|(_, write)| write.clone()).collect();
            if batch_root(&writes) != batch {
                return Err(MemoryError::OtherBatch);
            }
        }
        roll_back(&tx, row, base.version)?;
        let nodes = Stored {
            db: &tx,
            cache: &inner.cache,
        };
        let is_logged = |hash: &H256| logged(&tx, row, hash);
        let keys: BTreeSet<Key> = theirs.iter().chain(&ours).map(|(_, w)| w.key).collect();
        let first = held(&nodes, base.tree, keys.iter().copied())?;
        let mut chain = Chain::new(first, is_logged);
        for (at, (_, write)) in theirs.iter().enumerate() {
            chain.follow(at, write)??;
        }
        let reached = advance(&nodes, row, &base, &theirs, onto.version, Some(block))?;
        if reached != *onto {
            return Err(MemoryError::OtherRoot {
                expected: onto.root(),
                found: reached.root(),
            });
        }
        self.step("adopt: theirs");
        let mut held_now = chain.first;
        held_now.extend(chain.now);
        let mut chain = Chain::new(held_now, is_logged);
        let (mut kept, mut conflicts) = (Vec::new(), Vec::new());
        for (at, (_, write)) in ours.into_iter().enumerate() {
            match chain.follow(at, &write)? {
                Ok(()) => kept.push(write),
                // It is among theirs: somebody else was given it as well.
                Err(Break::Replayed(_)) => {}
                Err(_) => {
                    let content = match &write.value {
                        Some(value) => content(&tx, row, &write.key, Some(value))?,
                        None => None,
                    };
                    conflicts.push(Conflict { write, content });
                }
            }
        }
        let mut target = chain.first;
        target.extend(chain.now);
        let mut state = reached;
        for writes in kept.chunks(MAX_BATCH) {
            let version = state.version + 1;
            let lines: Vec<_> = writes.iter().map(|w| (version, w.clone())).collect();
            state = advance(&nodes, row, &state, &lines, version, None)?;
        }
        for conflict in &conflicts {
            tx.prepare_cached(
                "INSERT OR REPLACE INTO conflicts (ns, hash, entry, content) VALUES (?, ?, ?, ?)",
            )?
            .execute(params![
                row.id,
                conflict.write.hash().as_bytes(),
                conflict.write.encode(),
                conflict.content.as_ref().map(Encode::encode)
            ])?;
        }
        self.step("adopt: ours");
        let seal = inner.seals.get(&row.state.namespace);
        let mut exchange = Exchange {
            tx: &tx,
            row,
            seal,
            is_indexed: inner.indexes.contains_key(&row.state.namespace),
            bytes: row.bytes,
            gone: Vec::new(),
            new: Vec::new(),
            missing: 0,
        };
        for (key, value) in &target {
            exchange.bring(key, value.as_ref())?;
        }
        if exchange.missing > 0 {
            return Err(MemoryError::Incomplete(exchange.missing));
        }
        let Exchange {
            bytes, gone, new, ..
        } = exchange;
        set_bytes(&tx, row, bytes)?;
        clear(&tx, row)?;
        prune(&tx, row)?;
        self.step("adopt: content");
        tx.commit()?;
        self.step("adopt: durable");
        if let Some(index) = inner.indexes.get_mut(&row.state.namespace) {
            index.remove(&gone)?;
            for (id, fragment, vector) in new {
                index.insert(id, &fragment, vector.as_deref())?;
            }
        }
        Ok(Adopted { state, conflicts })
    }

    /// Our writes that lost against others, oldest first.
    pub fn conflicts(&self, namespace: &NamespaceId) -> Result<Vec<Conflict>, MemoryError> {
        let inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        let mut query = inner
            .db
            .prepare_cached("SELECT entry, content FROM conflicts WHERE ns = ? ORDER BY rowid")?;
        let mut rows = query.query([row.id])?;
        let mut conflicts = Vec::new();
        let bad = |e| MemoryError::Corrupt(format!("a conflict: {e}"));
        while let Some(found) = rows.next()? {
            let content = found.get_ref(1)?.as_blob_or_null().unwrap_or_default();
            let content = content.map(|mut content| Content::decode_all(&mut content));
            let mut write = found.get_ref(0)?.as_blob().unwrap_or_default();
            conflicts.push(Conflict {
                write: Write::decode_all(&mut write).map_err(bad)?,
                content: content.transpose().map_err(bad)?,
            });
        }
        Ok(conflicts)
    }

    /// Drops conflicts by the hashes of their writes, and overwrites what they hold.
    pub fn resolve(&self, namespace: &NamespaceId, writes: &[H256]) -> Result<(), MemoryError> {
        let mut inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        let tx = inner.db.transaction()?;
        for hash in writes {
            tx.execute(
                "DELETE FROM conflicts WHERE ns = ? AND hash = ?",
                params![row.id, hash.as_bytes()],
            )?;
        }
        tx.commit()?;
        wipe(&inner.db)
    }
}

/// Brings the content in line with another state of the tree.
struct Exchange<'a> {
    tx: &'a Transaction<'a>,
    row: &'a Row,
    seal: Option<&'a crate::seal::Seal>,
    is_indexed: bool,
    bytes: u64,
    gone: Vec<i64>,
    new: Vec<(i64, Fragment, Option<Vec<u8>>)>,
    missing: u64,
}

impl Exchange<'_> {
    fn bring(&mut self, key: &Key, value: Option<&Value>) -> Result<(), MemoryError> {
        let here = self
            .tx
            .prepare_cached("SELECT value FROM fragments WHERE ns = ? AND key = ?")?
            .query_row(params![self.row.id, key.as_bytes()], |found| {
                column(found, 0)
            })
            .optional()?;
        if here.as_ref() == value {
            return Ok(());
        }
        if let Some((id, size)) = remove(self.tx, self.row, key)? {
            self.gone.push(id);
            self.bytes = self.bytes.saturating_sub(size);
        }
        let Some(value) = value else { return Ok(()) };
        let record = self
            .tx
            .prepare_cached(
                "SELECT fragment, body, vector FROM staged WHERE ns = ? AND key = ? AND value = ?",
            )?
            .query_row(
                params![self.row.id, key.as_bytes(), value.as_bytes()],
                |found| {
                    Ok(Record {
                        key: *key,
                        id: column(found, 0)?,
                        value: *value,
                        body: found.get(1)?,
                        vector: found.get(2)?,
                    })
                },
            )
            .optional()?;
        match record {
            Some(record) => self.put(record),
            None => {
                self.missing += 1;
                Ok(())
            }
        }
    }

    fn put(&mut self, record: Record) -> Result<(), MemoryError> {
        let namespace = &self.row.state.namespace;
        let fragment = if self.row.sealed.is_none() || self.seal.is_some() {
            match open_body(self.seal, namespace, &record.key, &record.body) {
                Ok((salt, fragment)) if value(&salt, &fragment) == record.value => Some(fragment),
                _ => return Err(MemoryError::OtherContent(record.key)),
            }
        } else {
            None
        };
        self.bytes += self.row.size(record.body.len());
        let id = insert(self.tx, self.row, self.seal, &record, fragment.as_ref())?;
        if let (Some(fragment), true) = (fragment, self.is_indexed) {
            let vector = record.vector.as_deref();
            let vector = vector.map(|v| open_vector(self.seal, namespace, &record.key, v));
            self.new.push((id, fragment, vector.transpose()?));
        }
        Ok(())
    }
}
