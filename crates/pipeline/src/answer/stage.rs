//! One response filter at work on one answer.

mod tally;
mod whole;

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright::text::{Lane, TextError, TextPatterns, TextStage};
use gatewright::{
    BoxFuture, Denial, EventKind, ExtError, Failure, FailureKind, FilterPlan, LlmResponse, Outcome,
    RequestCx, ResponseHead, Side, StreamCx, StreamEvent, StreamFilter, StreamFlow, Usage,
};

pub(crate) use self::whole::{Judged, respond};

use self::tally::Tally;
use super::lanes::LaneTexts;
use crate::failure::Refusal;
use crate::hook::Hook;
use crate::hooked::{Called, Fault, Hooked, Waiting};
use crate::observer::HookResult;
use crate::verdict::cut_record;
use crate::worker::Worker;

/// What a hook asked to be awaited.
pub(crate) type Awaited = Waiting<Result<Box<dyn std::any::Any + Send>, ExtError>>;

/// A filter's state for one answer.
pub(crate) struct Stage {
    pub(crate) hooked: Arc<Hooked>,
    mode: Mode,
    /// Taken away when the answer ends, so that its drop happens inside the fence.
    filter: Option<Box<dyn StreamFilter>>,
    /// Switched off after a fault that its policy lets pass.
    is_off: bool,
    tally: Tally,
}

enum Mode {
    Observe,
    Events,
    Text { stage: TextStage, patterns: Option<TextPatterns>, scratch: String },
    Whole { max_bytes: usize },
}

/// How one event went.
pub(crate) enum Fed {
    /// It goes on, perhaps edited.
    Keep,
    /// It does not go on.
    Drop,
    /// The stage waits; the event is undecided until it is resumed.
    Wait(Awaited),
    /// The answer ends here.
    Cut(Refusal),
}

impl Stage {
    /// Opens a filter on an answer. `None` when it does not want to see it.
    pub(crate) fn open(
        hooked: &Arc<Hooked>,
        head: &ResponseHead,
        cx: &mut RequestCx,
        worker: &Worker,
    ) -> Result<(Option<Self>, HookResult, Duration), Failure> {
        let Some(response) = hooked.instance.response.clone() else {
            return Ok((None, HookResult::Passed, Duration::ZERO));
        };
        cx.enter(hooked.index);
        let called = hooked.call_sync(worker, Hook::Open, || {
            let Some(mode) = Mode::of(response.plan(head, cx), head) else { return Ok(None) };
            Ok(Some((mode, response.open(head, cx)?)))
        });
        let Called { result, took } = called;
        let came_of_it = result.as_ref().map_or_else(Fault::result, |_| HookResult::Passed);
        hooked.gate.observer().called(Hook::Open, came_of_it, 1, took);
        let opened = match result {
            Ok(opened) => opened.map(|(mode, filter)| Self::new(hooked, mode, filter)),
            Err(fault) => {
                match hooked.judge(Hook::Open, &fault, Some(&cx.principal().tenant), worker.clock.now()) {
                    Some(failure) => return Err(failure),
                    None => None,
                }
            }
        };
        Ok((opened, came_of_it, took))
    }

    fn new(hooked: &Arc<Hooked>, mode: Mode, filter: Box<dyn StreamFilter>) -> Self {
        Self { hooked: Arc::clone(hooked), mode, filter: Some(filter), is_off: false, tally: Tally::new() }
    }

    /// The most bytes of text to collect before the filter sees the answer, if it wants it whole.
    pub(crate) fn collects(&self) -> Option<usize> {
        match self.mode {
            Mode::Whole { max_bytes } if !self.is_off => Some(max_bytes),
            _ => None,
        }
    }

    /// The hook that runs per event under the filter's plan.
    fn hook(&self) -> Hook {
        match self.mode {
            Mode::Observe => Hook::Observe,
            Mode::Events => Hook::Event,
            Mode::Text { .. } => Hook::Text,
            Mode::Whole { .. } => Hook::Response,
        }
    }

    /// Handles one event in its place; what is to go before it is appended to `before`. Under [`Fed::Wait`] the
    /// event is handed to [`Stage::resume`] later.
    pub(crate) fn feed(
        &mut self,
        event: &mut StreamEvent,
        before: &mut Vec<StreamEvent>,
        cx: &mut RequestCx,
        (usage, worker): (Usage, &Worker),
    ) -> Fed {
        if self.is_off || self.collects().is_some() {
            return Fed::Keep;
        }
        cx.enter(self.hooked.index);
        if self.hooked.is_shadow {
            let mut copy = event.clone();
            // What a shadow decides is counted, and nothing else comes of it.
            let outside = cx.side_effects();
            let decision = self.act(&mut copy, &mut Vec::new(), &mut StreamCx::new(cx, usage), worker);
            cx.restore(outside);
            drop(decision);
            return Fed::Keep;
        }
        self.act(event, before, &mut StreamCx::new(cx, usage), worker)
    }

