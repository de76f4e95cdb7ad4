//! The request transforms: once per call of a client, or once per attempt.

use std::sync::Arc;
use std::time::Duration;

use gatewright::{Failure, Flow, LlmRequest, TransformPhase};

use crate::course::Course;
use crate::failure::Refusal;
use crate::hook::Hook;
use crate::hooked::{Called, Hooked};
use crate::rehearsal::Decision;
use crate::snapshot::Chains;
use crate::state::{Admitted, Shaped};

/// Runs the transforms of the client phase.
pub(crate) async fn transform(course: &mut Course, admitted: Admitted) -> Result<Shaped, Refusal> {
    let mut load = admitted.0;
    run(course, &load.chains, TransformPhase::Client, &mut load.request).await?;
    Ok(Shaped(load))
}

/// Runs the transforms of one phase over a request, in the order of the route.
pub(crate) async fn run(
    course: &mut Course,
    chains: &Chains,
    phase: TransformPhase,
    request: &mut LlmRequest,
) -> Result<(), Refusal> {
    for hooked in &chains.request {
        if hooked.instance.request.as_ref().is_some_and(|hook| hook.phase() == phase) {
            run_one(course, hooked, request).await?;
        }
    }
    Ok(())
}

/// Runs one transform. A shadow instance works on a copy, and whatever it decides is only counted.
async fn run_one(course: &mut Course, hooked: &Arc<Hooked>, request: &mut LlmRequest) -> Result<(), Refusal> {
    let Some(transform) = hooked.instance.request.clone() else { return Ok(()) };
    if course.withholds(hooked, Hook::Request) {
        return Ok(());
    }
    let worker = Arc::clone(&course.worker);
    let cx = course.cx();
    cx.enter(hooked.index);
    let wants = hooked.run(Hook::Wants, || Ok(transform.wants(request, cx)));
    if let Err(fault) = wants {
        let called = Called::<()> { result: Err(fault), took: Duration::ZERO };
        return course.heed(hooked, Hook::Wants, called).map(|_| ());
    } else if matches!(wants, Ok(false)) {
        course.note(hooked, Hook::Request, Duration::ZERO, || Decision::NotConcerned);
        return Ok(());
    }
    let mut copy = hooked.is_shadow.then(|| request.clone());
    let outside = hooked.is_shadow.then(|| cx.side_effects());
    let subject = copy.as_mut().unwrap_or(request);
    let edits = subject.edits();
    let before = course.body_before(subject);
    let called = if hooked.is_isolated() {
        transform_isolated(course, hooked, subject).await?
    } else {
        hooked.call(&worker, Hook::Request, transform.on_request(subject, course.cx())).await
    };
    let edits = subject.edits().saturating_sub(edits);
    if let Some(outside) = outside {
        course.cx().restore(outside);
    }
    let after = before.is_some().then(|| subject.to_body());
    let verdict = course.heed(hooked, Hook::Request, called);
    course.note_edit(before, after);
    let verdict = verdict?;
    if edits > 0 {
        hooked.gate.observer().edited(Hook::Request, edits.into());
        course.remark("edited");
    }
    match verdict {
        None | Some(Flow::Continue) => Ok(()),
        Some(Flow::Deny(denial)) => Err(Refusal::Denied(denial)),
        Some(Flow::Respond(response)) => Err(Refusal::Answered(response)),
    }
}

/// Runs a transform on the runtime of extensions, with a copy of the request that shares its bytes.
async fn transform_isolated(
    course: &mut Course,
    hooked: &Arc<Hooked>,
    request: &mut LlmRequest,
) -> Result<Called<Flow>, Refusal> {
    let worker = Arc::clone(&course.worker);
    let (Some(transform), Some(cx)) = (hooked.instance.request.clone(), course.cx.take()) else {
        return Err(Failure::internal("a transform runs before the context is there").into());
    };
    let state = (request.clone(), cx);
    let (state, called) = hooked
        .call_isolated(&worker, Hook::Request, state, move |(request, cx)| {
            Box::pin(async move { transform.on_request(request, cx).await })
        })
        .await;
    match state {
        Some((edited, cx)) => {
            *request = edited;
            course.cx = Some(cx);
            Ok(called)
        }
        None => Err(course.lost(hooked, Hook::Request, called)),
    }
}
