//! Items of the output, and the response around them, as the dialect writes them.

use std::borrow::Cow;

use gatewright::chat::Signature;
use gatewright::dialect::{Dialect, Envelope, Identity};
use gatewright::{FinishReason, RequestId, Usage};

use super::usage;
use crate::json::{ListWriter, ObjectWriter, Value};

/// What a response says around its output.
#[derive(Debug)]
pub(super) struct Head {
    /// What its ids are made of.
    digits: Box<str>,
    created: u64,
    model: Box<str>,
    /// There where the answer is kept.
    kept: Option<Identity>,
}

/// How far a response, or an item of it, has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    InProgress,
    Completed,
    Incomplete,
    Failed,
}

/// A part of a message.
#[derive(Debug)]
pub(super) struct MessagePart<'t> {
    pub(super) is_refusal: bool,
    pub(super) text: Cow<'t, str>,
}

impl Head {
    pub(super) fn new(envelope: &Envelope) -> Self {
        let digits = envelope.id.as_str().strip_prefix("req_").unwrap_or_default();
        let model = envelope.model.as_str().into();
        Self { digits: digits.into(), created: envelope.created, model, kept: None }
    }

    /// Of an answer that no exchange is known for.
    pub(super) fn unknown(model: &str) -> Self {
        let id = RequestId::new(0, 0);
        let digits = id.as_str().strip_prefix("req_").unwrap_or_default();
        Self { digits: digits.into(), created: 0, model: model.into(), kept: None }
    }

    /// One that has a name of its own.
    pub(super) fn identified(mut self, identity: &Identity) -> Self {
        self.digits = identity.id.strip_prefix("resp_").unwrap_or(&identity.id).into();
        self.kept = Some(identity.clone());
        self
    }

    /// The id of an item; `kind` is the beginning of ids of its kind.
    pub(super) fn item_id(&self, kind: &str, index: usize) -> String {
        format!("{kind}_{}_{index}", self.digits)
    }

    /// Writes a response; `output` has its items.
    pub(super) fn response(&self, out: &mut Vec<u8>, end: &End<'_>, output: &[Vec<u8>]) {
        let mut response = ObjectWriter::open(out);
        response.str("id", &format!("resp_{}", self.digits));
        response.str("object", "response");
        response.number("created_at", self.created);
        response.str("status", end.status.word());
        response.raw("background", "false");
        match end.error {
            Some(message) => {
                let mut error = response.object("error");
                error.str("code", "server_error");
                error.str("message", message);
                error.close();
            }
            None => response.raw("error", "null"),
        }
        match end.reason {
            Some(reason) => {
                let mut details = response.object("incomplete_details");
                details.str("reason", reason);
                details.close();
            }
            None => response.raw("incomplete_details", "null"),
        }
        for key in ["instructions", "max_output_tokens", "temperature", "top_p"] {
            response.raw(key, "null");
        }
        match self.kept.as_ref().and_then(|identity| identity.previous.as_deref()) {
            Some(previous) => response.str("previous_response_id", previous),
            None => response.raw("previous_response_id", "null"),
        }
        response.str("model", &self.model);
        let mut list = response.list("output");
        output.iter().for_each(|item| list.item().extend_from_slice(item));
        list.close();
        response.raw("parallel_tool_calls", "true");
        response.raw("reasoning", r#"{"effort":null,"summary":null}"#);
        response.bool("store", self.kept.is_some());
        response.raw("text", r#"{"format":{"type":"text"}}"#);
        response.raw("tool_choice", r#""auto""#);
        response.raw("tools", "[]");
        response.raw("truncation", r#""disabled""#);
        match &end.usage {
            Some(figures) => usage::write(figures, response.key("usage")),
            None => response.raw("usage", "null"),
        }
        response.raw("user", "null");
        response.raw("metadata", "{}");
        response.close();
    }
}

/// How a response ended.
#[derive(Debug)]
pub(super) struct End<'e> {
    pub(super) status: Status,
    reason: Option<&'static str>,
    error: Option<&'e str>,
    usage: Option<Usage>,
}

impl End<'_> {
    /// It has not.
    pub(super) const fn open() -> Self {
        Self { status: Status::InProgress, reason: None, error: None, usage: None }
    }

    /// It ended for a reason.
    pub(super) fn of(finish: Option<&FinishReason>, usage: Option<Usage>) -> Self {
        let end = |status, reason| Self { status, reason, error: None, usage };
        match finish {
            Some(FinishReason::Length | FinishReason::ContextFull) => {
                end(Status::Incomplete, Some("max_output_tokens"))
            }
            Some(FinishReason::ContentFilter) => end(Status::Incomplete, Some("content_filter")),
            Some(FinishReason::MalformedCall) => {
                let error = Some("the model called a tool in a way that cannot be read");
                Self { error, ..end(Status::Failed, None) }
            }
            _ => end(Status::Completed, None),
        }
    }
}

impl Status {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
        }
    }

