//! What became of a request, for people.

use gatewright::RequestId;
use gatewright_pipeline::rehearsal::{Effect, shown};
use gatewright_pipeline::{Decision, Ending, Hook, ReadyCall, Step};

use super::super::chain::PlanView;
use super::super::difference::Edit;
use super::super::limits::Asked;
use super::super::trial::Trial;
use super::{Page, dollars, plan};

/// Headers whose value is a credential, whoever set them.
const CREDENTIALS: [&str; 5] =
    ["authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key"];

/// What became of a request.
pub(in super::super) fn trial(trial: &Trial) -> String {
    let mut page = Page::default();
    head_on(&mut page, trial);
    if !trial.rehearsal.steps.is_empty() {
        page.gap();
        page.line(0, "steps", "");
    }
    for (step, edits) in trial.rehearsal.steps.iter().zip(&trial.edits) {
        step_on(&mut page, trial, step, edits);
    }
    limits_on(&mut page, trial);
    labels_on(&mut page, trial);
    ending_on(&mut page, trial);
    page.0
}

fn head_on(page: &mut Page, trial: &Trial) {
    let rehearsal = &trial.rehearsal;
    let model = rehearsal.model.as_ref().map(|model| format!(", model {model}")).unwrap_or_default();
    let streams = if rehearsal.streams { ", streamed" } else { "" };
    page.line(0, "request", &format!("POST {}{model}{streams}", trial.path));
    match &rehearsal.principal {
        Some(caller) => {
            let how = if trial.is_given { "as told" } else { "by the authenticators" };
            page.line(0, "caller", &format!("tenant {}, key {} ({how})", caller.tenant, caller.key_label));
        }
        None => page.line(0, "caller", "nobody knows"),
    }
    let Some(route) = &rehearsal.route else { return page.line(0, "route", "none") };
    match &trial.route_asked {
        Some(asked) if asked != route.as_str() => {
            page.line(0, "route", &format!("{route}; the request does not take `{asked}`"));
        }
        _ => page.line(0, "route", route.as_str()),
    }
}

fn step_on(page: &mut Page, trial: &Trial, step: &Step, edits: &[Edit]) {
    // The adapter of a provider has nothing to decide; only its refusal is of interest.
    if step.hook == Hook::Encode && matches!(step.decision, Decision::Passed) {
        return;
    }
    let shadow = if step.is_shadow { " (only watches)" } else { "" };
    let name = format!("{} {}", step.hook.as_str(), step.instance);
    let plan = step.plan.as_ref().map(|of| format!("{}; ", plan(&PlanView::of(of)))).unwrap_or_default();
    page.line(1, &name, &format!("{plan}{}{shadow}", decision(trial, step, !edits.is_empty())));
    for edit in edits {
        edit_on(page, edit);
    }
    for effect in &step.effects {
        page.more(&effect_text(effect));
    }
}

fn decision(trial: &Trial, step: &Step, has_edits: bool) -> String {
    match &step.decision {
        Decision::Passed if has_edits => "edits the body".to_owned(),
        Decision::Passed => "passes".to_owned(),
        Decision::NotConcerned => "not concerned".to_owned(),
        Decision::Denied(denial) => {
            let wait = denial.retry_after.map(|after| format!(", again in at most {after:.0?}"));
            let wait = wait.unwrap_or_default();
            format!("denies: {} {}: {}{wait}", denial.status.as_u16(), denial.code, denial.message)
        }
        Decision::Answered => "answers in the provider's place".to_owned(),
        Decision::Admitted(_) if trial.limits_from.is_ok() => "admits".to_owned(),
        Decision::Admitted(_) => "admits, as if nothing had been counted".to_owned(),
        Decision::Waits(after) => format!("makes the request wait {after:?}"),
        Decision::Accepted => "accepts the caller".to_owned(),
        Decision::Counted(tokens) => format!("counts {tokens} prompt tokens"),
        Decision::Picked(place) => format!("picks target {}", place + 1),
        Decision::Found => "has a credential".to_owned(),
        Decision::Failed { cause, denies: true } => format!("{cause}: the exchange fails"),
        Decision::Failed { cause, denies: false } => format!("{cause}: the exchange goes on without it"),
        Decision::Withheld => "not run, because it reaches outside; --run-external runs it".to_owned(),
    }
}

