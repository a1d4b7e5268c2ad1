//! Nodes that are rebuilt from others, catch up, and lose races; and peers that lie to them.

mod common;

use common::*;
use std::path::Path;
use touchstone_memory::{Body, Change, MemoryError, Query, Store};
use touchstone_primitives::{
    H256,
    memory::{MAX_BATCH, Write, batch_root},
};

const BLOCK: H256 = H256::repeat_byte(1);

fn open(folder: &Path, name: &str) -> Store {
    Store::open(&folder.join(name)).unwrap()
}

/// A node with a namespace of some history, anchored.
fn node(folder: &Path, name: &str) -> (Store, H256, Vec<Change>) {
    let store = open(folder, name);
    let ns = store.create("shared", None).unwrap();
    let changes: Vec<_> = (0..20).map(|n| put(&ns, &format!("text {n}"))).collect();
    store.commit(&ns, &changes[..12]).unwrap();
    store.commit(&ns, &changes[12..]).unwrap();
    let changed = [
        replace(&ns, &changes[0], "changed"),
        delete(&ns, &changes[1]),
    ];
    let state = store.commit(&ns, &changed).unwrap();
    store.set_anchored(&ns, state.version, BLOCK).unwrap();
    (store, ns, changes)
}

#[test]
fn a_lost_node_is_rebuilt_from_another_and_proves_its_root() {
    let folder = tempfile::tempdir().unwrap();
    let (from, ns, changes) = node(folder.path(), "from");
    let to = open(folder.path(), "to");
    to.create_replica("shared", None).unwrap();
    copy(&from, &to, &ns, BLOCK).unwrap();
    let (state, block) = to.state(&ns, None).unwrap();
    assert_eq!((state, block), from.state(&ns, None).unwrap());
    assert_eq!(to.namespace(&ns).unwrap(), from.namespace(&ns).unwrap());
    assert_eq!(texts(&to, &ns), texts(&from, &ns));
    assert_eq!(get(&to, &ns, &changes[5]), get(&from, &ns, &changes[5]));
    assert_eq!(get(&to, &ns, &changes[1]).absent, [id(&changes[1])]);
    assert_eq!(search(&to, &ns, "changed").len(), 1);
    // It serves others in turn, and follows what is written later.
    let third = open(folder.path(), "third");
    third.create_replica("shared", None).unwrap();
    copy(&to, &third, &ns, BLOCK).unwrap();
    from.commit(&ns, &[put(&ns, "later"), delete(&ns, &changes[2])])
        .unwrap();
    for store in [&to, &third] {
        copy(&from, store, &ns, BLOCK).unwrap();
        assert_eq!(search(store, &ns, "later").len(), 1);
        assert_eq!(
            store.log(&ns, 0, MAX_BATCH).unwrap(),
            from.log(&ns, 0, MAX_BATCH).unwrap()
        );
    }
    drop((to, third));
    for name in ["to", "third"] {
        let store = open(folder.path(), name);
        assert_eq!(
            store.state(&ns, None).unwrap().0,
            from.state(&ns, None).unwrap().0
        );
    }
}

#[test]
fn pages_of_the_log_are_whole_versions() {
    let folder = tempfile::tempdir().unwrap();
    let (store, ns, _) = node(folder.path(), "from");
    let lengths = |after, limit| {
        let page = store.log(&ns, after, limit).unwrap();
        let last = page.last().map_or(after, |(version, _)| *version);
        (page.len(), last)
    };
    assert_eq!(lengths(0, 1), (12, 1));
    assert_eq!(lengths(0, 12), (12, 1));
    assert_eq!(lengths(0, 19), (12, 1));
    assert_eq!(lengths(0, 20), (20, 2));
    assert_eq!(lengths(0, 1000), (22, 3));
    assert_eq!(lengths(1, 1), (8, 2));
    assert_eq!(lengths(3, 1000), (0, 3));
}

