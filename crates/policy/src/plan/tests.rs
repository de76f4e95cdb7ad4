use super::{AnswerModel, ModelPlan, Plan, RouteMatch, RoutePlan, Strategy, TenantPlan};
use crate::Pattern;
use gatewright::{ModelName, Principal, TenantId};
use std::sync::Arc;

fn route(name: &str, path: &str, tenant: &str, model: &str) -> Arc<RoutePlan> {
    Arc::new(RoutePlan {
        name: name.into(),
        matcher: RouteMatch {
            path: Pattern::new(path),
            tenant: Pattern::new(tenant),
            model: Pattern::new(model),
        },
        limit: Vec::new(),
        request: Vec::new(),
        response: Vec::new(),
        sinks: Vec::new(),
    })
}

fn plan_with_models(names: &[&str]) -> Plan {
    let models = names.iter().map(|&name| {
        let name = ModelName::new(name);
        let model = ModelPlan {
            name: name.clone(),
            targets: Vec::new(),
            strategy: Strategy::First,
            picker: None,
            estimator: None,
            answer_model: AnswerModel::Served,
            strict: false,
            description: None,
        };
        (name, Arc::new(model))
    });
    Plan { models: models.collect(), ..Plan::default() }
}

#[test]
fn the_first_matching_route_serves() {
    let plan = Plan {
        routes: vec![
            route("acme-mini", "/v1/*", "acme", "*-mini"),
            route("acme", "/v1/*", "acme", "*"),
            route("chat", "/v1/chat/completions", "*", "*"),
        ],
        ..Plan::default()
    };
    let acme = TenantId::new("acme");
    let other = TenantId::new("other");
    let table = [
        ("/v1/chat/completions", &acme, Some("gpt-4o-mini"), Some("acme-mini")),
        ("/v1/chat/completions", &acme, Some("gpt-4o"), Some("acme")),
        ("/v1/models", &acme, None, Some("acme")),
        ("/v1/chat/completions", &other, Some("gpt-4o"), Some("chat")),
        ("/v1/embeddings", &other, Some("gpt-4o"), None),
    ];
    for (path, tenant, model, expected) in table {
        let found = plan.route(path, tenant, model).map(|route| route.name.as_str());
        assert_eq!(found, expected, "{path} {tenant} {model:?}");
    }
}

#[test]
fn lists_the_models_that_key_and_tenant_both_admit() {
    let mut plan = plan_with_models(&["gpt-4o-mini", "gpt-4o", "claude"]);
    let acme = TenantId::new("acme");
    let mini_only = TenantPlan { models: vec![Pattern::new("gpt-*")], ..TenantPlan::default() };
    plan.tenants.insert(acme.clone(), mini_only);

    let caller = Principal::new(acme, "ann");
    let names: Vec<_> = plan.allowed_models(&caller).iter().map(|model| model.name.to_string()).collect();
    assert_eq!(names, ["gpt-4o", "gpt-4o-mini"]);

    let mut narrow = caller;
    narrow.models = vec!["claude".into(), "gpt-4o".into()];
    let names: Vec<_> = plan.allowed_models(&narrow).iter().map(|model| model.name.to_string()).collect();
    assert_eq!(names, ["gpt-4o"]);
    assert!(!plan.may_use(&narrow, &ModelName::new("claude")));
}

#[test]
fn a_tenant_without_settings_gets_the_defaults() {
    let plan = Plan {
        tenant_defaults: TenantPlan { body_bytes_max: Some(7), ..TenantPlan::default() },
        ..Plan::default()
    };
    assert_eq!(plan.tenant(&TenantId::new("unheard-of")).body_bytes_max, Some(7));
}
