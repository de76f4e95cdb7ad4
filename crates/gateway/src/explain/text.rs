//! Explanations for people: aligned, and quiet about what is not there.

mod trial;

use gatewright::Money;
use gatewright_pipeline::OnFailures;

use super::chain::{ChainView, Held, InstanceView, PlanView, RouteView};
use super::json::policy;
use super::model::{ModelView, TargetView};

pub(super) use self::trial::{headers, trial};

/// Where what is told of a name begins.
const TEXT_AT: usize = 22;

/// Lines of a name and what is told of it.
#[derive(Default)]
struct Page(String);

impl Page {
    /// A line whose name is this deep.
    fn line(&mut self, depth: usize, name: &str, text: &str) {
        let indent = " ".repeat(2 * depth);
        let width = TEXT_AT.saturating_sub(indent.len() + 1);
        self.0.push_str(format!("{indent}{name:<width$} {text}").trim_end());
        self.0.push('\n');
    }

    /// A further line about the name above.
    fn more(&mut self, text: &str) {
        self.line(0, "", text);
    }

    fn gap(&mut self) {
        self.0.push('\n');
    }
}

/// What routes run.
pub(super) fn routes(routes: &[RouteView]) -> String {
    let mut page = Page::default();
    for (place, route) in routes.iter().enumerate() {
        if place > 0 {
            page.gap();
        }
        route_on(&mut page, route);
    }
    if routes.is_empty() {
        page.line(0, "there are no routes", "");
    }
    page.0
}

fn route_on(page: &mut Page, route: &RouteView) {
    let [path, tenant, model] = &route.matches;
    page.line(0, "route", route.name.as_str());
    page.line(0, "matches", &format!("path {path}, tenant {tenant}, model {model}"));
    for chain in &route.chains {
        chain_on(page, chain);
    }
    if let Some(held) = held(&route.held) {
        page.gap();
        page.line(0, "held back", &held);
    }
    page.gap();
    page.line(0, "models", if route.models.is_empty() { "none for this caller" } else { "" });
    for model in &route.models {
        model_on(page, model);
    }
}

fn held(held: &Held) -> Option<String> {
    match (held.whole, held.at_most) {
        (true, _) => {
            Some("the whole answer, until a filter has seen it; a stream begins at its end".to_owned())
        }
        (false, 0) => None,
        (false, at_most) => {
            Some(format!("of a stream, per choice and lane: always {} bytes, at most {at_most}", held.always))
        }
    }
}

fn chain_on(page: &mut Page, chain: &ChainView) {
    if chain.instances.is_empty() {
        return;
    }
    page.gap();
    let of = if chain.of == "route" { String::new() } else { format!("of the {}", chain.of) };
    page.line(0, chain.name, &of);
    for instance in &chain.instances {
        instance_on(page, instance);
    }
}

fn instance_on(page: &mut Page, instance: &InstanceView) {
    let phase = instance.phase.map(|phase| format!(", {phase}")).unwrap_or_default();
    let is_off = if instance.on.is_none() { ", does not run" } else { "" };
    let InstanceView { extension, version, mode, .. } = instance;
    page.line(1, instance.id.as_str(), &format!("{extension} {version}, {mode}{phase}{is_off}"));
    if let Some([streamed, whole]) = &instance.plans {
        match (plan(streamed), plan(whole)) {
            (streamed, whole) if streamed == whole => page.more(&format!("answers: {streamed}")),
            (streamed, whole) => {
                page.more(&format!("streams: {streamed}"));
                page.more(&format!("whole answers: {whole}"));
            }
        }
    }
    let Some(on) = instance.on else { return };
    page.more(&failures(on, instance.mode == "shadow"));
    let circuit = match instance.circuit {
        circuit if circuit.failures == 0 => "no circuit".to_owned(),
        circuit => format!(
            "circuit {} failures in {:?}, pause {:?}",
            circuit.failures, circuit.within, circuit.pause
        ),
    };
    page.more(&format!(
        "deadline {:?}, {} calls at a time, stall {:?}, {circuit}",
        instance.deadline, instance.in_flight_max, instance.stall
    ));
    if instance.isolate {
        page.more("isolated: its hooks run on the threads of extensions");
    }
    if !instance.egress.is_empty() {
        page.more(&format!("reaches {}", instance.egress.join(", ")));
    }
}

