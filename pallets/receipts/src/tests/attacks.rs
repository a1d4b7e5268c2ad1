//! Each defence, attacked.

use crate::{Error, mock::*, types::Refusal};
use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use sp_core::Pair;
use sp_runtime::{
    DispatchError::BadOrigin,
    transaction_validity::InvalidTransaction::{self, BadProof},
};
use touchstone_primitives::{
    H256, consortium::NodeStatus, mailbox::AnchorTask, worker::submission as message_of,
};

fn refused<T>(why: impl Into<InvalidTransaction>) -> Result<T, Failure> {
    Err(Failure::Refused(why.into()))
}

#[test]
fn a_replay_is_refused() {
    run(|| {
        let submission = submission(&batch(0, 0, 4));
        assert_ok!(apply(submission.clone()));
        assert_eq!(apply(submission.clone()), refused(Refusal::AlreadyAnchored));
        go_to(2);
        assert_eq!(
            validate(submission.clone()),
            refused(InvalidTransaction::Stale)
        );
        // Not even after a new stream was opened.
        assert_ok!(anchor(&batch(1, 0, 4)));
        assert_eq!(apply(submission), refused(Refusal::WrongStream));
    })
}

#[test]
fn another_nodes_key_is_refused() {
    run(|| {
        let forged = signed_by(&worker(&other_gateway()), &batch(0, 0, 0), 5);
        assert_eq!(apply(forged.clone()), refused(BadProof));
        assert_eq!(validate(forged), refused(BadProof));
    })
}

#[test]
fn an_old_worker_key_is_refused() {
    run(|| {
        let old = submission(&batch(0, 0, 0));
        let new = worker(&validator());
        change_gateway(|node| node.worker = new.public());
        assert_eq!(apply(old), refused(BadProof));
        assert_ok!(apply(signed_by(&new, &batch(0, 0, 0), 5)));
    })
}

#[test]
fn a_changed_submission_is_refused() {
    run(|| {
        let (task, until) = (batch(0, 0, 4), 5);
        let pair = worker(&gateway());
        let signature = pair.sign(Receipts::submission(&task, until).as_bytes());
        for changed in [
            AnchorTask {
                node: other_gateway(),
                ..task.clone()
            },
            AnchorTask {
                stream: 1,
                ..task.clone()
            },
            AnchorTask {
                last: 5,
                ..task.clone()
            },
            AnchorTask {
                root: H256::zero(),
                ..task.clone()
            },
            AnchorTask {
                policy_version: 2,
                ..task.clone()
            },
        ] {
            assert_eq!(
                apply(call(changed, until, signature.clone())),
                refused(BadProof)
            );
        }
        assert_eq!(
            apply(call(task.clone(), until + 1, signature.clone())),
            refused(BadProof)
        );
        assert_ok!(apply(call(task, until, signature)));
    })
}

#[test]
fn a_submission_for_another_chain_is_refused() {
    run(|| {
        let task = batch(0, 0, 0);
        let message = message_of(
            &H256::repeat_byte(9),
            ("Receipts", "anchor_batch"),
            &task.node,
            &(task.stream, task.first),
            5,
            &(task.last, task.root, task.policy_version),
        );
        let signature = worker(&gateway()).sign(message.as_bytes());
        assert_eq!(apply(call(task, 5, signature)), refused(BadProof));
    })
}

#[test]
fn gaps_and_overlaps_are_refused() {
    run(|| {
        assert_eq!(anchor(&batch(0, 1, 4)), refused(Refusal::Gap));
        assert_ok!(anchor(&batch(0, 0, 4)));
        assert_eq!(anchor(&batch(0, 6, 7)), refused(InvalidTransaction::Future));
        // Overlap, from inside the last batch.
        assert_eq!(anchor(&batch(0, 4, 7)), refused(Refusal::AlreadyAnchored));
        // Double anchoring, with another root.
        let mut other = batch(0, 0, 4);
        other.root = H256::zero();
        assert_eq!(anchor(&other), refused(Refusal::AlreadyAnchored));
        assert_ok!(anchor(&batch(0, 5, 7)));
    })
}

