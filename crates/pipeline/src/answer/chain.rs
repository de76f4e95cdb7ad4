//! The response filters of one answer in a row. The chain is a machine that its owner turns: it
//! takes parcels, gives parcels, and says when it must wait.

use std::collections::VecDeque;
use std::sync::Arc;

use gatewright::dialect::{Dialect, Frame};
use gatewright::{BoxFuture, Denial, EventKind, Flow, Outcome, RequestCx, StreamCx, StreamEvent, Usage};
use http::StatusCode;

use super::lanes::LaneTexts;
use super::stage::{Awaited, Fed, Judged, Stage};
use crate::failure::Refusal;
use crate::hooked::Fault;
use crate::worker::Worker;

/// Events that belong together: those of one frame of the provider, or inserted ones.
#[derive(Debug, Default)]
pub(crate) struct Parcel {
    pub(crate) frame: Option<Frame>,
    pub(crate) events: Vec<StreamEvent>,
    /// How many events the frame had before any filter saw it.
    pub(crate) original: usize,
}

impl Parcel {
    /// Whether the client may get the frame's own bytes.
    pub(crate) fn is_untouched(&self) -> bool {
        self.frame.is_some()
            && self.events.len() == self.original
            && self.events.iter().all(|event| !event.is_edited())
    }
}

/// The filters of one answer.
#[derive(Default)]
pub(crate) struct Chain {
    stages: Vec<Stage>,
    tasks: VecDeque<Task>,
    collected: Vec<Collected>,
}

/// What a filter that wants the whole answer has collected so far.
struct Collected {
    stage: usize,
    parcels: Vec<Parcel>,
    texts: LaneTexts,
}

#[expect(
    clippy::large_enum_variant,
    reason = "nearly every task is a parcel, and boxing it costs each frame"
)]
enum Task {
    /// Take a parcel through the stages from `at` on.
    Parcel { at: usize, parcel: Parcel, done: Vec<StreamEvent>, rest: VecDeque<StreamEvent> },
    /// Tell the stages from `at` on that no parcel follows.
    Finish { at: usize },
}

/// What the chain did.
pub(crate) enum Turn {
    /// A parcel went through.
    Out(Parcel),
    /// Nothing is left to do.
    Idle,
    /// It waits for a filter.
    Wait(Wait),
    /// The answer ends here.
    Cut(Refusal),
}

/// What the chain waits for.
pub(crate) enum Wait {
    /// A filter's own future; its instance's deadline applies.
    Event { stage: usize, future: Awaited },
    /// A filter's judgement of the whole answer; it has the context until then.
    Whole { stage: usize, future: BoxFuture<'static, Judged> },
}

impl Chain {
    /// A chain of opened filters.
    pub(crate) fn new(stages: Vec<Stage>, dialect: Dialect) -> Self {
        let collected = stages
            .iter()
            .enumerate()
            .filter(|(_, stage)| stage.collects().is_some())
            .map(|(stage, _)| Collected { stage, parcels: Vec::new(), texts: LaneTexts::new(dialect) })
            .collect();
        Self { stages, tasks: VecDeque::new(), collected }
    }

    /// Whether no filter wants to see this answer, so that its bytes need not be read as events.
    pub(crate) fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// One of the filters.
    pub(crate) fn stage(&self, index: usize) -> Option<&Stage> {
        self.stages.get(index)
    }

    /// Adds a parcel.
    pub(crate) fn push(&mut self, mut parcel: Parcel) {
        let rest = std::mem::take(&mut parcel.events).into();
        self.tasks.push_back(Task::Parcel { at: 0, parcel, done: Vec::new(), rest });
    }

    /// Says that no parcel follows.
    pub(crate) fn finish(&mut self) {
        self.tasks.push_back(Task::Finish { at: 0 });
    }

