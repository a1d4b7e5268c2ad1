//! The OpenAI-compatible door, over real connections.

mod support;

use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use support::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use touchstone_gateway::{Limits, openai};
use touchstone_inference::{DummyEngine, ModelState};
use touchstone_primitives::H256;

async fn open(gateway: &Gateway) -> SocketAddr {
    let listener = openai::bind(0).await.unwrap();
    let address = listener.local_addr().unwrap();
    assert!(address.ip().is_loopback());
    let keys = vec!["other".into(), "devnet".into()];
    tokio::spawn(openai::serve(listener, gateway.answerer.clone(), keys).unwrap());
    address
}

async fn send(address: SocketAddr, method: &str, path: &str, key: &str, body: &str) -> TcpStream {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n\
		 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    // A server that refuses a large body closes before all of it is sent.
    let _ = connection.write_all(body.as_bytes()).await;
    connection
}

async fn receive_raw(mut connection: TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = connection.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn receive(connection: TcpStream) -> (u16, String) {
    let text = receive_raw(connection).await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|s| s.parse().ok())
        .unwrap_or(0);
    let body = match head.to_lowercase().contains("transfer-encoding: chunked") {
        true => unchunk(body),
        false => body.to_string(),
    };
    (status, body)
}

fn unchunk(mut body: &str) -> String {
    let mut out = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        if size == 0 {
            break;
        }
        out += &rest[..size];
        body = &rest[size + 2..];
    }
    out
}

async fn post(address: SocketAddr, body: Value) -> (u16, Value) {
    let connection = send(
        address,
        "POST",
        "/v1/chat/completions",
        "devnet",
        &body.to_string(),
    )
    .await;
    let (status, body) = receive(connection).await;
    (
        status,
        serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e}: {body}")),
    )
}

fn hello() -> Value {
    json!({"model": "dummy", "messages": [{"role": "user", "content": "hello"}]})
}

fn with(name: &str, value: Value) -> Value {
    let mut request = hello();
    request[name] = value;
    request
}

fn receipt_is_kept(gateway: &Gateway, extension: &Value) {
    let id: H256 = serde_json::from_value(extension["receipt"]["id"].clone()).unwrap();
    let receipt = gateway.journal.receipt(&id).unwrap().unwrap();
    assert_eq!(receipt.verify(&GENESIS, &gateway.key, &gateway.key), Ok(()));
}

#[tokio::test]
async fn a_completion_has_the_usual_shape_and_a_receipt() {
    let gateway = gateway();
    let address = open(&gateway).await;
    let (status, answer) = post(address, with("max_tokens", json!(3))).await;
    assert_eq!(
        (status, answer["object"].as_str()),
        (200, Some("chat.completion"))
    );
    let choice = &answer["choices"][0];
    assert_eq!(choice["message"]["role"], "assistant");
    assert!(!choice["message"]["content"].as_str().unwrap().is_empty());
    assert_eq!(choice["finish_reason"], "length");
    assert_eq!(answer["usage"]["completion_tokens"], 3);
    receipt_is_kept(&gateway, &answer["touchstone"]);
}

#[tokio::test]
async fn a_stream_is_made_of_chunks_that_add_up_and_ends_with_done() {
    let gateway = gateway();
    let address = open(&gateway).await;
    let mut request = with("stream", json!(true));
    request["stream_options"] = json!({"include_usage": true});
    let body = request.to_string();
    let connection = send(address, "POST", "/v1/chat/completions", "devnet", &body).await;
    let (status, body) = receive(connection).await;
    assert_eq!(status, 200);
    let mut events: Vec<&str> = body
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .collect();
    assert_eq!(events.pop(), Some("[DONE]"));
    let chunks: Vec<Value> = events
        .iter()
        .map(|e| serde_json::from_str(e).unwrap())
        .collect();
    assert!(
        chunks
            .iter()
            .all(|c| c["object"] == "chat.completion.chunk")
    );
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let streamed: String = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect();
    let [.., end, usage] = &chunks[..] else {
        panic!("{chunks:?}")
    };
    assert_eq!(end["choices"][0]["finish_reason"], "stop");
    receipt_is_kept(&gateway, &end["touchstone"]);
    assert_eq!(usage["choices"], json!([]));
    assert!(usage["usage"]["total_tokens"].as_u64().unwrap() > 0);
    let (_, whole) = post(address, hello()).await;
    assert_eq!(whole["choices"][0]["message"]["content"], streamed);
}

