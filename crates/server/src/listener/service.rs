//! The service of one connection: the application's, with what the listener adds to every request.
//!
//! Adds the [`ConnectionInfo`], refuses what must not reach the application, marks the request as in
//! flight, and during a drain asks HTTP/1 clients to close.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper::upgrade::OnUpgrade;
use pin_project_lite::pin_project;

use super::body::{AnswerBody, InFlight};
use super::connection::Held;
use super::info::ConnectionInfo;
use super::strict::{self, Violation};
use crate::drain::Phase;

/// The application behind one connection.
#[derive(Debug, Clone)]
pub(super) struct ConnectionService<S> {
    application: S,
    info: ConnectionInfo,
    /// What the connection holds, where it can switch to another protocol.
    held: Option<Arc<Held>>,
}

/// The place of a connection that may switch to another protocol. A request that asks for it carries one; while it
/// lives, the listener and the drain count the connection, whatever is spoken on it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    _held: Arc<Held>,
}

impl<S> ConnectionService<S> {
    pub(super) fn new(application: S, info: ConnectionInfo) -> Self {
        ConnectionService { application, info, held: None }
    }

    /// The service of a connection that can switch to another protocol.
    pub(super) fn with_place(self, held: &Arc<Held>) -> Self {
        ConnectionService { held: Some(Arc::clone(held)), ..self }
    }
}

impl<S, B> Service<Request<Incoming>> for ConnectionService<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes>,
{
    type Response = Response<AnswerBody<B>>;
    type Error = Infallible;
    type Future = Answering<S::Future>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let in_flight = InFlight::new(self.info.clone());
        let over_http1 = request.version() < Version::HTTP_2;
        let step = match strict::check(&request, self.info.refusal()) {
            Ok(()) => {
                request.extensions_mut().insert(self.info.clone());
                let switches = request.extensions().get::<OnUpgrade>().is_some();
                if let Some(held) = self.held.as_ref().filter(|_| switches) {
                    request.extensions_mut().insert(Place { _held: Arc::clone(held) });
                }
                Step::Serving { future: self.application.call(request) }
            }
            Err(violation) => Step::Refused { violation },
        };
        Answering { step, in_flight: Some(in_flight), over_http1 }
    }
}

pin_project! {
    /// The answer to one request in the making.
    pub(super) struct Answering<F> {
        #[pin]
        step: Step<F>,
        in_flight: Option<InFlight>,
        over_http1: bool,
    }
}

pin_project! {
    #[project = StepProjection]
    enum Step<F> {
        Serving { #[pin] future: F },
        Refused { violation: Violation },
    }
}

impl<F, B> Future for Answering<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
    B: Body<Data = Bytes>,
{
    type Output = Result<Response<AnswerBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = match this.step.project() {
            StepProjection::Serving { future } => {
                Ok(ready!(future.poll(cx)).unwrap_or_else(|never| match never {}))
            }
            StepProjection::Refused { violation } => Err(*violation),
        };
        let in_flight = this.in_flight.take().expect("a future is not polled after it was ready");
        let closes =
            *this.over_http1 && (response.is_err() || in_flight.info().drain().phase() >= Phase::Closing);
        let mut answer = match response {
            Ok(response) => response.map(|body| AnswerBody::served(body, in_flight, !*this.over_http1)),
            Err(violation) => refusal(violation, in_flight),
        };
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            answer.body().info().activity().switch();
        } else if closes {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Poll::Ready(Ok(answer))
    }
}

/// The answer to a request that broke the protocol. The text is of no dialect: what was meant is unknown.
fn refusal<B: Body>(violation: Violation, in_flight: InFlight) -> Response<AnswerBody<B>> {
    tracing::debug!(peer = %in_flight.info().peer(), %violation, "request refused");
    let text = format!(
        r#"{{"error":{{"message":"{violation}","type":"invalid_request_error","param":null,"code":"{}"}}}}"#,
        violation.code()
    );
    let mut response = Response::new(AnswerBody::refused(Bytes::from(text), in_flight));
    *response.status_mut() = violation.status();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
