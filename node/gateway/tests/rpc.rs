//! The JSON-RPC door.

mod support;

use jsonrpsee::{RpcModule, core::server::MethodsError, rpc_params};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use support::*;
use touchstone_gateway::{Limits, rpc};
use touchstone_primitives::{H256, apis::BatchInfo, merkle};
use touchstone_rpc::{
    AskAnswer, AskUpdate, Health, InferenceServer, Model, NodeServer, ReceiptsServer,
    StoredReceipt, Verification, errors,
};

fn module(gateway: &Gateway) -> RpcModule<()> {
    let mut module = RpcModule::new(());
    let Gateway {
        answerer,
        chain,
        journal,
        ..
    } = gateway;
    module
        .merge(rpc::Inference::new(answerer.clone()).into_rpc())
        .unwrap();
    module
        .merge(rpc::Receipts::new(chain.clone(), journal.clone()).into_rpc())
        .unwrap();
    module
        .merge(rpc::Node::new(answerer.clone(), "1.2.3", Some(9000)).into_rpc())
        .unwrap();
    module
}

fn code(error: MethodsError) -> i32 {
    match error {
        MethodsError::JsonRpc(error) => error.code(),
        other => panic!("{other}"),
    }
}

async fn asked(module: &RpcModule<()>, prompt: &str) -> AskAnswer {
    module
        .call("inference_ask", rpc_params![json!({"prompt": prompt})])
        .await
        .unwrap()
}

/// Puts all receipts of the gateway into one batch on the pretended chain.
fn anchor(gateway: &Gateway, block: u32) {
    let stream = gateway.journal.streams(&NODE).unwrap()[0];
    let last = stream.next - 1;
    let ids = gateway.journal.ids(&NODE, 0, 0, last).unwrap().unwrap();
    gateway.chain.0.lock().batches = vec![BatchInfo {
        gateway: NODE,
        stream: 0,
        first: 0,
        last,
        count: ids.len() as u32,
        root: merkle::root(&ids),
        policy_version: 0,
        block,
    }];
}

#[tokio::test]
async fn a_question_is_answered_and_its_receipt_can_be_had_again() {
    let gateway = gateway();
    let module = module(&gateway);
    let answer = asked(&module, "what is gold").await;
    let id = answer.receipt.id;
    let stored: StoredReceipt = module.call("receipts_get", rpc_params![id]).await.unwrap();
    assert_eq!(
        stored,
        StoredReceipt {
            receipt: answer.receipt,
            anchor: None
        }
    );
    let unknown = module
        .call::<_, StoredReceipt>("receipts_get", rpc_params![H256::zero()])
        .await;
    assert_eq!(code(unknown.unwrap_err()), errors::UNKNOWN_RECEIPT);
}

