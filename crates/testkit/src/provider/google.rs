//! The face of the simulated provider that speaks Google's `generateContent`.
//!
//! A request is put into the words of the first face, whose model answers it; the answer is put into this dialect's.
//! What the public service refuses is refused: calls without results, results in another number, arguments that are no
//! object, signatures that it did not make.

mod answer;
mod request;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde_json::{Value, json};

use super::behaviour::{Behaviour, Refusal};
use super::embedding;
use super::endpoint::Facts;
use super::plan::{self, Forms};
use super::refusal::Refused;
use super::reply::Reply;
use super::script::Script;
use super::tokens::count_chat_prompt;

/// Where the paths of this face begin.
const ROOT: &str = "/v1beta/models/";

/// Where they begin in the other version, which the first face has the same paths in.
const SHARED_ROOT: &str = "/v1/models/";

/// The proof on what the simulated model said while it reasoned.
const SIGNATURE: &str = "c2ltdWxhdGVkLXByb29m";

/// What stands in the place of a proof in a history that another model wrote.
const UNSIGNED: &str = "skip_thought_signature_validator";

static FORMS: Forms = Forms {
    error_event: |code| {
        error_object(StatusCode::INTERNAL_SERVER_ERROR, code, "An internal error has occurred.")
    },
    text: (r#"{"candidates":[{"index":0,"content":{"parts":[{"text":""#, r#""}]}}]}"#),
    malformed: r#"{"candidates":[{"index":0,"content":"#,
    framing: &plan::LINES,
};

/// A call of this face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Generate,
    Stream,
    CountTokens,
    Embed,
    EmbedBatch,
}

/// The model, as it stands in the path, and the call; none if the path is not of this face.
pub(super) fn route(path: &str) -> Option<(&str, Option<Call>)> {
    let own = path.strip_prefix(ROOT);
    let (model, method) = own.or_else(|| path.strip_prefix(SHARED_ROOT))?.rsplit_once(':')?;
    let call = match method {
        "generateContent" => Some(Call::Generate),
        "streamGenerateContent" => Some(Call::Stream),
        "countTokens" => Some(Call::CountTokens),
        "embedContent" => Some(Call::Embed),
        "batchEmbedContents" => Some(Call::EmbedBatch),
        _ => None,
    };
    (own.is_some() || call.is_some()).then_some((model, call))
}

/// Whether a path is of this face, whatever it asks for.
pub(super) fn is_path(path: &str) -> bool {
    path.starts_with("/v1beta/") || route(path).is_some()
}

/// The name that a model has in a path.
pub(super) fn model(encoded: &str) -> String {
    // A plus is itself in a path.
    super::query::decode(&encoded.replace('+', "%2B"))
}

/// Answers a request: as the events of a stream if its query asks for them, as one array if it does not.
pub(super) fn answer(
    (call, query): (Call, Option<&str>),
    body: &[u8],
    model: &str,
    behaviour: &Behaviour,
    facts: &Facts,
) -> Result<Script, Refused> {
    let body: Value = serde_json::from_slice(body).map_err(|cause| Refused::malformed_json(&cause))?;
    if matches!(call, Call::Embed | Call::EmbedBatch) {
        return embedding::contents(&body, call == Call::EmbedBatch).map(|answer| Script::json(&answer));
    }
    let request = request::read(body.get("generateContentRequest").unwrap_or(&body))?;
    if call == Call::CountTokens {
        let tokens = count_chat_prompt(&request);
        let details = json!([{"modality": "TEXT", "tokenCount": tokens}]);
        return Ok(Script::json(&json!({"totalTokens": tokens, "promptTokensDetails": details})));
    }
    let rate = behaviour.pace.events_per_second.unwrap_or(facts.rate);
    let reply = Reply::to_chat(&request, behaviour);
    let envelope = answer::Envelope { id: &facts.id, model };
    let has_events = query.is_some_and(|query| query.split('&').any(|pair| pair == "alt=sse"));
    let mut script = match call {
        Call::Stream if has_events => {
            // The dialect has no terminator.
            let behaviour = Behaviour { done: false, ..behaviour.clone() };
            plan::stream_as(&FORMS, answer::events(&reply, &envelope, &behaviour), &behaviour, rate)
        }
        Call::Stream => {
            let array = json!(answer::elements(&reply, &envelope, behaviour)).to_string();
            plan::whole(&Bytes::from(array), reply.completion_tokens(), behaviour, rate)
        }
        Call::Generate | Call::CountTokens | Call::Embed | Call::EmbedBatch => {
            let object = answer::whole(&reply, &envelope, behaviour).to_string();
            plan::whole(&Bytes::from(object), reply.completion_tokens(), behaviour, rate)
        }
    };
    script.stagger = behaviour.pace.stagger.then(|| plan::interval(rate));
    script.prompt_tokens = reply.prompt_tokens;
    Ok(script)
}

/// A refusal in the shape of this face.
pub(super) fn refused(refused: &Refused) -> Script {
    let object = error_object(refused.status(), refused.code(), refused.message());
    Script::whole(refused.status(), "application/json", Bytes::from(object.to_string()))
}

/// The refusal that a model name asked for; `general` is how the first face says it.
pub(super) fn asked_for(refusal: &Refusal, general: Script) -> Script {
    if refusal.html {
        return general;
    }
    let mut object = error_object(
        general.status,
        refusal.code.as_deref(),
        &format!("The simulated provider answers {}.", general.status),
    );
    if let Some(wait) = refusal.retry_after.as_deref().filter(|wait| wait.parse::<f64>().is_ok()) {
        object["error"]["details"] =
            json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{wait}s")}]);
    }
    let script = Script::whole(general.status, "application/json", Bytes::from(object.to_string()));
    match general.headers.get(RETRY_AFTER) {
        Some(value) => script.with_header(RETRY_AFTER, value.clone()),
        None => script,
    }
}

fn error_object(status: StatusCode, code: Option<&str>, message: &str) -> Value {
    let usual = match status.as_u16() {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        400..=499 => "INVALID_ARGUMENT",
        _ => "INTERNAL",
    };
    let word = code.filter(|code| code.chars().all(|char| char.is_ascii_uppercase() || char == '_'));
    let mut object =
        json!({"error": {"code": status.as_u16(), "message": message, "status": word.unwrap_or(usual)}});
    if let (Some(reason), None) = (code, word) {
        object["error"]["details"] =
            json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]);
    }
    object
}
