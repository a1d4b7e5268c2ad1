//! Blind audits, and attacks on them, each with what the attacker gains and loses.

use crate::{mock::*, types::Refusal, *};
use frame_support::{assert_noop, assert_ok, traits::Time};
use sp_core::Pair;
use sp_runtime::transaction_validity::InvalidTransaction;
use touchstone_primitives::{
    H256, NodeId,
    audit::{AuditState, BAR_EPOCHS, Entry, MAX_AUDITS, TARGETS, Target, example, vrf_input},
    checkers::Checker,
    consortium::NodeStatus,
    evidence::NoteActivity,
    fixed::Fixed,
    worker::WorkerPair,
};

/// The auditor, which serves no topic itself.
const AUDITOR: u8 = 9;

fn genesis() -> H256 {
    System::block_hash(0)
}

fn declare_signed(pair: &WorkerPair, auditor: &NodeId) -> RuntimeCall {
    let valid_until = System::block_number() + 5;
    let message = Canaries::declare_submission(auditor, valid_until);
    RuntimeCall::Canaries(Call::declare_audit {
        auditor: auditor.clone(),
        valid_until,
        signature: pair.sign(message.as_bytes()),
    })
}

fn declare(n: u8) -> RuntimeCall {
    declare_signed(&worker(&node(n)), &node(n))
}

fn audit_of(n: u8, epoch: u32) -> touchstone_primitives::audit::Audit {
    Audits::<Test>::get(epoch, node(n)).unwrap()
}

/// The round that a batch is about: its seed is the input of the VRF.
fn vrf(n: u8, epoch: u32) -> sp_core::sr25519::vrf::VrfInput {
    let round = audit_of(n, epoch).round.unwrap();
    vrf_input(
        &genesis(),
        epoch,
        &Canaries::round(round).unwrap().facts.seed,
    )
}

fn targets(n: u8, epoch: u32) -> Vec<Target> {
    let output = example::output(&worker(&node(n)), &vrf(n, epoch));
    Canaries::audit_targets(&node(n), epoch, &output)
}

/// The node that gets most questions.
fn most_asked(all: &[Target]) -> NodeId {
    let asked = |n: &u8| all.iter().filter(|target| target.node == node(*n)).count();
    node((1..=4).max_by_key(asked).unwrap())
}

fn answer(target: &Target, is_right: bool) -> String {
    match target.duty.task().unwrap().checker {
        Checker::Number { value, .. } if is_right => String::from_utf8(value).unwrap(),
        _ if is_right => panic!("the mock's families ask for numbers"),
        _ => "I do not know".into(),
    }
}

/// What the target's node gives out now.
fn given(target: &Target, text: &str) -> Entry {
    let pair = worker(&target.node);
    let name = "topic 0";
    example::entry(genesis(), target, name, &pair, Clock::now(), text)
}

/// Answers of the whole batch; `is_right` says which places are right.
fn answers(n: u8, epoch: u32, is_right: impl Fn(u8) -> bool) -> Vec<Entry> {
    let all = targets(n, epoch);
    all.iter()
        .map(|target| given(target, &answer(target, is_right(target.duty.slot))))
        .collect()
}

fn open_signed(pair: &WorkerPair, n: u8, epoch: u32, entries: Vec<Entry>) -> RuntimeCall {
    RuntimeCall::Canaries(Call::open_audit {
        auditor: node(n),
        epoch,
        proof: example::proof(pair, vrf(n, epoch), &entries),
        entries: entries.try_into().unwrap(),
    })
}

fn open(n: u8, epoch: u32, entries: Vec<Entry>) -> RuntimeCall {
    open_signed(&worker(&node(n)), n, epoch, entries)
}

/// Begins in epoch 0 with a declared batch and ends when the round of epoch 1 is open and everybody at work.
fn until_posed() {
    set_status(AUDITOR, NodeStatus::Active);
    assert_ok!(apply(declare(AUDITOR)));
    run_to_epoch(1);
    run_to(EPOCH + 4);
    for n in 1..=4 {
        Canaries::active(&node(n));
    }
}

/// Evidence of blind audits: answers and those that were right.
fn secret() -> (usize, usize) {
    let all: Vec<_> = Secret::get()
        .into_iter()
        .flat_map(|(.., scored)| scored)
        .collect();
    let right = all
        .iter()
        .filter(|scored| scored.outcome == Fixed::ONE)
        .count();
    (all.len(), right)
}

