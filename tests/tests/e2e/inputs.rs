//! What does not belong into a node is refused, each with its own error, and the node goes on.

use codec::{Decode, Encode};
use jsonrpsee::{core::client::ClientT, rpc_params};
use serde_json::{Value, json};
use sp_core::{Bytes, H256, Pair, sr25519};
use sp_keyring::Sr25519Keyring::{self, Alice, Bob};
use std::{
    io::{Read, Write},
    net::TcpStream,
};
use touchstone_client::{
    Chain, Error,
    submit::{self, RuntimeCall, Until, authorized, follow},
};
use touchstone_primitives::{
    NodeId,
    worker::{self, WorkerPair},
};
use touchstone_rpc::{ReceiptsClient, errors};
use touchstone_runtime::UncheckedExtrinsic;
use touchstone_tests::{
    answers::{ask, wait_for_proof},
    network::Network,
};

/// Code of a JSON-RPC error for invalid parameters.
const INVALID_PARAMS: i64 = -32602;
/// Code of the pool for transactions that the runtime refuses.
pub const INVALID_TRANSACTION: i32 = 1010;

/// Posts bytes to a node's JSON-RPC port and returns status and body.
fn post(url: &str, body: &[u8]) -> (u16, String) {
    let host = url.trim_start_matches("ws://");
    let mut stream = TcpStream::connect(host).unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    // A server may answer and close before it has read everything.
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body));
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or_default();
    let body = answer
        .split_once("\r\n\r\n")
        .map(|(_, body)| body.to_owned())
        .unwrap_or_default();
    (status, body)
}

/// Code of the error in a JSON-RPC answer, or in the first answer of a batch.
fn code(body: &str) -> i64 {
    let value: Value = serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {body}"));
    let answer = value.get(0).unwrap_or(&value);
    answer["error"]["code"]
        .as_i64()
        .unwrap_or_else(|| panic!("no error in {body}"))
}

fn call(method: &str, params: Value) -> Vec<u8> {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        .to_string()
        .into_bytes()
}

#[tokio::test]
async fn bad_requests_have_their_own_errors() {
    let mut network = Network::development("requests", "--engine dummy").await;
    let chain = network.chain(0).await;
    let url = network.nodes[0].url();
    let answer = ask(&chain, "Fine?").await;
    let refused = |method: &str, params: Value| code(&post(&url, &call(method, params)).1);

    // Not even JSON-RPC.
    assert_eq!(code(&post(&url, b"{\"jsonrpc\": \"2.0\", ").1), -32700);
    assert_eq!(
        code(&post(&url, b"{\"jsonrpc\": \"1.0\", \"id\": 1}").1),
        -32600
    );
    assert_eq!(
        code(&post(&url, &call("inference_unheardOf", json!([]))).1),
        -32601
    );
    let (status, _) = post(&url, &vec![b'x'; 20 * 1024 * 1024]);
    assert_eq!(status, 413, "a body beyond the limit is refused unread");
    let deep = [vec![b'['; 50_000], vec![b']'; 50_000]].concat();
    assert!(code(&post(&url, &deep).1) < 0);

    // Wrong types and fields.
    for params in [
        json!([]),
        json!([7]),
        json!([{"prompt": 7}]),
        json!([{"prompt": "hi", "maxTokens": -1}]),
        json!([{"prompt": "hi", "maxTokens": 1.5}]),
        json!([{"prompt": "hi", "temperature": "hot"}]),
        json!([{"prompt": "hi", "unheardOf": true}]),
        json!([{"prompt": "hi", "clientNonce": "0x12"}]),
        json!([{"messages": [{"role": "king", "content": "hi"}]}]),
    ] {
        assert_eq!(
            refused("inference_ask", params.clone()),
            INVALID_PARAMS,
            "{params}"
        );
    }
    for params in [json!([]), json!(["0x12"]), json!([5])] {
        assert_eq!(
            refused("receipts_get", params.clone()),
            INVALID_PARAMS,
            "{params}"
        );
    }

    // The right shape and beyond the limits.
    let long = "x".repeat(256 * 1024 + 1);
    for request in [
        json!({}),
        json!({"prompt": ""}),
        json!({"prompt": "hi", "messages": []}),
        json!({"prompt": "hi", "maxTokens": 0}),
        json!({"prompt": "hi", "maxTokens": 100_000}),
        json!({"prompt": "hi", "temperature": 9.0}),
        json!({"prompt": "hi", "temperature": -0.5}),
        json!({"prompt": "hi", "topK": 65}),
        json!({"messages": [{"role": "assistant", "content": "hi"}]}),
    ] {
        let code = refused("inference_ask", json!([request]));
        assert_eq!(
            code,
            i64::from(errors::INVALID_REQUEST),
            "{:.100}",
            request.to_string()
        );
    }
    let too_long = json!([{"prompt": long}]);
    assert_eq!(
        refused("inference_ask", too_long),
        i64::from(errors::REQUEST_TOO_LARGE)
    );
    let topic = json!([{"prompt": "hi", "topic": "astrology"}]);
    assert_eq!(
        refused("inference_ask", topic),
        i64::from(errors::UNKNOWN_TOPIC)
    );
    let unknown = json!([H256::repeat_byte(7)]);
    assert_eq!(
        refused("receipts_get", unknown),
        i64::from(errors::UNKNOWN_RECEIPT)
    );

    // A receipt whose fields and bytes disagree does not parse; one with another signature is not valid.
    let mut view = serde_json::to_value(&answer.receipt).unwrap();
    view["sequence"] = 99.into();
    assert_eq!(
        refused("receipts_verify", json!([view, null])),
        INVALID_PARAMS
    );
    let mut bytes = answer.receipt.encoded.0.clone();
    *bytes.last_mut().unwrap() ^= 1;
    let forged = json!([{"encoded": Bytes(bytes)}, null]);
    let (_, body) = post(&url, &call("receipts_verify", forged));
    let verdict: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(verdict["result"]["valid"], false, "{body}");

    // The node has survived all of it.
    assert_eq!(
        ask(&chain, "Still fine?").await.receipt.sequence,
        answer.receipt.sequence + 1
    );
}

