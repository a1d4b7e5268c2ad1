//! The remote engine against a server in this process that speaks as vLLM and llama.cpp do, and misbehaves when told to.

use std::{
	io::{BufRead, BufReader, Read, Write},
	net::{TcpListener, TcpStream},
	ops::ControlFlow,
	sync::mpsc::{Receiver, channel},
	time::{Duration, Instant},
};
use touchstone_inference::*;
use touchstone_primitives::request::{Message, Role};

/// Answers one connection after the other with the given bytes; the requests come out of the channel.
fn serve(answers: Vec<Vec<u8>>) -> (String, Receiver<String>) {
	let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
	let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
	let (seen, requests) = channel();
	std::thread::spawn(move || {
		for (answer, stream) in answers.into_iter().zip(listener.incoming()) {
			let mut stream = stream.expect("a connection");
			let _ = seen.send(read_request(&mut stream));
			let _ = stream.write_all(&answer);
		}
	});
	(url, requests)
}

fn read_request(stream: &mut TcpStream) -> String {
	let mut reader = BufReader::new(stream);
	let (mut head, mut length) = (String::new(), 0);
	loop {
		let mut line = String::new();
		reader.read_line(&mut line).expect("a request");
		if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
			length = n.trim().parse().expect("a length");
		}
		if line.trim().is_empty() {
			break;
		}
		head += &line;
	}
	let mut body = vec![0; length];
	reader.read_exact(&mut body).expect("a body");
	head + &String::from_utf8_lossy(&body)
}

fn respond(status: &str, body: &str) -> Vec<u8> {
	format!(
		"HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
		body.len()
	)
	.into()
}

/// A stream that ends when the connection does.
fn stream(events: &[&str]) -> Vec<u8> {
	let events: String = events.iter().map(|e| format!("data: {e}\n\n")).collect();
	format!(
		"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{events}"
	)
	.into()
}

fn models() -> Vec<u8> {
	respond(
		"200 OK",
		r#"{"object":"list","data":[{"id":"big","object":"model"},{"id":"big-law","object":"model"}]}"#,
	)
}

fn job() -> Job {
	Job {
		model: None,
		messages: vec![Message {
			role: Role::User,
			content: "hello".into(),
		}],
		max_tokens: 8,
		temperature_milli: 700,
		top_k: 40,
		sampler_key: [7; 32],
		stop: vec!["END".into()],
	}
}

fn connect(url: &str) -> RemoteEngine {
	RemoteEngine::connect(RemoteConfig {
		retries: 1,
		wait_seconds: 2,
		..RemoteConfig::new(url)
	})
	.expect("it lists models")
}

fn ask(engine: &RemoteEngine) -> Result<Generated, EngineError> {
	engine.generate(&job(), &mut |_| ControlFlow::Continue(()))
}

#[test]
fn answers_of_vllm_and_llama_cpp_keep_their_token_ids() {
	let vllm = stream(&[
		r#"{"prompt_token_ids":[1,2,3],"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
		r#"{"choices":[{"index":0,"delta":{"content":"Hel"},"logprobs":{"content":[{"token":"Hel","logprob":-0.5}]},"token_ids":[10]}]}"#,
		r#"{"choices":[{"index":0,"delta":{"content":"lo"},"logprobs":{"content":[{"token":"lo","logprob":-0.25}]},"token_ids":[11],"finish_reason":"stop"}]}"#,
		r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#,
		"[DONE]",
	]);
	let llama = stream(&[
		r#"{"choices":[{"delta":{"content":"Hi"},"logprobs":{"content":[{"id":20,"token":"Hi","logprob":-1.5}]},"finish_reason":null}]}"#,
		r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#,
		"[DONE]",
	]);
	let (url, requests) = serve(vec![models(), vllm, llama]);
	let engine = connect(&url);
	let names: Vec<String> = engine.models().into_iter().map(|m| m.name).collect();
	assert_eq!(names, ["big", "big-law"]);
	assert!(
		requests
			.recv()
			.expect("a request")
			.starts_with("GET /v1/models")
	);

	let mut pieces = Vec::new();
	let given = engine
		.generate(&job(), &mut |piece| {
			pieces.push(piece);
			ControlFlow::Continue(())
		})
		.expect("it answers");
	assert_eq!((given.text.as_str(), given.finish), ("Hello", Finish::Stop));
	assert_eq!(
		(given.token_ids, given.prompt_token_ids),
		(vec![10, 11], vec![1, 2, 3])
	);
	assert_eq!(
		pieces[1],
		Piece {
			text: "lo".into(),
			token_ids: vec![11],
			logprobs: vec![-0.25]
		}
	);
	let request: String = requests
		.recv()
		.expect("a request")
		.split_whitespace()
		.collect();
	for part in [
		"POST/v1/chat/completions",
		r#""model":"big""#,
		r#""temperature":0.7"#,
		r#""stop":["END"]"#,
		r#""return_token_ids":true"#,
		&format!(
			r#""vllm_xargs":{{"touchstone_sampler_key":"{}""#,
			"07".repeat(32)
		),
	] {
		assert!(request.contains(part), "{part} is not in {request}");
	}

	let given = ask(&engine).expect("it answers");
	assert_eq!((given.token_ids, given.finish), (vec![20], Finish::Length));
}

