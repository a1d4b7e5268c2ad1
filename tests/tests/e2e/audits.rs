//! A blind audit on real nodes: declared, posed through the public RPC of the others, opened and scored by the runtime.

use sp_keyring::Sr25519Keyring::{AliceStash, BobStash, CharlieStash, DaveStash};
use touchstone_primitives::audit::{AuditState, TARGETS};
use touchstone_tests::{
    network::{FOUNDERS, Network},
    node::Setup,
    wait::until,
};

#[tokio::test]
async fn an_auditor_asks_the_others_like_a_client_and_the_chain_scores_their_answers() {
    let mut network = Network::empty("audits").await;
    for (number, name) in (1..).zip(FOUNDERS) {
        let mut arguments = format!("--{name} --engine dummy --canaries off");
        if name == "dave" {
            // The last one knows where the others answer.
            for (node, stash) in network
                .nodes
                .iter()
                .zip([AliceStash, BobStash, CharlieStash])
            {
                arguments += &format!(" --peer-rpc {}={}", stash.to_account_id(), node.url());
            }
        }
        network.add(Setup::new(name, number, "local").with(&arguments));
    }
    for index in 0..FOUNDERS.len() {
        network.follow(index).await;
    }
    let alice = network.chain(0).await;
    let auditor = DaveStash.to_account_id();
    let (epoch, state) = until("a blind audit is opened", 480, async || {
        let at = alice.finalized().await.ok()?;
        for epoch in 0..=alice.epoch(at).await.ok()? {
            for (node, audit) in alice.audits(epoch, at).await.ok()? {
                if node == auditor && audit.state != AuditState::Declared {
                    return Some((epoch, audit.state));
                }
            }
        }
        None
    })
    .await;
    println!("the audit of epoch {epoch}: {state:?}");
    // The dummy engine knows no answers; what counts is that they arrive, signed, and are scored.
    let AuditState::Opened {
        counted, missing, ..
    } = state
    else {
        panic!("{state:?}");
    };
    assert!(counted + missing == TARGETS && counted > 0);
    // What it found stands in the secret tallies, apart from rounds.
    let at = alice.finalized().await.unwrap();
    let topics = alice.topics(at).await.unwrap();
    let mut secret = 0;
    for stash in [AliceStash, BobStash, CharlieStash] {
        for topic in &topics {
            let node = stash.to_account_id();
            let history = alice.evidence_history(&node, topic.id, at).await.unwrap();
            secret += history.iter().filter(|fold| fold.secret).count();
        }
    }
    assert!(secret > 0, "no secret evidence");
    let said = network.nodes[0].touchstone(&["canary", "audits"]);
    assert!(said.status.success(), "{said:?}");
    println!("{}", String::from_utf8_lossy(&said.stdout));
}