#[tokio::test]
async fn clients_find_the_models_and_the_health() {
    let gateway = gateway();
    let address = open(&gateway).await;
    let (status, body) = receive(send(address, "GET", "/v1/models", "devnet", "").await).await;
    let models: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, models["data"][0]["id"].as_str()),
        (200, Some("dummy"))
    );
    let (status, body) = receive(send(address, "GET", "/health", "", "").await).await;
    assert_eq!((status, body.contains("\"ok\"")), (200, true));
    let none = gateway_with(None, generous());
    let address = open(&none).await;
    assert_eq!(
        receive(send(address, "GET", "/health", "", "").await)
            .await
            .0,
        503
    );
}

#[tokio::test]
async fn adapters_are_models_of_their_own() {
    let engine = DummyEngine::new().adapter("law");
    let gateway = gateway_with(Some(Arc::new(engine)), generous());
    let address = open(&gateway).await;
    let (_, body) = receive(send(address, "GET", "/v1/models", "devnet", "").await).await;
    let models: Value = serde_json::from_str(&body).unwrap();
    let law = &models["data"][1];
    assert_eq!(law["id"], "dummy+law");
    assert_eq!(law["touchstone"]["adapter"]["base"], "dummy");
    let (status, answer) = post(address, with("model", json!("dummy+law"))).await;
    assert_eq!((status, answer["model"].as_str()), (200, Some("dummy+law")));
    assert_eq!(
        answer["touchstone"]["receipt"]["manifestHash"],
        law["touchstone"]["manifestHash"]
    );
    let mut unnamed = hello();
    unnamed.as_object_mut().unwrap().remove("model");
    assert_eq!(post(address, unnamed).await.1["model"], "dummy");
    let (status, error) = post(address, with("model", json!("dummy+art"))).await;
    assert_eq!(
        (status, error["error"]["code"].as_str()),
        (404, Some("model_not_found"))
    );
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("there is: dummy+law"), "{message}");
}

#[tokio::test]
async fn a_model_that_is_being_loaded_asks_clients_to_come_back() {
    let engine = Loads::new();
    let gateway = gateway_with(Some(engine.clone()), generous());
    let address = open(&gateway).await;
    let body = hello().to_string();
    let path = "/v1/chat/completions";
    let text = receive_raw(send(address, "POST", path, "devnet", &body).await).await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert!(head.to_lowercase().contains("retry-after: "), "{head}");
    let error: Value = serde_json::from_str(body).unwrap();
    assert_eq!(error["error"]["code"], "model_loading");
    let health = async || receive(send(address, "GET", "/health", "", "").await).await;
    let (status, body) = health().await;
    assert_eq!(
        (status, body.contains("loading, 43 %")),
        (503, true),
        "{body}"
    );
    *engine.state.lock() = ModelState::Ready;
    assert_eq!(health().await.0, 200);
    assert_eq!(post(address, hello()).await.0, 200);
}

#[tokio::test]
async fn only_who_has_a_key_may_enter() {
    let gateway = gateway();
    assert!(openai::router(gateway.answerer.clone(), vec![]).is_err());
    assert!(openai::router(gateway.answerer.clone(), vec![String::new()]).is_err());
    let address = open(&gateway).await;
    for (path, key) in [
        ("/v1/models", ""),
        ("/v1/models", "devnet2"),
        ("/v1/models", "devne"),
    ] {
        let (status, body) = receive(send(address, "GET", path, key, "").await).await;
        let error: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (status, error["error"]["code"].as_str()),
            (401, Some("invalid_api_key"))
        );
    }
    let body = hello().to_string();
    let refused = send(address, "POST", "/v1/chat/completions", "no", &body).await;
    assert_eq!(receive(refused).await.0, 401);
    assert_eq!(
        receive(send(address, "GET", "/v1/models", "other", "").await)
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_by_name() {
    let gateway = gateway();
    let address = open(&gateway).await;
    for (name, value) in [
        ("n", json!(2)),
        ("top_p", json!(0.9)),
        ("presence_penalty", json!(1)),
        ("frequency_penalty", json!(0.5)),
        ("logprobs", json!(true)),
        ("response_format", json!({"type": "json_object"})),
        ("tools", json!([{"type": "function"}])),
        ("logit_bias", json!({"5": 1})),
        ("stop", json!(["a", "b", "c", "d", "e"])),
        ("messages", json!([{"role": "tool", "content": "x"}])),
        (
            "messages",
            json!([{"role": "user", "content": [{"type": "image_url"}]}]),
        ),
        ("messages", json!([])),
        ("messages", json!("hello")),
        ("max_tokens", json!(-1)),
        ("temperature", json!(3)),
        ("touchstone", json!({"unheard": 1})),
    ] {
        let (status, error) = post(address, with(name, value.clone())).await;
        assert_eq!(status, 400, "{name} {value}: {error}");
        assert_eq!(error["error"]["type"], "invalid_request_error");
        assert!(
            error["error"]["message"]
                .as_str()
                .is_some_and(|m| !m.is_empty())
        );
    }
    // What is at its default changes nothing; nor do fields that are none of our business.
    let mut harmless = hello();
    harmless["n"] = json!(1);
    harmless["top_p"] = json!(1);
    harmless["user"] = json!("me");
    harmless["response_format"] = json!({"type": "text"});
    harmless["messages"] = json!([
        {"role": "developer", "content": "be short"},
        {"role": "user", "content": [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]},
    ]);
    harmless["touchstone"] = json!({"topic": "general", "topK": 5});
    let (status, answer) = post(address, harmless).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["touchstone"]["receipt"]["topic"], "general");
}

