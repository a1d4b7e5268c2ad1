//! Operators that vote as one, with less than a third of the skill: honestly, with the greatest bonds, and failing on purpose to make tasks that they are
//! good at worth more.

use super::{Row, honest::OPERATORS, points};
use crate::{
    mind::{Asked, Conduct, Operator, Talent, consortium, honest},
    world::{Rules, World},
};

/// What a coalition is and does.
#[derive(Clone, Copy)]
struct Plan {
    members: usize,
    bond: u128,
    talent: Talent,
    /// Conduct of the first third of its members.
    few: Conduct,
    /// Conduct of the others.
    most: Conduct,
}

/// Good at every second family, bad at the others.
fn specialist(asked: &Asked) -> f64 {
    if is_target(asked) {
        asked.best + 0.6 * (1.0 - asked.best)
    } else {
        asked.guess + 0.7 * (asked.best - asked.guess)
    }
}

fn is_target(asked: &Asked) -> bool {
    asked.family.is_multiple_of(2)
}

/// Fails at what its coalition is good at.
fn fails_for_friends(asked: &Asked) -> Option<f64> {
    Some(if is_target(asked) { 0.0 } else { asked.best })
}

/// Does so for eight months, then reaps.
fn fails_first(asked: &Asked) -> Option<f64> {
    if asked.day < 240 {
        fails_for_friends(asked)
    } else {
        honest(asked)
    }
}

/// A coalition's year.
#[derive(Clone, Copy)]
pub struct Held {
    pub fair: f64,
    /// Over the last ninety days.
    pub share: f64,
    /// On the last day.
    pub last: f64,
}

fn year(seed: u64, plan: Plan) -> Held {
    year_under(seed, plan, Rules::default())
}

fn year_under(seed: u64, plan: Plan, rules: Rules) -> Held {
    let mut operators = consortium(seed, OPERATORS);
    for (place, operator) in operators.iter_mut().take(plan.members).enumerate() {
        let conduct = if place < plan.members / 3 {
            plan.few
        } else {
            plan.most
        };
        *operator = Operator {
            bond: plan.bond,
            ..Operator::with(1, 0.8, conduct).talented(plan.talent)
        };
    }
    let mut world = World::new(seed, 1, operators, rules);
    let shares = world.shares_of_the_year(0);
    let of = |all: &[f64]| all[..plan.members].iter().sum();
    // Fair by what they could do: those who lost their vote by failing keep their part.
    let skills = world.skills(0);
    let may_vote = shares
        .iter()
        .enumerate()
        .map(|(place, share)| place < plan.members || *share > 0.0);
    let total: f64 = skills
        .iter()
        .zip(may_vote)
        .filter(|(_, may)| *may)
        .map(|(s, _)| s)
        .sum();
    Held {
        fair: of(&skills) / total,
        share: of(&shares),
        last: of(&world.shares(0)),
    }
}

const HONEST: Plan = Plan {
    members: 15,
    bond: crate::mind::BOND,
    talent: |asked| asked.best,
    few: honest,
    most: honest,
};

const RICH: Plan = Plan {
    bond: u128::MAX,
    ..HONEST
};

const SPECIALISTS: Plan = Plan {
    talent: specialist,
    ..HONEST
};

/// A third fails for the others.
const SACRIFICE: Plan = Plan {
    few: fails_for_friends,
    ..SPECIALISTS
};

/// All fail first.
const PATIENCE: Plan = Plan {
    few: fails_first,
    most: fails_first,
    ..SPECIALISTS
};

pub struct Coalition {
    pub honest: Held,
    pub rich: Held,
    pub specialists: Held,
    pub sacrifice: Held,
    pub patience: Held,
}

/// Plays the year five times.
pub fn run(seed: u64) -> Coalition {
    Coalition {
        honest: year(seed, HONEST),
        rich: year(seed, RICH),
        specialists: year(seed, SPECIALISTS),
        sacrifice: year(seed, SACRIFICE),
        patience: year(seed, PATIENCE),
    }
}

/// Honest coalitions of growing size, and the same with the greatest bonds.
pub fn sizes(seed: u64) -> Vec<(Held, Held)> {
    (3..=30)
        .step_by(3)
        .map(|members| {
            let of = |plan| year(seed, Plan { members, ..plan });
            (of(HONEST), of(RICH))
        })
        .collect()
}

impl Coalition {
    pub fn rows(&self) -> Vec<Row> {
        let row = |who: &str, held: Held, instead: f64, lost: &str| Row {
            who: format!("coalition of 15, {who}"),
            fair: held.fair,
            held: held.share,
            gained: points(instead, held.share),
            lost: lost.into(),
        };
        let attack = |who, held: Held| {
            let best = self.specialists;
            let lost = format!(
                "{:.2} % on the last day, {:.2} % without it",
                held.last * 100.0,
                best.last * 100.0
            );
            row(who, held, best.share, &lost)
        };
        let money = "the use of its money";
        vec![
            row("voting together", self.honest, self.honest.fair, "nothing"),
            row(
                "with the greatest bonds",
                self.rich,
                self.honest.share,
                money,
            ),
            attack("a third failing on purpose", self.sacrifice),
            attack("all failing for eight months", self.patience),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mind::BOND, statistics::float};
    use touchstone_primitives::{
        fixed::Fixed,
        reputation::{Knobs, stake_factor},
    };

    #[test]
    fn a_third_that_votes_together_holds_little_more_than_its_part() {
        let held = year(1, HONEST);
        println!(
            "{:.4} of the skill hold {:.4} of the votes",
            held.fair, held.share
        );
        assert!(held.fair < 1.0 / 3.0 && held.share < 1.08 * held.fair);
        // What is more comes from the prior, which draws everybody to one half: with hardly any it is gone.
        let mut rules = Rules::default();
        rules.knobs.kappa = Fixed::ratio(1, 10);
        let exact = year_under(1, HONEST, rules);
        println!(
            "with hardly any prior: {:.4} hold {:.4}",
            exact.fair, exact.share
        );
        assert!(exact.share < held.share);
    }

    #[test]
    fn a_third_with_the_greatest_bonds_holds_less_than_half() {
        let (honest, rich) = (year(1, HONEST), year(1, RICH));
        let factor = |bond| float(stake_factor(bond, &Knobs::default()));
        let gain = factor(u128::MAX) / factor(BOND);
        let bound = gain * honest.share / (1.0 - honest.share + gain * honest.share);
        println!(
            "{:.4} of the skill with the greatest bonds hold {:.4} (bound {bound:.4})",
            rich.fair, rich.share
        );
        assert!((rich.share - bound).abs() < 1e-3 && rich.share < 0.5);
    }

    #[test]
    fn failing_on_purpose_to_raise_difficulty_costs_more_than_it_brings() {
        let best = year(1, SPECIALISTS);
        for (name, attack) in [("a third fails", SACRIFICE), ("all fail first", PATIENCE)] {
            let held = year(1, attack);
            println!(
                "{name}: {:.4} of the votes, {:.4} on the last day ({:.4} and {:.4} without it)",
                held.share, held.last, best.share, best.last
            );
            assert!(held.share < best.share && held.last < best.last, "{name}");
        }
    }
}
