//! Which tenant, model, route and chain: read from the plan, never from the request alone.

use std::sync::Arc;

use gatewright::{
    AskHost, Failure, FailureKind, KEY_HEADERS, LlmRequest, ModelName, Principal, RequestCx, RequestFacts,
    Side,
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

    let Some(model) = plan.model(request.model()) else {
        course.facts.model_asked = Some(ModelName::new(clip(request.model())));
        return Err(unknown_model(&request).into());
    };
    course.facts.model_asked = Some(model.name.clone());
    if !plan.may_use(&principal, &model.name) {
        return Err(model_not_allowed(&request).into());
    }
    let is_strict = head
        .headers
        .get(STRICT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true") || value == "1");
    let path = head.uri.path().to_owned();
    let asked = (&request, model.name.clone(), Some(request.model()));
    let chains = route(course, (head, &path), &principal, asked)?;
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
