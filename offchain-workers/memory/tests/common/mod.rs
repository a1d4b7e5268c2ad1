//! What the tests of the store share.
#![allow(dead_code)]

use sp_core::{Pair, sr25519};
use touchstone_memory::{Change, Proven, Query, Store, rules::Fragment};
use touchstone_primitives::H256;

pub fn pair() -> sr25519::Pair {
    sr25519::Pair::from_seed(&[7; 32])
}

pub fn fragment(text: &str) -> Fragment {
    Fragment {
        text: text.into(),
        title: "a title".into(),
        source: "somewhere".into(),
        kind: "text".into(),
        created: 1000,
        labels: vec!["label".into()],
    }
}

pub fn put(namespace: &H256, text: &str) -> Change {
    Change::put(namespace, fragment(text), None, &pair())
}

pub fn id(change: &Change) -> H256 {
    change.content.as_ref().unwrap().0
}

pub fn search(store: &Store, namespace: &H256, text: &str) -> Vec<Proven> {
    let query = Query {
        text: text.into(),
        k: 10,
        ..Query::default()
    };
    let found = store.search(namespace, &query).unwrap();
    found.verify().unwrap();
    found.hits.into_iter().map(|hit| hit.proven).collect()
}

pub fn texts(store: &Store, namespace: &H256) -> Vec<String> {
    let mut texts = Vec::new();
    store
        .export(namespace, None, &mut |_, fragment| {
            texts.push(fragment.text)
        })
        .unwrap();
    texts.sort();
    texts
}
