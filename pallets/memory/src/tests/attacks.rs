//! Each defence, attacked.

use crate::{
    Error, Submitted,
    mock::*,
    types::{MAX_ADVANCE, Refusal},
};
use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use proptest::prelude::*;
use sp_core::Pair;
use sp_runtime::{
    DispatchError::BadOrigin,
    transaction_validity::InvalidTransaction::{self, BadProof},
};
use touchstone_primitives::{
    H256,
    consortium::NodeStatus,
    memory::{Commit, State, Writer, Writers, namespace_id, tree},
};

fn refused<T>(why: impl Into<InvalidTransaction>) -> Result<T, Failure> {
    Err(Failure::Refused(why.into()))
}

#[test]
fn of_two_writers_that_race_one_wins_and_the_other_starts_again() {
    run(|| {
        let id = create("notes", Writers::Nodes);
        next_block();
        let (one, other) = (
            submission(by_node(), commit(id, 1)),
            submission(Writer::Node(other_node()), commit(id, 2)),
        );
        // The pool of another node has the other one, and the block that comes has this one.
        assert_ok!(validate(other.clone()));
        assert_ok!(apply(one));
        assert_eq!(apply(other.clone()), refused(Refusal::StaleRoot));
        next_block();
        assert_eq!(validate(other), refused(InvalidTransaction::Stale));
        // Nothing is lost: the writes are repeated on the new root.
        assert_ok!(submit(Writer::Node(other_node()), commit(id, 3)));
    })
}

#[test]
fn an_old_commit_cannot_be_played_back() {
    run(|| {
        let id = create("notes", Writers::Owner);
        next_block();
        let old = submission(by(member()), commit(id, 1));
        assert_ok!(apply(old.clone()));
        assert_eq!(apply(old.clone()), refused(Refusal::StaleRoot));
        // Nor when the namespace is empty again, as it was when the commit was made.
        next_block();
        let mut empty = commit(id, 0);
        empty.state.version = 2;
        assert_ok!(submit(by(member()), empty));
        next_block();
        assert_eq!(apply(old), refused(Refusal::StaleRoot));
    })
}

#[test]
fn who_has_no_permission_does_not_write() {
    run(|| {
        let id = create("notes", Writers::Owner);
        next_block();
        for writer in [by(stranger()), by(other_member()), by_node()] {
            let submission = submission(writer, commit(id, 1));
            assert_eq!(validate(submission.clone()), refused(Refusal::NotPermitted));
            assert_eq!(apply(submission), refused(Refusal::NotPermitted));
        }
    })
}

#[test]
fn a_permission_that_was_taken_back_is_gone_at_once() {
    run(|| {
        let id = create("notes", Writers::Listed);
        assert_ok!(Memory::grant(signed(member()), id, stranger(), WRITE));
        next_block();
        let prepared = submission(by(stranger()), commit(id, 1));
        assert_ok!(validate(prepared.clone()));
        assert_ok!(Memory::grant(signed(member()), id, stranger(), NOTHING));
        assert_eq!(apply(prepared), refused(Refusal::NotPermitted));
    })
}

#[test]
fn anothers_signature_is_refused() {
    run(|| {
        let id = create("notes", Writers::Nodes);
        next_block();
        for (key, writer) in [
            (worker(&other_node()), by_node()),
            (pair(3), by(member())),
            // The account of a node is not its worker.
            (pair(11), by_node()),
        ] {
            let forged = signed_by(&key, writer, commit(id, 1), 5);
            assert_eq!(validate(forged.clone()), refused(BadProof));
            assert_eq!(apply(forged), refused(BadProof));
        }
    })
}

#[test]
fn a_worker_is_no_account_and_an_account_no_node() {
    run(|| {
        let id = create("notes", Writers::Nodes);
        next_block();
        let worker = worker(&node());
        let as_account = |account| signed_by(&worker, by(account), commit(id, 1), 5);
        // The worker key as an account of its own.
        assert_eq!(
            apply(as_account(worker.public().into())),
            refused(Refusal::NotPermitted)
        );
        // The node's account has no right of nodes, whoever signs for it.
        assert_eq!(apply(as_account(node())), refused(Refusal::NotPermitted));
        assert_eq!(
            submit(by(node()), commit(id, 1)),
            refused(Refusal::NotPermitted)
        );
        // Listed, it may write with its own key, and the worker may not sign in its place.
        assert_ok!(Memory::grant(signed(member()), id, node(), WRITE));
        assert_eq!(apply(as_account(node())), refused(BadProof));
        assert_ok!(submit(by(node()), commit(id, 1)));
        // An account that is no node does not become one by saying so.
        next_block();
        let claimed = signed_by(&pair(1), Writer::Node(member()), commit(id, 2), 5);
        assert_eq!(apply(claimed), refused(Refusal::NodeNotActive));
    })
}

