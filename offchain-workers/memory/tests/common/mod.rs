//! What the tests of the store share.
#![allow(dead_code)]

use sp_core::{Pair, sr25519};
use touchstone_memory::{Answer, Change, MemoryError, Query, Sink, Store, digest};
use touchstone_primitives::{
    H256,
    memory::{Fragment, answer::Opened},
};

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
    change.content.as_ref().unwrap().id
}

pub fn search(store: &Store, namespace: &H256, text: &str) -> Vec<Opened> {
    let query = Query {
        text: text.into(),
        k: 10,
        ..Query::default()
    };
    let found = store.search(namespace, &query).unwrap();
    found.verify().unwrap();
    found.hits
}

pub fn texts(store: &Store, namespace: &H256) -> Vec<String> {
    let (page, _) = store.page(namespace, None, 0, 100_000).unwrap();
    let mut texts: Vec<String> = page.into_iter().map(|(_, f)| f.text).collect();
    texts.sort();
    texts
}

/// Deletes what a put has put.
pub fn delete(namespace: &H256, put: &Change) -> Change {
    Change::delete(namespace, &id(put), put.write.value.unwrap(), &pair())
}

/// Puts another text where a put has put one.
pub fn replace(namespace: &H256, put: &Change, text: &str) -> Change {
    let previous = put.write.value;
    Change::put_as(namespace, id(put), previous, fragment(text), None, &pair())
}

pub fn get(store: &Store, namespace: &H256, change: &Change) -> Answer {
    let proven = store.get(namespace, &[id(change)], None).unwrap();
    proven.verify().unwrap();
    proven
}

/// Signs what is ingested, and puts it into a store.
pub struct Direct<'a>(pub &'a Store, pub H256);

impl Sink for Direct<'_> {
    fn known(&mut self, texts: &[&str]) -> Result<Vec<bool>, MemoryError> {
        let digests: Vec<H256> = texts
            .iter()
            .map(|text| digest(None, &self.1, text))
            .collect();
        self.0.known(&self.1, &digests)
    }

    fn put(&mut self, fragments: Vec<Fragment>) -> Result<(), MemoryError> {
        let changes: Vec<Change> = fragments
            .into_iter()
            .map(|fragment| Change::put(&self.1, fragment, None, &pair()))
            .collect();
        self.0.commit(&self.1, &changes).map(drop)
    }
}

/// Moves all that `to` lacks of the newest state of `from` there, and adopts it; a few lines and keys at a time.
pub fn copy(from: &Store, to: &Store, namespace: &H256, block: H256) -> Result<(), MemoryError> {
    loop {
        let page = from.log(namespace, to.staged(namespace)?.version, 5)?;
        if page.is_empty() {
            break;
        }
        to.stage_log(namespace, &page)?;
    }
    loop {
        let missing = to.missing(namespace, 3)?;
        if missing.is_empty() {
            break;
        }
        assert!(to.stage(namespace, from.contents(namespace, &missing)?)? > 0);
    }
    let (onto, _) = from.state(namespace, None)?;
    to.adopt(namespace, &onto, block, None).map(drop)
}
