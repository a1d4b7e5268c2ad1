//! Attacks, with what they gained and lost.

use crate::mock::*;
use touchstone_primitives::{
    NodeId,
    consortium::NodeStatus,
    evidence::{CompetenceOf, Offence, RecordEvidence},
    fixed::Fixed,
};

fn weight(member: u8) -> Fixed {
    Reputation::weights(0)
        .into_iter()
        .find(|weight| weight.group == id(member))
        .map_or(Fixed::ZERO, |weight| weight.weight)
}

fn report(attack: &str, gained: Fixed, instead: &str) {
    println!("{attack}: {gained:.4} of the votes ({instead})");
}

/// Members 1 to 4 with equal, honest histories.
fn honest() {
    (1..=4).for_each(|n| teach(&node(n), 0, 1));
}

#[test]
fn four_identities_of_one_operator_weigh_as_much_as_one() {
    run(|| {
        honest();
        for n in 50..54 {
            set_node(id(n), id(1), NodeStatus::Active);
            teach(&id(n), 0, 1);
        }
        report("four more identities", weight(1), "0.2500 without them");
        assert_eq!(weight(1), Fixed::percent(25));
    });
}

#[test]
fn hidden_common_ownership_ends_with_the_merger() {
    run(|| {
        honest();
        let together = weight(3).plus(weight(4));
        Reputation::merge_groups(RuntimeOrigin::root(), id(4), id(3)).unwrap();
        report(
            "two members of one owner",
            weight(3),
            "0.5000 before the merger",
        );
        assert_eq!(together, Fixed::HALF);
        assert_eq!(weight(4), Fixed::ZERO);
        assert_eq!(weight(3), Fixed::ratio(1, 3));
    });
}

#[test]
fn ten_fresh_identities_have_no_vote() {
    run(|| {
        honest();
        for n in 50..60 {
            set_node(id(n), id(n), NodeStatus::Active);
            let duties: Vec<_> = (0..5).map(|_| duty(1, 90, true)).collect();
            Reputation::record(&id(n), 0, &duties);
        }
        let gained = (50..60).fold(Fixed::ZERO, |sum, n| sum.plus(weight(n)));
        report("ten fresh identities", gained, "too little evidence");
        assert_eq!(gained, Fixed::ZERO);
        assert_eq!(weight(1), Fixed::percent(25));
    });
}

#[test]
fn dust_does_not_outvote_the_competent() {
    run(|| {
        teach(&node(1), 0, 0);
        teach(&node(2), 0, 0);
        // Eight operators that pass little more than guessing does.
        (3..=10).for_each(|n| teach(&node(n), 0, 9));
        assert!(Reputation::weights(0).is_empty(), "no electorate of two");
        teach(&node(3), 0, 0);
        teach(&node(3), 0, 0);
        println!("dust: {} eligible", Reputation::electorate(0).eligible);
        assert!((4..=10).all(|n| weight(n).is_zero()));
    });
}

#[test]
fn trivial_canaries_do_not_outweigh_hard_ones() {
    // Row C of the whitepaper: a thousand trivial ones, all passed, against two hundred hard ones.
    run(|| {
        for epoch in 0..10 {
            let trivial: Vec<_> = (0..100).map(|_| duty(epoch, 5, true)).collect();
            Reputation::record(&node(5), 0, &trivial);
            let hard: Vec<_> = (0..20).map(|n| duty(epoch, 90, n > 0)).collect();
            (1..=4).for_each(|n| Reputation::record(&node(n), 0, &hard));
        }
        report("farming trivial canaries", weight(5), "0.2000 of five");
        assert!(weight(5) < weight(1).times(Fixed::percent(55)));
    });
}

#[test]
fn farming_in_one_epoch_stops_at_the_mass_cap() {
    run(|| {
        let many: Vec<_> = (0..64).map(|_| duty(1, 100, true)).collect();
        (0..10).for_each(|_| Reputation::record(&node(1), 0, &many));
        let evidence = Reputation::standing(&node(1), 0).evidence;
        println!("640 duties in one epoch give a mass of {evidence}");
        assert_eq!(evidence, Network::get().epoch_mass_max);
    });
}

