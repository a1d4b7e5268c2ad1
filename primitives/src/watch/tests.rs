use super::*;
use crate::{H256, generators::Draw};
use std::vec::Vec;

/// 1/100 over 1,000 streams.
const ALPHA: Fixed = Fixed::ratio(1, 100_000);

/// Chances from a seed.
struct Dice(Draw);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Draw::new(&H256::zero(), 3, &H256::from_low_u64_le(seed)))
    }

    /// Right with this chance in 1000.
    fn right(&mut self, chance: u32) -> Fixed {
        Fixed::from_int((self.0.below(1000) < chance.into()).into())
    }

    /// Mean of three peers.
    fn peers(&mut self, chance: u32) -> Fixed {
        let sum = (0..3).fold(Fixed::ZERO, |sum, _| sum.plus(self.right(chance)));
        sum.over(Fixed::from_int(3))
    }
}

/// Pairs with these chances of node and peers, four a day from `from` on, until there is a flag.
fn pairs(
    drift: &mut Drift,
    dice: &mut Dice,
    skills: (u32, u32),
    count: u64,
    from: u64,
    alpha: Fixed,
) -> Option<u64> {
    (0..count).find(|n| {
        let (own, peers) = (dice.right(skills.0), dice.peers(skills.1));
        let now = (from + n) * DAY / 4;
        drift.observe(own, peers, now, alpha).is_some()
    })
}

#[test]
fn nodes_as_good_as_they_were_are_not_flagged() {
    // At an alpha that a simulation can see: 240 nodes, half of them far weaker than their peers, some nearly perfect.
    let alpha = Fixed::ratio(1, 16);
    let skills = [
        (900, 900),
        (500, 900),
        (990, 990),
        (300, 800),
        (800, 500),
        (960, 995),
    ];
    let flagged = (0..240u64)
        .filter(|run| {
            let (mut drift, mut dice) = (Drift::default(), Dice::new(*run));
            let skills = skills[*run as usize % skills.len()];
            pairs(&mut drift, &mut dice, skills, 500, 0, alpha).is_some()
        })
        .count();
    println!("{flagged} of 240 nodes that stayed as they were flagged at alpha 1/16 (15 admitted)");
    assert!(flagged <= 15, "{flagged}");
}

#[test]
fn baselines_are_hardly_ever_off_by_more_than_is_admitted() {
    // What the false-alarm budget hangs on, at an alpha of 1/250: how often the true mean lies above the admitted one.
    let alpha = Fixed::ratio(1, 250);
    let skills = [
        (900, 900),
        (500, 900),
        (985, 999),
        (930, 999),
        (300, 800),
        (700, 700),
    ];
    let mut all = 0;
    for skills in skills {
        let mean = (1000.0 + f64::from(skills.1) - f64::from(skills.0)) / 2000.0;
        let off = (0..300u64)
            .filter(|run| {
                let (mut drift, mut dice) = (Drift::default(), Dice::new(70_000 + run));
                pairs(&mut drift, &mut dice, skills, BASELINE.into(), 0, alpha);
                drift.admitted.expect("complete").to_bits() as f64 / 2f64.powi(64) < mean
            })
            .count();
        println!("{skills:?}: {off} of 300 baselines off (1.2 admitted)");
        all += off;
    }
    assert!(all <= 7, "{all}"); // 7.2 admitted
}

#[test]
fn who_became_worse_is_flagged_and_who_always_was_is_not() {
    let mut after: Vec<(u32, Option<u64>)> = Vec::new();
    for now in [100, 300, 500] {
        let mut runs: Vec<_> = (0..9)
            .map(|run| {
                let (mut drift, mut dice) = (Drift::default(), Dice::new(run));
                let before = pairs(&mut drift, &mut dice, (900, 900), 400, 0, ALPHA);
                assert_eq!(before, None);
                let found = pairs(&mut drift, &mut dice, (now, 900), 2_000, 400, ALPHA);
                found.unwrap_or(u64::MAX)
            })
            .collect();
        runs.sort_unstable();
        after.push((now, Some(runs[4]).filter(|n| *n < u64::MAX)));
    }
    let mut weak = Drift::default();
    let always = pairs(&mut weak, &mut Dice::new(5), (500, 900), 2_000, 0, ALPHA);
    for (now, pairs) in &after {
        println!(
            "from 90 to {} of 100 right: flagged after {pairs:?} pairs in the median of 9 nodes",
            now / 10
        );
    }
    println!(
        "always 50 where peers have 90: flagged {always:?} in 2000 pairs; admitted {:?}",
        weak.admitted
    );
    assert!(after[0].1.is_some_and(|n| n < 150) && after[1].1.is_some_and(|n| n < 400));
    assert_eq!(always, None);
}

#[test]
fn a_topic_that_gets_harder_flags_nobody() {
    for (seed, before, later) in [(1, (900, 900), (400, 400)), (2, (700, 900), (300, 420))] {
        let (mut drift, mut dice) = (Drift::default(), Dice::new(seed));
        assert_eq!(pairs(&mut drift, &mut dice, before, 400, 0, ALPHA), None);
        assert_eq!(pairs(&mut drift, &mut dice, later, 1_500, 400, ALPHA), None);
        println!(
            "{before:?} then {later:?} in 1000: gap since {:?}, no flag",
            drift.since.gap()
        );
    }
}

