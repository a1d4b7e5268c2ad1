use super::*;
use frame_support::{assert_noop, assert_ok};
use touchstone_primitives::{
    consortium::{NodeRole, max_suspended},
    traits::MembershipOf,
};

/// The council's motion of `call`, proposed and voted for by these members, each in turn.
fn motion(call: Call<Test>, threshold: u32, ayes: &[u8]) -> Option<DispatchResult> {
    let call = RuntimeCall::Consortium(call);
    let length = codec::Encode::encoded_size(&call) as u32;
    let hash = <sp_runtime::traits::BlakeTwo256 as sp_runtime::traits::Hash>::hash_of(&call);
    Council::propose(signed(ayes[0]), threshold, Box::new(call), length).unwrap();
    let index = pallet_collective::ProposalCount::<Test>::get() - 1;
    for aye in ayes {
        Council::vote(signed(*aye), hash, index, true).unwrap();
    }
    if ayes.len() < threshold as usize {
        return None;
    }
    Council::close(signed(1), hash, index, Weight::MAX, length).unwrap();
    frame_system::Pallet::<Test>::events()
        .into_iter()
        .rev()
        .find_map(|record| match record.event {
            RuntimeEvent::Council(pallet_collective::Event::Executed { result, .. }) => {
                Some(result)
            }
            _ => None,
        })
}

#[test]
fn suspended_validator_stops_in_the_next_block_and_is_out_after_two_sessions() {
    with_members(4, || {
        assert_ok!(Consortium::suspend_node(council(3, 4), stash(4)));
        assert_eq!(node_status(4), NodeStatus::Suspended);
        assert!(!Consortium::is_active(&stash(4), NodeRole::Gateway));
        assert_eq!((validators(), disabled()), (vec![1, 2, 3, 4], vec![4]));
        next_session();
        assert_eq!((validators(), disabled()), (vec![1, 2, 3, 4], vec![4]));
        next_session();
        assert_eq!((validators(), disabled()), (vec![1, 2, 3], vec![]));
    });
}

#[test]
fn suspended_validator_is_disabled_again_in_every_session_that_it_still_sees() {
    with_members(4, || {
        // A change of the set that is already queued resets the list of disabled validators in between.
        admit(5);
        assert_ok!(register(5, 5));
        set_keys(5);
        assert_ok!(Consortium::activate_node(signed(5), stash(5)));
        next_session();
        assert_ok!(Consortium::suspend_node(council(3, 5), stash(4)));
        assert_eq!(disabled(), [4]);
        next_session();
        assert_eq!((validators(), disabled()), (vec![1, 2, 3, 4, 5], vec![4]));
        next_session();
        assert_eq!((validators(), disabled()), (vec![1, 2, 3, 5], vec![]));
    });
}

#[test]
fn suspended_member_keeps_its_seat_and_its_nodes_stop() {
    with_members(4, || {
        assert_ok!(Consortium::suspend_member(council(3, 4), account(4)));
        let until = Now::get() + SuspensionPeriod::get();
        assert!(events().contains(&Event::MemberSuspended {
            member: account(4),
            until
        }));
        assert_eq!(member_status(4), MemberStatus::Suspended);
        assert_eq!(
            Consortium::node(&stash(4)).unwrap().status,
            NodeStatus::Suspended
        );
        assert!(!Consortium::is_active_member(&account(4)));
        assert!(Seats::<Test>::get().contains(&account(4)));
        assert_eq!(disabled(), [4]);
    });
}

#[test]
fn suspension_lapses_after_its_period_and_the_validator_returns() {
    with_members(4, || {
        assert_ok!(Consortium::suspend_member(council(3, 4), account(4)));
        (0..2).for_each(|_| next_session());
        assert_eq!(validators(), [1, 2, 3]);
        advance(SuspensionPeriod::get() - 1);
        next_session();
        assert_eq!(member_status(4), MemberStatus::Suspended);
        advance(1);
        next_session();
        assert_eq!(member_status(4), MemberStatus::Active);
        let subject = Subject::Member(account(4));
        assert!(events().contains(&Event::SuspensionLapsed { subject }));
        next_session();
        assert_eq!(validators(), [1, 2, 3, 4]);
    });
}

#[test]
fn pending_revocation_prolongs_a_suspension_once() {
    with_members(4, || {
        assert_ok!(Consortium::suspend_node(council(3, 4), stash(4)));
        motion(Call::revoke_member { member: account(4) }, 3, &[1, 2]);
        advance(SuspensionPeriod::get());
        next_session();
        assert_eq!(node_status(4), NodeStatus::Suspended);
        let (subject, until) = (
            Subject::Node(stash(4)),
            Now::get() + SuspensionPeriod::get(),
        );
        assert!(events().contains(&Event::SuspensionProlonged { subject, until }));
        advance(SuspensionPeriod::get());
        next_session();
        assert_eq!(
            node_status(4),
            NodeStatus::Active,
            "one motion cannot hold a member for ever"
        );
    });
}

#[test]
fn reinstated_validator_authors_again_at_once_if_it_is_still_in_the_set() {
    with_members(4, || {
        let reinstate = || Consortium::reinstate_node(council(3, 4), stash(4));
        assert_noop!(reinstate(), E::NotSuspended);
        assert_noop!(
            Consortium::reinstate_node(council(3, 4), stash(9)),
            E::UnknownNode
        );
        assert_ok!(Consortium::suspend_node(council(3, 4), stash(4)));
        assert_noop!(
            Consortium::reinstate_node(council(2, 4), stash(4)),
            DispatchError::BadOrigin
        );
        MinBond::set(BOND + 1);
        assert_noop!(reinstate(), E::BondTooLow);
        MinBond::set(BOND);
        assert_ok!(reinstate());
        assert_eq!(last_event(), Event::NodeReinstated { node: stash(4) });
        assert_eq!((node_status(4), disabled()), (NodeStatus::Active, vec![]));
        (0..2).for_each(|_| next_session());
        assert_eq!(validators(), [1, 2, 3, 4]);
    });
}

