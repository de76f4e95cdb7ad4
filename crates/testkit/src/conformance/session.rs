//! One answer as a response filter sees it, driven by hand: pieces in, text out, or a cut.

use gatewright::text::{HoldBack, Lane, TextPatterns, TextStage, TextWindow};
use gatewright::{
    CancelledBy, EventKind, Extension, FilterPlan, Outcome, RequestCx, ResponseFilter, ResponseHead,
    StreamCx, StreamEvent, StreamFilter, StreamFlow, Usage,
};

use crate::extension::response_head;

/// What a filter does with an answer.
pub(super) struct Session {
    work: Work,
    cx: RequestCx,
    /// The code of the cut, once there was one.
    pub(super) cut: Option<String>,
}

/// How the filter works.
enum Work {
    Nothing,
    Events(Box<dyn StreamFilter>, bool),
    Text(Box<dyn StreamFilter>, TextStage, HoldBack),
    Patterns(TextPatterns, TextStage),
}

impl Session {
    /// A session as the host would open it for an answer that is streamed.
    pub(super) fn open<E: Extension + ResponseFilter>(filter: &E, mut cx: RequestCx) -> Self {
        let head = response_head(true);
        let work = match filter.plan(&head, &cx) {
            FilterPlan::Patterns(patterns) => {
                let stage = TextStage::new(patterns.hold_back());
                Work::Patterns(patterns, stage)
            }
            FilterPlan::Text(hold) => Work::Text(opened(filter, &head, &mut cx), TextStage::new(hold), hold),
            FilterPlan::Events => Work::Events(opened(filter, &head, &mut cx), true),
            FilterPlan::Observe => Work::Events(opened(filter, &head, &mut cx), false),
            _ => Work::Nothing,
        };
        Self { work, cx, cut: None }
    }

    /// Whether the filter has a text plan, so that the places of cuts must not matter.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.work, Work::Text(..) | Work::Patterns(..))
    }

    /// Takes a piece of a lane and returns what is released. After a cut there is nothing.
    pub(super) async fn push(&mut self, lane: Lane, piece: &str, is_last: bool) -> String {
        if self.cut.is_some() || (piece.is_empty() && !is_last) {
            return String::new();
        }
        let Self { work, cx, cut } = self;
        let mut out = String::new();
        let stepped = match work {
            Work::Nothing => return piece.to_owned(),
            Work::Events(filter, changes) => {
                if piece.is_empty() {
                    return out;
                }
                return event(&mut **filter, (lane, piece), *changes, (cx, cut)).await;
            }
            Work::Patterns(patterns, stage) => {
                stage.step(lane, piece, is_last, &mut out, |window| window.mask(patterns)).map(drop)
            }
            Work::Text(filter, stage, hold) => {
                if !hold.lanes.contains(lane.kind) {
                    return piece.to_owned();
                }
                let pushed = stage.push(lane, piece, is_last);
                if let Some(mut window) = stage.window(lane) {
                    let flow = on_text(&mut **filter, &mut window, cx);
                    *cut = settled(&mut **filter, flow, cx).await;
                }
                if cut.is_some() {
                    return out;
                }
                let released = pushed.and_then(|()| stage.release(lane, &mut out)).map(drop);
                let held = stage.stats().held_bytes;
                let most = hold.max_bytes.max(hold.bytes);
                assert!(held <= most, "the filter holds {held} bytes, and its plan says {most} at most");
                released
            }
        };
        if let Err(error) = stepped {
            panic!("{error}: the answer would be cut");
        }
        out
    }

    /// The client leaves.
    pub(super) fn leave(mut self) {
        let by = CancelledBy::Client;
        let outcome = Outcome::Cancelled { seen: Usage::default(), by, upstream_aborted: true };
        if let Work::Events(filter, _) | Work::Text(filter, ..) = &mut self.work {
            filter.on_end(&outcome, &mut StreamCx::new(&mut self.cx, Usage::default()));
        }
    }

    /// The answer is complete.
    pub(super) fn end(mut self) {
        let outcome = Outcome::Completed { usage: Usage::default(), reported: true };
        if let Work::Events(filter, _) | Work::Text(filter, ..) = &mut self.work {
            filter.on_end(&outcome, &mut StreamCx::new(&mut self.cx, Usage::default()));
        }
    }
}

fn opened<E: Extension + ResponseFilter>(
    filter: &E,
    head: &ResponseHead,
    cx: &mut RequestCx,
) -> Box<dyn StreamFilter> {
    filter.open(head, cx).unwrap_or_else(|error| panic!("`{}` does not open: {error}", E::NAME))
}

fn on_text(filter: &mut dyn StreamFilter, window: &mut TextWindow<'_>, cx: &mut RequestCx) -> StreamFlow {
    let flow = filter.on_text(window, &mut StreamCx::new(cx, Usage::default()));
    flow.unwrap_or_else(|error| panic!("the filter fails on text: {error}"))
}

/// Shows a filter one event of text, and returns what is left of it.
async fn event(
    filter: &mut dyn StreamFilter,
    (lane, piece): (Lane, &str),
    changes: bool,
    (cx, cut): (&mut RequestCx, &mut Option<String>),
) -> String {
    let text = piece.to_owned().into();
    let mut event = StreamEvent::from_frame(EventKind::TextDelta { lane, text }, 0);
    if !changes {
        filter.observe(&event, &mut StreamCx::new(cx, Usage::default()));
        return piece.to_owned();
    }
    let flow = filter.on_event(&mut event, &mut StreamCx::new(cx, Usage::default()));
    let flow = flow.unwrap_or_else(|error| panic!("the filter fails on an event: {error}"));
    let is_dropped = matches!(flow, StreamFlow::Drop);
    *cut = settled(filter, flow, cx).await;
    let left = event.text().map(|(_, text)| text.to_owned()).unwrap_or_default();
    if is_dropped || cut.is_some() { String::new() } else { left }
}

/// Does what a flow asks for, as often as the filter asks; the code of a cut.
async fn settled(filter: &mut dyn StreamFilter, mut flow: StreamFlow, cx: &mut RequestCx) -> Option<String> {
    loop {
        flow = match flow {
            StreamFlow::Continue | StreamFlow::Drop => return None,
            StreamFlow::Cut(denial) => return Some(denial.code.into_owned()),
            StreamFlow::Await(waiting) => {
                let answer = match waiting.await {
                    Ok(answer) => answer,
                    Err(error) => panic!("what the filter waits for fails: {error}"),
                };
                let resumed = filter.resume(answer, &mut StreamCx::new(cx, Usage::default()));
                resumed.unwrap_or_else(|error| panic!("the filter fails when it resumes: {error}"))
            }
        };
    }
}