#[tokio::test]
async fn a_receipt_is_verified_against_finalised_state() {
    let gateway = gateway();
    let module = module(&gateway);
    for prompt in ["one", "two", "three"] {
        asked(&module, prompt).await;
    }
    let answer = asked(&module, "four").await;
    let get = async || -> StoredReceipt {
        module
            .call("receipts_get", rpc_params![answer.receipt.id])
            .await
            .unwrap()
    };
    let verify = async |stored: &StoredReceipt| -> Verification {
        let params = rpc_params![stored.receipt.clone(), stored.anchor.clone()];
        module.call("receipts_verify", params).await.unwrap()
    };
    let fails = async |stored: &StoredReceipt, part: &str| {
        let verification = verify(stored).await;
        assert!(!verification.valid && !verification.anchored);
        let reason = verification.reason.unwrap();
        assert!(reason.contains(part), "{reason}");
    };

    let alone = verify(&get().await).await;
    assert_eq!(
        alone,
        Verification {
            valid: true,
            anchored: false,
            reason: None
        }
    );

    // Anchored in block 12, while block 10 is final.
    anchor(&gateway, 12);
    let stored = get().await;
    assert!(!stored.anchor.as_ref().unwrap().finalized);
    fails(&stored, "not final yet").await;
    gateway.chain.0.lock().finalized = 12;
    let stored = get().await;
    assert!(stored.anchor.as_ref().unwrap().finalized);
    let whole = verify(&stored).await;
    assert_eq!(
        whole,
        Verification {
            valid: true,
            anchored: true,
            reason: None
        }
    );

    let altered = |change: fn(&mut touchstone_rpc::Anchor)| {
        let mut altered = stored.clone();
        change(altered.anchor.as_mut().unwrap());
        altered
    };
    fails(
        &altered(|anchor| anchor.block_hash = H256::zero()),
        "another hash",
    )
    .await;
    fails(
        &altered(|anchor| anchor.root = H256::zero()),
        "not as the anchor says",
    )
    .await;
    fails(
        &altered(|anchor| anchor.block = 11),
        "not as the anchor says",
    )
    .await;
    fails(&altered(|anchor| anchor.proof.index = 0), "does not show").await;

    let rotated = sp_keystore::testing::MemoryKeystore::new();
    let other = sp_keystore::Keystore::sr25519_generate_new(
        &rotated,
        touchstone_primitives::worker::KEY_TYPE,
        None,
    );
    let own = gateway.chain.0.lock().node.clone();
    gateway.chain.0.lock().node.as_mut().unwrap().worker_key = other.unwrap().into();
    fails(&stored, "signature does not match").await;
    gateway.chain.0.lock().node = None;
    fails(&stored, "names no worker key").await;
    gateway.chain.0.lock().node = own;
    gateway.chain.0.lock().genesis = H256::zero();
    fails(&stored, "another chain").await;
    gateway.chain.0.lock().genesis = GENESIS;
    gateway.chain.0.lock().batches.clear();
    fails(&stored, "no longer retained").await;
}

