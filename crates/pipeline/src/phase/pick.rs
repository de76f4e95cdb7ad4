//! Which target the next try goes to.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use gatewright::{AttemptInfo, Failure};
use gatewright_policy::{Draw, pick as choose};

use crate::course::{Attempt, Course};
use crate::failure::Refusal;
use crate::meter::Meter;
use crate::state::{Picked, Reserved};

/// Picks a target that was not tried yet and begins the attempt. `None` when all were tried.
pub(crate) fn pick(
    course: &mut Course,
    reserved: &Reserved,
    tried: &[usize],
) -> Result<Option<Picked>, Refusal> {
    let model = &reserved.0.model;
    let draw = Draw {
        turn: course.worker.turns.fetch_add(1, Ordering::Relaxed),
        random: course.worker.random.next_u64(),
    };
    let Some(index) = choose(&model.targets, model.strategy, draw, |index| tried.contains(&index)) else {
        return Ok(None);
    };
    let Some(target) = model.targets.get(index).cloned() else { return Ok(None) };
    let Some(provider) = course.snapshot.providers.get(&target.provider).map(Arc::clone) else {
        let detail = format!("the plan names the provider `{}`, which does not exist", target.provider);
        return Err(Failure::internal(detail).into());
    };

    course.attempts += 1;
    let number = course.attempts;
    course.cx().begin_attempt(AttemptInfo {
        number,
        provider: provider.name.clone(),
        model: Arc::clone(&target.model),
    });
    course.attempt = Some(Attempt {
        number,
        provider: Arc::clone(&provider),
        model: Arc::clone(&target.model),
        price: target.price.clone(),
        meter: Meter::new(reserved.0.request.document().estimate_input_tokens()),
        sent: None,
        answered: None,
        is_refused: false,
    });
    Ok(Some(Picked { index, target, provider }))
}
