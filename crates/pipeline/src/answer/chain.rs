//! The response filters of one answer in a row. The chain is a machine that its owner turns: it
//! takes parcels, gives parcels, and says when it must wait.

use std::collections::VecDeque;
use std::sync::Arc;

use gatewright::dialect::{Dialect, Frame};
use gatewright::{BoxFuture, Denial, EventKind, Flow, Outcome, RequestCx, StreamCx, StreamEvent, Usage};
use http::StatusCode;

use super::lanes::LaneTexts;
use super::stage::{Awaited, Closed, Fed, Judged, Stage};
use crate::context::Context;
use crate::course::lost;
use crate::failure::Refusal;
use crate::hook::Hook;
use crate::hooked::{Called, Fault, Hooked};
use crate::observer::HookResult;
use crate::worker::Worker;

/// What the stages work with: the context of the exchange, what has flowed so far, and the worker.
pub(crate) type Tools<'t> = (&'t mut Context, Usage, &'t Arc<Worker>);

/// Events that belong together: those of one frame of the provider, or inserted ones.
#[derive(Debug, Default)]
pub(crate) struct Parcel {
    pub(crate) frame: Option<Frame>,
    pub(crate) events: Vec<StreamEvent>,
    /// How many events the frame had before any filter saw it.
    pub(crate) original: usize,
}

impl Parcel {
    /// Puts events before the one at a place; returns how many.
    fn insert(&mut self, at: usize, before: &mut Vec<StreamEvent>) -> usize {
        let count = before.len();
        if count > 0 {
            self.events.splice(at..at, before.drain(..));
        }
        count
    }

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
    /// The only stage that parcels go through, where one is picked out.
    only: Option<usize>,
    tasks: VecDeque<Task>,
    collected: Vec<Collected>,
}

/// What a filter that wants the whole answer has collected so far.
struct Collected {
    stage: usize,
    parcels: Vec<Parcel>,
    texts: LaneTexts,
}

/// Something that waits for its turn. A parcel that meets nothing to wait for is never one.
enum Task {
    /// Take a parcel through the stages from `at` on, where the events before `next` are decided.
    Parcel { at: usize, parcel: Box<Parcel>, next: usize },
    /// Tell the stages from `at` on that no parcel follows.
    Finish { at: usize },
}

/// What became of a parcel on its way through the stages.
pub(crate) enum Passed {
    /// It is through all of them.
    Through,
    /// The chain has it, until a filter has seen the whole answer.
    Kept,
    /// A stage stopped it, and with it the answer.
    Stopped(Stop),
}

/// Why the chain does not go on.
pub(crate) enum Stop {
    /// It waits for a filter.
    Wait(Wait),
    /// The answer ends here.
    Cut(Refusal),
}

/// What the chain did with what waited.
pub(crate) enum Turn {
    /// A parcel went through.
    Out(Box<Parcel>),
    /// Nothing is left to do.
    Idle,
    /// It does not go on.
    Stopped(Stop),
}

