//! What the simulated provider saw and billed: one record per request, kept for the test that asks.
//!
//! A record is made when the body has been read and closes exactly once, whatever ends the exchange.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri, Version, request};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

/// How an exchange ended, seen from the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It has not ended.
    Running,
    /// The whole answer was handed over.
    Answered,
    /// The provider itself broke off, as it was told to.
    Broken,
    /// The other side went away at this time.
    ClientLeft(Instant),
}

/// What the provider charges for one request: the oracle of usage tests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bill {
    /// The model as the request named it.
    pub model: String,
    /// Prompt tokens, charged when the answer begins; a refusal costs nothing.
    pub prompt_tokens: u64,
    /// Completion tokens that were handed over, whatever the answer reported.
    pub completion_tokens: u64,
}

/// One request as it arrived.
#[derive(Debug)]
pub struct RecordedRequest {
    /// Which of the provider's connections it came on, counted from 0.
    pub connection: u64,
    /// The method.
    pub method: Method,
    /// The target, with its query.
    pub uri: Uri,
    /// The protocol version.
    pub version: Version,
    /// The headers, in order of arrival.
    pub headers: HeaderMap,
    /// The exact body; what came of it where the client left during its upload.
    pub body: Bytes,
    /// When the body was complete.
    pub received_at: Instant,
    bill: Mutex<Bill>,
    sent: Mutex<Vec<Bytes>>,
    received: Mutex<Vec<Bytes>>,
    outcome: watch::Sender<Outcome>,
}

impl RecordedRequest {
    pub(super) fn new(head: request::Parts, body: Bytes, connection: u64) -> Self {
        Self {
            connection,
            method: head.method,
            uri: head.uri,
            version: head.version,
            headers: head.headers,
            body,
            received_at: Instant::now(),
            bill: Mutex::default(),
            sent: Mutex::default(),
            received: Mutex::default(),
            outcome: watch::Sender::new(Outcome::Running),
        }
    }

    /// The body as JSON, or null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// A header's value as text, where it is there once or more and is ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What has been charged so far.
    pub fn bill(&self) -> Bill {
        self.bill.lock().clone()
    }

    /// The exact bytes of the answer's body that were handed over so far.
    pub fn sent(&self) -> Bytes {
        Bytes::from(self.sent.lock().concat())
    }

    /// The messages of a session that arrived so far.
    pub fn messages(&self) -> Vec<Bytes> {
        self.received.lock().clone()
    }

    /// How the exchange ended, or that it has not.
    pub fn outcome(&self) -> Outcome {
        *self.outcome.borrow()
    }

    /// Waits for the end of the exchange.
    ///
    /// # Cancellation
    /// Dropping the future has no effect.
    pub async fn wait_for_end(&self) -> Outcome {
        let mut outcome = self.outcome.subscribe();
        let ended = outcome.wait_for(|outcome| *outcome != Outcome::Running).await;
        *ended.expect("the sender lives in self")
    }

    /// Waits until the other side goes away and says when; `None` if the exchange ends in another way.
    ///
    /// # Cancellation
    /// Dropping the future has no effect.
    pub async fn wait_for_disconnect(&self) -> Option<Instant> {
        match self.wait_for_end().await {
            Outcome::ClientLeft(at) => Some(at),
            Outcome::Running | Outcome::Answered | Outcome::Broken => None,
        }
    }
}

/// Follows one exchange to its end; dropped before that, it says that the client left.
#[derive(Debug)]
pub(super) struct Exchange(Option<Arc<RecordedRequest>>);

impl Exchange {
    pub(super) fn recorded(request: Arc<RecordedRequest>) -> Self {
        Self(Some(request))
    }

    pub(super) fn unrecorded() -> Self {
        Self(None)
    }

    pub(super) fn name_model(&self, model: &str) {
        self.charge(|bill| model.clone_into(&mut bill.model));
    }

    pub(super) fn charge_prompt(&self, tokens: u64) {
        self.charge(|bill| bill.prompt_tokens += tokens);
    }

    pub(super) fn charge_completion(&self, tokens: u32) {
        self.charge(|bill| bill.completion_tokens += u64::from(tokens));
    }

    pub(super) fn note_sent(&self, bytes: &Bytes) {
        if let Some(request) = &self.0 {
            request.sent.lock().push(bytes.clone());
        }
    }

    pub(super) fn note_received(&self, message: &Bytes) {
        if let Some(request) = &self.0 {
            request.received.lock().push(message.clone());
        }
    }

    pub(super) fn end(&mut self, outcome: Outcome) {
        if let Some(request) = self.0.take() {
            request.outcome.send_replace(outcome);
        }
    }

    fn charge(&self, change: impl FnOnce(&mut Bill)) {
        if let Some(request) = &self.0 {
            change(&mut request.bill.lock());
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.end(Outcome::ClientLeft(Instant::now()));
    }
}