#[tokio::test]
async fn bad_transactions_have_their_own_errors() {
    let mut network = Network::development("transactions", "--engine dummy").await;
    let chain = network.chain(0).await;
    network.wait_for_finalized(0, 1, 90).await;
    let stash = Sr25519Keyring::AliceStash;
    let node: NodeId = stash.to_account_id();

    // Bytes that are no transaction, and one for another chain.
    for bytes in [vec![], vec![0; 7], vec![0xff; 64]] {
        let sent = chain
            .client()
            .request::<H256, _>("author_submitExtrinsic", rpc_params![Bytes(bytes)]);
        assert!(sent.await.is_err());
    }
    let remark = || {
        RuntimeCall::System(frame_system::Call::remark {
            remark: b"hi".to_vec(),
        })
    };
    let good = submit::sign(&chain, remark(), &Alice.pair()).await.unwrap();
    let mut bytes = good.encode();
    *bytes.last_mut().unwrap() ^= 1;
    let tampered = UncheckedExtrinsic::decode(&mut &bytes[..]).unwrap();
    assert_eq!(refusal(&chain, &tampered).await.0, INVALID_TRANSACTION);

    // Accounts that have nothing, and old nonces.
    let poor = submit::sign(&chain, remark(), &Bob.pair()).await.unwrap();
    let (code, message) = refusal(&chain, &poor).await;
    assert!(
        code == INVALID_TRANSACTION && message.contains("pay"),
        "{message}"
    );
    follow(&chain, &good, Until::Included).await.unwrap();
    let old = submit::sign_with_nonce(&chain, remark(), &Alice.pair(), 0)
        .await
        .unwrap();
    let (code, message) = refusal(&chain, &old).await;
    assert!(
        code == INVALID_TRANSACTION && message.contains("outdated"),
        "{message}"
    );

    // Who is no member, or has no right.
    let key = WorkerPair::from_seed(&[9; 32]);
    let proof = |node: &NodeId| key.sign(worker::possession(&chain.genesis(), node).as_bytes());
    let rotate = |node: &NodeId, proof| {
        RuntimeCall::Consortium(pallet_consortium::Call::rotate_worker_key {
            node: node.clone(),
            worker_key: key.public(),
            proof,
        })
    };
    let motion = RuntimeCall::Council(pallet_collective::Call::propose {
        threshold: 1,
        proposal: Box::new(remark()),
        length_bound: 1_000,
    });
    let root = RuntimeCall::Consortium(pallet_consortium::Call::propose_root {
        call: Box::new(remark()),
    });
    let code = RuntimeCall::System(frame_system::Call::set_code { code: vec![0; 8] });
    let anchor = anchor(&chain, &Alice.pair(), &node, 0, 0, 3, 50).await;
    let others = NodeId::new([3; 32]);
    for (call, signer, error) in [
        (
            rotate(&node, proof(&others)),
            Alice,
            "Consortium(InvalidProof)",
        ),
        (rotate(&others, proof(&others)), Alice, "Consortium("),
        (motion.clone(), stash, "Council(NotMember)"),
        (root.clone(), Alice, "BadOrigin"),
        (code, Alice, "BadOrigin"),
        (anchor, Alice, "BadOrigin"),
        (
            RuntimeCall::Consortium(pallet_consortium::Call::activate_node {
                node: others.clone(),
            }),
            stash,
            "Consortium(",
        ),
        (
            RuntimeCall::Consortium(pallet_consortium::Call::admit_member {
                member: others.clone(),
            }),
            stash,
            "BadOrigin",
        ),
    ] {
        let failed = submit::submit(&chain, call, &signer.pair(), Until::Included)
            .await
            .unwrap_err();
        assert!(
            failed.to_string().contains(error),
            "expected {error}: {failed}"
        );
    }
}

