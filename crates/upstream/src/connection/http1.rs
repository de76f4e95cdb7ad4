//! One HTTP/1.1 connection, driven by whoever uses it.
//!
//! The connection has no task: the exchange polls it together with its own request or body, so
//! that a byte from the provider wakes the client's task and nothing in between. Dropping the
//! connection closes the socket at once. It may serve again only after a clean end.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use super::Counted;
use super::meter::{Metered, Traffic};
use super::relay::Relay;
use crate::call::{Progress, RequestBody};
use crate::deadline::{Passed, Timing, Watch};
use crate::dial::socket::Socket;
use crate::error::{DialError, ReadError, SendError, cause};

/// The longest response head, and the most bytes that are read or written ahead, in bytes.
pub(crate) const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// Up to this size a copy is cheaper than a new read buffer, in bytes.
const COPIED_BYTES_MAX: usize = 1024;

type Reply = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>;

/// An HTTP/1.1 connection, idle or in one exchange.
#[derive(Debug)]
pub(crate) struct Http1 {
    sender: http1::SendRequest<RequestBody>,
    /// Gone once the connection has ended.
    connection: Option<http1::Connection<TokioIo<Metered>, RequestBody>>,
    /// How the connection ended, when it was an error that no handle reported.
    ended: Option<hyper::Error>,
    relay: Arc<Relay>,
    waker: Waker,
    traffic: Arc<Traffic>,
    watch: Watch,
    /// Set when the exchange did something after which the framing is not beyond doubt.
    tainted: bool,
    /// When the connection became idle, in sweeps of the pool.
    idle_since: u64,
    _counted: Counted,
}

/// Why an exchange has no answer.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The connection had ended before the request was begun. The request is whole.
    Unsent(Box<Request<RequestBody>>),
    /// The connection ended before any byte of an answer.
    Unanswered(SendError),
    /// Anything else.
    Error(SendError),
}

impl Http1 {
    pub(crate) async fn new(socket: Socket, host: &str, counted: Counted) -> Result<Box<Self>, DialError> {
        let traffic = Arc::new(Traffic::default());
        let io = TokioIo::new(Metered::new(socket, Arc::clone(&traffic)));
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(BUFFER_BYTES_MAX)
            .handshake(io)
            .await
            .map_err(|_| DialError::Protocol { host: host.to_owned() })?;
        let relay = Relay::new();
        Ok(Box::new(Self {
            sender,
            connection: Some(connection),
            ended: None,
            waker: Waker::from(Arc::clone(&relay)),
            relay,
            traffic,
            watch: Watch::with_one_waker(),
            tainted: false,
            idle_since: 0,
            _counted: counted,
        }))
    }

