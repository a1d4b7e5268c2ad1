//! A validator whose clock is wrong.

use serde_json::Value;
use sp_keyring::Sr25519Keyring::Dave;
use touchstone_tests::{authors::authors, network::Network, node::Node, wait::until_true};

/// Seconds by which the clock is wrong.
const WRONG: i64 = 20;

/// Whether `touchstone doctor`, run beside the node, finds something wrong and sends the operator to the clock.
fn doctor_names_the_clock(node: &Node) -> bool {
    let found = node.touchstone(&["doctor", "--json"]);
    let findings: Vec<Value> = serde_json::from_slice(&found.stdout).unwrap_or_default();
    findings.iter().any(|finding| {
        finding["outcome"] == "wrong"
            && finding["fix"]
                .as_str()
                .is_some_and(|fix| fix.contains("clock"))
    })
}

#[tokio::test]
async fn a_validator_whose_clock_is_wrong_harms_only_itself() {
    let mut network = Network::local("clock").await;
    let alice = network.chain(0).await;
    assert!(!doctor_names_the_clock(&network.nodes[3]));

    // Ahead: the others refuse its blocks, which lie in the future. Behind: it refuses theirs, and makes none itself.
    for seconds in [WRONG, -WRONG] {
        network.nodes[3].set_clock(seconds);
        network.restart(3).await;
        // What it made before, with the right clock, may not be final yet.
        let best = alice.best().await.unwrap();
        let since = alice.header(best).await.unwrap().number;
        for index in 0..3 {
            network.wait_for_finalized(index, since + 8, 120).await;
        }
        let makers = authors(&alice, since).await;
        assert!(!makers.contains(&Dave.public()), "{seconds} s: {makers:?}");
        until_true(
            &format!("doctor finds the clock that is {seconds} s wrong"),
            60,
            async || doctor_names_the_clock(&network.nodes[3]),
        )
        .await;
        let refuser = if seconds > 0 { 0 } else { 3 };
        assert!(
            network.nodes[refuser]
                .log()
                .contains("too far in the future")
        );
    }

    // Set right, it catches up and takes part again.
    network.nodes[3].set_clock(0);
    let dave = network.restart(3).await;
    let since = alice.finalized_number().await.unwrap();
    until_true("dave makes blocks that become final", 180, async || {
        authors(&alice, since).await.contains(&Dave.public())
    })
    .await;
    until_true("dave has caught up", 60, async || {
        let (own, others) = (
            dave.finalized_number().await,
            alice.finalized_number().await,
        );
        own.is_ok_and(|own| others.is_ok_and(|others| own + 3 >= others))
    })
    .await;
    network.check_finality().await;
}
