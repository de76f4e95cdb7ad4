//! A request of the dialect in no dialect.

use std::borrow::Cow;

use gatewright::chat::{
    CacheMark, Chat, Media, MediaKind, MediaSource, Origin, Part, PartKind, Signature, Speaker, Turn,
};
use gatewright::dialect::Dialect;
use gatewright::{Failure, Role};

use super::chat::tool_name;
use super::{format, read_config, text};
use crate::json::{Kind, Value};

/// The index of the message that stands for the instructions.
pub(super) const SYSTEM: u32 = u32::MAX;

/// Reads a request.
///
/// # Errors
/// A failure of the client's side that names the field.
pub(super) fn request(body: &[u8]) -> Result<Chat<'_>, Failure> {
    let not_json = |error| Failure::invalid("", format!("the body is not JSON: {error}"));
    let root = Value::parse(body).map_err(not_json)?;
    let mut chat = Chat::default();
    for member in root.members() {
        match member.key.bytes().as_ref() {
            b"system" => {
                let mut blocks = Blocks::default();
                let elements = list(&member.value, "system")?;
                elements.zip(0..).for_each(|(block, index)| {
                    blocks.push(&block, (SYSTEM, index), &|| format!("/system/{index}"));
                });
                chat.system = blocks.parts;
                chat.unknown.extend(blocks.unknown.into_iter().map(Cow::Owned));
            }
            b"messages" => messages(&member.value, &mut chat)?,
            _ => read_config::member(&member, &mut chat)?,
        }
    }
    Ok(chat)
}

/// The elements of a member that must be an array.
pub(super) fn list<'a>(
    value: &Value<'a>,
    name: &str,
) -> Result<impl Iterator<Item = Value<'a>> + use<'a>, Failure> {
    if !matches!(value.kind(), Kind::Array | Kind::Null) {
        let message = format!("`{name}` must be an array, not {}", value.kind().noun());
        return Err(Failure::invalid(name.to_owned(), message).with_code("invalid_type"));
    }
    Ok(value.elements())
}

fn messages<'a>(value: &Value<'a>, chat: &mut Chat<'a>) -> Result<(), Failure> {
    chat.turns.clear();
    for (message, index) in list(value, "messages")?.zip(0..) {
        let speaker = match text::role_of(&message) {
            Role::System => Speaker::System,
            Role::Assistant => Speaker::Assistant,
            Role::User | Role::Tool => Speaker::User,
        };
        let name = format!("messages[{index}].content");
        let missing =
            || Failure::invalid(name.clone(), format!("`{name}` is missing, send an array of blocks"));
        let content = message.get("content").ok_or_else(missing)?;
        let mut blocks = Blocks::default();
        list(&content, &name)?.zip(0..).for_each(|(block, part)| {
            blocks.push(&block, (index, part), &|| format!("/messages/{index}/content/{part}"));
        });
        chat.turns.push(Turn { speaker, parts: blocks.parts });
        chat.unknown.extend(blocks.unknown.into_iter().map(Cow::Owned));
    }
    Ok(())
}

/// Blocks as parts, and what of them no other dialect has.
#[derive(Debug, Default)]
pub(super) struct Blocks<'a> {
    pub(super) parts: Vec<Part<'a>>,
    /// Pointers.
    pub(super) unknown: Vec<String>,
}

impl<'a> Blocks<'a> {
    /// Takes the block that stands at a message and an index; `pointer` leads to it.
    pub(super) fn push(
        &mut self,
        block: &Value<'a>,
        (message, part): (u32, u32),
        pointer: &dyn Fn() -> String,
    ) {
        let origin = Origin { message, part: Some(part) };
        // It is a union: the first member that says something is what the block is.
        let Some(member) = block.members().find(|member| !member.value.is_null()) else { return };
        let (key, value) = (member.key.decode(), member.value);
        if key == "cachePoint" {
            match self.parts.last_mut() {
                Some(part) => part.cache = Some(cache_mark(&value)),
                None => self.unknown.push(pointer()),
            }
            return;
        }
        let mut unknown = Vec::new();
        let kind = kind(&key, &value, &mut |field| unknown.push(field)).unwrap_or(PartKind::Foreign(key));
        self.unknown.extend(unknown.into_iter().map(|field: &str| pointer() + field));
        self.parts.push(Part::new(kind).at(origin));
    }
}

