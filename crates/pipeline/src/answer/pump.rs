//! A streamed answer under way: polled by the client's reading, it polls the provider, takes each
//! frame through the filters, counts, and ends in exactly one of five ways.
//!
//! Frames that nobody edits go out as the bytes that came; neighbours that came together go out
//! together. The terminator waits until the record of the exchange is durable.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright::dialect::{Frame, FrameKind, StreamDecoder, StreamEncoder, StreamSettings, UsageArtefact};
use gatewright::{
    BoxFuture, CancelledBy, EventKind, Failure, Outcome, Side, StreamEvent, TopUp, UsageSource,
};
use gatewright_upstream::AnswerBody as UpstreamBody;
use http_body::Body;
use tokio::time::Sleep;

use super::body::BrokeOff;
use super::chain::{Parcel, Passed, Stop, Turn, Wait};
use super::extent;
use super::opening::{Source, broke_off, failure_in};
use crate::claim::Told;
use crate::course::Course;
use crate::cut::CutSignal;
use crate::failure::{Refusal, code_of};
use crate::hooked::Waiting;
use crate::keeping::{self, Writing};
use crate::phase::send::{read_failure, shutdown};
use crate::state::Settled;

/// How long the rest of a provider's body may take once its answer is complete, so that the
/// connection can be used again.
const DRAIN_WAIT: Duration = Duration::from_secs(1);

/// A streamed answer under way.
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of the stream or of its settings")]
pub(crate) struct Pump {
    course: Box<Course>,
    /// Taken away when the answer ends; dropping it cancels the call.
    upstream: Option<Pin<Box<UpstreamBody>>>,
    is_upstream_ended: bool,
    decoder: Box<dyn StreamDecoder>,
    encoder: Box<dyn StreamEncoder>,
    /// Frames have to pass through the encoder though nobody edits them.
    is_rewriting: bool,
    /// There where the provider speaks another dialect than the caller: every frame is written anew from its events,
    /// and what the caller cannot carry is collected.
    translation: Option<extent::Told>,
    hides_usage: bool,
    /// Room for the events of the next frame.
    spare: Vec<StreamEvent>,
    phase: Phase,
    out: Outlet,
    cut: CutSignal,
    last_data: Option<Instant>,
    /// The answer ended early, and its dialect has no words for that: the body is to break off.
    breaks_off: bool,
    /// There from the end of the provider's answer until the filters have let go of theirs.
    terminator: Option<Terminator>,
}

/// How the end of the answer is told to the client.
enum Terminator {
    /// As the provider told it.
    Frame(Frame),
    /// By what the provider's terminator says, in the caller's dialect.
    Events(Vec<StreamEvent>),
    /// In the caller's dialect, because the provider sent none.
    Own,
}

enum Phase {
    /// Frames flow.
    Flowing,
    /// A filter or a limiter wants to wait; the provider is not read meanwhile.
    Paused(Pause),
    /// Everything but the terminator is out, and the answer is being kept.
    Keeping { writing: Writing, terminator: Bytes },
    /// Everything but the terminator is out, and the record is on its way to the disk.
    Ending { settled: Settled, terminator: Bytes, patience: Pin<Box<Sleep>> },
    /// Nothing follows.
    Done,
}

enum Pause {
    Event { stage: usize, waiting: super::stage::Awaited },
    Whole { stage: usize, future: BoxFuture<'static, super::stage::Judged> },
    TopUp { claim: usize, waiting: Waiting<TopUp> },
}

impl Pump {
    /// Continues a stream that has begun.
    pub(crate) fn new(course: Box<Course>, source: Source, settings: StreamSettings) -> Self {
        let cut = course.worker.cut.signal();
        let Source { body, decoder, first, is_ended } = source;
        let mut pump = Self {
            upstream: Some(body),
            is_upstream_ended: is_ended,
            decoder,
            is_rewriting: settings.model.is_some() || course.codec.reframes() || course.keeping.is_some(),
            translation: settings.envelope.is_some().then(extent::Told::default),
            hides_usage: settings.hide_usage,
            encoder: keeping::stream_encoder(&course, settings),
            spare: Vec::new(),
            phase: Phase::Flowing,
            out: Outlet::default(),
            cut,
            last_data: None,
            breaks_off: false,
            terminator: None,
            course,
        };
        for frame in first {
            pump.frame(frame);
        }
        pump
    }

