//! Requests, read.

use std::borrow::Cow;

use gatewright::chat::{Chat, Origin, Param, Part, Setting, Speaker, Tool, ToolChoice, ToolKind, Turn};
use gatewright::{Failure, FailureKind, Side};

use super::super::text::{each, items, name};
use super::part::{self, member, object, source, string};
use super::{INSTRUCTIONS, schema, setting};
use crate::document::pointer::token;
use crate::json::{JsonStr, Kind, Reader, Value};

/// Reads a request. The model and whether the answer is a stream stand in its path.
pub(super) fn request(body: &[u8]) -> Result<Chat<'_>, Failure> {
    let mut chat = Chat::default();
    let mut reader = Reader::new(body);
    reader.object(|reader, key| match (reader.kind(), name(&key).as_ref()) {
        (Some(Kind::Null), _) => Ok(()),
        (_, "contents") => {
            chat.turns = turns(reader)?;
            Ok(())
        }
        (_, member) => setting(&key, member, &reader.value()?, &mut chat),
    })?;
    reader.end()?;
    Ok(chat)
}

/// A member that is not the conversation; `name` is its key as the dialect spells it.
fn setting<'a>(key: &JsonStr<'a>, name: &str, value: &Value<'a>, chat: &mut Chat<'a>) -> Result<(), Failure> {
    match name {
        "systemInstruction" => chat.system = parts(&mut Reader::of(value), INSTRUCTIONS)?,
        "tools" => tools(value, &mut chat.tools),
        "toolConfig" => tool_config(value, chat),
        "generationConfig" => setting::read(key, value, chat)?,
        "safetySettings" => set(chat, Param::Safety, value),
        "labels" => set(chat, Param::Metadata, value),
        "serviceTier" => set(chat, Param::ServiceTier, value),
        "store" => set(chat, Param::Store, value),
        // A part of the conversation stands in it, so that nothing is right without it.
        "cachedContent" => return Err(cached_content()),
        _ => chat.unknown.push(pointer(&["", &key.decode()])),
    }
    Ok(())
}

fn set<'a>(chat: &mut Chat<'a>, param: Param, value: &Value<'a>) {
    chat.settings.push(Setting { param, value: source(value) });
}

fn cached_content() -> Failure {
    let message = "`cachedContent` is known to one provider only, and the model's provider is another one: send the \
                   content itself";
    let failure = Failure::new(Side::Client, FailureKind::Unsupported, message);
    Failure { param: Some("/cachedContent".into()), ..failure }
}

/// An RFC 6901 pointer.
pub(super) fn pointer<'a>(tokens: &[&str]) -> Cow<'a, str> {
    let escaped = tokens.iter().map(|name| token(name));
    Cow::Owned(escaped.collect::<Vec<_>>().join("/"))
}

/// The parts of a content, which may be a bare string where it is the instructions.
fn parts<'a>(reader: &mut Reader<'a>, message: u32) -> Result<Vec<Part<'a>>, Failure> {
    Ok(content(reader, message)?.1)
}

/// The role of a content, and its parts.
type Said<'a> = (Option<Cow<'a, str>>, Vec<Part<'a>>);

fn content<'a>(reader: &mut Reader<'a>, message: u32) -> Result<Said<'a>, Failure> {
    let (mut role, mut parts) = (None, Vec::new());
    if reader.kind() == Some(Kind::String) {
        let text = reader.string()?.map(|text| Part::text(text.decode()));
        parts.extend(text.map(|text| text.at(Origin { message, part: None })));
        return Ok((role, parts));
    }
    reader.object(|reader, key| {
        match name(&key).as_ref() {
            "role" => role = reader.string()?.map(|role| role.decode()),
            "parts" => {
                parts.clear();
                each(reader, |reader, index| {
                    let origin = Origin { message, part: u32::try_from(index).ok() };
                    part::read(&reader.value()?, origin, &mut parts);
                    Ok::<_, Failure>(())
                })?;
            }
            _ => {}
        }
        Ok::<_, Failure>(())
    })?;
    Ok((role, parts))
}

fn turns<'a>(reader: &mut Reader<'a>) -> Result<Vec<Turn<'a>>, Failure> {
    let mut turns = Vec::new();
    // Calls and results without ids stay without: who writes another dialect pairs them by name and order.
    each(reader, |reader, message| {
        let (role, parts) = content(reader, u32::try_from(message).unwrap_or(u32::MAX))?;
        let speaker = match role.as_deref() {
            Some("model") => Speaker::Assistant,
            Some("system") => Speaker::System,
            _ => Speaker::User,
        };
        turns.push(Turn { speaker, parts });
        Ok::<_, Failure>(())
    })?;
    Ok(turns)
}

fn tools<'a>(list: &Value<'a>, tools: &mut Vec<Tool<'a>>) {
    for (index, tool) in items(list).enumerate() {
        let origin = u32::try_from(index).unwrap_or(u32::MAX);
        for member in tool.members() {
            let key = name(&member.key);
            if key != "functionDeclarations" {
                tools.push(Tool { name: key, kind: ToolKind::BuiltIn, cache: None, origin });
                continue;
            }
            for declared in items(&member.value) {
                let name = string(&declared, "name").unwrap_or_default();
                let kind = ToolKind::Function {
                    description: string(&declared, "description"),
                    parameters: parameters(&declared),
                    strict: None,
                };
                tools.push(Tool { name, kind, cache: None, origin });
            }
        }
    }
}

fn parameters<'a>(declared: &Value<'a>) -> Option<Cow<'a, str>> {
    if let Some(schema) = object(declared, "parametersJsonSchema") {
        return Some(source(&schema));
    }
    object(declared, "parameters").map(|schema| Cow::Owned(schema::of_open_api(&schema)))
}

fn tool_config<'a>(config: &Value<'a>, chat: &mut Chat<'a>) {
    for config in config.members() {
        if name(&config.key) != "functionCallingConfig" {
            chat.unknown.push(pointer(&["", "toolConfig", &config.key.decode()]));
            continue;
        }
        let names: Vec<Cow<'a, str>> = member(&config.value, "allowedFunctionNames")
            .filter(|names| names.kind() == Kind::Array)
            .into_iter()
            .flat_map(|names| names.elements())
            .filter_map(|name| name.as_str())
            .collect();
        let mode = string(&config.value, "mode").unwrap_or_default();
        chat.tool_choice = Some(match (mode.to_ascii_uppercase().as_str(), names.as_slice()) {
            ("NONE", _) => ToolChoice::None,
            ("ANY", []) => ToolChoice::Required,
            ("ANY", [name]) => ToolChoice::Named(name.clone()),
            ("ANY", _) => ToolChoice::Among { names, required: true },
            ("VALIDATED", [_, ..]) => ToolChoice::Among { names, required: false },
            _ => ToolChoice::Auto,
        });
    }
}