#[test]
fn the_worker_key_of_an_inactive_node_is_refused() {
    run(|| {
        let id = create("notes", Writers::Nodes);
        next_block();
        let prepared = submission(by_node(), commit(id, 1));
        set_status(&node(), NodeStatus::Suspended);
        assert_eq!(validate(prepared.clone()), refused(Refusal::NodeNotActive));
        assert_eq!(apply(prepared.clone()), refused(Refusal::NodeNotActive));
        set_status(&node(), NodeStatus::Active);
        assert_ok!(apply(prepared));
    })
}

#[test]
fn an_old_worker_key_is_refused() {
    run(|| {
        let id = create("notes", Writers::Nodes);
        next_block();
        let old = submission(by_node(), commit(id, 1));
        let new = pair(99);
        change_nodes(|nodes| nodes.get_mut(&node()).unwrap().1 = new.public().into());
        assert_eq!(apply(old), refused(BadProof));
        assert_ok!(apply(signed_by(&new, by_node(), commit(id, 1), 5)));
    })
}

#[test]
fn a_commit_for_another_chain_is_refused() {
    run(|| {
        let id = create("notes", Writers::Owner);
        next_block();
        let (commit, writer) = (commit(id, 1), by(member()));
        let message = commit.message(&H256::repeat_byte(9), &writer, 5);
        let signature = pair(1).sign(message.as_bytes());
        assert_eq!(apply(call(writer, commit, 5, signature)), refused(BadProof));
    })
}

#[test]
fn a_changed_commit_is_refused() {
    run(|| {
        let (id, other) = (
            create("notes", Writers::Nodes),
            create("other", Writers::Nodes),
        );
        next_block();
        let (good, writer) = (commit(id, 1), by_node());
        let message = good.message(&Memory::genesis(), &writer, 5);
        let signature = worker(&node()).sign(message.as_bytes());
        let with = |change: &dyn Fn(&mut Commit)| {
            let mut commit = good.clone();
            change(&mut commit);
            call(writer.clone(), commit, 5, signature)
        };
        for changed in [
            with(&|commit| commit.state.version = 2),
            with(&|commit| commit.state.count = 2),
            with(&|commit| commit.state.tree = H256::repeat_byte(1)),
            with(&|commit| commit.batch = H256::zero()),
            with(&|commit| commit.bytes = 1),
            with(&|commit| {
                commit.state.namespace = other;
                commit.previous = State::empty(other).root();
            }),
            call(writer.clone(), good.clone(), 6, signature),
            call(Writer::Node(other_node()), good.clone(), 5, signature),
        ] {
            assert_eq!(apply(changed), refused(BadProof));
        }
        assert_ok!(apply(call(writer.clone(), good.clone(), 5, signature)));
    })
}

#[test]
fn what_cannot_be_a_state_is_refused() {
    run(|| {
        let id = create("notes", Writers::Owner);
        commit_versions(id, [5]);
        next_block();
        let with = |change: &dyn Fn(&mut Commit)| {
            let mut commit = commit(id, 6);
            change(&mut commit);
            submit(by(member()), commit)
        };
        for (change, refusal) in [
            (
                &(|c: &mut Commit| c.state.count = 0) as &dyn Fn(&mut Commit),
                Refusal::BadState,
            ),
            (&|c| c.state.tree = tree::EMPTY, Refusal::BadState),
            (&|c| c.bytes = MAX_BYTES + 1, Refusal::TooLarge),
            (&|c| c.state.version = 5, Refusal::BadVersion),
            (&|c| c.state.version = 0, Refusal::BadVersion),
            (&|c| c.state.version = 6 + MAX_ADVANCE, Refusal::BadVersion),
            (&|c| c.state.version = u64::MAX, Refusal::BadVersion),
            (&|c| c.previous = H256::zero(), Refusal::StaleRoot),
            (
                &|c| c.state.namespace = namespace_id("nothing"),
                Refusal::UnknownNamespace,
            ),
        ] {
            assert_eq!(with(change), refused(refusal));
        }
        assert_ok!(with(&|c| {
            c.bytes = MAX_BYTES;
            c.state.version = 5 + MAX_ADVANCE;
        }));
    })
}

#[test]
fn a_submission_lives_for_a_bounded_time() {
    run(|| {
        let id = create("notes", Writers::Nodes);
        go_to(5);
        let until = |block| signed_by(&worker(&node()), by_node(), commit(id, 1), block);
        assert_eq!(apply(until(4)), refused(Refusal::Expired));
        let too_long = until(5 + MAX_VALIDITY + 1);
        assert_eq!(apply(too_long), refused(Refusal::ValidTooLong));
        assert_eq!(apply(until(u32::MAX)), refused(Refusal::ValidTooLong));
        assert_ok!(validate(until(5)));
        assert_ok!(apply(until(5 + MAX_VALIDITY)));
    })
}

