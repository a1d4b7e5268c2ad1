use super::*;
use crate::generators::Draw;
use alloc::vec;
use proptest::prelude::*;

const YEAR: u64 = 31_536_000_000;
const FAR: Fixed = Fixed::percent(20);

/// How often in 100 a node is right, and with whom it shares its errors.
#[derive(Clone, Copy)]
struct Model {
    skill: u64,
    /// Errors are a function of this and of the task.
    brain: u64,
    /// How often in 100 it answers at random instead.
    noise: u64,
}

fn ring(model: Model, node: u64) -> Vec<RingEntry> {
    (0u64..200)
        .map(|task| {
            let seed = |who: u64, what: u64| {
                let bytes = [who.to_le_bytes(), what.to_le_bytes(), task.to_le_bytes()];
                Draw::new(
                    &H256::zero(),
                    1,
                    &crate::tagged_hash("test", &[&bytes.concat()]),
                )
            };
            // Hard tasks are hard for all.
            let hardness = seed(0, 0).below(60);
            let mut own = seed(node + 1_000, 1);
            let mut mind = match u64::from(own.below(100)) < model.noise {
                true => own,
                false => seed(model.brain, 2),
            };
            let right = u64::from(mind.below(100) + hardness) < model.skill + 30;
            RingEntry {
                duty: task.to_le_bytes(),
                at: 0,
                right,
                wrong: (!right).then(|| u64::from(mind.below(20)).to_le_bytes()),
                options: 20,
            }
        })
        .collect()
}

fn rho(a: Model, b: Model, floor: Fixed) -> Correlation {
    correlation(&ring(a, 1), &ring(b, 2), floor, 0, YEAR)
}

fn independent(skill: u64, brain: u64) -> Model {
    Model {
        skill,
        brain,
        noise: 0,
    }
}

#[test]
fn origins_set_the_floor() {
    let of = |operator: u8, base: u8, adapter: Option<u8>, family: Option<u8>| Origin {
        operator: [operator; 32].into(),
        base: H256([base; 32]),
        adapter: adapter.map(|it| H256([it; 32])),
        family: family.map(|it| H256([it; 32])),
    };
    let one = of(1, 1, None, Some(1));
    for (other, percent) in [
        (of(2, 1, None, Some(1)), 100),
        (of(2, 1, Some(3), Some(1)), 80),
        (of(1, 2, None, None), 60),
        (of(2, 2, None, Some(1)), 50),
        (of(2, 2, None, None), 20),
    ] {
        assert_eq!(floor(&one, &other), Fixed::percent(percent));
        assert_eq!(floor(&other, &one), Fixed::percent(percent));
    }
    assert_eq!(
        floor(&of(1, 1, None, None), &of(2, 2, None, None)),
        FAR,
        "an unknown family is nobody's"
    );
}

#[test]
fn unequal_skill_is_not_copying() {
    // Both fail what is hard, so their outcomes correlate; their errors do not.
    let pair = rho(independent(70, 1), independent(30, 2), FAR);
    println!("independent, skills 70 and 30: {pair:?}");
    assert!(pair.both > Fixed::from_int(30), "{pair:?}");
    assert_eq!(pair.rho, FAR, "{pair:?}");
}

#[test]
fn copies_are_seen_though_nobody_said_so() {
    let pair = rho(independent(50, 1), independent(50, 1), FAR);
    assert!(pair.rho > Fixed::percent(85), "{pair:?}");
}

#[test]
fn silence_and_narrow_choices_say_nothing() {
    let (mut silent, mut narrow) = (ring(independent(30, 1), 1), ring(independent(30, 1), 1));
    silent.iter_mut().for_each(|entry| entry.wrong = None);
    narrow.iter_mut().for_each(|entry| entry.options = 9);
    for ring in [silent, narrow] {
        assert_eq!(correlation(&ring, &ring, FAR, 0, YEAR).rho, FAR);
    }
}

