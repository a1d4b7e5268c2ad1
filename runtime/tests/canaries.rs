//! A round of canaries with the real pallets, from the genesis of a preset to the founders' reputation.

use frame_support::{
    assert_ok,
    traits::{Authorize, OnInitialize},
};
use frame_system::RawOrigin;
use sp_core::Pair;
use sp_keyring::Sr25519Keyring::{self, Alice, AliceStash, Bob, BobStash, CharlieStash, DaveStash};
use sp_runtime::{BuildStorage, traits::Dispatchable, transaction_validity::TransactionSource};
use touchstone_primitives::{
    H256, NodeId,
    canary::{Answer, Commitments, End, Revealed, commitment},
    checkers::Checker,
    fixed::Fixed,
};
use touchstone_runtime::*;

fn merge(base: &mut serde_json::Value, patch: serde_json::Value) {
    match (base, patch) {
        (serde_json::Value::Object(base), serde_json::Value::Object(patch)) => {
            for (key, value) in patch {
                merge(base.entry(key).or_insert(serde_json::Value::Null), value);
            }
        }
        (base, patch) => *base = patch,
    }
}

fn local() -> sp_io::TestExternalities {
    let mut config = serde_json::to_value(RuntimeGenesisConfig::default()).unwrap();
    let patch = genesis::preset(&"local_testnet".into()).expect("the preset exists");
    merge(&mut config, serde_json::from_slice(&patch).unwrap());
    let config: RuntimeGenesisConfig = serde_json::from_value(config).unwrap();
    sp_io::TestExternalities::new(config.build_storage().unwrap())
}

/// Runs to this block, with the work that canaries do in each and the chain's time.
fn run_to(block: BlockNumber) {
    while System::block_number() < block {
        let next = System::block_number() + 1;
        System::set_block_number(next);
        pallet_timestamp::Now::<Runtime>::put(u64::from(next) * SLOT_DURATION);
        Canaries::on_initialize(next);
    }
}

/// What a transaction without account goes through: the check of the pool, then the call.
fn submit(call: RuntimeCall) {
    let checked = call.authorize(TransactionSource::External);
    assert!(matches!(checked, Some(Ok(_))), "{checked:?}");
    assert_ok!(call.dispatch(RawOrigin::Authorized.into()));
}

fn right(checker: Checker) -> String {
    let text = match checker {
        Checker::Number { value, .. } => value,
        Checker::Exact { mut accept, .. } => accept.remove(0),
        Checker::Choice { mut options, right } => options.remove(right.into()),
        other => panic!("no family of the founders' topics is checked like this: {other:?}"),
    };
    String::from_utf8(text).unwrap()
}

/// Answers of a node to a round; all right, or all wrong.
fn answers(round: u32, node: &NodeId, is_right: bool) -> Vec<(H256, Revealed)> {
    Canaries::duties(round, node.clone())
        .into_iter()
        .map(|duty| {
            let text = if is_right {
                right(duty.checker.expect("procedural duties are open"))
            } else {
                "no idea".into()
            };
            let answer = Answer::try_from(text.into_bytes()).unwrap();
            let salt = [duty.slot + 1; 32];
            let genesis = System::block_hash(0);
            let hash = commitment(&genesis, round, &duty.instance, node, &salt, &answer);
            let slot = duty.slot;
            (hash, Revealed { slot, salt, answer })
        })
        .collect()
}

/// A founder's worker key is that of its member.
fn commit(worker: Sr25519Keyring, round: u32, node: &NodeId, answers: &[(H256, Revealed)]) {
    let hashes: Vec<H256> = answers.iter().map(|(hash, _)| *hash).collect();
    let hashes = Commitments::try_from(hashes).unwrap();
    let valid_until = System::block_number() + 5;
    let message = Canaries::commit_submission(node, round, &hashes, valid_until);
    submit(RuntimeCall::Canaries(pallet_canaries::Call::commit {
        node: node.clone(),
        round,
        hashes,
        valid_until,
        signature: worker.pair().sign(message.as_bytes()).into(),
    }));
}

fn reveal(round: u32, node: &NodeId, answers: Vec<(H256, Revealed)>) {
    let answers: Vec<Revealed> = answers.into_iter().map(|(_, answer)| answer).collect();
    submit(RuntimeCall::Canaries(pallet_canaries::Call::reveal {
        node: node.clone(),
        round,
        answers: answers.try_into().unwrap(),
    }));
}

