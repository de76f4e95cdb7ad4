//! The one clock of a connection: what it waits for, since when, and whether that has lasted too long.
//!
//! Looks at the connection's activity each time the connection was polled and came to rest. The timer is
//! armed lazily: as deadlines mostly move away, it is set again when it fires too early, not each time.
//! A request on a kept-alive connection therefore costs one look at the clock.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::info::{Activity, Reading};
use super::limits::Limits;

/// What a resting connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    /// For its own application. Nothing that the client could be blamed for.
    Application,
    /// For the rest of a request head, or for the first request of a new connection.
    Head,
    /// For the next request.
    Request,
    /// For a request that may be on its way while the process closes.
    LastRequest,
    /// For the client to read. Its socket takes nothing, or it grants no window to a stream.
    Reader,
    /// For the client to notice that the connection ends.
    Goodbye,
}

impl Waiting {
    /// What to call it when it has lasted too long.
    pub(super) fn name(self) -> &'static str {
        match self {
            Waiting::Application => "waited for the application",
            Waiting::Head => "request head timed out",
            Waiting::Request | Waiting::LastRequest => "idle",
            Waiting::Reader => "client does not read",
            Waiting::Goodbye => "client does not close",
        }
    }
}

/// Whether the connection may take another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Open,
    /// The process closes and the connection was not told yet.
    Leaving,
    /// The connection was told to end after what is in flight.
    Ending,
}

/// The waiting, and a count that tells one spell of it from the next.
type Spell = (Waiting, u32);

pin_project! {
    #[derive(Debug)]
    pub(super) struct Watchdog {
        #[pin]
        sleep: Sleep,
        armed_for: Instant,
        is_registered: bool,
        spell: Spell,
        deadline: Option<Instant>,
        allowances: Allowances,
    }
}

/// How long each kind of waiting may last.
#[derive(Debug)]
struct Allowances {
    head: Duration,
    request: Duration,
    last_request: Duration,
    reader: Duration,
    goodbye: Duration,
}

impl Watchdog {
    /// Starts the clock of a new connection.
    pub(super) fn new(limits: &Limits, idle_grace: Duration) -> Self {
        let armed_for = Instant::now() + limits.header_timeout;
        Watchdog {
            sleep: sleep_until(armed_for),
            armed_for,
            is_registered: false,
            spell: (Waiting::Head, 0),
            deadline: Some(armed_for),
            allowances: Allowances {
                head: limits.header_timeout,
                request: limits.idle_timeout,
                last_request: idle_grace,
                reader: limits.write_stall_timeout,
                goodbye: limits.linger_timeout,
            },
        }
    }

    /// Ready with what the connection waited for once that has lasted too long.
    pub(super) fn poll_expired(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        activity: &Activity,
        stage: Stage,
    ) -> Poll<Waiting> {
        self.as_mut().observe(activity, stage);
        let mut this = self.project();
        let Some(deadline) = *this.deadline else { return Poll::Pending };
        if deadline < *this.armed_for {
            this.sleep.as_mut().reset(deadline);
            *this.armed_for = deadline;
            *this.is_registered = false;
        }
        loop {
            // Once the timer holds the waker of this task, looking at it is cheaper than polling it.
            if *this.is_registered && !this.sleep.is_elapsed() {
                return Poll::Pending;
            }
            if this.sleep.as_mut().poll(cx).is_pending() {
                *this.is_registered = true;
                return Poll::Pending;
            }
            if *this.armed_for >= deadline {
                *this.deadline = None;
                return Poll::Ready(this.spell.0);
            }
            this.sleep.as_mut().reset(deadline);
            *this.armed_for = deadline;
            *this.is_registered = false;
        }
    }

    /// Notes what the connection waits for now, and since when if that is new.
    fn observe(self: Pin<&mut Self>, activity: &Activity, stage: Stage) {
        let this = self.project();
        let spell = spell_of(activity, stage);
        if spell == *this.spell {
            return;
        }
        *this.spell = spell;
        let allowance = match spell.0 {
            Waiting::Application => {
                *this.deadline = None;
                return;
            }
            Waiting::Head => this.allowances.head,
            Waiting::Request => this.allowances.request,
            Waiting::LastRequest => this.allowances.last_request,
            Waiting::Reader => this.allowances.reader,
            Waiting::Goodbye => this.allowances.goodbye,
        };
        *this.deadline = Some(Instant::now() + allowance);
    }
}

fn spell_of(activity: &Activity, stage: Stage) -> Spell {
    if activity.is_lingering() {
        return (Waiting::Goodbye, 0);
    }
    if activity.is_write_blocked() {
        return (Waiting::Reader, activity.writes());
    }
    if activity.unsent() > 0 {
        return (Waiting::Reader, activity.frames());
    }
    if activity.in_flight() > 0 {
        return (Waiting::Application, 0);
    }
    let requests = activity.requests();
    match (stage, activity.reading()) {
        (Stage::Ending, _) => (Waiting::Goodbye, 0),
        (Stage::Open | Stage::Leaving, Reading::Head) => (Waiting::Head, requests),
        (Stage::Leaving, Reading::Boundary | Reading::Body) => (Waiting::LastRequest, requests),
        (Stage::Open, Reading::Boundary | Reading::Body) if requests == 0 => (Waiting::Head, requests),
        (Stage::Open, Reading::Boundary | Reading::Body) => (Waiting::Request, requests),
    }
}