    fn act(
        &mut self,
        event: &mut StreamEvent,
        before: &mut Vec<StreamEvent>,
        cx: &mut StreamCx<'_>,
        worker: &Worker,
    ) -> Fed {
        let Some(filter) = &mut self.filter else { return Fed::Keep };
        match &mut self.mode {
            Mode::Whole { .. } => Fed::Keep,
            Mode::Observe => {
                self.tally.calls += 1;
                let seen = self.hooked.run(Hook::Observe, || {
                    filter.observe(event, cx);
                    Ok(())
                });
                match seen {
                    Ok(()) => Fed::Keep,
                    Err(fault) => self.fault(&fault, Some(event), before, (cx, worker)),
                }
            }
            Mode::Events => {
                self.tally.calls += 1;
                let was_edited = event.is_edited();
                let flow = self.hooked.run(Hook::Event, || filter.on_event(event, cx));
                self.tally.edits += u64::from(!was_edited && event.is_edited());
                self.conclude(flow, Some(event), before, (cx, worker))
            }
            Mode::Text { stage, .. } => {
                if let Some((lane, text)) = event.text()
                    && stage.wants(lane)
                {
                    return match stage.push(lane, text, false) {
                        Ok(()) => self.look(lane, Some(event), before, (&mut *cx, worker)),
                        Err(error) => self.overflow(&error),
                    };
                }
                match event.kind() {
                    EventKind::Finish { choice, .. } => self.close(Some(*choice), before, (cx, worker)),
                    _ => Fed::Keep,
                }
            }
        }
    }