fn edit_on(page: &mut Page, edit: &Edit) {
    let pointer = if edit.pointer.is_empty() { "the body" } else { &edit.pointer };
    page.more(&match edit.shortened() {
        (Some(old), Some(new)) => format!("{pointer}: {old} → {new}"),
        (None, Some(new)) => format!("{pointer}: + {new}"),
        (Some(old), None) => format!("{pointer}: - {old}"),
        (None, None) => pointer.to_owned(),
    });
}

fn effect_text(effect: &Effect) -> String {
    let name = format!("{} {}", effect.kind.as_str(), effect.name);
    match (&effect.old, &effect.new) {
        (Some(old), Some(new)) => format!("{name}: {old} → {new}"),
        (None, Some(new)) => format!("{name}: + {new}"),
        (_, None) => format!("{name}: taken away"),
    }
}

fn limits_on(page: &mut Page, trial: &Trial) {
    if trial.asked.is_empty() {
        return;
    }
    page.gap();
    page.line(
        0,
        "limits",
        &match &trial.limits_from {
            Ok(url) => format!("as {url} counts them; nothing was taken"),
            Err(why) => format!("what remains is not known: {why}"),
        },
    );
    for asked in &trial.asked {
        let key = &asked.claim.key;
        page.line(1, &key.rule, &claim_text(asked));
    }
}

fn claim_text(asked: &Asked) -> String {
    let key = &asked.claim.key;
    let window = key.window.map(|window| format!(" per {window:?}")).unwrap_or_default();
    let state = match (asked.live, asked.remaining()) {
        (Some(live), Some(remaining)) => {
            format!("used {}, held {}, remaining {remaining}", live.used, live.held)
        }
        _ => "remaining not known".to_owned(),
    };
    let (limit, need) = (asked.claim.limit, asked.claim.need);
    let whose =
        [key.tenant.as_str(), &key.label].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>();
    format!("{}: {limit} {}{window}, {state}, wanted {need}", whose.join(" "), key.dimension.as_str())
}

fn labels_on(page: &mut Page, trial: &Trial) {
    let tags = &trial.rehearsal.tags;
    if !tags.is_empty() {
        page.gap();
        let tags: Vec<_> = tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
        page.line(0, "labels", &tags.join(", "));
    }
}

fn ending_on(page: &mut Page, trial: &Trial) {
    page.gap();
    match &trial.rehearsal.ending {
        Ending::Ready(call) => call_on(page, trial, call),
        Ending::Refused(refusal) => match refusal.body(RequestId::new(0, 0)) {
            Some(body) => {
                let code = body.code.map(|code| format!(" {code}")).unwrap_or_default();
                page.line(0, "refused", &format!("{}{code}: {}", body.status.as_u16(), body.message));
            }
            None => {
                page.line(0, "answered", "without a provider, by an extension or by the gateway's own count");
            }
        },
    }
}

fn call_on(page: &mut Page, trial: &Trial, call: &ReadyCall) {
    if let Some(estimate) = trial.rehearsal.estimate {
        let usage = estimate.usage;
        page.line(0, "estimate", &format!("{} tokens in, {} out", usage.input, usage.output));
    }
    page.line(0, "price", &call.price.map_or_else(|| "not known".to_owned(), dollars));
    let chosen = match (&call.chosen_by, trial.strategy) {
        (Some(instance), _) => format!("picked by {instance}"),
        (None, Some(strategy)) => format!("by strategy {strategy}"),
        (None, None) => "the only one".to_owned(),
    };
    page.line(0, "target", &format!("{} → {}, {chosen}", call.provider, call.model));
    page.line(0, "call", &format!("{} {}{}", call.method, call.base_url, call.path));
    for (name, value) in headers(call) {
        page.more(&format!("{name}: {value}"));
    }
    page.more(if call.has_credential {
        "the provider's credential, which is not shown"
    } else {
        "no credential"
    });
    page.more(&format!("a body of {} bytes", call.body.len()));
    for edit in &trial.routing {
        edit_on(page, edit);
    }
}

/// The headers of a call without what must not be seen.
pub(in super::super) fn headers(call: &ReadyCall) -> Vec<(String, String)> {
    let value = |name: &str, value| {
        if CREDENTIALS.contains(&name) { "(hidden)".to_owned() } else { shown(value) }
    };
    call.headers.iter().map(|(name, of)| (name.to_string(), value(name.as_str(), of))).collect()
}