#[test]
fn a_rebuild_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let (from, ns, _) = node(folder.path(), "from");
    let onto = from.state(&ns, None).unwrap().0;
    let to = open(folder.path(), "to");
    to.create_replica("shared", None).unwrap();
    to.stage_log(&ns, &from.log(&ns, 0, 12).unwrap()).unwrap();
    drop(to);
    let to = open(folder.path(), "to");
    assert_eq!(to.staged(&ns).unwrap().version, 1);
    assert!(matches!(
        to.adopt(&ns, &onto, BLOCK, None),
        Err(MemoryError::OtherVersion {
            staged: 1,
            wanted: 3
        })
    ));
    // The same page again does not follow.
    assert!(matches!(
        to.stage_log(&ns, &from.log(&ns, 0, 12).unwrap()),
        Err(MemoryError::OutOfOrder(1))
    ));
    to.stage_log(&ns, &from.log(&ns, 1, 100).unwrap()).unwrap();
    // What a later line deletes or replaces is not asked for.
    let missing = to.missing(&ns, 100).unwrap();
    assert_eq!(missing.len(), 19);
    let some = from.contents(&ns, &missing[..7]).unwrap();
    assert_eq!(to.stage(&ns, some).unwrap(), 7);
    assert!(matches!(
        to.adopt(&ns, &onto, BLOCK, None),
        Err(MemoryError::Incomplete(12))
    ));
    drop(to);
    let to = open(folder.path(), "to");
    let staged = to.staged(&ns).unwrap();
    assert_eq!((staged.lines, staged.contents, staged.missing), (22, 7, 12));
    copy(&from, &to, &ns, BLOCK).unwrap();
    assert_eq!(texts(&to, &ns), texts(&from, &ns));
    let staged = to.staged(&ns).unwrap();
    assert_eq!((staged.version, staged.lines, staged.contents), (3, 0, 0));
}

#[test]
fn a_peer_that_lies_is_found_out_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (from, ns, changes) = node(folder.path(), "from");
    let onto = from.state(&ns, None).unwrap().0;
    let to = open(folder.path(), "to");
    to.create_replica("shared", None).unwrap();
    let log = from.log(&ns, 0, 100).unwrap();

    let mut forged = log.clone();
    forged[3].1.signature.0[7] ^= 1;
    assert!(matches!(
        to.stage_log(&ns, &forged),
        Err(MemoryError::BadSignature(3))
    ));
    let mut disordered = log.clone();
    disordered.swap(0, 21);
    assert!(matches!(
        to.stage_log(&ns, &disordered),
        Err(MemoryError::OutOfOrder(3))
    ));
    assert_eq!(to.staged(&ns).unwrap().lines, 0);

    let provide = |log: &[(u64, Write)]| {
        to.stage_log(&ns, log).unwrap();
        let missing = to.missing(&ns, 100).unwrap();
        to.stage(&ns, from.contents(&ns, &missing).unwrap())
            .unwrap();
    };
    let refused = |error: &dyn Fn(&MemoryError) -> bool, batch| {
        let result = to.adopt(&ns, &onto, BLOCK, batch).unwrap_err();
        assert!(error(&result), "{result:?}");
        assert_eq!(to.staged(&ns).unwrap().lines, 0);
        assert_eq!(to.state(&ns, None).unwrap().0.version, 0);
    };
    // A line is left out, one is there twice, one comes before what it replaces, one is added.
    provide(&[&log[..5], &log[6..]].concat());
    refused(&|e| matches!(e, MemoryError::OtherRoot { .. }), None);
    provide(&[&log[..6], &log[5..]].concat());
    refused(&|e| matches!(e, MemoryError::Replayed(6)), None);
    let mut early = log.clone();
    early.remove(0);
    provide(&early);
    refused(&|e| matches!(e, MemoryError::Conflict { at: 19, .. }), None);
    provide(&[&log[..], &[(3, delete(&ns, &changes[7]).write)]].concat());
    refused(&|e| matches!(e, MemoryError::OtherRoot { .. }), None);
    // The state is right, but not by this way.
    let mut reordered = log.clone();
    reordered.swap(2, 3);
    let writes: Vec<Write> = log.iter().map(|(_, write)| write.clone()).collect();
    provide(&reordered);
    refused(
        &|e| matches!(e, MemoryError::OtherBatch),
        Some(batch_root(&writes)),
    );

    // Content that is not what was signed is left out.
    to.unstage(&ns).unwrap();
    to.stage_log(&ns, &log).unwrap();
    let missing = to.missing(&ns, 100).unwrap();
    let mut contents = from.contents(&ns, &missing).unwrap();
    if let Body::Open { fragment, .. } = &mut contents[4].body {
        fragment.text.push('!');
    }
    contents[5].id = contents[6].id;
    contents[7].body = Body::Sealed(vec![0; 100]);
    contents[8].vector = Some([f32::INFINITY.to_le_bytes(), [127; 4]].concat());
    assert_eq!(to.stage(&ns, contents).unwrap(), 16);
    assert_eq!(to.missing(&ns, 100).unwrap().len(), 3);
    copy(&from, &to, &ns, BLOCK).unwrap();
    assert_eq!(to.log(&ns, 0, 100).unwrap(), log);
    assert_eq!(to.namespace(&ns).unwrap().vectors, 0);
}

