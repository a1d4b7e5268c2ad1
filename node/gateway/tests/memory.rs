//! Memory behind the doors: who may write and read, what comes with a proof, and what a question is answered with.

mod support;

use futures::future::BoxFuture;
use parking_lot::Mutex;
use sp_core::{Pair, sr25519};
use std::sync::Arc;
use support::*;
use touchstone_gateway::{Ask, Client, Memory, Refusal, SendCommit};
use touchstone_inference::{DummyEngine, Engine};
use touchstone_memory::Store;
use touchstone_primitives::{
    AccountId32, H256,
    apis::{NamespaceInfo, RootInfo},
    memory::{
        Commit, Fragment, Kind, State, Visibility, Write, Writer, Writers,
        answer::{Opened, cite},
        key, namespace_id, value,
    },
    request::{Message, Role},
};
use touchstone_rpc::{
    AskAnswer, AskMemory, AskRequest, MemoryChange, MemorySearch, Remembered, SignedCommit, errors,
};

const NAME: &str = "topic/stones";

#[derive(Default)]
struct Sent(Mutex<Vec<Commit>>);

impl SendCommit for Sent {
    fn send(
        &self,
        commit: Commit,
        _: Writer,
        _: u32,
        _: sr25519::Signature,
    ) -> BoxFuture<'_, Result<(), String>> {
        self.0.lock().push(commit);
        Box::pin(async { Ok(()) })
    }
}

struct World {
    gateway: Gateway,
    memory: Arc<Memory>,
    sent: Arc<Sent>,
    writer: sr25519::Pair,
    _folder: tempfile::TempDir,
}

fn account(pair: &sr25519::Pair) -> AccountId32 {
    pair.public().0.into()
}

/// A namespace on chain that its owner writes to.
fn world(writers: Writers, visibility: Visibility) -> World {
    let engine: Arc<dyn Engine> = Arc::new(DummyEngine::new());
    let gateway = gateway_with(Some(engine.clone()), generous());
    let writer = sr25519::Pair::from_seed(&[1; 32]);
    let id = namespace_id(NAME);
    gateway.chain.0.lock().namespaces.push(NamespaceInfo {
        id,
        name: NAME.into(),
        kind: Kind::Topic,
        owner: account(&writer),
        writers,
        visibility,
        granted: Vec::new(),
        state: State::empty(id),
        root: State::empty(id).root(),
        bytes: 0,
        block: 1,
    });
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(&folder.path().join("memory")).unwrap());
    let sent = Arc::new(Sent::default());
    let memory = Memory::new(
        store,
        gateway.chain.clone(),
        Some(engine),
        gateway.answerer.keystore().clone(),
        sent.clone(),
        generous(),
    );
    gateway.answerer.set_memory(memory.clone());
    World {
        gateway,
        memory,
        sent,
        writer,
        _folder: folder,
    }
}

fn put(writer: &sr25519::Pair, n: u64, text: &str) -> MemoryChange {
    let (namespace, id) = (namespace_id(NAME), H256::from_low_u64_be(n));
    let fragment = Fragment {
        text: text.into(),
        title: format!("stone {n}"),
        source: "stones.md".into(),
        kind: "text".into(),
        ..Fragment::default()
    };
    let salt = H256::from_low_u64_be(n + 1000);
    let (key, value) = (key(&namespace, &id), value(&salt, &fragment));
    let message = Write::message(&namespace, &key, None, Some(&value));
    MemoryChange {
        write: Write {
            namespace,
            key,
            previous: None,
            value: Some(value),
            contributor: account(writer),
            signature: writer.sign(message.as_bytes()),
        },
        content: Some(Opened { id, salt, fragment }),
    }
}

impl World {
    fn fill(&self, key: Option<&H256>) {
        let changes = vec![
            put(
                &self.writer,
                1,
                "A touchstone is a dark stone that gold is tested on.",
            ),
            put(&self.writer, 2, "Pumice is a stone that floats on water."),
        ];
        self.memory.put(NAME, changes, key).unwrap();
    }

    /// What the chain and the keeper do once a commit is final.
    fn anchor(&self) -> State {
        let id = namespace_id(NAME);
        let (state, _) = self.memory.store().state(&id, None).unwrap();
        self.memory
            .store()
            .set_anchored(&id, state.version, block_hash(3))
            .unwrap();
        let mut chain = self.gateway.chain.0.lock();
        chain.namespaces[0].state = state;
        chain.namespaces[0].root = state.root();
        chain.roots.push(RootInfo {
            state,
            root: state.root(),
            batch: H256::zero(),
            writer: None,
            block: 3,
            snapshot: None,
        });
        state
    }

    fn search(&self, query: &str) -> Result<touchstone_rpc::MemoryAnswer, Refusal> {
        self.memory.search(&MemorySearch {
            namespace: NAME.into(),
            query: query.into(),
            ..MemorySearch::default()
        })
    }

