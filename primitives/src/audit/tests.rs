use super::*;
use crate::{
    canary::{TopicRules, Windows},
    generators,
    worker::WorkerPair,
};
use alloc::collections::{BTreeMap, BTreeSet};
use sp_core::Pair;

const GENESIS: H256 = H256::repeat_byte(9);
const SINCE: Moment = 1_000;

fn node(n: u8) -> NodeId {
    NodeId::new([n; 32])
}

fn pair(n: u8) -> WorkerPair {
    WorkerPair::from_seed(&[n; 32])
}

fn round() -> RoundFacts {
    let families = ["addition", "larger", "field"]
        .map(|name| (generators::named(name).unwrap().id(), 2))
        .to_vec();
    RoundFacts {
        id: 7,
        topic: 1,
        epoch: 5,
        seed: H256::repeat_byte(3),
        start: 100,
        windows: Windows {
            open: 3,
            commit: 8,
            reveal: 6,
        },
        rules: TopicRules {
            families: families.try_into().unwrap(),
            slots: 8,
            authored: 0,
        },
        authored: Default::default(),
    }
}

fn input() -> VrfInput {
    vrf_input(&GENESIS, 5, &round().seed)
}

fn nodes(n: u8) -> Vec<NodeId> {
    (1..=n).map(node).collect()
}

fn drawn() -> Vec<Target> {
    targets(
        &example::output(&pair(50), &input()),
        &round(),
        &nodes(6),
        |_| false,
    )
}

fn answered(target: &Target, answer: &str) -> Entry {
    example::entry(GENESIS, target, "law", &pair(1), 2_000, answer)
}

#[test]
fn a_proof_is_of_one_key_one_round_and_exactly_these_entries() {
    let entries = [answered(&drawn()[0], "4"), answered(&drawn()[1], "5")];
    let (auditor, proof) = (pair(50), example::proof(&pair(50), input(), &entries));
    let key = auditor.public();
    assert_eq!(
        proven_output(&key, input(), &entries, &proof),
        Some(example::output(&auditor, &input()))
    );
    assert_eq!(
        proven_output(&pair(51).public(), input(), &entries, &proof),
        None
    );
    assert_eq!(proven_output(&key, input(), &entries[..1], &proof), None);
    for other in [
        vrf_input(&H256::zero(), 5, &round().seed),
        vrf_input(&GENESIS, 6, &round().seed),
        vrf_input(&GENESIS, 5, &H256::zero()),
    ] {
        assert_eq!(proven_output(&key, other, &entries, &proof), None);
    }
    assert_eq!(proven_output(&key, input(), &entries, &[255; 96]), None);
    // What the entries are does not move the output: there is nothing to try at will.
    let fewer = example::proof(&auditor, input(), &entries[..1]);
    assert_eq!(
        proven_output(&key, input(), &entries[..1], &fewer),
        Some(example::output(&auditor, &input()))
    );
}

#[test]
fn targets_are_ten_and_never_of_the_auditors_own_group() {
    let output = example::output(&pair(50), &input());
    let own = |node: &NodeId| *node == self::node(2);
    let all = targets(&output, &round(), &nodes(4), own);
    assert_eq!(all.len(), TARGETS as usize);
    assert!(all.iter().all(|target| !own(&target.node)));
    assert!(
        all.iter()
            .zip(0..)
            .all(|(target, place)| target.duty.slot == place)
    );
    let nonces: BTreeSet<_> = all.iter().map(|target| target.nonce).collect();
    assert_eq!(nonces.len(), all.len());
    assert!(all.iter().all(|target| target.duty.task().is_some()));
    assert!(targets(&output, &round(), &[node(2)], own).is_empty());
    assert!(targets(&output, &round(), &[], own).is_empty());
}

#[test]
fn a_node_that_goes_away_changes_nobody_elses_questions() {
    let output = example::output(&pair(50), &input());
    let (before, after) = (
        targets(&output, &round(), &nodes(6), |_| false),
        targets(&output, &round(), &nodes(5), |_| false),
    );
    for (old, new) in before.iter().zip(&after) {
        assert!(old == new || old.node == node(6));
    }
}

#[test]
fn nodes_and_families_are_drawn_evenly() {
    let (mut of_node, mut of_family) = (BTreeMap::new(), BTreeMap::new());
    for n in 0..200u8 {
        for target in targets(&[n; 32], &round(), &nodes(5), |_| false) {
            *of_node.entry(target.node).or_insert(0) += 1;
            *of_family.entry(target.duty.family).or_insert(0) += 1;
        }
    }
    println!(
        "2,000 questions: {:?} by node, {:?} by family",
        of_node.values(),
        of_family.values()
    );
    assert!(of_node.len() == 5 && of_node.values().all(|n| (330..470).contains(n)));
    assert!(of_family.len() == 3 && of_family.values().all(|n| (590..750).contains(n)));
}

