//! The command line against a real node.

use serde_json::Value;
use std::process::Output;
use touchstone_tests::{network::Network, wait::until_true};

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn people_ask_verify_and_look_after_a_node() {
    let mut network = Network::development("cli", "--engine dummy").await;
    network.wait_for_finalized(0, 1, 90).await;
    let program = network.nodes[0].program();
    let touchstone = |arguments: &[&str]| program.run(arguments);
    let file = network.dir().join("answer.json");
    let path = file.to_str().unwrap();

    // A streamed answer and the same from the file are one text.
    let asked = touchstone(&[
        "ask",
        "--max-tokens",
        "12",
        "--save",
        path,
        "What",
        "is",
        "this?",
    ]);
    assert!(asked.status.success(), "{}", err(&asked));
    let saved: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(
        out(&asked).trim_end(),
        saved["text"].as_str().unwrap().trim_end()
    );
    let id = saved["receipt"]["id"].as_str().unwrap();
    assert!(err(&asked).contains(id) && err(&asked).contains("receipt verify"));

    // The receipt holds, against finalised state, from the file and from the node.
    let verified = touchstone(&["receipt", "verify", "--wait", path]);
    assert_eq!(
        verified.status.code(),
        Some(0),
        "{}{}",
        out(&verified),
        err(&verified)
    );
    for check in [
        "receipt",
        "chain",
        "text",
        "tokens",
        "manifest",
        "question",
        "specialist",
        "gateway",
        "anchor",
    ] {
        assert!(
            out(&verified).contains(&format!("✓ {check}")),
            "{check}: {}",
            out(&verified)
        );
    }
    assert_eq!(
        touchstone(&["receipt", "verify", id]).status.code(),
        Some(0)
    );
    let got = touchstone(&["receipt", "get", id]);
    let receipt = network.dir().join("receipt.json");
    std::fs::write(&receipt, &got.stdout).unwrap();
    assert!(
        touchstone(&["receipt", "verify", receipt.to_str().unwrap()])
            .status
            .success()
    );

    // Whatever is altered is found out and named.
    type Alteration = (&'static str, fn(&mut Value));
    let alterations: [Alteration; 6] = [
        ("text", |v| v["text"] = "Something else.".into()),
        ("tokens", |v| v["tokenIds"][0] = 4_000_000.into()),
        ("manifest", |v| v["manifest"]["engine"] = "other/1".into()),
        ("question", |v| {
            v["request"]["prompt"] = "Another question?".into()
        }),
        ("sequence", |v| v["receipt"]["sequence"] = 77.into()),
        ("encoded", |v| {
            let encoded = v["receipt"]["encoded"].as_str().unwrap();
            let last = if encoded.ends_with('0') { "1" } else { "0" };
            v["receipt"]["encoded"] = format!("{}{last}", &encoded[..encoded.len() - 1]).into();
            // Without the fields that repeat it, so that only the signature can tell.
            let only = serde_json::json!({"encoded": v["receipt"]["encoded"]});
            v["receipt"] = only;
        }),
    ];
    for (name, alter) in alterations {
        let mut altered = saved.clone();
        alter(&mut altered);
        let bad = network.dir().join("altered.json");
        std::fs::write(&bad, altered.to_string()).unwrap();
        let verdict = touchstone(&["receipt", "verify", bad.to_str().unwrap()]);
        assert_eq!(
            verdict.status.code(),
            Some(1),
            "{name}: {}{}",
            out(&verdict),
            err(&verdict)
        );
        let told = if name == "encoded" { "gateway" } else { name };
        assert!(
            (out(&verdict) + &err(&verdict)).contains(told),
            "{name} is named"
        );
    }

    // What there is, for people and for programs.
    let json = |arguments: &[&str]| -> Value {
        let output = touchstone(arguments);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{arguments:?}: {e}"))
    };
    assert_eq!(json(&["models", "--json"])["serving"][0]["state"], "ready");
    assert_eq!(json(&["members", "--json"])["nodes"][0]["status"], "Active");
    assert_eq!(
        json(&["status", "--json"])[0]["health"]["engine"]["state"],
        "ready"
    );
    for command in ["models", "members", "status"] {
        assert!(touchstone(&[command]).status.success(), "{command}");
    }

    // A rotated worker key signs from then on; what the old one signed still holds.
    let keystore = network.nodes[0].keystore();
    let node = saved["receipt"]["gateway"].as_str().unwrap();
    let keystore = keystore.to_str().unwrap();
    let rotated = touchstone(&[
        "keys",
        "rotate",
        "worker",
        "--keystore",
        keystore,
        "--node",
        node,
        "--suri",
        "//Alice",
    ]);
    assert!(rotated.status.success(), "{}", err(&rotated));
    let key = serde_json::from_slice::<Value>(&rotated.stdout).unwrap()["workerKey"].clone();
    until_true("the node uses the new worker key", 60, async || {
        json(&["status", "--json"])[0]["health"]["workerKey"] == key
    })
    .await;
    let asked = touchstone(&["ask", "--no-stream", "--save", path, "Who signs this?"]);
    assert!(asked.status.success(), "{}", err(&asked));
    assert_eq!(
        touchstone(&["receipt", "verify", "--wait", path])
            .status
            .code(),
        Some(0)
    );
    assert_eq!(
        touchstone(&["receipt", "verify", id]).status.code(),
        Some(0)
    );

    let session = touchstone(&["keys", "rotate", "session", "--suri", "//Alice//stash"]);
    assert!(session.status.success(), "{}", err(&session));

    // The doctor finds nothing but that the node is alone, and that its engine is not what genesis enrolled it with.
    let findings = json(&[
        "doctor",
        "--json",
        "--base-path",
        network.nodes[0].base().to_str().unwrap(),
    ]);
    let wrong: Vec<&str> = findings
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["outcome"] == "wrong")
        .map(|finding| finding["name"].as_str().unwrap())
        .collect();
    let expected = ["peers", "enrolled model", "duties"];
    assert!(
        wrong.iter().all(|name| expected.contains(name)),
        "{findings:#}"
    );
    assert!(wrong.contains(&"enrolled model"), "{findings:#}");

    // Errors say what to do, and the exit status tells scripts.
    network.nodes[0].kill();
    let silent = touchstone(&["status"]);
    assert_eq!(silent.status.code(), Some(1));
    assert!(err(&silent).contains("no node answers"), "{}", err(&silent));
    assert_eq!(touchstone(&["doctor"]).status.code(), Some(1));
}
