//! A node that reasons well for half a year and then only guesses.

use super::{Row, honest::OPERATORS, points};
use crate::{
    mind::{Asked, Operator, consortium},
    statistics::float,
    world::{Rules, World, YEAR},
};

/// Day on which it stops.
pub const STOPS: u32 = 183;

pub struct Day {
    pub day: u32,
    pub reputation: f64,
    pub share: f64,
}

pub struct Drift {
    pub fair: f64,
    pub days: Vec<Day>,
}

fn stops(asked: &Asked) -> Option<f64> {
    Some(if asked.day < STOPS {
        asked.best
    } else {
        asked.guess
    })
}

/// Plays the year.
pub fn run(seed: u64) -> Drift {
    let mut operators = consortium(seed, OPERATORS);
    operators.push(Operator::with(1, 1.8, stops));
    let mut world = World::new(seed, 1, operators, Rules::default());
    let mut fair = 0.0;
    let days = (1..=YEAR)
        .map(|day| {
            world.run_until(day);
            if day == STOPS {
                fair = world.fair_shares(0)[OPERATORS];
            }
            Day {
                day,
                reputation: float(world.standing(0, OPERATORS, 0).reputation),
                share: world.shares(0)[OPERATORS],
            }
        })
        .collect();
    Drift { fair, days }
}

impl Drift {
    /// Days after it stopped until this first holds.
    pub fn after(&self, holds: impl Fn(&Day) -> bool) -> Option<u32> {
        let mut days = self.days.iter().filter(|day| day.day > STOPS);
        days.find(|day| holds(day)).map(|day| day.day - STOPS)
    }

    /// The day on which it stops.
    pub fn last_good(&self) -> &Day {
        &self.days[STOPS as usize - 1]
    }

    /// Days until it has no vote.
    pub fn voteless_after(&self) -> Option<u32> {
        self.after(|day| day.share == 0.0)
    }

    /// Days until half of its reputation is gone.
    pub fn halved_after(&self) -> Option<u32> {
        self.after(|day| day.reputation < self.last_good().reputation / 2.0)
    }

    pub fn rows(&self) -> Vec<Row> {
        let days = |days: Option<u32>| days.map_or("ever".into(), |days| format!("{days} days"));
        let last = self.days.last().map_or(0.0, |day| day.share);
        vec![Row {
            who: "stops reasoning after half a year, at the end".into(),
            fair: self.fair,
            held: last,
            gained: format!("votes for {} more", days(self.voteless_after())),
            lost: format!(
                "{}; half of the reputation in {}",
                points(self.last_good().share, last),
                days(self.halved_after())
            ),
        }]
    }
}

#[test]
fn who_stops_reasoning_has_no_vote_after_a_half_life() {
    let drift = run(1);
    drift.rows().iter().for_each(|row| println!("{row}"));
    assert!(drift.voteless_after().is_some_and(|days| days <= 30));
    assert!(drift.halved_after().is_some_and(|days| days <= 60));
}
