//! Finding fragments: by words (BM25) and by meaning (vectors), fused by rank, each with its proof.

use crate::{
    MemoryError,
    rules::{self, Anchor, BadProof, Fragment, Key},
    seal::place,
    store::{Inner, Proven, Row, Store, Stored, anchored, column, open_body, row, state},
    vectors::Vectors,
};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use touchstone_primitives::H256;

/// Most hits of a search.
pub const MAX_HITS: usize = 100;
/// How many of each list are fused.
const DEPTH: usize = 200;
/// How many of the word list are looked at if a filter may drop most of them.
const FILTERED_DEPTH: usize = 20_000;
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

/// A fragment that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hit {
    /// The fragment and its proof.
    #[serde(flatten)]
    pub proven: Proven,
    /// Sum of reciprocal ranks; only its order means anything.
    pub score: f64,
}

/// What a search found, and everything needed to check it offline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Root that commits to all of it.
    pub root: H256,
    /// The state that the root is of.
    pub anchor: Anchor,
    /// Block that anchors the root; absent if that has not happened yet.
    pub block: Option<H256>,
    /// Best first.
    pub hits: Vec<Hit>,
}

/// Why a result shows nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Tampered {
    /// The root is of another state.
    #[error("the root is not that of the state beside it")]
    Root,
    /// A proof is wrong.
    #[error("fragment {id:?}: {reason}")]
    Proof {
        /// The fragment.
        id: H256,
        /// Why.
        reason: BadProof,
    },
    /// The tree does not hold this fragment.
    #[error("fragment {0:?} was altered: the tree holds another value at its place, or none")]
    Fragment(H256),
}

impl Found {
    /// Checks every fragment against the root. Whether the root is the one on chain is for the caller to check.
    pub fn verify(&self) -> Result<(), Tampered> {
        if self.anchor.root() != self.root {
            return Err(Tampered::Root);
        }
        for hit in &self.hits {
            hit.proven.verify(&self.anchor)?;
        }
        Ok(())
    }
}