#[test]
fn topics_are_drawn_for_each_auditor_and_epoch() {
    let topics = [3, 5, 8];
    let drawn = |epoch: u8, n| topic(&H256::repeat_byte(epoch), &node(n), &topics);
    let all: BTreeSet<_> = (0..20).map(|epoch| drawn(epoch, 1)).collect();
    assert_eq!(all, topics.into_iter().map(Some).collect());
    assert!((0..20).any(|n| drawn(1, n) != drawn(1, 1)));
    assert_eq!(topic(&H256::zero(), &node(1), &[]), None);
}

#[test]
fn an_entry_proves_the_nodes_answer_to_this_question_in_this_time() {
    let (target, other) = (&drawn()[0], drawn()[1].clone());
    let good = answered(target, "the answer is 12");
    let verify = |entry: &Entry| entry.verify(&GENESIS, target, "law".into(), SINCE);
    assert_eq!(verify(&good), Ok(2_000));
    let worker = pair(1);
    let made = |target, at, answer| example::entry(GENESIS, target, "law", &worker, at, answer);
    assert_eq!(verify(&made(target, 999, "4")), Err(Unproven::OtherTime));
    let elsewhere = Target {
        node: node(40),
        ..target.clone()
    };
    assert_eq!(
        verify(&made(&elsewhere, 2_000, "4")),
        Err(Unproven::OtherNode)
    );
    let other = Target {
        node: target.node.clone(),
        ..other
    };
    assert_eq!(
        verify(&made(&other, 2_000, "4")),
        Err(Unproven::OtherQuestion)
    );
    assert_eq!(
        good.verify(&GENESIS, target, "medicine".into(), SINCE),
        Err(Unproven::OtherQuestion)
    );
    let wrong = Entry {
        answer: b"the answer is 13".to_vec().try_into().unwrap(),
        ..good.clone()
    };
    assert_eq!(verify(&wrong), Err(Unproven::OtherAnswer));
    let stranger = Entry {
        worker: pair(99).public(),
        ..good.clone()
    };
    assert_eq!(verify(&stranger), Err(Unproven::Receipt));
    assert_eq!(
        good.verify(&H256::zero(), target, "law".into(), SINCE),
        Err(Unproven::Receipt)
    );
    for at in (0..good.receipt.len()).step_by(11) {
        let mut altered = good.clone();
        altered.receipt[at] ^= 1;
        assert!(verify(&altered).is_err(), "byte {at}");
    }
}

#[test]
fn a_long_answer_is_read_as_rounds_read_it() {
    let long = "é".repeat(900);
    let entry = answered(&drawn()[0], &long);
    assert_eq!(entry.read(), &long.as_bytes()[..MAX_ANSWER as usize]);
    let odd = answered(&drawn()[0], &format!("x{long}"));
    assert_eq!(odd.read().len(), MAX_ANSWER as usize - 1);
    assert_eq!(answered(&drawn()[0], "4").read(), b"4");
}

#[test]
fn what_is_left_out_is_counted_unless_the_node_was_away() {
    let all = drawn();
    let entries: Vec<Entry> = all[2..]
        .iter()
        .map(|target| answered(target, "4"))
        .collect();
    assert!(are_in_order(&entries));
    let gone = all[0].node.clone();
    assert_eq!(missing(&all, &entries, |_| true), (2, 0));
    assert!(missing(&all, &entries, |node| *node != gone).1 > 0);
    assert_eq!(missing(&all, &[], |_| false), (0, TARGETS));
    let mut twice = entries.clone();
    twice[1] = twice[0].clone();
    assert!(!are_in_order(&twice));
    twice[7].place = TARGETS as u8;
    assert!(!are_in_order(&twice[2..]));
}

#[test]
fn an_audit_looks_like_any_question() {
    let target = &drawn()[0];
    let request = target.request("law".into()).unwrap();
    assert_eq!(request.check(), Ok(()));
    assert_eq!(request.options.temperature_milli, 0);
    assert_eq!(request.client_nonce, target.nonce);
    // Nothing in it depends on who audits except through the output, which looks random to everybody else.
    let again = targets(
        &example::output(&pair(51), &input()),
        &round(),
        &nodes(6),
        |_| false,
    );
    assert!(again.iter().all(|other| other.nonce != target.nonce));
}

#[test]
fn what_is_hashed_is_pinned() {
    let all = targets(&[7; 32], &round(), &nodes(6), |_| false);
    let hash = tagged_hash("pin", &[&all.encode()]);
    assert_eq!(
        hex::encode(hash),
        "7c8695abad2ee723436be4b6573cf8e5ffe4a672e9bb34de8e2adf89360c1fd3"
    );
}
