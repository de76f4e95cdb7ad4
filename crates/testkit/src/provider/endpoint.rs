//! The endpoints of the simulated provider: which there are, and what each answers to a request.

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;

use super::behaviour::Behaviour;
use super::chat::{self, Envelope};
use super::refusal::Refused;
use super::reply::Reply;
use super::script::Script;
use super::{
    cohere, completion, converse, embedding, form, google, judgement, messages, ollama, plan, responses,
};

/// An endpoint that takes a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Endpoint {
    Chat,
    Completion,
    Embedding,
    Responses,
    Messages,
    CountTokens,
    Moderation,
    Image,
    Rerank,
    Speech,
    ImageEdit,
    ImageVariation,
    Transcription,
    Translation,
    Cohere,
    Ollama,
}

impl Endpoint {
    /// Whether its requests are forms.
    pub(super) fn takes_forms(self) -> bool {
        matches!(self, Self::ImageEdit | Self::ImageVariation | Self::Transcription | Self::Translation)
    }

    pub(super) fn id_prefix(self) -> &'static str {
        match self {
            Self::Chat => "chatcmpl",
            Self::Completion => "cmpl",
            Self::Embedding => "embd",
            Self::Responses => "resp",
            Self::Messages | Self::CountTokens => "msg",
            Self::Moderation => "modr",
            Self::Image | Self::ImageEdit | Self::ImageVariation => "img",
            Self::Rerank => "rerank",
            Self::Speech => "speech",
            Self::Transcription | Self::Translation => "transcript",
            Self::Cohere | Self::Ollama => "sim",
        }
    }
}

/// What a method and a path ask for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    Post(Endpoint),
    Models,
    Model(&'a str),
    Google(&'a str, google::Call),
    Converse(&'a str, converse::Call),
}

/// What an answer takes from elsewhere than the request.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) id: String,
    /// Seconds since 1970.
    pub(super) created: u64,
    /// Content events per second, where the model name does not say.
    pub(super) rate: f64,
    /// The prompt tokens, where they are not to be counted.
    pub(super) prompt_tokens: Option<u64>,
}

/// Finds the endpoint of a request.
pub(super) fn route<'a>(method: &Method, path: &'a str) -> Result<Route<'a>, Refused> {
    if let Some((model, call)) = google::route(path) {
        let call = call.ok_or_else(|| Refused::unknown_url(method.as_str(), path))?;
        let is_post = *method == Method::POST;
        return is_post
            .then_some(Route::Google(model, call))
            .ok_or_else(|| Refused::wrong_method(method.as_str(), path));
    }
    if let Some((model, call)) = converse::route(path) {
        let call = call.ok_or_else(|| Refused::unknown_url(method.as_str(), path))?;
        let is_post = *method == Method::POST;
        return is_post
            .then_some(Route::Converse(model, call))
            .ok_or_else(|| Refused::wrong_method(method.as_str(), path));
    }
    let (route, expected) = match path {
        "/v1/chat/completions" => (Route::Post(Endpoint::Chat), Method::POST),
        "/v1/completions" => (Route::Post(Endpoint::Completion), Method::POST),
        "/v1/embeddings" => (Route::Post(Endpoint::Embedding), Method::POST),
        "/v1/responses" => (Route::Post(Endpoint::Responses), Method::POST),
        "/v1/messages" => (Route::Post(Endpoint::Messages), Method::POST),
        "/v1/messages/count_tokens" => (Route::Post(Endpoint::CountTokens), Method::POST),
        "/v1/moderations" => (Route::Post(Endpoint::Moderation), Method::POST),
        "/v1/images/generations" => (Route::Post(Endpoint::Image), Method::POST),
        "/v1/rerank" | "/v2/rerank" => (Route::Post(Endpoint::Rerank), Method::POST),
        "/v1/audio/speech" => (Route::Post(Endpoint::Speech), Method::POST),
        "/v1/images/edits" => (Route::Post(Endpoint::ImageEdit), Method::POST),
        "/v1/images/variations" => (Route::Post(Endpoint::ImageVariation), Method::POST),
        "/v1/audio/transcriptions" => (Route::Post(Endpoint::Transcription), Method::POST),
        "/v1/audio/translations" => (Route::Post(Endpoint::Translation), Method::POST),
        cohere::PATH => (Route::Post(Endpoint::Cohere), Method::POST),
        ollama::PATH => (Route::Post(Endpoint::Ollama), Method::POST),
        "/v1/models" => (Route::Models, Method::GET),
        _ => match path.strip_prefix("/v1/models/") {
            Some(id) => (Route::Model(id), Method::GET),
            None => return Err(Refused::unknown_url(method.as_str(), path)),
        },
    };
    if *method == expected { Ok(route) } else { Err(Refused::wrong_method(method.as_str(), path)) }
}

