//! Validators that die and come back.

use sp_keyring::Sr25519Keyring;
use touchstone_tests::{
    answers::{anchored, ask, wait_for_proof},
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