#[test]
fn founders_answer_a_round_of_each_topic_and_have_a_reputation() {
    local().execute_with(|| {
        run_to(4);
        let rounds = Canaries::rounds();
        assert!(rounds.len() >= 3, "{rounds:?}");
        assert!(rounds.iter().all(|round| round.nodes.len() == 4));
        let (alice, bob, charlie, dave) = (
            AliceStash.to_account_id(),
            BobStash.to_account_id(),
            CharlieStash.to_account_id(),
            DaveStash.to_account_id(),
        );
        // Alice is right, Bob is wrong, Charlie commits to one round and reveals nothing, Dave is away.
        let mut owed = Vec::new();
        for round in rounds.iter().map(|round| round.facts.id) {
            for (worker, node, is_right) in [(Alice, &alice, true), (Bob, &bob, false)] {
                let written = answers(round, node, is_right);
                commit(worker, round, node, &written);
                owed.push((round, node.clone(), written));
            }
        }
        let first = rounds[0].facts.id;
        let written = answers(first, &charlie, true);
        commit(Sr25519Keyring::Charlie, first, &charlie, &written);
        let latest = rounds.iter().map(|round| round.facts.reveal_from()).max();
        run_to(latest.unwrap());
        for (round, node, written) in owed {
            reveal(round, &node, written);
        }
        let closed = rounds.iter().map(|round| round.facts.closed_from()).max();
        run_to(closed.unwrap());
        assert!(
            rounds
                .iter()
                .all(|round| !Canaries::round(round.facts.id).unwrap().settled),
            "nothing is settled before the epoch is over"
        );
        pallet_session::CurrentIndex::<Runtime>::put(1);
        run_to(closed.unwrap() + 20);

        for round in &rounds {
            let (id, topic) = (round.facts.id, round.facts.topic);
            assert!(Canaries::round(id).unwrap().settled);
            let ends = |node: &NodeId| -> Vec<End> {
                let duties = Canaries::duties(id, node.clone());
                duties.into_iter().map(|duty| duty.end.unwrap()).collect()
            };
            assert!(ends(&alice).iter().all(|end| end.passed() == Some(true)));
            assert!(ends(&bob).iter().all(|end| end.passed() == Some(false)));
            let expected = if id == first {
                End::NotRevealed
            } else {
                End::NotCommitted
            };
            assert!(ends(&charlie).iter().all(|end| *end == expected));
            assert!(ends(&dave).iter().all(|end| *end == End::Absent));

            let standing = |node: &NodeId| {
                let all = Reputation::vector(node);
                all.into_iter()
                    .find(|of| of.topic == topic)
                    .map(|of| of.standing)
            };
            let (a, b, c) = (standing(&alice), standing(&bob), standing(&charlie));
            let (a, b, c) = (a.unwrap(), b.unwrap(), c.unwrap());
            assert!(!a.evidence.is_zero() && a.passed == a.evidence, "{a:?}");
            for other in [&b, &c] {
                assert!(
                    !other.evidence.is_zero() && other.passed.is_zero(),
                    "{other:?}"
                );
                assert!(a.competence > Fixed::HALF && other.competence < Fixed::HALF);
                assert!(a.reputation > other.reputation);
            }
            assert!(standing(&dave).is_none_or(|of| of.evidence.is_zero()));
            // All of it comes from this round's four duties.
            let history = Reputation::history(&alice, topic);
            assert_eq!(history.len(), 1);
            assert_eq!((history[0].epoch, history[0].duties), (0, 4));
            // It fades from then on.
            assert!(a.evidence <= history[0].evidence && history[0].gain == history[0].evidence);
        }
        Canaries::do_try_state().unwrap();
        Reputation::do_try_state().unwrap();
    });
}

/// What fits into a block by the weights of the runtime: the figures of docs/performance.md.
#[test]
fn a_block_has_room_for_the_answers_of_many_nodes() {
    use frame_support::{dispatch::DispatchClass, weights::Weight};
    use pallet_canaries::{WeightInfo, types::MAX_NODES};
    type Weights = <Runtime as pallet_canaries::Config>::WeightInfo;

    let limits = <Runtime as frame_system::Config>::BlockWeights::get();
    let normal = limits.get(DispatchClass::Normal);
    let room = normal.max_total.expect("the class has a limit");
    let with_base = |weight: Weight| weight.saturating_add(normal.base_extrinsic);
    let fits = |weight: Weight| room.checked_div_per_component(&weight).expect("not zero");
    let commit = with_base(Weights::commit().saturating_add(Weights::authorize_commit()));
    let reveal = with_base(Weights::reveal(16).saturating_add(Weights::authorize_reveal()));
    let few = with_base(Weights::reveal(6).saturating_add(Weights::authorize_reveal()));
    let percent =
        |weight: Weight| weight.ref_time() as f64 * 100.0 / limits.max_block.ref_time() as f64;
    println!(
        "in a block of 3 s: commitments of {} nodes, or answers of {} nodes with 16 duties ({} answers), or of {} nodes with 6 ({})",
        fits(commit),
        fits(reveal),
        fits(reveal) * 16,
        fits(few),
        fits(few) * 6,
    );
    for (name, weight) in [
        ("nothing to do", Weights::idle()),
        ("open a round of 100 nodes", Weights::open(MAX_NODES)),
        ("judge four canaries of members", Weights::judge()),
        ("fold the duties of 16 nodes", Weights::fold(16)),
        ("rate the answers of 16 nodes", Weights::rate(16)),
        ("forget a round of 100 nodes", Weights::forget()),
    ] {
        println!("{name}: {:.2} % of a block", percent(weight));
        assert!(percent(weight) < 50.0, "{name}");
    }
    let blocks = u64::from(MAX_NODES.div_ceil(16)) * 2 + 2;
    println!(
        "a round of 100 nodes takes {blocks} blocks of such work, whatever else there is: one piece for each block"
    );
    assert!(
        fits(reveal) * 16 >= 100,
        "answers of a few nodes fill a block"
    );
}
