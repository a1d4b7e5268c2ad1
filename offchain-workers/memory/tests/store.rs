//! The store, its proofs, and attacks on them.

mod common;

use common::*;
use proptest::prelude::*;
use std::{collections::BTreeMap, fs, path::PathBuf};
use touchstone_memory::{
    Change, MemoryError, Query, Store, Tampered, namespace_id,
    rules::{self, BadProof, EMPTY, Write},
};
use touchstone_primitives::H256;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn file(&self) -> PathBuf {
        self.0.path().join("memory.db")
    }
    fn open(&self) -> Store {
        Store::open(&self.file()).unwrap()
    }
    /// What is in all files of the store.
    fn bytes(&self) -> Vec<u8> {
        let files = fs::read_dir(self.0.path()).unwrap();
        files
            .flat_map(|file| fs::read(file.unwrap().path()).unwrap())
            .collect()
    }
    fn holds(&self, text: &str) -> bool {
        self.bytes()
            .windows(text.len())
            .any(|w| w == text.as_bytes())
    }
    fn sql(&self, sql: &str) {
        rusqlite::Connection::open(self.file())
            .unwrap()
            .execute_batch(sql)
            .unwrap();
    }
}

#[test]
fn what_is_put_is_found_with_a_proof_and_survives_a_restart() {
    let place = Place::new();
    let store = place.open();
    let ns = store.create("topic", None).unwrap();
    let changes = [
        put(&ns, "granite is an igneous rock"),
        put(&ns, "marble is metamorphic"),
    ];
    let anchor = store.commit(&ns, &changes).unwrap();
    assert_eq!((anchor.version, anchor.count), (1, 2));
    drop(store);
    let store = place.open();
    assert_eq!(store.anchor(&ns).unwrap(), anchor);
    let found = search(&store, &ns, "which rock is igneous?");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].fragment.text, "granite is an igneous rock");
    assert_eq!(store.get(&ns, &id(&changes[0])).unwrap().unwrap(), found[0]);
}

#[test]
fn every_tampered_result_is_found_out() {
    let place = Place::new();
    let store = place.open();
    let (ns, other) = (
        store.create("a", None).unwrap(),
        store.create("b", None).unwrap(),
    );
    let changes: Vec<_> = (0..20)
        .map(|n| put(&ns, &format!("fragment number {n}")))
        .collect();
    store.commit(&ns, &changes[..10]).unwrap();
    let old = store.anchor(&ns).unwrap();
    store.commit(&ns, &changes[10..]).unwrap();
    let query = Query {
        text: "fragment number 3".into(),
        k: 5,
        ..Query::default()
    };
    let honest = store.search(&ns, &query).unwrap();
    assert_eq!(honest.verify(), Ok(()));

    let mut altered = honest.clone();
    altered.hits[0].proven.fragment.text.push('!');
    let first = honest.hits[0].proven.id;
    assert_eq!(altered.verify(), Err(Tampered::Fragment(first)));

    let mut stale = honest.clone();
    stale.anchor = old;
    assert_eq!(stale.verify(), Err(Tampered::Root));
    stale.root = old.root();
    assert_eq!(
        stale.verify(),
        Err(Tampered::Proof {
            id: first,
            reason: BadProof::OtherRoot
        })
    );

    for change in [
        |a: &mut rules::Anchor| a.version += 1,
        |a: &mut rules::Anchor| a.count += 1,
        |a: &mut rules::Anchor| a.tree.0[0] ^= 1,
    ] {
        let mut forged = honest.clone();
        change(&mut forged.anchor);
        assert_eq!(forged.verify(), Err(Tampered::Root));
    }

    let mut moved = honest.clone();
    moved.anchor.namespace = other;
    moved.root = moved.anchor.root();
    assert!(moved.verify().is_err());

    let mut swapped = honest.clone();
    swapped.hits[0].proven.proof = honest.hits[1].proven.proof.clone();
    assert!(swapped.verify().is_err());

    let mut salted = honest;
    salted.hits[0].proven.salt.0[5] ^= 1;
    assert_eq!(salted.verify(), Err(Tampered::Fragment(first)));
}

