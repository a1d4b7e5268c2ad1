//! What is read, with what shows offline that it belongs to a state.

use crate::{
    MemoryError, Store,
    store::{open_body, row, seal_of},
    tree::{Stored, held, state},
};
use rusqlite::{OptionalExtension, params};
use std::collections::BTreeMap;
use touchstone_primitives::{
    H256,
    memory::{
        Key, NamespaceId, State,
        answer::{Opened, Tampered, verify},
        key,
        tree::{self, Proof},
    },
};

/// What a state holds, found by a search or under some ids, and what shows offline that it does.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The state that all of it is proven against.
    pub state: State,
    /// Block that anchors it; absent if that has not happened yet.
    pub block: Option<H256>,
    /// One proof for everything.
    pub proof: Proof,
    /// Fragments, best first.
    pub hits: Vec<Opened>,
    /// For each hit of a search how well it fits: the sum of reciprocal ranks. Only the order means anything.
    pub scores: Vec<f64>,
    /// Ids that nothing is held under.
    pub absent: Vec<H256>,
    /// Ids under which something is held that has been changed or deleted since, so that only its hash is left.
    pub gone: Vec<H256>,
}

impl Answer {
    /// Checks everything against the state. Whether its root is on chain is for the caller to check.
    pub fn verify(&self) -> Result<(), Tampered> {
        verify(&self.state, &self.proof, &self.hits, &self.absent)
    }
}

impl Store {
    /// What a version holds under these ids (the newest version if absent), with its fragments as far as they have not changed since.
    pub fn get(
        &self,
        namespace: &NamespaceId,
        ids: &[H256],
        version: Option<u64>,
    ) -> Result<Answer, MemoryError> {
        let inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        let seal = seal_of(&inner.seals, &row)?;
        let (state, block) = state(&inner.db, &row, version)?;
        let places: BTreeMap<H256, Key> = ids.iter().map(|id| (*id, key(namespace, id))).collect();
        let nodes = Stored {
            db: &inner.db,
            cache: &inner.cache,
        };
        let there = held(&nodes, state.tree, places.values().copied())?;
        let (mut hits, mut absent, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for (id, key) in &places {
            let Some(value) = there.get(key).copied().flatten() else {
                absent.push(*id);
                continue;
            };
            let body: Option<Vec<u8>> = inner
                .db
                .prepare_cached(
                    "SELECT body FROM fragments WHERE ns = ? AND key = ? AND value = ?",
                )?
                .query_row(params![row.id, key.as_bytes(), value.as_bytes()], |found| {
                    found.get(0)
                })
                .optional()?;
            let Some(body) = body else {
                gone.push(*id);
                continue;
            };
            let (salt, fragment) = open_body(seal, namespace, key, &body)?;
            hits.push(Opened {
                id: *id,
                salt,
                fragment,
            });
        }
        let keys: Vec<Key> = places.into_values().collect();
        Ok(Answer {
            proof: tree::prove(&nodes, state.tree, &keys)?,
            state,
            block,
            hits,
            scores: Vec::new(),
            absent,
            gone,
        })
    }

    /// Shows what a version holds at these keys (the newest version if absent); works without the key of a sealed namespace.
    pub fn prove(
        &self,
        namespace: &NamespaceId,
        keys: &[Key],
        version: Option<u64>,
    ) -> Result<(State, Proof), MemoryError> {
        let inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        let (state, _) = state(&inner.db, &row, version)?;
        let nodes = Stored {
            db: &inner.db,
            cache: &inner.cache,
        };
        Ok((state, tree::prove(&nodes, state.tree, keys)?))
    }
}
