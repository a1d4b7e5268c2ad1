//! The remote engine against a server in this process, over real TCP, that behaves as each test says.

mod common;

use common::connect;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    ops::ControlFlow,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::channel,
    },
    time::{Duration, Instant},
};
use touchstone_inference::*;
use touchstone_primitives::{
    H256,
    request::{Message, Role},
};

/// A request as the server sees it.
struct Asked {
    path: String,
    head: String,
    body: String,
    stream: TcpStream,
    /// How many requests for answers came before.
    nth: usize,
}

struct Server {
    url: String,
    /// How many requests for answers came.
    asked: Arc<AtomicUsize>,
}

impl Server {
    /// A server that lists one model and leaves the rest to `behave`, on a thread for each connection.
    fn start(behave: impl Fn(Asked) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let (behave, counter) = (Arc::new(behave), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (behave, counter) = (behave.clone(), counter.clone());
                std::thread::spawn(move || {
                    let stream = stream.unwrap();
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    let (mut head, mut length) = (String::new(), 0);
                    while !head.ends_with("\r\n\r\n") {
                        let before = head.len();
                        if reader.read_line(&mut head).unwrap() == 0 {
                            return;
                        }
                        if let Some(n) = head[before..]
                            .to_lowercase()
                            .strip_prefix("content-length:")
                        {
                            length = n.trim().parse().unwrap();
                        }
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).unwrap();
                    let path = head.split(' ').nth(1).unwrap().to_string();
                    let body = String::from_utf8(body).unwrap();
                    let mut asked = Asked {
                        path,
                        head,
                        body,
                        stream,
                        nth: 0,
                    };
                    if asked.path == "/v1/models" {
                        return asked.reply("200 OK", r#"{"data":[{"id":"org/served"}]}"#);
                    }
                    asked.nth = counter.fetch_add(1, Ordering::SeqCst);
                    behave(asked)
                });
            }
        });
        Self { url, asked }
    }

    fn config(&self, kind: RemoteKind) -> RemoteConfig {
        let hash = "0x".to_string() + &"ab".repeat(32);
        RemoteConfig {
            url: self.url.clone(),
            kind,
            version: "1.2.3".into(),
            api_key_file: None,
            models: vec![RemoteModel {
                name: "served".into(),
                remote_name: "org/served".into(),
                base: hash.clone(),
                adapter: None,
                lora: None,
                weight_dtype: "bf16".into(),
                cache_dtype: "fp8".into(),
                tokenizer: hash.clone(),
                chat_template: hash,
                context: 64,
            }],
            embedding: None,
            slots: 1,
            queue: 0,
            limits: RemoteLimits {
                connect_ms: 1_000,
                first_token_ms: 400,
                between_tokens_ms: 200,
                retries: 2,
                pause_ms: 1,
                breaker_failures: 2,
                breaker_rest_ms: 150,
                poll_ms: 3_600_000,
            },
        }
    }

    fn engine(&self) -> RemoteEngine {
        connect(&self.config(RemoteKind::Vllm))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Asked {
    fn write(&mut self, text: &str) -> bool {
        self.stream.write_all(text.as_bytes()).is_ok()
    }

    fn reply(mut self, status: &str, body: &str) {
        let length = body.len();
        self.write(&format!(
            "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}"
        ));
    }

    /// Begins a stream that ends properly only with [`Asked::end`].
    fn begin(&mut self) {
        self.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n");
    }

    fn send(&mut self, text: &str) -> bool {
        self.write(&format!("{:x}\r\n{text}\r\n", text.len()))
    }

    fn event(&mut self, data: &str) -> bool {
        self.send(&format!("data: {data}\n\n"))
    }

    fn end(&mut self) {
        self.write("0\r\n\r\n");
    }

    fn prompt(&mut self) {
        self.event(r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"prompt_token_ids":[1,2,3]}"#);
    }

    fn token(&mut self, text: &str, id: u32) -> bool {
        self.event(&format!(
			r#"{{"choices":[{{"index":0,"delta":{{"content":"{text}"}},"logprobs":{{"content":[{{"token":"{text}","logprob":-0.5}}]}},"finish_reason":null,"token_ids":[{id}]}}]}}"#
		))
    }

    fn finish(&mut self, reason: &str, tokens: usize) {
        self.event(&format!(
			r#"{{"choices":[{{"index":0,"delta":{{"content":""}},"finish_reason":"{reason}","token_ids":[99]}}]}}"#
		));
        self.event(&format!(
            r#"{{"choices":[],"usage":{{"prompt_tokens":3,"completion_tokens":{tokens}}}}}"#
        ));
        self.event("[DONE]");
        self.end();
    }

    /// What vLLM streams for a two-word answer.
    fn answer(mut self) {
        self.begin();
        self.prompt();
        self.send(": a comment\r\n");
        self.token("gold ", 10);
        self.token("stäin", 11);
        self.finish("stop", 3);
    }

    /// Whether the client closes the connection in time.
    fn is_closed_by_the_client(&mut self) -> bool {
        self.stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        matches!(self.stream.read(&mut [0; 16]), Ok(0))
            || self.stream.take_error().is_ok_and(|e| e.is_some())
    }
}

fn job() -> Job {
    Job {
        model: None,
        messages: vec![Message {
            role: Role::User,
            content: "what is gold".into(),
        }],
        max_tokens: 8,
        temperature_milli: 700,
        top_k: 8,
        sampler_key: [0xff; 32],
        stop: vec!["END".into()],
    }
}

fn ask(engine: &RemoteEngine) -> Result<Generated, EngineError> {
    engine.generate(&job(), &mut |_| ControlFlow::Continue(()))
}

fn failure(engine: &RemoteEngine) -> String {
    match ask(engine) {
        Err(EngineError::Failed(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn answer_of_vllm_carries_the_ids_that_it_sampled() {
    let bodies = Arc::new(Mutex::new(String::new()));
    let seen = bodies.clone();
    let server = Server::start(move |asked| {
        assert_eq!(asked.path, "/v1/chat/completions");
        *seen.lock().unwrap() = asked.head.to_lowercase() + &asked.body;
        asked.answer()
    });
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), "secret-1\n").unwrap();
    let config = RemoteConfig {
        api_key_file: Some(key.path().into()),
        ..server.config(RemoteKind::Vllm)
    };
    let engine = connect(&config);
    let [model] = engine.models().try_into().unwrap();
    assert_eq!(
        (model.name.as_str(), &model.state),
        ("served", &ModelState::Ready)
    );
    assert_eq!(model.manifest.engine, "remote:vllm/1.2.3");
    assert_eq!(model.manifest.base, H256([0xab; 32]));

    let mut pieces = Vec::new();
    let answer = engine
        .generate(&job(), &mut |piece| {
            pieces.push(piece);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(answer.text, "gold stäin");
    assert_eq!(answer.token_ids, [10, 11, 99]);
    assert_eq!(answer.prompt_token_ids, [1, 2, 3]);
    assert_eq!(answer.finish, Finish::Stop);
    assert_eq!(answer.manifest, model.manifest);
    let first = Piece {
        text: "gold ".into(),
        token_ids: vec![10],
        logprobs: vec![-0.5],
    };
    assert_eq!(pieces[0], first);
    assert_eq!(
        pieces.iter().map(|p| p.text.as_str()).collect::<String>(),
        answer.text
    );
    let seen = bodies.lock().unwrap();
    for part in [
        "authorization: bearer secret-1",
        r#""model":"org/served""#,
        r#""content":"what is gold""#,
        r#""return_token_ids":true"#,
        r#""temperature":0.7"#,
        r#""top_p":1"#,
        r#""seed":2147483647"#,
        r#""stop":["END"]"#,
    ] {
        assert!(seen.contains(part), "{part} in {seen}");
    }
}

#[test]
fn answer_of_sglang_gets_its_ids_at_the_end() {
    let server = Server::start(|mut asked| {
        assert!(asked.body.contains(r#""return_output_ids_in_sglext":true"#));
        assert!(!asked.body.contains("return_token_ids"));
        asked.begin();
        asked.event(
            r#"{"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
        );
        asked.event(r#"{"choices":[{"delta":{"content":"gold"},"logprobs":{"content":[{"logprob":-1.0}]},"finish_reason":null}]}"#);
        asked.event(r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#);
        asked.event(r#"{"choices":[],"sglext":{"input_ids":[1,2],"output_ids":[[7]]}}"#);
        asked.event(r#"{"choices":[],"usage":{"prompt_tokens":2,"completion_tokens":1}}"#);
        asked.event("[DONE]");
        asked.end();
    });
    let engine = connect(&server.config(RemoteKind::Sglang));
    let answer = ask(&engine).unwrap();
    assert_eq!(
        (answer.text.as_str(), answer.finish),
        ("gold", Finish::Length)
    );
    assert_eq!(
        (answer.prompt_token_ids, answer.token_ids),
        (vec![1, 2], vec![7])
    );
}

#[test]
fn answer_of_llama_cpp_comes_in_one_piece_from_its_own_doors() {
    let server = Server::start(|asked| {
        let reply = match asked.path.as_str() {
            "/lora-adapters" => "[]",
            "/apply-template" => r#"{"prompt":"<user>what is gold"}"#,
            "/tokenize" => {
                assert!(asked.body.contains("<user>what is gold"));
                r#"{"tokens":[5,6]}"#
            }
            "/completion" => {
                assert!(
                    asked.body.contains(r#""prompt":[5,6]"#)
                        && asked.body.contains(r#""return_tokens":true"#)
                );
                r#"{"content":"au","tokens":[8,2],"stop_type":"eos","tokens_predicted":2,"tokens_evaluated":2,"truncated":false}"#
            }
            other => panic!("{other}"),
        };
        asked.reply("200 OK", reply)
    });
    let engine = connect(&server.config(RemoteKind::LlamaCpp));
    let answer = ask(&engine).unwrap();
    assert_eq!((answer.text.as_str(), answer.finish), ("au", Finish::Stop));
    assert_eq!(
        (answer.prompt_token_ids, answer.token_ids),
        (vec![5, 6], vec![8, 2])
    );
}

#[test]
fn answer_cancelled_before_its_first_token_closes_the_connection_at_once() {
    for kind in [RemoteKind::Vllm, RemoteKind::LlamaCpp] {
        for begin in [false, true] {
            let (closed, seen) = channel();
            let closed = Mutex::new(closed);
            let server = Server::start(move |mut asked| match asked.path.as_str() {
                "/lora-adapters" => asked.reply("200 OK", "[]"),
                "/apply-template" => asked.reply("200 OK", r#"{"prompt":"gold"}"#),
                "/tokenize" => asked.reply("200 OK", r#"{"tokens":[5]}"#),
                // Says nothing, or begins a stream and then says nothing.
                _ => {
                    if begin && kind == RemoteKind::Vllm {
                        asked.begin();
                    }
                    let gone = asked.is_closed_by_the_client();
                    closed.lock().unwrap().send(gone).unwrap();
                }
            });
            let mut config = server.config(kind);
            config.limits.first_token_ms = 60_000;
            let engine = RemoteEngine::connect(&config).unwrap();
            let mut asked = 0;
            let given = engine.generate(&job(), &mut |piece| {
                assert_eq!(piece, Piece::default());
                asked += 1;
                match asked {
                    1 => ControlFlow::Continue(()),
                    _ => ControlFlow::Break(()),
                }
            });
            let given = given.unwrap();
            assert_eq!(
                (given.finish, given.token_ids.len()),
                (Finish::Cancelled, 0)
            );
            assert!(seen.recv().unwrap(), "{kind:?}");
            assert_eq!(engine.load(), Load::default());
        }
    }
}

#[test]
fn vllm_is_told_to_load_an_adapter_that_it_does_not_list() {
    let (told, loaded) = channel();
    let told = Mutex::new(told);
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/v1/load_lora_adapter" => {
            told.lock().unwrap().send(asked.body.clone()).unwrap();
            match asked.body.contains("refused") {
                true => asked.reply("400 Bad Request", "{}"),
                false => asked.reply("200 OK", "Success"),
            }
        }
        _ => asked.answer(),
    });
    let mut config = server.config(RemoteKind::Vllm);
    for name in ["law", "refused"] {
        config.models.push(RemoteModel {
            name: name.into(),
            remote_name: name.into(),
            adapter: Some("cd".repeat(32)),
            lora: Some(format!("/srv/{name}")),
            ..config.models[0].clone()
        });
    }
    let engine = connect(&config);
    let states: Vec<ModelState> = engine.models().into_iter().map(|m| m.state).collect();
    assert_eq!(states[..2], [ModelState::Ready, ModelState::Ready]);
    assert!(matches!(&states[2], ModelState::Failed(why) if why.contains("--enable-lora")));
    let told: Vec<String> = loaded.try_iter().collect();
    assert!(
        told[0].contains(r#""lora_name":"law","lora_path":"/srv/law""#),
        "{told:?}"
    );
    let job = Job {
        model: Some("law".into()),
        ..job()
    };
    assert!(
        engine
            .generate(&job, &mut |_| ControlFlow::Continue(()))
            .is_ok()
    );

    config.models[1].adapter = None;
    assert!(
        RemoteEngine::connect(&config).is_err(),
        "an adapter has a hash"
    );
    config.kind = RemoteKind::Sglang;
    config.models[1].adapter = Some("cd".repeat(32));
    assert!(
        RemoteEngine::connect(&config).is_err(),
        "SGLang is told at its start"
    );
    config.kind = RemoteKind::LlamaCpp;
    config.models[1].lora = None;
    assert!(
        RemoteEngine::connect(&config).is_err(),
        "llama.cpp is told with each request"
    );
}

#[test]
fn answer_without_all_token_ids_is_refused_with_what_to_configure() {
    // Text without ids is refused before it leaves; ids that do not add up, at the end.
    let server = Server::start(|mut asked| {
        asked.begin();
        match asked.nth {
            0 => {
                asked.event(r#"{"choices":[{"delta":{"content":"gold"},"finish_reason":null}]}"#);
            }
            1 => {
                asked.prompt();
                asked.token("gold", 10);
                asked.finish("stop", 7);
            }
            _ => {
                asked.prompt();
                asked
                    .event(r#"{"choices":[{"delta":{"reasoning_content":"hm"},"token_ids":[1]}]}"#);
            }
        }
        asked.is_closed_by_the_client();
    });
    let engine = server.engine();
    for _ in 0..2 {
        let error = ask(&engine).unwrap_err();
        assert!(
            matches!(error, EngineError::Unsupported(why) if why.contains("`return_token_ids`")),
            "{error}"
        );
    }
    let error = ask(&engine).unwrap_err();
    assert!(
        matches!(error, EngineError::Unsupported(why) if why.contains("reasoning parser")),
        "{error}"
    );
    // The server works; only its configuration is at fault: no repetition, no rest.
    assert_eq!(server.asked(), 3);
}

#[test]
fn truncated_stream_is_repeated_before_its_first_token_and_never_after() {
    let server = Server::start(|mut asked| match asked.nth {
        0 => {
            asked.begin();
            asked.prompt();
        }
        1 => asked.answer(),
        2 => {
            asked.begin();
            asked.prompt();
            asked.token("gold ", 10);
            asked.end();
        }
        _ => {
            asked.begin();
            asked.prompt();
            asked.token("gold ", 10);
        }
    });
    let engine = server.engine();
    assert_eq!(ask(&engine).unwrap().text, "gold stäin");
    assert_eq!(server.asked(), 2);
    assert!(failure(&engine).contains("ended before the answer did"));
    assert!(failure(&engine).contains("the connection broke"));
    assert_eq!(server.asked(), 4);
}

#[test]
fn garbage_and_too_much_of_anything_is_no_answer() {
    let server = Server::start(|mut asked| {
        if asked.nth == 0 {
            return asked.reply("200 OK", "<html>");
        }
        asked.begin();
        asked.prompt();
        match asked.nth {
            1 => asked.event("{nonsense"),
            2 => asked.event(r#"{"error":{"message":"out of memory"}}"#),
            3 => asked
                .stream
                .write_all(b"5\r\n\xff\xfe\xff\xff\n\r\n")
                .is_ok(),
            4 => {
                let long = "x".repeat(64 << 10);
                asked.send("data: ");
                (0..100).all(|_| asked.send(&long))
            }
            _ => (0..20).all(|id| asked.token("x", id)),
        };
        asked.is_closed_by_the_client();
    });
    let mut config = server.config(RemoteKind::Vllm);
    config.limits.breaker_failures = 100;
    let engine = connect(&config);
    for expected in [
        "expected text/event-stream",
        "unreadable reply",
        "out of memory",
        "not UTF-8",
        "more than 4194304 bytes",
        "9 tokens where at most 8",
    ] {
        let why = failure(&engine);
        assert!(why.contains(expected), "{expected} in {why}");
    }
    assert_eq!(server.asked(), 6);
    assert_eq!(engine.load(), Load::default());
}

#[test]
fn stall_ends_after_the_time_for_each_token_whatever_else_trickles_in() {
    let server = Server::start(|mut asked| match asked.nth {
        // Nothing at all.
        0 => {
            asked.is_closed_by_the_client();
        }
        _ => {
            asked.begin();
            asked.prompt();
            asked.token("gold ", 10);
            while asked.send(": still here\n") {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    });
    let engine = server.engine();
    for limit in [400, 200] {
        let started = Instant::now();
        assert!(failure(&engine).contains("no answer within"));
        let took = started.elapsed();
        assert!(
            took >= Duration::from_millis(limit) && took < Duration::from_secs(3),
            "{took:?}"
        );
    }
    assert_eq!(server.asked(), 2);
}

#[test]
fn passing_refusals_are_repeated_and_final_ones_are_explained() {
    let server = Server::start(|asked| match asked.nth {
        0 => asked.reply("429 Too Many Requests", "{}"),
        1 => asked.reply("500 Internal Server Error", "{}"),
        2 => asked.answer(),
        3 => asked.reply("400 Bad Request", r#"{"error":{"message":"too long"}}"#),
        4 => asked.reply("401 Unauthorized", "no"),
        5 => asked.reply("404 Not Found", r#"{"message":"no such model"}"#),
        _ => asked.reply("429 Too Many Requests", "{}"),
    });
    let engine = server.engine();
    assert!(ask(&engine).is_ok());
    assert_eq!(server.asked(), 3);
    for expected in [
        "status 400: too long",
        "apiKeyFile",
        "no such model (check `remoteName`",
    ] {
        let why = failure(&engine);
        assert!(why.contains(expected), "{expected} in {why}");
    }
    assert!(matches!(ask(&engine), Err(EngineError::Busy { .. })));
    assert_eq!(server.asked(), 6 + 3);
}

#[test]
fn cancelling_closes_the_connection_and_frees_the_slot() {
    let (closed, is_closed) = channel();
    let server = Server::start(move |mut asked| {
        if asked.nth > 0 {
            return asked.answer();
        }
        asked.begin();
        asked.prompt();
        asked.token("gold ", 10);
        closed.send(asked.is_closed_by_the_client()).unwrap();
    });
    let engine = server.engine();
    let mut busy = None;
    let answer = engine
        .generate(&job(), &mut |_| {
            busy = Some((engine.load(), ask(&engine)));
            ControlFlow::Break(())
        })
        .unwrap();
    assert_eq!(
        (answer.finish, answer.text.as_str()),
        (Finish::Cancelled, "gold ")
    );
    assert_eq!(answer.token_ids, [10]);
    let one = Load {
        active: 1,
        queued: 0,
    };
    assert_eq!(
        busy,
        Some((
            one,
            Err(EngineError::Busy {
                active: 1,
                queued: 0
            })
        ))
    );
    assert!(is_closed.recv().unwrap());
    assert_eq!(engine.load(), Load::default());
    assert!(ask(&engine).is_ok());
}

#[test]
fn server_that_fails_again_and_again_gets_a_rest_and_is_then_tried_again() {
    let server = Server::start(|asked| match asked.nth {
        0..6 => asked.reply("503 Service Unavailable", "loading"),
        _ => asked.answer(),
    });
    let engine = server.engine();
    assert!(failure(&engine).contains("status 503: loading"));
    assert!(failure(&engine).contains("status 503: loading"));
    assert_eq!(server.asked(), 6);
    let error = ask(&engine).unwrap_err();
    assert!(
        matches!(&error, EngineError::NotReady(model, why) if model == "served" && why.contains("failed 2 times in a row")),
        "{error}"
    );
    assert_eq!(server.asked(), 6);
    std::thread::sleep(Duration::from_millis(160));
    assert!(ask(&engine).is_ok());
    assert!(ask(&engine).is_ok());
}

#[test]
fn configuration_without_what_a_manifest_needs_is_refused() {
    let server = Server::start(Asked::answer);
    let good = server.config(RemoteKind::Vllm);
    let refused = |change: &dyn Fn(&mut RemoteConfig)| {
        let mut config = good.clone();
        change(&mut config);
        RemoteEngine::connect(&config)
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default()
    };
    for (said, expected) in [
        (refused(&|c| c.models.clear()), "`models`"),
        (refused(&|c| c.version.clear()), "`version`"),
        (refused(&|c| c.url = "ftp://x/v1".into()), "ftp://x/v1"),
        (refused(&|c| c.models[0].base.clear()), "`base`"),
        (refused(&|c| c.models[0].base = "00".repeat(32)), "`base`"),
        (
            refused(&|c| c.models[0].weight_dtype.clear()),
            "`weightDtype`",
        ),
        (
            refused(&|c| c.models[0].cache_dtype.clear()),
            "`cacheDtype`",
        ),
        (refused(&|c| c.models[0].context = 0), "`context`"),
        (
            refused(&|c| c.models.push(c.models[0].clone())),
            "two models",
        ),
        (
            refused(&|c| c.api_key_file = Some("/nowhere/key".into())),
            "/nowhere/key",
        ),
    ] {
        assert!(said.contains(expected), "{expected} in {said}");
    }

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        r#"{"kind":"vllm","version":"1","models":[{"name":"m","remoteName":"m"}]}"#,
    )
    .unwrap();
    let error = RemoteConfig::read(file.path()).unwrap_err().to_string();
    assert!(error.contains("missing field `base`"), "{error}");
}

#[test]
fn model_is_ready_only_while_the_server_lists_it() {
    let server = Server::start(Asked::answer);
    let mut config = server.config(RemoteKind::Vllm);
    config.models[0].remote_name = "other".into();
    let engine = connect(&config);
    let state = engine.models().remove(0).state;
    assert!(
        matches!(&state, ModelState::Failed(why) if why.contains("org/served")),
        "{state:?}"
    );

    config.url = "http://127.0.0.1:1/v1".into();
    let engine = connect(&config);
    let state = engine.models().remove(0).state;
    assert!(
        matches!(&state, ModelState::Failed(why) if why.contains("cannot connect")),
        "{state:?}"
    );
}

#[test]
fn prompt_that_exceeds_the_stated_context_ends_the_call() {
    let server = Server::start(Asked::answer);
    let mut config = server.config(RemoteKind::Vllm);
    config.models[0].context = 10;
    let engine = connect(&config);
    let too_long = EngineError::ContextExceeded {
        prompt: 3,
        max_tokens: 8,
        context: 10,
    };
    assert_eq!(ask(&engine), Err(too_long));
    let unknown = Job {
        model: Some("gpt".into()),
        ..job()
    };
    let error = engine.generate(&unknown, &mut |_| ControlFlow::Continue(()));
    assert_eq!(error, Err(EngineError::UnknownModel("gpt".into())));
}

#[test]
fn vectors_have_length_one_and_scores_are_not_offered() {
    let server = Server::start(|asked| match asked.nth {
        0 => asked.reply(
            "200 OK",
            r#"{"data":[{"index":1,"embedding":[0,2]},{"index":0,"embedding":[3,4]}]}"#,
        ),
        _ => asked.reply("200 OK", r#"{"data":[{"index":0,"embedding":[3,4]}]}"#),
    });
    assert!(matches!(
        server.engine().embed(&["a"]),
        Err(EngineError::Unsupported(_))
    ));
    let config = RemoteConfig {
        embedding: Some("e5".into()),
        ..server.config(RemoteKind::Vllm)
    };
    let engine = connect(&config);
    assert_eq!(
        engine.embed(&["a", "b"]),
        Ok(vec![vec![0.6, 0.8], vec![0.0, 1.0]])
    );
    assert!(engine.embed(&["a", "b"]).is_err());
    let query = ScoreQuery {
        model: None,
        prompt_token_ids: vec![1],
        token_ids: vec![2],
        top_k: 1,
    };
    assert!(matches!(
        engine.score(&query),
        Err(EngineError::Unsupported(_))
    ));
}

#[test]
fn engine_may_be_called_and_dropped_inside_an_async_runtime() {
    let server = Server::start(Asked::answer);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let engine = server.engine();
        assert_eq!(engine.models().len(), 1);
        assert!(ask(&engine).is_ok());
    });
}
