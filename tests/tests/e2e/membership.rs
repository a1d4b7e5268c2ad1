//! How members come and how they are stopped.

use codec::Decode;
use serde_json::Value;
use sp_consensus_babe::digests::PreDigest;
use sp_core::{Bytes, H256, Pair, sr25519};
use sp_keyring::Sr25519Keyring::{self, Alice, Bob, Charlie, Dave};
use std::collections::BTreeSet;
use touchstone_client::{
    Chain, calls,
    chain::storage_key,
    peer,
    submit::{RuntimeCall, Until, account, submit},
};
use touchstone_primitives::{
    AccountId32,
    consortium::{HardwareTier, NodeRole, NodeStatus, Roles},
    worker::WorkerSignature,
};
use touchstone_rpc::{InferenceClient, errors};
use touchstone_runtime::UNIT;
use touchstone_tests::{
    answers::{ask, question, wait_for_proof},
    council::motion,
    network::Network,
    node::Setup,
    wait::until_true,
};

/// BABE keys of those that authored the blocks after `from` up to the last final one.
async fn authors(chain: &Chain, from: u32) -> Vec<sr25519::Public> {
    let mut authors = Vec::new();
    for number in from + 1..=chain.finalized_number().await.unwrap() {
        let hash = chain.block_hash(number).await.unwrap().unwrap();
        let header = chain.header(hash).await.unwrap();
        let digest = header
            .digest
            .logs
            .iter()
            .find_map(|item| {
                let (engine, data) = item.as_pre_runtime()?;
                (engine == sp_consensus_babe::BABE_ENGINE_ID)
                    .then(|| PreDigest::decode(&mut &data[..]).unwrap())
            })
            .expect("every block says who made it");
        // The index refers to the epoch in force when the block began, so to the state of its parent.
        let key = storage_key("Babe", "Authorities");
        let known: Vec<(sr25519::Public, u64)> = chain
            .storage(&key, header.parent_hash)
            .await
            .unwrap()
            .unwrap();
        // The first block of an epoch is made under the new set already.
        let next: Vec<(sr25519::Public, u64)> = chain.storage(&key, hash).await.unwrap().unwrap();
        let set = if known == next { known } else { next };
        authors.push(set[digest.authority_index() as usize].0);
    }
    authors
}

async fn sent(chain: &Chain, call: RuntimeCall, signer: &sr25519::Pair) {
    submit(chain, call, signer, Until::Finalized).await.unwrap();
}

fn consortium(call: pallet_consortium::Call<touchstone_runtime::Runtime>) -> RuntimeCall {
    RuntimeCall::Consortium(call)
}

fn bytes(value: &Value) -> Vec<u8> {
    serde_json::from_value::<Bytes>(value.clone()).unwrap().0
}