#[test]
fn streams_are_opened_in_order_and_once() {
    run(|| {
        assert_ok!(anchor(&batch(0, 0, 4)));
        assert_eq!(anchor(&batch(2, 0, 0)), refused(Refusal::WrongStream));
        assert_eq!(
            anchor(&batch(u32::MAX, 0, 0)),
            refused(Refusal::WrongStream)
        );
        assert_eq!(anchor(&batch(1, 5, 5)), refused(Refusal::Gap));
        assert_ok!(anchor(&batch(1, 0, 0)));
        go_to(2);
        assert_eq!(anchor(&batch(1, 0, 0)), refused(Refusal::AlreadyAnchored));
        // The old stream is closed for good.
        assert_eq!(anchor(&batch(0, 5, 5)), refused(Refusal::WrongStream));
    })
}

#[test]
fn a_submission_lives_for_a_bounded_time() {
    run(|| {
        go_to(5);
        let pair = worker(&gateway());
        let until = |block| signed_by(&pair, &batch(0, 0, 0), block);
        assert_eq!(apply(until(4)), refused(Refusal::Expired));
        assert_eq!(
            apply(until(5 + MAX_VALIDITY + 1)),
            refused(Refusal::ValidTooLong)
        );
        assert_eq!(apply(until(u32::MAX)), refused(Refusal::ValidTooLong));
        assert_ok!(validate(until(5)));
        assert_ok!(apply(until(5 + MAX_VALIDITY)));
    })
}

#[test]
fn a_suspended_gateway_stops_at_once() {
    run(|| {
        let prepared = submission(&batch(0, 0, 0));
        assert_ok!(validate(prepared.clone()));
        change_gateway(|node| node.status = NodeStatus::Suspended);
        assert_eq!(validate(prepared.clone()), refused(Refusal::NotGateway));
        assert_eq!(apply(prepared), refused(Refusal::NotGateway));
    })
}

#[test]
fn nobody_gets_around_the_authorisation() {
    run(|| {
        let dispatch = |origin: RuntimeOrigin, task: AnchorTask| {
            let AnchorTask {
                node,
                stream,
                first,
                last,
                root,
                policy_version,
            } = task;
            let signature = worker(&gateway()).sign(b"anything");
            Receipts::anchor_batch(
                origin,
                node,
                stream,
                first,
                last,
                root,
                policy_version,
                5,
                signature,
            )
        };
        for origin in [
            RawOrigin::Root,
            RawOrigin::None,
            RawOrigin::Signed(gateway()),
        ] {
            assert_noop!(dispatch(origin.into(), batch(0, 0, 0)), BadOrigin);
        }
    })
}

#[test]
fn the_call_checks_again_what_was_authorised() {
    run(|| {
        assert_ok!(anchor(&batch(0, 0, 4)));
        let dispatch = |task, valid_until| Receipts::do_anchor_batch(task, valid_until);
        let cases: [(AnchorTask, u32, Error<Test>); 8] = [
            (batch_of(validator(), 0, 0, 0), 5, Error::NotGateway),
            (batch(0, 5, 4), 5, Error::EmptyBatch),
            (batch(0, 5, 50), 5, Error::BatchTooBig),
            (batch(0, 5, 5), 0, Error::Expired),
            (batch(0, 5, 5), 50, Error::ValidTooLong),
            (batch(2, 0, 0), 5, Error::WrongStream),
            (batch(0, 0, 4), 5, Error::AlreadyAnchored),
            (batch(0, 6, 6), 5, Error::Gap),
        ];
        for (task, valid_until, error) in cases {
            assert_noop!(dispatch(task, valid_until), error);
        }
        assert_ok!(anchor(&batch(0, 5, 5)));
        assert_noop!(dispatch(batch(0, 6, 6), 5), Error::<Test>::TooManyInBlock);
    })
}

#[test]
fn refusals_have_their_documented_codes() {
    use InvalidTransaction::*;
    for (refusal, code) in [
        (Refusal::NotGateway, Custom(1)),
        (Refusal::EmptyBatch, Custom(2)),
        (Refusal::BatchTooBig, Custom(3)),
        (Refusal::Expired, Custom(4)),
        (Refusal::ValidTooLong, Custom(5)),
        (Refusal::WrongStream, Custom(6)),
        (Refusal::AlreadyAnchored, Stale),
        (Refusal::Gap, Future),
        (Refusal::TooManyInBlock, ExhaustsResources),
    ] {
        assert_eq!(InvalidTransaction::from(refusal), code);
    }
}
