//! The whitepaper's table, a model in floats, and properties.

#![allow(clippy::float_arithmetic)]

use super::*;
use crate::H256;
use proptest::prelude::*;
use std::{vec, vec::Vec};

fn float(x: Fixed) -> f64 {
    x.to_bits() as f64 / 2_f64.powi(64)
}

fn fixed(text: &str) -> Fixed {
    text.parse().unwrap()
}

fn scored(epoch: u32, difficulty: &str, outcome: u64) -> Scored {
    Scored {
        duty: H256::zero(),
        family: H256::zero(),
        epoch,
        difficulty: fixed(difficulty),
        outcome: Fixed::from_int(outcome),
        wrong: None,
        options: 10,
        shared: false,
    }
}

/// An account with this many audits, a tenth of them in each of ten epochs at time 0; some of the first epoch were wrong.
fn history(audits: usize, wrong: usize, difficulty: &str) -> Account {
    let knobs = Knobs::default();
    let mut account = Account::default();
    for epoch in 0..10_usize {
        let duties: Vec<_> = (0..audits / 10)
            .map(|n| scored(epoch as u32, difficulty, u64::from(epoch > 0 || n >= wrong)))
            .collect();
        account.fold(&duties, false, 0, &knobs).unwrap();
    }
    account
}

/// Row A of the whitepaper: 200 hard audits (d = 0.9), 96 % passed, recent.
fn row_a() -> Account {
    history(200, 8, "0.9")
}

const SOME_BOND: u128 = 1_000_000_000_000_000;

fn standing_at(account: &Account, now: Moment) -> Standing {
    standing(account, Fixed::ONE, SOME_BOND, now, &Knobs::default())
}

fn assert_near(got: Fixed, expected: f64) {
    assert!(
        (float(got) - expected).abs() <= 1e-6 * expected.abs().max(1e-3),
        "{got} instead of {expected}"
    );
}

#[test]
fn row_a_many_hard_audits_give_much() {
    let a = standing_at(&row_a(), 0);
    assert_near(a.evidence, 180.0);
    assert_near(a.passed, 172.8);
    assert_near(a.competence, 177.8 / 190.0);
    assert_near(a.stake, 1.0 + 0.25 * 2_f64.ln());
    assert_near(
        a.reputation,
        177.8 / 190.0 * 180_f64.sqrt() * (1.0 + 0.25 * 2_f64.ln()),
    );
    assert_eq!(a.epochs, 10);
}

#[test]
fn row_b_three_half_lives_leave_an_eighth() {
    let knobs = Knobs::default();
    let (a, b) = (row_a(), standing_at(&row_a(), 3 * knobs.half_life));
    let a = standing_at(&a, 0);
    assert_near(b.evidence, float(a.evidence) / 8.0);
    assert!(b.competence < a.competence && b.competence > knobs.prior);
    // Towards the prior in the end.
    let later = standing_at(&row_a(), 20 * knobs.half_life);
    assert_near(later.competence, 0.5 + 0.46 * 180.0 / 2_f64.powi(20) / 10.0);
    println!(
        "B after three half-lives keeps {:.3} of A's reputation {:.3}",
        b.reputation, a.reputation
    );
    assert!(b.reputation < a.reputation.times(fixed("0.32")));
}

#[test]
fn row_c_a_thousand_trivial_canaries_do_not_outweigh_a() {
    let c = standing_at(&history(1000, 0, "0.05"), 0);
    let a = standing_at(&row_a(), 0);
    assert_near(c.evidence, 50.0);
    println!(
        "C farms {:.3} against A's {:.3}",
        c.reputation, a.reputation
    );
    assert!(c.competence < a.competence);
    assert!(c.reputation < a.reputation.times(fixed("0.52")));
}

#[test]
fn row_d_collusion_caught_leaves_almost_nothing() {
    let knobs = Knobs::default();
    let mut safety = Safety::default();
    safety.punish(
        Penalty::starting(Offence::Collusion).safety,
        1_000,
        knobs.recovery,
    );
    let safe = standing(&row_a(), Fixed::ONE, SOME_BOND, 1_000, &knobs);
    let caught = standing(
        &row_a(),
        safety.now(1_000, knobs.recovery),
        0,
        1_000,
        &knobs,
    );
    println!(
        "D falls from {:.3} to {:.3}",
        safe.reputation, caught.reputation
    );
    assert!(caught.reputation < safe.reputation.times(fixed("0.1")));
    // Trust leaves faster than it arrives: a recovery time later S is still far from whole.
    assert_near(safety.now(1_000 + knobs.recovery, knobs.recovery), 0.55);
}

