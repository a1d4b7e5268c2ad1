//! An operator that is better than all others joins in the middle of the year.

use super::{Row, honest::OPERATORS};
use crate::{
    mind::{Asked, Operator, consortium, operator},
    statistics::ranks,
    world::{Rules, World, YEAR},
};
use std::{collections::BTreeMap, fmt};
use touchstone_primitives::fixed::Fixed;

/// Day on which it joins.
pub const JOINS: u32 = 180;

/// A day of the newcomer.
pub struct Day {
    /// Days since it joined.
    pub age: u32,
    /// Its place by competence.
    pub by_competence: f64,
    /// Its place by votes.
    pub by_votes: f64,
    /// Its share of the votes.
    pub share: f64,
}

pub struct Newcomer {
    /// What it would hold for its skill.
    pub fair: f64,
    /// Its first half-year.
    pub days: Vec<Day>,
    /// Days until it sat in a panel for the first time.
    pub first_seat: Option<u32>,
    /// Seats that it had while it had no vote.
    pub early_seats: u32,
}

fn joins(asked: &Asked) -> Option<f64> {
    (asked.day >= JOINS).then_some(asked.best)
}

/// Plays the year; `explores` says whether panels keep seats for newcomers.
pub fn run(seed: u64, explores: bool) -> Newcomer {
    let mut operators = consortium(seed, OPERATORS);
    operators.push(Operator::with(1, 3.0, joins));
    let mut rules = Rules::default();
    if !explores {
        rules.knobs.exploration = Fixed::ZERO;
    }
    let mut world = World::new(seed, 1, operators, rules);
    let (mut days, mut first_seat, mut early_seats) = (Vec::new(), None, 0);
    let mut explored = BTreeMap::new();
    for age in 0..=YEAR - JOINS {
        world.run_until(JOINS + age);
        let shares = world.shares(0);
        if age > 0 {
            days.push(Day {
                age,
                by_competence: ranks(&world.competences(0))[OPERATORS],
                by_votes: ranks(&shares)[OPERATORS],
                share: shares[OPERATORS],
            });
        }
        let panel = world.panel(0, &mut explored);
        if panel.iter().any(|pick| operator(&pick.node) == OPERATORS) {
            first_seat = first_seat.or(Some(age));
            early_seats += u32::from(shares[OPERATORS] == 0.0);
        }
    }
    Newcomer {
        fair: world.fair_shares(0)[OPERATORS],
        days,
        first_seat,
        early_seats,
    }
}

impl Newcomer {
    /// First day on which this held, and from then on.
    fn from(&self, holds: impl Fn(&Day) -> bool) -> Option<u32> {
        let last_not = self.days.iter().rposition(|day| !holds(day));
        let first = last_not.map_or(0, |place| place + 1);
        self.days.get(first).map(|day| day.age)
    }

    /// From when on it is first by competence.
    pub fn first_by_competence(&self) -> Option<u32> {
        self.from(|day| day.by_competence == 1.0)
    }

    /// From when on it is in the upper half by votes.
    pub fn upper_half(&self) -> Option<u32> {
        self.from(|day| day.by_votes <= OPERATORS as f64 / 2.0)
    }

    /// From when on it is first by votes.
    pub fn first_by_votes(&self) -> Option<u32> {
        self.from(|day| day.by_votes == 1.0)
    }

    pub fn rows(&self) -> Vec<Row> {
        let row = |age: u32| Row {
            who: format!("better newcomer, after {age} days"),
            fair: self.fair,
            held: self.days[age as usize - 1].share,
            gained: format!("place {} by votes", self.days[age as usize - 1].by_votes),
            lost: "nothing".into(),
        };
        vec![row(30), row(YEAR - JOINS)]
    }
}

impl fmt::Display for Newcomer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = |day: Option<u32>| day.map_or("never".into(), |day| format!("from day {day}"));
        write!(
            out,
            "first by competence {}, in the upper half by votes {}, first by votes {}; in a panel {}, {} times before it had a vote",
            day(self.first_by_competence()),
            day(self.upper_half()),
            day(self.first_by_votes()),
            day(self.first_seat),
            self.early_seats
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_better_newcomer_is_first_by_competence_within_a_half_life() {
        let (newcomer, closed) = (run(1, true), run(1, false));
        println!("newcomer: {newcomer}");
        println!("without exploration: {closed}");
        assert!(newcomer.first_by_competence().is_some_and(|day| day <= 30));
        assert!(newcomer.upper_half().is_some_and(|day| day <= 30));
        // Votes also ask for volume, and that takes longer: it grows as the root of 1 - 2^-(t / 30 days).
        assert!(newcomer.first_by_votes().is_some_and(|day| day <= 120));
        assert!(newcomer.early_seats > 0 && closed.early_seats == 0);
    }
}
