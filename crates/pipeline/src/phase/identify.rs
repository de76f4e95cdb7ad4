//! Which tenant, model, route and chain: read from the plan, never from the request alone.

use std::sync::Arc;

use gatewright::dialect::Direct;
use gatewright::{
    AskHost, Failure, FailureKind, KEY_HEADERS, LlmRequest, ModelName, Principal, RequestCx, RequestFacts,
    RouteName, Side,
};
use http::{HeaderMap, header, request};

use crate::context::Context;
use crate::course::Course;
use crate::failure::Refusal;
use crate::rehearsal::NoModel;
use crate::snapshot::{Chains, Snapshot};
use crate::state::{Decoded, Load, Routed};
use crate::worker::Worker;

/// The header by which a caller has losses in translation refused.
const STRICT: &str = "x-gatewright-strict";

/// Finds model, route and chains, and makes the context that hooks share.
pub(crate) fn identify(course: &mut Course, decoded: Decoded) -> Result<Routed, Refusal> {
    let Decoded { head, principal, request } = decoded;
    let snapshot = Arc::clone(&course.snapshot);
    let plan = &snapshot.plan;

    let direct = request.document().direct();
    let (found, is_allowed) = match direct {
        Some(direct) => {
            let model = plan.direct(&direct.provider);
            (model, model.is_some_and(|model| plan.may_pass(&principal, &model.name)))
        }
        None => {
            let model = plan.model(request.model());
            (model, model.is_some_and(|model| plan.may_use(&principal, &model.name)))
        }
    };
    let Some(model) = found else {
        course.facts.model_asked = Some(ModelName::new(clip(request.model())));
        return Err(direct.map_or_else(|| unknown_model(&request), not_open).into());
    };
    course.facts.model_asked = Some(model.name.clone());
    if !is_allowed {
        return Err(direct.map_or_else(|| model_not_allowed(&request), may_not_pass).into());
    }
    let is_strict = head
        .headers
        .get(STRICT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true") || value == "1");
    let path = direct.map_or_else(|| head.uri.path().to_owned(), Direct::path_here);
    let asked = (&request, model.name.clone(), Some(request.model()));
    let chains = route(course, (head, &path), &principal, asked)?;
    if let Some(direct) = direct {
        sees_nothing(direct, course.facts.route.as_ref().map_or("", RouteName::as_str), &chains)?;
    }
    Ok(Routed(Load { request, model: Arc::clone(model), chains, is_strict }))
}

/// Finds the chains of a caller who is known, by path and tenant and the model that is `asked` for, and makes the context
/// that hooks share.
pub(crate) fn route(
    course: &mut Course,
    (head, path): (request::Parts, &str),
    principal: &Arc<Principal>,
    (request, model, asked): (&LlmRequest, ModelName, Option<&str>),
) -> Result<Arc<Chains>, Refusal> {
    let snapshot = Arc::clone(&course.snapshot);
    let Some(route) = snapshot.plan.route(path, &principal.tenant, asked) else {
        return Err(no_route(path).into());
    };
    course.facts.route = Some(route.name.clone());
    let chains = snapshot.chains.get(&route.name).cloned().unwrap_or_default();

    let mut cx = RequestCx::new(RequestFacts {
        id: course.id,
        principal: Arc::clone(principal),
        route: route.name.clone(),
        model,
        dialect: request.dialect(),
        operation: request.operation(),
        streams: request.streams(),
        received: course.received,
        client_headers: Arc::new(without_credentials(head.headers)),
    });
    cx.tags.extend_from(&principal.tags);
    let host: Arc<dyn AskHost> =
        if course.is_rehearsed() { Arc::new(NoModel) } else { Arc::<Worker>::clone(&course.worker) };
    cx.give_model_access(host, Arc::<Snapshot>::clone(&snapshot));
    course.cx = Context::new(cx);
    course.note_beginning();
    Ok(chains)
}

/// Hooks see the caller's headers, never the caller's credentials.
fn without_credentials(mut headers: HeaderMap) -> HeaderMap {
    for name in [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION] {
        headers.remove(name);
    }
    for name in KEY_HEADERS {
        headers.remove(name);
    }
    headers
}

/// No instance sees what passes through, so that a route whose instances must see it takes none.
fn sees_nothing(direct: &Direct, route: &str, chains: &Chains) -> Result<(), Failure> {
    let blind = chains.request.iter().chain(&chains.response).find(|hooked| !hooked.is_shadow);
    let Some(hooked) = blind else { return Ok(()) };
    let provider = clip(&direct.provider);
    let text = format!(
        "the route `{route}` has the instance `{}` look at what it takes, which it cannot do with calls that pass \
         through to `{provider}`; they need a route of their own",
        hooked.id
    );
    Err(Failure::new(Side::Client, FailureKind::Forbidden, text).with_code("passthrough_not_seen"))
}

fn not_open(direct: &Direct) -> Failure {
    let text = format!("no calls pass through to a provider `{}` here", clip(&direct.provider));
    Failure::new(Side::Client, FailureKind::NotFound, text).with_code("passthrough_not_open")
}

fn may_not_pass(direct: &Direct) -> Failure {
    let name = Direct::model(clip(&direct.provider));
    let text =
        format!("this key may not call the provider itself; it needs `{name}` among its models by name");
    Failure::new(Side::Client, FailureKind::Forbidden, text).with_code("passthrough_not_allowed")
}

/// A name that a caller invented goes into logs and labels only up to a bound.
fn clip(name: &str) -> &str {
    const MODEL_NAME_BYTES_MAX: usize = 128;
    name.get(..name.floor_char_boundary(MODEL_NAME_BYTES_MAX)).unwrap_or_default()
}

fn unknown_model(request: &LlmRequest) -> Failure {
    let name = clip(request.model());
    let text = format!("the model `{name}` does not exist; GET /v1/models lists what this key may use");
    with_model_param(Failure::new(Side::Client, FailureKind::ModelNotFound, text))
}

fn model_not_allowed(request: &LlmRequest) -> Failure {
    let name = clip(request.model());
    let text = format!("this key may not use the model `{name}`; GET /v1/models lists what it may use");
    with_model_param(Failure::new(Side::Client, FailureKind::Forbidden, text).with_code("model_not_allowed"))
}

fn with_model_param(failure: Failure) -> Failure {
    Failure { param: Some("model".into()), ..failure }
}

fn no_route(path: &str) -> Failure {
    let text = format!("no route of this gateway takes {} for this key and model", clip(path));
    Failure::new(Side::Client, FailureKind::NotFound, text).with_code("no_route")
}
