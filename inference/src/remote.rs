//! Somebody else's engine: any server that speaks OpenAI's HTTP interface, such as vLLM, SGLang or llama.cpp's.
//!
//! Token ids are taken from `token_ids` (vLLM with `return_token_ids`) or from the `id` of each log probability (llama.cpp). A server
//! that gives neither can answer, but its answers have no tokens that anybody could audit, and the manifest says so.

use crate::{
	Engine, EngineError, Finish, Generated, Job, Load, ModelInfo, ModelState, Piece, ScoreQuery,
	ScoredPosition, slots::Slots,
};
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
	io::{BufRead, BufReader},
	ops::ControlFlow,
	path::PathBuf,
	time::{Duration, Instant},
};
use touchstone_primitives::{H256, manifest::Manifest, request::Role, tagged_hash};

/// Failures in a row after which the server is left alone for a while.
const FAILURES: u32 = 5;
/// How long it is left alone.
const REST: Duration = Duration::from_secs(10);
/// Longest line of a stream.
const MAX_LINE: usize = 1 << 20;

/// Settings of a remote engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoteConfig {
	/// Base URL up to and including `/v1`.
	pub url: String,
	/// File that holds the key, if the server wants one.
	#[serde(default)]
	pub key_file: Option<PathBuf>,
	/// Models to offer; what the server lists if empty.
	#[serde(default)]
	pub models: Vec<RemoteModel>,
	/// Model for embeddings, if any.
	#[serde(default)]
	pub embedding: Option<String>,
	/// Jobs that run at a time.
	#[serde(default = "default_slots")]
	pub slots: u32,
	/// Jobs that may wait.
	#[serde(default = "default_queue")]
	pub queue: u32,
	/// Seconds to wait for a connection and for the answer to begin.
	#[serde(default = "default_wait")]
	pub wait_seconds: u64,
	/// Seconds that a whole answer may take.
	#[serde(default = "default_answer")]
	pub answer_seconds: u64,
	/// How often a request is repeated that could not be delivered. One that has begun to answer never is.
	#[serde(default = "default_retries")]
	pub retries: u32,
}

fn default_slots() -> u32 {
	16
}
fn default_queue() -> u32 {
	64
}
fn default_wait() -> u64 {
	30
}
fn default_answer() -> u64 {
	600
}
fn default_retries() -> u32 {
	2
}

impl RemoteConfig {
	/// The usual settings for a server.
	pub fn new(url: &str) -> Self {
		Self {
			url: url.into(),
			key_file: None,
			models: Vec::new(),
			embedding: None,
			slots: default_slots(),
			queue: default_queue(),
			wait_seconds: default_wait(),
			answer_seconds: default_answer(),
			retries: default_retries(),
		}
	}
}

/// A model of the server, and what the operator declares about it. The declaration is what answers are audited against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoteModel {
	/// Name for people and for the OpenAI door.
	pub name: String,
	/// What the server calls the model, or the LoRA on it.
	pub remote: String,
	/// What produces its answers.
	pub manifest: Manifest,
}

/// A server that answers in our place.
pub struct RemoteEngine {
	config: RemoteConfig,
	key: Option<String>,
	agent: ureq::Agent,
	/// Empty until the server was reached for the first time.
	models: RwLock<Vec<RemoteModel>>,
	slots: Slots,
	health: Mutex<Health>,
}

#[derive(Default)]
struct Health {
	failures: u32,
	resting_until: Option<Instant>,
	last: String,
}

/// Why one attempt failed.
enum Attempt {
	/// The server may do better next time.
	Again(String),
	/// The request itself is at fault.
	Never(EngineError),
}

impl RemoteEngine {
	/// Reads the key, and asks the server for its models if none are configured. A server that is not there yet is asked again
	/// when somebody needs it.
	pub fn connect(config: RemoteConfig) -> Result<Self, EngineError> {
		let key = match &config.key_file {
			None => None,
			Some(file) => {
				let text = std::fs::read_to_string(file).map_err(|e| {
					EngineError::Failed(format!(
						"the key of {} in {}: {e}",
						config.url,
						file.display()
					))
				})?;
				Some(text.trim().to_string())
			}
		};
		let wait = Some(Duration::from_secs(config.wait_seconds));
		let agent = ureq::Agent::config_builder()
			.timeout_connect(wait)
			.timeout_recv_response(wait)
			.timeout_recv_body(Some(Duration::from_secs(config.answer_seconds)))
			.http_status_as_error(false)
			.build()
			.into();
		let slots = Slots::new(config.slots, config.queue);
		let models = RwLock::new(config.models.clone());
		let engine = Self {
			config,
			key,
			agent,
			models,
			slots,
			health: Mutex::default(),
		};
		if let Err(error) = engine.known() {
			log::warn!(target: "engine", "no remote models yet: {error}");
		}
		Ok(engine)
	}