#[test]
fn reinstated_member_does_not_bring_back_a_node_that_is_suspended_itself() {
    with_members(4, || {
        let reinstate = || Consortium::reinstate_member(council(3, 4), account(4));
        assert_noop!(reinstate(), E::NotSuspended);
        assert_noop!(
            Consortium::reinstate_member(council(3, 4), account(9)),
            E::UnknownMember
        );
        assert_ok!(Consortium::suspend_node(council(3, 4), stash(4)));
        assert_ok!(Consortium::suspend_member(council(3, 4), account(4)));
        assert_ok!(reinstate());
        assert_eq!(last_event(), Event::MemberReinstated { member: account(4) });
        assert_eq!(
            (node_status(4), disabled()),
            (NodeStatus::Suspended, vec![4])
        );
    });
}

#[test]
fn suspension_needs_more_than_half_of_all_seats() {
    with_members(4, || {
        assert_noop!(
            Consortium::suspend_member(council(2, 4), account(4)),
            DispatchError::BadOrigin
        );
        assert_noop!(
            Consortium::suspend_node(council(2, 4), stash(4)),
            DispatchError::BadOrigin
        );
        assert_noop!(
            Consortium::suspend_node(council(3, 4), stash(9)),
            E::UnknownNode
        );
        assert_noop!(
            Consortium::suspend_member(council(3, 4), account(9)),
            E::UnknownMember
        );
        assert_ok!(Consortium::suspend_member(council(3, 4), account(4)));
        assert_noop!(
            Consortium::suspend_member(council(3, 4), account(4)),
            E::MemberNotActive
        );
        assert_ok!(register(1, 9));
        assert_noop!(
            Consortium::suspend_node(council(3, 4), stash(9)),
            E::NodeNotActive
        );
    });
}

#[test]
fn own_aye_is_not_counted_but_the_seat_is() {
    with_members(4, || {
        let suspend = || Call::suspend_member { member: account(4) };
        assert_eq!(
            motion(suspend(), 3, &[4, 1, 2]),
            Some(Err(E::OwnVoteNeeded.into()))
        );
        assert_eq!(motion(suspend(), 3, &[1, 2, 3]), Some(Ok(())));
        let reinstate = || Call::reinstate_member { member: account(4) };
        assert_eq!(
            motion(reinstate(), 3, &[4, 1, 2]),
            Some(Err(E::OwnVoteNeeded.into()))
        );
        assert_eq!(motion(reinstate(), 4, &[4, 1, 2, 3]), Some(Ok(())));
        let revoke = Call::revoke_member { member: account(4) };
        assert_eq!(
            motion(revoke, 3, &[4, 1, 2]),
            Some(Err(E::OwnVoteNeeded.into()))
        );
    });
}

#[test]
fn finality_survives_every_suspension() {
    for members in 3..=10u8 {
        with_members(members, || {
            let seats = u32::from(members);
            let suspended = (1..=members)
                .filter(|n| Consortium::suspend_node(council(seats, seats), stash(*n)).is_ok())
                .count() as u32;
            assert_eq!(suspended, max_suspended(seats));
            let last = stash(members);
            assert_noop!(
                Consortium::suspend_node(council(seats, seats), last),
                E::TooManySuspended
            );
            (0..3).for_each(|_| next_session());
            assert_noop!(
                Consortium::suspend_member(council(seats, seats), account(members)),
                E::TooManySuspended
            );
        });
    }
}

#[test]
fn node_that_does_not_validate_can_always_be_suspended() {
    with_members(3, || {
        assert_ok!(register(1, 9));
        let gateway = Roles::of(&[NodeRole::Gateway]);
        assert_ok!(Consortium::update_node(
            signed(1),
            stash(9),
            gateway,
            HardwareTier::Light
        ));
        assert_ok!(Consortium::activate_node(signed(1), stash(9)));
        assert_ok!(Consortium::suspend_node(council(2, 3), stash(9)));
        assert_eq!(node_status(9), NodeStatus::Suspended);
    });
}

#[test]
fn suspended_validator_that_leaves_stays_stopped_until_it_is_out() {
    with_members(4, || {
        assert_ok!(Consortium::suspend_node(council(3, 4), stash(4)));
        assert_ok!(Consortium::leave_node(signed(4), stash(4)));
        next_session();
        assert_eq!(disabled(), [4]);
        assert_noop!(
            Consortium::reinstate_node(council(3, 4), stash(4)),
            E::NotSuspended
        );
        next_session();
        assert_eq!(validators(), [1, 2, 3]);
    });
}

#[test]
fn planned_set_counts_before_it_runs() {
    with_members(4, || {
        assert_ok!(Consortium::leave_node(signed(1), stash(1)));
        next_session();
        assert_eq!(validators(), [1, 2, 3, 4], "three are planned");
        assert_noop!(
            Consortium::suspend_node(council(3, 4), stash(4)),
            E::TooManySuspended
        );
    });
}

#[test]
fn suspended_validator_still_counts_under_the_cap_of_its_member() {
    with_members(6, || {
        assert_ok!(register(1, 8));
        assert_ok!(register(1, 9));
        [8, 9].into_iter().for_each(set_keys);
        assert_ok!(Consortium::activate_node(signed(1), stash(8)));
        assert_ok!(Consortium::suspend_node(council(4, 6), stash(8)));
        assert_noop!(
            Consortium::activate_node(signed(1), stash(9)),
            E::MemberCapReached
        );
    });
}
