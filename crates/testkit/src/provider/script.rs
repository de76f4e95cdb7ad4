//! What the simulated provider does for one request, step by step.
//!
//! Everything the provider sends is such a list: answers made from a request, and the exact bytes that a test wrote.
//! The steps are data; `body` plays them as the body of an HTTP answer, `wire` plays them on the bare socket.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;
use tokio::sync::Semaphore;

/// One thing that the provider does.
#[derive(Debug, Clone)]
pub enum Step {
    /// Send these bytes; the provider bills so many completion tokens for them.
    Send {
        /// The exact bytes.
        bytes: Bytes,
        /// What they cost.
        tokens: u32,
    },
    /// Go on only when everything before has been handed to the kernel, so that the next bytes are a write of
    /// their own.
    Flush,
    /// Let so much time pass. Waits are measured from the start of the answer: they do not drift.
    Wait(Duration),
    /// Wait until the test opens the gate once more.
    WaitFor(Gate),
    /// Nothing more, with the connection open.
    Stall,
    /// Reset the connection after what was sent (RST).
    Reset,
    /// Close the connection after what was sent (FIN).
    Close,
}

impl Step {
    /// Sends bytes that cost nothing.
    pub fn send(bytes: impl Into<Bytes>) -> Self {
        Self::Send { bytes: bytes.into(), tokens: 0 }
    }

    /// Sends one server-sent event with this data.
    pub fn event(data: &str) -> Self {
        Self::send(format!("data: {data}\n\n"))
    }
}

/// Lets a test decide when the provider goes on.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets one waiting step pass, now or when it comes.
    pub fn open(&self) {
        self.0.add_permits(1);
    }

    pub(super) async fn pass(self) {
        let permit = self.0.acquire().await.expect("a gate's semaphore is never closed");
        permit.forget();
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

/// The answer to one request, put into the queue by a test.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Answer as if the request had named this model.
    Model(String),
    /// Answer with this head and these bytes.
    Scripted(Script),
    /// Answer with these bytes on the bare connection, status line included, then close it.
    /// On HTTP/2 the stream is reset instead.
    Wire(Vec<Step>),
}

/// A scripted HTTP answer.
#[derive(Debug, Clone)]
pub struct Script {
    /// What happens before the status line; `Send` and `Flush` do nothing here.
    pub before: Vec<Step>,
    /// The status.
    pub status: StatusCode,
    /// The headers; without Content-Length the body is chunked.
    pub headers: HeaderMap,
    /// The body.
    pub body: Arc<[Step]>,
    /// What the provider bills for the prompt as soon as the head goes out.
    pub prompt_tokens: u64,
    /// Where in this interval the body begins differs from one answer to the next.
    pub(super) stagger: Option<Duration>,
}

impl Script {
    /// An answer with this status and body and no header.
    pub fn new(status: StatusCode, body: impl Into<Arc<[Step]>>) -> Self {
        Self {
            before: Vec::new(),
            status,
            headers: HeaderMap::new(),
            body: body.into(),
            prompt_tokens: 0,
            stagger: None,
        }
    }

    /// An answer with a body of known length.
    pub(super) fn whole(status: StatusCode, content_type: &'static str, body: Bytes) -> Self {
        let length = HeaderValue::from(body.len());
        Self::new(status, [Step::send(body)])
            .with_header(CONTENT_TYPE, HeaderValue::from_static(content_type))
            .with_header(CONTENT_LENGTH, length)
    }

    pub(super) fn json(body: &Value) -> Self {
        Self::whole(StatusCode::OK, "application/json", Bytes::from(body.to_string()))
    }

    /// Adds a header.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

impl Answer {
    /// Answers as if the request had named this model, such as `sim?stall_after=3`.
    pub fn model(name: impl Into<String>) -> Self {
        Self::Model(name.into())
    }

    /// Answers with a status and a JSON body.
    ///
    /// # Panics
    /// If `status` is no HTTP status.
    pub fn json(status: u16, body: &Value) -> Self {
        let body = Bytes::from(body.to_string());
        Self::Scripted(Script::whole(status_of(status), "application/json", body))
    }

    /// Answers with a status and an exact body of any type.
    ///
    /// # Panics
    /// If `status` is no HTTP status.
    pub fn body(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self::Scripted(Script::whole(status_of(status), content_type, body.into()))
    }

    /// Answers 200 with an event stream whose body is exactly these steps.
    pub fn stream(body: impl Into<Arc<[Step]>>) -> Self {
        let event_stream = HeaderValue::from_static("text/event-stream; charset=utf-8");
        Self::Scripted(Script::new(StatusCode::OK, body).with_header(CONTENT_TYPE, event_stream))
    }

    /// Answers 200 with an event stream of these events, each written on its own.
    pub fn events<'a>(data: impl IntoIterator<Item = &'a str>) -> Self {
        let steps: Vec<Step> = data.into_iter().flat_map(|data| [Step::event(data), Step::Flush]).collect();
        Self::stream(steps)
    }

    /// Answers with these bytes on the bare connection, status line included.
    pub fn wire(steps: impl Into<Vec<Step>>) -> Self {
        Self::Wire(steps.into())
    }

    /// Does these steps before the status line of a scripted answer; other answers stay as they are.
    #[must_use]
    pub fn after(mut self, before: impl Into<Vec<Step>>) -> Self {
        if let Self::Scripted(script) = &mut self {
            script.before = before.into();
        }
        self
    }
}

fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("a test names a status from 100 to 999")
}
