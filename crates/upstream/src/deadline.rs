//! The deadlines of a call, and the one timer that enforces them.
//!
//! A timer is armed for the earliest moment that could matter and looked at when it fires, so
//! that bytes in motion never touch the timer wheel.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// How long each part of a call may take. All run on the monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Name resolution and TCP connect together. Default 2 s.
    pub connect: Duration,
    /// TLS handshake. Default 3 s.
    pub tls: Duration,
    /// From handing the request to a connection to the head of the answer. Default 180 s.
    pub first_byte: Duration,
    /// Between two pieces of the answer while somebody waits for the next. Default 60 s.
    pub gap: Duration,
    /// The whole call, from `send` to the last byte. Default 30 min.
    pub total: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            tls: Duration::from_secs(3),
            first_byte: Duration::from_secs(180),
            gap: Duration::from_secs(60),
            total: Duration::from_secs(30 * 60),
        }
    }
}

/// The deadlines of one running call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) limits: Deadlines,
    pub(crate) started: Instant,
    /// When the request was handed to a connection.
    pub(crate) dispatched: Instant,
}

/// Which deadline passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passed {
    /// The wait for the next piece took this long.
    Wait(Duration),
    /// The whole call took this long.
    Total(Duration),
}

impl Timing {
    pub(crate) fn start(limits: Deadlines) -> Self {
        let now = Instant::now();
        Self { limits, started: now, dispatched: now }
    }

    pub(crate) fn total_at(&self) -> Instant {
        self.started + self.limits.total
    }

    /// The shortest wait that any phase of the exchange may end with.
    fn patience(&self) -> Duration {
        self.limits.first_byte.min(self.limits.gap).min(self.limits.total)
    }
}

/// A timer that outlives exchanges: it is moved only when it fires or must fire earlier.
///
/// Invariant: a registered timer fires at `armed` or before, and `armed` is not after the moment
/// that the current wait is due.
#[derive(Debug)]
pub(crate) struct Watch {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: Instant,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self { sleep: None, armed: Instant::now() }
    }

    /// Says whether a wait that began at `since` and may last `limit` is over, and registers the
    /// task for the moment at which it may be.
    pub(crate) fn poll_passed(
        &mut self,
        cx: &mut Context<'_>,
        timing: &Timing,
        since: Instant,
        limit: Duration,
    ) -> Poll<Passed> {
        let due = (since + limit).min(timing.total_at());
        let armed = &mut self.armed;
        let sleep = self.sleep.get_or_insert_with(|| {
            *armed = due.min(since + timing.patience());
            Box::pin(sleep_until(*armed))
        });
        if *armed > due {
            *armed = due;
            sleep.as_mut().reset(due);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if now >= timing.total_at() {
                return Poll::Ready(Passed::Total(now - timing.started));
            }
            if now >= due {
                return Poll::Ready(Passed::Wait(now - since));
            }
            *armed = due.min(now + timing.patience());
            sleep.as_mut().reset(*armed);
        }
        Poll::Pending
    }

    /// Says whether the whole call is over time, when the timer gives reason to look.
    ///
    /// For streams that never let their reader wait.
    pub(crate) fn total_passed(&self, timing: &Timing) -> Option<Passed> {
        if !self.sleep.as_ref()?.is_elapsed() {
            return None;
        }
        let now = Instant::now();
        (now >= timing.total_at()).then(|| Passed::Total(now - timing.started))
    }
}
