//! Answers of the memory with their proofs, as `tests/js/memory` verifies them: both sides are held to `tests/js/memory/vectors.json`.
//!
//! After a change of the rules write it anew: `REGENERATE=1 cargo test -p touchstone-primitives --test memory_vectors`.

use codec::Encode;
use serde_json::{Value as Json, json};
use sp_core::storage::StateVersion;
use sp_runtime::{Digest, DigestItem, generic, traits::BlakeTwo256};
use sp_state_machine::{InMemoryBackend, prove_read_on_trie_backend, read_proof_check};
use std::collections::BTreeMap;
use touchstone_primitives::{
    AccountId32, H256,
    memory::{
        Fragment, MAX_NAME, MAX_TEXT, State, Writer, key, namespace_id,
        tree::{self, Node, Proof, Step},
        value,
    },
    tagged_hash,
};

const FILE: &str = "../tests/js/memory/vectors.json";

fn hash(what: &str, n: u64) -> H256 {
    tagged_hash(what, &[&n.to_le_bytes()])
}

fn as_hex(bytes: impl AsRef<[u8]>) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// A namespace at one version, with all that a node keeps of it.
struct Namespace {
    state: State,
    nodes: BTreeMap<H256, Node>,
    fragments: Vec<(H256, H256, Fragment)>,
}

impl Namespace {
    fn new(name: &str, version: u64, fragments: impl Iterator<Item = Fragment>) -> Self {
        let namespace = namespace_id(name);
        let fragments: Vec<_> = fragments
            .zip(0..)
            .map(|(fragment, n)| (hash("id", n), hash("salt", n), fragment))
            .collect();
        let leaves: Vec<_> = fragments
            .iter()
            .map(|(id, salt, fragment)| (key(&namespace, id), Some(value(salt, fragment))))
            .collect();
        let update = tree::update(&BTreeMap::new(), tree::EMPTY, &leaves).unwrap();
        let state = State {
            namespace,
            version,
            count: fragments.len() as u64,
            tree: update.root,
        };
        Self {
            state,
            nodes: update.written,
            fragments,
        }
    }

    /// What a node answers that shows these fragments and that nothing is at these ids.
    fn answer(&self, hits: &[usize], absent: &[H256]) -> Json {
        let namespace = &self.state.namespace;
        let ids = hits.iter().map(|at| self.fragments[*at].0);
        let keys: Vec<_> = ids
            .chain(absent.iter().copied())
            .map(|id| key(namespace, &id))
            .collect();
        let proof = tree::prove(&self.nodes, self.state.tree, &keys).unwrap();
        let found = tree::verify(&self.state.tree, &proof, &keys).unwrap();
        let hits: Vec<_> = hits
            .iter()
            .zip(found)
            .map(|(at, found)| {
                let (id, salt, fragment) = &self.fragments[*at];
                assert_eq!(found, Some(value(salt, fragment)));
                json!({ "id": id, "salt": salt, "fragment": fragment, "score": 0.5 })
            })
            .collect();
        json!({
            "state": self.state,
            "root": self.state.root(),
            "proof": as_hex(proof.encode()),
            "hits": hits,
            "absent": absent,
        })
    }
}

/// Fragments whose encodings have every length of prefix, scripts other than Latin, and the latest of times.
fn fragments(n: u64) -> impl Iterator<Item = Fragment> {
    (0..n).map(|i| match i {
        0 => Fragment {
            text: "Ein Prüfstein zeigt, ob Gold echt ist. 試金石 🪨 \u{feff}\0\n\"e\u{301}\""
                .into(),
            title: "Проба".into(),
            source: "https://münze.example/gold?q=1&r=2".into(),
            kind: "fact".into(),
            created: u64::MAX,
            labels: vec!["consented".into(), "χρυσός".into(), String::new()],
        },
        1 => Fragment::default(),
        2 => Fragment {
            text: "ü".repeat(MAX_TEXT / 2),
            title: "t".repeat(63),
            source: "s".repeat(64),
            kind: "k".repeat(MAX_NAME),
            created: (1 << 53) + 1,
            ..Fragment::default()
        },
        _ => Fragment {
            text: format!("Passage {i}. ").repeat(i as usize % 20),
            title: format!("Document {}", i / 10),
            source: format!("/usr/share/doc/lydite/{i}.md"),
            kind: "text".into(),
            created: 1_764_300_000_000 + i,
            labels: (0..i % 4).map(|n| format!("label {n}")).collect(),
        },
    })
}