#[test]
fn deleting_leaves_no_byte_of_the_text_and_can_be_proven() {
    let place = Place::new();
    let store = place.open();
    let ns = store.create("topic", None).unwrap();
    let secret = "xylophonesecret is the word";
    let change = put(&ns, secret);
    let salt = change.content.as_ref().unwrap().1;
    let others: Vec<_> = (0..200)
        .map(|n| put(&ns, &format!("other text {n}")))
        .collect();
    store.commit(&ns, std::slice::from_ref(&change)).unwrap();
    store.commit(&ns, &others).unwrap();
    assert_eq!(search(&store, &ns, "xylophonesecret").len(), 1);
    assert!(place.holds(secret) && place.bytes().windows(32).any(|w| w == salt.as_bytes()));
    store
        .commit(&ns, &[Change::delete(&ns, &id(&change), &pair())])
        .unwrap();
    assert!(search(&store, &ns, "xylophonesecret").is_empty());
    assert!(!place.holds(secret) && !place.holds("xylophonesecret"));
    assert!(!place.bytes().windows(32).any(|w| w == salt.as_bytes()));
    let (anchor, proof) = store.prove(&ns, &id(&change), None).unwrap();
    assert_eq!(
        rules::verify(&anchor.tree, &proof, &rules::key(&ns, &id(&change))),
        Ok(None)
    );
    // The version before still proves that something was there, without saying what.
    let (before, proof) = store.prove(&ns, &id(&change), Some(2)).unwrap();
    let held = rules::verify(&before.tree, &proof, &rules::key(&ns, &id(&change)));
    assert_eq!(held, Ok(change.write.value));
}

#[test]
fn unsigned_forged_or_oversized_writes_are_refused_and_change_nothing() {
    let place = Place::new();
    let store = place.open();
    let (ns, other) = (
        store.create("a", None).unwrap(),
        store.create("b", None).unwrap(),
    );
    let mut forged = put(&ns, "text");
    forged.write.contributor[0] ^= 1;
    assert!(matches!(
        store.commit(&ns, &[put(&ns, "x"), forged]),
        Err(MemoryError::BadSignature(1))
    ));
    assert!(matches!(
        store.commit(&ns, &[put(&other, "x")]),
        Err(MemoryError::BadSignature(0))
    ));
    let mut exchanged = put(&ns, "text");
    exchanged.content.as_mut().unwrap().2.text = "another".into();
    assert!(matches!(
        store.commit(&ns, &[exchanged]),
        Err(MemoryError::OtherFragment(0))
    ));
    let mut renamed = put(&ns, "text");
    renamed.content.as_mut().unwrap().0 = H256::zero();
    assert!(matches!(
        store.commit(&ns, &[renamed]),
        Err(MemoryError::OtherFragment(0))
    ));
    let long = put(&ns, &"x".repeat(touchstone_memory::store::MAX_TEXT + 1));
    assert!(matches!(
        store.commit(&ns, &[long]),
        Err(MemoryError::TooLarge { .. })
    ));
    assert!(matches!(
        store.commit(&namespace_id("c"), &[]),
        Err(MemoryError::UnknownNamespace(_))
    ));
    assert!(matches!(
        store.create("a", None),
        Err(MemoryError::NamespaceExists(_))
    ));
    assert_eq!(store.anchor(&ns).unwrap().version, 0);
}

#[test]
fn a_file_whose_content_was_altered_is_refused_with_the_reason() {
    for sql in [
        "UPDATE fragments SET body = CAST(replace(CAST(body AS TEXT), 'honest', 'forged') AS BLOB) WHERE id = 1",
        "DELETE FROM fragments WHERE id = 1",
        "UPDATE namespaces SET count = 7",
        "UPDATE namespaces SET tree = zeroblob(32)",
        "UPDATE fragments SET value = zeroblob(32) WHERE id = 2",
    ] {
        let place = Place::new();
        let store = place.open();
        let ns = store.create("topic", None).unwrap();
        store
            .commit(&ns, &[put(&ns, "honest text"), put(&ns, "more")])
            .unwrap();
        drop(store);
        place.sql(sql);
        match Store::open(&place.file()) {
            Err(error @ MemoryError::Altered { .. }) => {
                assert!(error.to_string().contains("rebuild"), "{error}");
            }
            other => panic!("{sql}: {:?}", other.err()),
        }
    }
}