    /// Sends a request and waits for the head of the answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the connection in the middle of an exchange; the owner must
    /// drop it, too.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<RequestBody>,
        timing: &Timing,
    ) -> Result<Response<Incoming>, Failed> {
        let upload = request.body().progress();
        self.tainted = false;
        self.traffic.reset();
        self.relay.hold();
        let mut reply = pin!(self.sender.try_send_request(request));
        let reply = poll_fn(|cx| self.poll_head(cx, reply.as_mut(), timing, upload.as_deref())).await;
        let response = reply.map_err(Failed::Error)?.map_err(|error| self.failed(error))?;
        let framing = Framing::read(response.headers());
        self.tainted = self.is_early(upload.as_deref()) || framing.is_doubtful();
        if let Some(problem) = head_problem(response.status(), &framing) {
            return Err(Failed::Error(SendError::Malformed { source: problem.into() }));
        }
        Ok(response)
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        mut reply: Pin<&mut impl Future<Output = Reply>>,
        timing: &Timing,
        upload: Option<&Progress>,
    ) -> Poll<Result<Reply, SendError>> {
        let wait = |watch: &mut Watch, cx: &mut Context<'_>| {
            let since = upload.map_or(timing.dispatched, |upload| upload.since(timing.dispatched));
            watch.poll_passed(cx, timing, (since, Instant::now()), timing.limits.first_byte)
        };
        match ready!(self.drive(cx, |cx| reply.as_mut().poll(cx), wait)) {
            Ok(reply) => Poll::Ready(Ok(reply)),
            Err(passed) => Poll::Ready(Err(cause::send_timeout(passed, self.traffic.has_written()))),
        }
    }

    /// Polls for the next piece of an answer's body.
    ///
    /// `waiting_since` is when the reader began to wait for it; a reader that does not ask does
    /// not wait, and pieces that are at hand cost no look at the clock.
    pub(crate) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        body: &mut Incoming,
        timing: &Timing,
        waiting_since: &mut Option<Instant>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReadError>>> {
        let wait = |watch: &mut Watch, cx: &mut Context<'_>| {
            let now = Instant::now();
            let since = *waiting_since.get_or_insert(now);
            watch.poll_passed(cx, timing, (since, now), timing.limits.gap)
        };
        match ready!(self.drive(cx, |cx| Pin::new(&mut *body).poll_frame(cx), wait)) {
            Err(passed) => Poll::Ready(Some(Err(cause::read_timeout(passed)))),
            Ok(frame) => {
                *waiting_since = None;
                Poll::Ready(frame.map(|frame| match frame {
                    Ok(frame) => Ok(frame.map_data(release_buffer)),
                    Err(error) => Err(cause::read_error(error, self.ended.take())),
                }))
            }
        }
    }

    /// Polls the connection, then what the caller waits for, then the deadline.
    ///
    /// A ready result does not register the task: the caller polls again or gives the connection
    /// back.
    fn drive<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
        wait: impl FnOnce(&mut Watch, &mut Context<'_>) -> Poll<Passed>,
    ) -> Poll<Result<T, Passed>> {
        if self.relay.is_quiet_for(cx.waker()) {
            return Poll::Pending;
        }
        self.relay.hold();
        let mut inner = Context::from_waker(&self.waker);
        poll_connection(&mut self.connection, &mut self.ended, &mut inner);
        if let Poll::Ready(ready) = poll(&mut inner) {
            return Poll::Ready(Ok(ready));
        }
        if let Poll::Ready(passed) = wait(&mut self.watch, &mut inner) {
            return Poll::Ready(Err(passed));
        }
        self.relay.forward(cx.waker());
        Poll::Pending
    }

    /// Whether the last exchange ended cleanly and the connection waits for the next request.
    pub(crate) fn is_reusable(&self) -> bool {
        !self.tainted && self.connection.is_some() && self.sender.is_ready()
    }

    /// Prepares for a time without an owner, which begins in sweep `now` of the pool.
    pub(crate) fn park(&mut self, now: u64) {
        self.relay.detach();
        self.idle_since = now;
    }

    pub(crate) fn idle_since(&self) -> u64 {
        self.idle_since
    }

    /// Whether an idle connection is still open, as far as is known on this side.
    pub(crate) fn is_alive(&mut self) -> bool {
        let mut inner = Context::from_waker(&self.waker);
        poll_connection(&mut self.connection, &mut self.ended, &mut inner);
        self.connection.is_some()
    }

    fn failed(&mut self, mut error: TrySendError<Request<RequestBody>>) -> Failed {
        match error.take_message() {
            Some(request) => Failed::Unsent(Box::new(request)),
            None => {
                let error = cause::send_error(error.into_error(), self.traffic.has_written());
                let has_ended = matches!(error, SendError::ClosedEarly { .. } | SendError::Reset { .. });
                if has_ended && !self.traffic.has_read() {
                    Failed::Unanswered(error)
                } else {
                    Failed::Error(error)
                }
            }
        }
    }

    /// Whether the answer began before the request was all sent.
    fn is_early(&self, upload: Option<&Progress>) -> bool {
        self.traffic.is_write_blocked() || upload.is_some_and(|upload| !upload.has_ended())
    }
}

fn poll_connection(
    connection: &mut Option<http1::Connection<TokioIo<Metered>, RequestBody>>,
    ended: &mut Option<hyper::Error>,
    cx: &mut Context<'_>,
) {
    if let Some(running) = connection
        && let Poll::Ready(end) = Pin::new(running).poll(cx)
    {
        *ended = end.err();
        // Dropping it closes the socket and answers the handles that still wait.
        *connection = None;
    }
}

/// Copies a small piece, so that the connection's read buffer is free again.
///
/// The piece is a slice of that buffer. While it lives, the next read needs a new buffer, and who
/// holds a few bytes back holds all of it.
fn release_buffer(piece: Bytes) -> Bytes {
    if piece.len() <= COPIED_BYTES_MAX { Bytes::copy_from_slice(&piece) } else { piece }
}

/// What a head says about where its message ends.
#[derive(Default)]
struct Framing {
    lengths: usize,
    codings: usize,
    other_coding: bool,
}

impl Framing {
    fn read(headers: &HeaderMap) -> Self {
        let mut framing = Self::default();
        for (name, value) in headers {
            if *name == CONTENT_LENGTH {
                framing.lengths += 1;
            } else if *name == TRANSFER_ENCODING {
                framing.codings += 1;
                framing.other_coding |= !value.as_bytes().eq_ignore_ascii_case(b"chunked");
            }
        }
        framing
    }

    /// Whether there is more than one length, so that two readers could disagree on the end.
    fn is_doubtful(&self) -> bool {
        self.lengths + self.codings > 1
    }
}

/// What a head must not be, although it parses.
fn head_problem(status: StatusCode, framing: &Framing) -> Option<&'static str> {
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Some("the provider switched protocols without being asked");
    }
    (framing.codings > 1 || framing.other_coding).then_some("the transfer coding is not plain chunked")
}
