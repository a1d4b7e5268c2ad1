use super::*;
use crate::checkers::{self, MAX_CHECKER, Verdict, canonical, check};
use alloc::{collections::BTreeMap, format, vec};
use codec::Encode;
use proptest::prelude::*;

fn seed(n: u64) -> H256 {
    tagged_hash("test", &[&n.to_le_bytes()])
}

/// The reference answer of a task, written plainly.
fn reference(checker: &Checker) -> String {
    match checker {
        Checker::Number { value, .. } => String::from_utf8(value.clone()).unwrap(),
        Checker::Exact { accept, .. } => String::from_utf8(accept[0].clone()).unwrap(),
        Checker::Choice { options, right } => {
            String::from_utf8(options[usize::from(*right)].clone()).unwrap()
        }
        Checker::JsonSchema { schema } => {
            // Every field of `record` is a constant.
            let text = core::str::from_utf8(schema).unwrap();
            let fields = text.split_once("\"properties\":").unwrap().1;
            let fields = fields.strip_suffix('}').unwrap();
            fields
                .replace("{\"const\":", "")
                .replace("},", ",")
                .replace("}}", "}")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn there_are_enough_families_and_names_are_unique() {
    assert!(families().len() >= 8);
    let ids: alloc::collections::BTreeSet<_> = families().iter().map(Family::id).collect();
    assert_eq!(ids.len(), families().len());
    for family in families() {
        assert_eq!(super::family(&family.id()).unwrap().name, family.name);
        assert!(family.generate(0, &seed(0)).is_none());
        assert!(family.generate(6, &seed(0)).is_none());
    }
    assert!(generate(&H256::zero(), 1, &seed(0)).is_none());
    assert_eq!(null_rate(&H256::zero()), Fixed::ONE);
}

#[test]
fn every_task_has_an_answer_that_passes_and_stays_within_its_bounds() {
    for family in families() {
        for level in 1..=LEVELS {
            for n in 0..200 {
                let task = family.generate(level, &seed(n)).unwrap();
                let answer = reference(&task.checker);
                assert_eq!(
                    check(&task.checker, answer.as_bytes()),
                    Verdict::Right,
                    "{task:?}"
                );
                let marked = format!("Answer: {answer}");
                assert_eq!(
                    check(&task.checker, marked.as_bytes()),
                    Verdict::Right,
                    "{task:?}"
                );
                assert!(task.prompt.len() <= MAX_PROMPT, "{task:?}");
                assert!(
                    task.checker.encoded_size() <= MAX_CHECKER as usize,
                    "{task:?}"
                );
                assert!(task.options >= 2, "{task:?}");
            }
        }
    }
}

#[test]
fn seeds_and_levels_make_different_tasks() {
    for family in families() {
        for level in 1..=LEVELS {
            let prompts: alloc::collections::BTreeSet<_> = (0..200)
                .map(|n| family.generate(level, &seed(n)).unwrap().prompt)
                .collect();
            // The smallest family has 14 tasks: the days before and after each day.
            assert!(
                prompts.len() >= 14,
                "{} {level}: {}",
                family.name,
                prompts.len()
            );
        }
    }
}

/// Pass rate in percent of the best answer that does not read the task, over the levels, for the null battery.
fn measured_null_percent(family: &Family) -> u32 {
    const SAMPLES: u64 = 500;
    let mut worst = 0;
    for level in 1..=LEVELS {
        let tasks: Vec<Task> = (0..SAMPLES)
            .map(|n| family.generate(level, &seed(n)).unwrap())
            .collect();
        let mut modal = BTreeMap::<Vec<u8>, u32>::new();
        for task in &tasks {
            let answer = reference(&task.checker);
            *modal
                .entry(canonical(&task.checker, answer.as_bytes()))
                .or_default() += 1;
        }
        let passes = |answer: &dyn Fn(&Task) -> String| {
            tasks
                .iter()
                .filter(|task| check(&task.checker, answer(task).as_bytes()) == Verdict::Right)
                .count() as u32
        };
        let mut best = modal.values().copied().max().unwrap();
        best = best.max(passes(&|_| String::new()));
        best = best.max(passes(&|task| task.prompt.clone()));
        for constant in [
            "0", "1", "5", "10", "100", "yes", "no", "a", "the", "{}", "[]",
        ] {
            best = best.max(passes(&|_| constant.into()));
        }
        worst = worst.max(best * 100 / SAMPLES as u32);
    }
    worst
}

#[test]
fn null_rates_are_those_that_are_measured() {
    let mut wrong = Vec::new();
    for family in families() {
        let measured = measured_null_percent(family);
        println!("{}: {measured} %", family.name);
        // Never below what was measured, and at most two points above.
        if !(measured..=measured + 2).contains(&family.null_percent) {
            wrong.push((family.name, measured, family.null_percent));
        }
    }
    assert!(wrong.is_empty(), "name, measured, declared: {wrong:?}");
}

#[test]
fn tasks_are_pinned() {
    let mut all = vec![];
    for family in families() {
        for level in 1..=LEVELS {
            let task = family.generate(level, &seed(1)).unwrap();
            all.push((task.prompt, task.checker.encode(), task.options));
        }
    }
    let expected = "3d8ef59d2f78a13861afe505238a819349b97105a4a44c7f6f04efb6643d7741";
    assert_eq!(
        hex::encode(tagged_hash("pin", &[&all.encode()])),
        expected,
        "what a family generates has changed: give it another version, then pin again"
    );
}

#[test]
fn draws_are_even() {
    let mut counts = [0u32; 7];
    for n in 0..7_000 {
        let mut draw = Draw::new(&H256::zero(), 1, &seed(n));
        counts[draw.below(7) as usize] += 1;
    }
    assert!(counts.iter().all(|n| (850..1150).contains(n)), "{counts:?}");
    let mut draw = Draw::new(&H256::zero(), 1, &seed(0));
    assert_eq!(draw.below(0), 0);
    assert_eq!(draw.word(&[]), "");
}

proptest! {
    #[test]
    fn any_seed_makes_a_sound_task(bytes in any::<[u8; 32]>(), place in 0usize..15, level in 1u8..=5) {
        let task = families()[place].generate(level, &H256(bytes)).unwrap();
        prop_assert!(checkers::is_sound(&task.checker));
        prop_assert_eq!(&task, &families()[place].generate(level, &H256(bytes)).unwrap());
    }
}