    /// The event that ends a stream so.
    pub(super) const fn event(self) -> &'static str {
        match self {
            Self::InProgress => "response.in_progress",
            Self::Completed => "response.completed",
            Self::Incomplete => "response.incomplete",
            Self::Failed => "response.failed",
        }
    }
}

/// Writes a message.
pub(super) fn message(out: &mut Vec<u8>, id: &str, status: Status, parts: &[MessagePart<'_>]) {
    let mut item = ObjectWriter::open(out);
    item.str("id", id);
    item.str("type", "message");
    item.str("status", status.word());
    let mut list = ListWriter::open(item.key("content"));
    parts.iter().for_each(|part| message_part(list.item(), part));
    list.close();
    item.str("role", "assistant");
    item.close();
}

/// Writes a part of a message.
pub(super) fn message_part(out: &mut Vec<u8>, part: &MessagePart<'_>) {
    let mut object = ObjectWriter::open(out);
    if part.is_refusal {
        object.str("type", "refusal");
        object.str("refusal", &part.text);
    } else {
        object.str("type", "output_text");
        object.raw("annotations", "[]");
        object.raw("logprobs", "[]");
        object.str("text", &part.text);
    }
    object.close();
}

/// Writes reasoning: what is shown of it, and what the provider wants back. Without an id it is the provider's own item.
pub(super) fn reasoning(out: &mut Vec<u8>, id: &str, text: &str, signature: Option<&Signature<'_>>) {
    let mut item = ObjectWriter::open(out);
    let own = signature.filter(|signature| signature.from == Dialect::OpenAiResponses);
    let sealed = own.and_then(|signature| signature.data.split_once(':'));
    item.str("id", sealed.map(|(id, _)| id).filter(|_| id.is_empty()).unwrap_or(id));
    item.str("type", "reasoning");
    let mut list = item.list("summary");
    if !text.is_empty() {
        summary_part(list.item(), text);
    }
    list.close();
    match (sealed, signature) {
        (Some((_, data)), _) => item.str("encrypted_content", data),
        (None, Some(signature)) => {
            item.str("encrypted_content", &format!("{}:{}", signature.from.as_str(), signature.data));
        }
        (None, None) => {}
    }
    item.close();
}

/// Writes a part of a summary.
pub(super) fn summary_part(out: &mut Vec<u8>, text: &str) {
    let mut part = ObjectWriter::open(out);
    part.str("type", "summary_text");
    part.str("text", text);
    part.close();
}

/// Writes a call.
pub(super) fn call(out: &mut Vec<u8>, id: &str, status: Status, call: &Call<'_>) {
    let mut item = ObjectWriter::open(out);
    item.str("id", id);
    item.str("type", "function_call");
    item.str("status", status.word());
    item.str("arguments", call.arguments);
    item.str("call_id", call.id);
    item.str("name", call.name);
    item.close();
}

/// A call as it stands in the output.
#[derive(Debug)]
pub(super) struct Call<'c> {
    pub(super) id: &'c str,
    pub(super) name: &'c str,
    pub(super) arguments: &'c str,
}

/// What the provider wants back of a piece of reasoning: its item's id and its sealed text, which belong together.
pub(super) fn seal(item: &Value<'_>) -> Option<String> {
    let text = |key| item.get(key).and_then(|text| text.as_str());
    let data = text("encrypted_content").filter(|data| !data.is_empty())?;
    if text("type")? != "reasoning" {
        return None;
    }
    Some(format!("{}:{data}", text("id").unwrap_or_default()))
}