#[test]
fn a_blind_audit_scores_what_nodes_answer_to_a_client() {
    run(|| {
        until_posed();
        let entries = answers(AUDITOR, 1, |place| place < 7);
        let before = Rates::<Test>::iter().count();
        run_to_epoch(2);
        assert_ok!(apply(open(AUDITOR, 1, entries)));
        assert_eq!(secret(), (10, 7));
        for (of, topic, auditor, scored) in Secret::get() {
            assert_eq!((topic, auditor), (0, member(AUDITOR)));
            assert!((1..=4).any(|n| node(n) == of));
            assert!(scored.iter().all(|one| one.epoch == 1 && !one.shared));
        }
        assert_eq!(
            audit_of(AUDITOR, 1).state,
            AuditState::Opened {
                counted: 10,
                right: 7,
                missing: 0,
                away: 0
            }
        );
        assert!(events().contains(&Event::AuditOpened {
            auditor: node(AUDITOR),
            epoch: 1,
            counted: 10,
            right: 7,
            missing: 0,
            away: 0
        }));
        // Rounds alone say what work is worth; nothing of an audit reaches them.
        assert_eq!(Rates::<Test>::iter().count(), before);
        assert_eq!(Canaries::audits(1).len(), 1);
        // Old batches are forgotten.
        run_to_epoch(11);
        run_to(11 * EPOCH + 10);
        assert!(Canaries::audits(1).is_empty() && AuditEpochs::<Test>::get().is_empty());
    });
}

#[test]
fn a_batch_is_declared_once_by_an_active_auditor_with_its_worker_key() {
    run(|| {
        let until = System::block_number() + 5;
        set_status(AUDITOR, NodeStatus::Suspended);
        assert_noop!(
            Canaries::do_declare_audit(node(AUDITOR), until),
            Error::<Test>::NotAuditor
        );
        set_node(node(251), member(8), NodeStatus::Active);
        assert_noop!(
            Canaries::do_declare_audit(node(251), until),
            Error::<Test>::NotAuditor
        );
        set_status(AUDITOR, NodeStatus::Active);
        assert_noop!(
            Canaries::do_declare_audit(node(AUDITOR), 0),
            Error::<Test>::Expired
        );
        assert_noop!(
            Canaries::do_declare_audit(node(AUDITOR), 500),
            Error::<Test>::ValidTooLong
        );
        let forged = declare_signed(&worker(&node(1)), &node(AUDITOR));
        assert_eq!(
            apply(forged),
            Err(Failure::Refused(InvalidTransaction::BadProof))
        );
        assert!(Canaries::may_declare_audit(&node(AUDITOR)));
        let call = declare(AUDITOR);
        assert_ok!(apply(call.clone()));
        assert!(!Canaries::may_declare_audit(&node(AUDITOR)));
        assert_eq!(apply(call), Err(Refusal::AlreadyDeclared.into()));
        assert_noop!(
            Canaries::do_declare_audit(node(AUDITOR), until),
            Error::<Test>::AlreadyDeclared
        );
        assert_noop!(
            Canaries::declare_audit(
                RuntimeOrigin::signed(node(AUDITOR)),
                node(AUDITOR),
                until,
                worker(&node(AUDITOR)).sign(b"")
            ),
            sp_runtime::DispatchError::BadOrigin
        );
        // One declaration of every epoch may be waiting at once.
        let late = declare(AUDITOR);
        run_to_epoch(1);
        assert!(apply(late).is_err(), "it was signed for another epoch");
        assert_ok!(apply(declare(AUDITOR)));
        for n in 20..20 + MAX_AUDITS as u8 - 1 {
            set_node(node(n), member(n), NodeStatus::Active);
            assert_ok!(apply(declare(n)));
        }
        set_status(99, NodeStatus::Active);
        assert_eq!(apply(declare(99)), Err(Refusal::TooManyAudits.into()));
        assert_noop!(
            Canaries::do_declare_audit(node(99), EPOCH + 5),
            Error::<Test>::TooManyAudits
        );
        Canaries::set_topic(RuntimeOrigin::root(), 0, None).unwrap();
        run_to_epoch(2);
        assert_noop!(
            Canaries::do_declare_audit(node(99), 2 * EPOCH + 5),
            Error::<Test>::NothingExamined
        );
    });
}

