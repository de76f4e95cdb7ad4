//! An answer that is not streamed: the same filters, run once over its texts.

use bytes::Bytes;
use gatewright::text::Lane;
use gatewright::{EventKind, Flow, LlmResponse, StreamEvent, point::Point};
use gatewright_policy::AnswerModel;

use super::chain::{Chain, Parcel, Turn, Wait};
use crate::course::Course;
use crate::failure::Refusal;
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
    run_whole_filters(course, load, &mut response).await?;
    if load.model.answer_model == AnswerModel::Asked {
        response.document_mut().set_model(load.model.name.as_str());
    }
    Ok(response.to_body())
}

fn count(course: &mut Course, response: &mut LlmResponse) {
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
        events.push(StreamEvent::from_frame(EventKind::TextDelta { lane, text: text.to_owned() }, 0));
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
                next = chain.judged(stage, future.await, &mut course.cx);
            }
            Turn::Wait(Wait::Event { stage, future }) => {
                let allowed = chain.stage(stage).map(|stage| stage.hooked.deadline()).unwrap_or_default();
                let answer = match tokio::time::timeout(allowed, future).await {
                    Ok(answer) => answer.map_err(Fault::Error),
                    Err(_) => Err(Fault::Timeout(allowed)),
                };
                next = chain.resume(stage, answer, course.cx(), usage);
            }
        }
    }
}

/// Shows the answer to every filter's own hook for whole answers.
async fn run_whole_filters(
    course: &mut Course,
    load: &Load,
    response: &mut LlmResponse,
) -> Result<(), Refusal> {
    let worker = std::sync::Arc::clone(&course.worker);
    for hooked in &load.chains.response {
        let Some(filter) = hooked.instance.response.as_ref() else { continue };
        if hooked.is_shadow {
            continue;
        }
        course.cx().enter(hooked.index);
        let hook = filter.on_response(response, course.cx());
        let verdict =
            hooked.call(&worker, Point::ResponseFilter, hook, |flow| matches!(flow, Flow::Deny(_))).await;
        match verdict {
            Ok(Flow::Continue) => {}
            Ok(Flow::Deny(denial)) => return Err(Refusal::Denied(denial)),
            Ok(Flow::Respond(other)) => *response = *other,
            Err(fault) => {
                if let Some(failure) = hooked.judge(Point::ResponseFilter, &fault) {
                    return Err(failure.into());
                }
            }
        }
    }
    Ok(())
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
