//! A request of the dialect in no dialect.

use std::borrow::Cow;

use gatewright::chat::{
    CacheMark, Chat, Media, MediaKind, MediaSource, Origin, Part, PartKind, Signature, Speaker, Turn,
};
use gatewright::dialect::Dialect;
use gatewright::{Failure, Role};

use super::chat::tool_name;
use super::{format, read_config, text};
use crate::json::{Kind, Member, Reader, Value};

/// The index of the message that stands for the instructions.
pub(super) const SYSTEM: u32 = u32::MAX;

/// Reads a request.
///
/// # Errors
/// A failure of the client's side that names the field.
pub(super) fn request(body: &[u8]) -> Result<Chat<'_>, Failure> {
    let mut chat = Chat::default();
    let mut reader = Reader::new(body);
    reader.object(|reader, key| {
        match key.bytes().as_ref() {
            b"system" => {
                let blocks = blocks(reader, SYSTEM, &|| ("system".to_owned(), "/system".to_owned()))?;
                chat.system = blocks.parts;
                chat.unknown.extend(blocks.unknown.into_iter().map(Cow::Owned));
            }
            b"messages" => messages(reader, &mut chat)?,
            _ => read_config::member(&Member { key, value: reader.value()? }, &mut chat)?,
        }
        Ok::<_, Failure>(())
    })?;
    reader.end()?;
    Ok(chat)
}

/// Refuses what is no array. Null is an empty one.
pub(super) fn must_be_list(kind: Option<Kind>, name: &str) -> Result<(), Failure> {
    match kind {
        Some(Kind::Array | Kind::Null) | None => Ok(()),
        Some(kind) => {
            let message = format!("`{name}` must be an array, not {}", kind.noun());
            Err(Failure::invalid(name.to_owned(), message).with_code("invalid_type"))
        }
    }
}

/// Reads a list of blocks; `names` has its name in errors and its pointer.
fn blocks<'a>(
    reader: &mut Reader<'a>,
    message: u32,
    names: &dyn Fn() -> (String, String),
) -> Result<Blocks<'a>, Failure> {
    let kind = reader.kind();
    if !matches!(kind, Some(Kind::Array | Kind::Null)) {
        must_be_list(kind, &names().0)?;
    }
    let mut blocks = Blocks::default();
    reader.array(|reader, index| {
        let part = u32::try_from(index).unwrap_or(u32::MAX);
        blocks.push(&reader.value()?, (message, part), &|| format!("{}/{part}", names().1));
        Ok::<_, Failure>(())
    })?;
    Ok(blocks)
}

fn messages<'a>(reader: &mut Reader<'a>, chat: &mut Chat<'a>) -> Result<(), Failure> {
    chat.turns.clear();
    must_be_list(reader.kind(), "messages")?;
    reader.array(|reader, index| {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let names = || (format!("messages[{index}].content"), format!("/messages/{index}/content"));
        let (mut role, mut content) = (None, None);
        reader.object(|reader, key| {
            match key.bytes().as_ref() {
                b"role" => role = reader.string()?.map(|role| role.decode()),
                b"content" => content = Some(blocks(reader, index, &names)?),
                _ => {}
            }
            Ok::<_, Failure>(())
        })?;
        let missing = || {
            let (name, _) = names();
            let message = format!("`{name}` is missing, send an array of blocks");
            Failure::invalid(name, message)
        };
        let blocks = content.ok_or_else(missing)?;
        let speaker = match text::role(role.as_deref()) {
            Role::System => Speaker::System,
            Role::Assistant => Speaker::Assistant,
            Role::User | Role::Tool => Speaker::User,
        };
        chat.turns.push(Turn { speaker, parts: blocks.parts });
        chat.unknown.extend(blocks.unknown.into_iter().map(Cow::Owned));
        Ok::<_, Failure>(())
    })?;
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
