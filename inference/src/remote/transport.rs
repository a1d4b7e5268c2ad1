//! HTTP with time-outs and size limits. Every call has a connection of its own, so that dropping it cancels the work.

use super::{RemoteLimits, wire};
use crate::{EngineError, slots::ASK};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode, Uri,
    body::{Bytes, Incoming},
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{
    future::Future,
    sync::mpsc::{RecvTimeoutError, sync_channel},
    time::{Duration, Instant},
};
use tokio::{runtime::Runtime, time::timeout_at};

/// Longest line of a stream: the ids of a prompt of several hundred thousand tokens fit.
const MAX_LINE: usize = 4 << 20;
/// Most bytes of a stream.
const MAX_STREAM: usize = 64 << 20;
/// Most bytes of an error message that are read.
const MAX_ERROR: usize = 64 << 10;

/// Why a call to the server gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("cannot connect ({0}); is the server running, and does it listen there?")]
    Unreachable(String),
    #[error("no answer within {} ms; the server is overloaded or hangs", .0.as_millis())]
    Slow(Duration),
    #[error("status {code}: {message}")]
    Status {
        code: u16,
        message: String,
        pause: Duration,
    },
    #[error("the connection broke ({0})")]
    Broken(String),
    #[error("the stream ended before the answer did")]
    Truncated,
    #[error("more than {0} bytes; this is no answer")]
    TooLarge(usize),
    #[error("{0}")]
    Garbled(String),
    #[error("this engine cannot {0}")]
    Setup(&'static str),
    #[error(transparent)]
    Engine(EngineError),
    #[error("cancelled")]
    Cancelled,
}

impl Fault {
    /// Whether another attempt may help. One that was slow may not: the server has too much to do already.
    pub(super) fn may_be_repeated(&self) -> bool {
        match self {
            Self::Status { code, .. } => matches!(code, 429 | 500 | 502 | 503 | 504),
            Self::Unreachable(_) | Self::Broken(_) | Self::Truncated => true,
            _ => false,
        }
    }

    /// Whether it speaks against the server rather than against the request.
    pub(super) fn is_the_servers(&self) -> bool {
        match self {
            Self::Status { code, .. } => *code >= 500,
            Self::Setup(_) | Self::Engine(_) | Self::Cancelled => false,
            _ => true,
        }
    }

    /// Pause that the server asked for.
    pub(super) fn asked_pause(&self) -> Duration {
        match self {
            Self::Status { pause, .. } => *pause,
            _ => Duration::ZERO,
        }
    }
}

/// Whether this is an address that can be called.
pub(super) fn is_supported(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
            && uri.query().is_none()
    })
}

pub(super) struct Transport {
    /// Its own, so that callers may be anywhere; `None` only while dropping.
    runtime: Option<Runtime>,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    key: Option<HeaderValue>,
}

impl Drop for Transport {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Transport {
    pub(super) fn new(
        url: &str,
        key: Option<String>,
        limits: &RemoteLimits,
    ) -> Result<Self, EngineError> {
        let failed = |what: String| EngineError::Failed(what);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("remote-engine")
            .enable_all()
            .build()
            .map_err(|e| failed(format!("cannot start a thread: {e}")))?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(limits.connect()));
        let builder = HttpsConnectorBuilder::new();
        // Plain HTTP must work on machines that hold no certificates.
        let builder = match url.starts_with("https:") {
            true => builder.with_native_roots().map_err(|e| {
                failed(format!(
                    "no certificates on this machine ({e}); install ca-certificates"
                ))
            })?,
            false => builder.with_tls_config(
                rustls::ClientConfig::builder_with_provider(
                    rustls::crypto::ring::default_provider().into(),
                )
                .with_safe_default_protocol_versions()
                .map_err(|e| failed(e.to_string()))?
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth(),
            ),
        };
        let connector = builder.https_or_http().enable_http1().wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(connector);
        let key = key
            .map(|key| HeaderValue::try_from(format!("Bearer {key}")))
            .transpose()
            .map_err(|_| failed("the API key cannot stand in a header".into()))?
            .map(|mut value| {
                value.set_sensitive(true);
                value
            });
        Ok(Self {
            runtime: Some(runtime),
            client,
            base: url.trim_end_matches('/').into(),
            key,
        })
    }