#[test]
fn a_damaged_tree_or_full_text_index_is_built_again() {
    for sql in [
        "DELETE FROM nodes",
        "UPDATE nodes SET node = zeroblob(65)",
        "DELETE FROM texts WHERE rowid = 1",
        "INSERT INTO texts (rowid, title, text, ns) VALUES (77, 'x', 'granite forged', 1)",
    ] {
        let place = Place::new();
        let store = place.open();
        let ns = store.create("topic", None).unwrap();
        store
            .commit(
                &ns,
                &[put(&ns, "granite"), put(&ns, "granite too"), put(&ns, "x")],
            )
            .unwrap();
        drop(store);
        place.sql(sql);
        let store = place.open();
        assert_eq!(search(&store, &ns, "granite").len(), 2, "{sql}");
    }
}

#[test]
fn versions_beyond_the_newest_64_are_forgotten_once_they_are_anchored() {
    let place = Place::new();
    let store = place.open();
    let ns = store.create("topic", None).unwrap();
    let first = put(&ns, "first");
    store.commit(&ns, std::slice::from_ref(&first)).unwrap();
    for n in 0..80 {
        let anchor = store
            .commit(&ns, &[put(&ns, &format!("text {n}"))])
            .unwrap();
        store
            .set_anchored(&ns, anchor.version, H256::repeat_byte(1))
            .unwrap();
    }
    for version in 18..=81 {
        let (anchor, proof) = store.prove(&ns, &id(&first), Some(version)).unwrap();
        let key = rules::key(&ns, &id(&first));
        assert_eq!(
            rules::verify(&anchor.tree, &proof, &key),
            Ok(first.write.value)
        );
    }
    assert!(matches!(
        store.prove(&ns, &id(&first), Some(2)),
        Err(MemoryError::UnknownVersion(2))
    ));
    assert!(matches!(
        store.prove(&ns, &id(&first), Some(99)),
        Err(MemoryError::UnknownVersion(99))
    ));
    drop(store);
    place.open();
}

#[test]
fn what_waits_for_the_chain_is_one_batch_from_the_anchored_state() {
    let place = Place::new();
    let store = place.open();
    let ns = store.create("topic", None).unwrap();
    assert_eq!(store.pending(&ns).unwrap(), None);
    let changes = [put(&ns, "one"), put(&ns, "two")];
    store.commit(&ns, &changes[..1]).unwrap();
    let next = store.commit(&ns, &changes[1..]).unwrap();
    let pending = store.pending(&ns).unwrap().unwrap();
    let log: Vec<Write> = changes.iter().map(|c| c.write.clone()).collect();
    assert_eq!((pending.previous.version, pending.next), (0, next));
    assert_eq!(pending.batch, rules::batch_hash(&log));
    let anchored_only = Query {
        text: "one".into(),
        k: 5,
        anchored: true,
        ..Query::default()
    };
    assert!(store.search(&ns, &anchored_only).unwrap().hits.is_empty());
    store.set_anchored(&ns, 2, H256::repeat_byte(5)).unwrap();
    assert_eq!(store.pending(&ns).unwrap(), None);
    let found = store.search(&ns, &anchored_only).unwrap();
    assert_eq!(
        (found.hits.len(), found.block),
        (1, Some(H256::repeat_byte(5)))
    );
    // The next version is not anchored: searches may still be restricted to what is.
    store.commit(&ns, &[put(&ns, "one more")]).unwrap();
    let found = store.search(&ns, &anchored_only).unwrap();
    assert_eq!((found.hits.len(), found.anchor.version), (1, 2));
    found.verify().unwrap();
    assert!(matches!(
        store.set_anchored(&ns, 9, H256::zero()),
        Err(MemoryError::UnknownVersion(9))
    ));
}

