//! Attacks on rounds, each with what the attacker gets.

use crate::{mock::*, types::Refusal, *};
use frame_support::{assert_noop, assert_ok};
use touchstone_primitives::{
    canary::{End, FREE_ABSENCES},
    consortium::NodeStatus,
    fixed::Fixed,
};

fn passed(n: u8) -> usize {
    recorded(&node(n))
        .iter()
        .filter(|scored| scored.outcome == Fixed::ONE)
        .count()
}

#[test]
fn a_copied_commitment_cannot_be_revealed() {
    run(|| {
        let written = right_answers(0, &node(1));
        apply(commit_call(0, &node(1), &written)).unwrap();
        // Node 2 sees the commitment in the pool and sends the same hashes under its own name.
        let copied = hashes(0, &node(1), &written);
        assert_ok!(apply(signed_by(&worker(&node(2)), &node(2), 0, copied, 5)));
        run_to(9);
        assert_ok!(apply(reveal_call(0, &node(1), revealed(0, &written))));
        // Now it even knows answers and salts.
        assert_eq!(
            validate(reveal_call(0, &node(2), revealed(0, &written))),
            Err(Refusal::Mismatch.into())
        );
        finish(0);
        assert_eq!((passed(1), passed(2)), (8, 0));
        assert_eq!(recorded(&node(2)).len(), 8, "all eight count as wrong");
    });
}

#[test]
fn an_answer_of_another_group_fits_only_the_shared_instances() {
    run(|| {
        // Node 2 gets node 1's answers over a channel of their own, before the commitments close.
        let stolen = right_answers(0, &node(1));
        play(0, &[(node(1), stolen.clone()), (node(2), stolen)]);
        let shared = recorded(&node(2)).iter().filter(|s| s.shared).count();
        assert_eq!(shared, 2);
        // By chance an answer to another instance may fit.
        assert!((2..=3).contains(&passed(2)), "{}", passed(2));
    });
}

#[test]
fn committing_only_when_sure_does_not_hide_the_hard_tasks() {
    run(|| {
        let mut sure = right_answers(0, &node(1));
        sure[2..].fill(None);
        play(0, &[(node(1), sure)]);
        assert_eq!((passed(1), recorded(&node(1)).len()), (2, 8));
    });
}

#[test]
fn revealing_only_when_right_does_not_help_either() {
    run(|| {
        let written = right_answers(0, &node(1));
        apply(commit_call(0, &node(1), &written)).unwrap();
        run_to(9);
        let mut answers = revealed(0, &written);
        answers.truncate(3);
        apply(reveal_call(0, &node(1), answers)).unwrap();
        finish(0);
        assert_eq!((passed(1), recorded(&node(1)).len()), (3, 8));
    });
}

#[test]
fn staying_away_from_hard_rounds_is_excused_only_twice() {
    run(|| {
        let mut absent = 0;
        for round in 0..5 {
            finish(round);
            absent += u32::from(Ended::<Test>::get(round, node(1)).unwrap()[0] == End::Absent);
            run_to(System::block_number() + 4);
        }
        assert_eq!(absent, FREE_ABSENCES);
        assert_eq!(recorded(&node(1)).len(), 3 * 8);
    });
}

#[test]
fn skipping_one_topic_while_working_on_another_is_not_absence() {
    run(|| {
        Canaries::set_topic(
            RuntimeOrigin::root(),
            1,
            Some(rules(&[("multiplication", 1)])),
        )
        .unwrap();
        assert_ok!(Canaries::enrol(
            RuntimeOrigin::signed(node(1)),
            1,
            MODEL.base,
            None
        ));
        run_to_epoch(2);
        run_to(2 * EPOCH + 6);
        let epoch2: Vec<_> = Canaries::rounds()
            .into_iter()
            .filter(|round| round.facts.epoch == 2)
            .collect();
        assert_eq!(epoch2.len(), 2);
        let (hard, easy) = (epoch2[0].facts.clone(), epoch2[1].facts.clone());
        assert_eq!((hard.topic, easy.topic), (0, 1));
        let before = recorded(&node(1)).len();
        play(easy.id, &[(node(1), right_answers(easy.id, &node(1)))]);
        finish(hard.id);
        assert_eq!(recorded(&node(1)).len(), before + 8);
        assert_eq!(
            Ended::<Test>::get(hard.id, node(1)).unwrap()[0],
            End::NotCommitted
        );
    });
}

#[test]
fn ten_identities_of_one_operator_work_ten_times_for_the_same_tasks() {
    run(|| {
        for n in 20..30 {
            set_node(node(n), member(1), NodeStatus::Active);
            assert_ok!(Canaries::enrol(
                RuntimeOrigin::signed(node(n)),
                0,
                MODEL.base,
                None
            ));
        }
        run_to_epoch(2);
        run_to(2 * EPOCH + 6);
        let round = Canaries::rounds()
            .into_iter()
            .find(|r| r.facts.epoch == 2)
            .unwrap()
            .facts
            .id;
        let instances = |n| {
            let duties = Canaries::duties(round, node(n));
            duties.into_iter().map(|d| d.instance).collect::<Vec<_>>()
        };
        for n in 20..30 {
            assert_eq!(instances(n), instances(1));
        }
        assert_ne!(instances(1), instances(2));
    });
}

