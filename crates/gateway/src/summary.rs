//! What a good configuration comes to, in the lines that `check` prints: its counts, and which routes run which
//! instances, each chain in the order in which it runs.

use gatewright::InstanceId;
use gatewright_config::Settings;
use gatewright_policy::{Plan, RoutePlan};

/// The lines of a configuration.
pub(crate) fn of(settings: &Settings, plan: &Plan) -> String {
    let mut text = format!(
        "the configuration is good: {} listeners, {} providers, {} models, {} routes, {} extension instances",
        settings.listeners.len(),
        plan.providers.len(),
        plan.models.len(),
        plan.routes.len(),
        plan.instances.len()
    );
    if !plan.authenticate.is_empty() {
        text.push_str(&format!("\n  authenticate [{}]", listed(&plan.authenticate)));
    }
    for route in &plan.routes {
        text.push_str(&format!("\n  route {}", chains(route)));
    }
    text
}

fn chains(route: &RoutePlan) -> String {
    let chains = [
        ("limit", &route.limit),
        ("request", &route.request),
        ("response", &route.response),
        ("sinks", &route.sinks),
    ];
    let used = chains.iter().filter(|(_, instances)| !instances.is_empty());
    let shown: Vec<String> =
        used.map(|(name, instances)| format!("{name} [{}]", listed(instances))).collect();
    let shown = if shown.is_empty() { "no instances".to_owned() } else { shown.join(", ") };
    format!("{}: {shown}", route.name)
}

fn listed(instances: &[InstanceId]) -> String {
    instances.iter().map(InstanceId::as_str).collect::<Vec<_>>().join(", ")
}