    async fn ask(&self, memory: AskMemory) -> Result<AskAnswer, Refusal> {
        let ask = Ask {
            request: AskRequest {
                memory: Some(memory),
                ..ask("what is gold tested on?").request
            },
            ..Ask::default()
        };
        let running = self.gateway.answerer.start(ask, Client::Unknown).await?;
        running.finish().await
    }
}

fn from_memory() -> AskMemory {
    AskMemory {
        namespace: NAME.into(),
        ..AskMemory::default()
    }
}

#[tokio::test]
async fn a_question_is_answered_with_proven_passages_that_the_receipt_names() {
    let world = world(Writers::Owner, Visibility::Public);
    world.fill(None);
    let state = world.anchor();
    let answer = world.ask(from_memory()).await.unwrap();
    let recalled = answer.memory.unwrap();
    assert_eq!(recalled.verify(), Ok(()));
    assert_eq!(recalled.hits[0].id, H256::from_low_u64_be(1));
    assert_eq!(recalled.block.unwrap().number, 3);
    let body = answer.receipt.receipt().unwrap().wrapper().body.clone();
    assert_eq!(body.memory_root, Some(state.root()));
    // Whoever has question and passages makes the same query hash.
    let request = AskRequest {
        client_nonce: Some(body.client_nonce),
        ..ask("what is gold tested on?").request
    };
    let mut request = request.canonical(H256::zero()).unwrap();
    assert_ne!(request.hash(), body.query_hash);
    request.messages = cite(request.messages, &recalled.hits).0;
    assert_eq!(request.hash(), body.query_hash);
    assert_eq!(request.messages[0].role, Role::System);
    assert!(request.messages[0].content.contains("[1] stone 1"));
    let question = Message {
        role: Role::User,
        content: "what is gold tested on?".into(),
    };
    assert_eq!(request.messages[1], question);
}

#[tokio::test]
async fn memory_that_the_chain_does_not_vouch_for_is_not_used() {
    let world = world(Writers::Owner, Visibility::Public);
    world.fill(None);
    // Nothing is anchored yet.
    let refusal = world.ask(from_memory()).await.unwrap_err();
    assert_eq!(refusal.code, errors::UNKNOWN_VERSION, "{refusal}");
    // The chain has another root for this version: the node holds what nobody committed.
    world.anchor();
    world.gateway.chain.0.lock().roots[0].root = H256::repeat_byte(1);
    let refusal = world.ask(from_memory()).await.unwrap_err();
    assert_eq!(refusal.code, errors::UNKNOWN_VERSION, "{refusal}");
    assert!(refusal.message.contains("another root"), "{refusal}");
}

#[tokio::test]
async fn a_caller_that_signs_is_remembered_and_others_are_refused_before_the_answer() {
    let world = world(Writers::Owner, Visibility::Public);
    world.fill(None);
    world.anchor();
    let remember = vec![put(&world.writer, 3, "The caller likes basalt.")];
    let asked = AskMemory {
        remember,
        ..from_memory()
    };
    let manifests: Vec<_> = world
        .gateway
        .answerer
        .models()
        .into_iter()
        .map(|m| m.manifest)
        .collect();
    let answer = world.ask(asked).await.unwrap();
    let Some(Remembered::Stored(state)) = answer.remembered else {
        panic!("{:?}", answer.remembered);
    };
    assert_eq!((state.state.version, state.state.count), (2, 3));
    // What is told in a dialogue goes to memory and nowhere else: the weights are the ones from before.
    let after: Vec<_> = world
        .gateway
        .answerer
        .models()
        .into_iter()
        .map(|m| m.manifest)
        .collect();
    assert_eq!(manifests, after);
    let stranger = sr25519::Pair::from_seed(&[9; 32]);
    let asked = AskMemory {
        remember: vec![put(&stranger, 4, "The owner owes me money.")],
        ..from_memory()
    };
    let refusal = world.ask(asked).await.unwrap_err();
    assert_eq!(refusal.code, errors::NOT_A_WRITER, "{refusal}");
}

#[test]
fn only_writers_write_and_only_what_they_signed() {
    let world = world(Writers::Listed, Visibility::Public);
    let stranger = sr25519::Pair::from_seed(&[9; 32]);
    let code = |changes| world.memory.put(NAME, changes, None).unwrap_err().code;
    assert_eq!(code(vec![put(&stranger, 1, "x")]), errors::NOT_A_WRITER);
    world
        .gateway
        .chain
        .0
        .lock()
        .writers
        .push(account(&stranger));
    assert!(
        world
            .memory
            .put(NAME, vec![put(&stranger, 1, "x")], None)
            .is_ok()
    );
    // The same write again, a signature over something else, and content of something else.
    assert_eq!(code(vec![put(&stranger, 1, "x")]), errors::WRITE_CONFLICT);
    let mut forged = put(&stranger, 2, "x");
    forged.write.contributor = account(&world.writer);
    assert_eq!(code(vec![forged]), errors::INVALID_REQUEST);
    let mut altered = put(&stranger, 2, "x");
    altered.content.as_mut().unwrap().fragment.text = "y".into();
    assert_eq!(code(vec![altered]), errors::INVALID_REQUEST);
    let large = put(&stranger, 2, &"x".repeat(20_000));
    assert_eq!(code(vec![large]), errors::REQUEST_TOO_LARGE);
    let elsewhere = world
        .memory
        .put("topic/none", Vec::new(), None)
        .unwrap_err();
    assert_eq!(elsewhere.code, errors::UNKNOWN_NAMESPACE);
}