#[test]
fn exoneration_asks_for_twice_the_evidence() {
    let mut drift = Drift::default();
    let fall = |drift: &mut Drift| {
        (0..400).find_map(|n| {
            let own = Fixed::from_int((n < BASELINE).into());
            drift.observe(own, Fixed::ONE, 0, ALPHA)
        })
    };
    let first = fall(&mut drift).expect("flagged");
    assert_eq!(
        drift.observe(Fixed::ZERO, Fixed::ONE, 0, ALPHA),
        None,
        "once"
    );
    drift.restart(true);
    let second = fall(&mut drift).expect("flagged again");
    assert_eq!(second.bits, first.bits + 1);
    drift.restart(false);
    assert_eq!((drift.exonerations, drift.flag), (1, None));
}

fn pair(public: bool, secret: bool, auditor: u8) -> Pair {
    Pair {
        public: Fixed::from_int(public.into()),
        secret: Fixed::from_int(secret.into()),
        auditor: [auditor; 32].into(),
    }
}

#[test]
fn honest_nodes_have_no_gap() {
    // 40 nodes, 1,000 pairs by four auditors; one that is as much worse at secret ones as is tolerated, too.
    for (seed, secret) in (0..40).map(|seed| (seed, 800 - 50 * (seed as u32 % 2))) {
        let (mut gap, mut dice) = (Gap::default(), Dice::new(seed));
        for n in 0..1_000u64 {
            let pair = Pair {
                public: dice.right(800),
                secret: dice.right(secret),
                auditor: [(n % 4) as u8; 32].into(),
            };
            assert_eq!(gap.observe(&pair, n * DAY / 4, ALPHA), None, "{seed}");
        }
    }
    println!("40 honest nodes, 1000 pairs each: no flag");
}

#[test]
fn auditors_split_evenly_and_one_cannot_confirm_itself() {
    let mut gap = Gap::default();
    for auditor in 1..=5 {
        assert_eq!(gap.observe(&pair(true, true, auditor), 0, ALPHA), None);
    }
    assert_eq!((gap.one.auditors.len(), gap.other.auditors.len()), (3, 2));
    // The second auditor lies.
    let lies = (0..10_000).filter_map(|_| gap.observe(&pair(true, false, 2), DAY, ALPHA));
    let [Finding::Raised(flag)] = lies.collect::<Vec<_>>()[..] else {
        panic!("a flag and nothing more");
    };
    assert!(
        gap.one.auditors.contains(&[2; 32].into()),
        "its side raised it"
    );
    assert_eq!((gap.other.recent, gap.other.stream), Default::default());
    println!(
        "10,000 lies of one auditor: flag after {} pairs, no confirmation",
        flag.pairs
    );
    // A newcomer is among the others.
    gap.observe(&pair(true, true, 9), DAY, ALPHA);
    assert!(gap.other.auditors.contains(&[9; 32].into()));
    assert!(!gap.lapse(flag.at + LAPSE - 1));
    assert!(gap.lapse(flag.at + LAPSE));
    assert_eq!((gap.exonerations, gap.flag), (1, None));
}

#[test]
fn pairs_are_matched_in_order_without_looking() {
    let duty = |family: u8, epoch, right: bool| Scored {
        duty: H256::zero(),
        family: H256::repeat_byte(family),
        epoch,
        difficulty: Fixed::ONE,
        outcome: Fixed::from_int(right.into()),
        wrong: None,
        options: 10,
        shared: false,
    };
    let (mut queues, auditor) = (Queues::default(), NodeId::new([7; 32]));
    for waiting in [duty(1, 1, true), duty(1, 1, false), duty(2, 1, true)] {
        assert_eq!(queues.arrive(&waiting, None), None);
    }
    assert_eq!(
        queues.arrive(&duty(1, 2, false), Some(&auditor)),
        None,
        "another epoch"
    );
    let oldest = queues.arrive(&duty(1, 1, false), Some(&auditor));
    assert_eq!(oldest, Some(pair(true, false, 7)));
    let late = queues.arrive(&duty(1, 2, true), None);
    assert_eq!(late, Some(pair(true, false, 7)), "secret ones wait too");
    for _ in 0..2 * MAX_WAITING {
        queues.arrive(&duty(3, 3, true), None);
    }
    assert_eq!(queues.public.len() as u32, MAX_WAITING);
    assert!(queues.secret.is_empty());
}

#[test]
fn peers_are_two_other_groups_at_least() {
    let of = |outcomes: &[(u8, bool)]| {
        peers(&1, outcomes.iter().map(|(group, passed)| (group, *passed)))
    };
    assert_eq!(of(&[(1, true), (2, true), (2, true)]), None);
    assert_eq!(of(&[(2, true), (3, false)]), Some(Fixed::HALF));
    // Many nodes of one group do not outvote another.
    assert_eq!(
        of(&[(2, true), (2, true), (2, true), (3, false), (1, false)]),
        Some(Fixed::HALF)
    );
}