fn failures(on: OnFailures, is_shadow: bool) -> String {
    if is_shadow {
        return "only watches: nothing comes of its decisions and failures".to_owned();
    }
    let all =
        [("error", on.error), ("timeout", on.timeout), ("panic", on.panic), ("quarantine", on.quarantine)];
    if all.iter().all(|(_, one)| *one == on.error) {
        return format!("on error, timeout, panic and quarantine: {}", policy(on.error));
    }
    let told: Vec<_> = all.iter().map(|(cause, one)| format!("on {cause} {}", policy(*one))).collect();
    told.join(", ")
}

fn plan(plan: &PlanView) -> String {
    match plan {
        PlanView::Skip => "skips them".to_owned(),
        PlanView::Observe => "observes".to_owned(),
        PlanView::Events => "event by event".to_owned(),
        PlanView::Text { reach, held_max } => format!("text, holds {reach} bytes, at most {held_max}"),
        PlanView::Patterns { longest_match, held_max } => {
            format!("patterns, longest match {longest_match} bytes, holds at most {held_max}")
        }
        PlanView::Whole { bytes_max } => format!("whole, at most {bytes_max} bytes"),
        PlanView::Failed(cause) => format!("the extension {cause}"),
    }
}

fn model_on(page: &mut Page, model: &ModelView) {
    let chooser = match &model.picker {
        Some(picker) => format!("targets by {picker}, else {}", model.strategy),
        None => format!("targets by strategy {}", model.strategy),
    };
    let counter = match &model.estimator {
        Some(estimator) => format!("tokens by {estimator}"),
        None => "tokens by length".to_owned(),
    };
    page.line(1, model.name.as_str(), &format!("{chooser}; {counter}"));
    for target in &model.targets {
        page.more(&target_text(target));
    }
}

fn target_text(target: &TargetView) -> String {
    let weight = if target.weight == 1 { String::new() } else { format!(", weight {}", target.weight) };
    let credential = match (&target.credential, target.has_key) {
        (Some(instance), true) => format!("credential from {instance}, else api_key"),
        (Some(instance), false) => format!("credential from {instance}"),
        (None, true) => "credential api_key".to_owned(),
        (None, false) => "no credential".to_owned(),
    };
    let rate = |rate: Option<u64>| {
        let known = rate.and_then(|rate| i64::try_from(rate).ok()).map(Money::from_nanos);
        known.map_or_else(|| "not known".to_owned(), dollars)
    };
    let price = match target.price {
        None => "price not known".to_owned(),
        Some([input, output]) => {
            format!("price per million tokens {} in, {} out", rate(input), rate(output))
        }
    };
    let TargetView { provider, model, adapter, base_url, .. } = target;
    format!("{provider} → {model}{weight} ({adapter} at {base_url}), {credential}, {price}")
}

/// An amount in dollars, without the zeros that say nothing.
fn dollars(amount: Money) -> String {
    let text = amount.to_string();
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let told = decimals.trim_end_matches('0');
    format!("${whole}.{told:0<2}")
}

#[cfg(test)]
mod tests {
    use gatewright::Money;

    use super::dollars;

    #[test]
    fn amounts_have_cents_and_no_zeros_behind_them() {
        for (nanos, text) in
            [(0, "$0.00"), (1_500_000_000, "$1.50"), (12_345, "$0.000012345"), (150_000_000, "$0.15")]
        {
            assert_eq!(dollars(Money::from_nanos(nanos)), text);
        }
    }
}