#[test]
fn a_sealed_namespace_is_read_by_those_who_send_its_key_also_while_the_node_knows_it() {
    let world = world(Writers::Owner, Visibility::Granted);
    let key = H256::repeat_byte(7);
    let without = world
        .memory
        .put(NAME, vec![put(&world.writer, 1, "x")], None);
    assert_eq!(without.unwrap_err().code, errors::SEALED);
    world.fill(Some(&key));
    world.anchor();
    let search = |key| {
        world.memory.search(&MemorySearch {
            namespace: NAME.into(),
            query: "gold".into(),
            key,
            ..MemorySearch::default()
        })
    };
    assert_eq!(search(None).unwrap_err().code, errors::SEALED);
    assert_eq!(search(Some(H256::zero())).unwrap_err().code, errors::SEALED);
    let found = search(Some(key)).unwrap();
    assert_eq!(found.verify(), Ok(()));
    assert!(found.hits[0].fragment.text.contains("gold"));
    let page = world.memory.export(NAME, None, None, None);
    assert_eq!(page.unwrap_err().code, errors::SEALED);
}

#[tokio::test]
async fn a_writer_signs_the_commit_that_the_node_may_not_make() {
    let world = world(Writers::Owner, Visibility::Public);
    world.fill(None);
    let pending = world.memory.pending(NAME).unwrap().unwrap();
    let commit: Commit = codec::DecodeAll::decode_all(&mut &pending.commit.0[..]).unwrap();
    assert_eq!(commit.previous, State::empty(namespace_id(NAME)).root());
    let writer = Writer::Account(account(&world.writer));
    let sign = |pair: &sr25519::Pair| SignedCommit {
        commit: pending.commit.clone(),
        writer: writer.clone(),
        valid_until: 20,
        signature: pair.sign(commit.message(&GENESIS, &writer, 20).as_bytes()),
    };
    let forged = sign(&sr25519::Pair::from_seed(&[9; 32]));
    let refusal = world.memory.check_commit(&forged).unwrap_err();
    assert_eq!(refusal.code, errors::INVALID_REQUEST);
    let signed = sign(&world.writer);
    let checked = world.memory.check_commit(&signed).unwrap();
    world.memory.commit(checked, signed).await.unwrap();
    assert_eq!(*world.sent.0.lock(), [commit]);
    // Where nodes may write, this one commits by itself.
    world.gateway.chain.0.lock().namespaces[0].writers = Writers::Nodes;
    assert_eq!(world.memory.pending(NAME).unwrap(), None);
}

#[test]
fn whatever_is_altered_on_the_way_is_noticed() {
    let world = world(Writers::Owner, Visibility::Public);
    world.fill(None);
    world.anchor();
    let good = world.search("gold").unwrap();
    let checked = world.memory.verify(&good).unwrap();
    assert!(checked.valid && checked.anchored, "{checked:?}");
    let mut bad = good.clone();
    bad.hits[0].fragment.text.push('.');
    assert!(!world.memory.verify(&bad).unwrap().valid);
    let mut bad = good.clone();
    bad.root = H256::zero();
    assert!(!world.memory.verify(&bad).unwrap().valid);
    // An old root that the chain no longer keeps, or never had.
    world.gateway.chain.0.lock().roots.clear();
    let checked = world.memory.verify(&good).unwrap();
    assert!(checked.valid && !checked.anchored, "{checked:?}");
    assert!(checked.reason.is_some());
}

#[test]
fn absence_is_proven() {
    let world = world(Writers::Owner, Visibility::Public);
    world.fill(None);
    let ids = [1, 77].map(H256::from_low_u64_be);
    let got = world.memory.get(NAME, &ids, None).unwrap();
    assert_eq!(got.verify(), Ok(()));
    assert_eq!(got.absent, [ids[1]]);
    let shown = world.memory.prove(NAME, &ids, None).unwrap();
    assert!(shown.values[0].is_some() && shown.values[1].is_none());
}

#[test]
fn hits_and_ids_are_limited() {
    let world = world(Writers::Owner, Visibility::Public);
    world.fill(None);
    let search = MemorySearch {
        namespace: NAME.into(),
        query: "x".into(),
        k: Some(1000),
        ..MemorySearch::default()
    };
    let refusal = world.memory.search(&search).unwrap_err();
    assert_eq!(refusal.code, errors::INVALID_REQUEST);
    let refusal = world.search(&"x".repeat(10_000)).unwrap_err();
    assert_eq!(refusal.code, errors::INVALID_REQUEST);
    let ids = vec![H256::zero(); 5000];
    let refusal = world.memory.get(NAME, &ids, None).unwrap_err();
    assert_eq!(refusal.code, errors::REQUEST_TOO_LARGE);
}
