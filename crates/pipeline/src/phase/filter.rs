//! The response filters of the route, opened on an answer.

use std::sync::Arc;

use gatewright::{Failure, ResponseHead};
use http::StatusCode;

use crate::answer::chain::Chain;
use crate::answer::stage::Stage;
use crate::course::Course;
use crate::hook::Hook;
use crate::state::{Load, Picked};

/// Opens the filters that want to see the answer, in the order of the route.
///
/// # Errors
///
/// A filter that fails to open, and whose policy is to deny.
pub(crate) fn open(
    course: &mut Course,
    load: &Load,
    picked: &Picked,
    status: StatusCode,
    streams: bool,
) -> Result<Chain, Failure> {
    if load.chains.response.is_empty() {
        return Ok(Chain::default());
    }
    let head = ResponseHead {
        status,
        dialect: load.request.dialect(),
        operation: load.request.operation(),
        streams,
        provider: picked.provider.name.clone(),
        model: Arc::clone(&picked.target.model),
    };
    let mut stages = Vec::with_capacity(load.chains.response.len());
    for hooked in &load.chains.response {
        let worker = Arc::clone(&course.worker);
        let (stage, result, took) = Stage::open(hooked, &head, course.cx(), &worker)?;
        course.trace(hooked, Hook::Open, result, took);
        stages.extend(stage);
    }
    Ok(Chain::new(stages, head.dialect))
}