fn map_key(pallet: &str, item: &str) -> Vec<u8> {
    let (pallet, item) = (pallet.as_bytes(), item.as_bytes());
    [
        sp_crypto_hashing::twox_128(pallet),
        sp_crypto_hashing::twox_128(item),
    ]
    .concat()
}

/// Where the chain keeps the root of a version.
fn root_key(namespace: &H256, version: u64) -> Vec<u8> {
    let version = version.to_le_bytes();
    let hashed = sp_crypto_hashing::twox_64(&version);
    [
        map_key("Memory", "Roots").as_slice(),
        namespace.as_bytes(),
        &hashed,
        &version,
    ]
    .concat()
}

/// What the chain keeps there, of which the state comes first.
fn root_value(state: &State) -> Vec<u8> {
    let writer = Writer::Node(AccountId32::new([7; 32]));
    let snapshot = (state.version % 8 == 0).then(|| format!("snapshot {}", state.version));
    (
        state,
        hash("batch", state.version),
        Some(writer),
        100_u32,
        snapshot,
    )
        .encode()
}

/// The state of a chain that keeps these versions, among much else.
fn chain(states: &[State]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut storage = BTreeMap::from([
        (b":code".to_vec(), vec![1; 10_000]),
        (b":extrinsic_index".to_vec(), 1_u32.encode()),
        (map_key("Timestamp", "Now"), 1_764_300_000_000_u64.encode()),
        (map_key("Memory", ":__STORAGE_VERSION__:"), 0_u16.encode()),
    ]);
    for n in 0..2_000 {
        let account = hash("account", n);
        let hashed = sp_crypto_hashing::blake2_128(account.as_bytes());
        let key = [
            &map_key("System", "Account")[..],
            &hashed,
            account.as_bytes(),
        ]
        .concat();
        storage.insert(key, [1; 80].to_vec());
        let block = hash("block", n).encode();
        let number = (n as u32).encode();
        let hashed = sp_crypto_hashing::twox_64(&number);
        let key = [&map_key("System", "BlockHash")[..], &hashed, &number].concat();
        storage.insert(key, block);
    }
    for n in 0..200 {
        for version in n..n + 1 + n % 64 {
            let namespace = namespace_id(&format!("namespace {n}"));
            let state = State {
                version,
                count: n,
                tree: hash("tree", version),
                ..State::empty(namespace)
            };
            storage.insert(root_key(&namespace, version), root_value(&state));
            let key = [&map_key("Memory", "Namespaces")[..], namespace.as_bytes()].concat();
            storage.insert(key, vec![2; 200]);
        }
    }
    for state in states {
        storage.insert(root_key(&state.namespace, state.version), root_value(state));
    }
    storage
}

type Backend = InMemoryBackend<BlakeTwo256>;

/// What `state_getReadProof` gives for a key: the nodes that lead there.
fn read_proof(backend: &Backend, key: &[u8]) -> Vec<String> {
    let proof = prove_read_on_trie_backend(backend, [key]).unwrap();
    read_proof_check::<BlakeTwo256, _>(*backend.root(), proof.clone(), [key]).unwrap();
    proof.into_iter_nodes().map(as_hex).collect()
}