/// How the pool refuses a transaction.
pub async fn refusal(chain: &Chain, extrinsic: &UncheckedExtrinsic) -> (i32, String) {
    match follow(chain, extrinsic, Until::Included).await {
        Err(Error::Refused { code, message, .. }) => (code, message),
        other => panic!("the pool takes what it should refuse: {other:?}"),
    }
}

/// A batch of one receipt, signed by `key` for `node`.
pub async fn anchor(
    chain: &Chain,
    key: &sr25519::Pair,
    node: &NodeId,
    stream: u32,
    first: u64,
    last: u64,
    lifetime: u32,
) -> RuntimeCall {
    let valid_until = chain.best_number().await.unwrap() + lifetime;
    let (root, policy_version) = (H256::repeat_byte(5), 0u32);
    let message = worker::submission(
        &chain.genesis(),
        ("Receipts", "anchor_batch"),
        node,
        &(stream, first),
        valid_until.into(),
        &(last, root, policy_version),
    );
    RuntimeCall::Receipts(pallet_receipts::Call::anchor_batch {
        node: node.clone(),
        stream,
        first,
        last,
        root,
        policy_version,
        valid_until,
        signature: WorkerPair::from(key.clone()).sign(message.as_bytes()),
    })
}

#[tokio::test]
async fn only_the_right_worker_anchors_and_nothing_is_anchored_twice() {
    let mut network = Network::development("replay", "--engine dummy").await;
    let chain = network.chain(0).await;
    let answer = ask(&chain, "To be anchored once.").await;
    wait_for_proof(&chain, &answer).await;
    let node: NodeId = Sr25519Keyring::AliceStash.to_account_id();
    let stored = chain.client().get(answer.receipt.id).await.unwrap();
    let anchored = stored.anchor.expect("it is proven");

    // The very transaction once more.
    let block = chain.block(anchored.block_hash).await.unwrap();
    let replay = block
        .extrinsics
        .iter()
        .map(|bytes| UncheckedExtrinsic::decode(&mut &bytes.0[..]).unwrap())
        .find(|extrinsic| {
            matches!(
                extrinsic.function,
                RuntimeCall::Receipts(pallet_receipts::Call::anchor_batch { .. })
            )
        })
        .expect("the block holds the batch");
    let (code, message) = refusal(&chain, &replay).await;
    assert!([1010, 1012, 1013].contains(&code), "{code}: {message}");

    // The same sequences, freshly signed by the right key; then each thing that can be wrong.
    let (right, wrong) = (Alice.pair(), Bob.pair());
    let next = chain
        .stream_head(&node, chain.best().await.unwrap())
        .await
        .unwrap()
        .next;
    let nobody = NodeId::new([3; 32]);
    for (key, gateway, stream, first, last, lifetime, expected) in [
        (&right, &node, 0, 0, 0, 50, "outdated"),
        (&right, &node, 0, next + 1, next + 1, 50, "future"),
        (&right, &node, 2, 0, 0, 50, "Custom error: 6"),
        (&right, &node, 0, next, next + 5_000, 50, "Custom error: 3"),
        (&right, &node, 0, next, next, 5_000, "Custom error: 5"),
        (&right, &nobody, 0, 0, 0, 50, "Custom error: 1"),
        (&wrong, &node, 0, next, next, 50, "bad signature"),
    ] {
        let call = anchor(&chain, key, gateway, stream, first, last, lifetime).await;
        let (code, message) = refusal(&chain, &authorized(call)).await;
        assert_eq!(code, INVALID_TRANSACTION, "{expected}: {message}");
        assert!(message.contains(expected), "expected {expected}: {message}");
    }
    let head = chain
        .stream_head(&node, chain.best().await.unwrap())
        .await
        .unwrap();
    assert_eq!(head.next, next, "nothing of it was anchored");
}
