use crate::{Batches, Expiring, ExpiringEnds, mock::*, types::Queue};
use frame_support::assert_ok;
use proptest::prelude::*;
use touchstone_primitives::apis::StreamHead;

#[test]
fn a_root_is_kept_for_the_retention_and_then_removed() {
    run(|| {
        assert_ok!(anchor(&batch(0, 0, 4)));
        go_to(21);
        assert!(Receipts::batch_of(gateway(), 0, 0).is_some());
        go_to(22);
        assert_eq!(Receipts::batch_of(gateway(), 0, 0), None);
        assert_eq!(Batches::<Test>::iter().count(), 0);
        assert_eq!(Expiring::<Test>::iter().count(), 0);
        // The head stays: the gateway cannot start again.
        assert_eq!(Receipts::head(gateway()), StreamHead { stream: 0, next: 5 });
        assert_ok!(anchor(&batch(0, 5, 5)));
    })
}

#[test]
fn a_bounded_number_is_removed_per_block() {
    run(|| {
        for node in [gateway(), other_gateway()] {
            assert_ok!(anchor(&batch_of(node.clone(), 0, 0, 0)));
            assert_ok!(anchor(&batch_of(node, 0, 1, 1)));
        }
        go_to(22);
        assert_eq!(Batches::<Test>::iter().count(), 1);
        assert_eq!(ExpiringEnds::<Test>::get(), Queue { first: 3, next: 4 });
        Receipts::do_try_state().unwrap();
        go_to(23);
        assert_eq!(Batches::<Test>::iter().count(), 0);
    })
}

#[test]
fn a_longer_retention_keeps_what_is_still_there() {
    run(|| {
        assert_ok!(anchor(&batch(0, 0, 0)));
        go_to(15);
        Retention::set(100);
        go_to(101);
        assert!(Receipts::batch_of(gateway(), 0, 0).is_some());
        Retention::set(5);
        go_to(102);
        assert_eq!(Receipts::batch_of(gateway(), 0, 0), None);
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever gateways try, in whatever order: streams have no gaps and state is consistent.
    #[test]
    fn any_order_of_submissions_keeps_the_state_consistent(
        steps in proptest::collection::vec((any::<bool>(), 0u32..3, 0u64..12, 0u64..10, 0u32..4), 1..60),
    ) {
        run(|| {
            for (other, stream, first, count, blocks) in steps {
                let node = if other { other_gateway() } else { gateway() };
                let before = Receipts::head(node.clone());
                let task = batch_of(node.clone(), stream, first, (first + count).saturating_sub(1));
                let anchored = anchor(&task).is_ok();
                let continues = stream == before.stream && first == before.next;
                let opens = stream == before.stream + 1 && first == 0;
                assert!(!anchored || continues || opens);
                let after = Receipts::head(node);
                assert_eq!(after != before, anchored);
                go_to(System::block_number() + blocks);
                Receipts::do_try_state().unwrap();
            }
        })
    }
}