fn answers() -> Json {
    let large = "touchstone/lydite";
    let old = Namespace::new(large, 69, fragments(999));
    let new = Namespace::new(large, 70, fragments(1000));
    let single = Namespace::new("touchstone/single", 1, fragments(1));
    let pair = Namespace::new("münze", u64::MAX, fragments(2));
    let empty = Namespace::new("touchstone/empty", 0, fragments(0));
    let missing: Vec<_> = (5000..5003).map(|n| hash("id", n)).collect();

    let retained = (7..69).map(|version| State {
        version,
        tree: hash("tree", version),
        ..old.state
    });
    let current = [&old, &new, &single, &pair, &empty].map(|namespace| namespace.state);
    let states: Vec<_> = retained.chain(current).collect();
    let backend = Backend::from((chain(&states), StateVersion::V1));

    let header = generic::Header::<u32, BlakeTwo256> {
        parent_hash: hash("parent", 0),
        number: 123_456,
        state_root: *backend.root(),
        extrinsics_root: hash("extrinsics", 0),
        digest: Digest {
            logs: vec![
                DigestItem::PreRuntime(*b"BABE", vec![1; 100]),
                DigestItem::Consensus(*b"BABE", vec![2; 41]),
                DigestItem::Seal(*b"BABE", vec![3; 64]),
            ],
        },
    };
    let block = header.hash();

    let some: Vec<_> = (0..1000).step_by(199).collect();
    let answers = [
        ("a search", &new, vec![0, 2, 500, 731, 999], vec![]),
        ("one fragment", &new, vec![0], vec![]),
        ("an empty fragment", &new, vec![1], vec![]),
        ("nothing at three ids", &new, vec![], missing.clone()),
        ("fragments and gaps", &new, some, missing.clone()),
        (
            "the version before",
            &old,
            vec![0, 3],
            vec![hash("id", 999)],
        ),
        ("the only fragment", &single, vec![0], vec![]),
        ("beside the only fragment", &single, vec![], missing.clone()),
        ("two fragments", &pair, vec![1, 0], vec![]),
        ("nothing in an empty namespace", &empty, vec![], missing),
        ("no question", &new, vec![], vec![]),
    ]
    .map(|(name, namespace, hits, absent)| {
        let State {
            namespace: id,
            version,
            ..
        } = namespace.state;
        let key = root_key(&id, version);
        json!({
            "name": name,
            "answer": namespace.answer(&hits, &absent),
            "key": as_hex(&key),
            "storageProof": { "at": block, "proof": read_proof(&backend, &key) },
        })
    });

    let (id, salt, fragment) = &new.fragments[3];
    let namespace = new.state.namespace;
    // A version that the chain does not keep any more, and the proof that it does not.
    let gone = root_key(&namespace, 6);
    json!({
        "header": header,
        "blockHash": block,
        "answers": answers,
        "forgotten": {
            "version": 6,
            "storageProof": { "at": block, "proof": read_proof(&backend, &gone) },
        },
        "example": {
            "name": large,
            "namespace": namespace,
            "id": id,
            "key": key(&namespace, id),
            "salt": salt,
            "fragment": fragment,
            "encoded": as_hex(fragment.encode()),
            "value": value(salt, fragment),
            "state": new.state,
            "root": new.state.root(),
            "storageKey": as_hex(root_key(&namespace, new.state.version)),
        },
    })
}

/// What the rules say of a proof.
fn judged(name: &str, root: H256, proof: &[Step], keys: &[H256]) -> Json {
    let proof = Proof(proof.to_vec());
    let mut case = json!({
        "name": name,
        "root": root,
        "proof": as_hex(proof.encode()),
        "keys": keys,
    });
    match tree::verify(&root, &proof, keys) {
        Ok(found) => case["found"] = json!(found),
        Err(error) => case["error"] = format!("{error:?}").into(),
    }
    case
}

