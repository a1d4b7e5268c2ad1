//! Validators that die and come back.

use sp_keyring::Sr25519Keyring::{self, Alice, Bob, Charlie};
use touchstone_client::{
    chain::storage_key,
    submit::{Until, account, submit},
};
use touchstone_primitives::AccountId32;
use touchstone_tests::{
    answers::{anchored, ask, wait_for_proof},
    council::root,
    joining::Joining,
    network::Network,
    wait::{until, until_true},
};

#[tokio::test]
async fn a_killed_gateway_anchors_its_receipts_once_after_it_returns() {
    let mut network = Network::local("kill").await;
    let alice = network.chain(0).await;
    let dave = network.chain(3).await;
    let gateway = Sr25519Keyring::DaveStash.to_account_id();

    let mut answers = Vec::new();
    for number in 0..5 {
        answers.push(ask(&dave, &format!("Question {number}?")).await);
    }
    network.nodes[3].kill();
    let sequences: Vec<u64> = answers
        .iter()
        .map(|answer| answer.receipt.sequence)
        .collect();
    assert_eq!(sequences, [0, 1, 2, 3, 4]);
    let best = alice.best().await.unwrap();
    let before = alice.stream_head(&gateway, best).await.unwrap();
    assert!(
        before.next < 5,
        "nothing was left to anchor when the node died: {before:?}"
    );

    let last = alice.finalized_number().await.unwrap();
    network.wait_for_finalized(0, last + 4, 90).await;

    let dave = network.restart(3).await;
    until_true("dave has caught up", 90, async || {
        let (Ok(own), Ok(others)) = (
            dave.finalized_number().await,
            alice.finalized_number().await,
        ) else {
            return false;
        };
        own > last && own + 3 >= others
    })
    .await;
    answers.push(ask(&dave, "And now?").await);
    assert_eq!(
        answers[5].receipt.sequence, 5,
        "the journal goes on where it stopped"
    );
    for answer in &answers {
        wait_for_proof(&dave, answer).await;
    }
    // Once more from a node that has only the chain: nothing is lost, nothing is doubled.
    let times = until("alice has finalised the last batch", 60, async || {
        let times = anchored(&alice, &gateway).await;
        (times.len() == answers.len()).then_some(times)
    })
    .await;
    assert!(times.values().all(|count| *count == 1), "{times:?}");
    network.check_finality().await;
}

#[tokio::test]
async fn with_two_of_four_down_nothing_is_finalised_until_one_returns() {
    let mut network = Network::local("halt").await;
    let (alice, bob) = (network.chain(0).await, network.chain(1).await);
    network.nodes[2].kill();
    network.nodes[3].kill();

    // Votes that were under way may still complete a round; after that blocks are made and none becomes final.
    let stuck = until("finality is six blocks behind", 120, async || {
        let (best, last) = (
            alice.best_number().await.ok()?,
            alice.finalized_number().await.ok()?,
        );
        (best >= last + 6).then_some(last)
    })
    .await;
    let best = alice.best_number().await.unwrap();
    until_true("two more blocks are made", 90, async || {
        alice
            .best_number()
            .await
            .is_ok_and(|number| number >= best + 2)
    })
    .await;
    assert_eq!(alice.finalized_number().await.unwrap(), stuck);
    assert!(bob.finalized_number().await.unwrap() <= stuck);

    network.restart(2).await;
    for index in 0..3 {
        network.wait_for_finalized(index, best + 3, 150).await;
    }
    network.check_finality().await;
}

#[tokio::test]
#[ignore = "ten minutes: one validator of four makes the blocks"]
async fn when_three_of_four_are_lost_for_good_the_council_moves_finality_to_their_replacements() {
    let mut network = Network::local("stall").await;
    let alice = network.chain(0).await;
    for index in 1..4 {
        network.nodes[index].kill();
    }

    // A validator without peers waits for the network; with the replacements as peers it makes blocks, and none becomes final.
    let bob = Joining::prepare(&mut network, "bob-2", 12, "//Bob").await;
    let charlie = Joining::prepare(&mut network, "charlie-2", 13, "//Charlie").await;
    let best = alice.best_number().await.unwrap();
    until_true("alice makes blocks", 120, async || {
        alice
            .best_number()
            .await
            .is_ok_and(|number| number >= best + 2)
    })
    .await;
    let stuck = alice.finalized_number().await.unwrap();

    // Their members put the replacements into the set and take the lost ones out; none of that needs finality.
    let lost = [
        (Bob, Sr25519Keyring::BobStash),
        (Charlie, Sr25519Keyring::CharlieStash),
        (Sr25519Keyring::Dave, Sr25519Keyring::DaveStash),
    ];
    tokio::join!(
        bob.register(&alice, Until::Included),
        charlie.register(&alice, Until::Included),
    );
    for (member, stash) in lost {
        let leave = pallet_consortium::Call::leave_node {
            node: stash.to_account_id(),
        };
        let left = submit(&alice, leave.into(), &member.pair(), Until::Included).await;
        left.unwrap();
    }
    let mut wanted = vec![
        Sr25519Keyring::AliceStash.to_account_id(),
        account(&bob.stash),
        account(&charlie.stash),
    ];
    wanted.sort();
    until_true("the set is made of living validators", 400, async || {
        let Ok(best) = alice.best().await else {
            return false;
        };
        let key = storage_key("Session", "Validators");
        let set = alice.storage::<Vec<AccountId32>>(&key, best).await;
        set.is_ok_and(|set| set.as_ref() == Some(&wanted))
    })
    .await;
    assert_eq!(alice.finalized_number().await.unwrap(), stuck);

    // Only now finality is moved: the change carries the validators of the session in which it is signalled.
    let note = pallet_grandpa::Call::note_stalled {
        delay: 10,
        best_finalized_block_number: stuck,
    };
    root(&alice, note.into(), &[Alice, Bob, Charlie], Until::Included).await;
    let best = alice.best_number().await.unwrap();
    for index in [0, bob.index, charlie.index] {
        network.wait_for_finalized(index, best + 1, 300).await;
    }
    let answer = ask(&alice, "Are you well again?").await;
    wait_for_proof(&alice, &answer).await;
    network.check_finality().await;
}
