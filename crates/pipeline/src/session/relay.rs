//! A session under way: messages of each side go to the other as it takes them, turns are counted and told to the
//! claims.
//!
//! One future does both directions. A side is read only while the other has room, so a reader that is slow slows down
//! whoever writes to it, and what is held is bounded: per direction one message that is assembled, one that is written,
//! and a little more. Questions whether anybody lives are answered here and go no further.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use gatewright::dialect::{SessionCodec, SessionEvent, SessionNames};
use gatewright::{Failure, ModelName, TopUp, Usage};
use gatewright_upstream::Tunnel;
use gatewright_wire::web_socket::{Decoder, Kind, Masking, Unit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep_until};

use super::end::{End, Who};
use super::side::Side;
use crate::claim::Told;
use crate::course::Course;
use crate::cut::CutSignal;
use crate::failure::failure_body;
use crate::hooked::Waiting;

/// So many messages are relayed before other tasks have their turn.
const UNITS_PER_POLL: usize = 32;

/// What the model of a session is called.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) asked: ModelName,
    pub(super) served: Arc<str>,
    pub(super) answers_asked: bool,
}

impl Names {
    fn view(&self) -> SessionNames<'_> {
        let Self { asked, served, answers_asked } = self;
        SessionNames { asked: asked.as_str(), served, answers_asked: *answers_asked }
    }
}

