//! The texts of a chat request: messages, earlier tool calls, offered tools.
//!
//! A repeated key is visited each time: which one a provider reads is not known, and a text that a mask has not
//! seen must not reach one.

use bytes::Bytes;
use gatewright::{EditError, Placement, Role, TextKind};

use crate::document::{Site, descriptions};
use crate::json::{JsonStr, Kind, Patches, Reader, Value, quote_into};

type Result<T = (), E = EditError> = std::result::Result<T, E>;
type Sink<'s, 'a> = &'s mut dyn FnMut(Site<'a>);

/// Shows all texts of a chat request, in order.
pub(super) fn texts<'a>(text: &'a [u8], sink: Sink<'_, 'a>) -> Result {
    Reader::new(text).object(|reader, key| match key.bytes().as_ref() {
        b"messages" => messages(reader, sink),
        b"tools" | b"functions" => descriptions(reader, sink),
        b"prediction" => {
            reader.object(|reader, key| match key.bytes().as_ref() {
                b"content" => content(reader, Role::Assistant, &"/prediction/content", sink),
                _ => Ok(()),
            })?;
            Ok(())
        }
        _ => Ok(()),
    })?;
    Ok(())
}

fn messages<'a>(reader: &mut Reader<'a>, sink: Sink<'_, 'a>) -> Result {
    let is_array = reader.array(|reader, index| message(reader, index, sink))?;
    if is_array { Ok(()) } else { malformed(&"/messages", "it must be an array") }
}

fn message<'a>(reader: &mut Reader<'a>, index: usize, sink: Sink<'_, 'a>) -> Result {
    let whole = reader.clone();
    let mut role = None;
    let is_object = reader.object(|reader, key| {
        let key = key.decode();
        if key == "role" {
            role = role.or(Some(role_named(reader.string()?)));
            return Ok(());
        }
        if !matches!(
            key.as_ref(),
            "content" | "refusal" | "reasoning" | "reasoning_content" | "tool_calls" | "function_call"
        ) {
            return Ok(());
        }
        let role = match role {
            Some(role) => role,
            // The role stands behind the text: look ahead.
            None => *role.insert(role_of(&whole.clone().value()?)),
        };
        match key.as_ref() {
            "tool_calls" => tool_calls(reader, role, sink),
            "function_call" => arguments(reader, role, sink),
            _ => content(reader, role, &format_args!("/messages/{index}/{key}"), sink),
        }
    })?;
    if is_object { Ok(()) } else { malformed(&format_args!("/messages/{index}"), "it must be an object") }
}

/// A text, or parts of which some have texts.
fn content<'a>(
    reader: &mut Reader<'a>,
    role: Role,
    pointer: &dyn std::fmt::Display,
    sink: Sink<'_, 'a>,
) -> Result {
    let mut give = |text| sink(Site { role, kind: TextKind::Content, text });
    match reader.kind() {
        Some(Kind::String) => reader.string()?.into_iter().for_each(give),
        Some(Kind::Array) => {
            reader.array(|reader, index| {
                if reader.kind() == Some(Kind::String) {
                    reader.string()?.into_iter().for_each(&mut give);
                    return Ok(());
                }
                let is_object = reader.object(|reader, key| {
                    if matches!(key.bytes().as_ref(), b"text" | b"refusal") {
                        reader.string()?.into_iter().for_each(&mut give);
                    }
                    Ok::<_, EditError>(())
                })?;
                let part = format_args!("{pointer}/{index}");
                if is_object { Ok(()) } else { malformed(&part, "it must be an object") }
            })?;
        }
        Some(Kind::Null) => {}
        _ => return malformed(pointer, "it must be a string or an array of parts"),
    }
    Ok(())
}

fn tool_calls<'a>(reader: &mut Reader<'a>, role: Role, sink: Sink<'_, 'a>) -> Result {
    reader.array(|reader, _| {
        reader.object(|reader, key| match key.bytes().as_ref() {
            b"function" | b"custom" => arguments(reader, role, sink),
            _ => Ok(()),
        })?;
        Ok::<_, EditError>(())
    })?;
    Ok(())
}

fn arguments<'a>(reader: &mut Reader<'a>, role: Role, sink: Sink<'_, 'a>) -> Result {
    reader.object(|reader, key| {
        if matches!(key.bytes().as_ref(), b"arguments" | b"input")
            && let Some(text) = reader.string()?
        {
            sink(Site { role, kind: TextKind::ToolArguments, text });
        }
        Ok::<_, EditError>(())
    })?;
    Ok(())
}

fn role_of(message: &Value<'_>) -> Role {
    role_named(message.get("role").and_then(|role| role.json_str()))
}

/// Whoever is not known is an end user, whose words are trusted least.
pub(crate) fn role_named(name: Option<JsonStr<'_>>) -> Role {
    let name = name.map(|name| name.decode());
    match name.as_deref() {
        Some("system" | "developer") => Role::System,
        Some("assistant") => Role::Assistant,
        Some("tool" | "function") => Role::Tool,
        _ => Role::User,
    }
}

pub(crate) fn malformed<T>(pointer: &dyn std::fmt::Display, reason: &str) -> Result<T> {
    Err(EditError::Malformed { pointer: pointer.to_string(), reason: reason.to_owned() })
}

/// The patches that put a message in.
///
/// A system text takes the name, `system` or `developer`, of the leading ones that are there. A user text goes
/// before the first message that is not a leading system text, or to the end.
pub(super) fn insert(text: &Bytes, role: Role, at: Placement, new: &str) -> Result<Patches> {
    let root = Value::of_checked(text);
    let mut patches = Patches::new();
    for messages in root.members().filter(|member| member.key.is("messages")) {
        insert_into(&messages.value, role, at, new, &mut patches)?;
    }
    Ok(patches)
}

fn insert_into(messages: &Value<'_>, role: Role, at: Placement, new: &str, patches: &mut Patches) -> Result {
    let first_other = messages.elements().find(|message| role_of(message) != Role::System);
    let first = messages.elements().next();
    let before = match (role, at) {
        (Role::System, Placement::First) => first,
        (Role::System, Placement::Last) | (Role::User, Placement::First) => first_other,
        (Role::User, Placement::Last) => None,
        (Role::Assistant, _) => return Err(EditError::NoPlace { what: "an assistant text" }),
        (Role::Tool, _) => return Err(EditError::NoPlace { what: "a tool text" }),
    };
    let leads =
        first.filter(|message| role_of(message) == Role::System).and_then(|message| message.get("role"));
    let name = match (role, leads.and_then(|role| role.as_str())) {
        (Role::System, Some(name)) if name == "developer" => "developer",
        (Role::System, _) => "system",
        _ => "user",
    };
    let mut message = format!(r#"{{"role":"{name}","content":"#).into_bytes();
    quote_into(&mut message, new);
    message.push(b'}');
    match (before, messages.elements().last()) {
        (Some(next), _) => {
            message.push(b',');
            patches.insert(next.span().start, message);
        }
        (None, Some(last)) => {
            message.insert(0, b',');
            patches.insert(last.span().end, message);
        }
        (None, None) => patches.insert(messages.span().start + 1, message),
    }
    Ok(())
}