#[test]
fn a_batch_is_opened_once_in_the_epoch_after_its_own() {
    run(|| {
        until_posed();
        let entries = answers(AUDITOR, 1, |_| true);
        let opened = |epoch, entries: Vec<Entry>| {
            let proof = example::proof(&worker(&node(AUDITOR)), vrf(AUDITOR, 1), &entries);
            Canaries::do_open_audit(node(AUDITOR), epoch, proof, entries.try_into().unwrap())
        };
        assert_noop!(opened(1, entries.clone()), Error::<Test>::AuditNotDue);
        assert_eq!(
            validate(open(AUDITOR, 1, entries.clone())),
            Err(Failure::Refused(InvalidTransaction::Future))
        );
        run_to_epoch(2);
        assert_noop!(opened(2, entries.clone()), Error::<Test>::AuditNotFound);
        let mut twice = entries.clone();
        twice[1] = twice[0].clone();
        assert_noop!(opened(1, twice), Error::<Test>::BadEntries);
        let mut outside = entries.clone();
        outside[9].place = TARGETS as u8;
        assert_noop!(opened(1, outside), Error::<Test>::BadEntries);
        let call = open(AUDITOR, 1, entries.clone());
        assert_ok!(validate(call.clone()));
        assert_ok!(apply(call.clone()));
        assert_eq!(apply(call), Err(Refusal::AlreadyAudited.into()));
        assert_noop!(opened(1, entries.clone()), Error::<Test>::AlreadyAudited);
        assert_noop!(
            Canaries::open_audit(
                RuntimeOrigin::signed(node(AUDITOR)),
                node(AUDITOR),
                1,
                [0; 96],
                Default::default()
            ),
            sp_runtime::DispatchError::BadOrigin
        );
        run_to_epoch(3);
        assert_noop!(opened(1, entries), Error::<Test>::AuditClosed);
        assert_eq!(secret(), (10, 10));
    });
}

#[test]
fn who_reports_only_failures_voids_its_batch_and_is_barred() {
    run(|| {
        until_posed();
        let entries = answers(AUDITOR, 1, |place| place < 7);
        let failures: Vec<Entry> = entries[7..].to_vec();
        run_to_epoch(2);
        assert_ok!(apply(open(AUDITOR, 1, failures)));
        let until = 2 + BAR_EPOCHS;
        assert_eq!(
            events().last().unwrap(),
            &Event::AuditVoided {
                auditor: node(AUDITOR),
                epoch: 1,
                missing: 7,
                until
            }
        );
        println!(
            "reporting 3 failures of 10 answers: evidence {:?}, barred to epoch {until}",
            secret()
        );
        assert_eq!(secret(), (0, 0));
        // No other auditor of the member helps.
        set_node(node(30), member(AUDITOR), NodeStatus::Active);
        for n in [AUDITOR, 30] {
            assert_eq!(apply(declare(n)), Err(Refusal::AuditsBarred.into()));
            assert_noop!(
                Canaries::do_declare_audit(node(n), 2 * EPOCH + 1),
                Error::<Test>::AuditsBarred
            );
        }
        run_to_epoch(until - 1);
        assert!(!Canaries::may_declare_audit(&node(30)));
        run_to_epoch(until);
        assert_ok!(apply(declare(AUDITOR)));
    });
}

#[test]
fn leaving_out_one_right_answer_is_all_that_choice_gives() {
    run(|| {
        until_posed();
        let mut entries = answers(AUDITOR, 1, |place| place < 7);
        entries.remove(0);
        run_to_epoch(2);
        assert_ok!(apply(open(AUDITOR, 1, entries)));
        println!(
            "leaving out one of 7 right answers of 10: {:?} instead of (10, 7)",
            secret()
        );
        assert_eq!(secret(), (9, 6));
    });
}