#[test]
fn leaving_for_three_half_lives_costs_seven_eighths_of_the_evidence() {
    // Row B of the whitepaper.
    run(|| {
        honest();
        let before = Reputation::standing(&node(1), 0);
        advance(3 * 30 * DAY);
        for epoch in 20..30 {
            let duties: Vec<_> = (0..10).map(|n| duty(epoch, 90, n > 0)).collect();
            (2..=4).for_each(|n| Reputation::record(&node(n), 0, &duties));
        }
        let after = Reputation::standing(&node(1), 0);
        report("leaving for three half-lives", weight(1), "0.2500 before");
        assert_eq!(after.evidence, before.evidence.times(Fixed::ratio(1, 8)));
        assert!(weight(1) < Fixed::percent(15));
    });
}

#[test]
fn collusion_caught_costs_nine_tenths_and_half_the_bond() {
    // Row D of the whitepaper.
    run(|| {
        honest();
        let before = weight(1);
        Reputation::offence(&node(1), 0, Offence::Collusion);
        report("collusion caught", weight(1), "0.2500 before");
        assert!(weight(1) <= before.times(Fixed::percent(10)));
        assert_eq!(Bonds::get()[&id(1)], BOND / 2);
        // Others gain nothing by it, beyond the smaller bond of the offender.
        assert!(weight(2) < before.times("1.06".parse().unwrap()));
    });
}

#[test]
fn an_offence_survives_leaving_and_returning() {
    run(|| {
        honest();
        Reputation::offence(&node(1), 0, Offence::Collusion);
        remove_node(&node(1));
        // Comes back with a new stash.
        let fresh = id(60);
        set_node(fresh.clone(), id(1), NodeStatus::Active);
        teach(&fresh, 0, 0);
        let standing = Reputation::standing(&fresh, 0);
        println!("S after returning: {}", standing.safety);
        assert_eq!(standing.safety, Fixed::percent(10));
        assert_eq!(Reputation::group_info(&id(1)).offences.len(), 1);
    });
}

#[test]
fn an_offence_of_a_node_that_has_left_punishes_its_group() {
    run(|| {
        honest();
        remove_node(&node(1));
        Reputation::offence(&node(1), 0, Offence::FailedAudit);
        assert_eq!(Reputation::safety_of(&id(1)), Fixed::percent(30));
        Reputation::offence(&id(77), 0, Offence::FailedAudit);
        assert_eq!(Reputation::group_info(&id(77)).offences, []);
    });
}

#[test]
fn framing_a_rival_gains_nothing() {
    run(|| {
        honest();
        let before = weight(1);
        // Drift costs no bond, so the rival's base stays.
        (0..9).for_each(|_| Reputation::offence(&node(2), 0, Offence::Drift));
        report("framing a rival nine times", weight(1), "0.2500 before");
        assert_eq!(weight(1), before);
        assert!(weight(2) < Fixed::percent(4));
    });
}

#[test]
fn a_whale_with_the_greatest_bond_stays_under_the_cap() {
    run(|| {
        (1..=8).for_each(|n| teach(&node(n), 0, 1));
        set_bond(id(1), u128::MAX);
        let electorate = Reputation::electorate(0);
        report(
            "the greatest bond",
            weight(1),
            "0.1250 with a bond like the others",
        );
        assert!(weight(1) <= electorate.cap && electorate.cap <= Fixed::percent(20));
        let standing = Reputation::standing(&node(1), 0);
        assert_eq!(standing.stake, Fixed::from_int(2));
    });
}

#[test]
fn who_is_no_better_than_guessing_has_no_vote() {
    run(|| {
        honest();
        NullRate::set(Fixed::percent(50));
        teach(&node(5), 0, 5);
        report(
            "half of the answers right where guessing gets half",
            weight(5),
            "below the bar",
        );
        assert_eq!(weight(5), Fixed::ZERO);
    });
}

#[test]
fn suspended_nodes_have_no_vote() {
    run(|| {
        honest();
        set_node(node(1), id(1), NodeStatus::Suspended);
        let groups: Vec<NodeId> = Reputation::weights(0)
            .into_iter()
            .map(|w| w.group)
            .collect();
        assert_eq!(groups, [id(2), id(3), id(4)]);
    });
}
