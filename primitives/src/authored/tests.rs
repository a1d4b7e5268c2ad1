use super::*;
use alloc::{collections::BTreeSet, vec};

fn id(n: u8) -> AccountId32 {
    AccountId32::new([n; 32])
}

fn pool(authors: &[u8]) -> Vec<Waiting> {
    (0u32..)
        .zip(authors)
        .map(|(n, author)| Waiting {
            id: n,
            author: id(*author),
            epoch: 3,
            expires: 1_000,
        })
        .collect()
}

fn seed(n: u8) -> H256 {
    H256::repeat_byte(n)
}

#[test]
fn a_flood_of_one_author_fills_a_third_of_a_round() {
    let mut authors = vec![1; 250];
    authors.extend([2, 3, 4, 2, 3, 4]);
    for n in 0..50 {
        let drawn = draw(&pool(&authors), 4, &seed(n), 5, 0);
        let flood = drawn.iter().filter(|one| one.author == id(1)).count();
        assert_eq!((drawn.len(), flood), (4, 2));
    }
    let alone = draw(&pool(&[1; 9]), 4, &seed(1), 5, 0);
    assert_eq!(alone.len(), 2, "also when nobody else wrote any");
    std::println!(
        "250 of 256 canaries are one author's: it has 2 of 4 places in every round, and cannot have more"
    );
}

#[test]
fn what_is_registered_late_or_expired_is_not_drawn() {
    let pool = pool(&[1, 2, 3, 4]);
    assert!(draw(&pool, 4, &seed(1), 4, 0).is_empty());
    assert_eq!(draw(&pool, 4, &seed(1), 5, 999).len(), 4);
    assert!(draw(&pool, 4, &seed(1), 5, 1_000).is_empty());
    assert!(draw(&pool, 0, &seed(1), 5, 0).is_empty());
}

#[test]
fn every_canary_has_its_turn() {
    let authors: Vec<u8> = (1..=20).collect();
    let drawn: BTreeSet<u32> = (0..200)
        .flat_map(|n| draw(&pool(&authors), 4, &seed(n), 5, 0))
        .map(|one| one.id)
        .collect();
    assert_eq!(drawn.len(), 20);
}

#[test]
fn a_seal_binds_chain_author_part_salt_and_content() {
    let good = seal(Part::Task, &seed(1), &id(1), &[1; 32], b"task");
    for other in [
        seal(Part::Checker, &seed(1), &id(1), &[1; 32], b"task"),
        seal(Part::Task, &seed(2), &id(1), &[1; 32], b"task"),
        seal(Part::Task, &seed(1), &id(2), &[1; 32], b"task"),
        seal(Part::Task, &seed(1), &id(1), &[2; 32], b"task"),
        seal(Part::Task, &seed(1), &id(1), &[1; 32], b"tasks"),
    ] {
        assert_ne!(good, other);
    }
}

#[test]
fn a_checker_that_passes_without_thought_is_not_taken() {
    let number = |value: &str| {
        Checker::Number {
            value: value.into(),
            tolerance: "0".into(),
        }
        .encode()
    };
    assert!(fit_checker(b"2 + 3?", &number("5")).is_ok());
    for (task, checker) in [
        (&b"How many?"[..], number("0")),
        // The answer is the last number of the task.
        (b"Say 17", number("17")),
        (b"?", number("five")),
        (b"?", vec![255]),
        (b"?", [number("5"), vec![0]].concat()),
    ] {
        assert!(fit_checker(task, &checker).is_err(), "{checker:?}");
    }
}

#[test]
fn canaries_of_members_carry_at_most_a_third() {
    let scored = |difficulty| Scored {
        duty: H256::zero(),
        family: H256::zero(),
        epoch: 1,
        difficulty,
        outcome: Fixed::ONE,
        wrong: None,
        options: 10,
        shared: true,
    };
    let mut evidence = vec![
        (false, scored(Fixed::percent(20))),
        (false, scored(Fixed::percent(20))),
        (true, scored(Fixed::ONE)),
        (true, scored(Fixed::ONE)),
    ];
    cap(&mut evidence);
    let sum = |evidence: &[(bool, Scored)], authored| {
        evidence
            .iter()
            .filter(|(is, _)| *is == authored)
            .fold(Fixed::ZERO, |sum, (_, s)| sum.plus(s.difficulty))
    };
    assert_eq!(sum(&evidence, false), Fixed::percent(40));
    assert!(
        sum(&evidence, true) <= Fixed::percent(20) && sum(&evidence, true) > Fixed::percent(19)
    );
    let before = sum(&evidence, true);
    cap(&mut evidence);
    assert!(
        sum(&evidence, true) <= before
            && sum(&evidence, true).plus(Fixed::ratio(1, 1 << 40)) > before
    );
    // Alone they give nothing.
    let mut alone = vec![(true, scored(Fixed::ONE))];
    cap(&mut alone);
    assert_eq!(alone[0].1.difficulty, Fixed::ZERO);
}

#[test]
fn two_groups_that_are_not_the_authors_make_a_canary_count() {
    let (author, friend, stranger) = (id(1), id(2), id(3));
    assert!(counts(true, &author, [&friend, &stranger]));
    assert!(!counts(false, &author, [&friend, &stranger]));
    assert!(!counts(true, &author, [&author, &friend]), "its own group");
    assert!(
        !counts(true, &author, [&friend, &friend]),
        "two nodes of one group"
    );
    assert_eq!(strangers(&author, [&author, &friend, &stranger]), 2);
}

#[test]
fn two_failures_within_a_month_bar_an_author() {
    let mut failures = Failures::default();
    failures.add(0);
    assert!(!failures.bar(1));
    failures.add(FAILURE_MEMORY - 1);
    assert!(failures.bar(FAILURE_MEMORY - 1) && !failures.bar(FAILURE_MEMORY));
    failures.add(FAILURE_MEMORY + 1);
    failures.add(FAILURE_MEMORY + 2);
    assert!(failures.bar(2 * FAILURE_MEMORY), "the last two");
    assert!(!failures.bar(2 * FAILURE_MEMORY + 1));
}
