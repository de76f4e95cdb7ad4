//! What a response filter costs per event of a stream, in the machinery that the host runs it in.

use std::hint::black_box;
use std::time::Duration;

use gatewright::registry::Instance;
use gatewright::text::{Lane, TextPatterns, TextStage};
use gatewright::{
    EventKind, FilterPlan, Principal, RequestCx, ResponseFilter, StreamCx, StreamEvent, StreamFilter,
    StreamFlow, Usage,
};

use super::tally::{Cost, Tally, median};
use crate::bench::text::{answers, prose};
use crate::extension::{context, response_head};

/// How much text one run goes over.
const TEXT_BYTES: usize = 64 * 1024;

/// The cost of one event, or none where there is no filter that sees events.
pub(super) async fn cost(
    instance: &Instance,
    caller: &Principal,
    (runs, window): (usize, Duration),
) -> Option<Cost> {
    let filter = instance.response.as_deref()?;
    Work::open(filter, &mut context(caller.clone()))?;
    let text = prose::with_matches(TEXT_BYTES, 1);
    let answers = answers(&text);
    let mut costs = Vec::new();
    for _ in 0..runs {
        let mut tally = Tally::new(window);
        while tally.goes_on() {
            for pieces in &answers {
                let mut cx = context(caller.clone());
                let mut work = Work::open(filter, &mut cx)?;
                let mut events = events(pieces);
                let turns = u64::try_from(events.len()).unwrap_or(u64::MAX);
                tally.add(turns, async { work.take_all(&mut events, &mut cx).await }).await;
                black_box(&work.out);
            }
        }
        costs.push(tally.cost());
    }
    Some(median(&costs))
}

/// Bytes held back after an event, in 99 of 100 events; none without a text plan.
pub(super) async fn held(instance: &Instance, caller: &Principal) -> Option<usize> {
    let filter = instance.response.as_deref()?;
    let text = prose::with_matches(TEXT_BYTES, 1);
    let mut held = Vec::new();
    for pieces in answers(&text) {
        let mut cx = context(caller.clone());
        let mut work = Work::open(filter, &mut cx)?;
        for mut event in events(&pieces) {
            work.take(&mut event, &mut cx).await;
            held.push(work.held()?);
        }
    }
    held.sort_unstable();
    held.get(held.len().saturating_sub(1) * 99 / 100).copied()
}

fn events(pieces: &[&str]) -> Vec<StreamEvent> {
    let lane = Lane::content(0);
    let event = |piece: &&str| {
        StreamEvent::from_frame(EventKind::TextDelta { lane, text: (*piece).to_owned().into() }, 0)
    };
    pieces.iter().map(event).collect()
}

/// A filter at work on one answer.
struct Work {
    how: How,
    out: String,
}

enum How {
    Events(Box<dyn StreamFilter>),
    Observe(Box<dyn StreamFilter>),
    Text(Box<dyn StreamFilter>, TextStage),
    Patterns(TextPatterns, TextStage),
}

const FAILED: &str = "the extension does not fail";

impl Work {
    fn open(filter: &dyn ResponseFilter, cx: &mut RequestCx) -> Option<Self> {
        let head = response_head(true);
        let how = match filter.plan(&head, cx) {
            FilterPlan::Events => How::Events(filter.open(&head, cx).expect(FAILED)),
            FilterPlan::Observe => How::Observe(filter.open(&head, cx).expect(FAILED)),
            FilterPlan::Text(hold) => How::Text(filter.open(&head, cx).expect(FAILED), TextStage::new(hold)),
            FilterPlan::Patterns(patterns) => {
                let stage = TextStage::new(patterns.hold_back());
                How::Patterns(patterns, stage)
            }
            _ => return None,
        };
        Some(Self { how, out: String::with_capacity(TEXT_BYTES) })
    }

    async fn take_all(&mut self, events: &mut [StreamEvent], cx: &mut RequestCx) {
        for event in events {
            self.take(event, cx).await;
        }
    }

    async fn take(&mut self, event: &mut StreamEvent, cx: &mut RequestCx) {
        let Self { how, out } = self;
        let Some((lane, piece)) = event.text() else { return };
        match how {
            How::Patterns(patterns, stage) => {
                stage.step(lane, piece, false, out, |window| window.mask(patterns)).map(drop).expect(FAILED);
            }
            How::Text(filter, stage) => {
                stage.push(lane, piece, false).expect(FAILED);
                let flow = stage.window(lane).map(|mut window| {
                    filter.on_text(&mut window, &mut StreamCx::new(cx, Usage::default())).expect(FAILED)
                });
                settle(&mut **filter, flow, cx).await;
                stage.release(lane, out).map(drop).expect(FAILED);
            }
            How::Observe(filter) => filter.observe(event, &mut StreamCx::new(cx, Usage::default())),
            How::Events(filter) => {
                let flow = filter.on_event(event, &mut StreamCx::new(cx, Usage::default())).expect(FAILED);
                settle(&mut **filter, Some(flow), cx).await;
            }
        }
    }

    fn held(&self) -> Option<usize> {
        match &self.how {
            How::Text(_, stage) | How::Patterns(_, stage) => Some(stage.stats().held_bytes),
            How::Events(_) | How::Observe(_) => None,
        }
    }
}

/// Does what a flow asks for.
async fn settle(filter: &mut dyn StreamFilter, flow: Option<StreamFlow>, cx: &mut RequestCx) {
    let mut flow = flow;
    while let Some(StreamFlow::Await(waiting)) = flow {
        let answer = waiting.await.expect(FAILED);
        flow = Some(filter.resume(answer, &mut StreamCx::new(cx, Usage::default())).expect(FAILED));
    }
}