#[test]
fn answers_of_nodes_that_were_away_are_not_missed() {
    run(|| {
        set_status(AUDITOR, NodeStatus::Active);
        assert_ok!(apply(declare(AUDITOR)));
        run_to_epoch(1);
        run_to(EPOCH + 4);
        // One node does nothing in the whole epoch.
        let all = targets(AUDITOR, 1);
        let idle = most_asked(&all);
        let at_work = (1..=4).map(node).filter(|node| *node != idle);
        at_work.for_each(|node| Canaries::active(&node));
        let mut entries = answers(AUDITOR, 1, |_| true);
        entries.retain(|entry| all[usize::from(entry.place)].node != idle);
        let away = TARGETS - entries.len() as u32;
        assert!(away > 1, "{away}");
        run_to_epoch(2);
        let kept = entries.len();
        assert_ok!(apply(open(AUDITOR, 1, entries)));
        assert_eq!(secret(), (kept, kept));
        assert!(
            matches!(audit_of(AUDITOR, 1).state, AuditState::Opened { missing: 0, away: a, .. } if a == away)
        );
    });
}

#[test]
fn an_auditor_cannot_choose_whom_it_asks_or_what() {
    run(|| {
        until_posed();
        let auditor = worker(&node(AUDITOR));
        let honest = targets(AUDITOR, 1);
        // Another key of the auditor draws other targets, another output is not proven, and another question is not the batch's.
        let other = WorkerPair::from_seed(&[77; 32]);
        let output = example::output(&other, &vrf(AUDITOR, 1));
        let better = Canaries::audit_targets(&node(AUDITOR), 1, &output);
        assert_ne!(honest, better);
        let entries: Vec<Entry> = better
            .iter()
            .map(|target| given(target, &answer(target, false)))
            .collect();
        // All of it at the victim.
        let mut at_victim = honest.clone();
        at_victim
            .iter_mut()
            .for_each(|target| target.node = node(2));
        let framed: Vec<Entry> = at_victim
            .iter()
            .map(|target| given(target, &answer(target, false)))
            .collect();
        run_to_epoch(2);
        let mut gained = 0;
        for (call, error) in [
            (
                open_signed(&other, AUDITOR, 1, entries.clone()),
                "another key",
            ),
            (open_signed(&auditor, AUDITOR, 1, entries), "another output"),
            (open_signed(&auditor, AUDITOR, 1, framed), "one victim"),
        ] {
            let failed = apply(call);
            assert_eq!(
                failed,
                Err(Failure::Refused(InvalidTransaction::BadProof)),
                "{error}"
            );
            gained += secret().0;
        }
        assert_noop!(
            Canaries::do_open_audit(node(AUDITOR), 1, [0; 96], Default::default()),
            Error::<Test>::BadVrf
        );
        println!("choosing targets with 3 kinds of other draws: {gained} answers scored");
        assert_eq!(gained, 0);
    });
}

#[test]
fn an_auditor_cannot_forge_an_answer() {
    run(|| {
        until_posed();
        let honest = answers(AUDITOR, 1, |_| true);
        let all = targets(AUDITOR, 1);
        let wrong = |target: &Target, pair: &WorkerPair| {
            let at = Clock::now();
            example::entry(genesis(), target, "topic 0", pair, at, "I do not know")
        };
        // Signed by the auditor in the node's name, with its own key or naming the node's.
        let own = wrong(&all[0], &worker(&node(AUDITOR)));
        let named = Entry {
            worker: worker(&all[0].node).public(),
            ..own.clone()
        };
        // Another text under the node's own receipt.
        let altered = Entry {
            answer: b"I do not know".to_vec().try_into().unwrap(),
            ..honest[0].clone()
        };
        run_to_epoch(2);
        for forged in [own, named, altered] {
            let mut entries = honest.clone();
            entries[0] = forged;
            let bounded = entries.clone().try_into().unwrap();
            let proof = example::proof(&worker(&node(AUDITOR)), vrf(AUDITOR, 1), &entries);
            assert_noop!(
                Canaries::do_open_audit(node(AUDITOR), 1, proof, bounded),
                Error::<Test>::BadReceipt
            );
            assert_eq!(
                apply(open(AUDITOR, 1, entries)),
                Err(Failure::Refused(InvalidTransaction::BadProof))
            );
        }
        println!("forging an answer in 3 ways: {} answers scored", secret().0);
        assert_eq!(secret(), (0, 0));
    });
}

