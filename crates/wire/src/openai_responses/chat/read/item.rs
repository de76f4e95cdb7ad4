//! Items of the input and of the output, read.

use gatewright::Failure;
use gatewright::chat::{Json, Origin, Part, PartKind, Signature, Speaker, Turn};
use gatewright::dialect::Dialect;

use super::part;
use crate::document::invalid;
use crate::json::{Kind, Reader, Value, quote};
use crate::openai_responses::item::seal;

/// Reads an item of the input.
pub(super) fn read<'a>(reader: &mut Reader<'a>, origin: Origin) -> Result<Turn<'a>, Failure> {
    let whole = reader.clone();
    let mut role = None;
    let mut kind = None;
    let mut parts = Vec::new();
    let is_object = reader.object(|reader, key| {
        match key.bytes().as_ref() {
            b"role" => role = reader.string()?.map(|role| role.decode()),
            b"type" => kind = reader.string()?.map(|kind| kind.decode()),
            b"content" => part::content(reader, origin, &mut parts)?,
            _ => {}
        }
        Ok::<_, Failure>(())
    })?;
    if !is_object {
        return Err(invalid(&format!("/input/{}", origin.message), "an object"));
    }
    if matches!(kind.as_deref(), None | Some("message")) {
        let speaker = match role.as_deref() {
            Some("user") => Speaker::User,
            Some("assistant") => Speaker::Assistant,
            Some("system" | "developer") => Speaker::System,
            _ => {
                let form = "`user`, `assistant`, `system` or `developer`";
                return Err(invalid(&format!("/input/{}/role", origin.message), form));
            }
        };
        return Ok(Turn { speaker, parts });
    }
    let (speaker, kind) = special(&whole.clone().value()?, kind.as_deref().unwrap_or_default(), origin)?;
    Ok(Turn { speaker, parts: vec![Part::new(kind).at(origin)] })
}

/// An item that is no message.
fn special<'a>(item: &Value<'a>, kind: &str, origin: Origin) -> Result<(Speaker, PartKind<'a>), Failure> {
    let text = |key| item.get(key).and_then(|text| text.as_str());
    Ok(match kind {
        "function_call" | "custom_tool_call" => match call(item) {
            Some(call) => (Speaker::Assistant, call),
            None => return Err(invalid(&format!("/input/{}/name", origin.message), "the tool's name")),
        },
        "function_call_output" | "custom_tool_call_output" => {
            let mut content = Vec::new();
            if let Some(output) = item.get("output") {
                part::content(&mut Reader::of(&output), origin, &mut content)?;
            }
            // The parts of a result have no place of their own.
            content.iter_mut().for_each(|part| part.origin = origin);
            let call = text("call_id").unwrap_or_default();
            (Speaker::User, PartKind::ToolResult { call, name: text("name"), content, is_error: false })
        }
        "reasoning" => (Speaker::Assistant, reasoning(item)),
        other => {
            let speaker = if other.ends_with("_output") { Speaker::User } else { Speaker::Assistant };
            (speaker, PartKind::Foreign(other.to_owned().into()))
        }
    })
}

/// The call that an item is.
pub(in crate::openai_responses::chat) fn call<'a>(item: &Value<'a>) -> Option<PartKind<'a>> {
    let text = |key| item.get(key).and_then(|text| text.as_str());
    // The input of a tool that takes text is no JSON; as a string it is.
    let quoted = |input: std::borrow::Cow<'_, str>| -> Json<'a> {
        String::from_utf8(quote(&input).into()).unwrap_or_default().into()
    };
    // Some send the object itself in place of its text.
    let object = item.get("arguments").filter(|arguments| arguments.kind() == Kind::Object);
    let object = || object.map(|object| object.source());
    let arguments =
        text("arguments").or_else(object).or_else(|| text("input").map(quoted)).unwrap_or_default();
    let id = text("call_id").unwrap_or_default();
    Some(PartKind::ToolCall { id, name: text("name")?, arguments, signature: None })
}

/// The reasoning that an item is. What proves it to its provider is bound to the item, and so has its id.
pub(in crate::openai_responses::chat) fn reasoning<'a>(item: &Value<'a>) -> PartKind<'a> {
    let mut texts = Vec::new();
    for list in ["summary", "content"] {
        let parts = item.get(list).into_iter().flat_map(|parts| parts.elements());
        texts.extend(parts.filter_map(|part| part.get("text")?.as_str()).filter(|text| !text.is_empty()));
    }
    let signature = seal(item).map(|sealed| signature(&sealed));
    let text = match texts.len() {
        0 | 1 => texts.pop().unwrap_or_default(),
        _ => texts.join("\n\n").into(),
    };
    match signature {
        Some(signature) if text.is_empty() => PartKind::SealedReasoning(signature),
        signature => PartKind::Reasoning { text, signature },
    }
}

/// What an item brings back of its provider: mostly this dialect's own; another dialect's, which an answer of ours has
/// given out, bears its name.
fn signature(sealed: &str) -> Signature<'static> {
    let data = sealed.split_once(':').map_or(sealed, |(_, data)| data);
    let other = data.split_once(':').and_then(|(name, data)| {
        Some(Signature { data: data.to_owned().into(), from: Dialect::of_name(name)? })
    });
    other.unwrap_or_else(|| Signature { data: sealed.to_owned().into(), from: Dialect::OpenAiResponses })
}
