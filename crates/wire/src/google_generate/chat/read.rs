//! Requests, read.

use std::borrow::Cow;

use gatewright::chat::{Chat, Origin, Param, Part, Setting, Speaker, Tool, ToolChoice, ToolKind, Turn};
use gatewright::{Failure, FailureKind, Side};

use super::super::text::{items, name};
use super::part::{self, member, object, source, string};
use super::{INSTRUCTIONS, schema, setting};
use crate::json::{Kind, Value};

/// Reads a request. The model and whether the answer is a stream stand in its path.
pub(super) fn request(body: &[u8]) -> Result<Chat<'_>, Failure> {
    let root = Value::parse(body)?;
    let mut chat = Chat::default();
    for member in root.members() {
        let (key, value) = (name(&member.key), member.value);
        match key.as_ref() {
            _ if value.is_null() => {}
            "contents" => chat.turns = turns(&value),
            "systemInstruction" => chat.system = instructions(&value),
            "tools" => tools(&value, &mut chat.tools),
            "toolConfig" => tool_config(&value, &mut chat),
            "generationConfig" => setting::read(&value, &mut chat),
            "safetySettings" => set(&mut chat, Param::Safety, &value),
            "labels" => set(&mut chat, Param::Metadata, &value),
            "serviceTier" => set(&mut chat, Param::ServiceTier, &value),
            "store" => set(&mut chat, Param::Store, &value),
            // A part of the conversation stands in it, so that nothing is right without it.
            "cachedContent" => return Err(cached_content()),
            _ => chat.unknown.push(pointer(&["", &member.key.decode()])),
        }
    }
    Ok(chat)
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
    let escaped = tokens.iter().map(|token| token.replace('~', "~0").replace('/', "~1"));
    Cow::Owned(escaped.collect::<Vec<_>>().join("/"))
}

/// The parts of a content, which may be a bare string where it is the instructions.
fn parts<'a>(content: &Value<'a>, message: u32) -> Vec<Part<'a>> {
    if let Some(text) = content.as_str() {
        return vec![Part::text(text).at(Origin { message, part: None })];
    }
    let mut parts = Vec::new();
    if let Some(list) = member(content, "parts") {
        for (index, part) in items(&list).enumerate() {
            let origin = Origin { message, part: u32::try_from(index).ok() };
            part::read(&part, origin, &mut parts);
        }
    }
    parts
}

fn instructions<'a>(value: &Value<'a>) -> Vec<Part<'a>> {
    parts(value, INSTRUCTIONS)
}

fn turns<'a>(contents: &Value<'a>) -> Vec<Turn<'a>> {
    // Calls and results without ids stay without: who writes another dialect pairs them by name and order.
    let read = |(message, content): (usize, Value<'a>)| {
        let message = u32::try_from(message).unwrap_or(u32::MAX);
        let speaker = match string(&content, "role").as_deref() {
            Some("model") => Speaker::Assistant,
            Some("system") => Speaker::System,
            _ => Speaker::User,
        };
        Turn { speaker, parts: parts(&content, message) }
    };
    items(contents).enumerate().map(read).collect()
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