#[test]
fn an_answer_of_another_epoch_cannot_be_used_again() {
    run(|| {
        until_posed();
        let old = answers(AUDITOR, 1, |_| false);
        let early = Clock::now();
        assert_ok!(apply(declare(AUDITOR)));
        run_to_epoch(2);
        run_to(2 * EPOCH + 4);
        let all = targets(AUDITOR, 2);
        let fresh = answers(AUDITOR, 2, |_| true);
        // The same question, answered before the batch was declared: a client cannot have put it, so somebody is making it up.
        let pair = worker(&all[0].node);
        let before = example::entry(genesis(), &all[0], "topic 0", &pair, early - 1, "4");
        run_to_epoch(3);
        let mut scored = 0;
        for replayed in [
            old.clone(),
            [vec![before], fresh[1..].to_vec()].concat(),
            [vec![old[0].clone()], fresh[1..].to_vec()].concat(),
        ] {
            assert_eq!(
                apply(open(AUDITOR, 2, replayed)),
                Err(Failure::Refused(InvalidTransaction::BadProof))
            );
            scored += secret().0;
        }
        println!("replaying answers in 3 ways: {scored} answers scored");
        assert_eq!(scored, 0);
        assert_ok!(apply(open(AUDITOR, 2, fresh)));
    });
}

#[test]
fn no_group_audits_itself() {
    run(|| {
        // Nodes 1 and 9 are one member's; 9 audits.
        set_node(node(AUDITOR), member(1), NodeStatus::Active);
        assert_ok!(apply(declare(AUDITOR)));
        run_to_epoch(1);
        run_to(EPOCH + 4);
        let mut asked = std::collections::BTreeSet::new();
        for n in 0..50u8 {
            let all = Canaries::audit_targets(&node(AUDITOR), 1, &[n; 32]);
            asked.extend(all.into_iter().map(|target| target.node));
        }
        println!(
            "500 questions of member 1's auditor went to {} nodes, none its own",
            asked.len()
        );
        assert_eq!(asked, (2..=4).map(node).collect());
        // Its own node's answer is no answer of the batch.
        let mut entries = answers(AUDITOR, 1, |_| true);
        let mut own = targets(AUDITOR, 1)[0].clone();
        own.node = node(1);
        entries[0] = given(&own, &answer(&own, true));
        run_to_epoch(2);
        assert_eq!(
            apply(open(AUDITOR, 1, entries)),
            Err(Failure::Refused(InvalidTransaction::BadProof))
        );
    });
}

#[test]
fn with_nobody_else_to_ask_an_auditor_is_excused() {
    run(|| {
        (1..=4).for_each(|n| set_node(node(n), member(1), NodeStatus::Active));
        set_node(node(AUDITOR), member(1), NodeStatus::Active);
        assert_ok!(apply(declare(AUDITOR)));
        run_to_epoch(3);
        let excused = Event::AuditExcused {
            auditor: node(AUDITOR),
            epoch: 1,
        };
        assert!(events().contains(&excused));
        // The same without a round.
        (1..=4).for_each(|n| set_status(n, NodeStatus::Suspended));
        assert_ok!(apply(declare(AUDITOR)));
        run_to_epoch(6);
        assert_eq!(audit_of(AUDITOR, 4).state, AuditState::Excused);
        assert!(Canaries::may_declare_audit(&node(AUDITOR)));
    });
}

#[test]
fn an_auditor_that_never_opens_loses_its_turn_and_nobody_else_anything() {
    run(|| {
        until_posed();
        // It saw that its friend failed, and keeps silent.
        let _failed = answers(AUDITOR, 1, |_| false);
        run_to_epoch(3);
        assert_eq!(
            audit_of(AUDITOR, 1).state,
            AuditState::Voided { missing: TARGETS }
        );
        assert_eq!(Barred::<Test>::get(member(AUDITOR)), Some(3 + BAR_EPOCHS));
        println!(
            "a batch of 10 failures that is kept back: evidence {:?}, barred for {BAR_EPOCHS} epochs",
            secret()
        );
        assert_eq!(secret(), (0, 0));
    });
}

