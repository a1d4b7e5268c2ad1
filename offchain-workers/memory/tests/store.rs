//! The store, its proofs, and attacks on them.

mod common;

use codec::Encode;
use common::*;
use std::{fs, path::PathBuf};
use touchstone_memory::{Change, MemoryError, Query, Store, digest};
use touchstone_primitives::{
    H256,
    memory::{
        Fragment, MAX_TEXT, State, Write,
        answer::{Opened, Tampered},
        batch_root, namespace_id,
        tree::{self, BadProof},
        value,
    },
};

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
    let state = store.commit(&ns, &changes).unwrap();
    assert_eq!((state.version, state.count), (1, 2));
    drop(store);
    let store = place.open();
    assert_eq!(store.state(&ns, None).unwrap(), (state, None));
    let found = search(&store, &ns, "which rock is igneous?");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].fragment.text, "granite is an igneous rock");
    assert_eq!(get(&store, &ns, &changes[0]).hits, found);
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
    let (old, _) = store.state(&ns, None).unwrap();
    store.commit(&ns, &changes[10..]).unwrap();
    let query = Query {
        text: "fragment number 3".into(),
        k: 5,
        ..Query::default()
    };
    let honest = store.search(&ns, &query).unwrap();
    assert_eq!(honest.verify(), Ok(()));

    let mut altered = honest.clone();
    altered.hits[0].fragment.text.push('!');
    let first = honest.hits[0].id;
    assert_eq!(altered.verify(), Err(Tampered::Altered(first)));

    let mut stale = honest.clone();
    stale.state = old;
    assert_eq!(stale.verify(), Err(Tampered::Proof(BadProof::OtherRoot)));

    // Version and count are part of the root, which is compared with the chain's.
    for change in [
        |a: &mut State| a.version += 1,
        |a: &mut State| a.count += 1,
        |a: &mut State| a.tree.0[0] ^= 1,
    ] {
        let mut forged = honest.state;
        change(&mut forged);
        assert_ne!(forged.root(), honest.state.root());
    }

    let mut moved = honest.clone();
    moved.state.namespace = other;
    assert!(moved.verify().is_err());

    let mut swapped = honest.clone();
    swapped.hits[0].id = honest.hits[1].id;
    assert!(swapped.verify().is_err());

    let mut cut = honest.clone();
    cut.proof.0.pop();
    assert_eq!(cut.verify(), Err(Tampered::Proof(BadProof::Malformed)));

    let mut salted = honest;
    salted.hits[0].salt.0[5] ^= 1;
    assert_eq!(salted.verify(), Err(Tampered::Altered(first)));
}

#[test]
fn deleting_leaves_no_byte_of_the_text_and_can_be_proven() {
    let place = Place::new();
    let store = place.open();
    let ns = store.create("topic", None).unwrap();
    let secret = "xylophonesecret is the word";
    let change = put(&ns, secret);
    let salt = change.content.as_ref().unwrap().salt;
    let others: Vec<_> = (0..200)
        .map(|n| put(&ns, &format!("other text {n}")))
        .collect();
    store.commit(&ns, std::slice::from_ref(&change)).unwrap();
    store.commit(&ns, &others).unwrap();
    assert_eq!(search(&store, &ns, "xylophonesecret").len(), 1);
    assert!(place.holds(secret) && place.bytes().windows(32).any(|w| w == salt.as_bytes()));
    store.commit(&ns, &[delete(&ns, &change)]).unwrap();
    assert!(search(&store, &ns, "xylophonesecret").is_empty());
    assert!(!place.holds(secret) && !place.holds("xylophonesecret"));
    assert!(!place.bytes().windows(32).any(|w| w == salt.as_bytes()));
    let now = get(&store, &ns, &change);
    assert_eq!(
        (now.absent.as_slice(), now.state.count),
        (&[id(&change)][..], 200)
    );
    // The version before still proves that something was there, without saying what.
    let before = store.get(&ns, &[id(&change)], Some(2)).unwrap();
    assert_eq!(
        (before.verify(), before.gone.as_slice()),
        (Ok(()), &[id(&change)][..])
    );
    let (state, proof) = store.prove(&ns, &[change.write.key], Some(2)).unwrap();
    let held = tree::verify(&state.tree, &proof, &[change.write.key]);
    assert_eq!(held, Ok(vec![change.write.value]));
    // Whoever has kept the signed write cannot bring the fragment back.
    assert!(matches!(
        store.commit(&ns, &[change]),
        Err(MemoryError::Replayed(0))
    ));
}

