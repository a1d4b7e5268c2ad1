//! The OpenAI-compatible HTTP door: `/v1/models` and `/v1/chat/completions`, so that programs made for that interface work.
//!
//! What the network cannot do (tools, `top_p`, several choices, ...) is refused by name rather than ignored. Answers carry the
//! receipt in the field `touchstone`. The door speaks plain HTTP on the loopback interface; a proxy in front of it adds TLS.

mod types;

use crate::{Answerer, Client, Refusal, Running, Update};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, Request, State, rejection::BytesRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{get, post},
};
use futures::stream;
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};
use tokio::net::TcpListener;
use touchstone_primitives::{H256, tagged_hash};
use touchstone_rpc::errors;
use types::{ChatRequest, Chunk, completion, model_list};

/// Most bytes of a request: the network's limit on text, as JSON may write it.
pub const MAX_BODY: usize = 2 * 1024 * 1024;

/// Opens the port on the loopback interface; port 0 takes any that is free.
pub async fn bind(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

/// Serves the door until the future is dropped. Without keys nobody could enter, which is an error.
pub fn serve(
    listener: TcpListener,
    answerer: Arc<Answerer>,
    keys: Vec<String>,
) -> Result<impl Future<Output = ()> + Send, String> {
    let app = router(answerer, keys)?.into_make_service_with_connect_info::<SocketAddr>();
    Ok(async move {
        if let Err(error) = axum::serve(listener, app).await {
            log::error!(target: "openai", "the OpenAI door closed: {error}");
        }
    })
}

/// The door's routes.
pub fn router(answerer: Arc<Answerer>, keys: Vec<String>) -> Result<Router, String> {
    if keys.is_empty() || keys.iter().any(|key| key.is_empty()) {
        return Err(
            "the OpenAI door needs at least one key, and no empty one; give `--openai-key`".into(),
        );
    }
    let door = Arc::new(Door {
        answerer,
        keys: keys.iter().map(|key| digest(key)).collect(),
    });
    let guarded = Router::new()
        .route("/v1/models", get(models))
        .route("/v1/chat/completions", post(chat))
        .layer(middleware::from_fn_with_state(door.clone(), check_key));
    Ok(Router::new()
        .route("/health", get(health))
        .merge(guarded)
        .fallback(|| async {
            Failure::new(
                StatusCode::NOT_FOUND,
                "not_found",
                "no such path; there are /v1/models, /v1/chat/completions and /health",
            )
        })
        .method_not_allowed_fallback(|| async {
            Failure::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "GET /v1/models, POST /v1/chat/completions, GET /health",
            )
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(door))
}

struct Door {
    answerer: Arc<Answerer>,
    /// Hashes, so that comparing takes the same time whatever the guess.
    keys: Vec<H256>,
}

fn digest(key: &str) -> H256 {
    tagged_hash("touchstone/openai-key/1", &[key.as_bytes()])
}

/// An error in the shape that clients of the interface expect.
#[derive(Debug)]
struct Failure {
    status: StatusCode,
    code: String,
    message: String,
}

impl Failure {
    fn new(status: StatusCode, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
        }
    }

    fn body(&self) -> Value {
        let kind = match self.status {
            StatusCode::UNAUTHORIZED => "authentication_error",
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        };
        json!({"error": {"message": self.message, "type": kind, "param": null, "code": self.code}})
    }
}

impl From<Refusal> for Failure {
    fn from(Refusal { code, message }: Refusal) -> Self {
        let (status, name) = match code {
            errors::INVALID_REQUEST => (StatusCode::BAD_REQUEST, "invalid_request"),
            errors::CONTEXT_EXCEEDED => (StatusCode::BAD_REQUEST, "context_length_exceeded"),
            errors::REQUEST_TOO_LARGE => (StatusCode::PAYLOAD_TOO_LARGE, "request_too_large"),
            errors::RATE_LIMITED => (StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded"),
            errors::BUSY => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            errors::NO_ENGINE => (StatusCode::SERVICE_UNAVAILABLE, "no_engine"),
            errors::LOADING => (StatusCode::SERVICE_UNAVAILABLE, "model_loading"),
            errors::NOT_A_WORKER => (StatusCode::SERVICE_UNAVAILABLE, "not_a_worker"),
            errors::STATE_UNAVAILABLE => (StatusCode::SERVICE_UNAVAILABLE, "state_unavailable"),
            errors::UNKNOWN_TOPIC => (StatusCode::NOT_FOUND, "topic_not_found"),
            errors::UNKNOWN_MODEL | errors::UNKNOWN_ADAPTER => {
                (StatusCode::NOT_FOUND, "model_not_found")
            }
            errors::MODEL_NOT_ADMITTED => (StatusCode::FORBIDDEN, "model_not_admitted"),
            errors::JOURNAL_FAILED => (StatusCode::INTERNAL_SERVER_ERROR, "journal_failed"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "engine_failed"),
        };
        Self::new(status, name, message)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        if matches!(
            self.status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        ) {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

async fn check_key(
    State(door): State<Arc<Door>>,
    headers: HeaderMap,
    request: Request,
    next: Next,
) -> Response {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, key)| digest(key.trim()));
    // All keys are compared, with no early end.
    let known = given.is_some_and(|given| {
        door.keys
            .iter()
            .fold(false, |known, key| known | (*key == given))
    });
    if known {
        return next.run(request).await;
    }
    Failure::new(
		StatusCode::UNAUTHORIZED,
		"invalid_api_key",
		"send `Authorization: Bearer KEY` with a key that the node was started with (`--openai-key`)",
	)
	.into_response()
}

async fn health(State(door): State<Arc<Door>>) -> Response {
    let (state, detail) = door.answerer.engine_state();
    let status = match state {
        "ready" => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let load = door.answerer.load();
    let body = json!({
        "status": if state == "ready" { "ok" } else { "unavailable" },
        "engine": {"state": state, "detail": detail, "active": load.active, "queued": load.queued},
    });
    (status, Json(body)).into_response()
}

async fn models(State(door): State<Arc<Door>>) -> Result<Response, Failure> {
    let answerer = door.answerer.clone();
    let models = tokio::task::spawn_blocking(move || answerer.registered_models())
        .await
        .map_err(|e| Refusal::new(errors::STATE_UNAVAILABLE, e.to_string()))??;
    Ok(Json(model_list(&models)).into_response())
}

async fn chat(
    State(door): State<Arc<Door>>,
    address: Option<axum::Extension<ConnectInfo<SocketAddr>>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let body = body.map_err(|rejection| {
        let message = format!("the body cannot be taken ({rejection}); at most {MAX_BODY} bytes");
        Failure::new(rejection.status(), "request_too_large", message)
    })?;
    let request: ChatRequest = serde_json::from_slice(&body)
        .map_err(|e| Failure::new(StatusCode::BAD_REQUEST, "invalid_request", e.to_string()))?;
    let (stream, include_usage) = (request.is_stream(), request.includes_usage());
    let ask = request
        .into_ask()
        .map_err(|message| Failure::new(StatusCode::BAD_REQUEST, "invalid_request", message))?;
    let client = address.map_or(Client::Unknown, |axum::Extension(ConnectInfo(address))| {
        Client::Address(address.ip())
    });
    // Dropping this future, or the stream that it returns, cancels the answer: that is what the server does when the client leaves.
    let running = door.answerer.start(ask, client).await?;
    let model = running.model().to_owned();
    if !stream {
        let answer = running.finish().await?;
        return Ok(Json(completion(&model, &answer)).into_response());
    }
    let id = format!("chatcmpl-{}", hex::encode(H256(rand::random()).as_bytes()));
    let chunk = Chunk {
        id,
        model,
        created: types::now(),
        include_usage,
    };
    let events = stream::unfold(Some((running, chunk, true)), |state| async move {
        let (mut running, chunk, first) = state?;
        let (events, more) = next_events(&mut running, &chunk, first).await;
        let next = more.then_some((running, chunk, false));
        Some((stream::iter(events), next))
    });
    let events = futures::StreamExt::flatten(events);
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response())
}

/// The events for the next update, and whether more follow.
async fn next_events(
    running: &mut Running,
    chunk: &Chunk,
    first: bool,
) -> (Vec<Result<Event, Infallible>>, bool) {
    let mut events = Vec::new();
    let mut push = |value: Value| events.push(Ok(Event::default().data(value.to_string())));
    if first {
        push(chunk.role());
    }
    let more = match running.next().await {
        Some(Update::Delta { text, .. }) => {
            if !text.is_empty() {
                push(chunk.delta(&text));
            }
            true
        }
        Some(Update::Answer(answer)) => {
            push(chunk.end(&answer));
            if let Some(usage) = chunk.usage(&answer) {
                push(usage);
            }
            false
        }
        Some(Update::Refused(refusal)) => {
            push(Failure::from(refusal).body());
            false
        }
        None => {
            let cancelled =
                Refusal::new(errors::ENGINE_FAILED, "the answer was cancelled; ask again");
            push(Failure::from(cancelled).body());
            false
        }
    };
    if !more {
        events.push(Ok(Event::default().data("[DONE]")));
    }
    (events, more)
}
