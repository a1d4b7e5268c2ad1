use super::*;
use frame_support::{assert_ok, traits::fungible::InspectHold};
use sp_staking::offence::{OffenceDetails, OnOffenceHandler};

fn equivocate(offenders: &[u8], session: u32) {
    let details: Vec<_> = offenders
        .iter()
        .map(|n| OffenceDetails {
            offender: (stash(*n), ()),
            reporters: vec![],
        })
        .collect();
    let fractions = vec![Perbill::one(); details.len()];
    Consortium::on_offence(&details, &fractions, session);
}

fn held(n: u8) -> Balance {
    Balances::balance_on_hold(&HoldReason::NodeBond.into(), &account(n))
}

#[test]
fn equivocation_suspends_until_reinstated_and_slashes_to_the_commons() {
    with_members(4, || {
        let commons = Balances::free_balance(Commons::get());
        equivocate(&[4], 0);
        let slash = BOND / 10;
        assert_eq!((held(4), node(4).bond), (BOND - slash, BOND - slash));
        assert_eq!(Balances::free_balance(Commons::get()), commons + slash);
        assert!(events().contains(&Event::Slashed {
            node: stash(4),
            amount: slash
        }));
        assert_eq!(
            (node_status(4), disabled()),
            (NodeStatus::Suspended, vec![4])
        );
        advance(10 * SuspensionPeriod::get());
        (0..2).for_each(|_| next_session());
        assert_eq!(
            (node_status(4), validators()),
            (NodeStatus::Suspended, vec![1, 2, 3])
        );

        assert_eq!(
            Consortium::reinstate_node(council(3, 4), stash(4)),
            Err(E::BondTooLow.into()),
            "the bond must be whole again"
        );
        assert_ok!(Consortium::add_bond(signed(4), stash(4), slash));
        assert_ok!(Consortium::reinstate_node(council(3, 4), stash(4)));
        (0..2).for_each(|_| next_session());
        assert_eq!(validators(), [1, 2, 3, 4]);
    });
}

#[test]
fn one_incident_is_slashed_once_however_often_it_is_reported() {
    with_members(7, || {
        equivocate(&[4], 0);
        // A concurrent offence of another node brings the first one up again; so does the next session.
        equivocate(&[4, 5], 0);
        equivocate(&[4], 1);
        assert_eq!((held(4), held(5)), (BOND * 9 / 10, BOND * 9 / 10));
        assert_ok!(Consortium::add_bond(signed(4), stash(4), BOND / 10));
        assert_ok!(Consortium::reinstate_node(council(4, 7), stash(4)));
        equivocate(&[4], 1);
        assert_eq!(
            (held(4), node_status(4)),
            (BOND, NodeStatus::Active),
            "a late report"
        );
        equivocate(&[4], 2);
        assert_eq!(
            (held(4), node_status(4)),
            (BOND * 9 / 10, NodeStatus::Suspended),
            "a new one"
        );
    });
}

#[test]
fn offender_waits_when_too_many_are_suspended_already() {
    with_members(4, || {
        equivocate(&[4, 3], 0);
        assert_eq!(node_status(4), NodeStatus::Suspended);
        assert_eq!(node_status(3), NodeStatus::Active);
        assert!(events().contains(&Event::SuspensionQueued { node: stash(3) }));
        assert_eq!(held(3), BOND * 9 / 10, "the slash does not wait");
        next_session();
        assert_eq!(node_status(3), NodeStatus::Active);
        assert_ok!(Consortium::add_bond(signed(4), stash(4), BOND / 10));
        assert_ok!(Consortium::reinstate_node(council(3, 4), stash(4)));
        (0..2).for_each(|_| next_session());
        assert_eq!(
            node_status(3),
            NodeStatus::Active,
            "not before the other one works again"
        );
        next_session();
        assert_eq!(node_status(3), NodeStatus::Suspended);
        assert!(QueuedSuspensions::<Test>::get().is_empty());
    });
}

#[test]
fn councils_suspension_becomes_an_offence_when_one_is_proven() {
    with_members(4, || {
        assert_ok!(Consortium::suspend_node(council(3, 4), stash(4)));
        equivocate(&[4], 0);
        let suspension = Suspensions::<Test>::get(Subject::Node(stash(4))).unwrap();
        assert_eq!(
            (suspension.cause, suspension.until),
            (Cause::Offence(crate::offences::EQUIVOCATION), None)
        );
        assert_eq!(held(4), BOND * 9 / 10);
    });
}

#[test]
fn leaving_node_is_slashed_until_its_bond_is_withdrawn() {
    with_members(4, || {
        assert_ok!(Consortium::leave_node(signed(4), stash(4)));
        equivocate(&[4], 0);
        assert_eq!(
            (held(4), node_status(4)),
            (BOND * 9 / 10, NodeStatus::Leaving)
        );
        assert_eq!(disabled(), [4]);
        (0..2).for_each(|_| next_session());
        advance(UnbondingDelay::get());
        assert_ok!(Consortium::withdraw_bond(signed(4), stash(4)));
        assert_eq!(held(4), 0);
    });
}

#[test]
fn unknown_and_never_active_nodes_are_not_punished() {
    with_members(4, || {
        assert_ok!(register(1, 9));
        equivocate(&[9, 50], 0);
        assert_eq!(
            (held(1), node_status(9)),
            (2 * BOND, NodeStatus::Registered)
        );
    });
}
