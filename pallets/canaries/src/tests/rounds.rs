use crate::{mock::*, types::Settlement, *};
use touchstone_primitives::{
    canary::{End, Outcome},
    consortium::NodeStatus,
    fixed::Fixed,
};

#[docify::export]
#[test]
fn a_round_scores_who_answers() {
    run(|| {
        // Block 1 opened round 0 of topic 0. Everybody commits; node 2 to eight wrong answers, node 3 only to the first four.
        let wrong = vec![Some("I do not know".to_string()); SLOTS.into()];
        let mut half = right_answers(0, &node(3));
        half[4..].fill(None);
        play(
            0,
            &[
                (node(1), right_answers(0, &node(1))),
                (node(2), wrong),
                (node(3), half),
            ],
        );
        // Node 4 did nothing at all in this epoch: it is excused, and has no evidence.
        let passed = |n| {
            let scored = recorded(&node(n));
            let right = scored.iter().filter(|s| s.outcome == Fixed::ONE).count();
            (right, scored.len())
        };
        assert_eq!(passed(1), (8, 8));
        assert_eq!(passed(2), (0, 8));
        assert_eq!(passed(3), (4, 8));
        assert_eq!(passed(4), (0, 0));
    });
}

fn ends(round: u32, n: u8) -> Vec<End> {
    Ended::<Test>::get(round, node(n)).unwrap().into_inner()
}

#[test]
fn every_duty_ends_in_exactly_one_way() {
    run(|| {
        let mut written = right_answers(0, &node(1));
        written[0] = Some("5 or so".into());
        written[1] = None;
        apply(commit_call(0, &node(1), &written)).unwrap();
        apply(commit_call(0, &node(2), &right_answers(0, &node(2)))).unwrap();
        run_to(9);
        // Slot 2 is committed and not revealed.
        let answers = revealed(0, &written);
        apply(reveal_call(
            0,
            &node(1),
            answers.into_iter().filter(|a| a.slot != 2).collect(),
        ))
        .unwrap();
        // Node 2 is suspended after it committed.
        set_status(2, NodeStatus::Suspended);
        // Node 3 was seen at work, and skipped.
        <Canaries as touchstone_primitives::evidence::NoteActivity>::active(&node(3));
        finish(0);

        let first = ends(0, 1);
        assert!(matches!(first[0], End::Scored(Outcome::Wrong(Some(_)))));
        assert_eq!(first[1], End::NotCommitted);
        assert_eq!(first[2], End::NotRevealed);
        assert!(
            first[3..]
                .iter()
                .all(|end| *end == End::Scored(Outcome::Right))
        );
        assert!(ends(0, 2).iter().all(|end| *end == End::Void));
        assert!(ends(0, 3).iter().all(|end| *end == End::NotCommitted));
        assert!(ends(0, 4).iter().all(|end| *end == End::Absent));
        assert_eq!(recorded(&node(1)).len(), 8);
        assert_eq!(recorded(&node(2)).len(), 0);
        assert_eq!(recorded(&node(3)).len(), 8);
        assert_eq!(recorded(&node(4)).len(), 0);
        assert_eq!(
            events().last().unwrap(),
            &Event::RoundSettled { round: 0, topic: 0 }
        );
    });
}

#[test]
fn being_away_is_excused_twice_and_then_counts_as_wrong() {
    run(|| {
        for round in 0..3 {
            finish(round);
            let expected = if round < 2 {
                End::Absent
            } else {
                End::NotCommitted
            };
            assert!(ends(round, 1).iter().all(|end| *end == expected), "{round}");
            run_to(System::block_number() + 4);
        }
        assert_eq!(recorded(&node(1)).len(), 8);
    });
}

#[test]
fn rounds_follow_each_other_one_an_epoch() {
    run(|| {
        run_to_epoch(5);
        let opened: Vec<_> = events()
            .into_iter()
            .filter_map(|event| match event {
                Event::RoundOpened { epoch, nodes, .. } => Some((epoch, nodes)),
                _ => None,
            })
            .collect();
        assert_eq!(opened, [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]);
        let seeds: std::collections::BTreeSet<_> = Rounds::<Test>::iter_values()
            .map(|round| round.facts.seed)
            .collect();
        assert_eq!(seeds.len(), NextRound::<Test>::get() as usize);
    });
}

#[test]
fn a_topic_waits_while_its_round_takes_answers() {
    run(|| {
        let long = touchstone_primitives::canary::Windows {
            open: 5,
            commit: 30,
            reveal: 15,
        };
        Canaries::set_windows(RuntimeOrigin::root(), long).unwrap();
        run_to_epoch(6);
        let epochs: Vec<_> = (0..NextRound::<Test>::get())
            .map(|id| Canaries::round(id).unwrap().facts.epoch)
            .collect();
        // The round of epoch 1 takes answers until block 67, in epoch 3.
        assert_eq!(epochs, [0, 1, 4]);
    });
}