#[test]
fn a_whole_namespace_is_forgotten_to_the_last_byte() {
    let place = Place::new();
    let store = place.open();
    let (ns, other) = (
        store.create("topic", None).unwrap(),
        store.create("other", None).unwrap(),
    );
    let secret = "xylophonesecret is the word";
    let changes: Vec<_> = (0..50)
        .map(|n| put(&ns, &format!("{secret} {n}")))
        .collect();
    store.commit(&ns, &changes).unwrap();
    store.commit(&other, &[put(&other, "stays")]).unwrap();
    store.delete_namespace(&ns).unwrap();
    assert!(!place.holds("xylophonesecret") && !place.holds("topic"));
    assert!(matches!(
        store.search(&ns, &Query::default()),
        Err(MemoryError::UnknownNamespace(_))
    ));
    drop(store);
    let store = place.open();
    assert_eq!(texts(&store, &other), ["stays"]);
    // It may be made again, and is another one then.
    store.create("topic", None).unwrap();
    assert_eq!(store.state(&ns, None).unwrap().0, State::empty(ns));
}

#[test]
fn a_deletion_that_a_crash_interrupts_is_finished_at_the_next_start() {
    for step in ["commit: durable", "forget: durable"] {
        let (place, crashed) = (Place::new(), Place::new());
        let (from, to) = (place.0.path().to_owned(), crashed.0.path().to_owned());
        let probe = move |at: &'static str| {
            // What a crash at this step would leave.
            for name in ["memory.db", "memory.db-wal"].iter().filter(|_| at == step) {
                fs::copy(from.join(name), to.join(name)).unwrap();
            }
        };
        let store = Store::open_probed(&place.file(), Some(std::sync::Arc::new(probe))).unwrap();
        let ns = store.create("topic", None).unwrap();
        let secret = put(&ns, "xylophonesecret is the word");
        store.commit(&ns, std::slice::from_ref(&secret)).unwrap();
        if step.starts_with("commit") {
            store.commit(&ns, &[delete(&ns, &secret)]).unwrap();
        } else {
            store.delete_namespace(&ns).unwrap();
        }
        assert!(crashed.holds("xylophonesecret"), "{step}");
        let store = crashed.open();
        assert!(!crashed.holds("xylophonesecret"), "{step}");
        let held = store.namespaces().unwrap();
        assert!(held.iter().all(|held| held.state.count == 0), "{step}");
    }
}

#[test]
fn a_write_fits_what_it_replaces_and_counts_once() {
    let place = Place::new();
    let store = place.open();
    let ns = store.create("topic", None).unwrap();
    let first = put(&ns, "first");
    let second = replace(&ns, &first, "second");
    let third = replace(&ns, &second, "third");
    // In one batch they are a chain, of which the last one stays.
    let too_early = [first.clone(), third.clone(), second.clone()];
    let key = first.write.key;
    assert!(matches!(
        store.commit(&ns, &too_early),
        Err(MemoryError::Conflict { at: 1, key: k }) if k == key
    ));
    assert_eq!(store.state(&ns, None).unwrap().0.version, 0);
    store
        .commit(&ns, &[first.clone(), second.clone(), third.clone()])
        .unwrap();
    assert_eq!(texts(&store, &ns), ["third"]);
    assert!(!place.holds("second"));
    let now = get(&store, &ns, &first).hits.remove(0);
    assert_eq!(Some(value(&now.salt, &now.fragment)), third.write.value);
    // Replayed puts.
    for old in [&first, &second, &third] {
        assert!(matches!(
            store.commit(&ns, std::slice::from_ref(old)),
            Err(MemoryError::Replayed(0))
        ));
    }
    // A deletion of what was there before is none of what is there now.
    assert!(matches!(
        store.commit(&ns, &[delete(&ns, &second)]),
        Err(MemoryError::Conflict { at: 0, .. })
    ));
    let deletion = delete(&ns, &third);
    store.commit(&ns, std::slice::from_ref(&deletion)).unwrap();
    // A replayed deletion, before and after somebody wrote anew.
    let replayed = |store: &Store| {
        assert!(matches!(
            store.commit(&ns, std::slice::from_ref(&deletion)),
            Err(MemoryError::Replayed(0))
        ));
    };
    replayed(&store);
    let anew = Change::put_as(&ns, id(&first), None, fragment("anew"), None, &pair());
    store.commit(&ns, &[anew]).unwrap();
    replayed(&store);
    // Nor twice in one batch.
    let once = put(&ns, "once");
    let twice = [once.clone(), delete(&ns, &once), once];
    assert!(matches!(
        store.commit(&ns, &twice),
        Err(MemoryError::Replayed(2))
    ));
    assert_eq!(texts(&store, &ns), ["anew"]);
}

