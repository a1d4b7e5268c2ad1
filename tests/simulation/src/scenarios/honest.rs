//! Sixty honest operators of differing skill, on three topics.

use super::Row;
use crate::{
    mind::consortium,
    statistics::rank_correlation,
    world::{Rules, World, YEAR},
};

/// Operators of every scenario with a large topic.
pub const OPERATORS: usize = 60;

/// A topic after the year, by operator.
pub struct Topic {
    pub nodes: Vec<usize>,
    pub skill: Vec<f64>,
    pub fair: Vec<f64>,
    pub share: Vec<f64>,
}

/// All topics after the year.
pub struct Honest {
    pub topics: Vec<Topic>,
}

/// A coalition of honest operators, chosen in some way.
pub struct Chosen {
    pub fair: f64,
    pub share: f64,
}

impl Topic {
    /// Those first in this order, as many as together have less than a third of the skill.
    fn coalition(&self, order: &[usize]) -> Chosen {
        let mut chosen = Chosen {
            fair: 0.0,
            share: 0.0,
        };
        for place in order {
            if chosen.fair + self.fair[*place] < 1.0 / 3.0 {
                chosen.fair += self.fair[*place];
                chosen.share += self.share[*place];
            }
        }
        chosen
    }

    fn sorted(&self, key: impl Fn(usize) -> f64) -> Chosen {
        let mut order: Vec<usize> = (0..self.share.len())
            .filter(|o| self.share[*o] > 0.0)
            .collect();
        order.sort_by(|a, b| key(*b).total_cmp(&key(*a)));
        self.coalition(&order)
    }

    /// The most able ones.
    pub fn ablest(&self) -> Chosen {
        self.sorted(|o| self.skill[o])
    }

    /// The least able ones that may vote.
    pub fn weakest(&self) -> Chosen {
        self.sorted(|o| -self.skill[o])
    }

    /// Those with most nodes.
    pub fn largest(&self) -> Chosen {
        self.sorted(|o| self.nodes[o] as f64)
    }

    /// Those whom the year treated best: nobody knows them beforehand.
    pub fn luckiest(&self) -> Chosen {
        self.sorted(|o| self.share[o] / self.fair[o])
    }

    /// Spearman's rank correlation of skill and share.
    pub fn correlation(&self) -> f64 {
        rank_correlation(&self.skill, &self.share)
    }
}

/// Plays the year on this many topics.
pub fn run(seed: u64, topics: usize, rules: Rules) -> Honest {
    let operators = consortium(seed, OPERATORS);
    let nodes: Vec<usize> = operators.iter().map(|it| it.nodes.len()).collect();
    let mut world = World::new(seed, topics, operators, rules);
    world.run_until(YEAR);
    let topic = |topic| Topic {
        nodes: nodes.clone(),
        skill: world.skills(topic),
        fair: world.fair_shares(topic),
        share: world.shares(topic),
    };
    Honest {
        topics: (0..topics).map(topic).collect(),
    }
}

impl Honest {
    /// Rank correlations of all topics.
    pub fn correlations(&self) -> String {
        let all = self
            .topics
            .iter()
            .map(|topic| format!("{:.3}", topic.correlation()));
        all.collect::<Vec<_>>().join(", ")
    }

    pub fn rows(&self) -> Vec<Row> {
        let topic = &self.topics[0];
        let row = |who: &str, chosen: Chosen| Row {
            who: format!("honest, {who}"),
            fair: chosen.fair,
            held: chosen.share,
            gained: super::points(chosen.fair, chosen.share),
            lost: "nothing".into(),
        };
        vec![
            row("the ablest below a third of skill", topic.ablest()),
            row("the weakest who may vote", topic.weakest()),
            row("those with most nodes", topic.largest()),
            row("the luckiest, with hindsight", topic.luckiest()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, seq::SliceRandom};
    use rand_chacha::ChaCha8Rng;

    impl Chosen {
        /// What they hold, as a part of what is fair.
        fn excess(&self) -> f64 {
            self.share / self.fair
        }
    }

    /// A thousand coalitions of those who may vote, each with less than a third of the skill.
    fn at_random(topic: &Topic) -> Vec<Chosen> {
        let mut dice = ChaCha8Rng::seed_from_u64(1);
        let mut order: Vec<usize> = (0..OPERATORS).filter(|o| topic.share[*o] > 0.0).collect();
        (0..1_000)
            .map(|_| {
                order.shuffle(&mut dice);
                topic.coalition(&order)
            })
            .collect()
    }

    #[test]
    fn skill_and_votes_go_together_and_no_third_of_skill_holds_much_more() {
        for (place, topic) in run(1, 3, Rules::default()).topics.iter().enumerate() {
            let correlation = topic.correlation();
            println!("topic {place}: rank correlation of skill and votes {correlation:.3}");
            assert!(correlation > 0.8, "{correlation}");
            let random = at_random(topic);
            let mean = random.iter().map(Chosen::excess).sum::<f64>() / random.len() as f64;
            let worst = random.iter().map(Chosen::excess).fold(0.0, f64::max);
            println!(
                "topic {place}: a thousand random coalitions hold {mean:.3} of their part on average, {worst:.3} at most"
            );
            assert!((mean - 1.0).abs() < 0.01, "{mean}");
            for (name, chosen) in [
                ("ablest", topic.ablest()),
                ("weakest", topic.weakest()),
                ("largest", topic.largest()),
                ("luckiest, with hindsight", topic.luckiest()),
            ] {
                println!(
                    "topic {place}: the {name} with {:.4} of the skill hold {:.4} of the votes",
                    chosen.fair, chosen.share
                );
                assert!(chosen.excess() < 1.08, "{name}");
                assert!(chosen.share < 0.36, "{name}");
            }
            assert!(
                topic.ablest().share < topic.ablest().fair,
                "skill is not overpaid"
            );
        }
    }

    #[test]
    fn a_third_of_skill_would_hold_much_more_if_nodes_were_counted() {
        let broken = Rules {
            nodes_are_groups: true,
            ..Rules::default()
        };
        let largest = run(1, 1, broken).topics[0].largest();
        println!(
            "nodes instead of operators: {:.4} of the skill hold {:.4} of the votes",
            largest.fair, largest.share
        );
        assert!(largest.excess() > 1.3);
    }
}