    /// The next bytes for the client.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokeOff>>> {
        loop {
            if let Some(bytes) = self.out.pop() {
                return Poll::Ready(Some(Ok(bytes)));
            }
            match &mut self.phase {
                Phase::Done => {
                    return Poll::Ready(std::mem::take(&mut self.breaks_off).then_some(Err(BrokeOff)));
                }
                Phase::Keeping { .. } => ready!(self.poll_keeping(cx)),
                Phase::Ending { .. } => ready!(self.poll_end(cx)),
                Phase::Paused(_) => ready!(self.poll_pause(cx)),
                Phase::Flowing => ready!(self.poll_flow(cx)),
            }
        }
    }

    /// Whether nothing follows.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done) && self.out.is_empty() && !self.breaks_off
    }

    // === The flow ===

    fn poll_flow(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.drain();
        if !matches!(self.phase, Phase::Flowing) || !self.out.is_empty() {
            return Poll::Ready(());
        }
        if self.is_upstream_ended {
            self.upstream_ended();
            return Poll::Ready(());
        }
        if self.cut.poll_cut(cx).is_ready() {
            self.fail(&shutdown().into());
            return Poll::Ready(());
        }
        let Some(upstream) = &mut self.upstream else { return Poll::Ready(()) };
        match ready!(upstream.as_mut().poll_frame(cx)) {
            Some(Ok(frame)) => {
                if let Ok(chunk) = frame.into_data() {
                    self.chunk(chunk);
                }
            }
            Some(Err(error)) => {
                let failure = self.course.blame(read_failure(&error));
                self.fail(&failure.into());
            }
            None => self.is_upstream_ended = true,
        }
        Poll::Ready(())
    }

    /// Bytes of the provider came.
    fn chunk(&mut self, chunk: Bytes) {
        let now = self.course.worker.clock.now();
        if let Some(last) = self.last_data.replace(now) {
            self.course.worker.observer.gap(now.saturating_duration_since(last));
        }
        self.out.begin(&chunk);
        self.decoder.push(chunk);
        self.drain();
        self.progress();
    }

    /// Takes every complete frame through, as long as nothing stops the flow.
    fn drain(&mut self) {
        while matches!(self.phase, Phase::Flowing) {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => self.frame(frame),
                Ok(None) => break,
                Err(failure) => self.fail(&failure.into()),
            }
        }
        self.out.flush();
    }

    fn frame(&mut self, frame: Frame) {
        match frame.kind {
            FrameKind::KeepAlive if self.translation.is_some() => {
                self.write(|encoder, out| encoder.write_keep_alive(out));
            }
            FrameKind::KeepAlive if self.is_rewriting => self.write(|encoder, out| encoder.pass(&frame, out)),
            FrameKind::KeepAlive => self.out.pass(&frame),
            FrameKind::End => self.last(frame),
            FrameKind::Error => {
                let mut failure = failure_in(&mut *self.decoder, &frame);
                self.course.hide_credential(&mut failure);
                self.fail(&failure.into());
            }
            FrameKind::Data => self.data(frame),
        }
    }

    fn data(&mut self, frame: Frame) {
        self.count(&frame);
        if self.course.chain.is_empty() && self.translation.is_none() {
            self.release(&frame);
            return;
        }
        self.encoder.observe(&frame);
        let mut events = std::mem::take(&mut self.spare);
        if let Err(failure) = self.decoder.events(&frame, &mut events) {
            self.fail(&failure.into());
            return;
        }
        if self.course.chain.is_empty() {
            self.translate(&events);
            events.clear();
            self.spare = events;
            return;
        }
        let original = events.len();
        let mut parcel = Parcel { frame: Some(frame), events, original };
        let (usage, _) = self.course.usage();
        let Course { chain, cx, worker, .. } = &mut *self.course;
        match chain.pass(&mut parcel, (cx, usage, worker)) {
            Passed::Through => self.parcel(&parcel),
            Passed::Kept => {}
            Passed::Stopped(stop) => self.stop(stop),
        }
        self.spare = parcel.events;
        self.spare.clear();
    }

    /// The provider's terminator came.
    fn last(&mut self, frame: Frame) {
        self.count(&frame);
        if self.translation.is_some() {
            let mut events = Vec::new();
            match self.decoder.events(&frame, &mut events) {
                Ok(()) => {
                    // The end itself is told once the record is durable.
                    events.retain(|event| !matches!(event.kind(), EventKind::End));
                    self.complete(Terminator::Events(events));
                }
                Err(failure) => self.fail(&failure.into()),
            }
        } else {
            self.complete(Terminator::Frame(frame));
        }
    }

    fn count(&mut self, frame: &Frame) {
        let Some(attempt) = &mut self.course.attempt else { return };
        attempt.meter.text(u64::from(frame.text_bytes));
        if let Some(usage) = frame.usage {
            attempt.meter.report(usage);
        }
        if frame.text_bytes > 0 && self.course.facts.first_token.is_none() {
            self.course.facts.first_token = Some(self.course.worker.clock.now());
        }
    }

    /// Sends a frame that no filter changed.
    fn release(&mut self, frame: &Frame) {
        match frame.usage_artefact {
            UsageArtefact::Frame if self.hides_usage => {}
            UsageArtefact::NullMember if self.hides_usage => {
                self.write(|encoder, out| encoder.pass(frame, out));
            }
            _ if self.is_rewriting || (!self.course.chain.is_empty() && self.encoder.alters(frame)) => {
                self.write(|encoder, out| encoder.pass(frame, out));
            }
            _ => self.out.pass(frame),
        }
    }

    fn write(&mut self, write: impl FnOnce(&mut dyn StreamEncoder, &mut Vec<u8>)) {
        let mut bytes = Vec::new();
        write(&mut *self.encoder, &mut bytes);
        self.out.push(bytes.into());
    }

    /// Writes events in the caller's dialect.
    fn translate(&mut self, events: &[StreamEvent]) {
        let mut bytes = Vec::new();
        let told = self.retell(events, &mut bytes);
        self.out.push(bytes.into());
        told.unwrap_or_else(|failure| self.fail(&failure.into()));
    }

    /// The same into a place of its own.
    fn retell(&mut self, events: &[StreamEvent], out: &mut Vec<u8>) -> Result<(), Failure> {
        self.translation.as_mut().map_or(Ok(()), |told| told.see(events))?;
        self.encoder.write(None, events, out);
        Ok(())
    }

    // === The filters ===

    /// Has the chain do what waits in it, until nothing is left or it must wait again.
    fn turn_chain(&mut self) {
        while matches!(self.phase, Phase::Flowing) {
            let (usage, _) = self.course.usage();
            let Course { chain, cx, worker, .. } = &mut *self.course;
            match chain.turn((cx, usage, worker)) {
                Turn::Idle => break,
                Turn::Out(parcel) => self.parcel(&parcel),
                Turn::Stopped(stop) => self.stop(stop),
            }
        }
    }

    fn stop(&mut self, stop: Stop) {
        match stop {
            Stop::Cut(refusal) => self.fail(&refusal),
            Stop::Wait(Wait::Whole { stage, future }) => {
                self.phase = Phase::Paused(Pause::Whole { stage, future });
            }
            Stop::Wait(Wait::Event { stage, waiting }) => {
                self.phase = Phase::Paused(Pause::Event { stage, waiting });
            }
        }
    }

    /// Sends what the filters have let through.
    fn parcel(&mut self, parcel: &Parcel) {
        match &parcel.frame {
            _ if self.translation.is_some() => self.translate(&parcel.events),
            Some(frame) if parcel.is_untouched() => self.release(frame),
            frame => self.write(|encoder, out| encoder.write(frame.as_ref(), &parcel.events, out)),
        }
    }

    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.cut.poll_cut(cx).is_ready() {
            self.fail(&shutdown().into());
            return Poll::Ready(());
        }
        let Phase::Paused(pause) = &mut self.phase else { return Poll::Ready(()) };
        let (usage, _) = self.course.usage();
        let Course { chain, cx: context, worker, .. } = &mut *self.course;
        let stop = match pause {
            Pause::Event { stage, waiting } => {
                let answer = ready!(waiting.poll(cx));
                context.as_mut().and_then(|cx| chain.resume(*stage, answer, cx, (usage, worker)))
            }
            Pause::Whole { stage, future } => {
                let judged = ready!(future.as_mut().poll(cx));
                chain.judged(*stage, judged, context, worker)
            }
            Pause::TopUp { claim, waiting } => {
                let answer = ready!(waiting.poll(cx));
                let claim = *claim;
                self.phase = Phase::Flowing;
                let told = self.course.top_up_claim(claim, answer);
                self.heed(claim, told);
                return Poll::Ready(());
            }
        };
        self.phase = Phase::Flowing;
        if let Some(stop) = stop {
            self.stop(stop);
        }
        self.turn_chain();
        self.out.flush();
        self.end_if_closed();
        Poll::Ready(())
    }

    // === The limits ===

    /// Tells the limiters how much has flowed.
    fn progress(&mut self) {
        for claim in 0..self.course.claims.len() {
            if !matches!(self.phase, Phase::Flowing) {
                return;
            }
            let told = self.course.tell_claim(claim);
            self.heed(claim, told);
        }
    }

    fn heed(&mut self, claim: usize, told: Told) {
        match told {
            Told::On => {}
            Told::Cut(refusal) => self.fail(&refusal),
            Told::Waits(waiting) => self.phase = Phase::Paused(Pause::TopUp { claim, waiting }),
        }
    }
}