#[test]
fn what_many_ids_hold_is_shown_by_one_proof_for_any_version() {
    let place = Place::new();
    let store = place.open();
    let ns = store.create("topic", None).unwrap();
    let changes: Vec<_> = (0..30).map(|n| put(&ns, &format!("text {n}"))).collect();
    store.commit(&ns, &changes).unwrap();
    let later = [
        replace(&ns, &changes[1], "changed"),
        delete(&ns, &changes[2]),
        put(&ns, "new"),
    ];
    store.commit(&ns, &later).unwrap();
    let ids = [
        id(&changes[0]),
        id(&changes[1]),
        id(&changes[2]),
        id(&later[2]),
    ];
    let sorted = |entries: &[Opened]| {
        let mut texts: Vec<String> = entries.iter().map(|e| e.fragment.text.clone()).collect();
        texts.sort();
        texts
    };
    let now = store.get(&ns, &ids, None).unwrap();
    assert_eq!(now.verify(), Ok(()));
    assert_eq!(sorted(&now.hits), ["changed", "new", "text 0"]);
    assert_eq!(
        (now.absent.as_slice(), now.gone.as_slice()),
        (&ids[2..3], &[][..])
    );
    let before = store.get(&ns, &ids, Some(1)).unwrap();
    assert_eq!(before.verify(), Ok(()));
    assert_eq!(sorted(&before.hits), ["text 0"]);
    assert_eq!(
        (before.absent.as_slice(), before.gone.len()),
        (&ids[3..], 2)
    );
    assert_eq!(store.get(&ns, &ids, Some(0)).unwrap().absent.len(), 4);
    // Who hides a fragment, or claims one, is found out.
    let mut hiding = now.clone();
    let hidden = hiding.hits.remove(0).id;
    hiding.absent.push(hidden);
    assert_eq!(hiding.verify(), Err(Tampered::Present(hidden)));
}

#[test]
fn vectors_may_come_later() {
    let place = Place::new();
    let store = place.open();
    let key = [1; 32];
    for (name, seal) in [("open", None), ("sealed", Some(&key))] {
        let ns = store.create(name, seal).unwrap();
        let changes = [put(&ns, "granite"), put(&ns, "marble"), put(&ns, "slate")];
        store.commit(&ns, &changes).unwrap();
        let by_meaning = Query {
            vector: Some(vec![1.0, 0.0]),
            k: 2,
            ..Query::default()
        };
        let found = |by: &Query| store.search(&ns, by).unwrap().hits;
        assert!(found(&by_meaning).is_empty());
        assert_eq!(search(&store, &ns, "granite").len(), 1);
        assert_eq!(store.namespace(&ns).unwrap().vectors, 0);
        let waiting = store.unembedded(&ns, 10).unwrap();
        assert_eq!(waiting.len(), 3);
        assert_eq!(store.unembedded(&ns, 2).unwrap().len(), 2);
        let vectors = waiting.iter().take(2).map(|(key, text)| {
            let is_granite = text == "granite";
            (
                *key,
                if is_granite {
                    vec![1.0, 0.0]
                } else {
                    vec![0.0, 1.0]
                },
            )
        });
        let mut vectors: Vec<_> = vectors.collect();
        vectors.push((H256::zero(), vec![1.0, 0.0]));
        assert_eq!(store.set_vectors(&ns, vectors.clone()).unwrap(), 2);
        assert_eq!(store.set_vectors(&ns, vectors).unwrap(), 0);
        assert_eq!(store.namespace(&ns).unwrap().vectors, 2);
        assert_eq!(store.unembedded(&ns, 10).unwrap().len(), 1);
        assert_eq!(found(&by_meaning)[0].fragment.text, "granite");
        assert_eq!(found(&by_meaning).len(), 2);
    }
    drop(store);
    let store = place.open();
    assert_eq!(store.namespace(&namespace_id("open")).unwrap().vectors, 2);
}

