//! The call for one attempt: attempt transforms on a copy, then the provider's own dialect.

use std::sync::Arc;

use bytes::Bytes;
use gatewright::chat::{LossKind, Losses, Place};
use gatewright::dialect::{Abilities, Codec, Direct, Operation};
use gatewright::{
    Failure, FailureKind, LlmRequest, LlmResponse, ProviderRequest, ProviderTarget, Side, TransformPhase,
    UpstreamCall,
};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::course::Course;
use crate::direct;
use crate::failure::Refusal;
use crate::hook::Hook;
use crate::phase::{borrowed, transform, translate};
use crate::state::{Load, Picked, Reserved};

/// So many items of a caller's list are passed on.
const LIST_ITEMS_MAX: usize = 64;

/// A call, and the codec that reads its answer.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) call: UpstreamCall,
    pub(crate) codec: &'static dyn Codec,
}

/// Writes the call; a count of tokens that the provider cannot make in the caller's dialect is answered instead.
pub(crate) async fn encode(
    course: &mut Course,
    reserved: &Reserved,
    picked: &Picked,
) -> Result<Encoded, Refusal> {
    // The copy shares the client's bytes; only patches are duplicated.
    let mut request = reserved.0.request.clone();
    transform::run(course, &reserved.0.chains, TransformPhase::Attempt, &mut request).await?;
    if let Some(direct) = request.document().direct() {
        return Ok(verbatim(course, picked, direct, request.to_body()));
    }

    let counts = request.operation() == Operation::CountTokens;
    let (target, codec) = spoken(picked, &request);
    let Some(codec) = codec.filter(|codec| !counts || codec.dialect() == course.codec.dialect()) else {
        let otherwise = counts.then(|| counted(course, &reserved.0)).transpose()?;
        return Err(otherwise.unwrap_or_else(|| not_offered(picked, target.operation.as_str()).into()));
    };
    if !picked.provider.allows_stored_files {
        borrowed::refuse(course.codec, &request)?;
    }
    if request.model() != target.model {
        request.set_model(target.model);
    }
    let media_type = request.document().media_type().cloned();
    let streams = request.streams();
    let abilities = picked.provider.abilities(&target);
    if streams && abilities.has_stream_options {
        request.document_mut().require_stream_usage();
    }
    let principal = Arc::clone(course.cx().principal());
    if course.keeping.is_some() && codec.dialect() == course.codec.dialect() {
        ask_for_seals(codec, &mut request, &abilities)?;
    }
    let (body, mut losses) = translate::request(
        (course.codec, codec),
        (request, reserved.0.is_strict()),
        &abilities,
        (&*course.worker.vault, &principal.tenant),
    )?;
    if !losses.is_empty() {
        tracing::debug!(id = %course.id, provider = %picked.provider.name, ?losses, "Translation lost something");
    }
    losses.splice(0..0, course.facts.lost_before.iter().cloned());
    course.facts.losses = losses;

    let encoded = ProviderRequest {
        model: target.model,
        operation: codec.operation(),
        dialect: codec.dialect(),
        streams,
        body: &body,
    };
    let adapter = &picked.provider.adapter;
    let (worker, hooked) = (Arc::clone(&course.worker), Arc::clone(&picked.provider.hooked));
    let called = hooked.call_sync(&worker, Hook::Encode, || Ok(adapter.encode(&encoded)));
    let Some(encoded) = course.heed(&hooked, Hook::Encode, called)? else {
        return Err(Failure::internal("a provider adapter cannot be left out").into());
    };
    let mut call = encoded?;
    if let Some(media_type) = media_type {
        call.headers.insert(CONTENT_TYPE, media_type);
    }
    add_own(course, picked, &mut call.headers);
    if codec.dialect() == course.codec.dialect() {
        let passes = picked.provider.passes();
        passes.iter().for_each(|name| join(name, course.cx().client_headers(), &mut call.headers));
    }
    Ok(Encoded { call, codec })
}

/// Has the answer hold what the next turn needs, where it is kept.
fn ask_for_seals(codec: &dyn Codec, request: &mut LlmRequest, abilities: &Abilities) -> Result<(), Failure> {
    let Some(state) = codec.state() else { return Ok(()) };
    let asked = state.ask_for_seals(request.document_mut(), abilities);
    asked.map_err(|error| Failure::internal(error.to_string()))
}

/// What the provider is asked for, and the codec of the dialect in which it is asked; none where it has none for that.
fn spoken<'a>(picked: &'a Picked, request: &LlmRequest) -> (ProviderTarget<'a>, Option<&'static dyn Codec>) {
    let mut target = ProviderTarget {
        model: &picked.target.model,
        operation: request.operation(),
        dialect: request.dialect(),
    };
    let codec = picked.provider.codec(&target);
    if codec.is_some() || target.operation != Operation::Completion {
        return (target, codec);
    }
    // A prompt can be said to a model that chats.
    target.operation = Operation::Chat;
    let codec = picked.provider.codec(&target);
    (target, codec)
}

/// What operator and extensions add to a call. It wins over what is there.
fn add_own(course: &mut Course, picked: &Picked, headers: &mut HeaderMap) {
    for (name, value) in picked.provider.headers.iter().chain(&course.cx().upstream_headers) {
        headers.insert(name.clone(), value.clone());
    }
}

/// The call that the caller addressed at the provider. The adapter has no part in it but for the credential.
fn verbatim(course: &mut Course, picked: &Picked, direct: &Direct, body: Bytes) -> Encoded {
    let mut headers = direct::outward(course.cx().client_headers());
    add_own(course, picked, &mut headers);
    let (method, path) = (direct.method.clone(), direct.path.to_string().into());
    Encoded { call: UpstreamCall { method, path, headers, body }, codec: course.codec }
}

/// A count of tokens by the gateway's own measure: the model's estimator, or else a rough one. That it is no more than
/// that is told as a loss.
fn counted(course: &mut Course, load: &Load) -> Result<Refusal, Failure> {
    let tokens = course.estimate.map_or_else(
        || load.request.document().estimate_input_tokens(),
        |estimate| estimate.usage.prompt_tokens(),
    );
    let whole = |_: &Place<'_>| "/".to_owned();
    let mut losses = Losses::new(load.is_strict(), &whole);
    losses.report(&Place::Pointer("".into()), LossKind::Emulated)?;
    course.facts.losses = losses.into_found();
    let body = course.codec.counted(tokens);
    let body = body.ok_or_else(|| Failure::internal("the caller's dialect has no counts of tokens"))?;
    let answer = LlmResponse::new(course.codec.decode_answer(body)?);
    Ok(Refusal::Answered(Box::new(answer)))
}

/// Adds the items of a caller's lists to those that the call has already, each once.
fn join(name: &HeaderName, from: &HeaderMap, to: &mut HeaderMap) {
    if !from.contains_key(name) {
        return;
    }
    let lists = to.get_all(name).iter().chain(from.get_all(name)).filter_map(|list| list.to_str().ok());
    let mut items: Vec<&str> = Vec::new();
    for item in lists.flat_map(|list| list.split(',')).map(str::trim) {
        if !item.is_empty() && !items.contains(&item) && items.len() < LIST_ITEMS_MAX {
            items.push(item);
        }
    }
    if let Ok(joined) = HeaderValue::try_from(items.join(",")) {
        to.insert(name.clone(), joined);
    }
}

fn not_offered(picked: &Picked, operation: &str) -> Failure {
    let text = format!("the provider `{}` does not take {operation} requests", picked.provider.name);
    Failure { param: Some("model".into()), ..Failure::new(Side::Client, FailureKind::Unsupported, text) }
}
