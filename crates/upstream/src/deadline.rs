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
    /// From handing the request to a connection, or from the latest piece of a body that is streamed, to the head of
    /// the answer. Default 180 s.
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
    /// When the whole call is over time.
    pub(crate) total_at: Instant,
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
        Self { limits, started: now, dispatched: now, total_at: later(now, limits.total) }
    }

    /// Which deadline it is that a wait since `since` has met.
    fn passed(&self, since: Instant, now: Instant) -> Passed {
        if now >= self.total_at { Passed::Total(now - self.started) } else { Passed::Wait(now - since) }
    }

    /// Whether the whole call is over time, for streams that never let their reader wait.
    pub(crate) fn total_passed(&self) -> Option<Passed> {
        let now = Instant::now();
        (now >= self.total_at).then(|| Passed::Total(now - self.started))
    }

    /// The shortest wait that any phase of the exchange may end with.
    fn patience(&self) -> Duration {
        self.limits.first_byte.min(self.limits.gap).min(self.limits.total)
    }
}

/// `since + wait`, where an unlimited wait is a very long one.
fn later(since: Instant, wait: Duration) -> Instant {
    const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    since + wait.min(FOREVER)
}

/// A timer that outlives exchanges: it is moved only when it fires or must fire earlier.
///
/// Invariant: once there is a timer it fires at `armed` or before, and `armed` is not after the
/// moment that the current wait is due.
#[derive(Debug)]
pub(crate) struct Watch {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: Instant,
    /// Every poll comes with the same waker, so that a timer that has it need not be polled.
    one_waker: bool,
}

impl Watch {
    /// A watch that is polled with one and the same waker for all its life.
    pub(crate) fn with_one_waker() -> Self {
        Self { sleep: None, armed: Instant::now(), one_waker: true }
    }

    /// A watch that is polled by whatever task comes.
    pub(crate) fn with_any_waker() -> Self {
        Self { one_waker: false, ..Self::with_one_waker() }
    }

    /// Says whether a wait that began at `since` and may last `limit` is over, and registers the
    /// task for the moment at which it may be.
    pub(crate) fn poll_passed(
        &mut self,
        cx: &mut Context<'_>,
        timing: &Timing,
        (since, now): (Instant, Instant),
        limit: Duration,
    ) -> Poll<Passed> {
        let due = later(since, limit).min(timing.total_at);
        if now >= due {
            return Poll::Ready(timing.passed(since, now));
        }
        let timer_is_right = now < self.armed && self.armed <= due;
        match &mut self.sleep {
            Some(_) if timer_is_right && self.one_waker => return Poll::Pending,
            Some(_) if timer_is_right => {}
            // A timer is armed for the nearest moment that any phase could need, so that the
            // phases to come find it armed.
            Some(sleep) => {
                self.armed = due.min(later(now, timing.patience()));
                sleep.as_mut().reset(self.armed);
            }
            None => {
                self.armed = due.min(later(now, timing.patience()));
                self.sleep = Some(Box::pin(sleep_until(self.armed)));
            }
        }
        let fired = self.sleep.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready());
        if fired {
            // The timer's clock has run ahead of `now`; look again with a new one.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