#[test]
fn of_two_writers_that_race_one_wins_the_other_follows_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, ns, common) = node(folder.path(), "ours");
    let theirs = open(folder.path(), "theirs");
    theirs.create_replica("shared", None).unwrap();
    copy(&ours, &theirs, &ns, BLOCK).unwrap();

    let (both, twice) = (&common[10], put(&ns, "given to both"));
    let mine = [
        put(&ns, "ours"),
        twice.clone(),
        replace(&ns, both, "as we want it"),
        delete(&ns, &common[11]),
        delete(&ns, &common[13]),
    ];
    ours.commit(&ns, &mine[..1]).unwrap();
    ours.commit(&ns, &mine[1..]).unwrap();
    assert_eq!(search(&ours, &ns, "as we want it").len(), 1);
    let won = [
        put(&ns, "theirs"),
        twice,
        delete(&ns, &common[12]),
        replace(&ns, both, "as they want it"),
        replace(&ns, &common[13], "better"),
    ];
    theirs.commit(&ns, &won).unwrap();
    theirs.set_anchored(&ns, 4, BLOCK).unwrap();
    let pending = ours.pending(&ns).unwrap().unwrap();
    let onto = theirs.state(&ns, None).unwrap().0;
    copy(&theirs, &ours, &ns, BLOCK).unwrap();

    let state = ours.state(&ns, None).unwrap().0;
    assert_eq!((state.version, state.count), (5, 20 - 1 - 2 + 3));
    let next = ours.pending(&ns).unwrap().unwrap();
    assert_eq!((next.previous, next.state), (onto.root(), state));
    assert_ne!(next, pending);
    let all = texts(&ours, &ns);
    for text in [
        "ours",
        "theirs",
        "given to both",
        "as they want it",
        "better",
    ] {
        assert_eq!(all.iter().filter(|t| *t == text).count(), 1, "{text}");
        assert!(
            search(&ours, &ns, text)
                .iter()
                .any(|e| e.fragment.text == text)
        );
    }
    // What does not fit any more is kept, with its text.
    let conflicts = ours.conflicts(&ns).unwrap();
    let writes: Vec<&Write> = conflicts.iter().map(|conflict| &conflict.write).collect();
    assert_eq!(writes, [&mine[2].write, &mine[4].write]);
    match &conflicts[0].content.as_ref().unwrap().body {
        Body::Open { fragment, .. } => assert_eq!(fragment.text, "as we want it"),
        other => panic!("{other:?}"),
    }
    assert_eq!(conflicts[1].content, None);
    let hashes: Vec<H256> = writes.iter().map(|write| write.hash()).collect();
    ours.resolve(&ns, &hashes).unwrap();
    assert!(ours.conflicts(&ns).unwrap().is_empty());
    // The winner takes what the loser has put on top.
    ours.set_anchored(&ns, 5, BLOCK).unwrap();
    copy(&ours, &theirs, &ns, BLOCK).unwrap();
    assert_eq!(theirs.namespace(&ns).unwrap(), ours.namespace(&ns).unwrap());
    assert_eq!(texts(&theirs, &ns), all);
    drop((ours, theirs));
    for name in ["ours", "theirs"] {
        assert_eq!(open(folder.path(), name).state(&ns, None).unwrap().0, state);
    }
}

