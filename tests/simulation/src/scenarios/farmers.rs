//! Operators whose models are certain at what everybody can do, and never try what is hard.

use super::{Row, honest::OPERATORS, points};
use crate::{
    mind::{Asked, Operator, consortium, honest},
    world::{Rules, World},
};

/// How many of them.
const FARMERS: usize = 6;

pub struct Farmers {
    /// By what they can do.
    pub fair: f64,
    pub share: f64,
    /// If every task were worth the same.
    pub broken: f64,
}

fn farmer(asked: &Asked) -> f64 {
    match asked.level {
        1 => 1.0,
        3 => asked.best,
        _ => asked.guess,
    }
}

fn year(seed: u64, all_tasks_equal: bool) -> (f64, f64) {
    let mut operators = consortium(seed, OPERATORS);
    operators.extend(vec![
        Operator::with(1, 1.0, honest).talented(farmer);
        FARMERS
    ]);
    let rules = Rules {
        all_tasks_equal,
        ..Rules::default()
    };
    let mut world = World::new(seed, 1, operators, rules);
    let of = |all: &[f64]| all[OPERATORS..].iter().sum::<f64>();
    let share = of(&world.shares_of_the_year(0));
    let skills = world.skills(0);
    (share, of(&skills) / skills.iter().sum::<f64>())
}

/// Plays the year twice.
pub fn run(seed: u64) -> Farmers {
    let (share, fair) = year(seed, false);
    Farmers {
        fair,
        share,
        broken: year(seed, true).0,
    }
}

impl Farmers {
    pub fn rows(&self) -> Vec<Row> {
        let row = |who: &str, held| Row {
            who: who.into(),
            fair: self.fair,
            held,
            gained: points(self.fair, held),
            lost: "the work on all tasks".into(),
        };
        vec![
            row("six farmers of easy tasks", self.share),
            row("the same, if all tasks were worth the same", self.broken),
        ]
    }
}

#[test]
fn easy_tasks_buy_no_vote() {
    let farmers = run(1);
    farmers.rows().iter().for_each(|row| println!("{row}"));
    assert!(farmers.share < farmers.fair / 2.0);
    assert!(farmers.broken > farmers.fair);
}