    /// Shows the filter the text of a lane that is not released yet, and takes what is certain.
    fn look(
        &mut self,
        lane: Lane,
        event: Option<&mut StreamEvent>,
        before: &mut Vec<StreamEvent>,
        (cx, worker): (&mut StreamCx<'_>, &Worker),
    ) -> Fed {
        let (Mode::Text { stage, patterns, .. }, Some(filter)) = (&mut self.mode, &mut self.filter) else {
            return Fed::Keep;
        };
        self.tally.calls += 1;
        let flow = self.hooked.run(Hook::Text, || match (stage.window(lane), &*patterns) {
            (Some(mut window), Some(patterns)) => {
                window.mask(patterns);
                Ok(StreamFlow::Continue)
            }
            (Some(mut window), None) => filter.on_text(&mut window, cx),
            (None, _) => Ok(StreamFlow::Continue),
        });
        match flow {
            Ok(StreamFlow::Continue | StreamFlow::Drop) => self.release(lane, event, before, worker),
            other => self.conclude(other, event, before, (cx, worker)),
        }
    }

    fn release(
        &mut self,
        lane: Lane,
        event: Option<&mut StreamEvent>,
        before: &mut Vec<StreamEvent>,
        worker: &Worker,
    ) -> Fed {
        let Mode::Text { stage, scratch, .. } = &mut self.mode else { return Fed::Keep };
        scratch.clear();
        let released = match stage.release(lane, scratch) {
            Ok(released) => released,
            Err(error) => return self.overflow(&error),
        };
        let fed = match event {
            _ if released.unchanged => Fed::Keep,
            Some(_) if scratch.is_empty() => Fed::Drop,
            Some(event) => {
                event.replace_text(scratch);
                Fed::Keep
            }
            None if scratch.is_empty() => Fed::Drop,
            None => {
                let text = scratch.as_str().into();
                before.push(StreamEvent::inserted(EventKind::TextDelta { lane, text }));
                Fed::Drop
            }
        };
        let holds = stage.stats().held_bytes > 0;
        self.tally.time_what_is_held(holds, worker);
        fed
    }

    /// Ends the text of one choice, or of all: whatever is still held goes through the filter a
    /// last time and out. Where the filter waits, [`Stage::resume`] goes on with the lane that it waits for.
    pub(crate) fn close(
        &mut self,
        choice: Option<u32>,
        before: &mut Vec<StreamEvent>,
        (cx, worker): (&mut StreamCx<'_>, &Worker),
    ) -> Fed {
        let Mode::Text { stage, .. } = &self.mode else { return Fed::Keep };
        if self.is_off {
            return Fed::Keep;
        }
        cx.enter(self.hooked.index);
        let concerns = |lane: &Lane| choice.is_none_or(|choice| lane.choice == choice);
        let lanes: Vec<Lane> = stage.open_lanes().filter(concerns).collect();
        for lane in lanes {
            let Mode::Text { stage, .. } = &mut self.mode else { return Fed::Keep };
            if let Err(error) = stage.push(lane, "", true) {
                return self.overflow(&error);
            }
            match self.look(lane, None, before, (cx, worker)) {
                Fed::Keep | Fed::Drop => {}
                halted @ (Fed::Wait(_) | Fed::Cut(_)) => return halted,
            }
        }
        Fed::Keep
    }

    /// Continues after a wait: the filter learns the answer, then decides on the event again. Without an event,
    /// it waited at the end of the answer.
    pub(crate) fn resume(
        &mut self,
        answer: Result<Box<dyn std::any::Any + Send>, Fault>,
        event: Option<&mut StreamEvent>,
        before: &mut Vec<StreamEvent>,
        (cx, worker): (&mut StreamCx<'_>, &Worker),
    ) -> Fed {
        cx.enter(self.hooked.index);
        let Some(filter) = &mut self.filter else { return Fed::Keep };
        let flow = answer.and_then(|answer| self.hooked.run(Hook::Resume, || filter.resume(answer, cx)));
        // Held text is shown again: the filter now knows what it waited for.
        match (&self.mode, flow, event.as_ref().map(|event| event.kind())) {
            (Mode::Text { .. }, Ok(StreamFlow::Continue), Some(EventKind::TextDelta { lane, .. })) => {
                self.look(*lane, event, before, (cx, worker))
            }
            (Mode::Text { .. }, Ok(StreamFlow::Continue), Some(EventKind::Finish { choice, .. })) => {
                self.close(Some(*choice), before, (cx, worker))
            }
            (Mode::Text { .. }, Ok(StreamFlow::Continue), None) => self.close(None, before, (cx, worker)),
            (_, flow, _) => self.conclude(flow, event, before, (cx, worker)),
        }
    }

    fn conclude(
        &mut self,
        flow: Result<StreamFlow, Fault>,
        event: Option<&mut StreamEvent>,
        before: &mut Vec<StreamEvent>,
        (cx, worker): (&mut StreamCx<'_>, &Worker),
    ) -> Fed {
        match flow {
            Ok(StreamFlow::Continue) => Fed::Keep,
            Ok(StreamFlow::Drop) => {
                self.tally.edits += 1;
                Fed::Drop
            }
            Ok(StreamFlow::Await(future)) => Fed::Wait(Waiting::new(&self.hooked, Hook::Resume, future)),
            Ok(StreamFlow::Cut(denial)) => self.cut(denial, cx, worker),
            Err(fault) => self.fault(&fault, event, before, (cx, worker)),
        }
    }

    /// The filter ends the answer; one that only watches is counted and goes on.
    pub(crate) fn cut(&mut self, denial: Box<Denial>, cx: &RequestCx, worker: &Worker) -> Fed {
        self.tally.result = HookResult::Denied;
        let in_force = !self.hooked.is_shadow;
        let observer = self.hooked.gate.observer();
        observer.denied(self.hook(), &denial.code, Some(&cx.principal().tenant), in_force);
        if !in_force {
            return Fed::Keep;
        }
        let at = worker.clock.wall().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let at_unix_ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        worker.observer.audit(cut_record(cx, at_unix_ms, &self.hooked, &denial));
        Fed::Cut(Refusal::Denied(denial))
    }

    /// A fault ends the answer, or the stage, as the instance's policy says. A stage that ends
    /// lets go of what it held.
    pub(crate) fn fault(
        &mut self,
        fault: &Fault,
        event: Option<&mut StreamEvent>,
        before: &mut Vec<StreamEvent>,
        (cx, worker): (&mut StreamCx<'_>, &Worker),
    ) -> Fed {
        self.tally.result = fault.result();
        let tenant = Some(&cx.principal().tenant);
        if let Some(failure) = self.hooked.judge(self.hook(), fault, tenant, worker.clock.now()) {
            return Fed::Cut(failure.into());
        }
        self.is_off = true;
        let Mode::Text { stage, .. } = &mut self.mode else { return Fed::Keep };
        let is_held = event.is_some_and(|event| event.text().is_some_and(|(lane, _)| stage.wants(lane)));
        for lane in stage.open_lanes().collect::<Vec<_>>() {
            let mut text = String::new();
            // The policy of this instance is to go on without it.
            let released = stage.push(lane, "", true).and_then(|()| stage.release(lane, &mut text));
            if released.is_ok() && !text.is_empty() {
                before.push(StreamEvent::inserted(EventKind::TextDelta { lane, text: text.into() }));
            }
        }
        // The text of the event is among what was let go.
        if is_held { Fed::Drop } else { Fed::Keep }
    }

    /// The filter would hold more than its bound: the answer cannot go on.
    fn overflow(&mut self, error: &TextError) -> Fed {
        self.tally.result = HookResult::Error;
        if self.hooked.is_shadow {
            self.is_off = true;
            return Fed::Keep;
        }
        let text =
            format!("the extension instance `{}` could not decide on the answer in time", self.hooked.id);
        Fed::Cut(
            Failure::new(Side::Gateway, FailureKind::Extension, text).with_detail(error.to_string()).into(),
        )
    }

    /// A call that shows the filter the whole answer, to be awaited; it gives the context back.
    pub(crate) fn judge_whole(
        &self,
        texts: LaneTexts,
        cx: RequestCx,
        worker: Arc<Worker>,
    ) -> BoxFuture<'static, Judged> {
        let hooked = Arc::clone(&self.hooked);
        let response = LlmResponse::new(Box::new(texts));
        Box::pin(async move { respond(&hooked, response, cx, &worker).await })
    }

    /// Tells the filter that the answer ended, and the observer what the filter did.
    pub(crate) fn end(&mut self, outcome: &Outcome, cx: &mut StreamCx<'_>, worker: &Worker) {
        cx.enter(self.hooked.index);
        if let Some(mut filter) = self.filter.take() {
            let ended = self.hooked.run(Hook::End, || {
                filter.on_end(outcome, cx);
                Ok(())
            });
            if let Err(fault) = ended {
                self.tally.result = fault.result();
                let tenant = Some(&cx.principal().tenant);
                // The answer is over; the log names the instance.
                let _fate = self.hooked.judge(Hook::End, &fault, tenant, worker.clock.now());
            }
            self.hooked.discard(filter);
        }
        self.tally.time_what_is_held(false, worker);
        self.report();
    }

    fn report(&self) {
        let observer = self.hooked.gate.observer();
        let tally = &self.tally;
        // Whatever ended the filter's work was its last call; the calls before it had passed.
        let last = u64::from(tally.result != HookResult::Passed);
        let passed = tally.calls.saturating_sub(last);
        if passed > 0 {
            observer.called(self.hook(), HookResult::Passed, passed, tally.time());
        }
        if last > 0 && self.collects().is_none() {
            observer.called(self.hook(), tally.result, last, Duration::ZERO);
        }
        let mut edits = tally.edits;
        if let Mode::Text { stage, .. } = &self.mode {
            let stats = stage.stats();
            edits += u64::try_from(stats.edits).unwrap_or(u64::MAX);
            observer.held(u64::try_from(stats.held_bytes_peak).unwrap_or(u64::MAX), tally.held);
        }
        if edits > 0 {
            observer.edited(self.hook(), edits);
        }
        if tally.result == HookResult::Passed {
            self.hooked.gate.passed();
        }
    }

    /// When a parcel comes in: the time, if this one is timed.
    pub(crate) fn begin_parcel(&mut self, worker: &Worker) -> Option<Instant> {
        self.tally.begin(worker)
    }

    /// When a timed parcel is through.
    pub(crate) fn end_parcel(&mut self, began: Option<Instant>, worker: &Worker) {
        self.tally.end(began, worker);
    }
}

impl Mode {
    fn of(plan: FilterPlan, head: &ResponseHead) -> Option<Self> {
        Some(match plan {
            FilterPlan::Observe => Self::Observe,
            FilterPlan::Events => Self::Events,
            FilterPlan::Text(hold) => {
                Self::Text { stage: TextStage::new(hold), patterns: None, scratch: String::new() }
            }
            FilterPlan::Patterns(patterns) => Self::Text {
                stage: TextStage::new(patterns.hold_back()),
                patterns: Some(patterns),
                scratch: String::new(),
            },
            FilterPlan::Whole { max_bytes } if head.streams => Self::Whole { max_bytes },
            // One that is whole already is shown to every filter in the end.
            _ => return None,
        })
    }
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("instance", &self.hooked.id).finish_non_exhaustive()
    }
}
