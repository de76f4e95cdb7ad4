//! Explanations for programs.

use std::time::Duration;

use gatewright_pipeline::rehearsal::Effect;
use gatewright_pipeline::{Decision, Ending, OnFailures, ReadyCall, Step};
use gatewright_policy::OnFailure;
use serde_json::{Value, json};

use super::chain::{ChainView, InstanceView, PlanView, RouteView};
use super::difference::Edit;
use super::limits::Asked;
use super::model::{ModelView, TargetView};
use super::trial::{Trial, withheld_of};

/// What routes run.
pub(super) fn routes(routes: &[RouteView]) -> Value {
    json!({ "routes": routes.iter().map(route).collect::<Vec<_>>() })
}

fn route(route: &RouteView) -> Value {
    let [path, tenant, model] = &route.matches;
    json!({
        "name": route.name.as_str(),
        "match": { "path": path, "tenant": tenant, "model": model },
        "chains": route.chains.iter().map(chain).collect::<Vec<_>>(),
        "held_back": {
            "bytes_always": route.held.always,
            "bytes_max": route.held.at_most,
            "whole_answer": route.held.whole,
        },
        "models": route.models.iter().map(model_of).collect::<Vec<_>>(),
    })
}

fn chain(chain: &ChainView) -> Value {
    json!({
        "chain": chain.name,
        "of": chain.of,
        "instances": chain.instances.iter().map(instance).collect::<Vec<_>>(),
    })
}

fn instance(instance: &InstanceView) -> Value {
    let circuit = &instance.circuit;
    json!({
        "instance": instance.id.as_str(),
        "extension": instance.extension,
        "version": instance.version,
        "mode": instance.mode,
        "phase": instance.phase,
        "plan": instance.plans.as_ref().map(|[streamed, whole]| json!({
            "streamed": plan(streamed),
            "whole": plan(whole),
        })),
        "deadline_seconds": seconds(instance.deadline),
        "in_flight_max": instance.in_flight_max,
        "stall_seconds": seconds(instance.stall),
        "circuit": {
            "failures": circuit.failures,
            "within_seconds": seconds(circuit.within),
            "pause_seconds": seconds(circuit.pause),
        },
        "isolate": instance.isolate,
        "egress": instance.egress.iter().map(|origin| &**origin).collect::<Vec<_>>(),
        "on": instance.on.map(on),
    })
}

fn on(on: OnFailures) -> Value {
    json!({
        "error": policy(on.error),
        "timeout": policy(on.timeout),
        "panic": policy(on.panic),
        "quarantine": policy(on.quarantine),
    })
}

/// A policy's name in the configuration.
pub(super) const fn policy(policy: OnFailure) -> &'static str {
    match policy {
        OnFailure::Deny => "deny",
        OnFailure::Skip => "skip",
    }
}

fn plan(plan: &PlanView) -> Value {
    let mut value = json!({ "kind": plan.as_str() });
    let members = match plan {
        PlanView::Skip | PlanView::Observe | PlanView::Events => Vec::new(),
        PlanView::Text { reach, held_max } => {
            vec![("held_bytes", json!(reach)), ("held_bytes_max", json!(held_max))]
        }
        PlanView::Patterns { longest_match, held_max } => {
            vec![("longest_match_bytes", json!(longest_match)), ("held_bytes_max", json!(held_max))]
        }
        PlanView::Whole { bytes_max } => vec![("bytes_max", json!(bytes_max))],
        PlanView::Failed(cause) => vec![("cause", json!(cause))],
    };
    for (name, member) in members {
        value[name] = member;
    }
    value
}

fn model_of(model: &ModelView) -> Value {
    json!({
        "name": model.name.as_str(),
        "strategy": model.strategy,
        "picker": model.picker.as_ref().map(ToString::to_string),
        "estimator": model.estimator.as_ref().map(ToString::to_string),
        "targets": model.targets.iter().map(target).collect::<Vec<_>>(),
    })
}

fn target(target: &TargetView) -> Value {
    json!({
        "provider": target.provider,
        "model": &*target.model,
        "weight": target.weight,
        "adapter": target.adapter,
        "base_url": target.base_url,
        "credential": { "instance": target.credential.as_ref().map(ToString::to_string), "api_key": target.has_key },
        "price_nanodollars_per_million": target.price.map(|[input, output]| json!({"input": input, "output": output})),
    })
}

