//! The extension instances in use, for the admin listener.

use gatewright::registry::Registry;
use gatewright_pipeline::Snapshot;
use gatewright_policy::{InstancePlan, RunMode};
use gatewright_server::admin::InstanceReport;

use super::Unready;
use crate::build_info::BuildInfo;

/// A mode's name in the configuration.
pub(crate) const fn mode(mode: RunMode) -> &'static str {
    match mode {
        RunMode::Enforce => "enforce",
        RunMode::Shadow => "shadow",
        RunMode::Off => "off",
    }
}

/// All instances of a snapshot, those that are switched off and the adapters of providers included, sorted by id.
pub(super) fn report(
    snapshot: &Snapshot,
    registry: &Registry,
    info: &BuildInfo,
    unready: &[Unready],
) -> Vec<InstanceReport> {
    let is_configured = |id: &gatewright::InstanceId| snapshot.plan.instance(id).is_some();
    let adapters = snapshot.hooks.values().filter(|hooked| !is_configured(&hooked.id)).map(|hooked| {
        let plan = InstancePlan::new(hooked.id.clone(), hooked.instance.extension, serde_json::Value::Null);
        one(&plan, (snapshot, unready), registry, info)
    });
    let configured =
        snapshot.plan.instances.iter().map(|plan| one(plan, (snapshot, unready), registry, info));
    let mut reports: Vec<_> = configured.chain(adapters).collect();
    reports.sort_by(|one, two| one.instance.cmp(&two.instance));
    reports
}

fn one(
    plan: &InstancePlan,
    (snapshot, unready): (&Snapshot, &[Unready]),
    registry: &Registry,
    info: &BuildInfo,
) -> InstanceReport {
    let known = registry.get(&plan.extension);
    let origin = known.map(|known| info.origin(known.package)).unwrap_or_default();
    InstanceReport {
        instance: plan.id.to_string(),
        extension: plan.extension.to_string(),
        package: known.map_or("", |known| known.package),
        version: known.map_or("", |known| known.version),
        points: known.into_iter().flat_map(|known| known.points).map(|point| point.as_str()).collect(),
        mode: mode(plan.mode),
        out_of_service: out_of_service(plan, snapshot, unready),
        source: origin.source,
        digest: origin.digest,
    }
}

/// Why an instance that runs does not serve.
fn out_of_service(plan: &InstancePlan, snapshot: &Snapshot, unready: &[Unready]) -> Option<String> {
    let gate = &snapshot.hooks.get(&plan.id)?.gate;
    if let Some(hook) = gate.stuck_in() {
        return Some(format!("its {} hook does not return", hook.as_str()));
    }
    let why = gate.out_of_service().map(|why| why.text().to_owned());
    let is_unready = unready.iter().any(|one| one.id == plan.id);
    why.or_else(|| is_unready.then(|| "it says that it is not ready".to_owned()))
}