impl Proven {
    /// Checks the fragment against a state.
    pub fn verify(&self, anchor: &Anchor) -> Result<(), Tampered> {
        let key = rules::key(&anchor.namespace, &self.id);
        let held = rules::verify(&anchor.tree, &self.proof, &key);
        let held = held.map_err(|reason| Tampered::Proof {
            id: self.id,
            reason,
        })?;
        if held != Some(rules::value(&self.salt, &self.fragment)) {
            return Err(Tampered::Fragment(self.id));
        }
        Ok(())
    }
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
        let (seal, namespace) = (inner.seal(row)?, &row.anchor.namespace);
        let mut index = Self::default();
        if seal.is_some() {
            let texts = Connection::open_in_memory()?;
            texts.execute_batch(
                "CREATE VIRTUAL TABLE texts USING fts5 (title, text, ns UNINDEXED, tokenize = 'porter unicode61', content = '', contentless_delete = 1)",
            )?;
            index.texts = Some(texts);
        }
        let mut query = inner
            .db
            .prepare("SELECT id, key, body, vector, value FROM fragments WHERE ns = ?")?;
        let mut rows = query.query([row.id])?;
        while let Some(found) = rows.next()? {
            let (id, key): (i64, Key) = (found.get(0)?, column(found, 1)?);
            let body = found.get_ref(2)?.as_blob().unwrap_or_default();
            let (salt, fragment) = open_body(seal, namespace, &key, body)?;
            // Of a sealed namespace only now can it be seen whether the content is what the tree holds.
            if rules::value(&salt, &fragment) != column(found, 4)? {
                return Err(MemoryError::Corrupt(format!(
                    "fragment {key:?} was altered"
                )));
            }
            let vector = found.get_ref(3)?.as_blob_or_null().unwrap_or_default();
            let vector = match (seal, vector) {
                (Some(seal), Some(vector)) => {
                    Some(seal.open(&place(namespace, &key, "vector"), vector)?)
                }
                (_, vector) => vector.map(<[u8]>::to_vec),
            };
            index.add(id, &fragment, vector.as_deref())?;
        }
        Ok(index)
    }

    fn add(
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

    pub(crate) fn insert(
        &mut self,
        id: i64,
        fragment: &Fragment,
        vector: Option<&[f32]>,
    ) -> Result<(), MemoryError> {
        let packed = vector.map(crate::vectors::pack);
        self.add(id, fragment, packed.as_deref())
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

/// The words of a query as FTS5 takes them: quoted, so that nothing in them is an operator.
fn words(text: &str) -> String {
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
    let quoted: Vec<String> = telling.iter().map(|word| format!("\"{word}\"")).collect();
    quoted.join(" OR ")
}

impl Store {
    /// Searches a namespace.
    pub fn search(&self, namespace: &H256, query: &Query) -> Result<Found, MemoryError> {
        let mut guard = self.inner.lock();
        let row = row(&guard.db, namespace)?;
        guard.seal(&row)?;
        if !guard.indexes.contains_key(namespace) {
            let index = Index::load(&guard, &row)?;
            guard.indexes.insert(*namespace, index);
        }
        let inner = &*guard;
        let (anchor, block) = match anchored(&inner.db, &row)? {
            (base, block) if query.anchored || base == row.anchor => (base, block),
            _ => (row.anchor, None),
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
        if !terms.is_empty() {
            let db = index.texts.as_ref().unwrap_or(&inner.db);
            let depth = if filtered { FILTERED_DEPTH } else { DEPTH };
            let sql = if index.texts.is_some() {
                "SELECT rowid FROM texts WHERE texts MATCH ?1 AND ?2 = ?2 ORDER BY rank LIMIT ?3"
            } else {
                "SELECT rowid FROM texts WHERE texts MATCH ?1 AND ns = ?2 ORDER BY rank LIMIT ?3"
            };
            let mut statement = db.prepare_cached(sql)?;
            let ids =
                statement.query_map(params![terms, row.id, depth as i64], |row| row.get(0))?;
            let ids: Vec<i64> = ids.collect::<Result<_, _>>()?;
            fuse(&mut ids.into_iter().filter(|id| {
                let at = index.at.get(id);
                at.is_some_and(|at| !filtered || index.admits(query, *at))
            }));
        }
        if let Some(vector) = &query.vector {
            let admits = |at| !filtered || index.admits(query, at);
            let rows = index.vectors.nearest(vector, DEPTH, admits);
            fuse(&mut rows.into_iter().map(|at| index.rows[at]));
        }
        let mut ranked: Vec<(i64, f64)> = scores.into_iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let hits = hits(inner, &row, &anchor, &ranked, query.k.min(MAX_HITS))?;
        Ok(Found {
            root: anchor.root(),
            anchor,
            block,
            hits,
        })
    }

    /// Proofs in the state of a version for what the store holds; used by the gateway to answer for a root that it named before.
    pub fn state(&self, namespace: &H256, version: Option<u64>) -> Result<Anchor, MemoryError> {
        let inner = self.inner.lock();
        state(&inner.db, &row(&inner.db, namespace)?, version)
    }
}

/// The best ones that the given state holds, with proofs.
fn hits(
    inner: &Inner,
    row: &Row,
    anchor: &Anchor,
    ranked: &[(i64, f64)],
    count: usize,
) -> Result<Vec<Hit>, MemoryError> {
    let (seal, nodes) = (inner.seal(row)?, Stored::new(&inner.db));
    let mut read = inner
        .db
        .prepare_cached("SELECT key, fragment, body FROM fragments WHERE id = ?")?;
    let mut hits = Vec::new();
    for (id, score) in ranked {
        if hits.len() == count {
            break;
        }
        let found = read.query_row([id], |found| {
            Ok((column(found, 0)?, column(found, 1)?, found.get(2)?))
        });
        let Some((key, id, body)): Option<(Key, H256, Vec<u8>)> = found.optional()? else {
            continue;
        };
        let (salt, fragment) = open_body(seal, &anchor.namespace, &key, &body)?;
        let proof = rules::prove(&nodes, anchor.tree, &key)?;
        let proven = Proven {
            id,
            salt,
            fragment,
            proof,
        };
        // One that the anchored version does not hold yet, or holds otherwise, is left out.
        if proven.verify(anchor).is_ok() {
            hits.push(Hit {
                proven,
                score: *score,
            });
        }
    }
    Ok(hits)
}
