//! Canaries of members: what they cost, who they score, and attacks with them.

use crate::{mock::*, types::Refusal, *};
use codec::Encode;
use frame_support::{assert_noop, assert_ok, traits::fungible::InspectHold};
use touchstone_primitives::{
    Moment, NodeId,
    authored::{MAX_OF_AUTHOR, Part, Sealed, seal},
    canary::{End, Outcome},
    checkers::Checker,
    fixed::Fixed,
};

type E = Error<Test>;

fn salt_of(author: u8, n: u8, part: Part) -> [u8; 32] {
    sp_io::hashing::blake2_256(&(author, n, part).encode())
}

fn text(n: u8) -> Vec<u8> {
    format!("What is the {n}th secret number?").into_bytes()
}

fn answer(n: u8) -> String {
    (5_000 + u32::from(n)).to_string()
}

fn checker(n: u8) -> Vec<u8> {
    Checker::Number {
        value: answer(n).into_bytes(),
        tolerance: b"0".to_vec(),
    }
    .encode()
}

fn content(n: u8, part: Part) -> Vec<u8> {
    match part {
        Part::Task => text(n),
        Part::Checker => checker(n),
    }
}

fn sealed(author: u8, n: u8, expires: Moment) -> Sealed {
    let hash = |part| {
        seal(
            part,
            &System::block_hash(0),
            &member(author),
            &salt_of(author, n, part),
            &content(n, part),
        )
    };
    Sealed {
        task: hash(Part::Task),
        checker: hash(Part::Checker),
        difficulty: Fixed::ONE,
        expires,
    }
}

/// Members 1.. register one canary each on topic 0: number `n` is of member `n + 1`.
fn register(authors: u8) {
    for n in 0..authors {
        let canaries = vec![sealed(n + 1, n, Moment::MAX)].try_into().unwrap();
        assert_ok!(Canaries::register(
            RuntimeOrigin::signed(member(n + 1)),
            0,
            canaries
        ));
    }
}

fn open_call(author: u8, n: u8, part: Part) -> RuntimeCall {
    RuntimeCall::Canaries(crate::Call::open_canary {
        canary: n.into(),
        part,
        salt: salt_of(author, n, part),
        content: content(n, part).try_into().unwrap(),
    })
}

/// The first round that has drawn canaries. Its first block has begun.
fn drawn_round() -> u32 {
    for epoch in 1..10 {
        run_to_epoch(epoch);
        for block in 0..5 {
            run_to(epoch * EPOCH + block);
            if let Some(round) = Canaries::rounds()
                .last()
                .filter(|r| !r.facts.authored.is_empty())
            {
                return round.facts.id;
            }
        }
    }
    panic!("nothing is ever drawn");
}

fn facts(round: u32) -> touchstone_primitives::canary::RoundFacts {
    Canaries::round(round).unwrap().facts
}

fn held(author: u8) -> u64 {
    Balances::balance_on_hold(&HoldReason::Canary.into(), &member(author))
}

fn open_all(round: u32, part: Part) {
    for (id, _) in facts(round).authored {
        assert_ok!(apply(open_call(id as u8 + 1, id as u8, part)));
    }
}

/// Opens, commits, opens and reveals; `who` knows the answer of every member's canary.
fn play_with(round: u32, who: &[u8]) {
    open_all(round, Part::Task);
    run_to(facts(round).commit_from());
    let written: Vec<_> = (1..=4)
        .map(|n| {
            let mut written = right_answers(round, &node(n));
            for (slot, (id, _)) in facts(round).authored.iter().enumerate() {
                let knows = who.contains(&n);
                written[usize::from(SLOTS) + slot] = Some(if knows {
                    answer(*id as u8)
                } else {
                    "17".into()
                });
            }
            (node(n), written)
        })
        .collect();
    for (node, written) in &written {
        assert_ok!(apply(commit_call(round, node, written)));
    }
    run_to(facts(round).committed_from());
    open_all(round, Part::Checker);
    run_to(facts(round).reveal_from());
    for (node, written) in &written {
        assert_ok!(apply(reveal_call(round, node, revealed(round, written))));
    }
    finish(round);
}