    /// Works until a parcel is through, or nothing is left, or something stops it.
    pub(crate) fn turn(&mut self, cx: &mut Option<RequestCx>, usage: Usage, worker: &Arc<Worker>) -> Turn {
        while let Some(task) = self.tasks.pop_front() {
            let turn = match task {
                Task::Parcel { at, parcel, done, rest } => {
                    self.advance(at, parcel, done, rest, (cx, usage, worker))
                }
                Task::Finish { at } => self.finish_stage(at, (cx, usage, worker)),
            };
            if let Some(turn) = turn {
                return turn;
            }
        }
        Turn::Idle
    }

    fn advance(
        &mut self,
        at: usize,
        mut parcel: Parcel,
        mut done: Vec<StreamEvent>,
        mut rest: VecDeque<StreamEvent>,
        (cx, usage, worker): (&mut Option<RequestCx>, Usage, &Arc<Worker>),
    ) -> Option<Turn> {
        let Some(stage) = self.stages.get_mut(at) else {
            done.extend(rest);
            parcel.events = done;
            return Some(Turn::Out(parcel));
        };
        let Some(context) = cx.as_mut() else { return Some(Turn::Idle) };
        let began = worker.clock.now();
        while let Some(event) = rest.pop_front() {
            let mut event = Some(event);
            match stage.feed(&mut event, &mut done, context, usage) {
                Fed::Done => {}
                Fed::Cut(refusal) => return Some(Turn::Cut(refusal)),
                Fed::Wait(future) => {
                    stage.add_time(began, worker.clock.now());
                    // The undecided event stays at the head of the queue.
                    if let Some(event) = event {
                        rest.push_front(event);
                    }
                    self.tasks.push_front(Task::Parcel { at, parcel, done, rest });
                    return Some(Turn::Wait(Wait::Event { stage: at, future }));
                }
            }
        }
        stage.add_time(began, worker.clock.now());
        parcel.events = done;
        self.pass_on(at, parcel)
    }

    /// Hands a parcel to the next stage, unless this one collects the whole answer first.
    fn pass_on(&mut self, at: usize, parcel: Parcel) -> Option<Turn> {
        let Some(bytes_max) = self.stages.get(at).and_then(Stage::collects) else {
            self.requeue(at + 1, parcel);
            return None;
        };
        let is_shadow = self.stages.get(at).is_some_and(|stage| stage.hooked.is_shadow);
        let Some(collected) = self.collected.iter_mut().find(|collected| collected.stage == at) else {
            self.requeue(at + 1, parcel);
            return None;
        };
        let bytes = parcel.events.iter().map(|event| collected.texts.add(event)).last().unwrap_or(0);
        if is_shadow {
            self.requeue(at + 1, parcel);
            return None;
        }
        collected.parcels.push(parcel);
        (bytes > bytes_max).then(|| Turn::Cut(too_large(bytes_max).into()))
    }

    fn requeue(&mut self, at: usize, mut parcel: Parcel) {
        let rest = std::mem::take(&mut parcel.events).into();
        self.tasks.push_front(Task::Parcel { at, parcel, done: Vec::new(), rest });
    }

    fn finish_stage(
        &mut self,
        at: usize,
        (cx, usage, worker): (&mut Option<RequestCx>, Usage, &Arc<Worker>),
    ) -> Option<Turn> {
        let stage = self.stages.get_mut(at)?;
        if stage.collects().is_some() {
            let collected = self.collected.iter_mut().find(|collected| collected.stage == at)?;
            let future = stage.judge_whole(collected.texts.clone(), cx.take()?, Arc::clone(worker));
            return Some(Turn::Wait(Wait::Whole { stage: at, future }));
        }
        let mut events = Vec::new();
        let closed = stage.close(None, &mut events, &mut StreamCx::new(cx.as_mut()?, usage));
        self.tasks.push_front(Task::Finish { at: at + 1 });
        if !events.is_empty() {
            self.requeue(at + 1, Parcel { events, ..Parcel::default() });
        }
        match closed {
            Fed::Cut(refusal) => Some(Turn::Cut(refusal)),
            Fed::Done | Fed::Wait(_) => None,
        }
    }