/// Reads a request body; the fields that every endpoint needs must be there.
pub(super) fn parse(endpoint: Endpoint, head: &HeaderMap, body: &Bytes) -> Result<Value, Refused> {
    let request: Value = if endpoint.takes_forms() {
        form::parse(head, body)?
    } else {
        serde_json::from_slice(body).map_err(|cause| Refused::malformed_json(&cause))?
    };
    if !request["model"].is_string() {
        return Err(Refused::parameter("model", "you must provide a model parameter"));
    }
    let messages = &request["messages"];
    if endpoint == Endpoint::Chat && messages.as_array().is_none_or(Vec::is_empty) {
        return Err(Refused::parameter("messages", "Missing required parameter: 'messages'."));
    }
    if endpoint == Endpoint::Completion && request["prompt"].is_null() {
        return Err(Refused::parameter("prompt", "Missing required parameter: 'prompt'."));
    }
    Ok(request)
}

/// Answers a request that is in order.
pub(super) fn answer(
    endpoint: Endpoint,
    request: &Value,
    behaviour: &Behaviour,
    facts: &Facts,
) -> Result<Script, Refused> {
    let rate = behaviour.pace.events_per_second.unwrap_or(facts.rate);
    let envelope = Envelope::new(request, facts.id.clone(), facts.created);
    let streamed = request["stream"] == Value::Bool(true);
    let reply = match endpoint {
        Endpoint::Chat => Reply::to_chat(request, behaviour),
        Endpoint::Completion => Reply::to_completion(request, behaviour),
        Endpoint::Responses => return responses::answer(request, behaviour, facts),
        Endpoint::Messages => return messages::answer(request, behaviour, facts),
        Endpoint::CountTokens => return messages::count(request),
        Endpoint::Speech => return judgement::speak(request),
        Endpoint::ImageEdit | Endpoint::ImageVariation | Endpoint::Transcription | Endpoint::Translation => {
            return form::answer(endpoint, request, behaviour, facts);
        }
        Endpoint::Cohere => return cohere::answer(request, behaviour, facts),
        Endpoint::Ollama => return ollama::answer(request, behaviour, facts),
        Endpoint::Embedding | Endpoint::Moderation | Endpoint::Image | Endpoint::Rerank => {
            let (object, prompt_tokens) = match endpoint {
                Endpoint::Moderation => (judgement::moderate(request, facts)?, 0),
                Endpoint::Image => judgement::draw(request, facts)?,
                Endpoint::Rerank => judgement::rerank(request)?,
                _ => embedding::answer(request)?,
            };
            let made = object["usage"]["output_tokens"].as_u64().unwrap_or(0);
            let mut script = plan::whole(&Bytes::from(object.to_string()), made, behaviour, rate);
            script.prompt_tokens = facts.prompt_tokens.unwrap_or(prompt_tokens);
            return Ok(script);
        }
    };
    let reply = Reply { prompt_tokens: facts.prompt_tokens.unwrap_or(reply.prompt_tokens), ..reply };
    let mut script = if streamed {
        let events = match endpoint {
            Endpoint::Completion => completion::events(&reply, &envelope, behaviour),
            _ => chat::events(&reply, &envelope, behaviour),
        };
        plan::stream(events, behaviour, rate)
    } else {
        let object = match endpoint {
            Endpoint::Completion => completion::whole(&reply, &envelope, request, behaviour),
            _ => chat::whole(&reply, &envelope, behaviour),
        };
        plan::whole(&Bytes::from(object.to_string()), reply.completion_tokens(), behaviour, rate)
    };
    script.stagger = behaviour.pace.stagger.then(|| plan::interval(rate));
    script.prompt_tokens = reply.prompt_tokens;
    Ok(script)
}
