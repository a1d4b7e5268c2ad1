use super::*;
use crate::{H256, generators::Draw};
use alloc::format;

/// Chances from a seed.
struct Dice(Draw);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Draw::new(&H256::zero(), 0, &H256::from_low_u64_le(seed)))
    }

    /// In [0, 1).
    fn roll(&mut self) -> f64 {
        f64::from(self.0.below(u32::MAX)) / f64::from(u32::MAX)
    }

    /// 0 for a loss, 1 for a tie, 2 for a win.
    fn pair(&mut self, win: f64, loss: f64) -> usize {
        match self.roll() {
            x if x < win => 2,
            x if x < win + loss => 0,
            _ => 1,
        }
    }
}

const HALF: Fixed = Fixed::ratio(1, 2);

fn real(log: i64) -> f64 {
    log as f64 / (1u64 << 32) as f64
}

fn superiority(wins: u32, losses: u32) -> f64 {
    let mut process = Process::new(Question::superior(), Fixed::ratio(1, 1_000_000_000));
    (0..wins).for_each(|_| process.observe(Fixed::ONE));
    (0..losses).for_each(|_| process.observe(Fixed::ZERO));
    real(process.evidence())
}

/// What superiority should give, in floats.
fn model(wins: i32, losses: i32) -> f64 {
    let guesses = [0.525f64, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9];
    let capital = |t: &f64| (2.0 * t).powi(wins) * (2.0 * (1.0 - t)).powi(losses);
    (guesses.iter().map(capital).sum::<f64>() / 7.0).log2()
}

/// The mixture that is uniform on (1/2, 1), in its exact form.
fn uniform(wins: u64, losses: u64) -> f64 {
    let n = wins + losses;
    let choose =
        |n: u64, k: u64| -> f64 { (0..k).map(|i| ((n - i) as f64 / (i + 1) as f64).ln()).sum() };
    let top: f64 = (0..=wins).map(|k| choose(n + 1, k).exp()).sum();
    (top / (n + 1) as f64 / choose(n, wins).exp()).log2()
}

#[test]
fn capital_is_that_of_the_model() {
    for (wins, losses) in [
        (0, 0),
        (1, 0),
        (0, 1),
        (10, 3),
        (30, 70),
        (70, 30),
        (55, 45),
        (25, 1),
    ] {
        let (is, should) = (superiority(wins, losses), model(wins as i32, losses as i32));
        assert!((is - should).abs() < 1e-6, "{wins}:{losses}: {is} {should}");
        assert!(is <= should + 1e-9, "rounded up: {wins}:{losses}");
    }
}

#[test]
fn the_worse_is_never_proven_better() {
    // A mixture over all of (0, 1), 2^100 / (101·C(100, 30)), does: E = 427.
    let ways: f64 = (0..30)
        .map(|i| f64::from(100 - i) / f64::from(i + 1))
        .product();
    assert_eq!((2f64.powi(100) / 101.0 / ways).round(), 427.0);
    assert!(superiority(30, 70) < 0.0);
    assert!(uniform(30, 70) < 0.0);
    // The grid is close to the uniform mixture where it matters.
    for (wins, losses) in [(70, 30), (60, 40), (150, 100), (40, 5)] {
        let (grid, uniform) = (
            superiority(wins, losses),
            uniform(wins.into(), losses.into()),
        );
        assert!(
            (grid - uniform).abs() < 1.5,
            "{wins}:{losses}: {grid} {uniform}"
        );
    }
}

#[test]
fn ties_change_nothing() {
    let mut process = Process::new(Question::superior(), Fixed::percent(1));
    for _ in 0..1000 {
        process.observe(paired(Fixed::ONE, Fixed::ONE));
    }
    assert!(real(process.evidence()).abs() < 1e-5);
}

/// Of `runs` processes under the doubt, how many decide at any of `steps` looks.
fn false_alarms(question: &Question, alpha: Fixed, observe: impl Fn(&mut Dice) -> Fixed) -> u32 {
    let (runs, steps) = (2_000, 300);
    let table: Vec<(Fixed, Vec<Log>)> = [Fixed::ZERO, HALF, Fixed::ONE]
        .into_iter()
        .map(|x| (x, question.bets(x)))
        .collect();
    (0..runs)
        .filter(|run| {
            let mut dice = Dice::new(7 + run);
            let mut process = Process::new(question.clone(), alpha);
            (0..steps).any(|_| {
                let x = observe(&mut dice);
                let (_, bets) = table.iter().find(|(y, _)| *y == x).expect("one of three");
                process.add(bets);
                process.is_decided()
            })
        })
        .count() as u32
}

#[test]
fn false_alarms_stay_under_alpha_whenever_one_stops() {
    let alpha = Fixed::ratio(1, 20);
    let coin = |p: f64| {
        move |dice: &mut Dice| {
            if dice.roll() < p {
                Fixed::ONE
            } else {
                Fixed::ZERO
            }
        }
    };
    let pair =
        |win, loss| move |dice: &mut Dice| [Fixed::ZERO, HALF, Fixed::ONE][dice.pair(win, loss)];
    let above = Question::above(Fixed::percent(60)).expect("in range");
    let below = Question::below(Fixed::percent(60)).expect("in range");
    let margin = Question::not_inferior(Fixed::percent(10)).expect("in range");
    let gap = Question::gap(Fixed::percent(5)).expect("in range");
    let counts = [
        ("above", false_alarms(&above, alpha, coin(0.6))),
        ("below", false_alarms(&below, alpha, coin(0.6))),
        (
            "superior",
            false_alarms(&Question::superior(), alpha, pair(0.2, 0.2)),
        ),
        (
            "not inferior",
            false_alarms(&margin, alpha, pair(0.15, 0.25)),
        ),
        ("gap", false_alarms(&gap, alpha, pair(0.25, 0.20))),
    ];
    for (name, count) in counts {
        println!("{name}: {count} of 2000 false alarms at alpha 0.05 (at most 100 on average)");
        assert!(count <= 130, "{name}: {count}"); // three standard deviations
    }
}

