//! Requests, read.

use gatewright::Failure;
use gatewright::chat::{
    Chat, Effort, Media, MediaKind, MediaSource, Origin, OutputFormat, Param, Part, PartKind, Reasoning,
    Setting, Speaker, Turn,
};

use super::super::CAP;
use crate::document::invalid;
use crate::document::pointer::below;
use crate::json::{Kind, Value};
use crate::pen::read_tools;

/// Reads a request.
pub(super) fn request(body: &[u8]) -> Result<Chat<'_>, Failure> {
    let root = Value::parse(body)?;
    let mut chat = Chat { streams: true, ..Chat::default() };
    for member in root.members() {
        let value = member.value;
        match member.key.bytes().as_ref() {
            _ if value.is_null() => {}
            b"model" => chat.model = value.as_str().unwrap_or_default(),
            b"stream" => chat.streams = value.as_bool().unwrap_or(true),
            b"messages" => {
                for (index, message) in value.elements().enumerate() {
                    add(&mut chat, index, &message)?;
                }
            }
            b"tools" => chat.tools = read_tools(&value),
            b"options" => options(&mut chat, &value),
            b"format" => chat.format = format(&value)?,
            b"think" => chat.reasoning = Some(thinking(&value)?),
            b"logprobs" => set(&mut chat, Param::Logprobs, &value),
            b"top_logprobs" => set(&mut chat, Param::TopLogprobs, &value),
            _ => chat.unknown.push(below("", &member.key.decode()).into()),
        }
    }
    Ok(chat)
}

fn set<'a>(chat: &mut Chat<'a>, param: Param, value: &Value<'a>) {
    chat.settings.push(Setting { param, value: value.source() });
}

/// Puts a message where it belongs.
fn add<'a>(chat: &mut Chat<'a>, index: usize, message: &Value<'a>) -> Result<(), Failure> {
    let origin = Origin { message: u32::try_from(index).unwrap_or(u32::MAX), part: None };
    let text = |key: &str| message.get(key).and_then(|text| text.as_str());
    let said =
        |parts: &mut Vec<Part<'a>>| parts.extend(text("content").map(|text| Part::text(text).at(origin)));
    let mut parts = Vec::new();
    let speaker = match text("role").as_deref() {
        Some("system") => {
            said(&mut parts);
            if chat.turns.is_empty() {
                chat.system.append(&mut parts);
                return Ok(());
            }
            Speaker::System
        }
        Some("user") => {
            said(&mut parts);
            images(message, origin, &mut parts);
            Speaker::User
        }
        Some("assistant") => {
            answer(message, origin, &mut parts);
            Speaker::Assistant
        }
        Some("tool") => {
            let mut content = Vec::new();
            said(&mut content);
            images(message, origin, &mut content);
            let call = text("tool_call_id").unwrap_or_default();
            let name = text("tool_name").or_else(|| text("name"));
            let kind = PartKind::ToolResult { call, name, content, is_error: false };
            parts.push(Part::new(kind).at(origin));
            Speaker::User
        }
        _ => {
            return Err(invalid(
                &format!("/messages/{index}/role"),
                "`system`, `user`, `assistant` or `tool`",
            ));
        }
    };
    chat.turns.push(Turn { speaker, parts });
    Ok(())
}

/// What the model said. Next to reasoning and calls, an empty text is how libraries say that there is none.
fn answer<'a>(message: &Value<'a>, origin: Origin, parts: &mut Vec<Part<'a>>) {
    let text = |key: &str| message.get(key).and_then(|text| text.as_str());
    let thinking = text("thinking").filter(|text| !text.is_empty());
    let calls: Vec<_> = message
        .get("tool_calls")
        .iter()
        .flat_map(|calls| calls.elements())
        .filter_map(|it| call(&it))
        .collect();
    let is_told_otherwise = thinking.is_some() || !calls.is_empty();
    let content = text("content").filter(|text| !(text.is_empty() && is_told_otherwise));
    let kinds = thinking.map(|text| PartKind::Reasoning { text, signature: None }).into_iter();
    let kinds = kinds.chain(content.map(PartKind::Text)).chain(calls);
    parts.extend(kinds.map(|kind| Part::new(kind).at(origin)));
}

fn images<'a>(message: &Value<'a>, origin: Origin, parts: &mut Vec<Part<'a>>) {
    let images = message.get("images").into_iter().flat_map(|images| images.elements());
    for (index, data) in (0..).zip(images) {
        let Some(data) = data.as_str() else { continue };
        let (mime, source) = match MediaSource::of_url(data) {
            // What is no `data:` URL is the data itself.
            (_, MediaSource::Url(data)) => (None, MediaSource::Base64(data)),
            known => known,
        };
        let media = Media { kind: MediaKind::Image, mime, source, name: None, detail: None };
        parts.push(Part::new(PartKind::Media(media)).at(Origin { part: Some(index), ..origin }));
    }
}

/// A call; none if it names no tool. An id that is missing is left empty.
pub(super) fn call<'a>(call: &Value<'a>) -> Option<PartKind<'a>> {
    let function = call.get("function")?;
    let arguments = function.get("arguments").filter(|arguments| !arguments.is_null());
    let arguments = arguments.map(|arguments| arguments.as_str().unwrap_or_else(|| arguments.source()));
    Some(PartKind::ToolCall {
        id: call.get("id").and_then(|id| id.as_str()).unwrap_or_default(),
        name: function.get("name").and_then(|name| name.as_str())?,
        arguments: arguments.unwrap_or_default(),
        signature: None,
    })
}

fn options<'a>(chat: &mut Chat<'a>, options: &Value<'a>) {
    for member in options.members() {
        let (key, value) = (member.key.decode(), member.value);
        let sampling = &mut chat.sampling;
        let number = match key.as_ref() {
            _ if value.is_null() => continue,
            CAP => {
                // A cap below 0 is none.
                chat.output_cap = value.as_u64();
                continue;
            }
            "stop" => {
                let one = value.as_str().into_iter();
                chat.stop.extend(one.chain(value.elements().filter_map(|text| text.as_str())));
                continue;
            }
            "temperature" => &mut sampling.temperature,
            "top_p" => &mut sampling.top_p,
            "top_k" => &mut sampling.top_k,
            "seed" => &mut sampling.seed,
            "frequency_penalty" => &mut sampling.frequency_penalty,
            "presence_penalty" => &mut sampling.presence_penalty,
            _ => {
                chat.unknown.push(below("/options", &key).into());
                continue;
            }
        };
        *number = Some(value.source());
    }
}

fn format<'a>(value: &Value<'a>) -> Result<Option<OutputFormat<'a>>, Failure> {
    match (value.kind(), value.as_str().as_deref()) {
        (Kind::Object, _) => Ok(Some(OutputFormat::Schema {
            name: None,
            description: None,
            schema: value.source(),
            strict: None,
        })),
        (_, Some("json")) => Ok(Some(OutputFormat::Json)),
        (_, Some("")) => Ok(None),
        _ => Err(invalid("/format", "`json` or a JSON schema")),
    }
}

fn thinking(value: &Value<'_>) -> Result<Reasoning, Failure> {
    let effort = |effort| Reasoning { effort: Some(effort), ..Reasoning::default() };
    if let Some(is_on) = value.as_bool() {
        let on = Reasoning { is_adaptive: true, ..Reasoning::default() };
        return Ok(if is_on { on } else { effort(Effort::None) });
    }
    let word = value.as_str().and_then(|word| Effort::of_word(&word));
    word.map(effort).ok_or_else(|| invalid("/think", "`true`, `false`, `low`, `medium` or `high`"))
}