#[tokio::test]
async fn a_subscription_streams_the_answer_and_ends_with_the_receipt() {
    let gateway = gateway();
    let module = module(&gateway);
    let params = rpc_params![json!({"prompt": "what is gold"})];
    let mut updates = module
        .subscribe_unbounded("inference_subscribeAsk", params)
        .await
        .unwrap();
    let (mut text, mut whole) = (String::new(), None);
    while whole.is_none() {
        match updates.next::<AskUpdate>().await.unwrap().unwrap().0 {
            AskUpdate::Delta { text: more, .. } => text += &more,
            AskUpdate::Answer { answer } => whole = Some(answer),
            AskUpdate::Error { code, message } => panic!("{code}: {message}"),
        }
    }
    let whole = whole.unwrap();
    assert_eq!(text, whole.text);
    assert!(
        gateway
            .journal
            .receipt(&whole.receipt.id)
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn a_refused_subscription_says_why_before_it_begins() {
    let module = module(&gateway());
    let params = rpc_params![json!({"prompt": "hi", "topic": "magic"})];
    let refused = module
        .subscribe_unbounded("inference_subscribeAsk", params)
        .await;
    assert_eq!(code(refused.err().unwrap()), errors::UNKNOWN_TOPIC);
}

#[tokio::test]
async fn a_subscriber_that_leaves_or_does_not_read_cancels_the_work() {
    let limits = Limits {
        patience: Duration::from_millis(50),
        ..generous()
    };
    let engine = Endless::new(Duration::from_micros(100));
    let gateway = gateway_with(Some(Arc::new(engine)), limits);
    let module = module(&gateway);
    let params = || rpc_params![json!({"prompt": "hi"})];
    let mut leaves = module
        .subscribe_unbounded("inference_subscribeAsk", params())
        .await
        .unwrap();
    assert!(leaves.next::<AskUpdate>().await.is_some());
    drop(leaves);
    until("the work is cancelled", || {
        gateway.answerer.counters().cancelled == 1
    })
    .await;
    let sleeps = module
        .subscribe("inference_subscribeAsk", params(), 1)
        .await
        .unwrap();
    until("the work is cancelled", || {
        gateway.answerer.counters().cancelled == 2
    })
    .await;
    drop(sleeps);
}

#[tokio::test]
async fn health_and_models_tell_how_the_node_does() {
    let gateway = gateway();
    let module = module(&gateway);
    asked(&module, "hello").await;
    let health: Health = module.call("node_health", rpc_params![]).await.unwrap();
    assert_eq!(health.engine.state, "ready");
    assert_eq!(
        (health.best, health.finalized, health.finality_lag),
        (12, 10, 2)
    );
    assert_eq!((health.peers, health.mailbox_depth), (3, 1));
    assert_eq!(health.node, Some(NODE));
    assert_eq!(health.node_status.as_deref(), Some("active"));
    assert_eq!(health.member_status.as_deref(), Some("active"));
    assert_eq!(health.openai_port, Some(9000));
    assert!(health.worker_key.is_some());
    let models = async || -> Vec<Model> {
        module
            .call("inference_models", rpc_params![])
            .await
            .unwrap()
    };
    assert!(!models().await[0].registered);
    gateway.chain.0.lock().models = vec![registered()];
    assert!(models().await[0].registered);
    gateway.chain.0.lock().unreadable = true;
    let failed = module
        .call::<_, Health>("node_health", rpc_params![])
        .await
        .unwrap_err();
    assert_eq!(code(failed), errors::STATE_UNAVAILABLE);
}

#[tokio::test]
async fn adapters_are_listed_with_their_base_and_asked_for_by_field() {
    let engine = Loads::new();
    let gateway = gateway_with(Some(engine.clone()), generous());
    let module = module(&gateway);
    let ask = json!({"prompt": "what is gold", "adapter": "law"});
    let refused = module
        .call::<_, AskAnswer>("inference_ask", rpc_params![ask.clone()])
        .await;
    assert_eq!(code(refused.unwrap_err()), errors::LOADING);
    let health: Health = module.call("node_health", rpc_params![]).await.unwrap();
    assert_eq!(health.engine.state, "loading");

    *engine.state.lock() = touchstone_inference::ModelState::Ready;
    let models: Vec<Model> = module
        .call("inference_models", rpc_params![])
        .await
        .unwrap();
    let law = &models[1];
    assert_eq!((&*law.name, &*law.state), ("dummy+law", "ready"));
    let adapter = law.adapter.as_ref().unwrap();
    assert_eq!(
        (&*adapter.name, &*adapter.base, &*adapter.residency),
        ("law", "dummy", "resident")
    );
    assert!(models[0].adapter.is_none());
    // Base and adapter must both be registered.
    gateway.chain.0.lock().models = vec![registered()];
    let models: Vec<Model> = module
        .call("inference_models", rpc_params![])
        .await
        .unwrap();
    assert_eq!((models[0].registered, models[1].registered), (true, false));
    let answer: AskAnswer = module
        .call("inference_ask", rpc_params![ask])
        .await
        .unwrap();
    assert_eq!(answer.receipt.manifest_hash, law.manifest_hash);
}

fn random_json(random: &mut StdRng, depth: u32) -> Value {
    match random.gen_range(0..if depth == 0 { 7 } else { 9 }) {
        0 => Value::Null,
        1 => json!(random.r#gen::<bool>()),
        2 => json!(random.r#gen::<i64>()),
        3 => json!(random.r#gen::<f64>() * 1e9),
        4 => json!(random.r#gen::<u8>()),
        5 => {
            let length = random.gen_range(0..40);
            json!(
                (0..length)
                    .map(|_| random.r#gen::<char>())
                    .collect::<String>()
            )
        }
        6 => json!(format!("0x{}", hex::encode(random.r#gen::<[u8; 32]>()))),
        7 => (0..random.gen_range(0..4))
            .map(|_| random_json(random, depth - 1))
            .collect(),
        _ => {
            const NAMES: &[&str] = &[
                "prompt",
                "messages",
                "role",
                "content",
                "topic",
                "model",
                "adapter",
                "maxTokens",
                "temperature",
                "topK",
                "clientNonce",
                "encoded",
                "proof",
                "siblings",
                "index",
                "count",
                "root",
                "block",
                "blockHash",
                "finalized",
                "id",
            ];
            let mut map = serde_json::Map::new();
            for _ in 0..random.gen_range(0..6) {
                let name = NAMES[random.gen_range(0..NAMES.len())];
                map.insert(name.into(), random_json(random, depth - 1));
            }
            Value::Object(map)
        }
    }
}

/// Changes one value somewhere.
fn mutate(value: &mut Value, random: &mut StdRng) {
    let inner = match value {
        Value::Array(items) if !items.is_empty() => {
            let at = random.gen_range(0..items.len());
            items.get_mut(at)
        }
        Value::Object(map) if !map.is_empty() => {
            let at = random.gen_range(0..map.len());
            map.values_mut().nth(at)
        }
        _ => None,
    };
    match inner {
        Some(inner) if random.gen_bool(0.7) => mutate(inner, random),
        _ => *value = random_json(random, 2),
    }
}

#[tokio::test]
async fn whatever_is_sent_gets_an_answer_or_a_typed_error() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let gateway = gateway();
    let module = module(&gateway);
    let answer = asked(&module, "hello").await;
    anchor(&gateway, 9);
    let stored: StoredReceipt = module
        .call("receipts_get", rpc_params![answer.receipt.id])
        .await
        .unwrap();
    let good = [
        (
            "inference_ask",
            json!([{"prompt": "hi", "maxTokens": 3, "temperature": 0.5, "topK": 3}]),
        ),
        (
            "inference_ask",
            json!([{"messages": [{"role": "user", "content": "hi"}], "topic": "general"}]),
        ),
        (
            "inference_subscribeAsk",
            json!([{"prompt": "hi", "clientNonce": H256::zero()}]),
        ),
        ("inference_models", json!([])),
        ("receipts_get", json!([answer.receipt.id])),
        ("receipts_verify", json!([stored.receipt, stored.anchor])),
        ("node_health", json!([])),
    ];
    let mut errors_seen = 0;
    for round in 0..1500 {
        let (method, params) = &good[random.gen_range(0..good.len())];
        let mut params = params.clone();
        match random.gen_range(0..8) {
            0 => {}
            1 => params = random_json(&mut random, 3),
            _ => (0..random.gen_range(1..4)).for_each(|_| mutate(&mut params, &mut random)),
        }
        let call = json!({"jsonrpc": "2.0", "id": round, "method": method, "params": params});
        let call = call.to_string();
        let answered = tokio::time::timeout(
            Duration::from_secs(20),
            module.raw_json_request(&call, 1024),
        );
        let answered = answered
            .await
            .unwrap_or_else(|_| panic!("no answer to {call}"));
        // What is not even a request (parameters that are no array or object) the server itself refuses.
        let Ok((response, _updates)) = answered else {
            continue;
        };
        let response: Value = serde_json::from_str(&response).unwrap();
        if response.get("result").is_some() {
            continue;
        }
        errors_seen += 1;
        let code = response["error"]["code"]
            .as_i64()
            .unwrap_or_else(|| panic!("{call}: {response}"));
        let typed = code == -32602 || (7001..=7016).contains(&code);
        assert!(typed, "{call}: {response}");
        assert!(
            response["error"]["message"]
                .as_str()
                .is_some_and(|m| !m.is_empty())
        );
    }
    assert!(errors_seen > 100, "the test does not reach the errors");
    // And it still works.
    asked(&module, "hello again").await;
}
