use super::*;
use frame_support::assert_ok;
use pallet_session::{SessionManager, historical};

#[test]
fn genesis_nodes_validate_from_the_first_block() {
    with_members(4, || assert_eq!(validators(), [1, 2, 3, 4]));
}

#[test]
fn activated_validator_authors_after_two_sessions() {
    with_members(4, || {
        admit(5);
        assert_ok!(register(5, 5));
        set_keys(5);
        next_session();
        assert_eq!(validators(), [1, 2, 3, 4]);
        assert_ok!(Consortium::activate_node(signed(5), stash(5)));
        next_session();
        assert_eq!(validators(), [1, 2, 3, 4]);
        next_session();
        assert_eq!(validators(), [1, 2, 3, 4, 5]);
    });
}

#[test]
fn unchanged_set_is_not_announced_again() {
    with_members(4, || {
        assert_eq!(<Consortium as SessionManager<_>>::new_session(2), None);
        assert_eq!(
            <Consortium as historical::SessionManager<_, _>>::new_session(2),
            None
        );
    });
}

#[test]
fn changed_session_keys_make_a_new_set_so_that_equivocations_stay_provable() {
    with_members(4, || {
        pallet_session::NextKeys::<Test>::insert(stash(1), session_keys(99));
        let set = <Consortium as SessionManager<_>>::new_session(2).unwrap();
        assert_eq!(numbers(set), [1, 2, 3, 4]);
    });
}

#[test]
fn validator_without_session_keys_is_left_out() {
    with_members(4, || {
        pallet_session::NextKeys::<Test>::remove(stash(4));
        (0..2).for_each(|_| next_session());
        assert_eq!(validators(), [1, 2, 3]);
    });
}

#[test]
fn set_never_falls_below_its_minimum_and_the_removal_waits() {
    with_members(3, || {
        assert_ok!(Consortium::leave_node(signed(3), stash(3)));
        (0..2).for_each(|_| next_session());
        assert_eq!(validators(), [1, 2, 3]);
        assert_eq!(QueuedRemovals::<Test>::get().into_inner(), [stash(3)]);
        let reports = || {
            let report = Event::RemovalQueued { node: stash(3) };
            events()
                .into_iter()
                .filter(|event| *event == report)
                .count()
        };
        assert_eq!(reports(), 1, "reported once");

        admit(5);
        assert_ok!(register(5, 5));
        set_keys(5);
        assert_ok!(Consortium::activate_node(signed(5), stash(5)));
        (0..2).for_each(|_| next_session());
        assert_eq!(validators(), [1, 2, 5]);
        assert!(QueuedRemovals::<Test>::get().is_empty());
    });
}

#[test]
fn minimum_is_filled_with_those_that_leave_before_those_that_are_barred() {
    with_members(4, || {
        assert_ok!(Consortium::revoke_member(council(4, 4), account(1)));
        assert_ok!(Consortium::leave_node(signed(4), stash(4)));
        (0..2).for_each(|_| next_session());
        assert_eq!(validators(), [2, 3, 4]);
        assert_eq!(QueuedRemovals::<Test>::get().into_inner(), [stash(4)]);
    });
}

#[test]
fn revoked_validators_are_stopped_only_as_far_as_finality_bears_it() {
    with_members(4, || {
        assert_ok!(Consortium::revoke_member(council(4, 4), account(1)));
        assert_ok!(Consortium::revoke_member(council(3, 3), account(2)));
        assert_eq!(disabled().len(), 1);
        (0..2).for_each(|_| next_session());
        assert_eq!(
            validators().len(),
            3,
            "one of the two is kept for the minimum"
        );
    });
}

#[test]
fn development_runs_with_one_validator() {
    with_genesis(consortium(1, 1), || {
        assert_ok!(Consortium::leave_node(signed(1), stash(1)));
        (0..2).for_each(|_| next_session());
        assert_eq!(validators(), [1]);
    });
}
