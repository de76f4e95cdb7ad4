//! The answer of a provider: its head, and its body as it comes.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::call::strip_connection_headers;
use crate::connection::http1::Http1;
use crate::connection::http2::Stream;
use crate::deadline::Timing;
use crate::error::{ReadError, cause};
use crate::pool::Lease;

/// After how many pieces without a wait the clock is looked at.
const UNWAITED_MAX: u8 = 32;

type Piece = Result<Frame<Bytes>, ReadError>;

/// The version of HTTP that an exchange used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 or 1.0.
    Http1,
    /// HTTP/2.
    Http2,
}

/// The answer of a provider.
///
/// # Cancellation
///
/// Dropping the answer or its body before the end cancels the call: an HTTP/1.1 connection is
/// closed and an HTTP/2 stream is reset at once.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers, without those that concern the connection only.
    pub headers: HeaderMap,
    /// The body.
    pub body: AnswerBody,
    /// What was spoken.
    pub protocol: Protocol,
    /// Whether the connection had served another exchange before.
    pub reused: bool,
}

impl Answer {
    pub(crate) fn new(response: Response<Incoming>, carrier: Carrier, timing: Timing, reused: bool) -> Self {
        let (mut head, incoming) = response.into_parts();
        strip_connection_headers(&mut head.headers);
        let protocol = match carrier {
            Carrier::Http1(..) => Protocol::Http1,
            Carrier::Http2(_) => Protocol::Http2,
        };
        let mut body = AnswerBody {
            source: Some(Source { incoming, carrier }),
            timing,
            waiting_since: None,
            unwaited: 0,
        };
        body.finish_if_complete();
        Self { status: head.status, headers: head.headers, body, protocol, reused }
    }
}

/// The body of an answer.
///
/// Each poll asks the provider's connection; nothing is read ahead of the reader beyond one
/// buffer. The deadlines for gaps and for the whole call are enforced by the polls themselves.
///
/// # Cancellation
///
/// Dropping it before the end cancels the call; see [`Answer`].
#[derive(Debug)]
pub struct AnswerBody {
    /// None when the body has ended, in whatever way.
    source: Option<Source>,
    timing: Timing,
    /// When the reader began to wait for the next piece.
    waiting_since: Option<Instant>,
    /// How many pieces came one after the other without a wait.
    unwaited: u8,
}

#[derive(Debug)]
struct Source {
    incoming: Incoming,
    carrier: Carrier,
}

/// What carries an answer. Dropping it ends the exchange upstream.
#[derive(Debug)]
pub(crate) enum Carrier {
    /// A connection that is closed before its lease ends.
    Http1(Box<Http1>, Lease),
    Http2(Stream),
}

impl Source {
    /// Gives back what served a complete answer.
    fn finish(self) {
        match self.carrier {
            Carrier::Http1(connection, lease) if connection.is_reusable() => lease.give_back(connection),
            Carrier::Http1(..) | Carrier::Http2(_) => {}
        }
    }
}

impl AnswerBody {
    /// Lets a piece pass while the whole call is within its time.
    ///
    /// A wait looks at the clock anyway; of pieces that come without one, only some do.
    fn in_time(&mut self, frame: Option<Piece>) -> Option<Piece> {
        self.unwaited = self.unwaited.saturating_add(1);
        if self.unwaited < UNWAITED_MAX || !matches!(frame, Some(Ok(_))) {
            return frame;
        }
        self.unwaited = 0;
        match self.timing.total_passed() {
            Some(passed) => Some(Err(cause::read_timeout(passed))),
            None => frame,
        }
    }

    fn finish_if_complete(&mut self) {
        if let Some(source) = self.source.take_if(|source| source.incoming.is_end_stream()) {
            source.finish();
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = ReadError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        let this = self.get_mut();
        let Some(Source { incoming, carrier }) = &mut this.source else {
            return Poll::Ready(None);
        };
        let (timing, since) = (&this.timing, &mut this.waiting_since);
        let polled = match carrier {
            Carrier::Http1(connection, _) => connection.poll_body(cx, incoming, timing, since),
            Carrier::Http2(stream) => stream.poll_body(cx, incoming, timing, since),
        };
        let frame = match polled {
            Poll::Pending => {
                this.unwaited = 0;
                return Poll::Pending;
            }
            Poll::Ready(frame) => this.in_time(frame),
        };
        match &frame {
            Some(Ok(_)) => this.finish_if_complete(),
            // What failed is dropped here, so that the provider learns of it at once.
            Some(Err(_)) => this.source = None,
            None => {
                if let Some(source) = this.source.take() {
                    source.finish();
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.source.as_ref().is_none_or(|source| source.incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.source.as_ref().map_or_else(|| SizeHint::with_exact(0), |source| source.incoming.size_hint())
    }
}
