//! An operator that leaves for three half-lives.

use super::{Row, honest::OPERATORS, points};
use crate::{
    mind::{Asked, Operator, consortium},
    world::{Rules, World},
};

const LEAVES: std::ops::Range<u32> = 180..270;

pub struct Leaver {
    pub fair: f64,
    pub before: f64,
    pub at_return: f64,
    /// Evidence at its return, as a part of what it had.
    pub evidence_left: f64,
    /// Days after its return until it holds nine tenths of what it had.
    pub recovered_after: Option<u32>,
}

fn leaves(asked: &Asked) -> Option<f64> {
    (!LEAVES.contains(&asked.day)).then_some(asked.best)
}

/// Plays the year.
pub fn run(seed: u64) -> Leaver {
    let mut operators = consortium(seed, OPERATORS);
    operators.push(Operator::with(1, 1.5, leaves));
    let mut world = World::new(seed, 1, operators, Rules::default());
    world.run_until(LEAVES.start);
    let evidence =
        |world: &World| crate::statistics::float(world.standing(0, OPERATORS, 0).evidence);
    let (before, had, fair) = (
        world.shares(0)[OPERATORS],
        evidence(&world),
        world.fair_shares(0)[OPERATORS],
    );
    world.run_until(LEAVES.end);
    let (at_return, left) = (world.shares(0)[OPERATORS], evidence(&world));
    let recovered_after = (1..=95).find(|day| {
        world.run_until(LEAVES.end + day);
        world.shares(0)[OPERATORS] >= 0.9 * before
    });
    Leaver {
        fair,
        before,
        at_return,
        evidence_left: left / had,
        recovered_after,
    }
}

impl Leaver {
    pub fn rows(&self) -> Vec<Row> {
        let recovered = self
            .recovered_after
            .map_or("not within 95 days".into(), |days| {
                format!("nine tenths are back after {days} days")
            });
        vec![Row {
            who: "away for three half-lives, at its return".into(),
            fair: self.fair,
            held: self.at_return,
            gained: recovered,
            lost: format!(
                "{}, and {:.1} % of the evidence",
                points(self.before, self.at_return),
                (1.0 - self.evidence_left) * 100.0
            ),
        }]
    }
}

#[test]
fn leaving_for_three_half_lives_costs_seven_eighths_of_the_evidence_and_half_the_votes() {
    let leaver = run(1);
    leaver.rows().iter().for_each(|row| println!("{row}"));
    assert!((leaver.evidence_left - 0.125).abs() < 1e-3);
    assert!(leaver.at_return < leaver.before / 2.0);
    assert!(leaver.recovered_after.is_some_and(|days| days > 30));
}