/// A session under way.
pub(super) struct Relay<C> {
    pub(super) course: Box<Course>,
    pub(super) codec: &'static dyn SessionCodec,
    pub(super) client: Side<C>,
    pub(super) provider: Side<Box<Tunnel>>,
    names: Names,
    /// What the turns so far consumed.
    total: Usage,
    /// How many turns are under way.
    pub(super) turns: u32,
    /// A claim, by its place, that wants more before the provider is read again.
    pub(super) pause: Option<(usize, Waiting<TopUp>)>,
    cut: CutSignal,
    watch: Watch,
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin> Relay<C> {
    pub(super) fn new(
        course: Box<Course>,
        codec: &'static dyn SessionCodec,
        (client, tunnel): (C, Box<Tunnel>),
        names: Names,
    ) -> Self {
        let settings = &course.worker.settings.session;
        let bytes_max = settings.message_bytes_max;
        Self {
            client: Side::new(client, Decoder::of_client(bytes_max)),
            provider: Side::new(tunnel, Decoder::of_server(bytes_max)),
            codec,
            names,
            total: Usage::default(),
            turns: 0,
            pause: None,
            cut: course.worker.cut.signal(),
            watch: Watch::new(Instant::now() + settings.duration_max),
            course,
        }
    }

    /// Relays until something ends the session.
    pub(super) async fn run(&mut self, leaving: impl Future<Output = ()> + Send) -> End {
        let mut leaving = pin!(leaving);
        let mut is_leaving = false;
        poll_fn(|cx| {
            is_leaving = is_leaving || leaving.as_mut().poll(cx).is_ready();
            for _ in 0..UNITS_PER_POLL {
                match self.step(cx, is_leaving) {
                    Ok(true) => {}
                    Ok(false) => return Poll::Pending,
                    Err(end) => return Poll::Ready(end),
                }
            }
            // Whoever never pauses is bound by the clock as well.
            if let Err(end) = self.poll_watch(cx) {
                return Poll::Ready(end);
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }

    /// Relays at most one message of each side. False where nothing can be done before the task is woken.
    fn step(&mut self, cx: &mut Context<'_>, is_leaving: bool) -> Result<bool, End> {
        if self.cut.poll_cut(cx).is_ready() {
            return Err(End::Shutdown);
        }
        if is_leaving && self.turns == 0 {
            return Err(End::Leaving);
        }
        self.poll_pause(cx)?;
        let mut moved = false;
        if self.client.has_room()
            && self.pause.is_none()
            && let Poll::Ready(unit) = self.provider.poll_unit(cx)
        {
            self.of_provider(unit.map_err(|lost| End::Lost(Who::Provider, lost))?)?;
            moved = true;
        }
        if self.provider.has_room()
            && let Poll::Ready(unit) = self.client.poll_unit(cx)
        {
            self.of_client(unit.map_err(|lost| End::Lost(Who::Client, lost))?)?;
            moved = true;
        }
        self.write(cx)?;
        if !moved {
            self.poll_watch(cx)?;
        }
        Ok(moved)
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        self.client.answer_ping(|| Masking::Server);
        let course = &self.course;
        self.provider.answer_ping(|| masking(course));
        // Room that writing makes lets the other side be read, which nobody would be woken for.
        let was_full = !self.client.has_room() || !self.provider.has_room();
        for (who, written) in
            [(Who::Client, self.client.poll_flush(cx)), (Who::Provider, self.provider.poll_flush(cx))]
        {
            if let Poll::Ready(Err(lost)) = written {
                return Err(End::Lost(who, lost));
            }
        }
        if was_full && self.client.has_room() && self.provider.has_room() {
            cx.waker().wake_by_ref();
        }
        Ok(())
    }

    // === The provider's messages ===

    fn of_provider(&mut self, unit: Unit) -> Result<(), End> {
        self.watch.seen = Instant::now();
        match unit {
            Unit::Text(event) => self.event(&event),
            Unit::Binary(bytes) => {
                self.client.send(Kind::Binary, &bytes, Masking::Server);
                Ok(())
            }
            Unit::Ping(payload) => {
                self.provider.pinged(payload);
                Ok(())
            }
            Unit::Pong(_) => Ok(()),
            Unit::Close(close) => Err(End::Closed(Who::Provider, close)),
        }
    }

    /// Sends an event on, and tells the claims what it says of usage.
    fn event(&mut self, event: &Bytes) -> Result<(), End> {
        let seen = self.codec.glance(event, &self.names.view());
        self.client.send(Kind::Text, seen.rewritten.as_ref().unwrap_or(event), Masking::Server);
        self.turns = self.turns.saturating_add(u32::from(seen.begins_turn));
        self.turns = self.turns.saturating_sub(u32::from(seen.ends_turn));
        if self.count(&seen) { self.tell(0) } else { Ok(()) }
    }

    fn count(&mut self, seen: &SessionEvent) -> bool {
        let Some(attempt) = &mut self.course.attempt else { return false };
        attempt.meter.tokens(seen.tokens);
        if let Some(usage) = &seen.usage {
            self.total = self.total.plus(usage);
            attempt.meter.report(self.total);
        }
        seen.tokens > 0 || seen.usage.is_some()
    }

    /// Tells the claims from this place on how much has flowed.
    fn tell(&mut self, from: usize) -> Result<(), End> {
        for claim in from..self.course.claims.len() {
            let told = self.course.tell_claim(claim);
            if !self.heed(claim, told)? {
                break;
            }
        }
        Ok(())
    }

    /// Whether the next claim may be told.
    fn heed(&mut self, claim: usize, told: Told) -> Result<bool, End> {
        match told {
            Told::On => Ok(true),
            Told::Cut(refusal) => Err(End::Refused(refusal)),
            Told::Waits(waiting) => {
                self.pause = Some((claim, waiting));
                Ok(false)
            }
        }
    }

    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        let Some((claim, waiting)) = &mut self.pause else { return Ok(()) };
        let Poll::Ready(answer) = waiting.poll(cx) else { return Ok(()) };
        let claim = *claim;
        self.pause = None;
        let told = self.course.top_up_claim(claim, answer);
        if self.heed(claim, told)? { self.tell(claim + 1) } else { Ok(()) }
    }

    // === The caller's messages ===

    fn of_client(&mut self, unit: Unit) -> Result<(), End> {
        self.watch.seen = Instant::now();
        match unit {
            Unit::Text(event) => match self.codec.admit(&event, &self.names.view()) {
                Ok(other) => {
                    let masking = masking(&self.course);
                    self.provider.send(Kind::Text, other.as_ref().unwrap_or(&event), masking);
                    Ok(())
                }
                Err(failure) => self.object(failure),
            },
            // An event that nobody can check does not go on.
            Unit::Binary(_) => Err(End::Binary),
            Unit::Ping(payload) => {
                self.client.pinged(payload);
                Ok(())
            }
            Unit::Pong(_) => Ok(()),
            Unit::Close(close) => Err(End::Closed(Who::Client, close)),
        }
    }

    /// Tells the caller what is wrong with its event. One who sends such events and reads nothing has to go.
    fn object(&mut self, failure: Failure) -> Result<(), End> {
        if !self.client.has_room() {
            return Err(End::Refused(failure.into()));
        }
        let event = self.codec.error_event(&failure_body(&failure, self.course.id));
        self.client.send(Kind::Text, &event, Masking::Server);
        Ok(())
    }

    // === The clock ===

    fn poll_watch(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        let settings = &self.course.worker.settings.session;
        let stall = |since: Option<Instant>| since.map(|since| since + settings.stall_timeout);
        let due = [
            (Some(self.watch.seen + settings.idle_timeout), End::Idle),
            (Some(self.watch.ends), End::TooLong),
            (stall(self.client.stalled()), End::Stalled(Who::Client)),
            (stall(self.provider.stalled()), End::Stalled(Who::Provider)),
        ];
        let due = due.into_iter().filter_map(|(at, end)| Some((at?, end)));
        let Some((at, end)) = due.min_by_key(|(at, _)| *at) else { return Ok(()) };
        if self.watch.poll(cx, at).is_ready() { Err(end) } else { Ok(()) }
    }
}

/// A fresh key for a frame to a provider.
pub(super) fn masking(course: &Course) -> Masking {
    let [a, b, c, d, ..] = course.worker.random.next_u64().to_be_bytes();
    Masking::Client([a, b, c, d])
}

/// The one timer of a session.
struct Watch {
    seen: Instant,
    ends: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Watch {
    fn new(ends: Instant) -> Self {
        Self { seen: Instant::now(), ends, sleep: Box::pin(sleep_until(ends)) }
    }

    /// Ready at `due`. The timer is moved when it fires or is to fire earlier, not with every message.
    fn poll(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        if Instant::now() >= due {
            return Poll::Ready(());
        }
        if self.sleep.deadline() > due || self.sleep.is_elapsed() {
            self.sleep.as_mut().reset(due);
        }
        while self.sleep.as_mut().poll(cx).is_ready() {
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(due);
        }
        Poll::Pending
    }
}
