//! Requests whose conversation is a list of messages with a `role` and a `content`, as several dialects have it.
//!
//! A repeated key is visited each time: which one a provider reads is not known, and a text that a mask has not
//! seen must not reach one.

use std::fmt::Display;

use bytes::Bytes;
use gatewright::{EditError, Placement, Role, TextKind};

use super::Site;
use crate::json::{JsonStr, Kind, Patches, Reader, Value, quote_into};

type Result<T = (), E = EditError> = std::result::Result<T, E>;
type Sink<'s, 'a> = &'s mut dyn FnMut(Site<'a>);

/// Where the messages of a dialect have texts.
pub(crate) struct MessageTexts {
    /// The members that have some.
    pub(crate) members: &'static [&'static str],
    /// Shows the texts of one of them, of a message with this role at this pointer.
    pub(crate) show: Show,
}

/// Shows the texts of the member of this name, of a message with this role.
type Show = for<'a> fn(&mut Reader<'a>, (&str, Role), &dyn Display, Sink<'_, 'a>) -> Result;

/// Shows the texts of all messages, in order.
pub(crate) fn texts<'a>(reader: &mut Reader<'a>, where_: &MessageTexts, sink: Sink<'_, 'a>) -> Result {
    let is_array = reader.array(|reader, index| message(reader, index, where_, sink))?;
    if is_array { Ok(()) } else { malformed(&"/messages", "it must be an array") }
}

fn message<'a>(reader: &mut Reader<'a>, index: usize, where_: &MessageTexts, sink: Sink<'_, 'a>) -> Result {
    let whole = reader.clone();
    let mut role = None;
    let is_object = reader.object(|reader, key| {
        let key = key.decode();
        if key == "role" {
            role = role.or(Some(role_named(reader.string()?)));
            return Ok(());
        }
        if !where_.members.contains(&key.as_ref()) {
            return Ok(());
        }
        let role = match role {
            Some(role) => role,
            // The role stands behind the text: look ahead.
            None => *role.insert(role_of(&whole.clone().value()?)),
        };
        (where_.show)(reader, (&key, role), &format_args!("/messages/{index}/{key}"), sink)
    })?;
    if is_object { Ok(()) } else { malformed(&format_args!("/messages/{index}"), "it must be an object") }
}

/// Shows the arguments of calls, which are a text or an object.
pub(crate) fn calls<'a>(reader: &mut Reader<'a>, role: Role, sink: Sink<'_, 'a>) -> Result {
    reader.array(|reader, _| {
        reader.object(|reader, key| match key.bytes().as_ref() {
            b"function" | b"custom" => arguments(reader, role, sink),
            _ => Ok(()),
        })?;
        Ok::<_, EditError>(())
    })?;
    Ok(())
}

/// Shows the arguments of the call of a function.
pub(crate) fn arguments<'a>(reader: &mut Reader<'a>, role: Role, sink: Sink<'_, 'a>) -> Result {
    reader.object(|reader, key| {
        if matches!(key.bytes().as_ref(), b"arguments" | b"input") {
            let value = reader.value()?;
            let object = (value.kind() == Kind::Object).then(|| value.source_str());
            let text = value.json_str().or(object);
            text.into_iter().for_each(|text| sink(Site { role, kind: TextKind::ToolArguments, text }));
        }
        Ok::<_, EditError>(())
    })?;
    Ok(())
}

/// Shows every string in a value, however deep.
pub(crate) fn strings<'a>(reader: &mut Reader<'a>, role: Role, sink: Sink<'_, 'a>) -> Result {
    match reader.kind() {
        Some(Kind::Array) => drop(reader.array(|reader, _| strings(reader, role, sink))?),
        Some(Kind::Object) => drop(reader.object(|reader, _| strings(reader, role, sink))?),
        Some(Kind::String) => {
            let text = reader.string()?;
            text.into_iter().for_each(|text| sink(Site { role, kind: TextKind::Content, text }));
        }
        _ => {}
    }
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

pub(crate) fn malformed<T>(pointer: &dyn Display, reason: &str) -> Result<T> {
    Err(EditError::Malformed { pointer: pointer.to_string(), reason: reason.to_owned() })
}

/// The patches that put a message in.
///
/// A system text takes the name, `system` or `developer`, of the leading ones that are there. A user text goes
/// before the first message that is not a leading system text, or to the end.
pub(crate) fn insert(text: &Bytes, role: Role, at: Placement, new: &str) -> Result<Patches> {
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