#[test]
fn mass_of_an_epoch_is_capped() {
    let knobs = Knobs::default();
    let mut account = Account::default();
    let many = vec![scored(7, "1", 1); 50];
    let fold = account.fold(&many, false, 0, &knobs).unwrap();
    assert_eq!((fold.mass, fold.gain), (fixed("50"), fixed("20")));
    // Neither a second batch nor a late one of an earlier epoch gets more; the next epoch does.
    let again = account.fold(&many, true, 0, &knobs).unwrap();
    assert_eq!((again.gain, again.passed_gain), (Fixed::ZERO, Signed::ZERO));
    let late = account
        .fold(&[scored(3, "1", 1)], false, 0, &knobs)
        .unwrap();
    assert_eq!((late.gain, late.epoch), (Fixed::ZERO, 7));
    let next = account
        .fold(&[scored(8, "0.5", 0)], false, 0, &knobs)
        .unwrap();
    assert_eq!(next.gain, fixed("0.5"));
    assert_eq!((account.epochs, account.epoch), (2, Some(8)));
}

#[test]
fn who_coasts_once_the_cap_is_reached_loses_what_it_earned() {
    // The attack: serve well until the epoch's mass is earned, then save the effort.
    let knobs = Knobs::default();
    let (right, wrong) = (vec![scored(7, "1", 1); 20], vec![scored(7, "1", 0); 20]);
    let mut coasts = Account::default();
    coasts.fold(&right, false, 0, &knobs).unwrap();
    let fold = coasts.fold(&wrong, false, 0, &knobs).unwrap();
    assert_eq!(
        (fold.gain, fold.passed_gain),
        (Fixed::ZERO, Signed::from_int(-10))
    );
    assert_eq!(coasts.tally.passed, fixed("10"));
    // The order makes no difference.
    let mut other = Account::default();
    other.fold(&wrong, false, 0, &knobs);
    other.fold(&right, false, 0, &knobs);
    assert_eq!(coasts, other);
}

#[test]
fn void_duties_and_no_duties_change_nothing() {
    let mut account = Account::default();
    assert_eq!(account.fold(&[], false, 5, &Knobs::default()), None);
    account.fold(&[scored(1, "0", 0)], false, 5, &Knobs::default());
    assert_eq!(
        (account.tally.evidence, account.epochs, account.epoch),
        (Fixed::ZERO, 0, None)
    );
}

#[test]
fn a_long_gap_starts_the_count_of_epochs_anew() {
    let knobs = Knobs::default();
    let mut account = row_a();
    account.fold(
        &[scored(49, "0", 0)],
        false,
        knobs.half_life + 1_000,
        &knobs,
    );
    assert_eq!(account.epochs, 10, "void duties are no evidence");
    let mut account = row_a();
    account.fold(
        &[scored(50, "1", 1)],
        false,
        knobs.half_life + 2_000,
        &knobs,
    );
    assert_eq!(account.epochs, 1);
    account.fold(
        &[scored(51, "1", 1)],
        false,
        knobs.half_life + 3_000,
        &knobs,
    );
    assert_eq!(account.epochs, 2);
}

#[test]
fn another_model_inherits_a_quarter() {
    let mut account = row_a();
    account.change_model(0, &Knobs::default());
    let after = standing_at(&account, 0);
    assert_near(after.evidence, 45.0);
    assert_near(after.passed, 43.2);
}

#[test]
fn blind_audits_move_both_tallies() {
    let mut account = Account::default();
    let knobs = Knobs::default();
    account.fold(&[scored(1, "0.5", 1)], true, 0, &knobs);
    account.fold(&[scored(1, "1", 1)], false, 0, &knobs);
    assert_eq!(account.tally.evidence, fixed("1.5"));
    assert_eq!(account.secret.evidence, fixed("0.5"));
}

#[test]
fn a_bond_multiplies_by_two_at_most() {
    let knobs = Knobs::default();
    assert_eq!(stake_factor(0, &knobs), Fixed::ONE);
    assert_eq!(stake_factor(u128::MAX, &knobs), Fixed::from_int(2));
    assert_near(
        stake_factor(9 * SOME_BOND, &knobs),
        1.0 + 0.25 * 10_f64.ln(),
    );
}

#[test]
fn knobs_out_of_range_are_refused() {
    let good = Knobs::default();
    assert!(good.is_valid());
    let (zero, two) = (Fixed::ZERO, Fixed::from_int(2));
    for bad in [
        Knobs {
            half_life: 0,
            ..good
        },
        Knobs {
            recovery: 0,
            ..good
        },
        Knobs {
            bond_unit: 0,
            ..good
        },
        Knobs {
            kappa: zero,
            ..good
        },
        Knobs {
            gamma: zero,
            ..good
        },
        Knobs { gamma: two, ..good },
        Knobs { prior: two, ..good },
        Knobs {
            share_max: zero,
            ..good
        },
        Knobs {
            share_max: two,
            ..good
        },
        Knobs {
            stake_max: Fixed::HALF,
            ..good
        },
        Knobs {
            new_model: two,
            ..good
        },
        Knobs {
            exploration: two,
            ..good
        },
    ] {
        assert!(!bad.is_valid(), "{bad:?}");
    }
    assert!(
        !Penalty {
            safety: two,
            bond: zero
        }
        .is_valid()
    );
    assert!(
        !Penalty {
            safety: zero,
            bond: two
        }
        .is_valid()
    );
}

