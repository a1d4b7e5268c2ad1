use super::*;
use frame_support::{assert_noop, assert_ok, traits::QueryPreimage};

fn remark(length: usize) -> Box<RuntimeCall> {
    Box::new(
        frame_system::Call::set_storage {
            items: vec![(b"k".to_vec(), vec![7; length])],
        }
        .into(),
    )
}

fn is_done() -> bool {
    sp_io::storage::get(b"k").is_some()
}

#[test]
fn three_quarters_get_a_call_executed_as_root_after_the_time_lock() {
    with_members(4, || {
        assert_noop!(
            Consortium::propose_root(council(2, 4), remark(1)),
            DispatchError::BadOrigin
        );
        assert_noop!(
            Consortium::propose_root(signed(1), remark(1)),
            DispatchError::BadOrigin
        );
        assert_ok!(Consortium::propose_root(council(3, 4), remark(1)));
        let call = ShownCall::Whole(remark(1));
        assert_eq!(
            last_event(),
            Event::RootProposed {
                id: 0,
                at: 11,
                call
            }
        );
        assert_eq!(RootProposals::<Test>::get()[0].at, 11);
        run_to_block(10);
        assert!(!is_done());
        run_to_block(11);
        assert!(is_done());
        run_to_block(12);
        assert!(RootProposals::<Test>::get().is_empty());
    });
}

#[test]
fn more_than_a_third_cancel_it_in_the_time_lock() {
    with_members(4, || {
        assert_ok!(Consortium::propose_root(council(3, 4), remark(1)));
        assert_noop!(
            Consortium::cancel_root(council(1, 4), 0),
            DispatchError::BadOrigin
        );
        assert_noop!(
            Consortium::cancel_root(council(2, 4), 1),
            E::UnknownRootProposal
        );
        assert_ok!(Consortium::cancel_root(council(2, 4), 0));
        assert_eq!(last_event(), Event::RootCancelled { id: 0 });
        run_to_block(20);
        assert!(!is_done());
        assert_noop!(
            Consortium::cancel_root(council(2, 4), 0),
            E::UnknownRootProposal
        );
    });
}

#[test]
fn long_call_is_shown_by_hash_and_name_and_its_preimage_is_gone_afterwards() {
    with_members(4, || {
        let call = remark(5_000);
        let length = codec::Encode::encoded_size(&call) as u32;
        let hash = <sp_runtime::traits::BlakeTwo256 as sp_runtime::traits::Hash>::hash_of(&call);
        assert_ok!(Consortium::propose_root(council(3, 4), call));
        let (pallet, function) = (b"System".to_vec(), b"set_storage".to_vec());
        let shown = ShownCall::Long {
            hash,
            length,
            pallet,
            function,
        };
        assert_eq!(
            last_event(),
            Event::RootProposed {
                id: 0,
                at: 11,
                call: shown
            }
        );
        assert!(Preimage::is_requested(&hash));
        run_to_block(11);
        assert!(is_done());
        assert!(!Preimage::is_requested(&hash));
        assert_eq!(Preimage::len(&hash), None);
    });
}

#[test]
fn same_long_call_can_be_proposed_twice_and_cancelled_once() {
    with_members(4, || {
        assert_ok!(Consortium::propose_root(council(3, 4), remark(5_000)));
        assert_ok!(Consortium::propose_root(council(3, 4), remark(5_000)));
        assert_ok!(Consortium::cancel_root(council(2, 4), 0));
        run_to_block(12);
        assert!(is_done());
        let hash =
            <sp_runtime::traits::BlakeTwo256 as sp_runtime::traits::Hash>::hash_of(&remark(5_000));
        assert!(!Preimage::is_requested(&hash));
    });
}

#[test]
fn root_proposals_are_bounded() {
    with_members(4, || {
        for _ in 0..MAX_ROOT_PROPOSALS {
            assert_ok!(Consortium::propose_root(council(3, 4), remark(1)));
        }
        assert_noop!(
            Consortium::propose_root(council(3, 4), remark(1)),
            E::TooManyRootProposals
        );
    });
}
