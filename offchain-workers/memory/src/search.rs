//! Finding fragments: by words (BM25) and by meaning (vectors), fused by rank, each with its proof.

use crate::{
    Answer, MemoryError,
    seal::{Seal, place},
    store::{Inner, Row, Store, column, digest_of, open_body, row, seal_of},
    tree::{Stored, anchored, held},
    vectors::Vectors,
};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{HashMap, HashSet};
use touchstone_primitives::{
    H256,
    memory::{Fragment, Key, NamespaceId, State, Value, answer::Opened, tree, value},
};

/// Most hits of a search.
pub const MAX_HITS: usize = 100;
/// How many of each list are fused.
const DEPTH: usize = 200;
/// How many of the word list are looked at if a filter may drop most of them.
const FILTERED_DEPTH: usize = 20_000;
/// Fragments with all words that are enough.
const ENOUGH: usize = 50;
/// A word that more fragments have is common.
const COMMON: usize = 2_000;
/// Most words of a query that count.
const MAX_WORDS: usize = 32;
/// Constant of reciprocal rank fusion (Cormack, Clarke, Büttcher, SIGIR 2009).
const FUSION: f64 = 60.0;
/// Words that are in nearly every fragment and only cost time.
const STOPWORDS: &str = " a an and are as at be but by can do does for from how i if in is it its no not of on or so that the \
	their then there these this to was we what when where which who why will with you your ";

/// What to look for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// The words.
    pub text: String,
    /// Embedding of the words; without it the search is by words only.
    pub vector: Option<Vec<f32>>,
    /// Most hits, up to [`MAX_HITS`].
    pub k: usize,
    /// Kinds that count; all if empty.
    pub kinds: Vec<String>,
    /// Labels that a fragment must have, all of them.
    pub labels: Vec<String>,
    /// Earliest time of writing, in milliseconds of Unix time.
    pub since: Option<u64>,
    /// Latest time of writing.
    pub until: Option<u64>,
    /// Only what a block anchors, with proofs for that version.
    pub anchored: bool,
}

struct Facts {
    kind: String,
    labels: Vec<String>,
    created: u64,
}

/// What of a namespace is kept in memory for searching.
#[derive(Default)]
pub(crate) struct Index {
    rows: Vec<i64>,
    at: HashMap<i64, usize>,
    facts: Vec<Facts>,
    vectors: Vectors,
    /// Full text of a sealed namespace, which must not be on disk.
    texts: Option<Connection>,
}

impl Index {
    fn load(inner: &Inner, row: &Row) -> Result<Self, MemoryError> {
        let (seal, namespace) = (seal_of(&inner.seals, row)?, &row.state.namespace);
        let mut index = Self::default();
        if seal.is_some() {
            let texts = Connection::open_in_memory()?;
            texts.execute_batch(
                "CREATE VIRTUAL TABLE texts USING fts5 (title, text, ns UNINDEXED, tokenize = 'porter unicode61', content = '', contentless_delete = 1);
				INSERT INTO texts (texts, rank) VALUES ('rank', 'bm25(4.0, 1.0)')",
            )?;
            index.texts = Some(texts);
        }
        let mut query = inner.db.prepare(
            "SELECT id, key, body, vector, value, digest IS NULL FROM fragments WHERE ns = ?",
        )?;
        let mut rows = query.query([row.id])?;
        let mut undigested = Vec::new();
        while let Some(found) = rows.next()? {
            let (id, key): (i64, Key) = (found.get(0)?, column(found, 1)?);
            let body = found.get_ref(2)?.as_blob().unwrap_or_default();
            let (salt, fragment) = open_body(seal, namespace, &key, body)?;
            // Of a sealed namespace only now can it be seen whether the content is what the tree holds.
            if value(&salt, &fragment) != column(found, 4)? {
                return Err(MemoryError::Corrupt(format!(
                    "fragment {key:?} was altered"
                )));
            }
            if found.get(5)? {
                undigested.push((id, digest_of(seal, namespace, &fragment.text)));
            }
            let vector = found.get_ref(3)?.as_blob_or_null().unwrap_or_default();
            let vector = vector.map(|vector| open_vector(seal, namespace, &key, vector));
            index.insert(id, &fragment, vector.transpose()?.as_deref())?;
        }
        // What came from another node while it could not be read.
        for (id, digest) in undigested {
            inner
                .db
                .prepare_cached("UPDATE fragments SET digest = ? WHERE id = ?")?
                .execute(params![digest.as_bytes(), id])?;
        }
        Ok(index)
    }

