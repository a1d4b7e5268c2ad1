//! How members come, how they are stopped, and how they leave.

use serde_json::Value;
use sp_core::sr25519;
use sp_keyring::Sr25519Keyring::{self, Alice, Bob, Charlie, Dave};
use std::fs;
use touchstone_client::{
    Chain,
    chain::storage_key,
    submit::{RuntimeCall, RuntimeEvent, Until, account, authorized, submit},
};
use touchstone_primitives::{AccountId32, consortium::NodeStatus};
use touchstone_rpc::{InferenceClient, errors};
use touchstone_runtime::configs::dynamic_params::consortium as parameters;
use touchstone_tests::{
    answers::{anchored, ask, question, wait_for_proof},
    authors::authors,
    council::{motion, root},
    joining::Joining,
    network::Network,
    wait::{until, until_true},
};

/// Who votes.
const COUNCIL: [Sr25519Keyring; 3] = [Alice, Bob, Charlie];

async fn sent(
    chain: &Chain,
    call: impl Into<RuntimeCall>,
    signer: &sr25519::Pair,
) -> Vec<RuntimeEvent> {
    submit(chain, call.into(), signer, Until::Finalized)
        .await
        .unwrap()
        .events
}

fn code(error: jsonrpsee::core::ClientError) -> i32 {
    touchstone_client::Error::of("inference_ask", error)
        .code()
        .unwrap_or_default()
}

/// Accounts of those that validate in the running session.
async fn validators(chain: &Chain) -> Vec<AccountId32> {
    let head = chain.finalized().await.unwrap();
    let key = storage_key("Session", "Validators");
    chain.storage(&key, head).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_fifth_member_is_admitted_and_makes_blocks() {
    let mut network = Network::local("membership").await;
    let alice = network.chain(0).await;

    // The new organisation prepares its node and its application with the program that it is given.
    let eve = Joining::prepare(&mut network, "eve", 5, "//Eve").await;
    let eves = network.chain(eve.index).await;
    let file = network.dir().join("join.json");
    let check = || {
        let arguments = [
            "join",
            "check",
            file.to_str().unwrap(),
            "--legal-name",
            "eve",
        ];
        network.nodes[0].touchstone(&arguments).status.success()
    };
    fs::write(&file, eve.file.replace("\"NO\"", "\"SE\"")).unwrap();
    assert!(!check(), "an altered application is found out");
    fs::write(&file, &eve.file).unwrap();
    assert!(check());

    // Nobody has admitted it yet, so its worker may not sign.
    let refusal = eves.client().ask(question("Too early?")).await.unwrap_err();
    assert_eq!(code(refusal), errors::NOT_A_WORKER);

    // A member sponsors it and the council admits it; then it registers its node and goes to work.
    let member = account(&eve.member);
    let apply = pallet_consortium::Call::apply {
        member: member.clone(),
        legal_name_hash: eve.legal_name_hash(),
        jurisdiction: *b"NO",
    };
    sent(&alice, apply, &Alice.pair()).await;
    let admit = pallet_consortium::Call::admit_member { member };
    motion(&alice, admit.into(), &COUNCIL)
        .await
        .unwrap()
        .unwrap();
    eve.register(&alice, Until::Finalized).await;
    let since = alice.finalized_number().await.unwrap();
    let answer = ask(&eves, "Do you sign now?").await;

    // It makes blocks from the session after the next.
    until_true("eve has made a block", 300, async || {
        authors(&alice, since).await.contains(&eve.babe())
    })
    .await;
    wait_for_proof(&eves, &answer).await;
    network.check_finality().await;
}

#[tokio::test]
async fn a_suspended_node_stops_at_once_and_anchors_what_it_kept_when_it_is_reinstated() {
    let mut network = Network::local("suspension").await;
    let (alice, dave) = (network.chain(0).await, network.chain(3).await);
    let gateway = Sr25519Keyring::DaveStash.to_account_id();
    let member = Dave.to_account_id();

    // It answers until the chain stops it, so that its last receipts are not anchored.
    let suspend = pallet_consortium::Call::suspend_member {
        member: member.clone(),
    };
    let mut answers = 0;
    let (suspended, ()) = tokio::join!(
        motion(&alice, suspend.into(), &COUNCIL),
        until_true("dave refuses to answer", 120, async || {
            match dave.client().ask(question("Still there?")).await {
                Ok(answer) => {
                    assert_eq!(answer.receipt.sequence, answers);
                    answers += 1;
                    false
                }
                Err(e) => code(e) == errors::NOT_A_WORKER,
            }
        })
    );
    let suspended = suspended.unwrap().unwrap().block;
    let since = alice.header(suspended).await.unwrap().number;
    let info = alice.node(&gateway, suspended).await.unwrap().unwrap();
    assert_eq!(info.status, NodeStatus::Suspended);
    let head = alice.stream_head(&gateway, suspended).await.unwrap();
    assert!(
        head.next < answers,
        "all {answers} receipts were anchored already"
    );

    // Its right key does not help from the next block on, and it cannot activate itself.
    let next = head.next;
    let batch = crate::inputs::anchor(&alice, &Dave.pair(), &gateway, 0, next, next, 50).await;
    let (code, message) = crate::inputs::refusal(&alice, &authorized(batch)).await;
    assert_eq!(code, crate::inputs::INVALID_TRANSACTION, "{message}");
    assert!(message.contains("Custom error: 1"), "{message}");
    let activate = pallet_consortium::Call::activate_node {
        node: gateway.clone(),
    };
    let refused = submit(&alice, activate.into(), &Dave.pair(), Until::Finalized).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("Consortium("), "{refused}");

    // A restart changes nothing: the receipts stay in the journal and off the chain, and it makes no blocks.
    let dave = network.restart(3).await;
    network.wait_for_finalized(0, since + 5, 120).await;
    let last = alice.finalized().await.unwrap();
    assert_eq!(alice.stream_head(&gateway, last).await.unwrap(), head);
    let waiting = until("dave knows its journal", 30, async || {
        let health = dave.health().await.ok()?;
        assert_eq!(health.member_status.as_deref(), Some("suspended"));
        Some(health.mailbox_depth)
    });
    assert_eq!(waiting.await, answers - head.next);
    assert!(
        !authors(&alice, since).await.contains(&Dave.public()),
        "a suspended validator has made a block"
    );

    // Reinstated, it anchors all of them, once, and answers again.
    let reinstate = pallet_consortium::Call::reinstate_member { member };
    motion(&alice, reinstate.into(), &COUNCIL)
        .await
        .unwrap()
        .unwrap();
    let answer = ask(&dave, "Welcome back?").await;
    assert_eq!(answer.receipt.sequence, answers);
    wait_for_proof(&dave, &answer).await;
    let times = until("alice has finalised the last batch", 60, async || {
        let times = anchored(&alice, &gateway).await;
        (times.len() as u64 == answers + 1).then_some(times)
    })
    .await;
    assert!(times.values().all(|count| *count == 1), "{times:?}");
    network.check_finality().await;
}

