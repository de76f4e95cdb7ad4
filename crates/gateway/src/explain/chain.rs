//! What a route runs: each instance with its policies, and how filters want to see a sample answer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright::dialect::{Dialect, Operation};
use gatewright::registry::{Instance, Registry};
use gatewright::text::HoldBack;
use gatewright::{
    FilterPlan, InstanceId, LimitPhase, ModelName, Principal, RequestCx, RequestFacts, RequestId,
    ResponseHead, RouteName, TransformPhase,
};
use gatewright_pipeline::{Hook, Hooked, OnFailures, Snapshot};
use gatewright_policy::{Circuit, InstancePlan, RoutePlan};
use gatewright_server::CALLS;
use http::{HeaderMap, StatusCode};

use super::model::{ModelView, Sample};
use crate::admin::mode;
use crate::instances::Instances;

/// A generation, and who asks about it.
pub(super) struct Subject<'a> {
    pub(super) registry: &'a Registry,
    pub(super) snapshot: &'a Snapshot,
    /// The plans of all instances, those of adapters included.
    pub(super) plans: &'a [InstancePlan],
    pub(super) instances: &'a Instances,
    pub(super) principal: Arc<Principal>,
    /// The model that is asked about; all of a route where none is.
    pub(super) model: Option<&'a str>,
}

/// A route.
pub(super) struct RouteView {
    pub(super) name: RouteName,
    /// Pattern of path, tenant and model.
    pub(super) matches: [String; 3],
    pub(super) chains: Vec<ChainView>,
    /// What its filters together hold back of a streamed answer.
    pub(super) held: Held,
    pub(super) models: Vec<ModelView>,
}

/// The instances at one place of the configuration, in order.
pub(super) struct ChainView {
    pub(super) name: &'static str,
    /// What names it: the process, the route, or its models.
    pub(super) of: &'static str,
    pub(super) instances: Vec<InstanceView>,
}

/// An instance and its policies.
pub(super) struct InstanceView {
    pub(super) id: InstanceId,
    pub(super) extension: String,
    pub(super) version: &'static str,
    pub(super) mode: &'static str,
    /// When it is asked, at the points that have a choice.
    pub(super) phase: Option<&'static str>,
    /// How it wants to see a streamed and a whole answer.
    pub(super) plans: Option<[PlanView; 2]>,
    pub(super) deadline: Duration,
    pub(super) in_flight_max: u32,
    pub(super) circuit: Circuit,
    pub(super) stall: Duration,
    pub(super) isolate: bool,
    pub(super) egress: Vec<Arc<str>>,
    /// `None` for one that is switched off.
    pub(super) on: Option<OnFailures>,
}

/// How a filter wants to see an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PlanView {
    Skip,
    Observe,
    Events,
    Text {
        reach: usize,
        held_max: usize,
    },
    Patterns {
        longest_match: usize,
        held_max: usize,
    },
    Whole {
        bytes_max: usize,
    },
    /// It panicked at the question.
    Failed(String),
}

/// What filters hold back of a stream, in bytes of one lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// At any moment.
    pub(super) always: usize,
    /// At most.
    pub(super) at_most: usize,
    /// A filter collects the whole answer first.
    pub(super) whole: bool,
}

impl Held {
    fn add(&mut self, plan: &PlanView) {
        match plan {
            PlanView::Skip | PlanView::Observe | PlanView::Events | PlanView::Failed(_) => {}
            PlanView::Text { reach, held_max } => {
                self.always = self.always.saturating_add(*reach);
                self.at_most = self.at_most.saturating_add(*held_max);
            }
            PlanView::Patterns { held_max, .. } => self.at_most = self.at_most.saturating_add(*held_max),
            PlanView::Whole { .. } => self.whole = true,
        }
    }
}

impl PlanView {
    pub(super) fn of(plan: &FilterPlan) -> Self {
        let bound = |hold: &HoldBack| hold.max_bytes.max(hold.bytes);
        match plan {
            FilterPlan::Observe => Self::Observe,
            FilterPlan::Events => Self::Events,
            FilterPlan::Text(hold) => Self::Text { reach: hold.bytes, held_max: bound(hold) },
            FilterPlan::Patterns(patterns) => Self::Patterns {
                longest_match: patterns.longest_match(),
                held_max: bound(&patterns.hold_back()),
            },
            FilterPlan::Whole { max_bytes } => Self::Whole { bytes_max: *max_bytes },
            // A plan that this host does not know keeps the filter out of the chain.
            _ => Self::Skip,
        }
    }

    /// Its name.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Observe => "observe",
            Self::Events => "events",
            Self::Text { .. } => "text",
            Self::Patterns { .. } => "patterns",
            Self::Whole { .. } => "whole",
            Self::Failed(_) => "failed",
        }
    }
}

