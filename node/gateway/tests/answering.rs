//! The way of a question, and every reason not to answer one.

mod support;

use std::{ops::ControlFlow, sync::Arc, time::Duration};
use support::*;
use touchstone_gateway::{Answerer, Ask, Client, Limits, Refusal, Update};
use touchstone_inference::{DummyEngine, Engine, Job, ModelState};
use touchstone_primitives::{
    H256,
    apis::StreamHead,
    consortium::{NodeStatus, Roles},
    merkle::token_root,
    receipt::{answer_hash, sampler_key},
    request::{MAX_MESSAGES, MAX_PROMPT_BYTES, Message, Options, Request, Role},
};
use touchstone_rpc::{AskAnswer, AskRequest, errors};

async fn answer(answerer: &Arc<Answerer>, ask: Ask) -> Result<AskAnswer, Refusal> {
    answerer.start(ask, Client::Unknown).await?.finish().await
}

async fn refusal(gateway: &Gateway, ask: Ask) -> Refusal {
    answer(&gateway.answerer, ask).await.unwrap_err()
}

#[tokio::test]
async fn an_answer_carries_a_receipt_of_exactly_what_was_asked_and_said() {
    let gateway = gateway();
    let request = AskRequest {
        temperature: Some(0.7),
        topic: Some("general".into()),
        client_nonce: Some(H256::repeat_byte(3)),
        ..ask("what is gold").request
    };
    let answer = answer(
        &gateway.answerer,
        Ask {
            request,
            ..Ask::default()
        },
    )
    .await
    .unwrap();
    let receipt = answer.receipt.receipt().unwrap();
    assert_eq!(receipt.verify(&GENESIS, &gateway.key, &gateway.key), Ok(()));
    assert_eq!(
        gateway.journal.receipt(&receipt.id()).unwrap().as_ref(),
        Some(&receipt)
    );
    let wrapper = receipt.wrapper();
    assert_eq!((&wrapper.gateway, &wrapper.specialist), (&NODE, &NODE));
    assert_eq!((wrapper.stream, wrapper.sequence), (0, 0));
    let canonical = Request {
        messages: vec![Message {
            role: Role::User,
            content: "what is gold".into(),
        }],
        topic: Some("general".into()),
        options: Options {
            max_tokens: 256,
            temperature_milli: 700,
            top_k: 40,
        },
        client_nonce: H256::repeat_byte(3),
    };
    let body = &wrapper.body;
    assert_eq!(body.query_hash, canonical.hash());
    assert_eq!(body.answer_hash, answer_hash(&answer.text));
    assert_eq!(body.token_root, token_root(&answer.token_ids));
    assert_eq!(body.token_count as usize, answer.token_ids.len());
    assert_eq!(body.manifest_hash, answer.manifest.hash());

    // Whoever has the receipt and the question can have the same tokens drawn again.
    let key = sampler_key(
        &GENESIS,
        &body.query_hash,
        &NODE,
        &body.manifest_hash,
        &body.beacon,
    );
    let job = Job {
        model: None,
        messages: canonical.messages,
        max_tokens: 256,
        temperature_milli: 700,
        top_k: 40,
        sampler_key: key.0,
        stop: vec![],
    };
    let again = DummyEngine::new()
        .generate(&job, &mut |_| ControlFlow::Continue(()))
        .unwrap();
    assert_eq!(again.token_ids, answer.token_ids);
    assert_eq!(gateway.answerer.mailbox_depth(), Ok(1));
    assert_eq!(
        gateway.answerer.counters().tokens,
        answer.token_ids.len() as u64
    );
}

#[tokio::test]
async fn pieces_come_in_order_and_add_up_to_the_answer() {
    let gateway = gateway();
    let mut running = gateway
        .answerer
        .start(ask("tell me"), Client::Unknown)
        .await
        .unwrap();
    let (mut text, mut ids, mut whole) = (String::new(), Vec::new(), None);
    while let Some(update) = running.next().await {
        assert!(whole.is_none(), "something came after the answer");
        match update {
            Update::Delta {
                text: more,
                token_ids,
            } => {
                text += &more;
                ids.extend(token_ids);
            }
            Update::Answer(answer) => whole = Some(answer),
            Update::Refused(refusal) => panic!("{refusal}"),
        }
    }
    let whole = whole.unwrap();
    assert_eq!((text, ids), (whole.text, whole.token_ids));
}

#[tokio::test]
async fn a_nonce_is_drawn_when_the_client_gives_none() {
    let gateway = gateway();
    let nonce = async || {
        answer(&gateway.answerer, ask("hello"))
            .await
            .unwrap()
            .receipt
            .client_nonce
    };
    assert_ne!(nonce().await, nonce().await);
}

