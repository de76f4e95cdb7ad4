//! What a client reads: an answer's head, its bytes, the events of a stream, and how it ended.

use std::mem;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;

use super::client::Connection;
use super::wait::within;

const DONE: &str = "[DONE]";

/// An answer whose head has come. Dropping it before its end is a client that leaves.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    body: Incoming,
    /// What has come of the events that are not complete.
    unread: BytesMut,
    connection: Connection,
}

/// An answer in one piece.
#[derive(Debug, Clone)]
pub struct Whole {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The exact bytes of the body.
    pub body: Bytes,
}

/// How a body ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// As HTTP says that a body ends.
    Clean,
    /// In the middle.
    Broken(String),
}

/// A stream that was read to its end.
#[derive(Debug, Clone)]
pub struct Streamed {
    /// The exact bytes of the body.
    pub body: Bytes,
    /// The data of each event.
    pub events: Vec<String>,
    /// How it ended.
    pub end: End,
}

impl Answer {
    pub(super) fn new(response: Response<Incoming>, connection: Connection) -> Self {
        let (head, body) = response.into_parts();
        Self { status: head.status, headers: head.headers, body, unread: BytesMut::new(), connection }
    }

    /// The id of the exchange.
    ///
    /// # Panics
    /// If the answer has none.
    pub fn id(&self) -> String {
        request_id(&self.headers)
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        text(&self.headers, name)
    }

    /// The next bytes, as they come; none at the end.
    ///
    /// # Cancellation
    /// No byte is lost.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, String>> {
        loop {
            let frame = within("more of an answer", self.body.frame()).await?;
            match frame.map(|frame| frame.into_data()) {
                Ok(Ok(data)) => return Some(Ok(data)),
                Ok(Err(_trailers)) => {}
                Err(error) => return Some(Err(format!("{error:?}"))),
            }
        }
    }

    /// The data of the next event of a stream; none at the end.
    ///
    /// # Panics
    /// If the body breaks off.
    ///
    /// # Cancellation
    /// No byte is lost.
    pub async fn event(&mut self) -> Option<String> {
        loop {
            if let Some(event) = take_event(&mut self.unread) {
                return Some(event);
            }
            match self.chunk().await? {
                Ok(data) => self.unread.extend_from_slice(&data),
                Err(error) => panic!("the stream broke off: {error}"),
            }
        }
    }

    /// The next event as JSON.
    ///
    /// # Panics
    /// If there is none or it is no JSON.
    ///
    /// # Cancellation
    /// No byte is lost.
    pub async fn json_event(&mut self) -> Value {
        let event = self.event().await.expect("one more event");
        serde_json::from_str(&event).expect("an event's data is JSON")
    }

    /// The whole body.
    ///
    /// # Panics
    /// If it breaks off.
    ///
    /// # Cancellation
    /// The client leaves.
    pub async fn whole(self) -> Whole {
        let (status, headers) = (self.status, self.headers.clone());
        let (streamed, _connection) = self.read().await;
        assert_eq!(streamed.end, End::Clean, "the body is whole: {:?}", streamed.body);
        Whole { status, headers, body: streamed.body }
    }

    /// The whole body as JSON.
    ///
    /// # Panics
    /// If it breaks off or is no JSON.
    ///
    /// # Cancellation
    /// The client leaves.
    pub async fn json(self) -> Value {
        self.whole().await.json()
    }

    /// Everything to the end of a stream, however it comes.
    ///
    /// # Cancellation
    /// The client leaves.
    pub async fn to_end(self) -> Streamed {
        self.read().await.0
    }

    /// Reads to the end and hands the connection back.
    ///
    /// # Cancellation
    /// The client leaves.
    pub async fn then_connection(self) -> (Streamed, Connection) {
        self.read().await
    }

    /// What was read of events before counts as part of them only where they were not complete.
    async fn read(mut self) -> (Streamed, Connection) {
        let mut body = mem::take(&mut self.unread);
        let end = loop {
            match self.chunk().await {
                Some(Ok(data)) => body.extend_from_slice(&data),
                Some(Err(error)) => break End::Broken(error),
                None => break End::Clean,
            }
        };
        (Streamed::new(body.freeze(), end), self.connection)
    }
}

impl Whole {
    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{error} in {:?}", self.body),
        }
    }

    /// The id of the exchange.
    ///
    /// # Panics
    /// If the answer has none.
    pub fn id(&self) -> String {
        request_id(&self.headers)
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        text(&self.headers, name)
    }
}

impl Streamed {
    pub(crate) fn new(body: Bytes, end: End) -> Self {
        let mut rest = BytesMut::from(&*body);
        let events = std::iter::from_fn(|| take_event(&mut rest)).collect();
        Self { body, events, end }
    }

    /// The events that are JSON objects, so all but the terminator.
    ///
    /// # Panics
    /// If one is not.
    pub fn json_events(&self) -> Vec<Value> {
        let objects = self.events.iter().filter(|event| *event != DONE);
        objects.map(|event| serde_json::from_str(event).expect("an event's data is JSON")).collect()
    }

    /// The text of one choice.
    pub fn text(&self, choice: u64) -> String {
        self.of_choice(choice)
            .iter()
            .filter_map(|choice| choice["delta"]["content"].as_str().or(choice["text"].as_str()))
            .collect()
    }

    /// The arguments of one tool call of one choice.
    pub fn arguments(&self, choice: u64, call: u64) -> String {
        let choices = self.of_choice(choice);
        let calls = choices.iter().filter_map(|choice| choice["delta"]["tool_calls"].as_array()).flatten();
        calls
            .filter(|found| found["index"] == call)
            .filter_map(|found| found["function"]["arguments"].as_str())
            .collect()
    }

    /// Whether the last event is the terminator.
    pub fn is_done(&self) -> bool {
        self.events.last().is_some_and(|event| event == DONE)
    }

    /// The error object of the last event, if it is one.
    pub fn error(&self) -> Option<Value> {
        let last: Value = serde_json::from_str(self.events.last()?).ok()?;
        last.get("error").cloned()
    }

    /// The usage of the event that has one.
    pub fn usage(&self) -> Option<Value> {
        self.json_events().into_iter().map(|mut event| event["usage"].take()).find(|usage| !usage.is_null())
    }

    fn of_choice(&self, index: u64) -> Vec<Value> {
        let choices = self.json_events().into_iter().filter_map(|mut event| match event["choices"].take() {
            Value::Array(choices) => Some(choices),
            _ => None,
        });
        choices.flatten().filter(|choice| choice["index"] == index).collect()
    }
}

fn request_id(headers: &HeaderMap) -> String {
    text(headers, "x-request-id").expect("every answer has a request id").to_owned()
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Cuts the next complete event off and returns its data. Comments are passed over.
pub(crate) fn take_event(buffer: &mut BytesMut) -> Option<String> {
    loop {
        let end = memchr::memmem::find(buffer, b"\n\n")?;
        let block = buffer.split_to(end + 2);
        let text = String::from_utf8_lossy(&block);
        let data: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data:")).collect();
        if !data.is_empty() {
            return Some(data.join("\n").trim_start().to_owned());
        }
    }
}