	/// The models, asked for if there are none yet.
	fn known(&self) -> Result<Vec<RemoteModel>, EngineError> {
		let known = self.models.read().clone();
		if !known.is_empty() {
			return Ok(known);
		}
		let found = self.discover()?;
		*self.models.write() = found.clone();
		Ok(found)
	}

	/// The server's own list. Nothing is known about these models but their names.
	fn discover(&self) -> Result<Vec<RemoteModel>, EngineError> {
		let answer = self.with_retries(|| {
			let mut request = self.agent.get(format!("{}/models", self.config.url));
			if let Some(key) = &self.key {
				request = request.header("authorization", format!("Bearer {key}"));
			}
			accepted(request.call())
		})?;
		let list: Value = json_of(answer)?;
		let names = list["data"].as_array().into_iter().flatten();
		let names: Vec<&str> = names.filter_map(|model| model["id"].as_str()).collect();
		if names.is_empty() {
			let message = format!(
				"{}/models lists no models; is it an OpenAI-compatible server?",
				self.config.url
			);
			return Err(EngineError::Failed(message));
		}
		let undeclared = |name: &str| Manifest {
			base: tagged_hash("touchstone/undeclared-model/1", &[name.as_bytes()]),
			adapter: None,
			engine: "remote/1".into(),
			weight_dtype: "undeclared".into(),
			cache_dtype: "undeclared".into(),
			tokenizer: H256::zero(),
			chat_template: H256::zero(),
			sampler: "undeclared".into(),
			context: 8192,
		};
		Ok(names
			.into_iter()
			.map(|name| RemoteModel {
				name: name.into(),
				remote: name.into(),
				manifest: undeclared(name),
			})
			.collect())
	}

	fn model(&self, name: &Option<String>) -> Result<RemoteModel, EngineError> {
		let known = self.known()?;
		let name = name.as_ref().unwrap_or(&known[0].name);
		let found = known.iter().find(|m| m.name == *name);
		found
			.cloned()
			.ok_or_else(|| EngineError::UnknownModel(name.clone()))
	}

	fn post(&self, path: &str, body: &Value) -> Result<Response, EngineError> {
		self.with_retries(|| {
			let mut request = self.agent.post(format!("{}/{path}", self.config.url));
			if let Some(key) = &self.key {
				request = request.header("authorization", format!("Bearer {key}"));
			}
			accepted(request.send_json(body))
		})
	}

	/// Tries until the server accepts, the request proves wrong, or the patience ends.
	fn with_retries(
		&self,
		attempt: impl Fn() -> Result<Response, Attempt>,
	) -> Result<Response, EngineError> {
		for round in 0..=self.config.retries {
			self.ensure_awake()?;
			match attempt() {
				Ok(response) => {
					*self.health.lock() = Health::default();
					return Ok(response);
				}
				Err(Attempt::Never(error)) => return Err(error),
				Err(Attempt::Again(why)) => {
					self.note_failure(why);
					if round < self.config.retries {
						std::thread::sleep(Duration::from_millis(200 << round.min(5)));
					}
				}
			}
		}
		let why = self.health.lock().last.clone();
		Err(EngineError::Failed(format!(
			"{}: {why}; check that the server runs",
			self.config.url
		)))
	}

	fn ensure_awake(&self) -> Result<(), EngineError> {
		let mut health = self.health.lock();
		match health.resting_until {
			Some(until) if Instant::now() < until => Err(EngineError::NotReady(
				self.config.url.clone(),
				format!(
					"left alone for {} s after {FAILURES} failures; the last: {}",
					REST.as_secs(),
					health.last
				),
			)),
			Some(_) => {
				// One failure more and it rests again.
				health.resting_until = None;
				health.failures = FAILURES - 1;
				Ok(())
			}
			None => Ok(()),
		}
	}