#[test]
fn of_two_writers_that_race_one_wins_the_other_rebases_and_nothing_is_lost() {
    let (here, there) = (Place::new(), Place::new());
    let (ours, theirs) = (here.open(), there.open());
    let ns = ours.create("shared", None).unwrap();
    theirs.create("shared", None).unwrap();
    let block = H256::repeat_byte(1);
    let common = [
        put(&ns, "common"),
        put(&ns, "to be deleted"),
        put(&ns, "both change it"),
    ];
    for store in [&ours, &theirs] {
        store.commit(&ns, &common).unwrap();
        store.set_anchored(&ns, 1, block).unwrap();
    }
    let contested = id(&common[2]);
    let mine = [
        put(&ns, "ours"),
        Change::put_as(&ns, contested, fragment("as we want it"), None, &pair()),
    ];
    let won = [
        put(&ns, "theirs"),
        Change::delete(&ns, &id(&common[1]), &pair()),
        Change::put_as(&ns, contested, fragment("as they want it"), None, &pair()),
    ];
    ours.commit(&ns, &mine[..1]).unwrap();
    ours.commit(&ns, &mine[1..]).unwrap();
    let onto = theirs.commit(&ns, &won).unwrap();
    theirs.set_anchored(&ns, 2, block).unwrap();
    // Writes that do not lead to the root on chain are refused, and nothing changes.
    let before = ours.anchor(&ns).unwrap();
    assert!(matches!(
        ours.rebase(&ns, &onto, block, &won[..2]),
        Err(MemoryError::OtherRoot { .. })
    ));
    assert_eq!(ours.anchor(&ns).unwrap(), before);
    let next = ours.rebase(&ns, &onto, block, &won).unwrap();
    assert_eq!((next.version, next.count), (3, 4));
    assert_eq!(ours.pending(&ns).unwrap().unwrap().previous, onto);
    theirs.commit(&ns, &mine).unwrap();
    assert_eq!(theirs.anchor(&ns).unwrap(), next);
    let expected = ["as we want it", "common", "ours", "theirs"];
    assert_eq!(
        (texts(&ours, &ns), texts(&theirs, &ns)),
        (
            expected.map(Into::into).into(),
            expected.map(Into::into).into()
        )
    );
    assert_eq!(search(&ours, &ns, "ours theirs").len(), 2);
    drop(ours);
    assert_eq!(here.open().anchor(&ns).unwrap(), next);
}

#[test]
fn a_node_without_the_grant_cannot_read_a_sealed_namespace() {
    let place = Place::new();
    let key = [42; 32];
    let store = place.open();
    let ns = store.create("user", Some(&key)).unwrap();
    let secret = "quixoticdiary of a person";
    let vector = [0.6, 0.8].repeat(192);
    let scale = 1.0 / (vector.iter().map(|x: &f32| x * x).sum::<f32>()).sqrt();
    let vector: Vec<f32> = vector.iter().map(|x| x * scale).collect();
    let change = Change::put(&ns, fragment(secret), Some(vector.clone()), &pair());
    store.commit(&ns, std::slice::from_ref(&change)).unwrap();
    assert_eq!(search(&store, &ns, "quixoticdiary").len(), 1);
    for word in [secret, "quixoticdiary", "somewhere", "a title", "label"] {
        assert!(!place.holds(word), "{word} is on disk");
    }
    store.revoke(&ns);
    let query = Query {
        text: "quixoticdiary".into(),
        k: 1,
        ..Query::default()
    };
    let denied = |store: &Store| {
        assert!(matches!(
            store.search(&ns, &query),
            Err(MemoryError::Locked)
        ));
        assert!(matches!(
            store.get(&ns, &id(&change)),
            Err(MemoryError::Locked)
        ));
        assert!(matches!(
            store.commit(&ns, &[put(&ns, "x")]),
            Err(MemoryError::Locked)
        ));
        assert!(matches!(
            store.export(&ns, None, &mut |_, _| ()),
            Err(MemoryError::Locked)
        ));
        assert!(!store.namespaces().unwrap()[0].readable);
    };
    denied(&store);
    drop(store);
    let store = place.open();
    denied(&store);
    assert!(matches!(
        store.grant(&ns, &[43; 32]),
        Err(MemoryError::WrongKey)
    ));
    denied(&store);
    store.grant(&ns, &key).unwrap();
    assert_eq!(search(&store, &ns, "quixoticdiary").len(), 1);
    let by_meaning = Query {
        vector: Some(vector),
        k: 1,
        ..Query::default()
    };
    assert_eq!(store.search(&ns, &by_meaning).unwrap().hits.len(), 1);
    // A record that was moved to another place does not open.
    store.commit(&ns, &[put(&ns, "another")]).unwrap();
    drop(store);
    place.sql("UPDATE fragments SET body = (SELECT body FROM fragments WHERE id = 1) WHERE id = 2");
    let store = place.open();
    store.grant(&ns, &key).unwrap();
    assert!(matches!(
        store.search(&ns, &query),
        Err(MemoryError::WrongKey)
    ));
}

