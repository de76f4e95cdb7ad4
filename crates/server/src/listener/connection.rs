//! One connection from its first byte to its last, as one future.
//!
//! Polls hyper, then asks two questions of a connection that rests: has the process begun to close, and
//! has the client kept it waiting too long. Dropping the future drops the socket and every request on it.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body::Body;
use hyper::body::Incoming;
use hyper::rt::bounds::Http2ServerConnExec;
use hyper::rt::{Read, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::HttpService;
use pin_project_lite::pin_project;

use super::cap::Admission;
use super::flood::CancelBudget;
use super::info::ConnectionInfo;
use super::limits::Limits;
use super::watchdog::{Stage, Waiting, Watchdog};
use crate::drain::{Phase, PhaseWatch, Presence};

/// How one version of HTTP ends a connection politely.
pub(super) trait Graceful: Future<Output = hyper::Result<()>> {
    /// Whether the client learns by this that it must not send more requests. Over HTTP/1 it does not, and
    /// a request that is on its way would meet a closed socket.
    const TELLS_CLIENT: bool;

    fn graceful_shutdown(self: Pin<&mut Self>);
}

impl<I, S, B> Graceful for http1::UpgradeableConnection<I, S>
where
    I: Read + Write + Unpin + Send + 'static,
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    const TELLS_CLIENT: bool = false;

    fn graceful_shutdown(self: Pin<&mut Self>) {
        http1::UpgradeableConnection::graceful_shutdown(self);
    }
}

impl<I, S, B, E> Graceful for http2::Connection<I, S, E>
where
    I: Read + Write + Unpin,
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    E: Http2ServerConnExec<S::Future, B>,
{
    const TELLS_CLIENT: bool = true;

    fn graceful_shutdown(self: Pin<&mut Self>) {
        http2::Connection::graceful_shutdown(self);
    }
}

/// What a connection holds of the listener and of the process until it is gone.
#[derive(Debug)]
pub(super) struct Held {
    _admission: Admission,
    _presence: Presence,
}

impl Held {
    pub(super) fn new(admission: Admission, presence: Presence) -> Self {
        Held { _admission: admission, _presence: presence }
    }
}

pin_project! {
    /// A connection under its limits. Ends by itself at the latest when the drain aborts.
    pub(super) struct Connection<C> {
        #[pin]
        http: C,
        #[pin]
        watchdog: Watchdog,
        info: ConnectionInfo,
        phase: PhaseWatch,
        stage: Stage,
        cancels: CancelBudget,
        // Declared last, so that they are given back after the socket is closed, unless that goes on under another
        // protocol.
        held: Arc<Held>,
    }
}

impl<C: Graceful> Connection<C> {
    pub(super) fn new(http: C, info: ConnectionInfo, limits: &Limits, held: Arc<Held>) -> Self {
        let drain = info.drain();
        Connection {
            http,
            watchdog: Watchdog::new(limits, drain.times().idle_grace),
            phase: drain.watch(),
            stage: Stage::Open,
            cancels: CancelBudget::new(limits.http2.cancels_max),
            info,
            held,
        }
    }
}

impl<C: Graceful> Future for Connection<C> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        this.phase.register(cx);
        loop {
            let phase = this.phase.phase();
            if phase >= Phase::Aborted {
                return dropped(this.info, "aborted");
            }
            // The socket is read before anything is decided, so that a request which has arrived counts.
            if let Poll::Ready(result) = this.http.as_mut().poll(cx) {
                if let Err(error) = result {
                    tracing::debug!(peer = %this.info.peer(), %error, "connection failed");
                }
                return Poll::Ready(());
            }
            let activity = this.info.activity();
            if phase >= Phase::Closing && *this.stage == Stage::Open {
                *this.stage = Stage::Leaving;
            }
            if *this.stage == Stage::Leaving && (C::TELLS_CLIENT || activity.in_flight() > 0) {
                this.http.as_mut().graceful_shutdown();
                *this.stage = Stage::Ending;
                continue;
            }
            if this.cancels.is_spent(activity) {
                return dropped(this.info, "too many cancelled requests");
            }
            let Poll::Ready(waiting) = this.watchdog.as_mut().poll_expired(cx, activity, *this.stage) else {
                return Poll::Pending;
            };
            match waiting {
                Waiting::Head if !C::TELLS_CLIENT => activity.expire_head(),
                Waiting::Head | Waiting::Request | Waiting::LastRequest => {
                    this.http.as_mut().graceful_shutdown();
                }
                Waiting::Application | Waiting::Reader | Waiting::Goodbye => {
                    return dropped(this.info, waiting.name());
                }
            }
            *this.stage = Stage::Ending;
        }
    }
}

fn dropped(info: &ConnectionInfo, cause: &'static str) -> Poll<()> {
    tracing::debug!(peer = %info.peer(), cause, "connection dropped");
    Poll::Ready(())
}