	fn note_failure(&self, why: String) {
		let mut health = self.health.lock();
		health.failures += 1;
		health.last = why;
		if health.failures >= FAILURES {
			health.resting_until = Some(Instant::now() + REST);
		}
	}
}

type Response = ureq::http::Response<ureq::Body>;

/// Sorts out what came back.
fn accepted(answer: Result<Response, ureq::Error>) -> Result<Response, Attempt> {
	let mut response = answer.map_err(|e| Attempt::Again(e.to_string()))?;
	let status = response.status().as_u16();
	if status < 300 {
		return Ok(response);
	}
	let body = response
		.body_mut()
		.with_config()
		.limit(64 * 1024)
		.read_to_string()
		.unwrap_or_default();
	let message = serde_json::from_str::<Value>(&body)
		.ok()
		.and_then(|v| {
			[&v["error"]["message"], &v["message"], &v["detail"]]
				.into_iter()
				.find_map(|m| m.as_str().map(String::from))
		})
		.unwrap_or_else(|| body.chars().take(300).collect());
	let why = format!("the server says {status}: {message}");
	Err(match status {
		408 | 429 | 500..=599 => Attempt::Again(why),
		_ => Attempt::Never(EngineError::Failed(why)),
	})
}

fn json_of(mut response: Response) -> Result<Value, EngineError> {
	response
		.body_mut()
		.with_config()
		.limit(256 << 20)
		.read_json()
		.map_err(|e| EngineError::Failed(format!("the server's answer: {e}")))
}

/// The request for an answer.
fn chat(job: &Job, remote: &str) -> Value {
	let messages: Vec<Value> = job
		.messages
		.iter()
		.map(|m| {
			let role = match m.role {
				Role::System => "system",
				Role::User => "user",
				Role::Assistant => "assistant",
			};
			json!({ "role": role, "content": m.content })
		})
		.collect();
	let seed = tagged_hash("touchstone/remote-seed/1", &[&job.sampler_key]);
	let seed = u32::from_le_bytes([seed[0], seed[1], seed[2], seed[3]]) >> 1;
	let mut body = json!({
		"model": remote,
		"messages": messages,
		"max_tokens": job.max_tokens,
		"temperature": f64::from(job.temperature_milli) / 1000.0,
		"top_k": job.top_k,
		"seed": seed,
		"stream": true,
		"stream_options": { "include_usage": true },
		"logprobs": true,
		"top_logprobs": 1,
		"return_token_ids": true,
		// For a logits processor on the server that implements the network's sampler: vLLM hands it the first, SGLang the second.
		"vllm_xargs": { "touchstone_sampler_key": hex::encode(job.sampler_key) },
		"custom_params": { "touchstone_sampler_key": hex::encode(job.sampler_key) },
	});
	if !job.stop.is_empty() {
		body["stop"] = json!(job.stop);
	}
	body
}

/// Token ids in a JSON array.
fn ids(value: &Value) -> Option<Vec<u32>> {
	value
		.as_array()?
		.iter()
		.map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok()))
		.collect()
}

/// The part of an answer in one event.
fn piece(choice: &Value) -> Piece {
	let text = choice["delta"]["content"]
		.as_str()
		.unwrap_or_default()
		.to_string();
	let entries = choice["logprobs"]["content"].as_array();
	let logprobs: Vec<f32> = entries
		.into_iter()
		.flatten()
		.filter_map(|e| e["logprob"].as_f64())
		.map(|p| p as f32)
		.collect();
	let by_logprobs = || {
		entries?
			.iter()
			.map(|e| e["id"].as_u64().and_then(|id| u32::try_from(id).ok()))
			.collect::<Option<Vec<u32>>>()
	};
	let token_ids = ids(&choice["token_ids"])
		.or_else(by_logprobs)
		.unwrap_or_default();
	Piece {
		text,
		token_ids,
		logprobs,
	}
}

impl Engine for RemoteEngine {
	fn models(&self) -> Vec<ModelInfo> {
		let state = match self.ensure_awake() {
			Ok(()) => ModelState::Ready,
			Err(error) => ModelState::Failed(error.to_string()),
		};
		let known = self.known().unwrap_or_default();
		known
			.into_iter()
			.map(|m| ModelInfo {
				name: m.name,
				manifest: m.manifest,
				state: state.clone(),
			})
			.collect()
	}

