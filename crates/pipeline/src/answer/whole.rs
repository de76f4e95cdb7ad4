//! An answer that is not streamed: the same filters, run once over its texts.

use std::future::poll_fn;

use bytes::Bytes;
use gatewright::text::Lane;
use gatewright::{EventKind, Flow, LlmResponse, StreamEvent};
use gatewright_policy::AnswerModel;

use super::chain::{Chain, Parcel, Turn, Wait};
use super::stage::{Judged, respond};
use crate::course::Course;
use crate::failure::Refusal;
use crate::hook::Hook;
use crate::hooked::Fault;
use crate::phase::filter;
use crate::state::{Load, Picked};

/// Counts, filters and renames a whole answer.
pub(crate) async fn shape(
    course: &mut Course,
    load: &Load,
    picked: &Picked,
    status: http::StatusCode,
    body: Bytes,
) -> Result<Bytes, Refusal> {
    let codec = picked.provider.adapter.codec(course.codec.operation()).unwrap_or(course.codec);
    let mut response = LlmResponse::new(codec.decode_answer(body)?);
    count(course, &mut response);
    let chain = filter::open(course, load, picked, status, false)?;
    if !chain.is_empty() {
        run_stream_filters(course, chain, &mut response).await?;
    }
    let mut response = run_whole_filters(course, load, response).await?;
    if load.model.answer_model == AnswerModel::Asked {
        response.document_mut().set_model(load.model.name.as_str());
    }
    Ok(response.to_body())
}

pub(crate) fn count(course: &mut Course, response: &mut LlmResponse) {
    let Some(attempt) = &mut course.attempt else { return };
    match response.usage() {
        Some(usage) => attempt.meter.report(usage),
        None => attempt.meter.tokens(response.document_mut().estimate_output_tokens()),
    }
    course.facts.first_token = attempt.answered;
}

/// Runs the filters that see events and texts: each lane is one piece, then the choice finishes.
async fn run_stream_filters(
    course: &mut Course,
    mut chain: Chain,
    response: &mut LlmResponse,
) -> Result<(), Refusal> {
    chain.push(Parcel { frame: None, events: events_of(response)?, original: 0 });
    chain.finish();
    let mut texts = Texts::default();
    let result = turn(course, &mut chain, &mut texts).await;
    let (usage, source) = course.usage();
    let reported = source == gatewright::UsageSource::Provider;
    let outcome = gatewright::Outcome::Completed { usage, reported };
    let worker = std::sync::Arc::clone(&course.worker);
    chain.end(&outcome, course.cx(), usage, &worker);
    result?;
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

async fn turn(course: &mut Course, chain: &mut Chain, texts: &mut Texts) -> Result<(), Refusal> {
    let (usage, _) = course.usage();
    let worker = std::sync::Arc::clone(&course.worker);
    let mut next = None;
    loop {
        let turn = match next.take() {
            Some(turn) => turn,
            None => chain.turn(&mut course.cx, usage, &worker),
        };
        match turn {
            Turn::Idle => return Ok(()),
            Turn::Out(parcel) => texts.add(&parcel),
            Turn::Cut(refusal) => return Err(refusal),
            Turn::Wait(Wait::Whole { stage, future }) => {
                next = chain.judged(stage, future.await, &mut course.cx, &worker);
            }
            Turn::Wait(Wait::Event { stage, mut waiting }) => {
                let answer = poll_fn(|cx| waiting.poll(cx)).await;
                let answer = answer.and_then(|answer| answer.map_err(Fault::Error));
                next = chain.resume(stage, answer, course.cx(), (usage, &worker));
            }
        }
    }
}

/// Shows the answer to every filter's own hook for whole answers.
async fn run_whole_filters(
    course: &mut Course,
    load: &Load,
    mut response: LlmResponse,
) -> Result<LlmResponse, Refusal> {
    for hooked in &load.chains.response {
        // One that only watches must not edit, and an answer has no copy to give it.
        let Some(filter) = hooked.instance.response.clone().filter(|_| !hooked.is_shadow) else { continue };
        let worker = std::sync::Arc::clone(&course.worker);
        let was_edited = response.is_edited();
        let called = if hooked.is_isolated()
            && let Some(cx) = course.cx.take()
        {
            let Judged { called, left } = respond(hooked, response, cx, &worker).await;
            let Some((answer, cx)) = left else { return Err(course.lost(hooked, Hook::Response, called)) };
            course.cx = Some(cx);
            response = answer;
            called
        } else {
            course.cx().enter(hooked.index);
            hooked.call(&worker, Hook::Response, filter.on_response(&mut response, course.cx())).await
        };
        if response.is_edited() && !was_edited {
            hooked.gate.observer().edited(Hook::Response, 1);
        }
        match course.heed(hooked, Hook::Response, called)? {
            None | Some(Flow::Continue) => {}
            Some(Flow::Deny(denial)) => return Err(Refusal::Denied(denial)),
            Some(Flow::Respond(other)) => response = *other,
        }
    }
    Ok(response)
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
