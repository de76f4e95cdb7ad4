//! Requests, read.

use std::borrow::Cow;

use gatewright::Failure;
use gatewright::chat::{
    Chat, Effort, Media, MediaKind, MediaSource, Origin, OutputFormat, Param, Part, PartKind, Reasoning,
    Setting, Speaker, Tool, ToolChoice, ToolKind, Turn,
};

use super::DOCUMENTS;
use crate::document::invalid;
use crate::document::pointer::below;
use crate::json::{Kind, Value};
use crate::pen::read_tools;

/// Reads a request.
pub(super) fn request(body: &[u8]) -> Result<Chat<'_>, Failure> {
    let root = Value::parse(body)?;
    let mut chat = Chat::default();
    let mut documents = Vec::new();
    let mut is_strict = None;
    for member in root.members() {
        let value = member.value;
        match member.key.bytes().as_ref() {
            _ if value.is_null() => {}
            b"model" => chat.model = value.as_str().unwrap_or_default(),
            b"stream" => chat.streams = value.as_bool().unwrap_or(false),
            b"messages" => {
                for (index, message) in value.elements().enumerate() {
                    add(&mut chat, index, &message)?;
                }
            }
            b"documents" => {
                let origin = |part| Origin { message: DOCUMENTS, part: Some(part) };
                let list = (0..).zip(value.elements());
                documents.extend(list.map(|(index, it)| Part::new(document(&it)).at(origin(index))));
            }
            b"tools" => chat.tools = read_tools(&value),
            b"strict_tools" => is_strict = value.as_bool(),
            b"tool_choice" => chat.tool_choice = Some(choice(&value)?),
            b"max_tokens" => chat.output_cap = value.as_u64(),
            b"stop_sequences" => chat.stop = value.elements().filter_map(|text| text.as_str()).collect(),
            b"response_format" => chat.format = Some(format(&value)?),
            b"thinking" => chat.reasoning = Some(thinking(&value)?),
            key => setting(&mut chat, key, &member.key.decode(), &value),
        }
    }
    if let Some(is_strict) = is_strict {
        chat.tools.iter_mut().for_each(|tool| hold(tool, is_strict));
    }
    cite(&mut chat, documents);
    Ok(chat)
}

/// A number of the sampling, a member that some dialects have, or one that no other has.
fn setting<'a>(chat: &mut Chat<'a>, key: &[u8], name: &str, value: &Value<'a>) {
    let sampling = &mut chat.sampling;
    let number = match key {
        b"temperature" => &mut sampling.temperature,
        b"p" => &mut sampling.top_p,
        b"k" => &mut sampling.top_k,
        b"seed" => &mut sampling.seed,
        b"frequency_penalty" => &mut sampling.frequency_penalty,
        b"presence_penalty" => &mut sampling.presence_penalty,
        b"logprobs" => return chat.settings.push(Setting { param: Param::Logprobs, value: value.source() }),
        b"safety_mode" => return chat.settings.push(Setting { param: Param::Safety, value: value.source() }),
        _ => return chat.unknown.push(below("", name).into()),
    };
    *number = Some(value.source());
}

fn hold(tool: &mut Tool<'_>, is_strict: bool) {
    if let ToolKind::Function { strict, .. } = &mut tool.kind {
        *strict = Some(is_strict);
    }
}

/// Puts the documents before the last words of the user, whom they are to help with an answer.
fn cite<'a>(chat: &mut Chat<'a>, documents: Vec<Part<'a>>) {
    if documents.is_empty() {
        return;
    }
    let is_asked = |part: &Part<'_>| !matches!(part.kind, PartKind::ToolResult { .. });
    let mut turns = chat.turns.iter_mut().rev();
    let last = turns.find(|turn| turn.speaker == Speaker::User && turn.parts.iter().all(is_asked));
    match last {
        Some(turn) => drop(turn.parts.splice(0..0, documents)),
        None => chat.turns.insert(0, Turn { speaker: Speaker::User, parts: documents }),
    }
}

/// A document: its text alone, or all that is known of it.
fn document<'a>(document: &Value<'a>) -> PartKind<'a> {
    let data = document.get("data").unwrap_or(*document);
    let known = |key: &str| data.get(key).and_then(|text| text.as_str());
    let has_more = data.members().any(|member| !matches!(member.key.bytes().as_ref(), b"text" | b"title"));
    let text = match (data.as_str(), known("text").filter(|_| !has_more)) {
        (Some(text), _) | (None, Some(text)) => text,
        (None, None) => data.source(),
    };
    let title = known("title").filter(|_| !has_more);
    let name = title.or_else(|| document.get("id").and_then(|id| id.as_str()));
    PartKind::Media(Media {
        kind: MediaKind::Document,
        mime: Some(Cow::Borrowed("text/plain")),
        source: MediaSource::Text(text),
        name,
        detail: None,
    })
}