#[test]
fn what_the_chain_has_from_us_is_adopted_without_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let (store, ns, _) = node(folder.path(), "one");
    let onto = store.commit(&ns, &[put(&ns, "waits")]).unwrap();
    let newer = store.commit(&ns, &[put(&ns, "waits too")]).unwrap();
    let adopted = store.adopt(&ns, &onto, BLOCK, None).unwrap();
    assert_eq!(adopted.state, newer);
    assert_eq!(store.namespace(&ns).unwrap().anchored, Some((4, BLOCK)));
}

#[test]
fn a_sealed_namespace_is_held_by_nodes_that_cannot_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let key = [9; 32];
    let from = open(folder.path(), "from");
    let ns = from.create("diary", Some(&key)).unwrap();
    let change = Change::put(
        &ns,
        fragment("quixotic secret"),
        Some(vec![1.0, 0.0]),
        &pair(),
    );
    from.commit(&ns, &[change.clone(), put(&ns, "another")])
        .unwrap();
    let to = open(folder.path(), "to");
    let token = from.token(&ns).unwrap();
    to.create_replica("diary", token.as_deref()).unwrap();
    copy(&from, &to, &ns, BLOCK).unwrap();
    let held = to.namespace(&ns).unwrap();
    assert!(held.sealed && !held.readable);
    assert_eq!(held.bytes, from.namespace(&ns).unwrap().bytes);
    assert!(matches!(
        to.search(&ns, &Query::default()),
        Err(MemoryError::Locked)
    ));
    // It proves what it cannot read, and serves it.
    assert!(to.prove(&ns, &[change.write.key], None).is_ok());
    let third = open(folder.path(), "third");
    third.create_replica("diary", token.as_deref()).unwrap();
    third.stage_log(&ns, &to.log(&ns, 0, 9).unwrap()).unwrap();
    let mut contents = to.contents(&ns, &third.missing(&ns, 9).unwrap()).unwrap();
    for content in &mut contents {
        if let Body::Sealed(body) = &mut content.body
            && content.id == id(&change)
        {
            body[50] ^= 1;
        }
    }
    // Only the key shows that a byte was altered: at once where it is granted,
    assert_eq!(third.stage(&ns, contents.clone()).unwrap(), 2);
    let onto = to.state(&ns, None).unwrap().0;
    third.grant(&ns, &key).unwrap();
    assert!(matches!(
        third.adopt(&ns, &onto, BLOCK, None),
        Err(MemoryError::OtherContent(at)) if at == change.write.key
    ));
    assert_eq!(third.stage(&ns, contents.clone()).unwrap(), 1);
    copy(&to, &third, &ns, BLOCK).unwrap();
    assert_eq!(search(&third, &ns, "quixotic").len(), 1);
    // else when it is.
    let fourth = open(folder.path(), "fourth");
    fourth.create_replica("diary", token.as_deref()).unwrap();
    fourth.stage_log(&ns, &to.log(&ns, 0, 9).unwrap()).unwrap();
    assert_eq!(fourth.stage(&ns, contents).unwrap(), 2);
    fourth.adopt(&ns, &onto, BLOCK, None).unwrap();
    fourth.grant(&ns, &key).unwrap();
    assert!(fourth.search(&ns, &Query::default()).is_err());

    to.grant(&ns, &key).unwrap();
    assert_eq!(
        search(&to, &ns, "quixotic")[0].fragment.text,
        "quixotic secret"
    );
    let digest = touchstone_memory::digest(Some(&key), &ns, "another");
    assert_eq!(to.known(&ns, &[digest]).unwrap(), [true]);
    let by_meaning = Query {
        vector: Some(vec![1.0, 0.0]),
        k: 1,
        ..Query::default()
    };
    assert_eq!(to.search(&ns, &by_meaning).unwrap().hits.len(), 1);
}
