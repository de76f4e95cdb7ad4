//! One response filter at work on one answer.

mod closed;
mod mode;
mod tally;
mod whole;

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright::text::{Lane, TextError};
use gatewright::{
    AuditAction, BoxFuture, Denial, EventKind, Failure, FailureKind, LlmResponse, Outcome, RequestCx,
    ResponseHead, Side, StreamCx, StreamEvent, StreamFilter, StreamFlow, Usage,
};

pub(crate) use self::closed::Closed;
pub(crate) use self::whole::{Judged, respond};

use self::mode::Mode;
use self::tally::Tally;
use super::lanes::LaneTexts;
use crate::failure::Refusal;
use crate::hook::Hook;
use crate::hooked::{Called, Fault, Hooked, Waiting};
use crate::observer::HookResult;
use crate::subject::Subject;
use crate::worker::Worker;

/// What a hook asked to be awaited.
pub(crate) type Awaited = Waiting<Box<dyn std::any::Any + Send>>;

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
        let outside = hooked.is_shadow.then(|| cx.watch());
        let called = hooked.call_sync(worker, Hook::Open, || {
            let Some(mode) = Mode::of(response.plan(head, cx), head) else { return Ok(None) };
            let filter = match mode {
                // The filter itself sees the answer.
                Mode::Whole { .. } => None,
                _ => Some(response.open(head, cx)?),
            };
            Ok(Some((mode, filter)))
        });
        if let Some(outside) = outside {
            cx.unwatch(outside);
        }
        let Called { result, took } = called;
        let came_of_it = result.as_ref().map_or_else(Fault::result, |_| HookResult::Passed);
        hooked.gate.observer().called(Hook::Open, came_of_it, 1, took);
        let opened = match result {
            Ok(opened) => {
                // The work of one that opened is still to come, and passes at the end of the answer or not at all.
                if opened.is_none() {
                    hooked.gate.passed();
                }
                opened.map(|(mode, filter)| Self::new(hooked, mode, filter))
            }
            Err(fault) => match hooked.judge(Hook::Open, &fault, &Subject::of_context(cx, worker)) {
                Some(failure) => return Err(failure),
                None => None,
            },
        };
        Ok((opened, came_of_it, took))
    }

    fn new(hooked: &Arc<Hooked>, mode: Mode, filter: Option<Box<dyn StreamFilter>>) -> Self {
        Self { hooked: Arc::clone(hooked), mode, filter, is_off: false, tally: Tally::new() }
    }

    /// The most bytes of text to collect before the filter sees the answer, if it wants it whole.
    pub(crate) fn collects(&self) -> Option<usize> {
        match self.mode {
            Mode::Whole { max_bytes, is_stream: true } if !self.is_off => Some(max_bytes),
            _ => None,
        }
    }

    /// The most bytes of text of an answer that the filter sees whole and not in pieces.
    pub(crate) fn whole_max(&self) -> Option<usize> {
        match self.mode {
            Mode::Whole { max_bytes, .. } => Some(max_bytes),
            _ => None,
        }
    }

    /// The filter has no more part in this answer.
    pub(crate) fn switch_off(&mut self) {
        self.is_off = true;
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
            let outside = cx.watch();
            let decision = self.act(&mut copy, &mut Vec::new(), &mut StreamCx::new(cx, usage), worker);
            cx.unwatch(outside);
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
                    Err(fault) => self.fault(Hook::Observe, &fault, (Some(event), before), (cx, worker)),
                }
            }
            Mode::Events => {
                self.tally.calls += 1;
                let was_edited = event.is_edited();
                let flow = self.hooked.run(Hook::Event, || filter.on_event(event, cx));
                self.tally.edits += u64::from(!was_edited && event.is_edited());
                self.conclude(Hook::Event, flow, (Some(event), before), (cx, worker))
            }
            Mode::Text { stage, .. } => {
                if let Some((lane, text)) = event.text()
                    && stage.wants(lane)
                {
                    return match stage.push(lane, text, false) {
                        Ok(()) => self.look(lane, Some(event), before, (&mut *cx, worker)),
                        Err(error) => self.overflow(&error, cx, worker),
                    };
                }
                match event.kind() {
                    EventKind::Finish { choice, .. } => {
                        self.close(Closed::Choice(*choice), before, (cx, worker))
                    }
                    EventKind::LaneEnd { lane } => self.close(Closed::Lane(*lane), before, (cx, worker)),
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
            Ok(StreamFlow::Continue | StreamFlow::Drop) => self.release(lane, event, before, (cx, worker)),
            other => self.conclude(Hook::Text, other, (event, before), (cx, worker)),
        }
    }

    fn release(
        &mut self,
        lane: Lane,
        event: Option<&mut StreamEvent>,
        before: &mut Vec<StreamEvent>,
        (cx, worker): (&RequestCx, &Worker),
    ) -> Fed {
        let Mode::Text { stage, scratch, .. } = &mut self.mode else { return Fed::Keep };
        scratch.clear();
        let released = match stage.release(lane, scratch) {
            Ok(released) => released,
            Err(error) => return self.overflow(&error, cx, worker),
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

    /// Ends texts: whatever is still held of them goes through the filter a last time and out. Where the filter
    /// waits, [`Stage::resume`] goes on with the lane that it waits for.
    pub(crate) fn close(
        &mut self,
        closed: Closed,
        before: &mut Vec<StreamEvent>,
        (cx, worker): (&mut StreamCx<'_>, &Worker),
    ) -> Fed {
        let Mode::Text { stage, .. } = &self.mode else { return Fed::Keep };
        if self.is_off {
            return Fed::Keep;
        }
        cx.enter(self.hooked.index);
        let lanes: Vec<Lane> = stage.open_lanes().filter(|lane| closed.concerns(*lane)).collect();
        for lane in lanes {
            let Mode::Text { stage, .. } = &mut self.mode else { return Fed::Keep };
            if let Err(error) = stage.push(lane, "", true) {
                return self.overflow(&error, cx, worker);
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
        let is_going_on = matches!(flow, Ok(StreamFlow::Continue | StreamFlow::Drop));
        if !is_going_on || !matches!(self.mode, Mode::Text { .. }) {
            return self.conclude(Hook::Resume, flow, (event, before), (cx, worker));
        }
        // Held text is shown again: the filter now knows what it waited for, and its window says what goes out.
        match event.as_ref().map(|event| event.kind()) {
            Some(EventKind::TextDelta { lane, .. }) => self.look(*lane, event, before, (cx, worker)),
            Some(EventKind::Finish { choice, .. }) => {
                self.close(Closed::Choice(*choice), before, (cx, worker))
            }
            Some(EventKind::LaneEnd { lane }) => self.close(Closed::Lane(*lane), before, (cx, worker)),
            _ => self.close(Closed::All, before, (cx, worker)),
        }
    }

    fn conclude(
        &mut self,
        hook: Hook,
        flow: Result<StreamFlow, Fault>,
        (event, before): (Option<&mut StreamEvent>, &mut Vec<StreamEvent>),
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
            Err(fault) => self.fault(hook, &fault, (event, before), (cx, worker)),
        }
    }

    /// The filter ends the answer; one that only watches is counted, once, and the answer goes on without it.
    pub(crate) fn cut(&mut self, denial: Box<Denial>, cx: &RequestCx, worker: &Worker) -> Fed {
        self.tally.result = HookResult::Denied;
        let subject = Subject::of_context(cx, worker);
        subject.denied(AuditAction::Cut, (&self.hooked, self.hook()), &denial.code);
        if self.hooked.is_shadow {
            self.is_off = true;
            return Fed::Keep;
        }
        Fed::Cut(Refusal::Denied(denial))
    }

    /// A fault ends the answer, or the stage, as the instance's policy says. A stage that ends
    /// lets go of what it held.
    fn fault(
        &mut self,
        hook: Hook,
        fault: &Fault,
        (event, before): (Option<&mut StreamEvent>, &mut Vec<StreamEvent>),
        (cx, worker): (&mut StreamCx<'_>, &Worker),
    ) -> Fed {
        match self.fail(hook, fault, cx, worker) {
            Fed::Keep => self.let_go(event, before),
            failed => failed,
        }
    }

    /// A fault of a filter that holds nothing ends the answer, or the stage.
    pub(crate) fn fail(&mut self, hook: Hook, fault: &Fault, cx: &RequestCx, worker: &Worker) -> Fed {
        self.tally.result = fault.result();
        self.tally.failed_in = Some(hook);
        self.is_off = true;
        let judged = self.hooked.judge(hook, fault, &Subject::of_context(cx, worker));
        judged.map_or(Fed::Keep, |failure| Fed::Cut(failure.into()))
    }

    /// The policy of the instance is to go on without it: what it holds goes out.
    fn let_go(&mut self, event: Option<&mut StreamEvent>, before: &mut Vec<StreamEvent>) -> Fed {
        let Mode::Text { stage, .. } = &mut self.mode else { return Fed::Keep };
        let is_held = event.is_some_and(|event| event.text().is_some_and(|(lane, _)| stage.wants(lane)));
        for lane in stage.open_lanes().collect::<Vec<_>>() {
            let mut text = String::new();
            let released = stage.push(lane, "", true).and_then(|()| stage.release(lane, &mut text));
            if released.is_ok() && !text.is_empty() {
                before.push(StreamEvent::inserted(EventKind::TextDelta { lane, text: text.into() }));
            }
        }
        // The text of the event is among what was let go.
        if is_held { Fed::Drop } else { Fed::Keep }
    }

    /// The filter would hold more than its bound: the answer cannot go on.
    fn overflow(&mut self, error: &TextError, cx: &RequestCx, worker: &Worker) -> Fed {
        self.tally.result = HookResult::Error;
        let subject = Subject::of_context(cx, worker);
        self.hooked.gate.observer().failed(self.hook(), HookResult::Error, subject.tenant());
        if self.hooked.is_shadow {
            self.is_off = true;
            return Fed::Keep;
        }
        subject.audit(AuditAction::Cut, Some((&self.hooked, self.hook())), "extension_failed");
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
            let outside = self.hooked.is_shadow.then(|| cx.watch());
            let ended = self.hooked.run(Hook::End, || {
                filter.on_end(outcome, cx);
                Ok(())
            });
            if let Some(outside) = outside {
                cx.unwatch(outside);
            }
            if let Err(fault) = ended {
                // The answer is over, and nothing comes of it any more.
                let _over = self.fail(Hook::End, &fault, cx, worker);
            }
            self.hooked.gate.discard(filter);
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
        let last_hook = tally.failed_in.unwrap_or(self.hook());
        if last > 0 && last_hook != Hook::Response {
            observer.called(last_hook, tally.result, last, Duration::ZERO);
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

/// A stage that nobody ended, because another filter failed to open: its filter is dropped inside the fence.
impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(filter) = self.filter.take() {
            self.hooked.gate.discard(filter);
        }
    }
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("instance", &self.hooked.id).finish_non_exhaustive()
    }
}
