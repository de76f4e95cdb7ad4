//! One response filter at work on one answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright::point::Point;
use gatewright::text::{Lane, TextError, TextPatterns, TextStage};
use gatewright::{
    BoxFuture, Denial, EventKind, ExtError, Failure, FailureKind, FilterPlan, Outcome, RequestCx,
    ResponseHead, Side, StreamCx, StreamEvent, StreamFilter, StreamFlow, Usage,
};

use super::lanes::LaneTexts;
use crate::failure::Refusal;
use crate::hooked::{Fault, Hooked};
use crate::observer::{HookEvent, HookOutcome};
use crate::worker::Worker;

/// What a hook asked to be awaited.
pub(crate) type Awaited = BoxFuture<'static, Result<Box<dyn std::any::Any + Send>, ExtError>>;

/// A filter's state for one answer.
pub(crate) struct Stage {
    pub(crate) hooked: Arc<Hooked>,
    mode: Mode,
    filter: Box<dyn StreamFilter>,
    /// Switched off after a fault that its policy lets pass.
    is_off: bool,
    calls: u64,
    took: Duration,
    outcome: HookOutcome,
}

enum Mode {
    Observe,
    Events,
    Text { stage: TextStage, patterns: Option<TextPatterns> },
    Whole { max_bytes: usize },
}

