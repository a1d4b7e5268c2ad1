//! Real model files, whole and damaged.

use jsonrpsee::core::client::Subscription;
use std::fs;
use touchstone_primitives::receipt::answer_hash;
use touchstone_rpc::{AskRequest, AskUpdate, InferenceClient};
use touchstone_tests::{
    answers::{ask, wait_for_proof},
    network::Network,
    smollm2,
    wait::{until, until_true},
};

#[tokio::test]
async fn a_truncated_model_is_named_and_the_whole_one_answers() {
    // Half of the real file, beside the whole one.
    let whole = smollm2();
    let dir = tempfile::tempdir().unwrap();
    let half = dir.path().join("half.gguf");
    let content = fs::read(&whole).unwrap();
    fs::write(&half, &content[..content.len() / 2]).unwrap();
    let arguments = format!(
        "--engine embedded --engine-threads 1 --model smollm2={} --model half={}",
        whole.display(),
        half.display()
    );
    let mut network = Network::development("engine", &arguments).await;
    let chain = network.chain(0).await;
    let models = until("both models are loaded or refused", 120, async || {
        let models = chain.client().models().await.ok()?;
        (models.len() == 2 && models.iter().all(|model| model.state != "loading")).then_some(models)
    })
    .await;
    assert_eq!(models[0].state, "ready");
    assert!(
        models[0].registered,
        "the model that scripts/setup installs is in the registry"
    );
    assert!(models[1].state.contains("half.gguf"), "{}", models[1].state);
    assert!(
        network.nodes[0].log().contains("half.gguf"),
        "the log names the file"
    );
    until_true("the engine is ready", 30, async || {
        chain
            .health()
            .await
            .is_ok_and(|health| health.engine.state == "ready")
    })
    .await;

    // The node may still be finding its place on the chain.
    ask(&chain, "Are you there?").await;

    // A real answer, streamed; the deltas are the text, and blocks are made meanwhile.
    let best = chain.best_number().await.unwrap();
    let request = AskRequest {
        prompt: Some("What is the capital of France? Answer in one sentence.".into()),
        max_tokens: Some(48),
        ..Default::default()
    };
    let mut updates: Subscription<AskUpdate> =
        chain.client().subscribe_ask(request.clone()).await.unwrap();
    let (mut text, mut tokens) = (String::new(), Vec::new());
    let answer = loop {
        match updates
            .next()
            .await
            .expect("an answer ends the stream")
            .unwrap()
        {
            AskUpdate::Delta {
                text: more,
                token_ids,
            } => {
                text.push_str(&more);
                tokens.extend(token_ids);
            }
            AskUpdate::Answer { answer } => break *answer,
            AskUpdate::Error { code, message } => panic!("{code}: {message}"),
        }
    };
    assert_eq!(
        (text, tokens),
        (answer.text.clone(), answer.token_ids.clone())
    );
    assert!(answer.text.contains("Paris"), "{}", answer.text);
    assert_eq!(answer.receipt.answer_hash, answer_hash(&answer.text));
    assert_eq!(answer.receipt.manifest_hash, models[0].manifest_hash);

    // Greedy decoding gives the same again, and both receipts become final.
    let again = chain.client().ask(request).await.unwrap();
    assert_eq!(again.token_ids, answer.token_ids);
    assert_ne!(again.receipt.id, answer.receipt.id);
    for answer in [&answer, &again] {
        wait_for_proof(&chain, answer).await;
    }
    until_true("blocks are made beside the engine", 60, async || {
        chain
            .best_number()
            .await
            .is_ok_and(|number| number > best + 2)
    })
    .await;
}

#[tokio::test]
async fn a_node_whose_only_model_is_damaged_says_so_and_keeps_validating() {
    let dir = tempfile::tempdir().unwrap();
    let broken = dir.path().join("broken.gguf");
    fs::write(&broken, b"GGUF but not really").unwrap();
    let arguments = format!("--engine embedded --model broken={}", broken.display());
    let mut network = Network::development("broken", &arguments).await;
    let chain = network.chain(0).await;
    until_true("the engine has failed", 60, async || {
        chain.health().await.is_ok_and(|health| {
            health.engine.state == "failed"
                && health
                    .engine
                    .detail
                    .is_some_and(|detail| detail.contains("broken.gguf"))
        })
    })
    .await;
    let request = touchstone_tests::answers::question("Anybody there?");
    let refusal = chain.client().ask(request).await.unwrap_err();
    let refusal = touchstone_client::Error::of("inference_ask", refusal);
    assert_eq!(refusal.code(), Some(touchstone_rpc::errors::NO_ENGINE));
    network.wait_for_finalized(0, 3, 60).await;
}
