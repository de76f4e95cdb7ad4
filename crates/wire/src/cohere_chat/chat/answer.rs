//! Whole answers, read and written.

use std::borrow::Cow;

use bytes::Bytes;
use gatewright::Failure;
use gatewright::chat::{Answer, AnswerChoice, Part, PartKind};
use gatewright::dialect::Envelope;

use super::super::{finish, usage};
use super::read::call;
use crate::json::{ObjectWriter, Value};

/// Reads an answer: its blocks, its plan, its calls.
pub(super) fn read(body: &[u8]) -> Result<Answer<'_>, Failure> {
    let root = Value::parse(body)?;
    let message = root.get("message");
    let member = |key: &str| message.and_then(|message| message.get(key));
    let mut parts = Vec::new();
    let said =
        |value: Option<Value<'_>>| value.is_some_and(|text| text.json_str().is_some_and(|it| !it.is("")));
    for block in member("content").into_iter().flat_map(|content| content.elements()) {
        let [thinking, text] = block.pick(["thinking", "text"]);
        if said(thinking)
            && let Some(text) = thinking.and_then(|text| text.as_str())
        {
            parts.push(PartKind::Reasoning { text, signature: None });
        }
        parts.extend(text.filter(|_| said(text)).and_then(|text| text.as_str()).map(PartKind::Text));
    }
    let plan = member("tool_plan").filter(|_| said(member("tool_plan")));
    parts.extend(plan.and_then(|plan| plan.as_str()).map(PartKind::Text));
    let calls = member("tool_calls").into_iter().flat_map(|calls| calls.elements());
    parts.extend(calls.filter_map(|it| call(&it)));
    let has_calls = parts.iter().any(|part| matches!(part, PartKind::ToolCall { .. }));
    let reason = root.get("finish_reason").and_then(|reason| reason.as_str());
    let choice = AnswerChoice {
        parts: parts.into_iter().map(Part::new).collect(),
        finish: reason.map(|reason| finish::read(&reason, has_calls)),
    };
    let usage = root.get("usage").as_ref().and_then(usage::read);
    Ok(Answer { model: None, choices: vec![choice], usage })
}

/// Writes an answer.
pub(super) fn write(answer: &Answer<'_>, envelope: &Envelope) -> Bytes {
    let none = AnswerChoice::default();
    let choice = answer.choices.first().unwrap_or(&none);
    let mut out = Vec::with_capacity(512);
    let mut object = ObjectWriter::open(&mut out);
    object.str("id", &answer_id(envelope));
    let mut message = object.object("message");
    message.str("role", "assistant");
    let mut list = message.list("content");
    for part in &choice.parts {
        let (kind, text) = match &part.kind {
            PartKind::Text(text) | PartKind::Refusal(text) => ("text", text),
            PartKind::Reasoning { text, .. } => ("thinking", text),
            _ => continue,
        };
        if !text.is_empty() {
            let mut block = list.object();
            block.str("type", kind);
            block.str(kind, text);
            block.close();
        }
    }
    list.close();
    let is_call = |part: &&Part<'_>| matches!(part.kind, PartKind::ToolCall { .. });
    let calls: Vec<_> = choice.parts.iter().filter(is_call).collect();
    if !calls.is_empty() {
        let mut list = message.list("tool_calls");
        for (place, part) in (0..).zip(&calls) {
            let PartKind::ToolCall { id, name, arguments, .. } = &part.kind else { continue };
            let made = || Cow::Owned(call_id(envelope, place));
            let id = if id.is_empty() { made() } else { Cow::Borrowed(id.as_ref()) };
            write_call(list.object(), &id, name, arguments);
        }
        list.close();
    }
    message.close();
    let reason = choice.finish.as_ref().unwrap_or(&gatewright::FinishReason::Stop);
    object.str("finish_reason", finish::word(reason, !calls.is_empty()));
    if let Some(figures) = &answer.usage {
        usage::write(figures, object.key("usage"));
    }
    object.close();
    out.into()
}

/// Writes a call.
pub(super) fn write_call(mut call: ObjectWriter<'_>, id: &str, name: &str, arguments: &str) {
    call.str("id", id);
    call.str("type", "function");
    let mut function = call.object("function");
    function.str("name", name);
    function.str("arguments", if arguments.is_empty() { "{}" } else { arguments });
    function.close();
    call.close();
}

fn digits(envelope: &Envelope) -> &str {
    let id = envelope.id.as_str();
    id.strip_prefix("req_").unwrap_or(id)
}

/// The id of an answer.
pub(in crate::cohere_chat) fn answer_id(envelope: &Envelope) -> String {
    digits(envelope).to_owned()
}

/// The id of a call to which its provider gave none.
pub(in crate::cohere_chat) fn call_id(envelope: &Envelope, place: u32) -> String {
    format!("call_{}_{place}", digits(envelope))
}