#[tokio::test]
async fn errors_have_the_status_that_clients_expect() {
    let gateway = gateway();
    let address = open(&gateway).await;
    let expect = async |request: Value, status: u16, code: &str| {
        let (found, error) = post(address, request).await;
        assert_eq!(
            (found, error["error"]["code"].as_str()),
            (status, Some(code)),
            "{error}"
        );
    };
    expect(with("model", json!("gpt-4")), 404, "model_not_found").await;
    expect(
        with("touchstone", json!({"topic": "magic"})),
        404,
        "topic_not_found",
    )
    .await;
    let long = json!([{"role": "user", "content": "gold ".repeat(4000)}]);
    expect(with("messages", long), 400, "context_length_exceeded").await;
    let huge = json!([{"role": "user", "content": "x".repeat(300_000)}]);
    expect(with("messages", huge), 413, "request_too_large").await;
    gateway.chain.0.lock().node = None;
    expect(hello(), 503, "not_a_worker").await;
    let (status, _) = receive(send(address, "GET", "/v2", "devnet", "").await).await;
    assert_eq!(status, 404);
    let (status, _) =
        receive(send(address, "GET", "/v1/chat/completions", "devnet", "").await).await;
    assert_eq!(status, 405);
    let (status, body) = receive(
        send(
            address,
            "POST",
            "/v1/chat/completions",
            "devnet",
            "{nonsense",
        )
        .await,
    )
    .await;
    assert_eq!(status, 400, "{body}");
    let too_large = "x".repeat(openai::MAX_BODY + 1);
    let (status, _) = receive(
        send(
            address,
            "POST",
            "/v1/chat/completions",
            "devnet",
            &too_large,
        )
        .await,
    )
    .await;
    assert!(status == 413 || status == 0, "{status}");
}

#[tokio::test]
async fn a_hasty_client_is_told_to_wait() {
    let limits = Limits {
        per_minute: 1,
        burst: 1,
        ..Limits::default()
    };
    let gateway = gateway_with(Some(Arc::new(DummyEngine::new())), limits);
    let address = open(&gateway).await;
    assert_eq!(post(address, hello()).await.0, 200);
    let (status, error) = post(address, hello()).await;
    assert_eq!(
        (status, error["error"]["type"].as_str()),
        (429, Some("rate_limit_error"))
    );
}

#[tokio::test]
async fn a_client_that_hangs_up_cancels_the_work() {
    let engine = Endless::new(Duration::from_millis(1));
    let begun = engine.begun.clone();
    let gateway = gateway_with(Some(Arc::new(engine)), generous());
    let address = open(&gateway).await;
    for (round, request) in [with("stream", json!(true)), hello()]
        .into_iter()
        .enumerate()
    {
        let body = request.to_string();
        let connection = send(address, "POST", "/v1/chat/completions", "devnet", &body).await;
        until("the work begins", || begun.load(Relaxed) == round + 1).await;
        drop(connection);
        let cancelled = || gateway.answerer.counters().cancelled as usize == round + 1;
        until("the work is cancelled", cancelled).await;
    }
}