/// How the duties with members' canaries ended for a node, with the authors.
fn ends(round: u32, n: u8) -> Vec<(NodeId, End)> {
    let facts = facts(round);
    let ends = Ended::<Test>::get(round, node(n)).unwrap();
    let authors = facts.authored.iter().map(|(_, author)| author.clone());
    authors.zip(ends.into_iter().skip(SLOTS.into())).collect()
}

#[test]
fn a_canary_is_drawn_opened_in_two_steps_and_scores_everybody_but_its_author() {
    run(|| {
        register(3);
        assert_eq!((held(1), Canaries::canaries(0).len()), (DEPOSIT, 3));
        let round = drawn_round();
        assert!(facts(round).epoch >= 2);
        assert_eq!(facts(round).authored.len(), 3);
        let duty = Canaries::duties(round, node(4)).pop().unwrap();
        assert!(duty.prompt.is_empty() && duty.checker.is_none(), "sealed");
        play_with(round, &[1, 2, 3]);
        for n in 1..=3 {
            for (author, end) in ends(round, n) {
                let own = author == member(n);
                let expected = if own {
                    End::Void
                } else {
                    End::Scored(Outcome::Right)
                };
                assert_eq!(end, expected);
            }
        }
        assert!(
            ends(round, 4)
                .iter()
                .all(|(_, end)| matches!(end, End::Scored(Outcome::Wrong(_))))
        );
        assert_eq!((held(1), Balances::free_balance(member(1))), (0, CREDIT));
        let recorded = recorded(&node(4));
        let mass = |shared: fn(&usize) -> bool| {
            let of_round = recorded.iter().rev().take(11).rev().enumerate();
            of_round
                .filter(|(place, _)| shared(place))
                .fold(Fixed::ZERO, |sum, (_, s)| sum.plus(s.difficulty))
        };
        let (own, authored) = (mass(|n| *n < 8), mass(|n| *n >= 8));
        assert!(
            !authored.is_zero() && authored.plus(authored) <= own,
            "{authored} of {own}"
        );
    });
}

#[test]
fn a_canary_that_only_friends_can_pass_scores_nobody_and_costs_its_author() {
    run(|| {
        register(1);
        let round = drawn_round();
        // Members 1 and 2 have agreed on the answer.
        play_with(round, &[1, 2]);
        for n in 1..=4 {
            assert!(ends(round, n).iter().all(|(_, end)| *end == End::Void));
        }
        assert_eq!(
            (held(1), Balances::free_balance(member(1))),
            (0, CREDIT - DEPOSIT)
        );
        println!("gained: nothing; lost: the deposit of {DEPOSIT}");
    });
}

#[test]
fn an_author_that_never_opens_loses_deposits_and_then_its_other_canaries() {
    run(|| {
        let mine: Vec<_> = (0..6).map(|n| sealed(1, n, Moment::MAX)).collect();
        assert_ok!(Canaries::register(
            RuntimeOrigin::signed(member(1)),
            0,
            mine.try_into().unwrap()
        ));
        assert_eq!(held(1), 6 * DEPOSIT);
        let round = drawn_round();
        assert_eq!(
            facts(round).authored.len(),
            2,
            "a third of four, rounded up"
        );
        run_to(facts(round).commit_from());
        let written = right_answers(round, &node(2));
        assert_ok!(apply(commit_call(round, &node(2), &written)));
        finish(round);
        assert!(ends(round, 2).iter().all(|(_, end)| *end == End::Void));
        // Both were not opened: the other four are not drawn any more but go back to their author.
        let again = vec![sealed(1, 9, Moment::MAX)].try_into().unwrap();
        assert_noop!(
            Canaries::register(RuntimeOrigin::signed(member(1)), 0, again),
            E::IsBarred
        );
        run_to(System::block_number() + EPOCH);
        assert_eq!(held(1), 0);
        assert_eq!(Balances::free_balance(member(1)), CREDIT - 2 * DEPOSIT);
        assert!(Pools::<Test>::get(0).is_empty());
        println!(
            "gained: nothing, no node was scored; lost: {} of deposits and four canaries",
            2 * DEPOSIT
        );
    });
}

