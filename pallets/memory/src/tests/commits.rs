use crate::{Error, Event, Namespaces, Roots, mock::*, types::Refusal};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchError::BadOrigin;
use touchstone_primitives::{
    H256,
    consortium::NodeStatus,
    memory::{Commit, RETAINED, State, Writer, Writers, namespace_id},
};

#[docify::export]
#[test]
fn a_writer_commits_and_what_it_wrote_is_proven() {
    run(|| {
        // A member's own namespace, which nobody else may change.
        let id = create("notes", Writers::Owner);
        next_block();
        let commit = commit(id, 3);
        assert_ok!(submit(Writer::Account(member()), commit.clone()));
        assert_eq!(Memory::namespace(id).unwrap().root, commit.state.root());

        // What is there, and what is not, shows in a proof against the new root.
        let (key, value) = leaves(3)[0];
        let missing = H256::repeat_byte(7);
        let (keys, proof) = ([key, missing], prove(3, &[key, missing]));
        assert_eq!(
            Memory::memory_verify(id, 3, &keys, &proof),
            Ok(vec![Some(value), None])
        );

        // Who still goes on from the old root is too late.
        next_block();
        let late = Commit {
            previous: State::empty(id).root(),
            ..commit
        };
        assert_eq!(
            submit(Writer::Account(member()), late),
            Err(Refusal::StaleRoot.into())
        );
    })
}

#[test]
fn a_commit_is_published_and_kept() {
    run(|| {
        let id = create("notes", Writers::Nodes);
        next_block();
        let Commit {
            state,
            batch,
            bytes,
            ..
        } = commit(id, 5);
        assert_ok!(submit(by_node(), commit(id, 5)));
        let event = Event::RootCommitted {
            namespace: id,
            version: 5,
            root: state.root(),
            count: 5,
            batch,
            writer: Some(by_node()),
        };
        assert_eq!(last_event(), event);
        let found = Namespaces::<Test>::get(id).unwrap();
        assert_eq!(
            (found.state, found.bytes, found.committed_at),
            (state, bytes, 2)
        );
        assert_eq!(found.retained.to_vec(), [0, 5]);
        let root = Roots::<Test>::get(id, 5).unwrap();
        assert_eq!((root.state, root.batch, root.block), (state, batch, 2));
        assert_eq!((root.writer, root.snapshot), (Some(by_node()), None));
    })
}

#[test]
fn writers_are_those_whom_the_policy_names() {
    run(|| {
        let granted = stranger();
        for (writers, owner, listed, any_node) in [
            (Writers::Owner, true, false, false),
            (Writers::Listed, true, true, false),
            (Writers::Nodes, true, true, true),
            (Writers::Council, false, false, false),
        ] {
            let id = create(&format!("{writers:?}"), writers);
            assert_ok!(Memory::grant(signed(member()), id, granted.clone(), WRITE));
            next_block();
            let may = |writer| validate(submission(writer, commit(id, 1)));
            for (writer, expected) in [
                (by(member()), owner),
                (by(granted.clone()), listed),
                (by_node(), any_node),
                (by(other_member()), false),
            ] {
                let result = may(writer.clone());
                assert_eq!(result.is_ok(), expected, "{writer:?} in {writers:?}");
                if !expected {
                    assert_eq!(result.err(), Some(Refusal::NotPermitted.into()));
                }
            }
        }
    })
}

#[test]
fn a_node_writes_what_its_account_owns_or_is_listed_for() {
    run(|| {
        let id = create("notes", Writers::Owner);
        assert_ok!(Memory::transfer(signed(member()), id, node()));
        next_block();
        assert_ok!(submit(by_node(), commit(id, 1)));
        let id = create("list", Writers::Listed);
        assert_ok!(Memory::grant(signed(member()), id, node(), WRITE));
        next_block();
        assert_ok!(submit(by_node(), commit(id, 1)));
    })
}

