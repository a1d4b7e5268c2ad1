//! An operator with ten identities.

use super::{Row, honest::OPERATORS, points};
use crate::{
    mind::{Operator, consortium, honest},
    world::{Rules, World},
};

pub struct Sybil {
    pub fair: f64,
    /// With one node.
    pub one: f64,
    /// With ten.
    pub ten: f64,
    /// With ten, if every node were a group of its own.
    pub broken: f64,
}

fn year(seed: u64, nodes: usize, nodes_are_groups: bool) -> (f64, f64) {
    let mut operators = consortium(seed, OPERATORS);
    operators.push(Operator::with(nodes, 1.0, honest));
    if nodes_are_groups {
        // So that only the attacker's identities are many.
        operators
            .iter_mut()
            .take(OPERATORS)
            .for_each(|it| it.nodes.truncate(1));
    }
    let rules = Rules {
        nodes_are_groups,
        ..Rules::default()
    };
    let mut world = World::new(seed, 1, operators, rules);
    let share = world.shares_of_the_year(0)[OPERATORS];
    (share, world.fair_shares(0)[OPERATORS])
}

/// Plays the year three times. The ten nodes answer the same tasks, each with luck of its own.
pub fn run(seed: u64) -> Sybil {
    let (one, fair) = year(seed, 1, false);
    Sybil {
        fair,
        one,
        ten: year(seed, 10, false).0,
        broken: year(seed, 10, true).0,
    }
}

impl Sybil {
    pub fn rows(&self) -> Vec<Row> {
        let row = |who: &str, held, lost: &str| Row {
            who: who.into(),
            fair: self.fair,
            held,
            gained: points(self.one, held),
            lost: lost.into(),
        };
        vec![
            row(
                "ten identities of one operator",
                self.ten,
                "the work of ten nodes",
            ),
            row(
                "the same, if nodes were counted instead of operators",
                self.broken,
                "the work of ten nodes",
            ),
        ]
    }
}

#[test]
fn ten_identities_gain_only_the_luck_of_the_best_of_ten() {
    let sybil = run(1);
    sybil.rows().iter().for_each(|row| println!("{row}"));
    assert!(sybil.ten < 1.2 * sybil.one);
    assert!(sybil.broken > 5.0 * sybil.one);
}