#[tokio::test]
#[ignore = "six minutes: two sessions and an unbonding delay"]
async fn a_member_leaves_in_the_documented_steps_and_gets_its_bond_back() {
    let mut network = Network::local("leaving").await;
    let (alice, dave) = (network.chain(0).await, network.chain(3).await);
    let node = Sr25519Keyring::DaveStash.to_account_id();
    let member = Dave.pair();
    let withdraw = || pallet_consortium::Call::withdraw_bond { node: node.clone() };
    let refused = async |signer: &sr25519::Pair| {
        let sent = submit(&alice, withdraw().into(), signer, Until::Finalized).await;
        sent.unwrap_err().to_string()
    };

    // Instead of 35 days.
    let delay = pallet_parameters::Call::set_parameter {
        key_value: touchstone_runtime::configs::RuntimeParameters::Consortium(
            parameters::Parameters::UnbondingDelay(parameters::UnbondingDelay, Some(60_000)),
        ),
    };
    root(&alice, delay.into(), &COUNCIL, Until::Finalized).await;

    // 1. It gives no more answers and waits until all its receipts are anchored.
    let answer = ask(&dave, "The last one?").await;
    wait_for_proof(&dave, &answer).await;
    until_true("no receipt waits", 30, async || {
        dave.health()
            .await
            .is_ok_and(|health| health.mailbox_depth == 0)
    })
    .await;
    let id = format!("{:?}", answer.receipt.id);
    let receipt = network.dir().join("receipt.json");
    let got = network.nodes[3].touchstone(&["receipt", "get", &id]);
    fs::write(&receipt, got.stdout).unwrap();
    let verify = |network: &Network| {
        let arguments = ["receipt", "verify", receipt.to_str().unwrap()];
        network.nodes[0].touchstone(&arguments)
    };

    // 2. It leaves: the seat is gone at once, the answers end, and it still validates.
    assert!(refused(&member).await.contains("NotLeaving"));
    let events = sent(&alice, pallet_consortium::Call::leave {}, &member).await;
    let is_leaving = |event: &RuntimeEvent| matches!(event, RuntimeEvent::Consortium(pallet_consortium::Event::NodeLeaving { node: left, .. }) if *left == node);
    assert!(events.iter().any(is_leaving));
    let members = network.nodes[0].touchstone(&["members", "--json"]);
    let members: Value = serde_json::from_slice(&members.stdout).unwrap();
    assert!(members.to_string().contains("Leaving"), "{members:#}");
    let seats: Vec<AccountId32> = alice
        .storage(
            &storage_key("Council", "Members"),
            alice.finalized().await.unwrap(),
        )
        .await
        .unwrap()
        .unwrap();
    assert_eq!(seats.len(), 3);
    assert!(!seats.contains(&account(&member)));
    let refusal = dave
        .client()
        .ask(question("Are you gone?"))
        .await
        .unwrap_err();
    assert_eq!(code(refusal), errors::NOT_A_WORKER);
    assert!(refused(&member).await.contains("StillValidator"));

    // 3. It keeps the node running until it is out of the validator set.
    until_true("dave does not validate any more", 300, async || {
        !validators(&alice).await.contains(&node)
    })
    .await;
    let since = alice.finalized_number().await.unwrap();
    network.nodes[3].kill();
    for index in 0..3 {
        network.wait_for_finalized(index, since + 5, 60).await;
    }
    assert!(!authors(&alice, since).await.contains(&Dave.public()));

    // 4. After the delay the bond comes back, and the member is forgotten. The stash may send this as well.
    let events = until("the bond is free", 120, async || {
        let sent = submit(&alice, withdraw().into(), &member, Until::Finalized).await;
        match sent {
            Ok(included) => Some(included.events),
            Err(e) => {
                assert!(e.to_string().contains("BondLocked"), "{e}");
                assert_eq!(
                    verify(&network).status.code(),
                    Some(0),
                    "the receipt still holds"
                );
                None
            }
        }
    })
    .await;
    for wanted in ["BondWithdrawn", "MemberLeft"] {
        assert!(
            format!("{events:?}").contains(wanted),
            "{wanted}: {events:?}"
        );
    }

    // The worker keys go with the node.
    let verdict = verify(&network);
    assert_eq!(verdict.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&verdict.stdout).contains("names no worker key"));
    network.check_finality().await;
}