#[test]
fn undelivered_request_is_repeated_and_a_refused_one_is_not() {
	let fine = stream(&[r#"{"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}"#]);
	let busy = respond(
		"503 Service Unavailable",
		r#"{"error":{"message":"loading"}}"#,
	);
	let wrong = respond("400 Bad Request", r#"{"error":{"message":"too long"}}"#);
	let (url, requests) = serve(vec![models(), busy, fine, wrong]);
	let engine = connect(&url);
	assert_eq!(ask(&engine).expect("the second attempt").text, "x");
	let refused = ask(&engine).expect_err("it is refused");
	assert!(refused.to_string().contains("400: too long"), "{refused}");
	assert_eq!(requests.try_iter().count(), 4);
}

#[test]
fn broken_streams_are_errors_and_cancelling_closes_the_connection() {
	let begun = r#"{"choices":[{"delta":{"content":"x"}}]}"#;
	let (url, _requests) = serve(vec![
		models(),
		stream(&[begun]),
		stream(&[begun, "{nonsense"]),
		stream(&[r#"{"error":{"message":"out of memory"}}"#]),
		stream(&[begun, begun]),
	]);
	let engine = connect(&url);
	for expected in ["ended before the answer did", "no JSON", "out of memory"] {
		let error = ask(&engine).expect_err("it is broken");
		assert!(error.to_string().contains(expected), "{error}");
	}
	let given = engine
		.generate(&job(), &mut |_| ControlFlow::Break(()))
		.expect("it answers");
	assert_eq!(
		(given.finish, given.text.as_str()),
		(Finish::Cancelled, "x")
	);
	assert_eq!(engine.load(), Load::default());
}

#[test]
fn server_that_fails_again_and_again_is_left_alone() {
	let (url, _requests) = serve(vec![models()]);
	let engine = connect(&url);
	for _ in 0..3 {
		assert!(ask(&engine).is_err());
	}
	let started = Instant::now();
	assert!(matches!(ask(&engine), Err(EngineError::NotReady(..))));
	assert!(started.elapsed() < Duration::from_millis(100));
	assert!(matches!(engine.models()[0].state, ModelState::Failed(_)));
}

#[test]
fn embeddings_have_length_one_and_scores_are_not_offered() {
	let (url, _requests) = serve(vec![
		models(),
		respond(
			"200 OK",
			r#"{"data":[{"embedding":[3,4]},{"embedding":[0,2]}]}"#,
		),
		respond("200 OK", r#"{"data":[{"embedding":[3,4]}]}"#),
	]);
	let config = RemoteConfig {
		embedding: Some("e".into()),
		..RemoteConfig::new(&url)
	};
	let engine = RemoteEngine::connect(config).expect("it lists models");
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
	let nowhere = RemoteConfig {
		retries: 0,
		..RemoteConfig::new("http://127.0.0.1:1/v1")
	};
	let engine = RemoteEngine::connect(nowhere).expect("it may come later");
	assert_eq!(engine.models(), []);
	assert!(matches!(ask(&engine), Err(EngineError::Failed(why)) if why.contains("check that")));
	let no_key = RemoteConfig {
		key_file: Some("/nowhere/key".into()),
		..RemoteConfig::new(&url)
	};
	assert!(matches!(
		RemoteEngine::connect(no_key),
		Err(EngineError::Failed(_))
	));
}
