//! The chain of the simulation: rounds, evidence, votes and panels by the functions of `primitives`.

use crate::{
    mind::{Asked, Node, Operator, name, operator},
    statistics::float,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use touchstone_primitives::{
    AccountId32, H256, Moment,
    canary::{self, FamilyRate, RoundFacts, TopicRules, Windows, effective_difficulty},
    evidence::{Scored, Standing},
    exploration::{self, Established, Newcomers, Pick},
    fixed::Fixed,
    generators,
    influence::{self, Candidate, Electorate},
    reputation::{self, Account, Knobs},
};

const DAY: Moment = 86_400_000;
/// Days that are simulated.
pub const YEAR: u32 = 365;
/// Duties of a node in a round.
const SLOTS: u8 = 8;
/// Seats of a panel.
const SEATS: u32 = 10;
/// Exploration slots that a group may get.
const BUDGET: u32 = 20;

/// The topics: four families each, at levels 1, 3 and 5.
const TOPICS: [[&str; 4]; 3] = [
    ["addition", "subtraction", "multiplication", "equation"],
    ["retrieval", "field", "record", "counting"],
    ["sorting", "spelling", "copying", "sequence"],
];

/// The rules of the game. Anything but the default is there to show what the real ones prevent.
#[derive(Clone, Default)]
pub struct Rules {
    /// The chain's parameters.
    pub knobs: Knobs,
    /// Broken: every node is a group of its own.
    pub nodes_are_groups: bool,
    /// Broken: every task is worth the same.
    pub all_tasks_equal: bool,
}

/// A family at one level.
struct Stratum {
    key: (H256, u8),
    id: H256,
    family: usize,
    difficulty: Fixed,
    null_rate: Fixed,
    rate: FamilyRate,
}

struct Topic {
    rules: TopicRules,
    strata: Vec<Stratum>,
    rate: FamilyRate,
}

impl Topic {
    fn new(families: &[&str]) -> Self {
        let keys: Vec<_> = generators::ids(families)
            .into_iter()
            .flat_map(|id| [1, 3, 5].map(|level| (id, level)))
            .collect();
        let stratum = |(place, key): (usize, &(H256, u8))| {
            let family = generators::family(&key.0).expect("the families exist");
            let task = family.generate(key.1, &H256::zero());
            Stratum {
                key: *key,
                id: family.stratum(key.1),
                family: place / 3,
                difficulty: task.expect("the levels exist").difficulty,
                null_rate: family.null_rate(),
                rate: FamilyRate::default(),
            }
        };
        Self {
            strata: keys.iter().enumerate().map(stratum).collect(),
            rules: TopicRules {
                families: keys.try_into().expect("twelve are not too many"),
                slots: SLOTS,
                authored: 0,
            },
            rate: FamilyRate::default(),
        }
    }
}

/// Everything that happens.
pub struct World {
    rules: Rules,
    dice: ChaCha8Rng,
    day: u32,
    topics: Vec<Topic>,
    operators: Vec<Operator>,
    /// By operator and node. Each has luck of its own, so that two worlds differ only in what was changed.
    luck: Vec<Vec<ChaCha8Rng>>,
    /// By topic, operator and node.
    accounts: Vec<Vec<Vec<Account>>>,
}

impl World {
    /// A consortium before its first day, with one to three topics.
    pub fn new(seed: u64, topics: usize, operators: Vec<Operator>, rules: Rules) -> Self {
        let luck = |(place, operator): (usize, &Operator)| {
            let stream = |node| {
                let mut dice = ChaCha8Rng::seed_from_u64(seed);
                dice.set_stream((place as u64 + 1) << 16 | node as u64);
                dice
            };
            (0..operator.nodes.len()).map(stream).collect()
        };
        let fresh = |operator: &Operator| vec![Account::default(); operator.nodes.len()];
        Self {
            rules,
            dice: ChaCha8Rng::seed_from_u64(seed),
            day: 0,
            topics: TOPICS[..topics].iter().map(|it| Topic::new(it)).collect(),
            luck: operators.iter().enumerate().map(luck).collect(),
            accounts: vec![operators.iter().map(fresh).collect(); topics],
            operators,
        }
    }

    fn now(&self) -> Moment {
        u64::from(self.day) * DAY
    }

    /// Lets the days before this one pass.
    pub fn run_until(&mut self, day: u32) {
        while self.day < day {
            for topic in 0..self.topics.len() {
                self.round(topic);
            }
            self.day += 1;
        }
    }

    /// One round: all answer, evidence is folded, then pass rates move.
    fn round(&mut self, topic: usize) {
        let randomness = H256(self.dice.r#gen());
        let (number, id) = (topic as u32, self.day);
        let facts = RoundFacts {
            id,
            topic: number,
            epoch: self.day,
            seed: canary::round_seed(&randomness, number, id),
            start: 0,
            windows: Windows {
                open: 20,
                commit: 60,
                reveal: 40,
            },
            rules: self.topics[topic].rules.clone(),
            authored: Default::default(),
        };
        // Families and levels are the same for all groups; instances do not matter here.
        let asked: Vec<usize> = canary::duties(&facts, &name(0, None))
            .iter()
            .filter_map(|duty| {
                let strata = &self.topics[topic].strata;
                strata
                    .iter()
                    .position(|stratum| stratum.key == (duty.family, duty.level))
            })
            .collect();
        let answers = self.answers(topic, &asked);
        self.fold(topic, &asked, &answers);
        self.rate(topic, &asked, &answers);
    }

    /// By operator, node and slot; `None` of a node that does not serve.
    fn answers(&mut self, topic: usize, asked: &[usize]) -> Vec<Vec<Option<Vec<bool>>>> {
        let (day, strata) = (self.day, &self.topics[topic].strata);
        let answer = |(operator, luck): (&Operator, &mut Vec<ChaCha8Rng>)| {
            let nodes = operator.nodes.iter().zip(luck);
            nodes
                .map(|(node, luck)| {
                    let rolls: Vec<f64> = asked.iter().map(|_| luck.r#gen()).collect();
                    let passes = |(place, roll): (&usize, f64)| {
                        let asked = strata[*place].ask(topic, day, node);
                        (node.conduct)(&asked).map(|chance| roll < chance)
                    };
                    asked.iter().zip(rolls).map(passes).collect()
                })
                .collect()
        };
        self.operators
            .iter()
            .zip(&mut self.luck)
            .map(answer)
            .collect()
    }

    /// Evidence of all nodes.
    fn fold(&mut self, topic: usize, asked: &[usize], answers: &[Vec<Option<Vec<bool>>>]) {
        let (now, knobs) = (self.now(), self.rules.knobs);
        for (place, nodes) in answers.iter().enumerate() {
            let worth = self.worth(topic, asked, &name(place, None));
            for (node, answers) in nodes.iter().enumerate() {
                let scored = |((stratum, worth), passed): ((&usize, &Fixed), &bool)| Scored {
                    duty: H256::zero(),
                    family: self.topics[topic].strata[*stratum].id,
                    epoch: self.day,
                    difficulty: *worth,
                    outcome: Fixed::from_int((*passed).into()),
                    wrong: None,
                    options: 0,
                    shared: false,
                };
                let duties = asked.iter().zip(&worth).zip(answers.iter().flatten());
                let scored: Vec<_> = duties.map(scored).collect();
                self.accounts[topic][place][node].fold(&scored, false, now, &knobs);
            }
        }
    }

    /// What each duty is worth to a group: by what the others pass of the family, else of the topic.
    fn worth(&self, topic: usize, asked: &[usize], group: &AccountId32) -> Vec<Fixed> {
        let (now, half_life, topic) = (self.now(), self.rules.knobs.half_life, &self.topics[topic]);
        let worth = |place: &usize| {
            let stratum = &topic.strata[*place];
            let rate = stratum.rate.leaving_out(group, now, half_life);
            let rate = rate.or_else(|| topic.rate.leaving_out(group, now, half_life));
            effective_difficulty(
                stratum.difficulty,
                rate.unwrap_or(Fixed::ZERO),
                stratum.null_rate,
            )
        };
        if self.rules.all_tasks_equal {
            vec![Fixed::percent(20); asked.len()]
        } else {
            asked.iter().map(worth).collect()
        }
    }

    /// Brings pass rates up to date. The nodes of a group count together as one answer.
    fn rate(&mut self, topic: usize, asked: &[usize], answers: &[Vec<Option<Vec<bool>>>]) {
        let (now, half_life) = (self.now(), self.rules.knobs.half_life);
        let topic = &mut self.topics[topic];
        for (place, nodes) in answers.iter().enumerate() {
            let group = name(place, None);
            let answers: Vec<_> = nodes.iter().flatten().collect();
            let share = Fixed::ONE.over(Fixed::from_int(answers.len() as u64));
            for (stratum, passed) in answers.iter().flat_map(|all| asked.iter().zip(*all)) {
                for rate in [&mut topic.strata[*stratum].rate, &mut topic.rate] {
                    rate.add(&group, *passed, share, now, half_life);
                }
            }
        }
    }

    /// Where a node stands.
    pub fn standing(&self, topic: usize, operator: usize, node: usize) -> Standing {
        reputation::standing(
            &self.accounts[topic][operator][node],
            Fixed::ONE,
            self.operators[operator].bond,
            self.now(),
            &self.rules.knobs,
        )
    }

    fn candidates(&self, topic: usize) -> Vec<Candidate> {
        let nodes = self.operators.iter().enumerate();
        nodes
            .flat_map(|(place, operator)| (0..operator.nodes.len()).map(move |node| (place, node)))
            .map(|(place, node)| {
                let own = self.rules.nodes_are_groups.then_some(node);
                Candidate {
                    group: name(place, own),
                    node: name(place, Some(node)),
                    standing: self.standing(topic, place, node),
                }
            })
            .collect()
    }

    /// How votes are shared out now.
    pub fn electorate(&self, topic: usize) -> Electorate {
        let null_rate = self.topics[topic].rules.null_rate();
        influence::electorate(&self.candidates(topic), null_rate, &self.rules.knobs)
    }

    /// Share of the votes of each operator now.
    pub fn shares(&self, topic: usize) -> Vec<f64> {
        let mut shares = vec![0.0; self.operators.len()];
        for weight in self.electorate(topic).weights {
            shares[operator(&weight.group)] += float(weight.weight);
        }
        shares
    }

    /// Lets the year pass; mean share of each operator over its last ninety days.
    pub fn shares_of_the_year(&mut self, topic: usize) -> Vec<f64> {
        let mut sums = vec![0.0; self.operators.len()];
        let days: Vec<u32> = (YEAR - 90..=YEAR).step_by(9).collect();
        for day in &days {
            self.run_until(*day);
            for (sum, share) in sums.iter_mut().zip(self.shares(topic)) {
                *sum += share / days.len() as f64;
            }
        }
        sums
    }

    /// The best competence among each operator's nodes.
    pub fn competences(&self, topic: usize) -> Vec<f64> {
        let nodes = |place: usize| 0..self.operators[place].nodes.len();
        let best = |place| {
            let all = nodes(place).map(|node| self.standing(topic, place, node).competence);
            float(all.max().unwrap_or_default())
        };
        (0..self.operators.len()).map(best).collect()
    }

    /// The skill of each operator: how often its best node is right when it does its best, over all tasks of the topic by what they would
    /// be worth if everybody did. It is what an examiner with endless tasks would find.
    pub fn skills(&self, topic: usize) -> Vec<f64> {
        let strata = &self.topics[topic].strata;
        let chances: Vec<Vec<f64>> = self
            .operators
            .iter()
            .map(|operator| {
                let best = |stratum: &Stratum| {
                    let nodes = operator.nodes.iter();
                    nodes
                        .map(|node| stratum.ask(topic, self.day, node).best)
                        .fold(0.0, f64::max)
                };
                strata.iter().map(best).collect()
            })
            .collect();
        let worth = |(place, stratum): (usize, &Stratum)| {
            let sum: f64 = chances.iter().map(|of| of[place]).sum();
            let rate = Fixed::ratio((sum * 1e6) as u128, chances.len() as u128 * 1_000_000);
            float(effective_difficulty(
                stratum.difficulty,
                rate,
                stratum.null_rate,
            ))
        };
        let worth: Vec<f64> = strata.iter().enumerate().map(worth).collect();
        let total: f64 = worth.iter().sum();
        let skill = |of: &Vec<f64>| -> f64 {
            of.iter().zip(&worth).map(|(p, w)| p * w).sum::<f64>() / total
        };
        chances.iter().map(skill).collect()
    }

    /// The share of each operator if votes were its skill, among those who may vote now.
    pub fn fair_shares(&self, topic: usize) -> Vec<f64> {
        let voters: Vec<bool> = self
            .shares(topic)
            .iter()
            .map(|share| *share > 0.0)
            .collect();
        let counted = |(skill, votes): (f64, &bool)| if *votes { skill } else { 0.0 };
        let skills: Vec<f64> = self
            .skills(topic)
            .into_iter()
            .zip(&voters)
            .map(counted)
            .collect();
        let total: f64 = skills.iter().sum();
        skills.iter().map(|skill| skill / total).collect()
    }

    /// A panel of ten, drawn by weight, with seats for those with too little evidence. `explored` counts the seats that they had.
    pub fn panel(&mut self, topic: usize, explored: &mut BTreeMap<AccountId32, u32>) -> Vec<Pick> {
        let weights = self.electorate(topic).weights;
        let established: Vec<_> = weights
            .into_iter()
            .map(|it| Established {
                group: it.group,
                node: it.node,
                weight: it.weight,
            })
            .collect();
        let day = self.day;
        let mut newcomers = BTreeMap::<AccountId32, Vec<AccountId32>>::new();
        for candidate in self.candidates(topic) {
            let of = &self.operators[operator(&candidate.node)];
            let serves = of.nodes.iter().any(|node| {
                let asked = self.topics[topic].strata[0].ask(topic, day, node);
                (node.conduct)(&asked).is_some()
            });
            if serves && influence::is_newcomer(&candidate.standing, &self.rules.knobs) {
                newcomers
                    .entry(candidate.group)
                    .or_default()
                    .push(candidate.node);
            }
        }
        let newcomers: Vec<_> = newcomers
            .into_iter()
            .map(|(group, nodes)| Newcomers {
                budget: BUDGET.saturating_sub(explored.get(&group).copied().unwrap_or(0)),
                group,
                nodes,
            })
            .collect();
        let seed = H256(self.dice.r#gen());
        let epsilon = self.rules.knobs.exploration;
        let picks = exploration::select(&seed, SEATS, epsilon, &established, &newcomers);
        for pick in picks.iter().filter(|pick| pick.is_exploration) {
            *explored.entry(pick.group.clone()).or_default() += 1;
        }
        picks
    }
}

impl Stratum {
    fn ask(&self, topic: usize, day: u32, node: &Node) -> Asked {
        node.ask(topic, day, self.family, self.key.1, float(self.null_rate))
    }
}
