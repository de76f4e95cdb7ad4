//! What is known about a connection, and what it is doing.
//!
//! One allocation per connection, shared by its socket, its requests and its watchdog. All of them run on
//! one worker, so the atomics are never contended; they are there to make the type `Send`.

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64};
use std::sync::{Arc, OnceLock};

use super::limits::BodyLimits;
use super::strict::Violation;
use crate::drain::{CutSignal, Drain, Phase};

/// The connection that a request came by. Every request carries one as an extension; a clone is one count.
#[derive(Debug, Clone)]
pub struct ConnectionInfo {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    peer: SocketAddr,
    tls: bool,
    listener: Arc<str>,
    body: BodyLimits,
    drain: Drain,
    activity: Activity,
    refused: OnceLock<Violation>,
}

impl ConnectionInfo {
    /// Describes a connection of the named listener.
    #[must_use]
    pub fn new(peer: SocketAddr, tls: bool, listener: Arc<str>, body: BodyLimits, drain: Drain) -> Self {
        let (activity, refused) = (Activity::default(), OnceLock::new());
        ConnectionInfo { inner: Arc::new(Inner { peer, tls, listener, body, drain, activity, refused }) }
    }

    /// The address at the other end of the socket, which may be a balancer's.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.inner.peer
    }

    /// Whether the client came by TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.inner.tls
    }

    /// The name of the listener that accepted it.
    #[must_use]
    pub fn listener(&self) -> &str {
        &self.inner.listener
    }

    /// How slowly the bodies of this connection's requests may come.
    #[must_use]
    pub fn body_limits(&self) -> BodyLimits {
        self.inner.body
    }

    /// What a streaming answer on this connection looks at to learn that it must end now.
    #[must_use]
    pub fn cut_signal(&self) -> CutSignal {
        self.inner.drain.cut_signal()
    }

    /// Ready when nothing new is accepted any more, and what is open may finish.
    pub(crate) fn leaving(&self) -> impl Future<Output = ()> + Send + use<> {
        let drain = self.drain().clone();
        async move { drain.reached(Phase::Closing).await }
    }

    /// Ready when connections are dropped.
    pub(crate) fn aborted(&self) -> impl Future<Output = ()> + Send + use<> {
        let drain = self.drain().clone();
        async move { drain.reached(Phase::Aborted).await }
    }

    pub(super) fn drain(&self) -> &Drain {
        &self.inner.drain
    }

    /// Notes why the socket refused a request. A connection has one refusal at most, its last request.
    pub(super) fn refuse(&self, violation: Violation) {
        self.inner.refused.get_or_init(|| violation);
    }

    pub(super) fn refusal(&self) -> Option<Violation> {
        self.inner.refused.get().copied()
    }

    pub(super) fn activity(&self) -> &Activity {
        &self.inner.activity
    }
}

/// Which part of the client's bytes the socket stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Reading {
    /// Between two requests, or not known.
    Boundary,
    /// Inside a request head.
    Head,
    /// Inside a request body.
    Body,
}

/// What a connection is doing, as its parts report it and its watchdog reads it.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Requests begun in the upper half, requests in flight in the lower: one write tells both.
    requests: AtomicU64,
    cancels: AtomicU32,
    unsent: AtomicU32,
    frames: AtomicU32,
    writes: AtomicU32,
    reading: AtomicU8,
    write_blocked: AtomicBool,
    lingering: AtomicBool,
    head_expired: AtomicBool,
    switched: AtomicBool,
}

impl Activity {
    pub(super) fn request_began(&self) {
        self.requests.fetch_add((1 << 32) | 1, Relaxed);
    }

    pub(super) fn request_ended(&self, completely: bool) {
        self.requests.fetch_sub(1, Relaxed);
        if !completely {
            self.cancels.fetch_add(1, Relaxed);
        }
    }

    /// Requests whose answer is not yet handed over completely.
    #[expect(clippy::cast_possible_truncation, reason = "the mask leaves 32 bits")]
    pub(super) fn in_flight(&self) -> u32 {
        (self.requests.load(Relaxed) & u64::from(u32::MAX)) as u32
    }

    /// Requests since the connection began; wraps.
    pub(super) fn requests(&self) -> u32 {
        (self.requests.load(Relaxed) >> 32) as u32
    }

    /// Requests that were dropped before their answer was handed over completely; wraps.
    pub(super) fn cancels(&self) -> u32 {
        self.cancels.load(Relaxed)
    }

    /// A frame of an answer was handed over; until it is gone, no other is asked for.
    pub(super) fn frame_handed_over(&self) {
        self.unsent.fetch_add(1, Relaxed);
        self.frames.fetch_add(1, Relaxed);
    }

    pub(super) fn frame_gone(&self) {
        self.unsent.fetch_sub(1, Relaxed);
    }

    /// Streams whose last frame the client has not taken.
    pub(super) fn unsent(&self) -> u32 {
        self.unsent.load(Relaxed)
    }

    /// Frames handed over since the connection began; wraps.
    pub(super) fn frames(&self) -> u32 {
        self.frames.load(Relaxed)
    }

    pub(super) fn wrote(&self) {
        // The socket is the only writer, so this needs no atomic addition.
        self.writes.store(self.writes.load(Relaxed).wrapping_add(1), Relaxed);
        self.write_blocked.store(false, Relaxed);
    }

    pub(super) fn write_blocks(&self) {
        self.write_blocked.store(true, Relaxed);
    }

    pub(super) fn is_write_blocked(&self) -> bool {
        self.write_blocked.load(Relaxed)
    }

    /// Writes that made progress since the connection began; wraps.
    pub(super) fn writes(&self) -> u32 {
        self.writes.load(Relaxed)
    }

    pub(super) fn set_reading(&self, reading: Reading) {
        self.reading.store(reading as u8, Relaxed);
    }

    pub(super) fn reading(&self) -> Reading {
        match self.reading.load(Relaxed) {
            0 => Reading::Boundary,
            1 => Reading::Head,
            _ => Reading::Body,
        }
    }

    pub(super) fn linger(&self) {
        self.lingering.store(true, Relaxed);
    }

    pub(super) fn is_lingering(&self) -> bool {
        self.lingering.load(Relaxed)
    }

    /// Tells the socket to refuse the head that did not come in time.
    pub(super) fn expire_head(&self) {
        self.head_expired.store(true, Relaxed);
    }

    /// What comes from here on is of another protocol.
    pub(super) fn switch(&self) {
        self.switched.store(true, Relaxed);
    }

    pub(super) fn is_switched(&self) -> bool {
        self.switched.load(Relaxed)
    }

    pub(super) fn is_head_expired(&self) -> bool {
        self.head_expired.load(Relaxed)
    }
}
