use crate::{Batches, Event, Heads, mock::*, types::Refusal};
use frame_support::assert_ok;
use touchstone_primitives::{
    H256,
    apis::StreamHead,
    consortium::{NodeRole, NodeStatus, Roles},
    mailbox::AnchorTask,
    merkle,
};

#[docify::export]
#[test]
fn a_gateway_anchors_batches_one_after_the_other() {
    run(|| {
        // The first batch of a gateway starts at stream 0, sequence 0; each other where the last one ended.
        assert_ok!(anchor(&batch(0, 0, 4)));
        assert_ok!(anchor(&batch(0, 5, 5)));
        assert_eq!(Receipts::head(gateway()), StreamHead { stream: 0, next: 6 });

        // The batch of a sequence is found, and nothing beyond the head.
        let found = Receipts::batch_of(gateway(), 0, 3).unwrap();
        assert_eq!(
            (found.first, found.last, found.root),
            (0, 4, batch(0, 0, 4).root)
        );
        assert_eq!(Receipts::batch_of(gateway(), 0, 6), None);

        // A gateway that lost its store goes on in the next stream, which ends the old one.
        go_to(2);
        assert_ok!(anchor(&batch(1, 0, 0)));
        let opened = Event::StreamOpened {
            gateway: gateway(),
            stream: 1,
            previous_next: 6,
        };
        assert!(events().contains(&opened));
    })
}

#[test]
fn an_anchored_batch_is_published() {
    run(|| {
        let task = batch(0, 0, 4);
        assert_ok!(anchor(&task));
        let AnchorTask {
            node: gateway,
            stream,
            first,
            last,
            root,
            policy_version,
        } = task;
        let event = Event::BatchAnchored {
            gateway,
            stream,
            first,
            last,
            root,
            policy_version,
            batch: 0,
        };
        assert_eq!(events(), [event]);
    })
}

#[test]
fn a_receipt_is_proven_against_its_anchored_batch() {
    run(|| {
        let ids: Vec<H256> = (0..5).map(H256::repeat_byte).collect();
        let mut task = batch(0, 0, 4);
        task.root = merkle::root(&ids);
        assert_ok!(anchor(&batch_of(other_gateway(), 0, 0, 4)));
        assert_ok!(anchor(&task));
        let proof = merkle::prove(&ids, 3).unwrap();
        let check = |node, stream, sequence, id| {
            Receipts::is_anchored(node, stream, sequence, id, proof.clone())
        };
        assert!(check(gateway(), 0, 3, ids[3]));
        assert!(!check(gateway(), 0, 2, ids[3]));
        assert!(!check(gateway(), 1, 3, ids[3]));
        assert!(!check(gateway(), 0, 3, ids[2]));
        assert!(!check(other_gateway(), 0, 3, ids[3]));
        assert!(!check(validator(), 0, 3, ids[3]));
    })
}

#[test]
fn every_sequence_is_found_in_its_batch_and_no_other() {
    run(|| {
        let mut expected = Vec::new();
        for (block, (stream, sizes)) in [(0, [1, 3, 8]), (1, [2, 2, 1]), (2, [8, 8, 8])]
            .into_iter()
            .flat_map(|(stream, sizes)| sizes.map(|size| (stream, size)))
            .enumerate()
        {
            go_to(block as u32 + 2);
            let head = Receipts::head(gateway());
            let first = if head.stream == stream { head.next } else { 0 };
            let task = batch(stream, first, first + sizes - 1);
            assert_ok!(anchor(&task));
            expected.push(task);
        }
        for stream in 0..4 {
            for sequence in 0..30 {
                let found = Receipts::batch_of(gateway(), stream, sequence).map(|b| b.root);
                let task = expected
                    .iter()
                    .find(|t| t.stream == stream && (t.first..=t.last).contains(&sequence));
                assert_eq!(found, task.map(|t| t.root), "{stream}/{sequence}");
            }
        }
    })
}

#[test]
fn a_stream_that_never_anchored_can_be_given_up() {
    run(|| {
        assert_ok!(anchor(&batch(1, 0, 0)));
        let opened = Event::StreamOpened {
            gateway: gateway(),
            stream: 1,
            previous_next: 0,
        };
        assert!(events().contains(&opened));
    })
}

#[test]
fn a_batch_is_not_empty_and_not_too_big() {
    run(|| {
        assert_ok!(anchor(&batch(0, 0, 2)));
        assert_eq!(anchor(&batch(0, 3, 2)), Err(Refusal::EmptyBatch.into()));
        let most = u64::from(MAX_BATCH);
        assert_eq!(
            anchor(&batch(0, 3, 3 + most)),
            Err(Refusal::BatchTooBig.into())
        );
        assert_eq!(
            anchor(&batch(0, 3, u64::MAX)),
            Err(Refusal::BatchTooBig.into())
        );
        assert_eq!(
            anchor(&batch(0, 3, u64::MAX - 1)),
            Err(Refusal::BatchTooBig.into())
        );
        assert_ok!(anchor(&batch(0, 3, 2 + most)));
    })
}

#[test]
fn a_gateway_has_a_share_of_each_block() {
    run(|| {
        assert_ok!(anchor(&batch(0, 0, 0)));
        assert_ok!(anchor(&batch(0, 1, 1)));
        assert_eq!(anchor(&batch(0, 2, 2)), Err(Refusal::TooManyInBlock.into()));
        assert_ok!(anchor(&batch_of(other_gateway(), 0, 0, 0)));
        go_to(2);
        assert_ok!(anchor(&batch(0, 2, 2)));
    })
}

#[test]
fn only_active_gateways_anchor() {
    run(|| {
        let task = batch_of(validator(), 0, 0, 0);
        assert_eq!(anchor(&task), Err(Refusal::NotGateway.into()));
        change_nodes(|nodes| {
            nodes.get_mut(&validator()).unwrap().roles =
                Roles::of(&[NodeRole::Validator, NodeRole::Gateway])
        });
        assert_ok!(anchor(&task));
        for status in [
            NodeStatus::Registered,
            NodeStatus::Suspended,
            NodeStatus::Leaving,
        ] {
            change_gateway(|node| node.status = status);
            assert_eq!(anchor(&batch(0, 0, 0)), Err(Refusal::NotGateway.into()));
        }
        change_nodes(|nodes| nodes.remove(&gateway()));
        assert_eq!(anchor(&batch(0, 0, 0)), Err(Refusal::NotGateway.into()));
        assert_eq!(Heads::<Test>::contains_key(gateway()), false);
        assert_eq!(Batches::<Test>::iter_prefix(gateway()).count(), 0);
    })
}

#[test]
fn the_pool_keeps_one_submission_per_batch_until_it_expires() {
    run(|| {
        go_to(7);
        let task = batch(0, 0, 0);
        let valid = validate(signed_by(&worker(&gateway()), &task, 12)).unwrap();
        assert_eq!(valid.longevity, 6);
        assert!(valid.propagate);
        let again = validate(signed_by(&worker(&gateway()), &task, 9)).unwrap();
        assert_eq!(valid.provides, again.provides);
        let other = validate(submission(&batch(1, 0, 0))).unwrap();
        assert_ne!(valid.provides, other.provides);
        let of_other = validate(submission(&batch_of(other_gateway(), 0, 0, 0))).unwrap();
        assert_ne!(valid.provides, of_other.provides);
        assert!(valid.requires.is_empty());
    })
}