    pub(crate) fn insert(
        &mut self,
        id: i64,
        fragment: &Fragment,
        vector: Option<&[u8]>,
    ) -> Result<(), MemoryError> {
        if let Some(texts) = &self.texts {
            texts
                .prepare_cached("INSERT INTO texts (rowid, title, text) VALUES (?, ?, ?)")?
                .execute(params![id, fragment.title, fragment.text])?;
        }
        self.at.insert(id, self.rows.len());
        self.rows.push(id);
        self.facts.push(Facts {
            kind: fragment.kind.clone(),
            labels: fragment.labels.clone(),
            created: fragment.created,
        });
        self.vectors.push(vector);
        Ok(())
    }

    pub(crate) fn set_vector(&mut self, id: i64, packed: &[u8]) {
        if let Some(at) = self.at.get(&id) {
            self.vectors.set(*at, packed);
        }
    }

    pub(crate) fn remove(&mut self, ids: &[i64]) -> Result<(), MemoryError> {
        for id in ids {
            let Some(at) = self.at.remove(id) else {
                continue;
            };
            self.rows.swap_remove(at);
            self.facts.swap_remove(at);
            self.vectors.swap_remove(at);
            if let Some(moved) = self.rows.get(at) {
                self.at.insert(*moved, at);
            }
            if let Some(texts) = &self.texts {
                texts.execute("DELETE FROM texts WHERE rowid = ?", [id])?;
            }
        }
        Ok(())
    }

    fn admits(&self, query: &Query, at: usize) -> bool {
        let facts = &self.facts[at];
        (query.kinds.is_empty() || query.kinds.contains(&facts.kind))
            && query
                .labels
                .iter()
                .all(|label| facts.labels.contains(label))
            && query.since.is_none_or(|since| facts.created >= since)
            && query.until.is_none_or(|until| facts.created <= until)
    }
}

/// A vector as it is compared.
pub(crate) fn open_vector(
    seal: Option<&Seal>,
    namespace: &NamespaceId,
    key: &Key,
    vector: &[u8],
) -> Result<Vec<u8>, MemoryError> {
    match seal {
        Some(seal) => seal.open(&place(namespace, key, "vector"), vector),
        None => Ok(vector.to_vec()),
    }
}

/// The words of a query as FTS5 takes them: quoted, so that nothing in them is an operator.
fn words(text: &str) -> Vec<String> {
    let all: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .take(MAX_WORDS * 4)
        .collect();
    let mut telling: Vec<&String> = all
        .iter()
        .filter(|word| !STOPWORDS.contains(&format!(" {word} ")))
        .collect();
    if telling.is_empty() {
        telling = all.iter().collect();
    }
    telling.truncate(MAX_WORDS);
    telling.dedup();
    telling.iter().map(|word| format!("\"{word}\"")).collect()
}

/// Fragments that match words, best first: those with all of them and, if they are few, those with any of the rarer ones. Ranking all that have
/// some common word would read half of the namespace.
fn matching(
    db: &Connection,
    sql: &str,
    namespace: i64,
    words: &[String],
    depth: usize,
) -> Result<Vec<i64>, MemoryError> {
    let mut query = db.prepare_cached(sql)?;
    let mut find = |terms: &str| -> Result<Vec<i64>, MemoryError> {
        let ids = query.query_map(params![terms, namespace, depth as i64], |row| row.get(0))?;
        Ok(ids.collect::<Result<_, _>>()?)
    };
    let mut ids = find(&words.join(" AND "))?;
    if ids.len() >= ENOUGH || words.len() < 2 {
        return Ok(ids);
    }
    let mut count = db.prepare_cached("SELECT count(*) FROM texts WHERE texts MATCH ?")?;
    let mut by_count = Vec::new();
    for word in words {
        let found: i64 = count.query_row([word], |row| row.get(0))?;
        by_count.push((found as usize, word.as_str()));
    }
    by_count.sort();
    let is_rare = |(at, (found, _)): &(usize, &(usize, &str))| *at == 0 || *found <= COMMON;
    let rare = by_count.iter().enumerate().take_while(is_rare);
    let rare: Vec<&str> = rare.map(|(_, (_, word))| *word).collect();
    let known: HashSet<i64> = ids.iter().copied().collect();
    let more = find(&rare.join(" OR "))?;
    ids.extend(more.into_iter().filter(|id| !known.contains(id)));
    Ok(ids)
}