#[test]
fn the_last_64_versions_are_kept() {
    run(|| {
        let id = create("notes", Writers::Owner);
        let last = u64::from(RETAINED) - 1;
        commit_versions(id, 1..=last);
        assert_eq!(Roots::<Test>::iter_prefix(id).count() as u64, last + 1);
        assert!(Roots::<Test>::contains_key(id, 0));
        commit_versions(id, [last + 1]);
        assert!(!Roots::<Test>::contains_key(id, 0));
        commit_versions(id, [last + 500]);
        assert!(!Roots::<Test>::contains_key(id, 1));
        assert!(Roots::<Test>::contains_key(id, 2));
        assert_eq!(Roots::<Test>::iter_prefix(id).count() as u64, last + 1);
    })
}

#[test]
fn a_namespace_can_become_empty_again() {
    run(|| {
        let id = create("notes", Writers::Owner);
        commit_versions(id, [4]);
        next_block();
        let mut empty = commit(id, 0);
        empty.state.version = 5;
        assert_ok!(submit(by(member()), empty));
        assert_eq!(Namespaces::<Test>::get(id).unwrap().state.count, 0);
    })
}

#[test]
fn the_council_commits_where_only_it_may() {
    run(|| {
        let (id, other) = (
            create("canon", Writers::Council),
            create("notes", Writers::Nodes),
        );
        next_block();
        let next = commit(id, 2);
        let by_council = |commit| Memory::commit_root_by_council(RuntimeOrigin::root(), commit);
        assert_noop!(
            Memory::commit_root_by_council(signed(member()), next.clone()),
            BadOrigin
        );
        assert_noop!(by_council(commit(other, 1)), Error::<Test>::NotForCouncil);
        assert_noop!(
            by_council(commit(namespace_id("nothing"), 1)),
            Error::<Test>::UnknownNamespace
        );
        assert_ok!(by_council(next.clone()));
        assert!(matches!(
            last_event(),
            Event::RootCommitted { writer: None, .. }
        ));
        assert_eq!(Roots::<Test>::get(id, 2).unwrap().writer, None);
        assert_noop!(by_council(next), Error::<Test>::StaleRoot);
        assert_noop!(by_council(commit(id, 3)), Error::<Test>::TooManyInBlock);
    })
}

#[test]
fn commits_of_writers_cannot_keep_the_council_out_of_a_block() {
    run(|| {
        let canon = create("canon", Writers::Council);
        let ids: Vec<_> = (0..MAX_COMMITS)
            .map(|n| create(&n.to_string(), Writers::Owner))
            .collect();
        next_block();
        for id in ids {
            assert_ok!(submit(by(member()), commit(id, 1)));
        }
        let council = RuntimeOrigin::root();
        assert_ok!(Memory::commit_root_by_council(council, commit(canon, 1)));
    })
}

#[test]
fn the_pool_keeps_one_commit_for_each_root_until_it_expires() {
    run(|| {
        let id = create("notes", Writers::Nodes);
        go_to(7);
        let valid = validate(signed_by(&worker(&node()), by_node(), commit(id, 1), 12)).unwrap();
        assert_eq!(valid.longevity, 6);
        assert!(valid.propagate && valid.requires.is_empty());
        // Another version, another writer: the same place in the pool.
        let rival = validate(submission(Writer::Node(other_node()), commit(id, 2))).unwrap();
        assert_eq!(valid.provides, rival.provides);
        let other = create("other", Writers::Nodes);
        next_block();
        let other = validate(submission(by_node(), commit(other, 1))).unwrap();
        assert_ne!(valid.provides, other.provides);
        assert_ok!(submit(by_node(), commit(id, 1)));
        next_block();
        let next = validate(submission(by_node(), commit(id, 2))).unwrap();
        assert_ne!(valid.provides, next.provides);
    })
}

#[test]
fn a_suspended_node_stops_at_once() {
    run(|| {
        let id = create("notes", Writers::Listed);
        assert_ok!(Memory::grant(signed(member()), id, node(), WRITE));
        next_block();
        let prepared = submission(by_node(), commit(id, 1));
        assert_ok!(validate(prepared.clone()));
        for status in [
            NodeStatus::Registered,
            NodeStatus::Suspended,
            NodeStatus::Leaving,
        ] {
            set_status(&node(), status);
            assert_eq!(
                validate(prepared.clone()).err(),
                Some(Refusal::NodeNotActive.into())
            );
        }
        change_nodes(|nodes| nodes.remove(&node()));
        assert_eq!(apply(prepared), Err(Refusal::NodeNotActive.into()));
    })
}
