//! The gateway with the embedded engine: a tiny model of random weights, with adapters that fit and adapters that do not.

mod support;
#[path = "../../../inference/tests/common/mod.rs"]
mod tiny;

use serde_json::json;
use std::path::Path;
use support::*;
use tiny::{Change, HIDDEN, RANK, Tiny, WIDTH, random, write_peft};
use touchstone_gateway::{Ask, Client, Refusal};
use touchstone_inference::{
    AdapterConfig, Engine, EngineConfig, LocalEngine, ModelConfig, ModelState,
};
use touchstone_rpc::{AskAnswer, errors};

/// Writes an adapter of the last projection of the last layer, for a base whose hidden layer is that wide.
fn write_adapter(folder: &Path, hidden: usize, base: Option<&str>) {
    let change = Change {
        layer: 1,
        module: "mlp.down_proj",
        tensor: "ffn_down",
        rows: WIDTH,
        cols: hidden,
        a: random("lora_A", RANK * hidden, 1.0),
        b: random("lora_B", WIDTH * RANK, 1.0),
    };
    write_peft(folder, &[change]);
    let config = json!({
        "peft_type": "LORA", "r": RANK, "lora_alpha": 4096, "base_model_name_or_path": "elsewhere",
        "touchstone_base": base,
    });
    std::fs::write(folder.join("adapter_config.json"), config.to_string()).unwrap();
}

async fn answer(gateway: &Gateway, adapter: Option<&str>) -> Result<AskAnswer, Refusal> {
    let Ask { mut request, stop } = ask("hello");
    request.adapter = adapter.map(String::from);
    request.max_tokens = Some(24);
    let ask = Ask { request, stop };
    let running = gateway.answerer.start(ask, Client::Unknown).await?;
    running.finish().await
}

#[tokio::test]
async fn adapters_that_fit_answer_and_the_others_are_refused_by_name_while_the_base_serves() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tiny.gguf");
    std::fs::write(&path, Tiny::new().bytes()).unwrap();
    let folder = |name: &str| dir.path().join(name);
    write_adapter(&folder("sound"), HIDDEN, None);
    write_adapter(&folder("altered"), HIDDEN, None);
    write_adapter(&folder("wide"), 2 * HIDDEN, None);
    write_adapter(&folder("foreign"), HIDDEN, Some(&"00".repeat(32)));
    let adapters = ["sound", "altered", "wide", "foreign"].map(|name| AdapterConfig {
        name: name.into(),
        base: "tiny".into(),
        path: folder(name),
        blake2: (name == "altered").then(|| "11".repeat(32)),
    });
    let engine = LocalEngine::start(&EngineConfig {
        models: vec![ModelConfig {
            name: "tiny".into(),
            path,
            blake2: None,
            context: None,
        }],
        adapters: adapters.into(),
        threads: Some(1),
        ..Default::default()
    });
    let gateway = gateway_with(Some(engine.clone()), generous());
    until("everything is loaded or refused", || {
        let models = engine.models();
        !models
            .iter()
            .any(|model| matches!(model.state, ModelState::Loading(_)))
    })
    .await;

    let base = answer(&gateway, None).await.unwrap();
    let sound = answer(&gateway, Some("sound")).await.unwrap();
    assert_eq!(base.manifest.base, sound.manifest.base);
    assert!(base.manifest.adapter.is_none() && sound.manifest.adapter.is_some());
    assert_ne!(base.token_ids, sound.token_ids);
    assert_eq!(sound.receipt.manifest_hash, sound.manifest.hash());
    let models = gateway.answerer.registered_models().unwrap();
    let listed = models.iter().find(|m| m.name == "tiny+sound").unwrap();
    assert_eq!(listed.manifest, sound.manifest);
    let residency = listed.adapter.as_ref().map(|a| a.residency.as_str());
    assert_eq!(residency, Some("resident"));

    let base_hash = format!("{:?}", base.manifest.base);
    for (name, parts) in [
        ("altered", ["1111", "found 0x"]),
        ("wide", ["[4, 96]", "found [4, 192]"]),
        (
            "foreign",
            [base_hash.as_str(), "found one of elsewhere, 0000"],
        ),
    ] {
        let refusal = answer(&gateway, Some(name)).await.unwrap_err();
        assert_eq!(refusal.code, errors::NO_ENGINE, "{refusal}");
        for part in parts.iter().chain(&[name]) {
            assert!(refusal.message.contains(part), "{part}: {refusal}");
        }
    }
    let (state, detail) = gateway.answerer.engine_state();
    assert_eq!(state, "ready");
    assert!(detail.is_some_and(|detail| detail.contains("tiny+wide: ")));
    let again = answer(&gateway, None).await.unwrap();
    assert_eq!(again.token_ids, base.token_ids);
}