#[test]
fn words_and_meaning_are_fused_and_filters_hold() {
    let place = Place::new();
    let store = place.open();
    let ns = store.create("topic", None).unwrap();
    let made = |text: &str, kind: &str, created, label: &str, vector: [f32; 2]| {
        let fragment = rules::Fragment {
            kind: kind.into(),
            created,
            labels: vec![label.into()],
            ..fragment(text)
        };
        Change::put(&ns, fragment, Some(vector.to_vec()), &pair())
    };
    let changes = [
        made("words only", "text", 1, "a", [0.0, 1.0]),
        made("nothing of it", "text", 2, "b", [1.0, 0.0]),
        made("words and meaning", "fact", 3, "a", [1.0, 0.0]),
    ];
    store.commit(&ns, &changes).unwrap();
    let query = Query {
        text: "words".into(),
        vector: Some(vec![1.0, 0.0]),
        k: 3,
        ..Query::default()
    };
    let first = |query: &Query| {
        let found = store.search(&ns, query).unwrap();
        found
            .hits
            .into_iter()
            .map(|hit| hit.proven.fragment.text)
            .collect::<Vec<_>>()
    };
    assert_eq!(first(&query)[0], "words and meaning");
    assert_eq!(first(&query).len(), 3);
    assert_eq!(
        first(&Query {
            kinds: vec!["fact".into()],
            ..query.clone()
        }),
        ["words and meaning"]
    );
    assert_eq!(
        first(&Query {
            labels: vec!["b".into()],
            ..query.clone()
        }),
        ["nothing of it"]
    );
    assert_eq!(
        first(&Query {
            until: Some(1),
            ..query.clone()
        }),
        ["words only"]
    );
    assert_eq!(
        first(&Query {
            since: Some(3),
            ..query.clone()
        }),
        ["words and meaning"]
    );
    assert_eq!(first(&Query { k: 1, ..query }).len(), 1);
    // Operators of the query language are words like others.
    for text in [
        "\"",
        "a AND (b",
        "title:x*",
        "NEAR(",
        "-",
        "",
        "'; DROP TABLE fragments",
    ] {
        first(&Query {
            text: text.into(),
            k: 1,
            ..Query::default()
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_root_depends_on_the_content_alone_and_every_key_is_proven(
        steps in prop::collection::vec(prop::collection::vec((0u8..40, prop::option::of(any::<u8>())), 1..8), 1..12)
    ) {
        // Keys that share long prefixes, so that the tree is deep in places.
        let key = |n: u8| { let mut key = H256::zero(); key.0[usize::from(n % 5) * 7] = n; key.0[31] = n; key };
        let (mut nodes, mut root, mut content) = (BTreeMap::new(), EMPTY, BTreeMap::new());
        for step in steps {
            let changes: Vec<_> = step.iter().map(|(n, v)| (key(*n), v.map(H256::repeat_byte))).collect();
            let update = rules::update(&nodes, root, &changes).unwrap();
            for (key, value) in changes {
                match value { Some(value) => content.insert(key, value), None => content.remove(&key) };
            }
            nodes.extend(update.written);
            for hash in update.dropped { prop_assert!(nodes.remove(&hash).is_some()); }
            root = update.root;
            let all: Vec<_> = content.iter().map(|(k, v)| (*k, Some(*v))).collect();
            let fresh = rules::update(&BTreeMap::new(), EMPTY, &all).unwrap();
            prop_assert_eq!(fresh.root, root);
            prop_assert_eq!(&fresh.written, &nodes);
            for n in 0..45 {
                let proof = rules::prove(&nodes, root, &key(n)).unwrap();
                prop_assert_eq!(rules::verify(&root, &proof, &key(n)), Ok(content.get(&key(n)).copied()));
                let other = rules::verify(&root, &proof, &key(n ^ 1));
                prop_assert!(other.is_err() || other == Ok(content.get(&key(n ^ 1)).copied()));
            }
        }
    }
}
