//! The response filters of the route, opened on an answer.

use std::sync::Arc;
use std::time::Duration;

use gatewright::{Failure, ResponseHead};
use http::StatusCode;

use crate::answer::chain::Chain;
use crate::answer::stage::Stage;
use crate::course::Course;
use crate::hook::Hook;
use crate::observer::HookResult;
use crate::rehearsal::Decision;
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
) -> Result<(), Failure> {
    if load.chains.response.is_empty() {
        return Ok(());
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
        if course.withholds(hooked, Hook::Open) {
            continue;
        }
        let plan = course.is_rehearsed().then(|| hooked.filter_plan(&head, course.cx())).and_then(Result::ok);
        let worker = Arc::clone(&course.worker);
        let opened = Stage::open(hooked, &head, course.cx(), &worker);
        course.note(hooked, Hook::Open, Duration::ZERO, || decision(&opened));
        course.note_plan(plan);
        match opened {
            Ok((stage, result, took)) => {
                course.trace(hooked, Hook::Open, result, took);
                stages.extend(stage);
            }
            Err(failure) => {
                // Those that were opened before learn of the end as well.
                course.chain = Chain::new(stages, head.dialect);
                return Err(failure);
            }
        }
    }
    course.chain = Chain::new(stages, head.dialect);
    Ok(())
}

/// What came of opening a filter, as a rehearsal tells it.
fn decision(opened: &Result<(Option<Stage>, HookResult, Duration), Failure>) -> Decision {
    let failed = |cause: &str, denies| Decision::Failed { cause: cause.to_owned(), denies };
    match opened {
        Ok((Some(_), ..)) => Decision::Passed,
        Ok((None, HookResult::Passed, _)) => Decision::NotConcerned,
        Ok((None, result, _)) => failed(result.as_str(), false),
        Err(failure) => failed(failure.detail.as_deref().unwrap_or(&failure.message), true),
    }
}
