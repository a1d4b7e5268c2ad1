//! Memory on real nodes: ingested through one, replicated to all, proven by any; lost nodes, lost races, deletion, and what a node may not read.

use serde_json::Value;
use sp_core::{H256, Pair, sr25519};
use sp_keyring::Sr25519Keyring::BobStash;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};
use touchstone_client::Chain;
use touchstone_primitives::memory::{
    Fragment, State, Write, answer::Opened, key, namespace_id, value,
};
use touchstone_rpc::{MemoryChange, MemoryClient};
use touchstone_tests::{
    network::{FOUNDERS, Network},
    node::Node,
    wait::until,
};

const NAME: &str = "topic/stones";
const SECRET: &str = "Heliotrope is green with drops of red.";

fn run(node: &Node, arguments: &[&str]) -> Output {
    let output = node.touchstone(arguments);
    println!(
        "touchstone {}: {:?}\n{}{}",
        arguments.join(" "),
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn succeed(node: &Node, arguments: &[&str]) -> String {
    let output = run(node, arguments);
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A put with an id of its own, as a client signs it.
fn put(suri: &str, n: u64, text: &str) -> MemoryChange {
    let signer = sr25519::Pair::from_string(suri, None).unwrap();
    let (namespace, id) = (namespace_id(NAME), H256::from_low_u64_be(n));
    let fragment = Fragment {
        text: text.into(),
        title: format!("note {n}"),
        ..Fragment::default()
    };
    let salt = H256::random();
    let (key, value) = (key(&namespace, &id), value(&salt, &fragment));
    let message = Write::message(&namespace, &key, None, Some(&value));
    MemoryChange {
        write: Write {
            namespace,
            key,
            previous: None,
            value: Some(value),
            contributor: signer.public().0.into(),
            signature: signer.sign(message.as_bytes()),
        },
        content: Some(Opened { id, salt, fragment }),
    }
}

async fn send(chain: &Chain, changes: Vec<MemoryChange>) -> State {
    let put = chain.client().put(NAME.into(), changes, None).await;
    put.unwrap().state
}

/// Waits until this node holds what finalised state has, and so many fragments.
async fn holds(chain: &Chain, name: &str, count: u64) -> State {
    let id = namespace_id(name);
    until("the node holds what is final", 180, async || {
        let head = chain.finalized().await.ok()?;
        let info = chain.namespace(id, head).await.ok()??;
        let all = MemoryClient::namespaces(chain.client()).await.ok()?;
        let held = all.into_iter().find(|n| n.chain.id == id)?.held?;
        let is_here = held.anchored == Some(info.state.version) && held.state == info.state;
        (is_here && info.state.count == count).then_some(info.state)
    })
    .await
}

/// The file of a node's memory.
fn memory_of(node: &Node) -> PathBuf {
    let chains = node.base().join("chains");
    let mut folders = fs::read_dir(&chains).unwrap();
    folders.next().unwrap().unwrap().path().join("memory")
}

/// Whether any file of the node's memory has these bytes.
fn remembers(node: &Node, text: &str) -> bool {
    let file = memory_of(node);
    ["", "-wal", "-shm"].iter().any(|suffix| {
        let bytes = fs::read(format!("{}{suffix}", file.display())).unwrap_or_default();
        bytes.windows(text.len()).any(|w| w == text.as_bytes())
    })
}

fn corpus(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let documents = [
        (
            "touchstone.md",
            "# Touchstone\n\nA touchstone is a dark stone on which gold is tested: the streak that it leaves shows how pure it is.",
        ),
        (
            "pumice.txt",
            "Pumice is a volcanic glass that is so full of bubbles that it floats on water.",
        ),
        (
            "opal.html",
            "<html><body><h1>Opal</h1><script>steal()</script><p>Opal is hydrated silica and shows a play of colour.</p></body></html>",
        ),
        ("heliotrope.txt", SECRET),
    ];
    for (name, text) in documents {
        fs::write(folder.join(name), text).unwrap();
    }
}

#[tokio::test]
async fn fragments_are_replicated_proven_rebuilt_and_really_deleted() {
    let mut network = Network::local("memory").await;
    let mut chains = Vec::new();
    for index in 0..FOUNDERS.len() {
        chains.push(network.chain(index).await);
    }
    let folder = network.dir().join("corpus");
    corpus(&folder);
    let folder = folder.to_str().unwrap();
    let create = [
        "memory",
        "create",
        "--namespace",
        NAME,
        "--writers",
        "nodes",
        "--suri",
        "//Alice",
    ];
    succeed(&network.nodes[0], &create);
    let ingest = [
        "memory",
        "ingest",
        "--namespace",
        NAME,
        "--suri",
        "//Alice",
        "--wait-finalized",
        folder,
    ];
    succeed(&network.nodes[0], &ingest);
    let again = run(&network.nodes[0], &ingest);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(said.contains("4 documents were there"), "{said}");

    // Every node has it, found and proven through each of them.
    for chain in &chains {
        holds(chain, NAME, 4).await;
    }
    let saved = network.dir().join("found.json");
    let saved = saved.to_str().unwrap();
    let search = [
        "memory",
        "search",
        "--namespace",
        NAME,
        "--save",
        saved,
        "what is gold tested on?",
    ];
    for node in &network.nodes {
        let found = succeed(node, &search);
        assert!(
            found.contains("dark stone") && found.contains('✓'),
            "{found}"
        );
    }
    succeed(&network.nodes[1], &["memory", "verify", "--online", saved]);
    let text = fs::read_to_string(saved).unwrap();
    fs::write(saved, text.replace("dark stone", "bright stone")).unwrap();
    let altered = run(&network.nodes[1], &["memory", "verify", saved]);
    assert_eq!(altered.status.code(), Some(1));

    // A question is answered with it; the receipt names the root.
    let answer = network.dir().join("answer.json");
    let answer = answer.to_str().unwrap();
    let ask = [
        "ask",
        "--memory",
        NAME,
        "--max-tokens",
        "8",
        "--save",
        answer,
        "what is gold tested on?",
    ];
    succeed(&network.nodes[2], &ask);
    let verified = succeed(&network.nodes[2], &["receipt", "verify", "--wait", answer]);
    assert!(verified.contains("memory"), "{verified}");

    // Somebody without the right.
    let stranger = [
        "memory",
        "ingest",
        "--namespace",
        NAME,
        "--suri",
        "//Ferdie",
        saved,
    ];
    let refused = run(&network.nodes[0], &stranger);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("may not write"));

    // Two nodes are told different things at the same time: one wins, the other puts its own on top.
    let (alice, bob) = (&chains[0], &chains[1]);
    tokio::join!(
        send(
            alice,
            vec![
                put("//Alice", 100, "Jade is tough."),
                put("//Alice", 102, "from alice")
            ]
        ),
        send(
            bob,
            vec![
                put("//Alice", 101, "Agate is banded."),
                put("//Bob", 102, "from bob")
            ]
        )
    );
    // Three of four fit; of the two for one place one is kept and the other waits for its writer.
    for chain in &chains {
        holds(chain, NAME, 7).await;
    }
    let mut lost = 0;
    for chain in [alice, bob] {
        lost += chain
            .client()
            .history(NAME.into())
            .await
            .unwrap()
            .conflicts
            .len();
    }
    assert_eq!(lost, 1, "the write that lost is kept");

    // A node is killed as soon as a write is durable, and goes on with it.
    send(&chains[3], vec![put("//Dave", 103, "Obsidian is glass.")]).await;
    network.nodes[3].kill();
    chains[3] = network.restart(3).await;
    for chain in &chains {
        holds(chain, NAME, 8).await;
    }

    // A node that lost its memory gets it from the others, and proves the same root.
    network.nodes[3].kill();
    let file = memory_of(&network.nodes[3]);
    let rebuild = ["memory", "rebuild", "--file", file.to_str().unwrap()];
    succeed(&network.nodes[0], &rebuild);
    assert!(!file.exists());
    chains[3] = network.restart(3).await;
    let state = holds(&chains[3], NAME, 8).await;
    let ids: Vec<H256> = (100..106).map(H256::from_low_u64_be).collect();
    let got = chains[3]
        .client()
        .get(NAME.into(), ids, None)
        .await
        .unwrap();
    assert_eq!(got.verify(), Ok(()));
    assert_eq!((got.state, got.hits.len()), (state, 4));

    // Deleted here is deleted everywhere, provably and really.
    let find = [
        "memory",
        "search",
        "--namespace",
        NAME,
        "--json",
        "heliotrope green red",
    ];
    let found: Value = serde_json::from_str(&succeed(&network.nodes[0], &find)).unwrap();
    let id = found["result"]["hits"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for node in &network.nodes {
        assert!(remembers(node, SECRET), "{} does not have it", node.name());
    }
    let delete = [
        "memory",
        "delete",
        "--namespace",
        NAME,
        "--suri",
        "//Alice",
        "--wait-finalized",
        &id,
    ];
    succeed(&network.nodes[0], &delete);
    for (node, chain) in network.nodes.iter().zip(&chains) {
        holds(chain, NAME, 7).await;
        assert!(!remembers(node, SECRET), "{} still has it", node.name());
        let got = succeed(node, &["memory", "get", "--namespace", NAME, &id]);
        assert!(got.contains("is not there") && got.contains('✓'), "{got}");
    }
    network.check_finality().await;
}

#[tokio::test]
async fn a_person_s_memory_is_read_by_nobody_without_its_key() {
    let mut network = Network::local("memory-sealed").await;
    let (alice, bob) = (network.chain(0).await, network.chain(1).await);
    let name = "user/eve";
    let (node, other) = (&network.nodes[1], &network.nodes[2]);
    let diary = network.dir().join("diary.txt");
    fs::write(&diary, SECRET).unwrap();
    let secret = network.dir().join("eve.key");
    fs::write(&secret, "//Eve").unwrap();
    let (diary, secret) = (diary.to_str().unwrap(), secret.to_str().unwrap());
    let eve = sp_keyring::Sr25519Keyring::Eve.to_account_id().to_string();
    let bob_stash = BobStash.to_account_id().to_string();
    let create = [
        "memory",
        "create",
        "--namespace",
        name,
        "--kind",
        "user",
        "--visibility",
        "granted",
        "--writers",
        "owner",
        "--owner",
        "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
        "--suri",
        "//Alice",
    ];
    succeed(node, &create);
    // The member who created it grants one node a copy, and hands it over to its owner by way of the chain's own call.
    let grant = [
        "memory",
        "grant",
        "--namespace",
        name,
        "--account",
        &bob_stash,
        "--hold",
        "--suri",
        "//Alice",
    ];
    succeed(node, &grant);
    let transfer = [
        "memory",
        "transfer",
        "--namespace",
        name,
        "--to",
        &eve,
        "--suri",
        "//Alice",
    ];
    succeed(node, &transfer);
    let ingest = [
        "memory",
        "ingest",
        "--namespace",
        name,
        "--sealed",
        "--key-file",
        secret,
        "--wait-finalized",
        diary,
    ];
    // A node that was not granted it takes nothing.
    assert!(!run(other, &ingest).status.success());
    succeed(node, &ingest);
    holds(&bob, name, 1).await;
    assert!(!remembers(node, SECRET), "it is readable on disk");
    let with = [
        "memory",
        "search",
        "--namespace",
        name,
        "--seal-key-file",
        secret,
        "green",
    ];
    assert!(succeed(node, &with).contains("Heliotrope"));
    let without = run(node, &["memory", "search", "--namespace", name, "green"]);
    assert!(!without.status.success());
    assert!(String::from_utf8_lossy(&without.stderr).contains("sealed"));
    // Others do not even hold it.
    let all = MemoryClient::namespaces(alice.client()).await.unwrap();
    assert!(
        all.iter()
            .find(|n| n.chain.name == name)
            .unwrap()
            .held
            .is_none()
    );
    let wrong = network.dir().join("mallory.key");
    fs::write(&wrong, "//Mallory").unwrap();
    let wrong = wrong.to_str().unwrap();
    let with_wrong = [
        "memory",
        "search",
        "--namespace",
        name,
        "--seal-key-file",
        wrong,
        "green",
    ];
    assert!(!run(node, &with_wrong).status.success());
}
