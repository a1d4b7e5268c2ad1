use crate::{Call, RESEND_AFTER, SENT_SLOT, mock::*};
use frame_support::{assert_ok, traits::Hooks};
use proptest::prelude::*;
use sp_core::{Pair, offchain::StorageKind};
use touchstone_primitives::{
    consortium::NodeStatus,
    mailbox::{ANCHOR_SLOT, AnchorTask, encode_task},
};

fn put(bytes: &[u8]) {
    sp_io::offchain::local_storage_set(StorageKind::PERSISTENT, ANCHOR_SLOT, bytes)
}

fn post(task: &AnchorTask) {
    put(&encode_task(task))
}

fn hook_at(block: u32) {
    System::set_block_number(block);
    Receipts::offchain_worker(block);
}

/// What the hook sent: first sequence and end of validity.
fn sent(node: &Node) -> Vec<(u64, u32)> {
    node.sent()
        .into_iter()
        .map(|transaction| match transaction.function {
            RuntimeCall::Receipts(Call::anchor_batch {
                first, valid_until, ..
            }) => (first, valid_until),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn the_hook_sends_what_the_chain_accepts() {
    run_node(&[gateway()], |node| {
        post(&batch(0, 0, 4));
        hook_at(1);
        let sent = node.sent();
        assert_eq!(sent.len(), 1);
        System::set_block_number(2);
        assert_ok!(apply_transaction(sent[0].clone()));
        assert_eq!(
            Receipts::batch_of(gateway(), 0, 4).unwrap().root,
            batch(0, 0, 4).root
        );
    })
}

#[test]
fn an_empty_mailbox_sends_nothing() {
    run_node(&[gateway()], |node| {
        hook_at(1);
        assert_eq!(sent(&node), []);
    })
}

#[test]
fn the_hook_sends_again_while_the_batch_is_missing_and_not_every_block() {
    run_node(&[gateway()], |node| {
        post(&batch(0, 0, 4));
        for block in 1..=RESEND_AFTER {
            hook_at(block);
        }
        assert_eq!(sent(&node), [(0, 1 + MAX_VALIDITY)]);
        hook_at(1 + RESEND_AFTER);
        assert_eq!(sent(&node), [(0, 1 + RESEND_AFTER + MAX_VALIDITY)]);
        assert_ok!(anchor(&batch(0, 0, 4)));
        hook_at(1 + 2 * RESEND_AFTER);
        assert_eq!(sent(&node), []);
    })
}

#[test]
fn the_next_batch_is_sent_at_once() {
    run_node(&[gateway()], |node| {
        post(&batch(0, 0, 4));
        hook_at(1);
        assert_ok!(anchor(&batch(0, 0, 4)));
        post(&batch(0, 5, 6));
        hook_at(2);
        assert_eq!(sent(&node), [(0, 1 + MAX_VALIDITY), (5, 2 + MAX_VALIDITY)]);
    })
}

#[test]
fn a_batch_that_a_reorganisation_took_back_is_sent_again() {
    run_node(&[gateway()], |node| {
        post(&batch(0, 0, 4));
        hook_at(9);
        // The node reverted to an earlier block.
        hook_at(3);
        assert_eq!(sent(&node).len(), 2);
    })
}

#[test]
fn a_batch_that_is_not_due_is_not_sent() {
    run_node(&[gateway()], |node| {
        assert_ok!(anchor(&batch(0, 0, 4)));
        for task in [
            batch(0, 0, 4),
            batch(0, 6, 7),
            batch(2, 0, 0),
            batch(0, 5, 500),
        ] {
            post(&task);
            hook_at(2);
        }
        change_gateway(|gateway| gateway.status = NodeStatus::Suspended);
        post(&batch(0, 5, 5));
        hook_at(2);
        assert_eq!(sent(&node), []);
    })
}

#[test]
fn only_the_holder_of_the_current_worker_key_sends() {
    run_node(&[other_gateway()], |node| {
        post(&batch(0, 0, 4));
        hook_at(1);
        assert_eq!(sent(&node), []);
    });
    run_node(&[gateway()], |node| {
        change_gateway(|node| node.worker = worker(&validator()).public());
        post(&batch(0, 0, 4));
        hook_at(1);
        assert_eq!(sent(&node), []);
        // Nothing was noted as sent: once the key is there, the batch goes out in the next block.
        change_gateway(|node| node.worker = worker(&gateway()).public());
        hook_at(2);
        assert_eq!(sent(&node).len(), 1);
    })
}

#[test]
fn a_damaged_note_of_what_was_sent_only_means_sending_again() {
    run_node(&[gateway()], |node| {
        post(&batch(0, 0, 4));
        hook_at(1);
        sp_io::offchain::local_storage_set(StorageKind::PERSISTENT, SENT_SLOT, b"garbage");
        hook_at(2);
        assert_eq!(sent(&node).len(), 2);
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn garbage_in_the_mailbox_is_ignored(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        flip in any::<usize>(),
        cut in any::<usize>(),
    ) {
        run_node(&[gateway()], |node| {
            let good = encode_task(&batch(0, 0, 4));
            let mut flipped = good.clone();
            let at = flip % flipped.len();
            flipped[at] ^= 1;
            for record in [&bytes[..], &flipped, &good[..cut % good.len()]] {
                put(record);
                hook_at(1);
            }
            assert_eq!(sent(&node), []);
        })
    }
}
