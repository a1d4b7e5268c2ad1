use crate::{Error, Event, mock::*, types::MAX_OFFENCES};
use frame_support::{assert_noop, assert_ok};
use touchstone_primitives::{
    evidence::{Offence, RecordEvidence},
    fixed::Fixed,
};

fn merge(member: u8, into: u8) -> sp_runtime::DispatchResult {
    Reputation::merge_groups(RuntimeOrigin::root(), id(member), id(into))
}

fn split(member: u8) -> sp_runtime::DispatchResult {
    Reputation::split_group(RuntimeOrigin::root(), id(member))
}

#[test]
fn merged_members_share_the_lower_safety_and_the_smaller_bond() {
    run(|| {
        Reputation::offence(&node(2), 0, Offence::Goodhart);
        set_bond(id(2), 5);
        assert_ok!(merge(2, 1));
        let event = Event::GroupsMerged {
            member: id(2),
            into: id(1),
            safety: Fixed::HALF,
        };
        assert_eq!(events().last(), Some(&event));
        assert_eq!(Reputation::safety_of(&id(1)), Fixed::HALF);
        assert_eq!(Reputation::bond_of(&id(1)), 5);
        let group = Reputation::group_info(&id(2));
        assert_eq!(group.members, [id(1), id(2)]);
        // An offence of either is the group's.
        Reputation::offence(&node(2), 0, Offence::Goodhart);
        assert_eq!(Reputation::safety_of(&id(1)), Fixed::percent(25));
        // A member without bond does not make the group's nothing.
        set_bond(id(2), 0);
        assert_eq!(Reputation::bond_of(&id(1)), BOND);
    });
}

#[test]
fn a_merger_does_not_wash_an_offence_away() {
    run(|| {
        Reputation::offence(&node(1), 0, Offence::Collusion);
        assert_ok!(merge(2, 1));
        assert_eq!(Reputation::safety_of(&id(1)), Fixed::percent(10));
        assert_ok!(split(2));
        assert_eq!(Reputation::safety_of(&id(2)), Fixed::percent(10));
        let event = Event::GroupSplit {
            member: id(2),
            from: id(1),
        };
        assert_eq!(events().last(), Some(&event));
    });
}

#[test]
fn groups_are_one_level_deep() {
    run(|| {
        assert_noop!(merge(1, 1), Error::<Test>::SameMember);
        assert_noop!(merge(1, 99), Error::<Test>::NotMember);
        assert_noop!(split(1), Error::<Test>::NotMerged);
        assert_ok!(merge(2, 1));
        assert_noop!(merge(2, 3), Error::<Test>::AlreadyMerged);
        assert_noop!(merge(3, 2), Error::<Test>::AlreadyMerged);
        assert_noop!(merge(1, 3), Error::<Test>::AlreadyMerged);
        assert_ok!(merge(3, 1));
    });
}

#[test]
fn safety_recovers_by_half_every_recovery_time() {
    run(|| {
        Reputation::offence(&node(1), 0, Offence::Goodhart);
        advance(90 * DAY);
        assert_eq!(Reputation::safety_of(&id(1)), Fixed::percent(75));
        Reputation::offence(&node(1), 0, Offence::Goodhart);
        assert_eq!(Reputation::safety_of(&id(1)), Fixed::ratio(3, 8));
        // The topic plays no part.
        Reputation::offence(&node(1), 5, Offence::Goodhart);
        assert_eq!(Reputation::safety_of(&id(1)), Fixed::ratio(3, 16));
    });
}

#[test]
fn the_last_offences_are_kept() {
    run(|| {
        for _ in 0..MAX_OFFENCES + 3 {
            Reputation::offence(&node(1), 0, Offence::Drift);
        }
        let offences = Reputation::group_info(&id(1)).offences;
        assert_eq!(offences.len() as u32, MAX_OFFENCES);
        assert!(offences.iter().is_sorted_by(|a, b| a.safety > b.safety));
    });
}