#[test]
fn nobody_can_pass_on_a_part_of_an_opening() {
    run(|| {
        until_posed();
        let entries = answers(AUDITOR, 1, |place| place > 4);
        run_to_epoch(2);
        let RuntimeCall::Canaries(Call::open_audit { proof, .. }) =
            open(AUDITOR, 1, entries.clone())
        else {
            unreachable!()
        };
        // Node 2 sees the opening in the pool, and failures of its own in it.
        let all = targets(AUDITOR, 1);
        let fewer: Vec<Entry> = entries
            .iter()
            .filter(|entry| all[usize::from(entry.place)].node != node(2))
            .cloned()
            .collect();
        assert_noop!(
            Canaries::do_open_audit(node(AUDITOR), 1, proof, fewer.try_into().unwrap()),
            Error::<Test>::BadVrf
        );
        assert_ok!(apply(open(AUDITOR, 1, entries)));
        println!(
            "passing on a part of an opening: refused, {:?} scored",
            secret()
        );
        assert_eq!(secret(), (10, 5));
    });
}

#[test]
fn a_node_that_changes_its_key_after_a_wrong_answer_is_scored_all_the_same() {
    run(|| {
        until_posed();
        let entries = answers(AUDITOR, 1, |_| false);
        for n in 1..=4 {
            let (node, new) = (node(n), WorkerPair::from_seed(&[60 + n; 32]).public());
            Former::mutate(|all| all.push((node.clone(), worker(&node).public())));
            Workers::mutate(|all| all.insert(node, new));
        }
        run_to_epoch(2);
        assert_ok!(apply(open(AUDITOR, 1, entries)));
        println!(
            "changing keys after 10 wrong answers: {:?} scored",
            secret()
        );
        assert_eq!(secret(), (10, 0));
    });
}

#[test]
fn a_node_that_wants_to_answer_well_only_when_audited_cannot_tell() {
    run(|| {
        until_posed();
        let audits: Vec<_> = targets(AUDITOR, 1)
            .into_iter()
            .filter_map(|target| target.request("topic 0".into()))
            .collect();
        // Ninety clients practise with tasks of the same kind.
        let client = |n: u8| {
            let seed = H256::repeat_byte(n);
            let output = seed.0;
            let mut some = Canaries::audit_targets(&node(AUDITOR), 1, &output);
            some.swap_remove(usize::from(n % 10))
                .request("topic 0".into())
        };
        let clients: Vec<_> = (100..190).filter_map(client).collect();
        // All that a node sees besides text and nonce is the same.
        for request in audits.iter().chain(&clients) {
            assert_eq!(request.options, audits[0].options);
            assert_eq!(request.topic, audits[0].topic);
            assert_eq!(request.messages.len(), 1);
        }
        // It tries whatever is public in the place of the output that it cannot know.
        let seed = Canaries::round(audit_of(AUDITOR, 1).round.unwrap())
            .unwrap()
            .facts
            .seed;
        let key: &[u8] = &codec::Encode::encode(&worker(&node(AUDITOR)).public());
        let mut guesses = vec![seed.0, genesis().0, key.try_into().unwrap()];
        guesses.push(example::output(&worker(&node(1)), &vrf(AUDITOR, 1)));
        let known: Vec<H256> = guesses
            .iter()
            .flat_map(|guess| Canaries::audit_targets(&node(AUDITOR), 1, guess))
            .map(|target| target.nonce)
            .collect();
        let found = |all: &[touchstone_primitives::request::Request]| {
            all.iter()
                .filter(|one| known.contains(&one.client_nonce))
                .count()
        };
        println!(
            "recognised by a node: {} of {} audits, {} of {} clients",
            found(&audits),
            audits.len(),
            found(&clients),
            clients.len()
        );
        assert_eq!(found(&audits), 0);
    });
}

#[test]
fn a_node_that_answers_nobody_is_not_failed_but_costs_the_auditor_its_batch() {
    run(|| {
        until_posed();
        let mut entries = answers(AUDITOR, 1, |_| true);
        let all = targets(AUDITOR, 1);
        let silent = most_asked(&all);
        entries.retain(|entry| all[usize::from(entry.place)].node != silent);
        let refused = TARGETS - entries.len() as u32;
        run_to_epoch(2);
        assert_ok!(apply(open(AUDITOR, 1, entries)));
        println!(
            "a node that refuses {refused} questions: {:?} scored, the auditor barred",
            secret()
        );
        assert_eq!(secret(), (0, 0));
        assert!(Barred::<Test>::contains_key(member(AUDITOR)));
    });
}