#[test]
fn a_client_that_has_the_key_can_tell_which_texts_are_known() {
    let place = Place::new();
    let store = place.open();
    let key = [1; 32];
    for (name, seal) in [("open", None), ("sealed", Some(&key))] {
        let ns = store.create(name, seal).unwrap();
        store.commit(&ns, &[put(&ns, "granite")]).unwrap();
        let digests = ["granite", "marble"].map(|text| digest(seal, &ns, text));
        assert_eq!(store.known(&ns, &digests).unwrap(), [true, false]);
        let other = digest(Some(&[2; 32]), &ns, "granite");
        assert_eq!(store.known(&ns, &[other]).unwrap(), [false]);
        assert!(store.grant(&ns, &key).is_ok());
        assert_eq!(store.grant(&ns, &[2; 32]).is_err(), seal.is_some());
    }
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
    forged.write.contributor = [1; 32].into();
    assert!(matches!(
        store.commit(&ns, &[put(&ns, "x"), forged]),
        Err(MemoryError::BadSignature(1))
    ));
    assert!(matches!(
        store.commit(&ns, &[put(&other, "x")]),
        Err(MemoryError::BadSignature(0))
    ));
    let many: Vec<_> = (0..300).map(|n| put(&ns, &format!("text {n}"))).collect();
    for at in [0, 130, 299] {
        let mut batch = many.clone();
        batch[at].write.signature.0[40] ^= 1;
        assert!(matches!(
            store.commit(&ns, &batch),
            Err(MemoryError::BadSignature(found)) if found == at
        ));
    }
    let mut exchanged = put(&ns, "text");
    exchanged.content.as_mut().unwrap().fragment.text = "another".into();
    assert!(matches!(
        store.commit(&ns, &[exchanged]),
        Err(MemoryError::OtherFragment(0))
    ));
    let mut renamed = put(&ns, "text");
    renamed.content.as_mut().unwrap().id = H256::zero();
    assert!(matches!(
        store.commit(&ns, &[renamed]),
        Err(MemoryError::OtherFragment(0))
    ));
    let long = put(&ns, &"x".repeat(MAX_TEXT + 1));
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
    assert_eq!(store.state(&ns, None).unwrap().0.version, 0);
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
        "UPDATE namespaces SET bytes = 7",
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
        assert!(store.namespace(&ns).unwrap().bytes > 100, "{sql}");
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
        let state = store
            .commit(&ns, &[put(&ns, &format!("text {n}"))])
            .unwrap();
        store
            .set_anchored(&ns, state.version, H256::repeat_byte(1))
            .unwrap();
        // A snapshot is kept for as long as the chain keeps it.
        if state.version == 7 {
            store.pin(&ns, &[5, 6]).unwrap();
            store.pin(&ns, &[5]).unwrap();
        }
    }
    for version in (18..=81).chain([5]) {
        let (state, proof) = store.prove(&ns, &[first.write.key], Some(version)).unwrap();
        assert_eq!(
            tree::verify(&state.tree, &proof, &[first.write.key]),
            Ok(vec![first.write.value])
        );
    }
    for version in [2, 6, 16, 99] {
        assert!(matches!(
            store.prove(&ns, &[first.write.key], Some(version)),
            Err(MemoryError::UnknownVersion(found)) if found == version
        ));
    }
    assert!(store.history(&ns).unwrap().len() <= 67);
    store.pin(&ns, &[]).unwrap();
    let last = store.commit(&ns, &[put(&ns, "last")]).unwrap();
    store
        .set_anchored(&ns, last.version, H256::repeat_byte(1))
        .unwrap();
    assert!(store.prove(&ns, &[first.write.key], Some(5)).is_err());
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
    assert_eq!(
        (pending.previous, pending.state),
        (State::empty(ns).root(), next)
    );
    assert_eq!(pending.batch, batch_root(&log));
    let sizes = changes
        .iter()
        .map(|c| c.content.as_ref().unwrap().fragment.encode().len() as u64);
    assert_eq!(pending.bytes, sizes.sum::<u64>());
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
    assert_eq!((found.hits.len(), found.state.version), (1, 2));
    found.verify().unwrap();
    assert!(matches!(
        store.set_anchored(&ns, 9, H256::zero()),
        Err(MemoryError::UnknownVersion(9))
    ));
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
    let size = change.content.as_ref().unwrap().fragment.encode().len() as u64;
    assert_eq!(store.namespace(&ns).unwrap().bytes, size);
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
            store.get(&ns, &[id(&change)], None),
            Err(MemoryError::Locked)
        ));
        assert!(matches!(
            store.commit(&ns, &[put(&ns, "x")]),
            Err(MemoryError::Locked)
        ));
        assert!(matches!(
            store.page(&ns, None, 0, 10),
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
        let fragment = Fragment {
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
            .map(|hit| hit.fragment.text)
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