/// Puts a message where it belongs.
fn add<'a>(chat: &mut Chat<'a>, index: usize, message: &Value<'a>) -> Result<(), Failure> {
    let origin = Origin { message: u32::try_from(index).unwrap_or(u32::MAX), part: None };
    let text = |key: &str| message.get(key).and_then(|text| text.as_str());
    if message.get("citations").is_some_and(|citations| citations.has_children()) {
        chat.unknown.push(format!("/messages/{index}/citations").into());
    }
    let mut parts = content(message, origin)?;
    let speaker = match text("role").as_deref() {
        Some("system") if chat.turns.is_empty() => {
            chat.system.append(&mut parts);
            return Ok(());
        }
        Some("system") => Speaker::System,
        Some("user") => Speaker::User,
        Some("assistant") => {
            let plan = text("tool_plan").filter(|plan| !plan.is_empty());
            parts.extend(plan.map(|plan| Part::text(plan).at(origin)));
            let list = message.get("tool_calls");
            let calls: Vec<_> =
                list.iter().flat_map(|calls| calls.elements()).filter_map(|it| call(&it)).collect();
            // Next to calls, an empty text is how libraries say that there is none.
            parts.retain(|part| calls.is_empty() || part.as_text() != Some(""));
            parts.extend(calls.into_iter().map(|kind| Part::new(kind).at(origin)));
            Speaker::Assistant
        }
        Some("tool") => {
            let call = text("tool_call_id").unwrap_or_default();
            let kind = PartKind::ToolResult { call, name: None, content: parts, is_error: false };
            parts = vec![Part::new(kind).at(origin)];
            Speaker::User
        }
        _ => {
            let form = "`system`, `user`, `assistant` or `tool`";
            return Err(invalid(&format!("/messages/{index}/role"), form));
        }
    };
    chat.turns.push(Turn { speaker, parts });
    Ok(())
}

/// The content of a message: a text, or blocks.
fn content<'a>(message: &Value<'a>, origin: Origin) -> Result<Vec<Part<'a>>, Failure> {
    let Some(content) = message.get("content").filter(|content| !content.is_null()) else {
        return Ok(Vec::new());
    };
    if let Some(text) = content.as_str() {
        return Ok(vec![Part::text(text).at(origin)]);
    }
    if content.kind() != Kind::Array {
        let field = format!("/messages/{}/content", origin.message);
        return Err(invalid(&field, "a string or an array of blocks"));
    }
    let read = |(index, block): (u32, Value<'a>)| {
        let kind = block_kind(&block).ok_or_else(|| {
            let field = format!("/messages/{}/content/{index}", origin.message);
            invalid(&field, "a block with all that its type needs")
        })?;
        Ok(Part::new(kind).at(Origin { part: Some(index), ..origin }))
    };
    (0..).zip(content.elements()).map(read).collect()
}

fn block_kind<'a>(block: &Value<'a>) -> Option<PartKind<'a>> {
    let text = |key: &str| block.get(key).and_then(|text| text.as_str());
    Some(match text("type")?.as_ref() {
        "text" => PartKind::Text(text("text")?),
        "thinking" => PartKind::Reasoning { text: text("thinking")?, signature: None },
        "image_url" => {
            let image = block.get("image_url")?;
            let member = |key: &str| image.get(key).and_then(|text| text.as_str());
            let (mime, source) = MediaSource::of_url(image.as_str().or_else(|| member("url"))?);
            let detail = member("detail");
            PartKind::Media(Media { kind: MediaKind::Image, mime, source, name: None, detail })
        }
        // What a tool found, which is what it answered.
        "document" => {
            let document = block.get("document")?;
            let data = document.get("data").unwrap_or(document);
            PartKind::Text(data.as_str().unwrap_or_else(|| data.source()))
        }
        other => PartKind::Foreign(other.to_owned().into()),
    })
}

/// A call; none if it names no tool.
pub(super) fn call<'a>(call: &Value<'a>) -> Option<PartKind<'a>> {
    let function = call.get("function")?;
    let text = |key: &str| function.get(key).and_then(|text| text.as_str());
    Some(PartKind::ToolCall {
        id: call.get("id").and_then(|id| id.as_str()).unwrap_or_default(),
        name: text("name")?,
        arguments: text("arguments").unwrap_or_default(),
        signature: None,
    })
}

fn choice<'a>(value: &Value<'a>) -> Result<ToolChoice<'a>, Failure> {
    match value.as_str().as_deref() {
        Some("REQUIRED") => Ok(ToolChoice::Required),
        Some("NONE") => Ok(ToolChoice::None),
        _ => Err(invalid("/tool_choice", "`REQUIRED` or `NONE`, or not there")),
    }
}

fn format<'a>(value: &Value<'a>) -> Result<OutputFormat<'a>, Failure> {
    let schema = value.get("json_schema").or_else(|| value.get("schema"));
    let schema = schema.filter(|schema| schema.kind() == Kind::Object);
    match (value.get("type").and_then(|kind| kind.as_str()).as_deref(), schema) {
        (Some("text"), _) => Ok(OutputFormat::Text),
        (Some("json_object"), None) => Ok(OutputFormat::Json),
        (Some("json_object"), Some(schema)) => {
            Ok(OutputFormat::Schema { name: None, description: None, schema: schema.source(), strict: None })
        }
        _ => Err(invalid("/response_format/type", "`text` or `json_object`")),
    }
}

fn thinking(value: &Value<'_>) -> Result<Reasoning, Failure> {
    let budget = value.get("token_budget").and_then(|budget| budget.as_u64());
    match value.get("type").and_then(|kind| kind.as_str()).as_deref() {
        Some("disabled") => Ok(Reasoning { effort: Some(Effort::None), ..Reasoning::default() }),
        Some("enabled") => Ok(Reasoning { budget, is_adaptive: budget.is_none(), ..Reasoning::default() }),
        _ => Err(invalid("/thinking/type", "`enabled` or `disabled`")),
    }
}