#[test]
fn leaving_the_consortium_does_not_undo_a_bad_round() {
    run(|| {
        let wrong = vec![Some("no idea".to_string()); 8];
        apply(commit_call(0, &node(1), &wrong)).unwrap();
        apply(commit_call(0, &node(2), &wrong)).unwrap();
        run_to(9);
        apply(reveal_call(0, &node(1), revealed(0, &wrong))).unwrap();
        // Node 1 leaves after its answers were found wrong, node 2 before it shows them.
        set_status(1, NodeStatus::Leaving);
        set_status(2, NodeStatus::Leaving);
        finish(0);
        for n in 1..=2 {
            assert_eq!((passed(n), recorded(&node(n)).len()), (0, 8));
        }
        // New duties it has none.
        run_to(EPOCH + 4);
        let next = Canaries::round(NextRound::<Test>::get() - 1).unwrap();
        assert_eq!(next.facts.epoch, 1);
        assert_eq!(next.nodes, [node(3), node(4)]);
    });
}

#[test]
fn many_nodes_of_one_operator_count_once_in_what_rivals_work_is_worth() {
    // Node 1's operator passes everything and wants the work to be worth nothing to node 2. How much is left to node 2?
    let worth = |helpers: u8| {
        let mut worth = Fixed::ZERO;
        run(|| {
            for n in 20..20 + helpers {
                set_node(node(n), member(1), NodeStatus::Active);
                assert_ok!(Canaries::enrol(
                    RuntimeOrigin::signed(node(n)),
                    0,
                    MODEL.base,
                    None
                ));
            }
            run_to_epoch(2);
            run_to(2 * EPOCH + 6);
            let round = NextRound::<Test>::get() - 1;
            let wrong = vec![Some("no idea".to_string()); 8];
            let mut all: Vec<_> = (20..20 + helpers)
                .chain([1])
                .map(|n| (node(n), right_answers(round, &node(n))))
                .collect();
            all.extend((3..=4).map(|n| (node(n), wrong.clone())));
            play(round, &all);
            run_to(System::block_number() + 6);
            worth = Canaries::duties(round + 1, node(2))[0].worth;
        });
        worth
    };
    let (alone, many) = (worth(0), worth(10));
    println!("worth of a duty to a rival: {alone:?} beside one node, {many:?} beside eleven");
    let difference = alone.minus(many).max(many.minus(alone));
    assert!(
        difference < Fixed::ratio(1, 1_000_000),
        "{alone:?} {many:?}"
    );
    assert!(alone > Fixed::ratio(1, 5), "{alone:?}");
}

#[test]
fn another_nodes_worker_cannot_commit_for_it() {
    run(|| {
        // Node 2 wants node 1 to fail: it commits to nonsense in its name.
        let nonsense = vec![Some("x".to_string()); 8];
        let forged = signed_by(
            &worker(&node(2)),
            &node(1),
            0,
            hashes(0, &node(1), &nonsense),
            5,
        );
        assert!(apply(forged).is_err());
        // A commitment of another round is bound to that round.
        let old = commit_call(0, &node(1), &right_answers(0, &node(1)));
        run_to_epoch(1);
        run_to(EPOCH + 4);
        assert!(apply(old).is_err());
    });
}

#[test]
fn the_tasks_of_a_round_are_not_known_when_nodes_enrol() {
    run(|| {
        set_status(5, NodeStatus::Active);
        assert_ok!(Canaries::enrol(
            RuntimeOrigin::signed(node(5)),
            0,
            MODEL.base,
            None
        ));
        let enrolled_in = Canaries::epoch();
        run_to_epoch(2);
        run_to(2 * EPOCH + 6);
        let first = (0..NextRound::<Test>::get())
            .filter_map(Canaries::round)
            .find(|round| round.nodes.contains(&node(5)))
            .unwrap();
        // The randomness that it is drawn from is made of blocks of the epoch between.
        assert!(first.facts.epoch >= enrolled_in + 2);
    });
}

#[test]
fn who_always_passes_earns_less_and_less() {
    run(|| {
        let mut worth = Vec::new();
        for round in 0..6 {
            let all: Vec<_> = (1..=4)
                .map(|n| (node(n), right_answers(round, &node(n))))
                .collect();
            worth.push(Canaries::duties(round, node(1))[0].worth);
            play(round, &all);
            run_to(System::block_number() + 4);
        }
        // Level 2 of 5 with a null rate of at most 10 %; at the end the floor of a twentieth of it.
        assert!(worth[0] >= Fixed::percent(35), "{worth:?}");
        assert!(worth[5] <= Fixed::percent(3), "{worth:?}");
    });
}

#[test]
fn flooding_with_submissions_costs_the_chain_nothing_it_would_include() {
    run(|| {
        let written = right_answers(0, &node(1));
        assert_ok!(apply(commit_call(0, &node(1), &written)));
        for n in 0..50u8 {
            let mut other = written.clone();
            other[0] = Some(format!("spam {n}"));
            assert!(validate(commit_call(0, &node(1), &other)).is_err());
            let stranger = node(40 + n);
            let signed = signed_by(
                &worker(&stranger),
                &stranger,
                0,
                hashes(0, &node(1), &other),
                5,
            );
            assert!(validate(signed).is_err());
        }
        assert_noop!(
            Canaries::do_commit(node(1), 0, hashes(0, &node(1), &written), 5),
            Error::<Test>::AlreadyCommitted
        );
    });
}

#[test]
fn being_suspended_does_not_undo_answers_that_were_revealed() {
    run(|| {
        let wrong = vec![Some("no idea".to_string()); SLOTS.into()];
        apply(commit_call(0, &node(1), &wrong)).unwrap();
        run_to(9);
        let mut answers = revealed(0, &wrong);
        answers.truncate(5);
        apply(reveal_call(0, &node(1), answers)).unwrap();
        set_status(1, NodeStatus::Suspended);
        finish(0);
        assert_eq!((passed(1), recorded(&node(1)).len()), (0, 5));
        let ends = Ended::<Test>::get(0, node(1)).unwrap();
        assert!(ends.iter().skip(5).all(|end| *end == End::Void));
        println!(
            "gained: three unrevealed duties void; lost: the five that were revealed count as wrong"
        );
    });
}