impl Subject<'_> {
    /// A route with everything that it runs.
    pub(super) fn route(&self, route: &RoutePlan) -> RouteView {
        let plan = &self.snapshot.plan;
        let models = self.models(route);
        let sample = models.first().map(|model| model.sample.clone()).unwrap_or_default();
        let chain = |name, hook, of, ids: &[InstanceId]| ChainView {
            name,
            of,
            instances: ids.iter().map(|id| self.instance(id, hook, route, &sample)).collect(),
        };
        let named = |name: fn(&ModelView) -> Vec<InstanceId>| {
            let ids: BTreeSet<InstanceId> = models.iter().flat_map(name).collect();
            ids.into_iter().collect::<Vec<_>>()
        };
        let chains = vec![
            chain("authenticate", Hook::Authenticate, "process", &plan.authenticate),
            chain("limit", Hook::Reserve, "route", &route.limit),
            chain("request", Hook::Request, "route", &route.request),
            chain(
                "estimator",
                Hook::Estimate,
                "models",
                &named(|model| model.estimator.iter().cloned().collect()),
            ),
            chain("picker", Hook::Pick, "models", &named(|model| model.picker.iter().cloned().collect())),
            chain("credential", Hook::Credential, "models", &named(ModelView::credentials)),
            chain("response", Hook::Open, "route", &route.response),
            chain("sinks", Hook::Deliver, "route", &route.sinks),
            chain("audit", Hook::Audit, "process", &plan.audit),
        ];
        let mut held = Held::default();
        let filters = chains.iter().flat_map(|chain| &chain.instances);
        // One that only watches holds back a copy.
        for [streamed, _] in
            filters.filter(|filter| filter.mode == "enforce").filter_map(|filter| filter.plans.as_ref())
        {
            held.add(streamed);
        }
        let matcher = &route.matcher;
        RouteView {
            name: route.name.clone(),
            matches: [&matcher.path, &matcher.tenant, &matcher.model].map(ToString::to_string),
            chains,
            held,
            models,
        }
    }

    /// An instance at one of the places of a route.
    pub(super) fn instance(
        &self,
        id: &InstanceId,
        hook: Hook,
        route: &RoutePlan,
        sample: &Sample,
    ) -> InstanceView {
        let unknown;
        let plan = match self.plans.iter().find(|plan| plan.id == *id) {
            Some(plan) => plan,
            None => {
                unknown = InstancePlan::new(id.clone(), "", serde_json::Value::Null);
                &unknown
            }
        };
        let hooked = self.snapshot.hooks.get(id);
        let instance = self.instances.get(id).map(|living| living.instance());
        let plans = hooked
            .filter(|_| hook == Hook::Open)
            .map(|hooked| [true, false].map(|streams| self.filter_plan(hooked, route, sample, streams)));
        InstanceView {
            id: id.clone(),
            extension: plan.extension.to_string(),
            version: self.registry.get(&plan.extension).map_or("", |known| known.version),
            mode: mode(plan.mode),
            phase: instance.and_then(|instance| phase(instance, hook)),
            plans,
            deadline: plan.deadline,
            in_flight_max: plan.in_flight_max,
            circuit: plan.circuit,
            stall: plan.stall,
            isolate: plan.isolate,
            egress: plan.egress.clone(),
            on: hooked.map(|hooked| hooked.on_failures(hook)),
        }
    }

    /// How a filter wants to see an ordinary answer.
    fn filter_plan(&self, hooked: &Hooked, route: &RoutePlan, sample: &Sample, streams: bool) -> PlanView {
        let call = CALLS.iter().find(|call| route.matcher.path.matches(call.path));
        let asked = call.map(|call| (call.dialect, call.operation));
        let (dialect, operation) = asked.unwrap_or((Dialect::OpenAiChat, Operation::Chat));
        let mut cx = RequestCx::new(RequestFacts {
            id: RequestId::new(0, 0),
            principal: Arc::clone(&self.principal),
            route: route.name.clone(),
            model: ModelName::new(&sample.asked),
            dialect,
            operation,
            streams,
            received: Instant::now(),
            client_headers: Arc::new(HeaderMap::new()),
        });
        cx.tags.extend_from(&self.principal.tags);
        let head = ResponseHead {
            status: StatusCode::OK,
            dialect,
            operation,
            streams,
            provider: sample.provider.as_str().into(),
            model: Arc::clone(&sample.served),
        };
        match hooked.filter_plan(&head, &cx) {
            Ok(plan) => PlanView::of(&plan),
            Err(fault) => PlanView::Failed(fault.to_string()),
        }
    }
}

fn phase(instance: &Instance, hook: Hook) -> Option<&'static str> {
    match hook {
        Hook::Reserve => instance.limiter.as_ref().map(|limiter| match limiter.phase() {
            LimitPhase::Arrival => "arrival",
            LimitPhase::Spend => "spend",
        }),
        Hook::Request => instance.request.as_ref().map(|transform| match transform.phase() {
            TransformPhase::Client => "client",
            TransformPhase::Attempt => "attempt",
        }),
        _ => None,
    }
}
