//! An answer that is not streamed: the same filters, run once over its texts.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use gatewright::dialect::Codec;
use gatewright::text::Lane;
use gatewright::{EventKind, Flow, LlmResponse, StreamEvent};
use gatewright_policy::AnswerModel;

use super::chain::{Parcel, Turn, Wait, too_large};
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

/// Runs a filter that sees events and texts: each lane is one piece, then the choice finishes.
async fn run_stream_filter(course: &mut Course, response: &mut LlmResponse) -> Result<(), Refusal> {
    course.chain.push(Parcel { frame: None, events: events_of(response)?, original: 0 });
    course.chain.finish();
    let mut texts = Texts::default();
    turn(course, &mut texts).await?;
    let replaced = response.edit_texts(&mut |lane, old| texts.take(lane).filter(|new| new != old));
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
        events.push(StreamEvent::from_frame(EventKind::TextDelta { lane, text: text.into() }, 0));
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

async fn turn(course: &mut Course, texts: &mut Texts) -> Result<(), Refusal> {
    let (usage, _) = course.usage();
    let worker = Arc::clone(&course.worker);
    let mut next = None;
    loop {
        let turn = match next.take() {
            Some(turn) => turn,
            None => course.chain.turn(&mut course.cx, usage, &worker),
        };
        match turn {
            Turn::Idle => return Ok(()),
            Turn::Out(parcel) => texts.add(&parcel),
            Turn::Cut(refusal) => return Err(refusal),
            Turn::Wait(Wait::Whole { stage, future }) => {
                next = course.chain.judged(stage, future.await, &mut course.cx, &worker);
            }
            Turn::Wait(Wait::Event { stage, mut waiting }) => {
                let answer = poll_fn(|cx| waiting.poll(cx)).await;
                let cx = course.cx.as_mut();
                next = cx.and_then(|cx| course.chain.resume(stage, answer, cx, (usage, &worker)));
            }
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

/// The texts that came through the filters, one per lane.
#[derive(Default)]
struct Texts(Vec<(Lane, String)>);

impl Texts {
    fn add(&mut self, parcel: &Parcel) {
        for (lane, text) in parcel.events.iter().filter_map(StreamEvent::text) {
            match self.0.iter_mut().find(|(known, _)| *known == lane) {
                Some((_, known)) => known.push_str(text),
                None => self.0.push((lane, text.to_owned())),
            }
        }
    }

    /// The text of a lane; empty when the filters let nothing of it through.
    fn take(&mut self, lane: Lane) -> Option<String> {
        match self.0.iter().position(|(known, _)| *known == lane) {
            Some(index) => Some(self.0.swap_remove(index).1),
            None => Some(String::new()),
        }
    }
}