/// How one event went.
pub(crate) enum Fed {
    /// It was handled; what is left of it is in the output.
    Done,
    /// The stage waits; the event is unhandled until it is resumed.
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
    ) -> Result<Option<Self>, Failure> {
        let Some(response) = hooked.instance.response.clone() else { return Ok(None) };
        cx.enter(hooked.index);
        let opened = Hooked::call_sync(|| {
            let mode = match response.plan(head, cx) {
                FilterPlan::Observe => Mode::Observe,
                FilterPlan::Events => Mode::Events,
                FilterPlan::Text(hold) => Mode::Text { stage: TextStage::new(hold), patterns: None },
                FilterPlan::Patterns(patterns) => {
                    Mode::Text { stage: TextStage::new(patterns.hold_back()), patterns: Some(patterns) }
                }
                FilterPlan::Whole { max_bytes } => Mode::Whole { max_bytes },
                _ => return Ok(None),
            };
            Ok(Some((mode, response.open(head, cx)?)))
        });
        match opened {
            Ok(opened) => Ok(opened.map(|(mode, filter)| Self::new(hooked, mode, filter))),
            Err(fault) => hooked.judge(Point::ResponseFilter, &fault).map_or(Ok(None), Err),
        }
    }

    fn new(hooked: &Arc<Hooked>, mode: Mode, filter: Box<dyn StreamFilter>) -> Self {
        Self {
            hooked: Arc::clone(hooked),
            mode,
            filter,
            is_off: false,
            calls: 0,
            took: Duration::ZERO,
            outcome: HookOutcome::Passed,
        }
    }

    /// The most bytes of text to collect before the filter sees the answer, if it wants it whole.
    pub(crate) fn collects(&self) -> Option<usize> {
        match self.mode {
            Mode::Whole { max_bytes } if !self.is_off => Some(max_bytes),
            _ => None,
        }
    }

    /// Handles one event: what goes on is appended to `out`. Under [`Fed::Wait`] the event comes
    /// back in `event` and is handed to [`Stage::resume`] later.
    pub(crate) fn feed(
        &mut self,
        event: &mut Option<StreamEvent>,
        out: &mut Vec<StreamEvent>,
        cx: &mut RequestCx,
        usage: Usage,
    ) -> Fed {
        if self.is_off || self.collects().is_some() {
            out.extend(event.take());
            return Fed::Done;
        }
        cx.enter(self.hooked.index);
        if self.hooked.is_shadow {
            let mut copy = event.clone();
            let mut discarded = Vec::new();
            // What a shadow decides is counted, and nothing else comes of it.
            let outside = cx.side_effects();
            let _decision = self.act(&mut copy, &mut discarded, cx, usage);
            cx.restore(outside);
            out.extend(event.take());
            return Fed::Done;
        }
        self.act(event, out, cx, usage)
    }

    fn act(
        &mut self,
        event: &mut Option<StreamEvent>,
        out: &mut Vec<StreamEvent>,
        cx: &mut RequestCx,
        usage: Usage,
    ) -> Fed {
        let Some(current) = event.as_mut() else { return Fed::Done };
        let mut cx = StreamCx::new(cx, usage);
        match &mut self.mode {
            Mode::Whole { .. } => {}
            Mode::Observe => {
                let filter = &mut self.filter;
                let seen = Hooked::call_sync(|| {
                    filter.observe(current, &mut cx);
                    Ok(())
                });
                self.calls += 1;
                if let Err(fault) = seen {
                    return self.fault(&fault, event, out);
                }
            }
            Mode::Events => {
                let filter = &mut self.filter;
                let flow = Hooked::call_sync(|| filter.on_event(current, &mut cx));
                self.calls += 1;
                return self.conclude(flow, event, out);
            }
            Mode::Text { stage, .. } => {
                if let Some((lane, text)) = current.text()
                    && stage.wants(lane)
                {
                    let pushed = stage.push(lane, text, false);
                    return match pushed {
                        Ok(()) => self.look(lane, event, out, &mut cx),
                        Err(error) => self.overflow(&error, event, out),
                    };
                }
                if let EventKind::Finish { choice, .. } = current.kind() {
                    let choice = *choice;
                    if let cut @ Fed::Cut(_) = self.close(Some(choice), out, &mut cx) {
                        return cut;
                    }
                }
            }
        }
        out.extend(event.take());
        Fed::Done
    }

    /// Shows the filter the text of a lane that is not released yet, and takes what is certain.
    fn look(
        &mut self,
        lane: Lane,
        event: &mut Option<StreamEvent>,
        out: &mut Vec<StreamEvent>,
        cx: &mut StreamCx<'_>,
    ) -> Fed {
        let Mode::Text { stage, patterns } = &mut self.mode else { return Fed::Done };
        let filter = &mut self.filter;
        self.calls += 1;
        let flow = Hooked::call_sync(|| match (stage.window(lane), &*patterns) {
            (Some(mut window), Some(patterns)) => {
                window.mask(patterns);
                Ok(StreamFlow::Continue)
            }
            (Some(mut window), None) => filter.on_text(&mut window, cx),
            (None, _) => Ok(StreamFlow::Continue),
        });
        match flow {
            Ok(StreamFlow::Continue | StreamFlow::Drop) => self.release(lane, event, out),
            other => self.conclude(other, event, out),
        }
    }

    fn release(&mut self, lane: Lane, event: &mut Option<StreamEvent>, out: &mut Vec<StreamEvent>) -> Fed {
        let Mode::Text { stage, .. } = &mut self.mode else { return Fed::Done };
        let mut text = String::new();
        match stage.release(lane, &mut text) {
            Ok(released) if released.unchanged => out.extend(event.take()),
            Ok(_) if text.is_empty() => *event = None,
            Ok(_) => match event.take() {
                Some(mut event) => {
                    event.replace_text(&text);
                    out.push(event);
                }
                None => out.push(StreamEvent::inserted(EventKind::TextDelta { lane, text })),
            },
            Err(error) => return self.overflow(&error, event, out),
        }
        Fed::Done
    }

    /// Ends the text of one choice, or of all: whatever is still held goes through the filter a
    /// last time and out.
    pub(crate) fn close(
        &mut self,
        choice: Option<u32>,
        out: &mut Vec<StreamEvent>,
        cx: &mut StreamCx<'_>,
    ) -> Fed {
        let Mode::Text { stage, .. } = &self.mode else { return Fed::Done };
        if self.is_off {
            return Fed::Done;
        }
        cx.enter(self.hooked.index);
        let concerns = |lane: &Lane| choice.is_none_or(|choice| lane.choice == choice);
        let lanes: Vec<Lane> = stage.open_lanes().filter(concerns).collect();
        for lane in lanes {
            let Mode::Text { stage, .. } = &mut self.mode else { return Fed::Done };
            if let Err(error) = stage.push(lane, "", true) {
                return self.overflow(&error, &mut None, out);
            }
            match self.look(lane, &mut None, out, cx) {
                Fed::Done => {}
                // The last text of a lane has nobody to wait for it in an order that could be
                // kept, so a filter that still wants to wait here has not decided in time.
                Fed::Wait(_) => return self.fault(&Fault::Timeout(Duration::ZERO), &mut None, out),
                cut @ Fed::Cut(_) => return cut,
            }
        }
        Fed::Done
    }

    /// Continues after a wait: the filter learns the answer, then decides on the event again.
    pub(crate) fn resume(
        &mut self,
        answer: Result<Box<dyn std::any::Any + Send>, Fault>,
        event: &mut Option<StreamEvent>,
        out: &mut Vec<StreamEvent>,
        cx: &mut StreamCx<'_>,
    ) -> Fed {
        cx.enter(self.hooked.index);
        let filter = &mut self.filter;
        let flow = answer.and_then(|answer| Hooked::call_sync(|| filter.resume(answer, cx)));
        let lane = event.as_ref().and_then(|event| event.text()).map(|(lane, _)| lane);
        match (&self.mode, lane, flow) {
            // Held text is shown again: the filter now knows what it waited for.
            (Mode::Text { .. }, Some(lane), Ok(StreamFlow::Continue)) => self.look(lane, event, out, cx),
            (_, _, flow) => self.conclude(flow, event, out),
        }
    }

    fn conclude(
        &mut self,
        flow: Result<StreamFlow, Fault>,
        event: &mut Option<StreamEvent>,
        out: &mut Vec<StreamEvent>,
    ) -> Fed {
        match flow {
            Ok(StreamFlow::Continue) => out.extend(event.take()),
            Ok(StreamFlow::Drop) => *event = None,
            Ok(StreamFlow::Await(future)) => return Fed::Wait(future),
            Ok(StreamFlow::Cut(denial)) => return self.cut(denial),
            Err(fault) => return self.fault(&fault, event, out),
        }
        Fed::Done
    }

    pub(crate) fn cut(&mut self, denial: Box<Denial>) -> Fed {
        self.outcome = HookOutcome::Denied;
        if self.hooked.is_shadow { Fed::Done } else { Fed::Cut(Refusal::Denied(denial)) }
    }

    /// A fault ends the answer, or the stage, as the instance's policy says. A stage that ends
    /// lets go of what it held.
    pub(crate) fn fault(
        &mut self,
        fault: &Fault,
        event: &mut Option<StreamEvent>,
        out: &mut Vec<StreamEvent>,
    ) -> Fed {
        self.outcome = fault.outcome();
        if let Some(failure) = self.hooked.judge(Point::ResponseFilter, fault) {
            return Fed::Cut(failure.into());
        }
        self.is_off = true;
        if let Mode::Text { stage, .. } = &mut self.mode {
            let lanes: Vec<Lane> = stage.open_lanes().collect();
            let current = event.as_ref().and_then(|event| event.text()).map(|(lane, _)| lane);
            for lane in lanes {
                let mut text = String::new();
                // The policy of this instance is to go on without it.
                let released = stage.push(lane, "", true).and_then(|()| stage.release(lane, &mut text));
                if released.is_ok() && !text.is_empty() {
                    out.push(StreamEvent::inserted(EventKind::TextDelta { lane, text }));
                }
            }
            if current.is_some() {
                *event = None;
            }
        }
        out.extend(event.take());
        Fed::Done
    }

    /// The filter would hold more than its bound: the answer cannot go on.
    fn overflow(
        &mut self,
        error: &TextError,
        event: &mut Option<StreamEvent>,
        out: &mut Vec<StreamEvent>,
    ) -> Fed {
        self.outcome = HookOutcome::Error;
        if self.hooked.is_shadow {
            self.is_off = true;
            out.extend(event.take());
            return Fed::Done;
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
        mut cx: RequestCx,
        worker: Arc<Worker>,
    ) -> BoxFuture<'static, Judged> {
        let hooked = Arc::clone(&self.hooked);
        Box::pin(async move {
            let mut response = gatewright::LlmResponse::new(Box::new(texts));
            cx.enter(hooked.index);
            let flow = match hooked.instance.response.clone() {
                Some(filter) => {
                    let hook = filter.on_response(&mut response, &mut cx);
                    hooked
                        .call(&worker, Point::ResponseFilter, hook, |flow| {
                            matches!(flow, gatewright::Flow::Deny(_))
                        })
                        .await
                }
                None => Ok(gatewright::Flow::Continue),
            };
            Judged { flow, response, cx }
        })
    }

    /// Tells the filter that the answer ended, and the observer what the filter did.
    pub(crate) fn end(&mut self, outcome: &Outcome, cx: &mut StreamCx<'_>, worker: &Worker) {
        cx.enter(self.hooked.index);
        let filter = &mut self.filter;
        let ended = Hooked::call_sync(|| {
            filter.on_end(outcome, cx);
            Ok(())
        });
        if let Err(fault) = ended {
            self.outcome = fault.outcome();
            // The answer is over; the log names the instance.
            let _fate = self.hooked.judge(Point::ResponseFilter, &fault);
        }
        // Whatever ended the filter's work was its last call; the calls before it had passed.
        let last = u64::from(self.outcome != HookOutcome::Passed);
        let report = |calls, took, result| {
            if calls > 0 {
                let (instance, point) = (&self.hooked.id, Point::ResponseFilter);
                worker.observer.hook(&HookEvent { instance, point, calls, took, result });
            }
        };
        report(self.calls.saturating_sub(last), self.took, HookOutcome::Passed);
        report(last, Duration::ZERO, self.outcome);
    }

    /// Adds to the time that the filter took.
    pub(crate) fn add_time(&mut self, began: Instant, ended: Instant) {
        self.took += ended.saturating_duration_since(began);
    }
}

/// What came of showing a filter the whole answer.
pub(crate) struct Judged {
    pub(crate) flow: Result<gatewright::Flow, Fault>,
    pub(crate) response: gatewright::LlmResponse,
    pub(crate) cx: RequestCx,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("instance", &self.hooked.id).finish_non_exhaustive()
    }
}