    /// Continues after [`Wait::Event`].
    pub(crate) fn resume(
        &mut self,
        at: usize,
        answer: Result<Box<dyn std::any::Any + Send>, Fault>,
        cx: &mut RequestCx,
        usage: Usage,
    ) -> Option<Turn> {
        let Some(Task::Parcel { parcel, mut done, mut rest, .. }) = self.tasks.pop_front() else {
            return None;
        };
        let stage = self.stages.get_mut(at)?;
        let mut event = rest.pop_front();
        let fed = stage.resume(answer, &mut event, &mut done, &mut StreamCx::new(cx, usage));
        if let Some(event) = event {
            rest.push_front(event);
        }
        self.tasks.push_front(Task::Parcel { at, parcel, done, rest });
        match fed {
            Fed::Done => None,
            Fed::Cut(refusal) => Some(Turn::Cut(refusal)),
            Fed::Wait(future) => Some(Turn::Wait(Wait::Event { stage: at, future })),
        }
    }

    /// Continues after [`Wait::Whole`]: the collected parcels go on, with the texts as the filter
    /// left them.
    pub(crate) fn judged(&mut self, at: usize, judged: Judged, cx: &mut Option<RequestCx>) -> Option<Turn> {
        let Judged { flow, response, cx: context } = judged;
        *cx = Some(context);
        self.tasks.push_front(Task::Finish { at: at + 1 });
        let stage = self.stages.get_mut(at)?;
        let place = self.collected.iter().position(|collected| collected.stage == at)?;
        let mut collected = self.collected.swap_remove(place);
        let cut = match flow {
            Ok(Flow::Deny(denial)) => stage.cut(denial),
            Ok(Flow::Respond(_)) => stage.fault(&responded(), &mut None, &mut Vec::new()),
            Ok(Flow::Continue) => Fed::Done,
            Err(fault) => stage.fault(&fault, &mut None, &mut Vec::new()),
        };
        if let Fed::Cut(refusal) = cut {
            return Some(Turn::Cut(refusal));
        }
        if response.is_edited() {
            let mut texts = collected.texts;
            response.for_each_text(&mut |lane, text| {
                drop(texts.take(lane));
                texts.add(&StreamEvent::inserted(EventKind::TextDelta { lane, text: text.to_owned() }));
            });
            rewrite(&mut collected.parcels, texts);
        }
        for parcel in collected.parcels.into_iter().rev() {
            self.requeue(at + 1, parcel);
        }
        None
    }

    /// Tells every filter how the answer ended.
    pub(crate) fn end(&mut self, outcome: &Outcome, cx: &mut RequestCx, usage: Usage, worker: &Worker) {
        for stage in &mut self.stages {
            stage.end(outcome, &mut StreamCx::new(cx, usage), worker);
        }
        self.stages.clear();
    }

    /// Forgets what is held: nothing of it may go out.
    pub(crate) fn discard(&mut self) {
        self.tasks.clear();
        self.collected.clear();
    }
}

/// Puts the whole new text of each lane where its first piece was, and empties the other pieces.
fn rewrite(parcels: &mut [Parcel], mut texts: LaneTexts) {
    for event in parcels.iter_mut().flat_map(|parcel| &mut parcel.events) {
        let Some((lane, _)) = event.text() else { continue };
        event.replace_text(&texts.take(lane).unwrap_or_default());
    }
}

fn responded() -> Fault {
    Fault::Error(gatewright::ExtError::new("a response filter cannot answer in the provider's place"))
}

fn too_large(bytes_max: usize) -> Denial {
    let text = format!("the answer is longer than the {bytes_max} bytes that this route can check");
    Denial::new(StatusCode::BAD_GATEWAY, "answer_too_large", text)
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain").field("stages", &self.stages).finish_non_exhaustive()
    }
}