    pub(super) fn get(&self, path: &str, wait: Duration) -> Result<Reply<'_>, Fault> {
        self.call(
            Method::GET,
            format!("{}{path}", self.base),
            Bytes::new(),
            wait,
            &mut || true,
        )
    }

    /// As long as `go_on` says so.
    pub(super) fn post(
        &self,
        path: &str,
        body: &Value,
        wait: Duration,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Reply<'_>, Fault> {
        let url = format!("{}{path}", self.base);
        self.call(Method::POST, url, body.to_string().into(), wait, go_on)
    }

    /// From an address beside `/v1` rather than under it.
    pub(super) fn get_native(&self, path: &str, wait: Duration) -> Result<Reply<'_>, Fault> {
        let url = format!("{}{path}", self.root());
        self.call(Method::GET, url, Bytes::new(), wait, &mut || true)
    }

    fn root(&self) -> &str {
        self.base.strip_suffix("/v1").unwrap_or(&self.base)
    }

    /// To an address beside `/v1` rather than under it, as long as `go_on` says so.
    pub(super) fn post_native(
        &self,
        path: &str,
        body: &Value,
        wait: Duration,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Reply<'_>, Fault> {
        let url = format!("{}{path}", self.root());
        self.call(Method::POST, url, body.to_string().into(), wait, go_on)
    }

    fn call(
        &self,
        method: Method,
        url: String,
        body: Bytes,
        wait: Duration,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Reply<'_>, Fault> {
        let deadline = Instant::now() + wait;
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header(CONTENT_TYPE, "application/json");
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, key.clone());
        }
        let request = request
            .body(Full::new(body))
            .map_err(|e| Fault::Broken(e.to_string()))?;
        let response = self.client.request(request);
        let response = async move { timeout_at(deadline.into(), response).await };
        let response = self.run(response, go_on)?;
        let response = match response {
            Err(_) => return Err(Fault::Slow(wait)),
            Ok(Err(e)) if e.is_connect() => return Err(Fault::Unreachable(reason(&e))),
            Ok(Err(e)) => return Err(Fault::Broken(reason(&e))),
            Ok(Ok(response)) => response,
        };
        let mut reply = Reply {
            transport: self,
            status: response.status(),
            kind: header(&response, CONTENT_TYPE.as_str()),
            deadline,
            wait,
            body: None,
            pending: Vec::new(),
            received: 0,
        };
        let pause = header(&response, RETRY_AFTER.as_str()).parse().unwrap_or(0);
        reply.body = Some(response.into_body());
        match reply.status {
            StatusCode::OK => Ok(reply),
            status => Err(Fault::Status {
                code: status.as_u16(),
                message: explain(status, &reply.bytes(MAX_ERROR).unwrap_or_default()),
                pause: Duration::from_secs(pause),
            }),
        }
    }

    /// Waits for a future on the engine's own runtime, which may be done from any thread, as long as `go_on` says so; then the
    /// future is dropped, and its connection with it.
    fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<T, Fault> {
        let stopped = || Fault::Broken("the client stopped".into());
        let runtime = self.runtime.as_ref().ok_or_else(stopped)?;
        let (sender, receiver) = sync_channel(1);
        let task = runtime.spawn(async move {
            // Nobody waits for what was cancelled.
            let _ = sender.send(future.await);
        });
        loop {
            match receiver.recv_timeout(ASK) {
                Ok(value) => return Ok(value),
                Err(RecvTimeoutError::Disconnected) => return Err(stopped()),
                Err(RecvTimeoutError::Timeout) if go_on() => {}
                Err(RecvTimeoutError::Timeout) => {
                    task.abort();
                    return Err(Fault::Cancelled);
                }
            }
        }
    }
}

