//! Canaries on their way through the engine.

mod support;

use std::{sync::Arc, time::Duration};
use support::*;
use touchstone_gateway::{Client, Limits, canaries::Canaries};
use touchstone_inference::DummyEngine;
use touchstone_primitives::{H256, receipt::answer_hash};
use touchstone_workers::{Answers, Duty, NoAnswer, OpenRound, Window};

fn round(gateway: &Gateway) -> OpenRound {
    let served = gateway.answerer.models()[0].manifest.clone();
    OpenRound {
        topic: 0,
        topic_name: "general".into(),
        base: served.base,
        adapter: served.adapter,
        round: 5,
        seed: H256::repeat_byte(1),
        commit: Window { first: 1, last: 9 },
        reveal: Window {
            first: 10,
            last: 20,
        },
        duties: vec![Duty {
            posed: H256::repeat_byte(2),
            prompt: Some("What is 6 times 7?".into()),
            max_tokens: 12,
        }],
        committed: None,
        revealed: Vec::new(),
    }
}

#[tokio::test]
async fn a_canary_leaves_the_same_receipt_as_a_question() {
    let gateway = gateway();
    let (canaries, round) = (Canaries::new(gateway.answerer.clone()), round(&gateway));
    let text = canaries.answer(&round, 0, false).await.unwrap();
    let receipt = gateway.journal.receipt_at(&NODE, 0, 0).unwrap().unwrap();
    assert_eq!(receipt.verify(&GENESIS, &gateway.key, &gateway.key), Ok(()));
    let body = receipt.wrapper().body.clone();
    assert_eq!(body.answer_hash, answer_hash(&text));
    assert_eq!(body.sampler.max_tokens, 12);
    assert_eq!(body.sampler.temperature_milli, 0);
    // Whoever knows the round can make the request again, so that the answer can be audited.
    assert_eq!(canaries.answer(&round, 0, false).await, Ok(text));
    let again = gateway.journal.receipt_at(&NODE, 0, 1).unwrap().unwrap();
    assert_eq!(again.wrapper().body.query_hash, body.query_hash);
}

#[tokio::test]
async fn users_who_wait_go_first_unless_the_window_closes() {
    let limits = Limits {
        slots: 1,
        queue: 3,
        ..generous()
    };
    let gateway = gateway_with(
        Some(Arc::new(Endless::new(Duration::from_millis(1)))),
        limits,
    );
    let start = async || {
        gateway
            .answerer
            .start(ask("hello"), Client::Unknown)
            .await
            .unwrap()
    };
    let (mut running, waiting) = (start().await, start().await);
    assert!(running.next().await.is_some());
    let (canaries, round) = (Canaries::new(gateway.answerer.clone()), round(&gateway));
    let refused = canaries.answer(&round, 0, false).await;
    assert!(
        matches!(&refused, Err(NoAnswer::Later(reason)) if reason.contains("users")),
        "{refused:?}"
    );
    // An urgent one takes its place in the queue.
    let queued = async {
        until("the canary waits its turn", || {
            gateway.answerer.load().queued == 2
        })
        .await;
    };
    let urgent = canaries.answer(&round, 0, true);
    tokio::select! {
        _ = urgent => panic!("the engine never ends"),
        () = queued => {}
    }
    drop((running, waiting));
}

#[tokio::test]
async fn a_model_that_the_engine_lacks_is_named() {
    let gateway = gateway();
    let mut round = round(&gateway);
    round.adapter = Some(H256::repeat_byte(0xab));
    let refused = Canaries::new(gateway.answerer.clone())
        .answer(&round, 0, true)
        .await;
    let Err(NoAnswer::Later(reason)) = refused else {
        panic!("{refused:?}");
    };
    assert!(
        reason.contains("general") && reason.contains("0xabab"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_question_that_can_never_be_answered_is_told_apart() {
    let gateway = gateway_with(Some(Arc::new(DummyEngine::new())), generous());
    let mut round = round(&gateway);
    round.duties[0].prompt = Some(" ".into());
    let refused = Canaries::new(gateway.answerer.clone())
        .answer(&round, 0, true)
        .await;
    assert!(matches!(refused, Err(NoAnswer::Never(_))), "{refused:?}");
    let refused = Canaries::new(gateway.answerer.clone())
        .answer(&round, 7, true)
        .await;
    assert!(matches!(refused, Err(NoAnswer::Never(_))), "{refused:?}");
}