#[test]
fn free_commits_are_bounded_for_a_namespace_and_for_a_block() {
    run(|| {
        let ids: Vec<_> = (0..=MAX_COMMITS)
            .map(|n| create(&n.to_string(), Writers::Owner))
            .collect();
        // Not in the block of the creation either.
        assert_eq!(
            submit(by(member()), commit(ids[0], 1)),
            refused(Refusal::TooManyInBlock)
        );
        next_block();
        assert_ok!(submit(by(member()), commit(ids[0], 1)));
        assert_eq!(
            submit(by(member()), commit(ids[0], 2)),
            refused(Refusal::TooManyInBlock)
        );
        let (last, rest) = ids[1..].split_last().unwrap();
        for id in rest {
            assert_ok!(submit(by(member()), commit(*id, 1)));
        }
        assert_eq!(Submitted::<Test>::get().count, MAX_COMMITS);
        let waiting = submission(by(member()), commit(*last, 1));
        assert_eq!(
            apply(waiting.clone()),
            refused(InvalidTransaction::ExhaustsResources)
        );
        next_block();
        assert_ok!(apply(waiting));
    })
}

#[test]
fn nobody_gets_around_the_authorisation() {
    run(|| {
        let id = create("notes", Writers::Owner);
        next_block();
        for origin in [
            RawOrigin::Root,
            RawOrigin::None,
            RawOrigin::Signed(member()),
        ] {
            let signature = pair(1).sign(b"anything");
            let result =
                Memory::commit_root(origin.into(), by(member()), commit(id, 1), 5, signature);
            assert_eq!(result, Err(BadOrigin));
        }
    })
}

#[test]
fn the_call_checks_again_what_was_authorised() {
    run(|| {
        let id = create("notes", Writers::Owner);
        commit_versions(id, [1]);
        next_block();
        let next = || commit(id, 2);
        let with = |change: &dyn Fn(&mut Commit)| {
            let mut commit = next();
            change(&mut commit);
            commit
        };
        let unknown = commit(namespace_id("nothing"), 1);
        let cases: [(Writer, Commit, u32, Error<Test>); 9] = [
            (by(member()), unknown, 5, Error::UnknownNamespace),
            (by(member()), next(), 0, Error::Expired),
            (by(member()), next(), 50, Error::ValidTooLong),
            (
                by(member()),
                with(&|c| c.previous = H256::zero()),
                5,
                Error::StaleRoot,
            ),
            (
                by(member()),
                with(&|c| c.state.version = 1),
                5,
                Error::BadVersion,
            ),
            (
                by(member()),
                with(&|c| c.state.count = 0),
                5,
                Error::BadState,
            ),
            (
                by(member()),
                with(&|c| c.bytes = u64::MAX),
                5,
                Error::TooLarge,
            ),
            (Writer::Node(stranger()), next(), 5, Error::NodeNotActive),
            (by(stranger()), next(), 5, Error::NotPermitted),
        ];
        for (writer, commit, valid_until, error) in cases {
            assert_noop!(Memory::do_commit_root(writer, commit, valid_until), error);
        }
        assert_ok!(submit(by(member()), next()));
        assert_noop!(
            Memory::do_commit_root(by(member()), commit(id, 3), 5),
            Error::<Test>::TooManyInBlock
        );
    })
}

#[test]
fn refusals_have_their_documented_codes() {
    use InvalidTransaction::*;
    for (refusal, code) in [
        (Refusal::UnknownNamespace, Custom(1)),
        (Refusal::Expired, Custom(2)),
        (Refusal::ValidTooLong, Custom(3)),
        (Refusal::StaleRoot, Stale),
        (Refusal::BadVersion, Custom(4)),
        (Refusal::BadState, Custom(5)),
        (Refusal::TooLarge, Custom(6)),
        (Refusal::NodeNotActive, Custom(7)),
        (Refusal::NotPermitted, Custom(8)),
        (Refusal::TooManyInBlock, ExhaustsResources),
    ] {
        assert_eq!(InvalidTransaction::from(refusal), code);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Whatever writers and owners try, in whatever order: versions grow, and state is consistent.
    #[test]
    fn any_order_of_calls_keeps_the_state_consistent(
        steps in proptest::collection::vec((0u8..8, 0u8..3, 0u64..40, 0u32..2), 1..80),
    ) {
        run(|| {
            for (what, which, version, blocks) in steps {
                let text = format!("n{which}");
                let id = namespace_id(&text);
                let before = Memory::namespace(id).map(|found| found.state.version);
                go_to(System::block_number() + blocks);
                let _ = match what {
                    0 => create_by(member(), &text, Writers::Listed),
                    1 => Memory::grant(signed(member()), id, stranger(), WRITE),
                    2 => Memory::grant(signed(member()), id, stranger(), NOTHING),
                    3 => Memory::snapshot(signed(member()), id, name("s")),
                    4 => Memory::drop_snapshot(signed(member()), id, version),
                    5 if version == 0 => Memory::delete_namespace(signed(member()), id),
                    6 => submit(by(stranger()), commit(id, version)).map_err(|_| BadOrigin),
                    _ => submit(by(member()), commit(id, version)).map_err(|_| BadOrigin),
                };
                let after = Memory::namespace(id).map(|found| found.state.version);
                assert!(after.is_none() || after >= before);
                Memory::do_try_state().unwrap();
            }
        })
    }
}
