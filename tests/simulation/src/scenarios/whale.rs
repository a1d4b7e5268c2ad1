//! An operator with the greatest bond that can be written, on a topic with eight operators.

use super::{Row, points};
use crate::{
    mind::{Operator, honest},
    world::{Rules, World},
};
use touchstone_primitives::fixed::Fixed;

pub struct Whale {
    pub fair: f64,
    /// With a bond like the others.
    pub poor: f64,
    /// With the greatest bond.
    pub rich: f64,
    /// The same if a bond's factor had no end.
    pub without_end: f64,
    /// The same if the clip were off as well.
    pub unclipped: f64,
}

fn year(seed: u64, bond: u128, rules: Rules) -> (f64, f64) {
    let mut operators = vec![Operator::with(1, 1.0, honest); 8];
    operators[0].bond = bond;
    let mut world = World::new(seed, 1, operators, rules);
    let share = world.shares_of_the_year(0)[0];
    (share, world.fair_shares(0)[0])
}

/// Plays the year four times.
pub fn run(seed: u64) -> Whale {
    let mut endless = Rules::default();
    endless.knobs.stake_max = Fixed::from_int(1_000);
    let mut unclipped = endless.clone();
    unclipped.knobs.share_max = Fixed::ONE;
    let (poor, fair) = year(seed, crate::mind::BOND, Rules::default());
    Whale {
        fair,
        poor,
        rich: year(seed, u128::MAX, Rules::default()).0,
        without_end: year(seed, u128::MAX, endless).0,
        unclipped: year(seed, u128::MAX, unclipped).0,
    }
}

impl Whale {
    pub fn rows(&self) -> Vec<Row> {
        let row = |who: &str, held| Row {
            who: who.into(),
            fair: self.fair,
            held,
            gained: points(self.poor, held),
            lost: "the use of its money".into(),
        };
        vec![
            row("one of eight, with the greatest bond", self.rich),
            row("the same, if a bond's factor had no end", self.without_end),
            row("the same, if the clip were off too", self.unclipped),
        ]
    }
}

#[test]
fn the_greatest_bond_stays_below_the_cap() {
    let whale = run(1);
    whale.rows().iter().for_each(|row| println!("{row}"));
    assert!(whale.rich < 0.2 && whale.without_end <= 0.2);
    assert!(whale.unclipped > 0.5);
}