#[test]
fn nodes_are_settled_a_few_at_a_time_with_the_same_result() {
    let play_with = |per_block| {
        let mut all = Vec::new();
        run(|| {
            SettledPerBlock::set(per_block);
            for round in 0..3 {
                let answers: Vec<_> = (1..=4)
                    .map(|n| {
                        let mut written = right_answers(round, &node(n));
                        written[usize::from(n)] = Some("wrong".into());
                        (node(n), written)
                    })
                    .collect();
                play(round, &answers);
                while Canaries::round(round + 1).is_none() {
                    run_to(System::block_number() + 1);
                }
            }
            all = Recorded::get();
        });
        all
    };
    // Not printed: it is long.
    assert!(play_with(2) == play_with(16));
}

#[test]
fn nodes_are_compared_with_peers_on_shared_instances_only() {
    run(|| {
        // Slots 0 and 4 are shared. Node 2 is wrong at the first, node 3 is silent at the second, node 4 is away and excused.
        let mut two = right_answers(0, &node(2));
        two[0] = Some("wrong".into());
        let mut three = right_answers(0, &node(3));
        three[4] = None;
        let one = right_answers(0, &node(1));
        play(0, &[(node(1), one), (node(2), two), (node(3), three)]);
        let of = |n| {
            let all = Compared::get()
                .into_iter()
                .filter(|(of, ..)| *of == node(n));
            all.map(|(_, own, peers)| (own, peers)).collect::<Vec<_>>()
        };
        let (right, half, wrong) = (Fixed::ONE, Fixed::HALF, Fixed::ZERO);
        assert_eq!(of(1), [(right, half), (right, half)]);
        assert_eq!(of(2), [(wrong, right), (right, half)]);
        assert_eq!(of(3), [(right, half), (wrong, right)]);
        assert_eq!(of(4), []);
    });
}

#[test]
fn what_others_pass_lowers_the_worth_of_a_family() {
    run(|| {
        let answers: Vec<_> = (1..=4)
            .map(|n| (node(n), right_answers(0, &node(n))))
            .collect();
        let before = Canaries::duties(0, node(1))[0].worth;
        play(0, &answers);
        run_to(System::block_number() + 4);
        let after = Canaries::duties(1, node(1));
        assert!(
            after.iter().all(|duty| duty.worth < before),
            "{before:?} {after:?}"
        );
        let rates = Canaries::family_rates(0);
        assert_eq!((rates[0].family.len(), rates[0].level), (0, 0));
        assert!(
            rates
                .iter()
                .all(|rate| rate.tally.passed == rate.tally.evidence)
        );
    });
}

#[test]
fn old_rounds_are_forgotten_with_all_that_belongs_to_them() {
    run(|| {
        KeptRounds::set(2);
        for round in 0..5 {
            play(round, &[(node(1), right_answers(round, &node(1)))]);
            run_to(System::block_number() + 8);
            Canaries::do_try_state().unwrap();
        }
        assert!(Canaries::round(0).is_none());
        assert!(Canaries::commitments(0, node(1)).is_none());
        assert!(Canaries::duties(0, node(1)).is_empty());
        assert_eq!(Rounds::<Test>::iter().count(), 2);
    });
}

#[test]
fn a_topic_without_rules_windows_or_nodes_has_no_rounds() {
    run(|| {
        Canaries::set_topic(RuntimeOrigin::root(), 1, Some(rules(&[("larger", 1)]))).unwrap();
        run_to_epoch(2);
        assert!(
            (0..NextRound::<Test>::get()).all(|id| Canaries::round(id).unwrap().facts.topic == 0)
        );
        let before = NextRound::<Test>::get();
        Canaries::set_topic(RuntimeOrigin::root(), 0, None).unwrap();
        RoundWindows::<Test>::kill();
        run_to_epoch(5);
        assert!(NextRound::<Test>::get() <= before + 1);
    });
}

#[test]
fn the_api_shows_what_is_going_on() {
    run(|| {
        let rounds = Canaries::rounds();
        assert_eq!(rounds.len(), 1);
        assert_eq!(rounds[0].nodes, [node(1), node(2), node(3), node(4)]);
        assert_eq!(Canaries::round(0).unwrap(), rounds[0]);
        let duties = Canaries::duties(0, node(1));
        assert_eq!(duties.len(), usize::from(SLOTS));
        assert!(
            duties
                .iter()
                .all(|d| !d.prompt.is_empty() && d.end.is_none())
        );
        assert!(Canaries::duties(0, node(9)).is_empty());
        assert!(Canaries::duties(7, node(1)).is_empty());
        let topics = Canaries::canary_topics();
        assert_eq!(topics[0].families[0], (b"addition".to_vec(), 2));
        let written = right_answers(0, &node(1));
        apply(commit_call(0, &node(1), &written)).unwrap();
        assert_eq!(
            Canaries::commitments(0, node(1)),
            Some(hashes(0, &node(1), &written))
        );
        run_to(9);
        let mut answers = revealed(0, &written);
        answers.truncate(3);
        apply(reveal_call(0, &node(1), answers)).unwrap();
        assert_eq!(Canaries::revealed(0, node(1)), [0, 1, 2]);
        assert_eq!(Canaries::enrolments().len(), 4);
        assert_eq!(Canaries::epoch(), 0);
        let Settlement::Folding(0) = Rounds::<Test>::get(0).unwrap().settlement else {
            panic!("not settled before the epoch is over");
        };
    });
}
