//! Requests of a test, and answers on their way.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;

use gatewright::bytes::{Bytes, BytesMut};
use gatewright::http::header::{AUTHORIZATION, CONTENT_TYPE};
use gatewright::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use gatewright_gateway::embed::{Answer, Application};
use http_body::Body;
use http_body_util::Full;

use super::builder::fail;
use super::reply::Reply;
use crate::harness::{take_event, within};

/// A request that is about to be sent. It borrows nothing, so that several can be under way.
#[derive(Clone, Debug)]
pub struct TestRequest {
    application: Application,
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Bytes,
    leaves_after: Option<usize>,
}

impl TestRequest {
    pub(super) fn new(application: &Application, target: &str, body: Bytes) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let target = target.to_owned();
        Self {
            application: application.clone(),
            method: Method::POST,
            target,
            headers,
            body,
            leaves_after: None,
        }
    }

    /// Sets a header.
    ///
    /// # Panics
    /// If name or value cannot be sent.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a test names a header");
        self.headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).expect("a test sends a value"));
        self
    }

    /// Calls with this key.
    #[must_use]
    pub fn caller(self, key: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), &format!("Bearer {key}"))
    }

    /// Calls without a key.
    #[must_use]
    pub fn without_key(mut self) -> Self {
        self.headers.remove(AUTHORIZATION);
        self
    }

    /// Uses another method.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Leaves as soon as so many events of the answer have come; 0 is as soon as its head has.
    #[must_use]
    pub fn cancel_after(mut self, events: usize) -> Self {
        self.leaves_after = Some(events);
        self
    }

    /// Sends the request and reads the answer to its end, or as far as [`TestRequest::cancel_after`] says.
    ///
    /// # Panics
    /// If the answer does not come to its end.
    ///
    /// # Cancellation
    /// The client leaves.
    pub async fn send(self) -> Reply {
        let leaves_after = self.leaves_after;
        let mut open = self.open().await;
        if let Some(events) = leaves_after {
            for _ in 0..events {
                if open.event().await.is_none() {
                    break;
                }
            }
            return open.leave();
        }
        open.to_end().await
    }

    /// Sends the request and waits for the head of the answer.
    ///
    /// # Panics
    /// If none comes.
    ///
    /// # Cancellation
    /// The client leaves.
    pub async fn open(self) -> OpenAnswer {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.target.parse().unwrap_or_else(|error| fail(&format!("{error}")));
        *request.headers_mut() = self.headers;
        let peer: SocketAddr = ([127, 0, 0, 1], 50_000).into();
        request.extensions_mut().insert(peer);
        let answer = within("the head of an answer", self.application.answer(request)).await;
        OpenAnswer::new(answer, self.body)
    }
}

/// An answer whose head has come. Dropping it is a client that leaves.
#[derive(Debug)]
pub struct OpenAnswer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    body: Option<Answer>,
    request: Bytes,
    /// Everything that has come.
    came: BytesMut,
    /// What has come of events that were not returned yet.
    unread: BytesMut,
}

impl OpenAnswer {
    fn new(answer: Answer, request: Bytes) -> Self {
        let (status, headers) = (answer.status(), answer.headers().clone());
        Self { status, headers, body: Some(answer), request, came: BytesMut::new(), unread: BytesMut::new() }
    }

    /// The data of the next event of a stream; none at the end.
    ///
    /// # Cancellation
    /// No byte is lost.
    pub async fn event(&mut self) -> Option<String> {
        loop {
            if let Some(event) = take_event(&mut self.unread) {
                return Some(event);
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// Leaves, with what has come so far.
    #[must_use]
    pub fn leave(mut self) -> Reply {
        self.body = None;
        self.reply(true)
    }

    /// Reads to the end.
    ///
    /// # Cancellation
    /// The client leaves.
    pub async fn to_end(mut self) -> Reply {
        while self.more().await {}
        self.reply(false)
    }

    /// Waits for more bytes; there are none at the end.
    async fn more(&mut self) -> bool {
        let Some(answer) = &mut self.body else { return false };
        let frame = poll_fn(|cx| Pin::new(answer.body_mut()).poll_frame(cx));
        match within("more of an answer", frame).await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    self.came.extend_from_slice(&data);
                    self.unread.extend_from_slice(&data);
                }
                true
            }
            Some(Err(error)) => fail(&format!("an answer's body failed, which it never does: {error}")),
            None => {
                self.body = None;
                false
            }
        }
    }

    fn reply(mut self, left: bool) -> Reply {
        let body = std::mem::take(&mut self.came).freeze();
        Reply::new((self.status, std::mem::take(&mut self.headers)), body, (self.request, left))
    }
}
