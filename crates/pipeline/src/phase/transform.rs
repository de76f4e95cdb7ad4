//! The request transforms: once per call of a client, or once per attempt.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatewright::{Flow, LlmRequest, RequestTransform, TransformPhase};

use crate::course::Course;
use crate::failure::Refusal;
use crate::hook::Hook;
use crate::hooked::{Called, Hooked};
use crate::rehearsal::Decision;
use crate::snapshot::Chains;
use crate::state::{Recalled, Shaped};

/// Runs the transforms of the client phase.
pub(crate) async fn transform(course: &mut Course, recalled: Recalled) -> Result<Shaped, Refusal> {
    let mut load = recalled.0;
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
        if hooked.transform_phase == Some(phase) {
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
    course.cx.enter(hooked);
    let called = run_inside(course, hooked, &transform, request).await;
    course.cx.leave();
    let Some((called, edits, (before, after))) = called? else { return Ok(()) };
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

/// What a transform decided, how much it edited, and for a rehearsal the body before and after.
type Ran = (Called<Flow>, u32, (Option<Bytes>, Option<Bytes>));

/// Runs one transform if it wants the request. What it did to the request counts unless it only watches, or failed
/// and is left out.
async fn run_inside(
    course: &mut Course,
    hooked: &Arc<Hooked>,
    transform: &Arc<dyn RequestTransform>,
    request: &mut LlmRequest,
) -> Result<Option<Ran>, Refusal> {
    let worker = Arc::clone(&course.worker);
    let cx = course.cx();
    match hooked.run(Hook::Wants, || Ok(transform.wants(request, cx))) {
        Ok(true) => {}
        Ok(false) => {
            course.note(hooked, Hook::Request, Duration::ZERO, || Decision::NotConcerned);
            return Ok(None);
        }
        Err(fault) => {
            let called = Called::<()> { result: Err(fault), took: Duration::ZERO };
            return course.heed(hooked, Hook::Wants, called).map(|_| None);
        }
    }
    let original = hooked.may_be_left_out().then(|| request.clone());
    let edits = request.edits();
    let before = course.body_before(request);
    let called = if hooked.is_isolated() {
        transform_isolated(course, hooked, Arc::clone(transform), request).await?
    } else {
        hooked.call(&worker, Hook::Request, || transform.on_request(request, course.cx())).await
    };
    let edits = request.edits().saturating_sub(edits);
    let after = before.is_some().then(|| request.to_body());
    if let Some(original) = original.filter(|_| hooked.is_shadow || called.result.is_err()) {
        *request = original;
    }
    Ok(Some((called, edits, (before, after))))
}

/// Runs a transform on the runtime of extensions, with a copy of the request that shares its bytes.
async fn transform_isolated(
    course: &mut Course,
    hooked: &Arc<Hooked>,
    transform: Arc<dyn RequestTransform>,
    request: &mut LlmRequest,
) -> Result<Called<Flow>, Refusal> {
    let worker = Arc::clone(&course.worker);
    let state = (request.clone(), course.lend(hooked)?);
    let (state, called) = hooked
        .call_isolated(&worker, Hook::Request, state, move |(request, cx)| {
            Box::pin(async move { transform.on_request(request, cx).await })
        })
        .await;
    let (edited, cx) = state.unzip();
    let called = course.take_back(hooked, Hook::Request, cx, called)?;
    if let Some(edited) = edited {
        *request = edited;
    }
    Ok(called)
}