/// What the chain waits for.
pub(crate) enum Wait {
    /// What a filter waits for, under its instance's deadline.
    Event { stage: usize, waiting: Awaited },
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
        Self { stages, only: None, tasks: VecDeque::new(), collected }
    }

    /// Whether no filter wants to see this answer, so that its bytes need not be read as events.
    pub(crate) fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// Picks out one instance, so that parcels go through it alone from now on. Returns its stage; `None` where the
    /// instance does not want to see the answer.
    pub(crate) fn pick_out(&mut self, hooked: &Arc<Hooked>) -> Option<&Stage> {
        self.only = self.stages.iter().position(|stage| Arc::ptr_eq(&stage.hooked, hooked));
        self.stages.get(self.only?)
    }

    /// Takes a parcel through the stages, as far as it comes. What the chain keeps of it is taken out of it.
    pub(crate) fn pass(&mut self, parcel: &mut Parcel, tools: Tools<'_>) -> Passed {
        debug_assert!(self.tasks.is_empty(), "parcels go in the order in which they came");
        self.walk(parcel, (self.only.unwrap_or(0), 0), tools)
    }

    /// Has a parcel wait for [`Chain::turn`].
    pub(crate) fn push(&mut self, parcel: Parcel) {
        self.put_first(self.only.unwrap_or(0), parcel, 0);
    }

    /// Says that no parcel follows.
    pub(crate) fn finish(&mut self) {
        self.tasks.push_back(Task::Finish { at: self.only.unwrap_or(0) });
    }

    /// The stage at a place, if parcels go through it.
    fn stage_at(&mut self, at: usize) -> Option<&mut Stage> {
        self.stages.get_mut(at).filter(|_| self.only.is_none_or(|only| only == at))
    }

    /// Does what waits for its turn, until a parcel is through, or nothing is left, or something stops it.
    pub(crate) fn turn(&mut self, (cx, usage, worker): Tools<'_>) -> Turn {
        while let Some(task) = self.tasks.pop_front() {
            let stop = match task {
                Task::Parcel { at, mut parcel, next } => {
                    match self.walk(&mut parcel, (at, next), (cx, usage, worker)) {
                        Passed::Through => return Turn::Out(parcel),
                        Passed::Kept => None,
                        Passed::Stopped(stop) => Some(stop),
                    }
                }
                Task::Finish { at } => self.finish_stage(at, (cx, usage, worker)),
            };
            if let Some(stop) = stop {
                return Turn::Stopped(stop);
            }
        }
        Turn::Idle
    }

    /// Takes a parcel through the stages from `at` on, where the first of them has decided the events before `next`.
    fn walk(
        &mut self,
        parcel: &mut Parcel,
        (mut at, mut next): (usize, usize),
        (cx, usage, worker): Tools<'_>,
    ) -> Passed {
        while self.stage_at(at).is_some() {
            if let Some(stop) = self.decide(at, parcel, next, (cx, usage, worker)) {
                return Passed::Stopped(stop);
            }
            if let Some(passed) = self.collect(at, parcel, (cx, worker)) {
                return passed;
            }
            (at, next) = (at + 1, 0);
        }
        Passed::Through
    }

    /// Has a stage decide on the events of a parcel from `next` on. They are decided where they stand, so that one
    /// that nobody touches costs no copy.
    fn decide(
        &mut self,
        at: usize,
        parcel: &mut Parcel,
        mut next: usize,
        (cx, usage, worker): Tools<'_>,
    ) -> Option<Stop> {
        let (stage, cx) = (self.stages.get_mut(at)?, cx.as_mut()?);
        let began = stage.begin_parcel(worker);
        let mut before = Vec::new();
        while let Some(event) = parcel.events.get_mut(next) {
            let fed = stage.feed(event, &mut before, cx, (usage, worker));
            next += parcel.insert(next, &mut before);
            match fed {
                Fed::Keep => next += 1,
                Fed::Drop => drop(parcel.events.remove(next)),
                Fed::Cut(refusal) => return Some(Stop::Cut(refusal)),
                Fed::Wait(waiting) => {
                    stage.end_parcel(began, worker);
                    self.put_first(at, std::mem::take(parcel), next);
                    return Some(Stop::Wait(Wait::Event { stage: at, waiting }));
                }
            }
        }
        stage.end_parcel(began, worker);
        None
    }

    /// Keeps a parcel for a stage that sees the whole answer first. `None` where it goes on.
    fn collect(
        &mut self,
        at: usize,
        parcel: &mut Parcel,
        (cx, worker): (&Context, &Worker),
    ) -> Option<Passed> {
        let stage = self.stages.get_mut(at)?;
        let bytes_max = stage.collects()?;
        let collected = self.collected.iter_mut().find(|collected| collected.stage == at)?;
        let bytes = parcel.events.iter().map(|event| collected.texts.add(event)).last().unwrap_or(0);
        let is_over = bytes > bytes_max;
        if stage.hooked.is_shadow {
            if is_over {
                stage.switch_off();
            }
            return None;
        }
        collected.parcels.push(std::mem::take(parcel));
        let context = cx.as_ref().filter(|_| is_over);
        let cut = context.map(|context| stage.cut(Box::new(too_large(bytes_max)), context, worker));
        Some(match cut {
            Some(Fed::Cut(refusal)) => Passed::Stopped(Stop::Cut(refusal)),
            _ => Passed::Kept,
        })
    }

    /// The next thing to do is to take a parcel through the stages from `at` on.
    fn put_first(&mut self, at: usize, parcel: Parcel, next: usize) {
        self.tasks.push_front(Task::Parcel { at, parcel: Box::new(parcel), next });
    }

    fn finish_stage(&mut self, at: usize, (cx, usage, worker): Tools<'_>) -> Option<Stop> {
        let stage = self.stage_at(at)?;
        if stage.collects().is_some() {
            let texts = self.collected.iter().find(|collected| collected.stage == at)?.texts.clone();
            let stage = self.stages.get(at)?;
            let future = stage.judge_whole(texts, cx.lend(&stage.hooked)?, Arc::clone(worker));
            return Some(Stop::Wait(Wait::Whole { stage: at, future }));
        }
        let mut events = Vec::new();
        cx.enter(&stage.hooked);
        let closed = stage.close(Closed::All, &mut events, (&mut StreamCx::new(cx.as_mut()?, usage), worker));
        cx.leave();
        self.finished(at, events, closed)
    }

    /// What is left to do after a stage learned that no parcel follows: the stages behind it get what it let go,
    /// then learn the same.
    fn finished(&mut self, at: usize, mut events: Vec<StreamEvent>, closed: Fed) -> Option<Stop> {
        let is_shadow = self.stages.get(at).is_some_and(|stage| stage.hooked.is_shadow);
        if is_shadow {
            events.clear();
        }
        if !events.is_empty() {
            let parcel = Box::new(Parcel { events, ..Parcel::default() });
            self.tasks.push_back(Task::Parcel { at: at + 1, parcel, next: 0 });
        }
        match closed {
            Fed::Cut(refusal) => return Some(Stop::Cut(refusal)),
            Fed::Wait(waiting) if !is_shadow => {
                self.tasks.push_front(Task::Finish { at });
                return Some(Stop::Wait(Wait::Event { stage: at, waiting }));
            }
            Fed::Keep | Fed::Drop | Fed::Wait(_) => self.tasks.push_back(Task::Finish { at: at + 1 }),
        }
        None
    }

    /// Continues after [`Wait::Event`].
    pub(crate) fn resume(
        &mut self,
        at: usize,
        answer: Result<Box<dyn std::any::Any + Send>, Fault>,
        cx: &mut RequestCx,
        (usage, worker): (Usage, &Worker),
    ) -> Option<Stop> {
        let stage = self.stages.get_mut(at)?;
        let mut before = Vec::new();
        let cx = (&mut StreamCx::new(cx, usage), worker);
        let (mut parcel, mut next) = match self.tasks.pop_front()? {
            Task::Parcel { parcel, next, .. } => (parcel, next),
            Task::Finish { .. } => {
                let closed = stage.resume(answer, None, &mut before, cx);
                return self.finished(at, before, closed);
            }
        };
        let fed = stage.resume(answer, Some(parcel.events.get_mut(next)?), &mut before, cx);
        next += parcel.insert(next, &mut before);
        match fed {
            Fed::Keep => next += 1,
            Fed::Drop => drop(parcel.events.remove(next)),
            Fed::Wait(_) | Fed::Cut(_) => {}
        }
        self.tasks.push_front(Task::Parcel { at, parcel, next });
        match fed {
            Fed::Keep | Fed::Drop => None,
            Fed::Cut(refusal) => Some(Stop::Cut(refusal)),
            Fed::Wait(waiting) => Some(Stop::Wait(Wait::Event { stage: at, waiting })),
        }
    }

    /// Continues after [`Wait::Whole`]: the collected parcels go on, with the texts as the filter
    /// left them.
    pub(crate) fn judged(
        &mut self,
        at: usize,
        judged: Judged,
        cx: &mut Context,
        worker: &Worker,
    ) -> Option<Stop> {
        let Judged { called: Called { result, took }, left } = judged;
        self.tasks.push_front(Task::Finish { at: at + 1 });
        let stage = self.stages.get_mut(at)?;
        let place = self.collected.iter().position(|collected| collected.stage == at)?;
        let mut collected = self.collected.swap_remove(place);
        let came_of_it = match &result {
            Ok(Flow::Deny(_)) => HookResult::Denied,
            Ok(_) => HookResult::Passed,
            Err(fault) => fault.result(),
        };
        stage.hooked.gate.observer().called(Hook::Response, came_of_it, 1, took);
        let (response, lent) = left.unzip();
        let is_whole = cx.give_back(&stage.hooked, lent);
        let context = cx.as_mut()?;
        let has_passed = matches!(result, Ok(Flow::Continue));
        let cut = match result {
            Ok(Flow::Deny(denial)) => stage.cut(denial, context, worker),
            Ok(Flow::Respond(_)) => stage.fail(Hook::Response, &responded(), context, worker),
            Ok(Flow::Continue) => Fed::Keep,
            Err(fault) => stage.fail(Hook::Response, &fault, context, worker),
        };
        if let Fed::Cut(refusal) = cut {
            return Some(Stop::Cut(refusal));
        }
        if !is_whole {
            return Some(Stop::Cut(lost(&stage.hooked, Hook::Response).into()));
        }
        // What a filter changed before it failed is left out as it is.
        let counts = has_passed && !stage.hooked.is_shadow;
        let response = response.filter(|response| response.is_edited() && counts);
        if let Some(response) = response {
            let mut texts = collected.texts;
            response.for_each_text(&mut |lane, text| {
                drop(texts.take(lane));
                texts.add(&StreamEvent::inserted(EventKind::TextDelta { lane, text: text.into() }));
            });
            stage.hooked.gate.observer().edited(Hook::Response, rewrite(&mut collected.parcels, texts));
        }
        for parcel in collected.parcels.into_iter().rev() {
            self.put_first(at + 1, parcel, 0);
        }
        None
    }

    /// Tells every filter how the answer ended.
    pub(crate) fn end(&mut self, outcome: &Outcome, cx: &mut RequestCx, usage: Usage, worker: &Worker) {
        for mut stage in self.stages.drain(..) {
            stage.end(outcome, &mut StreamCx::new(cx, usage), worker);
        }
    }

    /// Forgets what is held: nothing of it may go out.
    pub(crate) fn discard(&mut self) {
        self.tasks.clear();
        self.collected.clear();
    }
}

/// Puts the whole new text of each lane where its first piece was, and empties the other pieces. Returns how many
/// events changed.
fn rewrite(parcels: &mut [Parcel], mut texts: LaneTexts) -> u64 {
    let mut edits = 0;
    for event in parcels.iter_mut().flat_map(|parcel| &mut parcel.events) {
        let Some((lane, _)) = event.text() else { continue };
        event.replace_text(&texts.take(lane).unwrap_or_default());
        edits += u64::from(event.is_edited());
    }
    edits
}

fn responded() -> Fault {
    Fault::Error("a response filter cannot answer in the provider's place".into())
}

pub(super) fn too_large(bytes_max: usize) -> Denial {
    let text = format!("the answer is longer than the {bytes_max} bytes that this route can check");
    Denial::new(StatusCode::BAD_GATEWAY, "answer_too_large", text)
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain").field("stages", &self.stages).finish_non_exhaustive()
    }
}