/// What the server answers; dropping it closes the connection.
pub(super) struct Reply<'a> {
    transport: &'a Transport,
    status: StatusCode,
    kind: String,
    deadline: Instant,
    wait: Duration,
    /// `None` while the runtime reads from it and after its end.
    body: Option<Incoming>,
    pending: Vec<u8>,
    received: usize,
}

impl Reply<'_> {
    pub(super) fn expect_stream(&self) -> Result<(), Fault> {
        match self.kind.starts_with("text/event-stream") {
            true => Ok(()),
            false => Err(Fault::Garbled(format!(
                "expected text/event-stream, found \"{}\"",
                wire::shorten(&self.kind)
            ))),
        }
    }

    /// The next line without its end; `None` at the end of the body. A last line without an end is not one. Waits for it as long
    /// as `go_on` says so.
    pub(super) fn line(
        &mut self,
        deadline: Instant,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<String>, Fault> {
        let mut searched = 0;
        loop {
            let end = self.pending.iter().skip(searched).position(|b| *b == b'\n');
            if let Some(end) = end.map(|n| n + searched) {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                let line = String::from_utf8(line)
                    .map_err(|_| Fault::Garbled("a line that is not UTF-8".into()))?;
                return Ok(Some(line.trim_end_matches(['\n', '\r']).into()));
            }
            searched = self.pending.len();
            if searched > MAX_LINE {
                return Err(Fault::TooLarge(MAX_LINE));
            }
            if !self.read(deadline, MAX_STREAM, go_on)? {
                return Ok(None);
            }
        }
    }

    /// The whole body as JSON, within the time of the call.
    pub(super) fn json<T: DeserializeOwned>(&mut self, most: usize) -> Result<T, Fault> {
        wire::parse(&self.bytes(most)?)
    }

    fn bytes(&mut self, most: usize) -> Result<Vec<u8>, Fault> {
        while self.read(self.deadline, most, &mut || true)? {}
        Ok(std::mem::take(&mut self.pending))
    }

    /// Takes what comes next; false at the end.
    fn read(
        &mut self,
        deadline: Instant,
        most: usize,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<bool, Fault> {
        let Some(mut body) = self.body.take() else {
            return Ok(false);
        };
        let wait = deadline.saturating_duration_since(Instant::now());
        let frame = async move {
            let frame = timeout_at(deadline.into(), body.frame()).await;
            (body, frame)
        };
        let (body, frame) = self.transport.run(frame, go_on)?;
        let data = match frame {
            Err(_) => return Err(Fault::Slow(wait.max(self.wait))),
            Ok(None) => return Ok(false),
            Ok(Some(Err(e))) => return Err(Fault::Broken(reason(&e))),
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        };
        self.received = self.received.saturating_add(data.len());
        if self.received > most {
            return Err(Fault::TooLarge(most));
        }
        self.pending.extend_from_slice(&data);
        self.body = Some(body);
        Ok(true)
    }
}

fn header(response: &Response<Incoming>, name: &str) -> String {
    let value = response.headers().get(name).and_then(|v| v.to_str().ok());
    value.unwrap_or_default().into()
}

/// An error with what caused it.
fn reason(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |e| e.source());
    causes.map(|e| e.to_string()).collect::<Vec<_>>().join(": ")
}

/// What the server says about a refusal, and what to do.
fn explain(status: StatusCode, body: &[u8]) -> String {
    let said: Option<Value> = serde_json::from_slice(body).ok();
    let said = said
        .as_ref()
        .and_then(|v| {
            v.pointer("/error/message")
                .or(v.pointer("/message"))
                .or(v.pointer("/detail"))
        })
        .and_then(Value::as_str)
        .map_or_else(
            || wire::shorten(&String::from_utf8_lossy(body)),
            wire::shorten,
        );
    match status.as_u16() {
        401 | 403 => format!("{said} (check `apiKeyFile`)"),
        404 => format!("{said} (check `remoteName`, and that the address ends in /v1)"),
        _ => said,
    }
}