#[test]
fn so_many_pairs_are_needed() {
    // Points of difference; median and ninth decile of pairs at alpha 0.01, where one pair in ten goes each way by chance.
    for (points, median, decile) in [
        (0.05, 960.0, 2113.0),
        (0.10, 309.0, 616.0),
        (0.20, 92.0, 186.0),
    ] {
        let question = Question::superior();
        let table = [Fixed::ZERO, HALF, Fixed::ONE].map(|x| question.bets(x));
        let mut needed: Vec<u32> = (0..500)
            .map(|run| {
                let mut dice = Dice::new(1_000 + run);
                let mut process = Process::new(question.clone(), Fixed::percent(1));
                (1..)
                    .find(|_| {
                        process.add(&table[dice.pair(0.1 + points, 0.1)]);
                        process.is_decided()
                    })
                    .expect("an end")
            })
            .collect();
        needed.sort_unstable();
        let (at_half, at_nine) = (f64::from(needed[250]), f64::from(needed[450]));
        println!("{points:+.2}: {at_half} pairs in the median, {at_nine} in nine of ten");
        // A threshold of whole bits asks for 1/128 instead of 1/100.
        assert!((at_half / median - 1.0).abs() < 0.15, "{points}: {at_half}");
        assert!((at_nine / decile - 1.0).abs() < 0.15, "{points}: {at_nine}");
    }
}

/// Answers after which a node that was honest for 20,000 answers and then gives worse ones in three of ten is flagged at `2^-20`.
fn flagged_after(seed: u64) -> u32 {
    let question = Question::gap(Fixed::percent(5)).expect("in range");
    let table = [Fixed::ZERO, HALF, Fixed::ONE].map(|x| question.bets(x));
    let (alpha, mut dice) = (Fixed::ratio(1, 1 << 20), Dice::new(seed));
    let bits = threshold(alpha);
    let mut stream = Stream::default();
    let mut plain = Process::new(question.clone(), alpha);
    for n in 0..20_000u32 {
        let bets = &table[dice.pair(0.1, 0.1)];
        stream.add(bets, n / 50, bits);
        plain.add(bets);
        assert!(
            !stream.is_flagged(bits),
            "an honest node was flagged after {n}"
        );
    }
    let flagged = (0..20_000u32).find(|n| {
        let bets = &table[dice.pair(0.4, 0.1)];
        stream.add(bets, 400 + n / 50, bits);
        plain.add(bets);
        stream.is_flagged(bits)
    });
    assert!(
        !plain.is_decided(),
        "capital that was lost before does not come back"
    );
    flagged.expect("flagged")
}

#[test]
fn good_years_earn_no_credit() {
    let mut after: Vec<u32> = (0..11).map(flagged_after).collect();
    after.sort_unstable();
    println!(
        "gained: {} answers until the flag in the median of 11 nodes, {} in the worst; lost: the flag",
        after[5], after[10]
    );
    assert!(after[5] < 600, "{after:?}");
}

#[test]
fn honest_streams_are_rarely_flagged() {
    let question = Question::gap(Fixed::percent(5)).expect("in range");
    let table = [Fixed::ZERO, HALF, Fixed::ONE].map(|x| question.bets(x));
    let bits = threshold(Fixed::ratio(1, 16));
    let flagged = (0..500)
        .filter(|run| {
            let (mut stream, mut dice) = (Stream::default(), Dice::new(9_000 + run));
            (0..600).any(|n| {
                // Exactly as much worse as is tolerated.
                stream.add(&table[dice.pair(0.25, 0.2)], n / 20, bits);
                stream.is_flagged(bits)
            })
        })
        .count();
    println!("{flagged} of 500 streams at the edge of what is tolerated flagged at alpha 1/16");
    assert!(flagged <= 31 + 16, "{flagged}");
}

#[test]
fn thresholds() {
    assert_eq!(threshold(Fixed::ONE), 0);
    assert_eq!(threshold(HALF), 1);
    assert_eq!(threshold(Fixed::percent(1)), 7);
    assert_eq!(threshold(Fixed::ZERO), MAX_BITS);
    assert_eq!(restarted_threshold(Fixed::percent(1), 3), 10);
    assert_eq!(
        proposal_alpha(Fixed::percent(6), 2),
        Fixed::percent(6)
            .over(Fixed::from_int(2))
            .over(Fixed::from_int(3))
    );
    let all = (1..2_000).fold(Fixed::ZERO, |sum, j| {
        sum.plus(proposal_alpha(Fixed::percent(1), j))
    });
    assert!(all < Fixed::percent(1), "{}", format!("{all:?}"));
}

#[test]
fn there_is_no_question_out_of_range() {
    assert_eq!(Question::above(Fixed::ZERO), None);
    assert_eq!(Question::above(Fixed::ONE), None);
    assert_eq!(Question::below(Fixed::ONE), None);
    assert_eq!(Question::not_inferior(Fixed::ONE), None);
    assert_eq!(Question::gap(HALF), None);
    let mut process = Process::new(Question::superior(), Fixed::percent(1));
    process.observe(Fixed::from_int(5));
    assert!(real(process.evidence()) > 0.0, "more than 1 counts as 1");
    for _ in 0..10_000 {
        process.observe(Fixed::ONE);
    }
    assert!(real(process.evidence()) <= 71.0, "clamped");
    for _ in 0..10_000 {
        process.observe(Fixed::ZERO);
    }
    assert_eq!(process.evidence(), NOTHING);
}