fn trees() -> Vec<Json> {
    let mut cases = Vec::new();
    let leaf = |key| (key, hash("value", 0));
    let build = |keys: &[H256]| {
        let leaves: Vec<_> = keys.iter().map(|key| (*key, Some(leaf(*key).1))).collect();
        tree::update(&BTreeMap::new(), tree::EMPTY, &leaves).unwrap()
    };
    let keys: Vec<_> = (0..60).map(|n| hash("key", n)).collect();

    for n in [0, 1, 2, 3, 50] {
        let tree = build(&keys[..n]);
        for asked in [&keys[..1], &keys[1..2], &keys[40..60]] {
            let proof = tree::prove(&tree.written, tree.root, asked).unwrap();
            cases.push(judged(&format!("{n} leaves"), tree.root, &proof.0, asked));
            let other = &keys[30..31];
            cases.push(judged("another key", tree.root, &proof.0, other));
        }
    }

    // Two keys that part at the last bit, and one that leaves their path in the middle.
    let (low, mut high, mut aside) = (H256::zero(), H256::zero(), H256::zero());
    high.0[31] = 1;
    aside.0[16] = 1;
    let deep = build(&[low, high]);
    let proof = tree::prove(&deep.written, deep.root, &[low]).unwrap();
    for key in [low, aside, high] {
        cases.push(judged("as deep as can be", deep.root, &proof.0, &[key]));
    }
    let mut deeper = vec![Step::Branch; 257];
    deeper.extend([Step::Empty; 258]);
    cases.push(judged("deeper than can be", deep.root, &deeper, &[low]));
    cases.push(judged(
        "branches only",
        deep.root,
        &[Step::Branch; 300],
        &[low],
    ));
    cases.push(judged("no step", deep.root, &[], &[low]));

    // Roots that were made of what no tree is.
    let (left, right) = (Node::Leaf(low, leaf(low).1), Node::Leaf(high, leaf(high).1));
    let root = Node::Branch(left.hash(), right.hash()).hash();
    let (left, right) = (Step::Leaf(low, leaf(low).1), Step::Leaf(high, leaf(high).1));
    let steps = [Step::Branch, left, right];
    cases.push(judged("a leaf off its path", root, &steps, &[low]));
    cases.push(judged("all hidden", root, &[Step::Hash(root)], &[low]));
    let hidden = [Step::Hash(tree::EMPTY)];
    cases.push(judged("hidden emptiness", tree::EMPTY, &hidden, &[low]));
    cases.push(judged("zero as a root", tree::EMPTY, &[left], &[low]));

    // Every small change of a good proof.
    let tree = build(&keys[..6]);
    let good = tree::prove(&tree.written, tree.root, &keys[..2]).unwrap().0;
    for at in 0..good.len() {
        let (mut less, mut more, mut swapped, mut hidden) =
            (good.clone(), good.clone(), good.clone(), good.clone());
        less.remove(at);
        more.insert(at, good[at]);
        swapped.swap(at, (at + 1) % good.len());
        hidden[at] = match good[at] {
            Step::Leaf(key, value) => Step::Hash(Node::Leaf(key, value).hash()),
            _ => Step::Hash(tree::EMPTY),
        };
        for (name, steps) in [
            ("a step less", less),
            ("a step twice", more),
            ("steps swapped", swapped),
            ("a step hidden", hidden),
        ] {
            cases.push(judged(name, tree.root, &steps, &keys[..2]));
        }
    }
    cases
}

/// Small tries with every kind of node: values inline and hashed, in leaves and branches, on short and on long paths.
fn storage() -> Vec<Json> {
    let long = |at: usize| [vec![0xab; at], vec![0xcd; 400 - at]].concat();
    let pairs: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::from([
        (b"a".to_vec(), vec![1; 5]),
        (b"ab".to_vec(), vec![2; 50]),
        (b"abc".to_vec(), vec![3; 33]),
        (b"abd".to_vec(), vec![4; 32]),
        (b"abcd".to_vec(), vec![]),
        (b"q".to_vec(), vec![5; 1000]),
        (long(31), vec![6; 40]),
        (long(200), vec![7; 3]),
        (long(399), vec![8; 70]),
        (long(400), vec![9; 31]),
    ]);
    let absent = [&b""[..], b"abcde", b"abx", b"b", &[0xab; 300]];
    let mut cases = Vec::new();
    for version in [StateVersion::V0, StateVersion::V1] {
        for pairs in [pairs.clone(), BTreeMap::new()] {
            let backend = Backend::from((pairs.clone(), version));
            let keys = pairs.keys().map(Vec::as_slice).chain(absent);
            cases.extend(keys.map(|key| {
                json!({
                    "root": backend.root(),
                    "key": as_hex(key),
                    "value": pairs.get(key).map(as_hex),
                    "proof": read_proof(&backend, key),
                })
            }));
        }
    }
    cases
}

#[test]
fn the_javascript_verifier_is_held_to_what_the_rules_make() {
    let mut made = answers();
    made["trees"] = trees().into();
    made["storage"] = storage().into();
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    if std::env::var_os("REGENERATE").is_some() {
        std::fs::write(&file, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
    }
    let kept: Json = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert!(
        kept == made,
        "{} is not what the rules make; see the head of this test",
        file.display()
    );
}
