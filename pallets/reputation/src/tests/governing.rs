use crate::{Error, Event, mock::*};
use frame_support::{assert_noop, assert_ok, traits::Hooks};
use sp_runtime::DispatchError::BadOrigin;
use touchstone_primitives::{
    evidence::{CompetenceOf, Offence, RecordEvidence},
    fixed::Fixed,
    reputation::{Knobs, Penalty},
};

#[test]
fn topics_have_their_own_knobs_except_for_recovery() {
    run(|| {
        let root = RuntimeOrigin::root;
        let own = Knobs {
            half_life: DAY,
            recovery: DAY,
            ..Knobs::default()
        };
        assert_ok!(Reputation::set_knobs(root(), 3, Some(own)));
        let event = Event::KnobsSet {
            topic: 3,
            knobs: Some(own),
        };
        assert_eq!(events(), [event]);
        assert_eq!(Reputation::knobs_of(0), Knobs::default());
        assert_eq!(Reputation::knobs_of(3).half_life, DAY);
        assert_eq!(Reputation::knobs_of(3).recovery, 90 * DAY);
        Reputation::record(&node(1), 0, &[duty(1, 100, true)]);
        Reputation::record(&node(1), 3, &[duty(1, 100, true)]);
        advance(DAY);
        assert_eq!(Reputation::standing(&node(1), 3).evidence, Fixed::HALF);
        assert!(Reputation::standing(&node(1), 0).evidence > Fixed::percent(97));
        assert_ok!(Reputation::set_knobs(root(), 3, None));
        assert_eq!(Reputation::knobs_of(3), Knobs::default());
    });
}

#[test]
fn only_the_governing_origin_governs() {
    run(|| {
        let anybody = || RuntimeOrigin::signed(id(1));
        let penalty = Penalty::starting(Offence::Drift);
        assert_noop!(Reputation::set_knobs(anybody(), 0, None), BadOrigin);
        assert_noop!(
            Reputation::set_penalty(anybody(), Offence::Drift, penalty),
            BadOrigin
        );
        assert_noop!(Reputation::merge_groups(anybody(), id(1), id(2)), BadOrigin);
        assert_noop!(Reputation::split_group(anybody(), id(1)), BadOrigin);
    });
}

#[test]
fn parameters_out_of_range_are_refused() {
    run(|| {
        let root = RuntimeOrigin::root;
        let bad = Knobs {
            half_life: 0,
            ..Knobs::default()
        };
        assert_noop!(
            Reputation::set_knobs(root(), 0, Some(bad)),
            Error::<Test>::BadKnobs
        );
        let bad = Penalty {
            safety: Fixed::from_int(2),
            bond: Fixed::ZERO,
        };
        assert_noop!(
            Reputation::set_penalty(root(), Offence::Drift, bad),
            Error::<Test>::BadPenalty
        );
    });
}

#[test]
fn penalties_are_governed() {
    run(|| {
        let penalty = Penalty {
            safety: Fixed::HALF,
            bond: Fixed::percent(1),
        };
        assert_ok!(Reputation::set_penalty(
            RuntimeOrigin::root(),
            Offence::Drift,
            penalty
        ));
        let offence = Offence::Drift;
        assert_eq!(events(), [Event::PenaltySet { offence, penalty }]);
        Reputation::offence(&node(1), 7, offence);
        let slashed = BOND / 100;
        let event = Event::OffencePunished {
            group: id(1),
            node: node(1),
            topic: 7,
            offence,
            factor: Fixed::HALF,
            safety: Fixed::HALF,
            slashed: Fixed::percent(1).of(BOND),
        };
        assert!(slashed - Fixed::percent(1).of(BOND) <= 1);
        assert_eq!(events().last(), Some(&event));
        assert_eq!(Reputation::penalties()[0], (offence, penalty));
        assert_eq!(
            Reputation::penalties()[2].1,
            Penalty::starting(Offence::Collusion)
        );
    });
}

#[test]
fn the_shipped_knobs_are_valid() {
    run(<Reputation as Hooks<_>>::integrity_test);
}
