//! What counts as stake.

use super::*;
use frame_support::assert_ok;
use touchstone_primitives::{evidence::BondOf, fixed::Fixed};

fn stake(n: u8) -> u128 {
    <Consortium as BondOf>::bond(&account(n))
}

#[test]
fn a_bond_that_was_just_added_does_not_count() {
    // The attack: bond a fortune for the day of the vote.
    with_members(4, || {
        assert_eq!((stake(1), stake(99)), (BOND, 0));
        assert_ok!(Consortium::add_bond(signed(1), stash(1), 5 * UNIT));
        assert_eq!(stake(1), BOND);
        advance(UnbondingDelay::get() - 1);
        assert_ok!(Consortium::add_bond(signed(1), stash(1), 2 * UNIT));
        advance(1);
        assert_eq!(stake(1), BOND, "the second addition holds up the first");
        advance(UnbondingDelay::get() - 1);
        assert_eq!(stake(1), BOND + 7 * UNIT);
        assert_ok!(Consortium::add_bond(signed(1), stash(1), UNIT));
        assert_eq!(stake(1), BOND + 7 * UNIT, "what counts goes on counting");
    });
}

#[test]
fn the_smallest_bond_of_a_member_counts() {
    with_members(4, || {
        Nodes::<Test>::mutate(stash(2), |node| node.as_mut().unwrap().member = account(1));
        Members::<Test>::mutate(account(1), |member| {
            member.as_mut().unwrap().nodes.try_push(stash(2)).unwrap()
        });
        Nodes::<Test>::mutate(stash(2), |node| node.as_mut().unwrap().bond = 7);
        assert_eq!(stake(1), 7);
        // Undo, the state is checked after the test.
        Nodes::<Test>::mutate(stash(2), |node| {
            let node = node.as_mut().unwrap();
            (node.member, node.bond) = (account(2), BOND);
        });
        Members::<Test>::mutate(account(1), |member| {
            member.as_mut().unwrap().nodes.pop();
        });
    });
}

#[test]
fn an_offence_takes_its_part_for_the_commons() {
    with_members(4, || {
        let commons = Balances::free_balance(Commons::get());
        let slash = |part| <Consortium as BondOf>::slash(&stash(1), part);
        assert_eq!(slash(Fixed::HALF), BOND / 2);
        assert_eq!((node(1).bond, stake(1)), (BOND / 2, BOND / 2));
        assert_eq!(Balances::free_balance(Commons::get()), commons + BOND / 2);
        assert!(events().contains(&Event::Slashed {
            node: stash(1),
            amount: BOND / 2
        }));
        assert_eq!(slash(Fixed::MAX), BOND / 2, "more than all is all");
        assert_eq!((slash(Fixed::ONE), slash(Fixed::ZERO)), (0, 0));
        assert_eq!(<Consortium as BondOf>::slash(&account(99), Fixed::ONE), 0);
        assert_eq!(node_status(1), NodeStatus::Active, "what it loses is trust");
    });
}