#[test]
fn a_task_without_its_checker_scores_nobody() {
    run(|| {
        register(1);
        let round = drawn_round();
        open_all(round, Part::Task);
        run_to(facts(round).commit_from());
        assert_eq!(
            Canaries::duties(round, node(2)).pop().unwrap().prompt,
            text(0)
        );
        let mut written = right_answers(round, &node(2));
        written[usize::from(SLOTS)] = Some(answer(0));
        assert_ok!(apply(commit_call(round, &node(2), &written)));
        run_to(facts(round).reveal_from());
        assert_ok!(apply(reveal_call(
            round,
            &node(2),
            revealed(round, &written)
        )));
        finish(round);
        assert_eq!(ends(round, 2)[0].1, End::Void);
        assert_eq!(held(1), 0);
    });
}

#[test]
fn openings_are_taken_in_their_windows_and_prove_themselves() {
    run(|| {
        register(2);
        let refused = |call, refusal: Refusal| {
            assert_eq!(validate(call), Err(refusal.into()));
        };
        refused(open_call(1, 0, Part::Task), Refusal::NotDrawn);
        let round = drawn_round();
        refused(open_call(1, 0, Part::Checker), Refusal::OpeningNotDue);
        // Another salt, or what another author sealed.
        refused(open_call(2, 0, Part::Task), Refusal::Mismatch);
        refused(
            commit_call(round, &node(1), &vec![None; 10]),
            Refusal::CommitNotOpen,
        );
        assert_ok!(apply(open_call(1, 0, Part::Task)));
        refused(open_call(1, 0, Part::Task), Refusal::AlreadyOpened);
        run_to(facts(round).commit_from());
        refused(open_call(2, 1, Part::Task), Refusal::OpeningNotDue);
        refused(
            commit_call(round, &node(1), &vec![None; 8]),
            Refusal::WrongNumber,
        );
        run_to(facts(round).committed_from());
        // Whose task stayed sealed has no checker either.
        refused(open_call(2, 1, Part::Checker), Refusal::OpeningNotDue);
        assert_ok!(apply(open_call(1, 0, Part::Checker)));
        refused(open_call(1, 0, Part::Checker), Refusal::AlreadyOpened);
        assert_noop!(
            Canaries::do_open(9, Part::Task, [0; 32], Default::default()),
            E::NotDrawn
        );
    });
}

#[test]
fn a_checker_that_lets_anything_pass_is_not_taken() {
    run(|| {
        let zero = Checker::Number {
            value: b"0".to_vec(),
            tolerance: b"0".to_vec(),
        }
        .encode();
        let mut canary = sealed(1, 0, Moment::MAX);
        let salt = salt_of(1, 0, Part::Checker);
        canary.checker = seal(
            Part::Checker,
            &System::block_hash(0),
            &member(1),
            &salt,
            &zero,
        );
        let canaries = vec![canary].try_into().unwrap();
        assert_ok!(Canaries::register(
            RuntimeOrigin::signed(member(1)),
            0,
            canaries
        ));
        let round = drawn_round();
        open_all(round, Part::Task);
        run_to(facts(round).committed_from());
        let call = RuntimeCall::Canaries(crate::Call::open_canary {
            canary: 0,
            part: Part::Checker,
            salt,
            content: zero.try_into().unwrap(),
        });
        assert_eq!(validate(call), Err(Refusal::Unfit.into()));
        assert_noop!(
            Canaries::do_open(0, Part::Checker, salt, vec![9].try_into().unwrap()),
            E::Mismatch
        );
    });
}

