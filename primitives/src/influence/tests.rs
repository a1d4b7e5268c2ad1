//! Attacks on influence, and properties of the clip.

#![allow(clippy::float_arithmetic)]

use super::*;
use proptest::prelude::*;
use std::{vec, vec::Vec};

fn fixed(text: &str) -> Fixed {
    text.parse().unwrap()
}

fn id(n: u8) -> NodeId {
    NodeId::new([n; 32])
}

/// A node of a group with much evidence, this competence and this base.
fn candidate(group: u8, node: u8, competence: &str, base: &str) -> Candidate {
    Candidate {
        group: id(group),
        node: id(node),
        standing: Standing {
            evidence: fixed("100"),
            epochs: 5,
            competence: fixed(competence),
            base: fixed(base),
            safety: Fixed::ONE,
            ..Standing::default()
        },
    }
}

fn votes(candidates: &[Candidate]) -> Electorate {
    electorate(candidates, Fixed::percent(10), &Knobs::default())
}

fn weight(electorate: &Electorate, group: u8) -> Fixed {
    electorate
        .weights
        .iter()
        .find(|weight| weight.group == id(group))
        .map_or(Fixed::ZERO, |weight| weight.weight)
}

fn near(x: Fixed, expected: f64) -> bool {
    (x.to_bits() as f64 / 2_f64.powi(64) - expected).abs() < 1e-9
}

#[test]
fn four_identities_of_one_operator_weigh_as_much_as_one() {
    let honest = [1, 2, 3].map(|n| candidate(n, n, "0.9", "12"));
    let alone = [honest.to_vec(), vec![candidate(9, 90, "0.9", "12")]].concat();
    let sybil: Vec<_> = (90..94).map(|n| candidate(9, n, "0.9", "12")).collect();
    let sybil = [honest.to_vec(), sybil].concat();
    println!(
        "four identities: {} instead of 4/7",
        weight(&votes(&sybil), 9)
    );
    assert_eq!(weight(&votes(&sybil), 9), fixed("0.25"));
    assert_eq!(votes(&sybil).weights.len(), 4);
    assert_eq!(weight(&votes(&alone), 9), weight(&votes(&sybil), 9));
}

#[test]
fn dust_below_the_bar_has_no_vote() {
    // Two competent operators and eight that got one answer wrong: the plain clip would give the dust 60 %.
    let competent = [1, 2].map(|n| candidate(n, n, "0.9", "12"));
    let dust: Vec<_> = (10..18).map(|n| candidate(n, n, "0.45", "0.4")).collect();
    let all = [competent.to_vec(), dust.clone()].concat();
    let result = votes(&all);
    assert_eq!((result.eligible, result.weights.len()), (2, 0));
    // With a third competent one there is an electorate, and it is theirs alone.
    let all = [competent.to_vec(), vec![candidate(3, 3, "0.8", "9")], dust].concat();
    let result = votes(&all);
    assert_eq!(result.bar.bar, fixed("0.5"));
    assert!((10..18).all(|n| weight(&result, n).is_zero()));
    assert_eq!(result.eligible, 3);
}

#[test]
fn ten_fresh_identities_have_no_vote() {
    let honest = [1, 2, 3].map(|n| candidate(n, n, "0.9", "12"));
    let fresh = (10..20).map(|n| {
        let mut fresh = candidate(n, n, "0.95", "3");
        fresh.standing.evidence = fixed("4.9");
        fresh
    });
    let result = votes(&honest.iter().cloned().chain(fresh).collect::<Vec<_>>());
    assert_eq!(result.weights.len(), 3);
    // One lucky epoch is not enough either.
    let mut lucky = candidate(10, 10, "1", "3");
    lucky.standing.epochs = 1;
    assert_eq!(
        eligibility(&lucky.standing, &result.bar, &Knobs::default()),
        Eligibility::TooFewEpochs
    );
    // Nor does a fresh node raise the bar for others.
    let with_lucky = votes(&[honest.to_vec(), vec![lucky]].concat());
    assert_eq!(with_lucky.bar, result.bar);
}

#[test]
fn who_answers_without_thinking_has_no_vote() {
    let honest = [1, 2, 3].map(|n| candidate(n, n, "0.9", "12"));
    let echo = candidate(4, 4, "0.35", "40");
    let result = electorate(
        &[honest.to_vec(), vec![echo]].concat(),
        Fixed::percent(35),
        &Knobs::default(),
    );
    assert!(weight(&result, 4).is_zero());
}

#[test]
fn a_slashed_group_that_was_clipped_loses_nine_tenths() {
    // Inside the clip, S = 0.1 would leave the dominant group 0.375 of 0.5.
    let mut nodes = vec![
        candidate(1, 1, "0.9", "1000"),
        candidate(2, 2, "0.9", "10"),
        candidate(3, 3, "0.9", "10"),
    ];
    let before = votes(&nodes);
    assert_eq!((before.clipped, weight(&before, 1)), (1, Fixed::HALF));
    nodes[0].standing.safety = Fixed::percent(10);
    let after = votes(&nodes);
    assert!(near(weight(&after, 1), 0.05));
}

#[test]
fn framing_a_rival_gains_nothing() {
    let mut nodes: Vec<_> = (1..=4).map(|n| candidate(n, n, "0.9", "10")).collect();
    let before = votes(&nodes);
    nodes[3].standing.safety = Fixed::ZERO;
    let after = votes(&nodes);
    assert_eq!(weight(&after, 4), Fixed::ZERO);
    for n in 1..=3 {
        assert_eq!(weight(&before, n), weight(&after, n));
    }
}

