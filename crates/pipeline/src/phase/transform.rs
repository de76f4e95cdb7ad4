//! The request transforms: once per call of a client, or once per attempt.

use gatewright::point::Point;
use gatewright::{Flow, LlmRequest, TransformPhase};
use std::sync::Arc;

use crate::course::Course;
use crate::failure::Refusal;
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
        let Some(transform) = hooked.instance.request.as_ref().filter(|hook| hook.phase() == phase) else {
            continue;
        };
        let worker = Arc::clone(&course.worker);
        let cx = course.cx();
        cx.enter(hooked.index);
        if !transform.wants(request, cx) {
            continue;
        }
        // A shadow instance works on a copy, and whatever it decides is only counted.
        let mut copy = hooked.is_shadow.then(|| request.clone());
        let outside = hooked.is_shadow.then(|| cx.side_effects());
        let subject = copy.as_mut().unwrap_or(request);
        let verdict = hooked
            .call(&worker, Point::RequestTransform, transform.on_request(subject, cx), |flow| {
                matches!(flow, Flow::Deny(_))
            })
            .await;
        if let Some(outside) = outside {
            course.cx().restore(outside);
        }
        match verdict {
            Ok(_) if hooked.is_shadow => {}
            Ok(Flow::Continue) => {}
            Ok(Flow::Deny(denial)) => return Err(Refusal::Denied(denial)),
            Ok(Flow::Respond(response)) => return Err(Refusal::Answered(response)),
            Err(fault) => {
                if let Some(failure) = hooked.judge(Point::RequestTransform, &fault) {
                    return Err(failure.into());
                }
            }
        }
    }
    Ok(())
}