	fn generate(
		&self,
		job: &Job,
		sink: &mut dyn FnMut(Piece) -> ControlFlow<()>,
	) -> Result<Generated, EngineError> {
		let model = self.model(&job.model)?;
		let arrived = Instant::now();
		let _slot = self.slots.acquire()?;
		let started = Instant::now();
		let response = self.post("chat/completions", &chat(job, &model.remote))?;
		let mut given = Generated {
			text: String::new(),
			token_ids: Vec::new(),
			prompt_token_ids: Vec::new(),
			finish: Finish::Cancelled,
			manifest: model.manifest,
			queued: started - arrived,
			prefill: Duration::ZERO,
			decode: Duration::ZERO,
		};
		let broken = |why: String| EngineError::Failed(format!("{}: {why}", self.config.url));
		let mut first = None;
		let mut lines = BufReader::new(response.into_body().into_reader());
		let mut finish = None;
		let mut line = Vec::new();
		loop {
			line.clear();
			let limit = MAX_LINE as u64;
			let read = std::io::Read::take(&mut lines, limit)
				.read_until(b'\n', &mut line)
				.map_err(|e| broken(format!("the stream broke off: {e}")))?;
			if read == 0 || read == MAX_LINE {
				break;
			}
			let text = String::from_utf8_lossy(&line);
			let Some(data) = text.trim().strip_prefix("data:").map(str::trim) else {
				continue;
			};
			if data == "[DONE]" {
				break;
			}
			let event: Value = serde_json::from_str(data)
				.map_err(|e| broken(format!("the stream holds no JSON: {e}")))?;
			if let Some(message) = event["error"]["message"].as_str() {
				return Err(broken(message.into()));
			}
			let prompt = &event["prompt_token_ids"];
			if let Some(prompt) =
				ids(prompt).or_else(|| ids(&event["choices"][0]["prompt_token_ids"]))
			{
				given.prompt_token_ids = prompt;
			}
			let choice = &event["choices"][0];
			let piece = piece(choice);
			finish = match choice["finish_reason"].as_str() {
				Some("length") => Some(Finish::Length),
				Some(_) => Some(Finish::Stop),
				None => finish,
			};
			if piece == Piece::default() {
				continue;
			}
			first.get_or_insert_with(Instant::now);
			given.text += &piece.text;
			given.token_ids.extend(&piece.token_ids);
			if sink(piece).is_break() {
				// Closing the connection is how servers learn that nobody listens any more.
				finish = finish.or(Some(Finish::Cancelled));
				break;
			}
		}
		given.finish =
			finish.ok_or_else(|| broken("the stream ended before the answer did".into()))?;
		let first = first.unwrap_or_else(Instant::now);
		given.prefill = first - started;
		given.decode = first.elapsed();
		Ok(given)
	}

	fn score(&self, _: &ScoreQuery) -> Result<Vec<ScoredPosition>, EngineError> {
		Err(EngineError::Unsupported(
			"score given tokens: audit with the embedded engine",
		))
	}

	fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
		let Some(model) = &self.config.embedding else {
			return Err(EngineError::Unsupported(
				"embed: no embedding model is configured",
			));
		};
		let answer = json_of(self.post("embeddings", &json!({ "model": model, "input": texts }))?)?;
		let data = answer["data"].as_array();
		let vectors: Option<Vec<Vec<f32>>> = data
			.filter(|data| data.len() == texts.len())
			.and_then(|data| data.iter().map(|d| unit(&d["embedding"])).collect());
		vectors.ok_or_else(|| EngineError::Failed("the server gave no vector for each text".into()))
	}

	fn load(&self) -> Load {
		self.slots.load()
	}
}

/// A vector scaled to length 1.
fn unit(value: &Value) -> Option<Vec<f32>> {
	let raw: Vec<f64> = value
		.as_array()?
		.iter()
		.map(Value::as_f64)
		.collect::<Option<_>>()?;
	let length = raw.iter().map(|x| x * x).sum::<f64>().sqrt();
	(length > 0.0).then(|| raw.iter().map(|x| (x / length) as f32).collect())
}