#[test]
fn old_agreement_fades() {
    let ring = ring(independent(30, 1), 1);
    let fresh = correlation(&ring, &ring, FAR, 0, YEAR);
    let old = correlation(&ring, &ring, FAR, 8 * YEAR, YEAR);
    assert!(old.rho < fresh.rho && old.rho >= FAR);
}

#[test]
fn copies_that_add_noise_stay_copies() {
    let noisy = |noise| Model {
        skill: 50,
        brain: 1,
        noise,
    };
    let (before, after) = (rho(noisy(0), noisy(0), FAR), rho(noisy(60), noisy(60), FAR));
    let known = rho(noisy(60), noisy(60), Fixed::ONE);
    println!(
        "copies: rho {:?}; with noise and hidden origin {:?}; with declared origin {:?}",
        before.rho, after.rho, known.rho
    );
    assert!(after.rho < before.rho);
    assert_eq!(
        known.rho,
        Fixed::ONE,
        "what is declared is not undone by noise"
    );
}

#[test]
fn ten_copies_weigh_one() {
    let tenth = Fixed::ratio(1, 10);
    let clones = voice(&[tenth; 10], |_, _| Fixed::ONE);
    let three = voice(&[tenth; 3], |_, _| FAR);
    println!(
        "ten copies weigh {:?}, three independent nodes {:?} (n_eff {:?})",
        clones.weight, three.weight, three.effective
    );
    assert!(clones.weight <= tenth);
    assert_eq!(clones.effective, Fixed::ONE);
    assert!(three.weight > Fixed::from_int(2).times(tenth));
    assert!(three.effective > Fixed::from_int(2));
}

#[test]
fn a_rival_cannot_be_diluted() {
    let (one, dust) = (Fixed::ratio(1, 4), Fixed::ratio(1, 1_000_000));
    let alone = voice(&[one], |_, _| Fixed::ONE);
    for copies in [1, 5, 8, 30] {
        let mut weights = vec![one];
        weights.extend(vec![dust; copies]);
        let crowded = voice(&weights, |_, _| Fixed::ONE);
        assert!(crowded.weight >= alone.weight, "{copies}");
        assert!(crowded.members.contains(&0));
    }
}

#[test]
fn a_copy_among_many_is_passed_over() {
    // The second is a copy of the first; the others are independent of both.
    let weights: Vec<Fixed> = (0..12u128).map(|i| Fixed::ratio(20 - i, 200)).collect();
    let together = voice(&weights, |i, j| {
        if (i, j) == (0, 1) {
            Fixed::ONE
        } else {
            Fixed::ZERO
        }
    });
    assert_eq!(together.members, [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
}

proptest! {
    #[test]
    fn more_nodes_never_weigh_less(weights in proptest::collection::vec(0u128..1000, 1..8), seed in 0u32..1000) {
        let weights: Vec<Fixed> = weights.into_iter().map(|w| Fixed::ratio(w, 1000)).collect();
        let rho = |i: usize, j: usize| Fixed::percent(20 + (seed.wrapping_mul(31) + (i * 7 + j * 13) as u32) % 81);
        let all = voice(&weights, rho);
        let fewer = voice(&weights[..weights.len() - 1], rho);
        prop_assert!(all.weight >= fewer.weight);
        let sum = weights.iter().fold(Fixed::ZERO, |sum, w| sum.plus(*w));
        prop_assert!(all.weight <= sum);
        let count = Fixed::from_int(all.members.len() as u64 + 1);
        prop_assert!(all.effective < count, "{:?}", all);
    }

    #[test]
    fn correlations_are_symmetric_and_in_range(a in 0u64..100, b in 0u64..100, same in any::<bool>(), floor in 20u32..=100) {
        let (one, two) = (ring(independent(a, 1), 1), ring(independent(b, if same { 1 } else { 2 }), 2));
        let floor = Fixed::percent(floor);
        let ab = correlation(&one, &two, floor, 5, YEAR);
        prop_assert_eq!(ab, correlation(&two, &one, floor, 5, YEAR));
        prop_assert!(ab.rho >= floor && ab.rho <= Fixed::ONE);
    }
}
