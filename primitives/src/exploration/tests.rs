//! The reserved share holds over many draws, and cannot be multiplied by identities.

#![allow(clippy::float_arithmetic)]

use super::*;
use std::{collections::BTreeMap, vec, vec::Vec};

fn id(n: u8) -> NodeId {
    NodeId::new([n; 32])
}

fn seed(n: u32) -> H256 {
    tagged_hash("test", &[&n.to_le_bytes()])
}

fn veterans(n: u8) -> Vec<Established> {
    (1..=n)
        .map(|n| Established {
            group: id(n),
            node: id(n),
            weight: Fixed::percent(n.into()),
        })
        .collect()
}

fn newcomers(group: u8, nodes: &[u8], budget: u32) -> Newcomers {
    Newcomers {
        group: id(group),
        budget,
        nodes: nodes.iter().map(|n| id(*n)).collect(),
    }
}

fn explored(picks: &[Pick]) -> usize {
    picks.iter().filter(|pick| pick.is_exploration).count()
}

#[test]
fn every_draw_keeps_the_whole_part_of_the_reserved_share() {
    let (veterans, fresh) = (veterans(30), [100, 101, 102].map(|n| newcomers(n, &[n], 9)));
    for n in 0..2_000 {
        let slots = 1 + n % 25;
        let picks = select(&seed(n), slots, Fixed::percent(10), &veterans, &fresh);
        let got = explored(&picks);
        assert_eq!(picks.len(), slots as usize);
        let whole = slots as usize / 10;
        assert!(got == whole || got == whole + 1, "{got} of {slots}");
    }
}

#[test]
fn one_slot_goes_to_a_newcomer_as_often_as_epsilon_says() {
    let (veterans, fresh) = (veterans(5), [newcomers(100, &[100], 9)]);
    let draws = 20_000;
    let got: usize = (0..draws)
        .map(|n| explored(&select(&seed(n), 1, Fixed::percent(10), &veterans, &fresh)))
        .sum();
    println!("{got} of {draws} single slots went to a newcomer");
    // Ten standard deviations of a binomial.
    assert!((got as f64 - 2_000.0).abs() < 10.0 * 1_800_f64.sqrt());
}

#[test]
fn ten_identities_get_the_slots_of_one_operator() {
    let veterans = veterans(20);
    let nodes: Vec<u8> = (100..110).collect();
    let fresh = [newcomers(200, &nodes, 99), newcomers(201, &[111], 99)];
    let mut by_group = BTreeMap::<NodeId, usize>::new();
    for n in 0..4_000 {
        for pick in select(&seed(n), 1, Fixed::HALF, &veterans, &fresh) {
            if pick.is_exploration {
                *by_group.entry(pick.group).or_default() += 1;
            }
        }
    }
    let (sybil, honest) = (by_group[&id(200)], by_group[&id(201)]);
    println!("ten identities got {sybil} slots, one honest newcomer {honest}");
    assert!(sybil.abs_diff(honest) < 200);
}

#[test]
fn a_spent_budget_leaves_the_slot_to_others() {
    let veterans = veterans(5);
    let spent = [newcomers(100, &[100, 101], 0)];
    let picks = select(&seed(1), 4, Fixed::ONE, &veterans, &spent);
    assert_eq!((picks.len(), explored(&picks)), (4, 0));
    let one_left = [newcomers(100, &[100, 101], 1)];
    let picks = select(&seed(1), 4, Fixed::ONE, &veterans, &one_left);
    assert_eq!((picks.len(), explored(&picks)), (4, 1));
}

#[test]
fn slots_without_established_nodes_go_to_newcomers() {
    let fresh = [
        newcomers(100, &[100, 101, 101], 9),
        newcomers(102, &[102], 9),
    ];
    let picks = select(&seed(1), 9, Fixed::ZERO, &[], &fresh);
    assert_eq!(picks.len(), 3);
    assert!(select(&seed(1), 9, Fixed::ONE, &[], &[]).is_empty());
    assert!(select(&seed(1), 0, Fixed::ONE, &veterans(3), &fresh).is_empty());
}

#[test]
fn established_nodes_are_drawn_by_weight() {
    let nodes = veterans(3);
    let mut first = BTreeMap::<NodeId, u32>::new();
    for n in 0..6_000 {
        let pick = select(&seed(n), 1, Fixed::ZERO, &nodes, &[]).remove(0);
        *first.entry(pick.node).or_default() += 1;
    }
    for (n, expected) in [(1, 1_000), (2, 2_000), (3, 3_000)] {
        assert!(first[&id(n)].abs_diff(expected) < 200, "{first:?}");
    }
    let worthless = vec![Established {
        weight: Fixed::ZERO,
        ..nodes[0].clone()
    }];
    assert!(select(&seed(1), 1, Fixed::ZERO, &worthless, &[]).is_empty());
}