/// What became of a request.
pub(super) fn trial(trial: &Trial) -> Value {
    let rehearsal = &trial.rehearsal;
    let principal = rehearsal.principal.as_ref();
    let steps = rehearsal.steps.iter().zip(&trial.edits);
    json!({
        "path": trial.path,
        "route": rehearsal.route.as_ref().map(|route| route.as_str()),
        "route_asked": trial.route_asked,
        "model": rehearsal.model.as_ref().map(|model| model.as_str()),
        "streams": rehearsal.streams,
        "caller": principal.map(|principal| json!({
            "tenant": principal.tenant.as_str(),
            "key": &*principal.key_label,
            "given": trial.is_given,
        })),
        "steps": steps.map(|(step, edits)| step_of(step, edits)).collect::<Vec<_>>(),
        "withheld": withheld_of(&rehearsal.steps).iter().map(ToString::to_string).collect::<Vec<_>>(),
        "limits": {
            "from": trial.limits_from.as_ref().ok(),
            "not_known_because": trial.limits_from.as_ref().err(),
            "claims": trial.asked.iter().map(asked).collect::<Vec<_>>(),
        },
        "labels": rehearsal.tags.iter().map(|(name, value)| json!([name, value])).collect::<Vec<_>>(),
        "estimate": rehearsal.estimate.map(|estimate| json!({
            "input_tokens": estimate.usage.input,
            "output_tokens": estimate.usage.output,
            "output_cap": estimate.output_cap,
        })),
        "result": ending(trial),
    })
}

fn step_of(step: &Step, edits: &[Edit]) -> Value {
    let mut value = json!({
        "instance": step.instance.as_str(),
        "hook": step.hook.as_str(),
        "shadow": step.is_shadow,
        "micros": u64::try_from(step.took.as_micros()).unwrap_or(u64::MAX),
        "edits": edits.iter().map(edit).collect::<Vec<_>>(),
        "effects": step.effects.iter().map(effect).collect::<Vec<_>>(),
    });
    value["plan"] = step.plan.as_ref().map_or(Value::Null, |of| plan(&PlanView::of(of)));
    let (decision, members) = decision(&step.decision);
    value["decision"] = json!(decision);
    for (name, member) in members {
        value[name] = member;
    }
    value
}

fn decision(decision: &Decision) -> (&'static str, Vec<(&'static str, Value)>) {
    match decision {
        Decision::Passed => ("passed", Vec::new()),
        Decision::NotConcerned => ("not_concerned", Vec::new()),
        Decision::Denied(denial) => (
            "denied",
            vec![
                ("status", json!(denial.status.as_u16())),
                ("code", json!(denial.code)),
                ("message", json!(denial.message)),
                ("param", json!(denial.param)),
                ("retry_after_seconds", json!(denial.retry_after.map(seconds))),
            ],
        ),
        Decision::Answered => ("answered", Vec::new()),
        Decision::Admitted(_) => ("admitted", Vec::new()),
        Decision::Waits(after) => ("waits", vec![("after_seconds", json!(seconds(*after)))]),
        Decision::Accepted => ("accepted", Vec::new()),
        Decision::Counted(tokens) => ("counted", vec![("input_tokens", json!(tokens))]),
        Decision::Picked(place) => ("picked", vec![("target", json!(place))]),
        Decision::Found => ("found", Vec::new()),
        Decision::Failed { cause, denies } => {
            ("failed", vec![("cause", json!(cause)), ("denies", json!(denies))])
        }
        Decision::Withheld => ("not_run", Vec::new()),
    }
}

fn edit(edit: &Edit) -> Value {
    json!({ "pointer": edit.pointer, "old": edit.old, "new": edit.new })
}

fn effect(effect: &Effect) -> Value {
    json!({ "kind": effect.kind.as_str(), "name": effect.name, "old": effect.old, "new": effect.new })
}

fn asked(asked: &Asked) -> Value {
    let key = &asked.claim.key;
    json!({
        "tenant": key.tenant.as_str(),
        "rule": &*key.rule,
        "label": &*key.label,
        "dimension": key.dimension.as_str(),
        "window_seconds": key.window.map(seconds),
        "limit": asked.claim.limit,
        "wanted": asked.claim.need,
        "used": asked.live.map(|live| live.used),
        "held": asked.live.map(|live| live.held),
        "remaining": asked.remaining(),
    })
}

fn ending(trial: &Trial) -> Value {
    match &trial.rehearsal.ending {
        Ending::Ready(call) => call_of(trial, call),
        Ending::Refused(refusal) => match refusal.body(gatewright::RequestId::new(0, 0)) {
            Some(body) => json!({
                "kind": "refused",
                "status": body.status.as_u16(),
                "code": body.code,
                "message": body.message,
                "param": body.param,
            }),
            None => json!({ "kind": "answered" }),
        },
    }
}

fn call_of(trial: &Trial, call: &ReadyCall) -> Value {
    let headers = super::text::headers(call);
    json!({
        "kind": "call",
        "provider": call.provider.as_str(),
        "model": &*call.model,
        "chosen_by": {
            "instance": call.chosen_by.as_ref().map(ToString::to_string),
            "strategy": call.chosen_by.is_none().then_some(trial.strategy).flatten(),
        },
        "method": call.method.as_str(),
        "base_url": call.base_url,
        "path": call.path,
        "headers": headers.iter().map(|(name, value)| json!([name, value])).collect::<Vec<_>>(),
        "credential": if call.has_credential { "added" } else { "none" },
        "body_bytes": call.body.len(),
        "edits": trial.routing.iter().map(edit).collect::<Vec<_>>(),
        "price_nanodollars": call.price.map(gatewright::Money::nanos),
    })
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}