#[test]
fn a_whale_with_the_greatest_bond_stays_under_the_cap() {
    // Twice the base for the same competence and evidence is all that a bond can give.
    let nodes: Vec<_> = (1..=5)
        .map(|n| candidate(n, n, "0.9", if n == 1 { "24" } else { "12" }))
        .collect();
    let result = votes(&nodes);
    assert!(near(result.cap, 0.3));
    println!(
        "whale with the greatest bond: {} instead of 0.2",
        weight(&result, 1)
    );
    assert!(weight(&result, 1) <= result.cap);
}

#[test]
fn reduces_to_the_whitepaper() {
    // S = 1, one node per operator, everybody eligible: min(R, theta) / sum of min(R, theta).
    let bases = [50.0, 20.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0];
    let nodes: Vec<_> = bases
        .iter()
        .zip(1..)
        .map(|(base, n)| candidate(n, n, "0.9", &std::format!("{base}")))
        .collect();
    let result = votes(&nodes);
    let theta = result.threshold.to_bits() as f64 / 2_f64.powi(64);
    let total: f64 = bases.iter().map(|base: &f64| base.min(theta)).sum();
    assert_eq!((result.clipped, result.eligible), (2, 10));
    assert!(near(result.cap, 0.2) && near(result.total, total));
    for (base, n) in bases.iter().zip(1..) {
        assert!(near(weight(&result, n), base.min(theta) / total));
    }
}

#[test]
fn the_best_node_stands_for_its_group() {
    let nodes = [
        candidate(1, 10, "0.9", "5"),
        candidate(1, 12, "0.9", "8"),
        candidate(1, 11, "0.9", "8"),
        candidate(2, 2, "0.9", "8"),
        candidate(3, 3, "0.9", "8"),
    ];
    let result = votes(&nodes);
    assert_eq!(result.weights[0].node, id(11));
    let mut turned = nodes;
    turned.reverse();
    assert_eq!(votes(&turned), result);
}

#[test]
fn nobody_and_nothing_is_no_electorate() {
    for nodes in [vec![], vec![candidate(1, 1, "0.9", "1")]] {
        let result = votes(&nodes);
        assert!(result.weights.is_empty() && result.cap.is_zero());
    }
    let worthless: Vec<_> = (1..=4).map(|n| candidate(n, n, "0.9", "0")).collect();
    assert_eq!(votes(&worthless).eligible, 0);
}

/// Bases in descending order, of all sizes.
fn bases() -> impl Strategy<Value = Vec<Fixed>> {
    let base =
        (1_u128.., 0_u32..128).prop_map(|(bits, shift)| Fixed::from_bits((bits >> shift).max(1)));
    prop::collection::vec(base, 3..40).prop_map(|mut bases| {
        bases.sort_by(|a, b| b.cmp(a));
        bases
    })
}

proptest! {
    #[test]
    fn shares_sum_to_one_and_stay_under_the_cap(bases in bases(), share_max in 1_u32..=100) {
        let clip = clip(&bases, Fixed::percent(share_max)).unwrap();
        let n = bases.len();
        prop_assert!((clip.clipped as usize) < n);
        prop_assert!(!clip.threshold.is_zero() || bases[0] < Fixed::from_bits(1 << 10));
        let sum: u128 = clip.shares.iter().map(|share| share.to_bits()).sum();
        prop_assert!(sum <= Fixed::ONE.to_bits() && Fixed::ONE.to_bits() - sum <= n as u128);
        for pair in clip.shares.windows(2) {
            prop_assert!(pair[0] >= pair[1]);
        }
        prop_assert!(clip.shares[0] <= clip.cap);
        prop_assert!(clip.cap.times(Fixed::from_int(n as u64)) >= Fixed::ONE);
    }

    #[test]
    fn a_share_never_falls_when_its_base_rises(mut bases in bases(), who in any::<prop::sample::Index>(), more in any::<u128>(), shift in 0_u32..128) {
        let place = who.index(bases.len());
        let before = clip(&bases, Fixed::percent(20)).unwrap().shares[place];
        let risen = bases[place].plus(Fixed::from_bits(more >> shift));
        bases[place] = risen;
        bases.sort_by(|a, b| b.cmp(a));
        let place = bases.iter().position(|base| *base == risen).unwrap();
        let after = clip(&bases, Fixed::percent(20)).unwrap().shares[place];
        prop_assert!(after >= before, "{before} and then {after}");
    }

    #[test]
    fn weights_sum_to_at_most_one(standings in prop::collection::vec((0_u8..8, 0_u32..=100, 0_u32..=100, 1_u64..1000), 0..30)) {
        let nodes: Vec<_> = standings.into_iter().zip(0..).map(|((group, competence, safety, base), n)| {
            let mut node = candidate(group, n, "0", "0");
            node.standing.competence = Fixed::percent(competence);
            node.standing.safety = Fixed::percent(safety);
            node.standing.base = Fixed::from_int(base);
            node
        }).collect();
        let result = votes(&nodes);
        let sum = result.weights.iter().fold(Fixed::ZERO, |sum, weight| sum.plus(weight.weight));
        prop_assert!(sum <= Fixed::ONE);
        prop_assert!(result.weights.windows(2).all(|pair| pair[0].group < pair[1].group));
        prop_assert!(result.weights.iter().all(|weight| weight.weight <= weight.share));
    }
}
