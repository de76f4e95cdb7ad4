//! One HTTP/2 connection, shared by many exchanges of a worker and driven by a task of its own.
//!
//! Dropping an exchange or its answer resets its stream and leaves the connection to the others.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::Instant;

use super::Counted;
use super::http1::Failed;
use crate::call::RequestBody;
use crate::deadline::{Timing, Watch};
use crate::dial::socket::Socket;
use crate::error::{DialError, ReadError, SendError, cause};
use crate::pool::Lease;

/// How much of one answer may wait unread in this process, in bytes.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
/// How much of all answers of one connection may wait unread in this process, in bytes.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// How much of one request may be buffered ahead of the peer, in bytes.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// The longest header list that is accepted, in bytes.
const HEADER_BYTES_MAX: u32 = 64 * 1024;
/// After how much silence with open streams the peer is asked whether it is there.
const PING_AFTER: Duration = Duration::from_secs(20);
/// How long it may take to say so.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// From how many streams on another connection is preferred to one more stream.
const STREAMS_PREFERRED: usize = 100;
/// How many streams one connection carries or queues at most.
const STREAMS_MAX: usize = 1000;

/// A shared HTTP/2 connection.
#[derive(Debug)]
pub(crate) struct Http2 {
    sender: http2::SendRequest<RequestBody>,
    streams: AtomicUsize,
    /// When the last stream ended, in sweeps of the pool.
    idle_since: AtomicU64,
}

impl Http2 {
    /// Opens the connection on a socket and starts its task, which owns `lease` until it ends.
    pub(crate) async fn new(
        socket: Socket,
        host: &str,
        counted: Counted,
        lease: Lease,
    ) -> Result<Arc<Self>, DialError> {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_send_buf_size(SEND_BUFFER_BYTES)
            .max_header_list_size(HEADER_BYTES_MAX)
            .keep_alive_interval(PING_AFTER)
            .keep_alive_timeout(PING_TIMEOUT)
            .handshake(TokioIo::new(socket))
            .await
            .map_err(|_| DialError::Protocol { host: host.to_owned() })?;
        // The task ends when the peer closes, or when the pool has dropped the last sender.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
            drop((counted, lease));
        });
        Ok(Arc::new(Self { sender, streams: AtomicUsize::new(0), idle_since: AtomicU64::new(0) }))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// How many exchanges use the connection now.
    pub(crate) fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    /// Whether a new stream should rather open another connection.
    pub(crate) fn is_busy(&self) -> bool {
        self.streams() >= STREAMS_PREFERRED
    }

    /// Whether no more streams are taken.
    pub(crate) fn is_full(&self) -> bool {
        self.streams() >= STREAMS_MAX
    }

    /// Notes the sweep in which streams were last seen, and says how many sweeps ago that was.
    pub(crate) fn idle_sweeps(&self, now: u64) -> u64 {
        if self.streams() > 0 {
            self.idle_since.store(now, Ordering::Relaxed);
        }
        now.saturating_sub(self.idle_since.load(Ordering::Relaxed))
    }

    /// Takes a place for one exchange.
    pub(crate) fn stream(self: &Arc<Self>, now: u64) -> Stream {
        self.streams.fetch_add(1, Ordering::Relaxed);
        self.idle_since.store(now, Ordering::Relaxed);
        Stream { connection: Arc::clone(self), watch: Watch::with_any_waker() }
    }
}

/// One exchange's place on a shared connection.
#[derive(Debug)]
pub(crate) struct Stream {
    connection: Arc<Http2>,
    watch: Watch,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connection.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Stream {
    /// Sends a request and waits for the head of the answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future resets the stream.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<RequestBody>,
        timing: &Timing,
    ) -> Result<Response<Incoming>, Failed> {
        let upload = request.body().progress();
        let mut sender = self.connection.sender.clone();
        let mut reply = pin!(sender.try_send_request(request));
        let watch = &mut self.watch;
        let reply = poll_fn(|cx| {
            if let Poll::Ready(reply) = reply.as_mut().poll(cx) {
                return Poll::Ready(Ok(reply));
            }
            // What was written is not known here, so the worse is assumed.
            let since = upload.as_ref().map_or(timing.dispatched, |upload| upload.since(timing.dispatched));
            watch
                .poll_passed(cx, timing, (since, Instant::now()), timing.limits.first_byte)
                .map(|passed| Err(cause::send_timeout(passed, true)))
        });
        reply.await.map_err(Failed::Error)?.map_err(failed)
    }

    /// Polls for the next piece of an answer's body; see the HTTP/1.1 sibling.
    pub(crate) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        body: &mut Incoming,
        timing: &Timing,
        waiting_since: &mut Option<Instant>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReadError>>> {
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            *waiting_since = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| cause::read_error(error, None))));
        }
        let now = Instant::now();
        let since = *waiting_since.get_or_insert(now);
        let passed = ready!(self.watch.poll_passed(cx, timing, (since, now), timing.limits.gap));
        Poll::Ready(Some(Err(cause::read_timeout(passed))))
    }
}

fn failed(mut error: TrySendError<Request<RequestBody>>) -> Failed {
    match error.take_message() {
        Some(request) => Failed::Unsent(Box::new(request)),
        None => match cause::send_error(error.into_error(), true) {
            // Whoever resets the stream has answered.
            error @ SendError::ClosedEarly { .. } => Failed::Unanswered(error),
            error => Failed::Error(error),
        },
    }
}