#[test]
fn registrations_are_bounded_and_paid() {
    run(|| {
        let one = |n| vec![sealed(1, n, Moment::MAX)].try_into().unwrap();
        let origin = || RuntimeOrigin::signed(member(1));
        assert_noop!(Canaries::register(origin(), 9, one(0)), E::TopicNotExamined);
        let mut bad = sealed(1, 0, Moment::MAX);
        bad.difficulty = Fixed::ZERO;
        assert_noop!(
            Canaries::register(origin(), 0, vec![bad].try_into().unwrap()),
            E::BadCanary
        );
        assert_noop!(
            Canaries::register(origin(), 0, vec![sealed(1, 0, 0)].try_into().unwrap()),
            E::BadCanary
        );
        let poor = RuntimeOrigin::signed(NodeId::new([77; 32]));
        assert!(Canaries::register(poor, 0, one(0)).is_err());
        for _ in 0..MAX_OF_AUTHOR / 16 {
            let many: Vec<_> = (0..16).map(|n| sealed(1, n, Moment::MAX)).collect();
            assert_ok!(Canaries::register(origin(), 0, many.try_into().unwrap()));
        }
        assert_noop!(Canaries::register(origin(), 0, one(0)), E::TooManyCanaries);
        assert_eq!(held(1), u64::from(MAX_OF_AUTHOR) * DEPOSIT);
        println!(
            "a flood ends after {MAX_OF_AUTHOR} canaries, with {} of credit on hold",
            held(1)
        );
    });
}

#[test]
fn only_the_author_takes_back_a_canary_and_only_when_it_has_expired() {
    run(|| {
        let canaries = vec![sealed(1, 0, 3_000 * 25)].try_into().unwrap();
        assert_ok!(Canaries::register(
            RuntimeOrigin::signed(member(1)),
            0,
            canaries
        ));
        let take = |n, id| Canaries::withdraw(RuntimeOrigin::signed(member(n)), id);
        assert_noop!(take(1, 7), E::CanaryNotFound);
        assert_noop!(take(2, 0), E::NotAuthor);
        assert_noop!(take(1, 0), E::NotExpired);
        // A topic without rounds does not clear its pool by itself.
        Canaries::set_topic(RuntimeOrigin::root(), 0, None).unwrap();
        run_to_epoch(3);
        assert_noop!(take(2, 0), E::NotAuthor);
        assert_ok!(take(1, 0));
        assert_eq!(held(1), 0);
        assert_ok!(Canaries::set_topic(
            RuntimeOrigin::root(),
            0,
            Some(rules(&[("larger", 1)]))
        ));
        register(1);
        drawn_round();
        assert_noop!(take(1, 1), E::IsDrawn);
    });
}

#[test]
fn an_expired_canary_goes_back_to_its_author_without_being_asked_for() {
    run(|| {
        let canaries = vec![sealed(1, 0, 3_000 * 25)].try_into().unwrap();
        assert_ok!(Canaries::register(
            RuntimeOrigin::signed(member(1)),
            0,
            canaries
        ));
        run_to_epoch(3);
        run_to(3 * EPOCH + 4);
        assert!(Canaries::canaries(0).is_empty());
        assert_eq!((held(1), Balances::free_balance(member(1))), (0, CREDIT));
    });
}

#[test]
fn what_a_forgotten_round_opened_is_forgotten_too() {
    run(|| {
        register(3);
        let round = drawn_round();
        play_with(round, &[1, 2, 3]);
        assert_eq!(Canaries::canaries(0).len(), 3);
        KeptRounds::set(1);
        run_to(System::block_number() + 2 * EPOCH);
        assert!(Canaries::canaries(0).is_empty());
        assert_eq!(TasksOpened::<Test>::iter().count(), 0);
    });
}
