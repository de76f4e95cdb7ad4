//! From the wish for a connection to a usable one: reuse, wait, dial.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::{Instant, timeout};

use super::{Lease, Offer, Pool};
use crate::answer::Protocol;
use crate::connection::Counted;
use crate::connection::http1::Http1;
use crate::connection::http2::{Http2, Stream};
use crate::deadline::Deadlines;
use crate::destination::Destination;
use crate::dial::Dialer;
use crate::dial::socket::Socket;
use crate::error::{DialError, SendError};

/// A connection for one exchange.
#[derive(Debug)]
pub(crate) enum Link {
    Http1 { lease: Lease, connection: Box<Http1>, reused: bool },
    Http2 { stream: Stream, reused: bool },
}

impl Link {
    /// Whether it has served before.
    pub(crate) fn is_reused(&self) -> bool {
        match self {
            Self::Http1 { reused, .. } | Self::Http2 { reused, .. } => *reused,
        }
    }
}

/// What is needed to make a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialling<'a> {
    pub(crate) dialer: &'a Dialer,
    pub(crate) destination: &'a Destination,
    pub(crate) deadlines: &'a Deadlines,
    /// Take no connection that has served before.
    pub(crate) fresh: bool,
}

impl Pool {
    /// A connection that is open already, without waiting.
    pub(crate) fn at_hand(self: &Arc<Self>, destination: &Destination) -> Option<Link> {
        if let Some((lease, connection)) = self.idle() {
            return Some(Link::Http1 { lease, connection, reused: true });
        }
        if destination.may_speak_http2() {
            return self.stream(false).map(|stream| self.shared(stream));
        }
        None
    }

    /// A connection, by whatever it takes.
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives up the place in the queue and closes a half-made connection.
    pub(crate) async fn connect(self: &Arc<Self>, dialling: Dialling<'_>) -> Result<Link, SendError> {
        if dialling.destination.may_speak_http2()
            && let Some(link) = self.connect_shared(dialling).await?
        {
            return Ok(link);
        }
        let started = Instant::now();
        match self.offer() {
            Offer::Lease(lease, connection) => self.use_or_replace(dialling, lease, connection).await,
            Offer::Full => Err(self.exhausted(started)),
            Offer::Wait(grant) => {
                let Ok(Ok(lease)) = timeout(self.wait_max, grant).await else {
                    return Err(self.exhausted(started));
                };
                let connection = self.state.lock().idle.pop();
                self.use_or_replace(dialling, lease, connection).await
            }
        }
    }

    async fn use_or_replace(
        self: &Arc<Self>,
        dialling: Dialling<'_>,
        lease: Lease,
        connection: Option<Box<Http1>>,
    ) -> Result<Link, SendError> {
        match connection.filter(|_| !dialling.fresh) {
            Some(connection) => {
                self.counters.connection_reused();
                Ok(Link::Http1 { lease, connection, reused: true })
            }
            None => Ok(self.dial(dialling, lease).await?),
        }
    }

    /// A connection of the caller's own that speaks HTTP/1.1 and will not be used again.
    ///
    /// # Cancellation
    ///
    /// As that of [`Pool::connect`].
    pub(crate) async fn connect_alone(
        self: &Arc<Self>,
        dialling: Dialling<'_>,
    ) -> Result<(Socket, Counted, Lease), SendError> {
        let started = Instant::now();
        let lease = match self.offer() {
            Offer::Lease(lease, idle) => {
                self.keep_if_room(idle);
                lease
            }
            Offer::Full => return Err(self.exhausted(started)),
            Offer::Wait(grant) => match timeout(self.wait_max, grant).await {
                Ok(Ok(lease)) => lease,
                _ => return Err(self.exhausted(started)),
            },
        };
        let socket = dialling.dialer.dial_http1(dialling.destination, dialling.deadlines).await?;
        Ok((socket, Counted::new(&self.counters), lease))
    }

    /// Where HTTP/2 is possible, one caller dials and the others use what comes of it.
    ///
    /// None when the destination turns out to speak HTTP/1.1.
    async fn connect_shared(self: &Arc<Self>, dialling: Dialling<'_>) -> Result<Option<Link>, SendError> {
        let failures = self.turn.failure.lock().0;
        let _turn = {
            let waiting = Waiting::new(&self.turn.waiting);
            if waiting.count() > self.waiters_max {
                return Err(self.exhausted(Instant::now()));
            }
            self.turn.gate.lock().await
        };
        if self.speaks_http1.load(Ordering::Relaxed) {
            return Ok(None);
        }
        if let Some(stream) = self.stream(false) {
            return Ok(Some(self.shared(stream)));
        }
        // Those who waited for a dial that failed do not each wait for one more.
        if let (count, Some(error)) = &*self.turn.failure.lock()
            && *count != failures
        {
            return Err(error.clone().into());
        }
        let Some((lease, _)) = self.try_lease() else {
            // At the cap, streams share what there is.
            let stream = self.stream(true).ok_or_else(|| self.exhausted(Instant::now()))?;
            return Ok(Some(self.shared(stream)));
        };
        let dialled = self.dial(dialling, lease).await;
        if let Err(error) = &dialled {
            let mut failure = self.turn.failure.lock();
            *failure = (failure.0.wrapping_add(1), Some(error.clone()));
        }
        Ok(Some(dialled?))
    }

    async fn dial(self: &Arc<Self>, dialling: Dialling<'_>, lease: Lease) -> Result<Link, DialError> {
        let Dialling { dialer, destination, deadlines, .. } = dialling;
        let dialled = dialer.dial(destination, deadlines).await?;
        let counted = Counted::new(&self.counters);
        let host = destination.origin().host().to_string();
        self.speaks_http1.store(dialled.protocol == Protocol::Http1, Ordering::Relaxed);
        match dialled.protocol {
            Protocol::Http1 => {
                let connection = Http1::new(dialled.socket, &host, counted).await?;
                Ok(Link::Http1 { lease, connection, reused: false })
            }
            Protocol::Http2 => {
                let shared = Http2::new(dialled.socket, &host, counted, lease).await?;
                let stream = shared.stream(self.sweep.load(Ordering::Relaxed));
                self.state.lock().shared.push(shared);
                Ok(Link::Http2 { stream, reused: false })
            }
        }
    }

    fn shared(&self, stream: Stream) -> Link {
        self.counters.connection_reused();
        Link::Http2 { stream, reused: true }
    }

    fn exhausted(&self, since: Instant) -> SendError {
        SendError::PoolExhausted { waited: since.elapsed(), connections_max: self.connections_max }
    }
}

/// Counts one waiting caller for as long as it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
