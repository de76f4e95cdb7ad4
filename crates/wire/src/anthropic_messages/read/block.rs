//! The blocks of messages as parts.

use std::borrow::Cow;

use gatewright::chat::{Media, MediaKind, MediaSource, Origin, Part, PartKind, Place};

use super::{Reading, cache_mark};
use crate::anthropic_messages::{name, seal};
use crate::json::Value;

/// Where a block stands: its place in a message, and in the result of a tool there.
type Spot = (Origin, Option<usize>);

/// The pointer of a member of a block.
fn pointer((origin, inner): Spot, member: &str) -> String {
    let outer = super::pointer(&Place::Part(origin));
    match inner {
        Some(index) => format!("{outer}/content/{index}/{member}"),
        None => format!("{outer}/{member}"),
    }
}

impl<'a> Reading<'a> {
    /// Reads a block, and notes what of it has no place in a chat.
    pub(super) fn block(&mut self, spot: Spot, block: &Value<'a>, parts: &mut Vec<Part<'a>>) {
        let keys = ["type", "text", "cache_control", "citations", "context"];
        let [kind, text, cache, citations, context] = block.pick(keys);
        let kind = kind.and_then(|kind| kind.as_str()).unwrap_or_default();
        for (key, value) in [("citations", citations), ("context", context)] {
            if kind == "document" && value.is_some_and(|value| !value.is_null()) {
                self.unknown(pointer(spot, key));
            }
        }
        let read = match kind.as_ref() {
            "text" => Some(PartKind::Text(text.and_then(|text| text.as_str()).unwrap_or_default())),
            kind => self.kind(spot, kind, block, parts),
        };
        if let Some(read) = read {
            let cache = cache.as_ref().and_then(cache_mark);
            parts.push(Part { cache, ..Part::new(read).at(spot.0) });
        }
    }

    /// What a block is that is more than a text.
    fn kind(
        &mut self,
        spot: Spot,
        kind: &str,
        block: &Value<'a>,
        parts: &mut [Part<'a>],
    ) -> Option<PartKind<'a>> {
        Some(match kind {
            "image" | "document" => match media(kind, block) {
                Some(media) => PartKind::Media(media),
                None => PartKind::Foreign(Cow::Owned(kind.to_owned())),
            },
            "thinking" => thinking(block),
            "redacted_thinking" => return sealed(block, parts),
            "tool_use" => {
                let [id, tool, input] = block.pick(["id", "name", "input"]);
                PartKind::ToolCall {
                    id: original(id),
                    name: original(tool),
                    arguments: input.map_or(Cow::Borrowed("{}"), |input| input.source()),
                    signature: None,
                }
            }
            "tool_result" => self.result(spot.0, block),
            other => PartKind::Foreign(Cow::Owned(other.to_owned())),
        })
    }

    fn result(&mut self, origin: Origin, block: &Value<'a>) -> PartKind<'a> {
        let [call, content, is_error] = block.pick(["tool_use_id", "content", "is_error"]);
        let mut inside = Vec::new();
        if let Some(content) = content {
            match content.as_str() {
                Some(text) => inside.push(Part::text(text).at(origin)),
                None => {
                    for (index, block) in content.elements().enumerate() {
                        self.block((origin, Some(index)), &block, &mut inside);
                    }
                }
            }
        }
        PartKind::ToolResult {
            call: original(call),
            name: None,
            content: inside,
            is_error: is_error.and_then(|is_error| is_error.as_bool()).unwrap_or(false),
        }
    }
}

fn original<'a>(value: Option<Value<'a>>) -> Cow<'a, str> {
    name::original(value.and_then(|value| value.as_str()).unwrap_or_default())
}

/// Reasoning, which nobody can take for its own without a signature.
fn thinking<'a>(block: &Value<'a>) -> PartKind<'a> {
    let [text, signature] =
        block.pick(["thinking", "signature"]).map(|value| value.and_then(|value| value.as_str()));
    let signature =
        signature.filter(|signature| !signature.is_empty()).map(|signature| seal::read(signature).0);
    PartKind::Reasoning { text: text.unwrap_or_default(), signature }
}

/// Sealed reasoning; none where it is the seal of the call before it, which is put there.
fn sealed<'a>(block: &Value<'a>, parts: &mut [Part<'a>]) -> Option<PartKind<'a>> {
    let data = block.get("data").and_then(|data| data.as_str()).unwrap_or_default();
    let (seal, of_call) = seal::read(data);
    let call = parts.iter_mut().rev().find_map(|part| match &mut part.kind {
        PartKind::ToolCall { signature, .. } => Some(signature),
        _ => None,
    });
    match call.filter(|_| of_call) {
        Some(signature) => {
            *signature = Some(seal);
            None
        }
        None => Some(PartKind::SealedReasoning(seal)),
    }
}

/// An image or a document; none where its source is of a kind that no other dialect has.
pub(super) fn media<'a>(kind: &str, block: &Value<'a>) -> Option<Media<'a>> {
    let [source, title] = block.pick(["source", "title"]);
    let keys = ["type", "media_type", "data", "url", "file_id"];
    let [form, mime, data, url, file] =
        source?.pick(keys).map(|value| value.and_then(|value| value.as_str()));
    let source = match form?.as_ref() {
        "base64" => MediaSource::Base64(data?),
        "text" => MediaSource::Text(data?),
        "url" => MediaSource::Url(url?),
        "file" => MediaSource::File(file?),
        _ => return None,
    };
    Some(Media {
        kind: if kind == "image" { MediaKind::Image } else { MediaKind::Document },
        mime,
        source,
        name: title.and_then(|title| title.as_str()),
        detail: None,
    })
}
