//! Which target the next try goes to.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use gatewright::{AttemptInfo, Candidate, Failure, TargetPicker, Try, TryResult};
use gatewright_policy::{Draw, ModelPlan, cost, pick as choose};

use crate::course::{Attempt, Course};
use crate::failure::Refusal;
use crate::hook::Hook;
use crate::hooked::Hooked;
use crate::meter::Meter;
use crate::state::{Load, Picked, Reserved};
use crate::subject::Subject;

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
    let picked = ask_picker(course, reserved, tried)?;
    let Some(index) =
        picked.or_else(|| choose(&model.targets, model.strategy, draw, |index| tried.contains(&index)))
    else {
        return Ok(None);
    };
    let Some(target) = model.targets.get(index).cloned() else { return Ok(None) };
    let Some(provider) = course.snapshot.providers.get(&target.provider).map(Arc::clone) else {
        let detail = format!("the plan names the provider `{}`, which does not exist", target.provider);
        return Err(Failure::internal(detail).into());
    };

    let prompt_tokens = course.estimate.map_or_else(
        || reserved.0.request.document().estimate_input_tokens(),
        |estimate| estimate.usage.prompt_tokens(),
    );
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
        meter: Meter::new(prompt_tokens),
        sent: None,
        answered: None,
        is_refused: false,
        shown: None,
    });
    Ok(Some(Picked { index, target, provider }))
}

/// Asks the model's picker, if it has one. What it names is taken unless it was tried already.
fn ask_picker(course: &mut Course, reserved: &Reserved, tried: &[usize]) -> Result<Option<usize>, Refusal> {
    let Load { request, model, .. } = &reserved.0;
    let Some((hooked, picker)) = picker_of(course, model) else { return Ok(None) };
    if course.withholds(&hooked, Hook::Pick) {
        return Ok(None);
    }
    let usage = course.estimate.map(|estimate| estimate.usage).unwrap_or_default();
    let candidates: Vec<Candidate> = model
        .targets
        .iter()
        .enumerate()
        .map(|(index, target)| Candidate {
            provider: target.provider.clone(),
            model: Arc::clone(&target.model),
            weight: target.weight,
            is_tried: tried.contains(&index),
            price: target.price.as_deref().and_then(|price| cost(&usage, price)),
        })
        .collect();
    let worker = Arc::clone(&course.worker);
    let cx = course.cx();
    cx.enter(hooked.index);
    let called = hooked.call_sync(&worker, Hook::Pick, || picker.pick(&candidates, request, cx));
    let picked = course.heed(&hooked, Hook::Pick, called)?.flatten();
    Ok(picked.filter(|index| candidates.get(*index).is_some_and(|candidate| !candidate.is_tried)))
}

type Picker = (Arc<Hooked>, Arc<dyn TargetPicker>);

fn picker_of(course: &Course, model: &ModelPlan) -> Option<Picker> {
    let hooked = course.snapshot.hooks.get(model.picker.as_ref()?)?;
    Some((Arc::clone(hooked), hooked.instance.picker.clone()?))
}

/// Tells the model's picker what became of a try.
pub(crate) fn tell(course: &Course, model: &ModelPlan, picked: &Picked, result: TryResult) {
    let Some((hooked, picker)) = picker_of(course, model) else { return };
    let sent = course.attempt.as_ref().and_then(|attempt| attempt.sent);
    let now = course.worker.clock.now();
    let tried = Try {
        provider: &picked.provider.name,
        model: &picked.target.model,
        result,
        took: sent.map(|sent| now.saturating_duration_since(sent)).unwrap_or_default(),
        usage: course.usage().0,
    };
    let told = hooked.run(Hook::Tried, || {
        picker.observe(&tried);
        Ok(())
    });
    if let Err(fault) = told {
        // Only advice is lost; the log names the instance.
        let _fate = hooked.judge(Hook::Tried, &fault, &Subject::of(course));
    }
}