impl Store {
    /// Searches a namespace.
    pub fn search(&self, namespace: &H256, query: &Query) -> Result<Answer, MemoryError> {
        let mut guard = self.inner.lock();
        let row = row(&guard.db, namespace)?;
        seal_of(&guard.seals, &row)?;
        if !guard.indexes.contains_key(namespace) {
            let index = Index::load(&guard, &row)?;
            guard.indexes.insert(*namespace, index);
        }
        let inner = &*guard;
        let (state, block) = match anchored(&inner.db, &row)? {
            (base, block) if query.anchored || base == row.state => (base, block),
            _ => (row.state, None),
        };
        let Some(index) = inner.indexes.get(namespace) else {
            return Err(MemoryError::Locked);
        };
        let filtered = !(query.kinds.is_empty()
            && query.labels.is_empty()
            && query.since.is_none()
            && query.until.is_none());
        let mut scores: HashMap<i64, f64> = HashMap::new();
        let mut fuse = |ids: &mut dyn Iterator<Item = i64>| {
            for (rank, id) in ids.take(DEPTH).enumerate() {
                *scores.entry(id).or_default() += 1.0 / (FUSION + rank as f64 + 1.0);
            }
        };
        let terms = words(&query.text);
        let mut has_words = false;
        if !terms.is_empty() && !index.rows.is_empty() {
            let db = index.texts.as_ref().unwrap_or(&inner.db);
            let depth = if filtered { FILTERED_DEPTH } else { DEPTH };
            let sql = if index.texts.is_some() {
                "SELECT rowid FROM texts WHERE texts MATCH ?1 AND ?2 = ?2 ORDER BY rank LIMIT ?3"
            } else {
                "SELECT rowid FROM texts WHERE texts MATCH ?1 AND ns = ?2 ORDER BY rank LIMIT ?3"
            };
            let ids = matching(db, sql, row.id, &terms, depth)?;
            has_words = !ids.is_empty();
            fuse(&mut ids.into_iter().filter(|id| {
                let at = index.at.get(id);
                at.is_some_and(|at| !filtered || index.admits(query, *at))
            }));
        }
        // Before nearly all have one, those that have would stand before better ones that have not.
        if let Some(vector) = &query.vector
            && (!has_words || index.vectors.is_nearly_complete())
        {
            let admits = |at| !filtered || index.admits(query, at);
            let rows = index.vectors.nearest(vector, DEPTH, admits);
            fuse(&mut rows.into_iter().map(|at| index.rows[at]));
        }
        let mut ranked: Vec<(i64, f64)> = scores.into_iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let hits = hits(inner, &row, &state, &ranked, query.k.min(MAX_HITS))?;
        self.step("search: found");
        let keys: Vec<Key> = hits.iter().map(|(key, ..)| *key).collect();
        let nodes = Stored {
            db: &inner.db,
            cache: &inner.cache,
        };
        let proof = tree::prove(&nodes, state.tree, &keys)?;
        self.step("search: proven");
        let (hits, scores) = hits.into_iter().map(|(_, hit, score)| (hit, score)).unzip();
        Ok(Answer {
            state,
            block,
            proof,
            hits,
            scores,
            absent: Vec::new(),
            gone: Vec::new(),
        })
    }
}

/// The best ones that the given state holds.
fn hits(
    inner: &Inner,
    row: &Row,
    state: &State,
    ranked: &[(i64, f64)],
    count: usize,
) -> Result<Vec<(Key, Opened, f64)>, MemoryError> {
    let seal = seal_of(&inner.seals, row)?;
    let nodes = Stored {
        db: &inner.db,
        cache: &inner.cache,
    };
    let mut read = inner
        .db
        .prepare_cached("SELECT key, fragment, value, body FROM fragments WHERE id = ?")?;
    let mut hits = Vec::new();
    for (id, score) in ranked {
        if hits.len() == count {
            break;
        }
        let found = read.query_row([id], |found| {
            Ok((
                column(found, 0)?,
                column(found, 1)?,
                column(found, 2)?,
                found.get(3)?,
            ))
        });
        let Some((key, id, value, body)): Option<(Key, H256, Value, Vec<u8>)> = found.optional()?
        else {
            continue;
        };
        // One that the anchored version does not hold yet, or holds otherwise, is left out.
        if *state != row.state && held(&nodes, state.tree, [key])?.get(&key) != Some(&Some(value)) {
            continue;
        }
        let (salt, fragment) = open_body(seal, &state.namespace, &key, &body)?;
        hits.push((key, Opened { id, salt, fragment }, *score));
    }
    Ok(hits)
}