mod end;

/// What is ready for the client. Untouched frames that lie side by side in one chunk of the
/// provider leave as one slice of it.
#[derive(Default)]
struct Outlet {
    ready: VecDeque<Bytes>,
    chunk: Bytes,
    /// The part of `chunk` that is to go out next.
    run: std::ops::Range<usize>,
}

impl Outlet {
    /// A new chunk of the provider is about to be taken apart.
    fn begin(&mut self, chunk: &Bytes) {
        self.flush();
        self.chunk = chunk.clone();
    }

    /// Sends a frame's own bytes.
    fn pass(&mut self, frame: &Frame) {
        match place_of(&frame.raw, &self.chunk) {
            Some(place) if place.start == self.run.end && !self.run.is_empty() => self.run.end = place.end,
            Some(place) => {
                self.flush();
                self.run = place;
            }
            None => self.push(frame.raw.clone()),
        }
    }

    /// Sends other bytes.
    fn push(&mut self, bytes: Bytes) {
        self.flush();
        if !bytes.is_empty() {
            self.ready.push_back(bytes);
        }
    }

    /// Ends the current run.
    fn flush(&mut self) {
        let run = std::mem::take(&mut self.run);
        if !run.is_empty() {
            self.ready.push_back(self.chunk.slice(run));
        }
    }

    fn pop(&mut self) -> Option<Bytes> {
        self.ready.pop_front()
    }

    fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.run.is_empty()
    }
}

/// Where `part` lies in `whole`, if it is a slice of it.
fn place_of(part: &Bytes, whole: &Bytes) -> Option<std::ops::Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some(start..end)
}

impl std::fmt::Debug for Pump {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pump").field("course", &self.course).finish_non_exhaustive()
    }
}