/// The same rules in floats, written from the whitepaper.
#[derive(Default)]
struct Model {
    n: f64,
    p: f64,
    at: f64,
    s: f64,
    s_at: f64,
}

proptest! {
    #[test]
    fn floats_agree(
        duties in prop::collection::vec((0_u64..1 << 33, 1_u32..=100, 0_u32..=100, prop::bool::weighted(0.05)), 1..60),
        bond in 0_u128..1 << 80,
        wait in 0_u64..1 << 34,
    ) {
        let knobs = Knobs { epoch_mass_max: Fixed::MAX, ..Knobs::default() };
        let (half_life, recovery) = (knobs.half_life as f64, knobs.recovery as f64);
        let (mut account, mut safety) = (Account::default(), Safety::default());
        let mut model = Model { s: 1.0, ..Model::default() };
        let mut now = 0;
        for (epoch, (elapsed, difficulty, outcome, offends)) in duties.into_iter().enumerate() {
            now += elapsed;
            let (d, o) = (Fixed::percent(difficulty), Fixed::percent(outcome));
            account.fold(&[Scored { difficulty: d, outcome: o, ..scored(epoch as u32, "0", 0) }], false, now, &knobs);
            let factor = (-(now as f64 - model.at) / half_life).exp2();
            model.n = model.n * factor + float(d);
            model.p = model.p * factor + float(d) * float(o);
            model.at = now as f64;
            if offends {
                safety.punish(Fixed::percent(10), now, knobs.recovery);
                model.s = 0.1 * (1.0 - (1.0 - model.s) * (-(now as f64 - model.s_at) / recovery).exp2());
                model.s_at = now as f64;
            }
        }
        now += wait;
        let got = standing(&account, safety.now(now, knobs.recovery), bond, now, &knobs);
        let factor = (-(now as f64 - model.at) / half_life).exp2();
        let (n, p) = (model.n * factor, model.p * factor);
        let c = (p + 10.0 * 0.5) / (n + 10.0);
        let s = 1.0 - (1.0 - model.s) * (-(now as f64 - model.s_at) / recovery).exp2();
        let g = (1.0 + 0.25 * (1.0 + bond as f64 / 1e15).ln()).min(2.0);
        for (got, expected) in [
            (got.evidence, n), (got.passed, p), (got.competence, c), (got.volume, n.sqrt()),
            (got.stake, g), (got.safety, s), (got.base, c * n.sqrt() * g), (got.reputation, c * n.sqrt() * g * s),
        ] {
            prop_assert!((float(got) - expected).abs() <= 1e-6 * expected.abs().max(1e-6), "{got} instead of {expected}");
        }
    }

    #[test]
    fn passed_never_exceeds_evidence_and_competence_never_one(
        duties in prop::collection::vec((any::<u128>(), any::<u128>(), any::<u32>(), any::<u64>()), 0..20),
        now in any::<u64>(),
        bond in any::<u128>(),
    ) {
        let knobs = Knobs::default();
        let mut account = Account::default();
        for (difficulty, outcome, epoch, at) in duties {
            let duty = Scored {
                difficulty: Fixed::from_bits(difficulty),
                outcome: Fixed::from_bits(outcome),
                ..scored(epoch, "0", 0)
            };
            account.fold(&[duty], epoch % 2 == 0, at, &knobs);
            prop_assert!(account.tally.passed <= account.tally.evidence);
            prop_assert!(account.secret.passed <= account.secret.evidence);
        }
        let got = standing(&account, Fixed::ONE, bond, now, &knobs);
        prop_assert!(got.competence <= Fixed::ONE && got.reputation == got.base);
    }

    #[test]
    fn safety_only_rises_with_time(factors in prop::collection::vec((0_u32..=100, any::<u32>()), 0..10), wait in any::<u64>()) {
        let (mut safety, mut now) = (Safety::default(), 0_u64);
        for (factor, elapsed) in factors {
            now += u64::from(elapsed);
            let before = safety.now(now, DAY);
            safety.punish(Fixed::percent(factor), now, DAY);
            prop_assert!(safety.now(now, DAY) <= before);
        }
        let (first, later) = (safety.now(now, DAY), safety.now(now.saturating_add(wait), DAY));
        prop_assert!(first <= later && later <= Fixed::ONE);
    }
}