#[tokio::test]
async fn a_fifth_member_is_admitted_and_authors_while_a_suspended_one_stops() {
    let mut network = Network::local("membership").await;
    let alice = network.chain(0).await;
    let (eve, stash) = (
        Sr25519Keyring::Eve.pair(),
        sr25519::Pair::from_string("//Eve//stash", None).unwrap(),
    );

    // The new organisation prepares its node and its application with the program that it is given.
    let index = network.add(Setup::new("eve", 5, "local").with("--validator --engine dummy"));
    network.follow(index).await;
    let eves = network.chain(index).await;
    until_true("eve's node is in sync", 90, async || {
        eves.health()
            .await
            .is_ok_and(|health| !health.is_syncing && health.best > 0)
    })
    .await;
    let file = network.dir().join("join.json");
    let (url, node) = (network.nodes[index].url(), account(&stash).to_string());
    let join = crate::cli::run(&[
        "--url",
        &url,
        "join",
        "--legal-name",
        "Eve Research",
        "--jurisdiction",
        "NO",
        "--suri",
        "//Eve",
        "--node",
        &node,
        "--keystore",
        network.nodes[index].keystore().to_str().unwrap(),
        "--address",
        &network.nodes[index].listen_address(),
    ]);
    assert!(
        join.status.success(),
        "{}",
        String::from_utf8_lossy(&join.stderr)
    );
    std::fs::write(&file, &join.stdout).unwrap();
    let check = [
        "--url",
        &url,
        "join",
        "check",
        file.to_str().unwrap(),
        "--legal-name",
        "Eve Research",
    ];
    assert!(crate::cli::run(&check).status.success());
    let altered = String::from_utf8_lossy(&join.stdout).replace("\"NO\"", "\"SE\"");
    std::fs::write(&file, altered).unwrap();
    assert!(
        !crate::cli::run(&check).status.success(),
        "an altered application is found out"
    );
    let joined: Value = serde_json::from_slice(&join.stdout).unwrap();
    let application = &joined["application"];

    // Nobody has admitted it yet, so its worker may not sign.
    let refusal = eves.client().ask(question("Too early?")).await.unwrap_err();
    assert_eq!(code(refusal), errors::NOT_A_WORKER);

    // The council admits it.
    let legal_name_hash: H256 =
        serde_json::from_value(application["legalNameHash"].clone()).unwrap();
    let member = account(&eve);
    sent(
        &alice,
        consortium(pallet_consortium::Call::apply {
            member: member.clone(),
            legal_name_hash,
            jurisdiction: *b"NO",
        }),
        &Alice.pair(),
    )
    .await;
    let admit = consortium(pallet_consortium::Call::admit_member {
        member: member.clone(),
    });
    motion(&alice, admit, &[Alice, Bob, Charlie])
        .await
        .unwrap()
        .unwrap();

    // It registers its node with what it prepared, funds the stash, sets session keys and goes to work.
    let worker: H256 = serde_json::from_value(application["workerKey"].clone()).unwrap();
    let proof: [u8; 64] = bytes(&application["workerProof"]).try_into().unwrap();
    let register = pallet_consortium::Call::register_node {
        node: account(&stash),
        roles: Roles::of(&[NodeRole::Validator, NodeRole::Gateway]),
        tier: HardwareTier::Light,
        peer_id: peer::decode(application["peerId"].as_str().unwrap())
            .unwrap()
            .try_into()
            .unwrap(),
        addresses: Default::default(),
        worker_key: calls::worker_id(worker),
        proof: WorkerSignature::from(sr25519::Signature::from_raw(proof)),
        bond: 1_000 * UNIT,
    };
    sent(&alice, consortium(register), &eve).await;
    let fund = pallet_balances::Call::transfer_keep_alive {
        dest: account(&stash).into(),
        value: 200 * UNIT,
    };
    sent(&alice, RuntimeCall::Balances(fund), &eve).await;
    let keys = bytes(&application["sessionKeys"]);
    let set_keys = calls::set_session_keys(&keys, bytes(&application["sessionProof"])).unwrap();
    sent(&alice, set_keys, &stash).await;
    sent(
        &alice,
        consortium(pallet_consortium::Call::activate_node {
            node: account(&stash),
        }),
        &eve,
    )
    .await;
    let answer = ask(&eves, "Do you sign now?").await;

    // Meanwhile another member is suspended: from the next block on it makes none, and its worker may not sign.
    let daves = network.chain(3).await;
    ask(&daves, "Before the suspension?").await;
    let suspend = consortium(pallet_consortium::Call::suspend_member {
        member: Dave.to_account_id(),
    });
    let suspended = motion(&alice, suspend, &[Alice, Bob, Charlie])
        .await
        .unwrap()
        .unwrap();
    let since = alice.header(suspended.block).await.unwrap().number;
    let head = alice.finalized().await.unwrap();
    let daves_node: AccountId32 = Sr25519Keyring::DaveStash.to_account_id();
    let info = alice.node(&daves_node, head).await.unwrap().unwrap();
    assert_ne!(
        info.status,
        NodeStatus::Active,
        "the node of a suspended member does not work"
    );
    until_true("dave's node refuses to answer", 30, async || {
        daves
            .client()
            .ask(question("And now?"))
            .await
            .is_err_and(|e| code(e) == errors::NOT_A_WORKER)
    })
    .await;
    let leave = consortium(pallet_consortium::Call::activate_node { node: daves_node });
    let refused = submit(&alice, leave, &Dave.pair(), Until::Finalized)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("Consortium("), "{refused}");

    // The new validator makes blocks from the session after the next; the suspended one made none all the time.
    let eves_key = sr25519::Public::from_raw(keys[..32].try_into().unwrap());
    until_true("eve has made a block", 300, async || {
        authors(&alice, since).await.contains(&eves_key)
    })
    .await;
    let makers: BTreeSet<_> = authors(&alice, since).await.into_iter().collect();
    assert!(
        !makers.contains(&Dave.public()),
        "a suspended validator has made a block"
    );
    assert!(makers.contains(&Alice.public()) || makers.contains(&Bob.public()));
    wait_for_proof(&eves, &answer).await;
    network.check_finality().await;
}

fn code(error: jsonrpsee::core::ClientError) -> i32 {
    touchstone_client::Error::of("inference_ask", error)
        .code()
        .unwrap_or_default()
}