/// What a mark for the cache asks for.
pub(super) fn cache_mark(value: &Value<'_>) -> CacheMark {
    match string(value, "ttl").as_deref() {
        Some("1h") => CacheMark::Hour,
        _ => CacheMark::Short,
    }
}

fn string<'a>(value: &Value<'a>, key: &str) -> Option<Cow<'a, str>> {
    value.get(key)?.as_str()
}

/// What a block is; none if no other dialect has it. `lost` takes pointers into it.
fn kind<'a>(key: &str, value: &Value<'a>, lost: &mut dyn FnMut(&'static str)) -> Option<PartKind<'a>> {
    Some(match key {
        "text" => PartKind::Text(value.as_str()?),
        "guardContent" => {
            lost("/guardContent");
            PartKind::Text(value.at(&["text", "text"])?.as_str()?)
        }
        "citationsContent" => {
            lost("/citationsContent/citations");
            let texts = value.get("content")?.elements();
            PartKind::Text(texts.filter_map(|text| string(&text, "text")).collect::<String>().into())
        }
        "image" => PartKind::Media(media(MediaKind::Image, value)?),
        "document" => {
            for (field, pointer) in [("context", "/document/context"), ("citations", "/document/citations")] {
                if value.get(field).is_some_and(|value| !value.is_null()) {
                    lost(pointer);
                }
            }
            PartKind::Media(media(MediaKind::Document, value)?)
        }
        "video" => PartKind::Media(media(MediaKind::Video, value)?),
        "audio" => PartKind::Media(media(MediaKind::Audio, value)?),
        "reasoningContent" => reasoning(value)?,
        "toolUse" => PartKind::ToolCall {
            id: string(value, "toolUseId").unwrap_or_default(),
            name: tool_name(string(value, "name")?),
            arguments: value.get("input").map(|input| source(&input)).unwrap_or_default(),
            signature: None,
        },
        "toolResult" => tool_result(value),
        _ => return None,
    })
}

/// The source text of a value.
pub(super) fn source<'a>(value: &Value<'a>) -> Cow<'a, str> {
    value.source()
}

fn reasoning<'a>(value: &Value<'a>) -> Option<PartKind<'a>> {
    let signed = |data| Signature { data, from: Dialect::BedrockConverse };
    if let Some(shown) = value.get("reasoningText") {
        let signature = string(&shown, "signature").filter(|data| !data.is_empty()).map(signed);
        return Some(PartKind::Reasoning { text: string(&shown, "text").unwrap_or_default(), signature });
    }
    Some(PartKind::SealedReasoning(signed(string(value, "redactedContent")?)))
}

fn tool_result<'a>(value: &Value<'a>) -> PartKind<'a> {
    let content = value.get("content");
    let blocks = content.into_iter().flat_map(|content| content.elements());
    let part = |block: Value<'a>| {
        let member = block.members().find(|member| !member.value.is_null())?;
        let key = member.key.decode();
        let kind = match key.as_ref() {
            "json" => PartKind::Text(source(&member.value)),
            "text" | "image" | "document" | "video" => kind(&key, &member.value, &mut |_| {})?,
            _ => PartKind::Foreign(key),
        };
        Some(Part::new(kind))
    };
    PartKind::ToolResult {
        call: string(value, "toolUseId").unwrap_or_default(),
        name: None,
        content: blocks.filter_map(part).collect(),
        is_error: string(value, "status").as_deref() == Some("error"),
    }
}

fn media<'a>(kind: MediaKind, value: &Value<'a>) -> Option<Media<'a>> {
    let format = string(value, "format");
    let source = value.get("source")?;
    let texts =
        |content: Value<'a>| content.elements().filter_map(|text| string(&text, "text")).collect::<String>();
    let source = if let Some(bytes) = string(&source, "bytes") {
        MediaSource::Base64(bytes)
    } else if let Some(uri) = source.at(&["s3Location", "uri"]) {
        MediaSource::Url(uri.as_str()?)
    } else if let Some(text) = string(&source, "text") {
        MediaSource::Text(text)
    } else {
        MediaSource::Text(texts(source.get("content")?).into())
    };
    Some(Media {
        kind,
        mime: format.and_then(|format| format::mime(kind, &format)).map(Cow::Borrowed),
        source,
        name: string(value, "name"),
        detail: None,
    })
}
