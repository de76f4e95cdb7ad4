//! What a client has read, and what a test expects of it.

use gatewright::bytes::Bytes;
use gatewright::http::{HeaderMap, StatusCode};
use gatewright::text::{Lane, LaneKind};
use serde_json::Value;

use super::builder::fail;
use crate::harness::{End, Streamed};

/// An answer, read to its end or to where the client left.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The exact bytes of the body.
    pub body: Bytes,
    /// The data of each event, the terminator included; none of an answer in one piece.
    pub events: Vec<String>,
    /// Whether the client left before the end.
    pub left: bool,
    /// The exact bytes of the request.
    pub request: Bytes,
}

impl Reply {
    pub(super) fn new(
        (status, headers): (StatusCode, HeaderMap),
        body: Bytes,
        (request, left): (Bytes, bool),
    ) -> Self {
        let is_stream =
            headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/event"));
        let events = if is_stream { Streamed::new(body.clone(), End::Clean).events } else { Vec::new() };
        Self { status, headers, body, events, left, request }
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none, as a stream is.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| fail(&format!("{error} in {:?}", self.body)))
    }

    /// The content of the first choice.
    #[must_use]
    pub fn text(&self) -> String {
        self.lane(Lane::content(0))
    }

    /// The text of a lane, whether it came whole or in pieces.
    #[must_use]
    pub fn lane(&self, lane: Lane) -> String {
        let whole;
        let events: Vec<Value> = if self.events.is_empty() {
            whole = serde_json::from_slice(&self.body).unwrap_or_default();
            vec![whole]
        } else {
            self.events.iter().filter_map(|event| serde_json::from_str(event).ok()).collect()
        };
        let choices = events.iter().filter_map(|event| event["choices"].as_array()).flatten();
        choices
            .filter(|choice| choice["index"] == lane.choice)
            .map(|choice| piece(choice, lane.kind))
            .collect()
    }

    /// The code of the error that the answer is, or that a stream ends with.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        let last = self.events.iter().rev().find_map(|event| {
            let event: Value = serde_json::from_str(event).ok()?;
            event.get("error").cloned()
        });
        let error = match last {
            Some(error) => error,
            None => serde_json::from_slice::<Value>(&self.body).ok()?.get("error")?.clone(),
        };
        Some(error["code"].as_str().unwrap_or_default().to_owned())
    }

    /// Asserts that the answer is a good one.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn assert_ok(&self) -> &Self {
        assert!(
            self.status.is_success() && self.code().is_none(),
            "the exchange ends well, and not with {} {:?}",
            self.status,
            self.body
        );
        self
    }

    /// Asserts the content of the first choice.
    ///
    /// # Panics
    /// If it is another.
    #[track_caller]
    pub fn assert_text(&self, expected: &str) -> &Self {
        self.assert_ok();
        assert_eq!(self.text(), expected, "the content of the answer {:?}", self.body);
        self
    }

    /// Asserts that the exchange was refused, or its answer cut, with this code.
    ///
    /// # Panics
    /// If it was not.
    #[track_caller]
    pub fn assert_denied(&self, code: &str) -> &Self {
        assert_eq!(
            self.code().as_deref(),
            Some(code),
            "the code of the refusal, in {} {:?}",
            self.status,
            self.body
        );
        self
    }
}

/// The piece of a lane in one choice of an answer or an event.
fn piece(choice: &Value, kind: LaneKind) -> String {
    let part = if choice["delta"].is_object() { &choice["delta"] } else { &choice["message"] };
    let text = match kind {
        LaneKind::Content => part["content"].as_str().or(choice["text"].as_str()),
        LaneKind::Reasoning => part["reasoning_content"].as_str(),
        LaneKind::Refusal => part["refusal"].as_str(),
        LaneKind::ToolArguments { index } => {
            let calls = part["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default();
            let is_meant = |place: usize, call: &Value| match call.get("index") {
                Some(index_of_call) => *index_of_call == index,
                None => u32::try_from(place) == Ok(index),
            };
            let found = calls.iter().enumerate().find(|(place, call)| is_meant(*place, call));
            found.and_then(|(_, call)| call["function"]["arguments"].as_str())
        }
    };
    text.unwrap_or_default().to_owned()
}
