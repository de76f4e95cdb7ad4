//! An answer that is not streamed: the same filters, run once over its texts.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use gatewright::dialect::Codec;
use gatewright::text::Lane;
use gatewright::{EventKind, Flow, LlmResponse, Origin, StreamEvent};
use gatewright_policy::AnswerModel;

use super::chain::{Parcel, Stop, Turn, Wait, too_large};
use super::lanes::LaneTexts;
use super::stage::{Judged, respond};
use super::translate;
use crate::course::{Course, lost};
use crate::failure::Refusal;
use crate::hook::Hook;
use crate::hooked::Hooked;
use crate::keeping;
use crate::phase::filter;
use crate::state::{Load, Picked};

/// Counts, filters and renames a whole answer. The media type is there where it is not the provider's.
pub(crate) async fn shape(
    course: &mut Course,
    load: &Load,
    picked: &Picked,
    (status, codec): (http::StatusCode, &'static dyn Codec),
    body: Bytes,
) -> Result<(Bytes, Option<&'static str>), Refusal> {
    let mut response = LlmResponse::new(codec.decode_answer(body)?);
    count(course, &mut response);
    filter::open(course, load, picked, status, false)?;
    for hooked in &load.chains.response {
        let Some(stage) = course.chain.pick_out(hooked) else { continue };
        match stage.whole_max() {
            Some(bytes_max) => check_length(&response, bytes_max)?,
            None => run_stream_filter(course, &mut response).await?,
        }
        response = run_whole_filter(course, hooked, response).await?;
    }
    if codec.dialect() != course.codec.dialect() {
        let around = (translate::envelope(course, load, picked), load);
        let retold = translate::answer(course, codec, &response.to_body(), around)?;
        let body = keeping::whole(course, retold.body, retold.whole).await?;
        return Ok((body, Some(retold.media_type)));
    }
    if load.model.answer_model == AnswerModel::Asked {
        response.document_mut().set_model(load.model.name.as_str());
    }
    Ok((keeping::whole(course, response.to_body(), None).await?, None))
}

pub(crate) fn count(course: &mut Course, response: &mut LlmResponse) {
    let Some(attempt) = &mut course.attempt else { return };
    match response.usage() {
        Some(usage) => attempt.meter.report(usage),
        None => attempt.meter.tokens(response.document_mut().estimate_output_tokens()),
    }
    course.facts.first_token = attempt.answered;
}

/// A filter of whole answers is shown none that is longer than it wants, however it comes.
fn check_length(response: &LlmResponse, bytes_max: usize) -> Result<(), Refusal> {
    let mut bytes = 0;
    response.for_each_text(&mut |_, text| bytes += text.len());
    if bytes > bytes_max { Err(too_large(bytes_max).into()) } else { Ok(()) }
}

/// Runs a filter that sees events and texts: each text is a piece of its lane, then the choice finishes.
async fn run_stream_filter(course: &mut Course, response: &mut LlmResponse) -> Result<(), Refusal> {
    let events = events_of(response)?;
    let mut texts = Texts::of(&events);
    course.chain.push(Parcel { frame: None, events, original: 0 });
    course.chain.finish();
    turn(course, &mut texts).await?;
    texts.keep_what_is_unchanged(response);
    let mut new = texts.pieces.into_iter();
    let replaced =
        response.edit_texts(&mut |_, old| new.next().and_then(|piece| piece.text).filter(|new| new != old));
    replaced
        .map_err(|error| gatewright::Failure::internal(format!("the answer cannot be edited: {error}")))?;
    Ok(())
}

fn events_of(response: &mut LlmResponse) -> Result<Vec<StreamEvent>, Refusal> {
    let mut events = Vec::new();
    let mut choices: Vec<u32> = Vec::new();
    let read = response.edit_texts(&mut |lane, text| {
        if !choices.contains(&lane.choice) {
            choices.push(lane.choice);
        }
        let ordinal = u16::try_from(events.len()).unwrap_or(u16::MAX);
        events.push(StreamEvent::from_frame(EventKind::TextDelta { lane, text: text.into() }, ordinal));
        None
    });
    read.map_err(|error| {
        let text = "the provider's answer is malformed";
        gatewright::Failure::new(gatewright::Side::Upstream, gatewright::FailureKind::Malformed, text)
            .with_detail(error.to_string())
    })?;
    let finish = |choice| EventKind::Finish { choice, reason: gatewright::FinishReason::Stop };
    events.extend(choices.into_iter().map(|choice| StreamEvent::from_frame(finish(choice), 0)));
    Ok(events)
}

/// Has the chain do what waits in it, to the end.
async fn turn(course: &mut Course, texts: &mut Texts) -> Result<(), Refusal> {
    let (usage, _) = course.usage();
    let Course { chain, cx: context, worker, .. } = course;
    loop {
        let mut stopped = match chain.turn((context, usage, worker)) {
            Turn::Idle => return Ok(()),
            Turn::Out(parcel) => {
                texts.add(&parcel);
                None
            }
            Turn::Stopped(stop) => Some(stop),
        };
        while let Some(stop) = stopped {
            stopped = match stop {
                Stop::Cut(refusal) => return Err(refusal),
                Stop::Wait(Wait::Whole { stage, future }) => {
                    chain.judged(stage, future.await, context, worker)
                }
                Stop::Wait(Wait::Event { stage, mut waiting }) => {
                    let answer = poll_fn(|cx| waiting.poll(cx)).await;
                    context.as_mut().and_then(|cx| chain.resume(stage, answer, cx, (usage, worker)))
                }
            };
        }
    }
}

/// Shows the answer to a filter's own hook for whole answers. One that only watches gets the texts alone, because
/// an answer has no copy.
async fn run_whole_filter(
    course: &mut Course,
    hooked: &Arc<Hooked>,
    mut response: LlmResponse,
) -> Result<LlmResponse, Refusal> {
    let Some(filter) = hooked.instance.response.clone() else { return Ok(response) };
    let worker = Arc::clone(&course.worker);
    let edits_before = response.is_edited();
    let called = if hooked.is_shadow {
        let copy = LlmResponse::new(Box::new(LaneTexts::of(&response)));
        let cx = course.lend(hooked)?;
        respond(hooked, copy, cx, &worker).await.called
    } else if hooked.is_isolated() {
        let cx = course.lend(hooked)?;
        let Judged { called, left } = respond(hooked, response, cx, &worker).await;
        let (answer, cx) = left.unzip();
        let called = course.take_back(hooked, Hook::Response, cx, called)?;
        response = answer.ok_or_else(|| lost(hooked, Hook::Response))?;
        called
    } else {
        course.cx.enter(hooked);
        hooked.call(&worker, Hook::Response, || filter.on_response(&mut response, course.cx())).await
    };
    if response.is_edited() && !edits_before {
        hooked.gate.observer().edited(Hook::Response, 1);
    }
    match course.heed(hooked, Hook::Response, called)? {
        None | Some(Flow::Continue) => Ok(response),
        Some(Flow::Deny(denial)) => Err(Refusal::Denied(denial)),
        Some(Flow::Respond(other)) => Ok(*other),
    }
}

/// The texts that came through the filters, in the places of those that went in.
struct Texts {
    pieces: Vec<Piece>,
    /// The place of the last text that came through.
    at: usize,
}

struct Piece {
    lane: Lane,
    /// None where it stays as it is.
    text: Option<String>,
}

impl Texts {
    fn of(events: &[StreamEvent]) -> Self {
        let pieces = events.iter().filter_map(StreamEvent::text);
        Self { pieces: pieces.map(|(lane, _)| Piece { lane, text: Some(String::new()) }).collect(), at: 0 }
    }

    /// Adds each text in its own place, and one that was inserted behind the last one of its lane.
    fn add(&mut self, parcel: &Parcel) {
        for event in &parcel.events {
            let Some((lane, text)) = event.text() else { continue };
            if let Origin::Frame(ordinal) = event.origin() {
                self.at = usize::from(ordinal);
            }
            let of_lane = |at: &usize| self.pieces.get(*at).is_some_and(|piece| piece.lane == lane);
            let last = (0..=self.at).rev().find(of_lane);
            let place = last.or_else(|| (self.at..self.pieces.len()).find(of_lane));
            let known = place.and_then(|at| self.pieces.get_mut(at)?.text.as_mut());
            if let Some(known) = known {
                known.push_str(text);
            }
        }
    }

    /// Filters see a lane as one text, whose borders inside may have moved: where it says the same as before, each
    /// piece stays.
    fn keep_what_is_unchanged(&mut self, response: &LlmResponse) {
        let mut lanes: Vec<(Lane, String)> = Vec::new();
        response.for_each_text(&mut |lane, text| match lanes.iter_mut().find(|(known, _)| *known == lane) {
            Some((_, known)) => known.push_str(text),
            None => lanes.push((lane, text.to_owned())),
        });
        for (lane, before) in lanes {
            let of_lane = |piece: &&mut Piece| piece.lane == lane;
            let now = self.pieces.iter().filter(|piece| piece.lane == lane);
            let now: String = now.filter_map(|piece| piece.text.as_deref()).collect();
            if now == before {
                self.pieces.iter_mut().filter(of_lane).for_each(|piece| piece.text = None);
            }
        }
    }
}