#[tokio::test]
async fn concurrent_answers_are_numbered_without_gaps() {
    let gateway = gateway();
    let answers = futures::future::join_all(
        (0..20).map(|n| answer(&gateway.answerer, ask(&format!("question {n}")))),
    )
    .await;
    let mut sequences: Vec<u64> = answers
        .into_iter()
        .map(|answer| answer.unwrap().receipt.sequence)
        .collect();
    sequences.sort();
    assert_eq!(sequences, (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_lost_journal_goes_on_in_the_stream_that_the_chain_allows() {
    let gateway = gateway();
    gateway.chain.0.lock().head = StreamHead { stream: 0, next: 5 };
    let receipt = answer(&gateway.answerer, ask("hello"))
        .await
        .unwrap()
        .receipt;
    assert_eq!((receipt.stream, receipt.sequence), (1, 0));
}

#[tokio::test]
async fn each_limit_on_a_request_has_its_code() {
    let gateway = gateway();
    let with = |change: fn(&mut Ask)| {
        let mut ask = ask("hello");
        change(&mut ask);
        ask
    };
    let message = Message {
        role: Role::User,
        content: "hi".into(),
    };
    let mut many = ask("");
    many.request.prompt = None;
    many.request.messages = Some(vec![message; MAX_MESSAGES + 1]);
    for (ask, code) in [
        (with(|a| a.request.prompt = None), errors::INVALID_REQUEST),
        (
            with(|a| a.request.max_tokens = Some(0)),
            errors::INVALID_REQUEST,
        ),
        (
            with(|a| a.request.temperature = Some(f64::NAN)),
            errors::INVALID_REQUEST,
        ),
        (
            with(|a| a.request.top_k = Some(65)),
            errors::INVALID_REQUEST,
        ),
        (
            with(|a| a.stop = vec![String::new()]),
            errors::INVALID_REQUEST,
        ),
        (
            with(|a| a.stop = vec!["x".into(); 5]),
            errors::INVALID_REQUEST,
        ),
        (
            ask(&"x".repeat(MAX_PROMPT_BYTES + 1)),
            errors::REQUEST_TOO_LARGE,
        ),
        (many, errors::REQUEST_TOO_LARGE),
        (ask(&"gold ".repeat(4000)), errors::CONTEXT_EXCEEDED),
        (
            with(|a| a.request.model = Some("gpt".into())),
            errors::UNKNOWN_MODEL,
        ),
        (
            with(|a| a.request.adapter = Some("law".into())),
            errors::UNKNOWN_ADAPTER,
        ),
        (
            with(|a| a.request.adapter = Some("x".repeat(257))),
            errors::INVALID_REQUEST,
        ),
        (
            with(|a| a.request.topic = Some("magic".into())),
            errors::UNKNOWN_TOPIC,
        ),
    ] {
        let refusal = refusal(&gateway, ask).await;
        assert_eq!(refusal.code, code, "{refusal}");
    }
    assert!(gateway.journal.streams(&NODE).unwrap().is_empty());
}

#[tokio::test]
async fn a_topic_answers_only_with_admitted_models() {
    let gateway = gateway();
    let sensitive = || {
        let mut ask = ask("hello");
        ask.request.topic = Some("health".into());
        ask
    };
    let unregistered = refusal(&gateway, sensitive()).await;
    assert_eq!(unregistered.code, errors::MODEL_NOT_ADMITTED);
    gateway.chain.0.lock().models = vec![registered()];
    let no_policy = refusal(&gateway, sensitive()).await;
    assert!(
        no_policy.message.contains("names no admitted jurisdiction"),
        "{no_policy}"
    );
    let policy = |jurisdiction: [u8; 2]| {
        gateway.chain.0.lock().topics[1].policy.jurisdictions =
            vec![jurisdiction].try_into().unwrap();
    };
    policy(*b"FR");
    assert_eq!(
        refusal(&gateway, sensitive()).await.code,
        errors::MODEL_NOT_ADMITTED
    );
    policy(*b"DE");
    let receipt = answer(&gateway.answerer, sensitive())
        .await
        .unwrap()
        .receipt;
    assert_eq!(receipt.topic.as_deref(), Some("health"));
}

#[tokio::test]
async fn a_node_that_cannot_sign_or_anchor_says_what_to_do() {
    let gateway = gateway();
    let refuses = async |part: &str| {
        let refusal = refusal(&gateway, ask("hello")).await;
        assert_eq!(refusal.code, errors::NOT_A_WORKER, "{refusal}");
        assert!(refusal.message.contains(part), "{refusal}");
    };
    let node = gateway.chain.0.lock().node.clone();
    let set = |change: fn(&mut touchstone_primitives::apis::NodeInfo)| {
        let mut node = node.clone().unwrap();
        change(&mut node);
        gateway.chain.0.lock().node = Some(node);
    };
    set(|node| node.status = NodeStatus::Suspended);
    refuses("is Suspended").await;
    set(|node| node.roles = Roles::default());
    refuses("role of a gateway").await;
    gateway.chain.0.lock().node = None;
    refuses("is registered on the chain").await;
    set(|_| ());
    assert!(answer(&gateway.answerer, ask("hello")).await.is_ok());
}

#[tokio::test]
async fn a_node_that_is_behind_does_not_answer() {
    let gateway = gateway();
    let code = async || refusal(&gateway, ask("hello")).await.code;
    gateway.chain.0.lock().syncing = true;
    assert_eq!(code().await, errors::STATE_UNAVAILABLE);
    gateway.chain.0.lock().syncing = false;
    // A new journal on an old chain: what was given out before may not be visible yet.
    gateway.chain.0.lock().now = wall_clock() - 3_600_000;
    assert_eq!(code().await, errors::STATE_UNAVAILABLE);
    gateway.chain.0.lock().unreadable = true;
    assert_eq!(code().await, errors::STATE_UNAVAILABLE);
}

#[tokio::test]
async fn an_engine_that_is_not_there_or_breaks_says_so() {
    let none = gateway_with(None, generous());
    assert_eq!(refusal(&none, ask("hello")).await.code, errors::NO_ENGINE);
    let failed = ModelState::Failed("model.gguf: expected 0x01, found 0x02".into());
    let broken = gateway_with(Some(Arc::new(Broken(Some(failed)))), generous());
    let refused = refusal(&broken, ask("hello")).await;
    assert_eq!(refused.code, errors::NO_ENGINE);
    assert!(
        refused.message.contains("expected 0x01, found 0x02"),
        "{refused}"
    );
    let panics = gateway_with(Some(Arc::new(Broken(None))), generous());
    assert_eq!(
        refusal(&panics, ask("hello")).await.code,
        errors::ENGINE_FAILED
    );
    assert_eq!(panics.answerer.counters().failed, 1);
}

#[tokio::test]
async fn a_model_that_is_being_loaded_says_how_far_it_is_and_answers_afterwards() {
    let engine = Loads::new();
    let gateway = gateway_with(Some(engine.clone()), generous());
    let refused = refusal(&gateway, ask("hello")).await;
    assert_eq!(refused.code, errors::LOADING);
    assert!(
        refused.message.contains("43 %") && refused.message.contains("try again"),
        "{refused}"
    );
    let (state, detail) = gateway.answerer.engine_state();
    assert_eq!(state, "loading");
    assert!(detail.is_some_and(|detail| detail.contains("dummy: loading, 43 %")));
    let listed = gateway.answerer.registered_models().unwrap();
    let progress = listed[0].progress.unwrap();
    assert_eq!(
        (progress.read, progress.size, progress.percent),
        (43, 100, 43)
    );

    *engine.state.lock() = ModelState::Ready;
    assert_eq!(gateway.answerer.engine_state(), ("ready", None));
    let listed = gateway.answerer.registered_models().unwrap();
    assert_eq!((&*listed[0].state, listed[0].progress), ("ready", None));
    assert!(answer(&gateway.answerer, ask("hello")).await.is_ok());
}

#[tokio::test]
async fn an_adapter_is_asked_for_by_name_and_the_receipt_says_so() {
    let engine = DummyEngine::new().adapter("law").adapter("chess");
    let gateway = gateway_with(Some(Arc::new(engine)), generous());
    let with = |model: Option<&str>, adapter: Option<&str>| {
        let mut ask = ask("what is gold");
        ask.request.model = model.map(String::from);
        ask.request.adapter = adapter.map(String::from);
        ask
    };
    let tokens = async |model, adapter| {
        let answer = answer(&gateway.answerer, with(model, adapter))
            .await
            .unwrap();
        assert_eq!(answer.receipt.manifest_hash, answer.manifest.hash());
        (answer.manifest.adapter, answer.token_ids)
    };
    let base = tokens(None, None).await;
    assert_eq!(base, tokens(Some("dummy"), None).await);
    let law = tokens(None, Some("law")).await;
    assert_eq!(law, tokens(Some("dummy+law"), None).await);
    assert_eq!(law, tokens(Some("dummy"), Some("law")).await);
    assert!(base.0.is_none() && law.0.is_some() && base.1 != law.1);
    assert_ne!(law, tokens(None, Some("chess")).await);

    let refuses = async |model, adapter, code, part: &str| {
        let refusal = refusal(&gateway, with(model, adapter)).await;
        assert_eq!(refusal.code, code, "{refusal}");
        assert!(refusal.message.contains(part), "{refusal}");
    };
    let known = "there is: dummy+law, dummy+chess";
    refuses(None, Some("art"), errors::UNKNOWN_ADAPTER, known).await;
    refuses(Some("dummy"), Some("art"), errors::UNKNOWN_ADAPTER, known).await;
    refuses(Some("dummy+art"), None, errors::UNKNOWN_ADAPTER, known).await;
    refuses(
        Some("dummy+law"),
        Some("law"),
        errors::UNKNOWN_ADAPTER,
        "there is: none",
    )
    .await;
    let all = "there is: dummy, dummy+law, dummy+chess";
    refuses(Some("gpt"), Some("law"), errors::UNKNOWN_MODEL, all).await;
    refuses(Some("gpt+law"), None, errors::UNKNOWN_MODEL, all).await;
}

#[tokio::test]
async fn an_answer_without_a_durable_receipt_is_not_given_out() {
    let gateway = gateway();
    // The journal refuses receipts of another chain.
    gateway.chain.0.lock().genesis = H256::zero();
    assert_eq!(
        refusal(&gateway, ask("hello")).await.code,
        errors::JOURNAL_FAILED
    );
    assert!(gateway.journal.streams(&NODE).unwrap().is_empty());
    gateway.chain.0.lock().genesis = GENESIS;
    assert_eq!(
        answer(&gateway.answerer, ask("hello"))
            .await
            .unwrap()
            .receipt
            .sequence,
        0
    );
}

#[tokio::test]
async fn too_many_questions_in_a_short_time_are_refused_client_by_client() {
    let limits = Limits {
        per_minute: 1,
        burst: 2,
        ..Limits::default()
    };
    let gateway = gateway_with(Some(Arc::new(DummyEngine::new())), limits);
    let start = async |client| gateway.answerer.start(ask("hello"), client).await.map(drop);
    for _ in 0..2 {
        assert_eq!(start(Client::Connection(1)).await, Ok(()));
    }
    let refused = start(Client::Connection(1)).await.unwrap_err();
    assert_eq!(refused.code, errors::RATE_LIMITED);
    assert!(refused.message.contains("try again in"), "{refused}");
    assert_eq!(start(Client::Connection(2)).await, Ok(()));
}

#[tokio::test]
async fn when_slots_and_queue_are_full_the_node_is_busy() {
    let limits = Limits {
        slots: 1,
        queue: 1,
        ..generous()
    };
    let engine = Endless::new(Duration::from_millis(1));
    let gateway = gateway_with(Some(Arc::new(engine)), limits);
    let start = async || gateway.answerer.start(ask("hello"), Client::Unknown).await;
    let mut running = start().await.unwrap();
    assert!(running.next().await.is_some());
    let mut waiting = start().await.unwrap();
    assert_eq!(gateway.answerer.load().queued, 1);
    assert_eq!(start().await.err().unwrap().code, errors::BUSY);
    // Who waits may leave, and who leaves makes room.
    drop(start().await.err());
    drop(running);
    assert!(
        waiting.next().await.is_some(),
        "the next in the queue has its turn"
    );
    let third = start().await.unwrap();
    drop(third);
    until("the queue is empty", || gateway.answerer.load().queued == 0).await;
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_the_work_and_leaves_no_receipt() {
    let engine = Endless::new(Duration::from_millis(1));
    let gateway = gateway_with(Some(Arc::new(engine)), generous());
    let mut running = gateway
        .answerer
        .start(ask("hello"), Client::Unknown)
        .await
        .unwrap();
    assert!(running.next().await.is_some());
    drop(running);
    until("the work is cancelled", || {
        gateway.answerer.counters().cancelled == 1
    })
    .await;
    assert!(gateway.journal.streams(&NODE).unwrap().is_empty());
}

#[tokio::test]
async fn a_client_that_does_not_read_is_not_waited_for() {
    let limits = Limits {
        patience: Duration::from_millis(50),
        ..generous()
    };
    let gateway = gateway_with(Some(Arc::new(Endless::new(Duration::ZERO))), limits);
    let running = gateway
        .answerer
        .start(ask("hello"), Client::Unknown)
        .await
        .unwrap();
    until("the work is cancelled", || {
        gateway.answerer.counters().cancelled == 1
    })
    .await;
    drop(running);
}
