//! The texts of a request: instructions, messages, earlier tool calls and their results, offered tools.
//!
//! A repeated key is visited each time: which one a provider reads is not known, and a text that a mask has not
//! seen must not reach one.

use bytes::Bytes;
use gatewright::{EditError, Placement, Role, TextKind};

use super::out;
use crate::document::{Site, descriptions};
use crate::json::{Kind, Patches, Reader, Value};

type Result<T = (), E = EditError> = std::result::Result<T, E>;
type Sink<'s, 'a> = &'s mut dyn FnMut(Site<'a>);

/// Shows all texts of a request, in order.
pub(super) fn texts<'a>(text: &'a [u8], sink: Sink<'_, 'a>) -> Result {
    Reader::new(text).object(|reader, key| match key.bytes().as_ref() {
        b"system" => blocks(reader, Role::System, &"/system", sink),
        b"messages" => messages(reader, sink),
        b"toolConfig" => descriptions(reader, sink),
        b"promptVariables" => variables(reader, sink),
        _ => Ok(()),
    })?;
    Ok(())
}

fn messages<'a>(reader: &mut Reader<'a>, sink: Sink<'_, 'a>) -> Result {
    if reader.kind() == Some(Kind::Null) {
        return Ok(());
    }
    let is_array = reader.array(|reader, index| message(reader, index, sink))?;
    if is_array { Ok(()) } else { malformed(&"/messages", "it must be an array") }
}

fn message<'a>(reader: &mut Reader<'a>, index: usize, sink: Sink<'_, 'a>) -> Result {
    let role = role_of(&reader.clone().value()?);
    let is_object = reader.object(|reader, key| match key.bytes().as_ref() {
        b"content" => blocks(reader, role, &format_args!("/messages/{index}/content"), sink),
        _ => Ok(()),
    })?;
    if is_object { Ok(()) } else { malformed(&format_args!("/messages/{index}"), "it must be an object") }
}

/// Whoever is not known is an end user, whose words are trusted least.
pub(super) fn role_of(message: &Value<'_>) -> Role {
    role(message.get("role").and_then(|role| role.as_str()).as_deref())
}

/// Whose words those of a message are that has this role.
pub(super) fn role(word: Option<&str>) -> Role {
    match word {
        Some("system") => Role::System,
        Some("assistant") => Role::Assistant,
        _ => Role::User,
    }
}

/// Content blocks. Each member of one is looked at, whichever of them the provider takes for its kind.
fn blocks<'a>(
    reader: &mut Reader<'a>,
    role: Role,
    pointer: &dyn std::fmt::Display,
    sink: Sink<'_, 'a>,
) -> Result {
    if reader.kind() == Some(Kind::Null) {
        return Ok(());
    }
    let is_array = reader.array(|reader, index| {
        let is_object = reader.object(|reader, key| block(reader, &key.bytes(), (role, pointer), sink))?;
        let at = format_args!("{pointer}/{index}");
        if is_object { Ok(()) } else { malformed(&at, "it must be an object") }
    })?;
    if is_array { Ok(()) } else { malformed(pointer, "it must be an array of blocks") }
}

fn block<'a>(
    reader: &mut Reader<'a>,
    key: &[u8],
    (role, pointer): (Role, &dyn std::fmt::Display),
    sink: Sink<'_, 'a>,
) -> Result {
    let mut give = |reader: &mut Reader<'a>, kind| {
        let text = reader.string()?;
        text.into_iter().for_each(|text| sink(Site { role, kind, text }));
        Ok::<_, EditError>(())
    };
    match key {
        b"text" if reader.kind() == Some(Kind::String) => give(reader, TextKind::Content),
        // What a guard is to look at, and what a tool or the model says in a block of its own, hold texts as well.
        // Reasoning is signed, so that it is replayed as it is or not at all.
        b"text" | b"guardContent" | b"citationsContent" | b"searchResult" | b"source" => {
            nested(reader, (role, pointer), sink)?;
            Ok(())
        }
        b"document" => {
            reader.object(|reader, key| match key.bytes().as_ref() {
                b"source" => nested(reader, (role, pointer), sink),
                b"context" => {
                    let text = reader.string()?;
                    text.into_iter().for_each(|text| sink(Site { role, kind: TextKind::Content, text }));
                    Ok(())
                }
                _ => Ok(()),
            })?;
            Ok(())
        }
        b"toolUse" => {
            reader.object(|reader, key| match key.bytes().as_ref() {
                b"input" => {
                    let text = reader.value()?.source_str();
                    sink(Site { role, kind: TextKind::ToolArguments, text });
                    Ok(())
                }
                _ => Ok::<_, EditError>(()),
            })?;
            Ok(())
        }
        b"toolResult" => {
            reader.object(|reader, key| match key.bytes().as_ref() {
                b"content" => blocks(reader, Role::Tool, &format_args!("{pointer}/toolResult/content"), sink),
                _ => Ok(()),
            })?;
            Ok(())
        }
        b"json" if role == Role::Tool => {
            let text = reader.value()?.source_str();
            sink(Site { role, kind: TextKind::Content, text });
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The texts inside a block that holds others.
fn nested<'a>(reader: &mut Reader<'a>, at: (Role, &dyn std::fmt::Display), sink: Sink<'_, 'a>) -> Result {
    match reader.kind() {
        Some(Kind::Array) => reader.array(|reader, _| nested(reader, at, sink))?,
        _ => reader.object(|reader, key| match key.bytes().as_ref() {
            b"content" => nested(reader, at, sink),
            key => block(reader, key, at, sink),
        })?,
    };
    Ok(())
}

/// What is put into a stored prompt.
fn variables<'a>(reader: &mut Reader<'a>, sink: Sink<'_, 'a>) -> Result {
    reader.object(|reader, _| {
        reader.object(|reader, key| {
            if key.is("text")
                && let Some(text) = reader.string()?
            {
                sink(Site { role: Role::User, kind: TextKind::Input, text });
            }
            Ok::<_, EditError>(())
        })?;
        Ok::<_, EditError>(())
    })?;
    Ok(())
}

fn malformed<T>(pointer: &dyn std::fmt::Display, reason: &str) -> Result<T> {
    Err(EditError::Malformed { pointer: pointer.to_string(), reason: reason.to_owned() })
}

/// The patches that put a text in: a system text as a block of `system`, a user text as a block of the user's first
/// or last message, because roles alternate.
pub(super) fn insert(text: &Bytes, role: Role, at: Placement, new: &str) -> Result<Patches> {
    let root = Value::of_checked(text);
    let block = out::made(|block| block.text("text", new));
    let mut patches = Patches::new();
    match role {
        Role::System => into_system(&root, at, &block, &mut patches),
        Role::User => {
            for messages in root.members().filter(|member| member.key.is("messages")) {
                into_messages(&messages.value, at, &block, &mut patches)?;
            }
        }
        Role::Assistant => return Err(EditError::NoPlace { what: "an assistant text" }),
        Role::Tool => return Err(EditError::NoPlace { what: "a tool text" }),
    }
    Ok(patches)
}

fn into_system(root: &Value<'_>, at: Placement, block: &[u8], patches: &mut Patches) {
    let mut is_there = false;
    for system in root.members().filter(|member| member.key.is("system")) {
        is_there = true;
        if system.value.kind() == Kind::Array {
            into_array(&system.value, at, block, patches);
        } else {
            patches.replace(system.value.span(), [b"[", block, b"]"].concat());
        }
    }
    if !is_there {
        let comma: &[u8] = if root.has_children() { b"," } else { b"" };
        patches.insert(root.span().start + 1, [br#""system":["#, block, b"]", comma].concat());
    }
}

fn into_messages(messages: &Value<'_>, at: Placement, block: &[u8], patches: &mut Patches) -> Result {
    let is_users = |message: &Value<'_>| role_of(message) == Role::User;
    let whole = [br#"{"role":"user","content":["#, block, b"]}"].concat();
    let (place, message) = match at {
        Placement::First => (Placement::First, messages.elements().next()),
        Placement::Last => (Placement::Last, messages.elements().last()),
    };
    match message.filter(is_users).and_then(|message| message.get("content")) {
        // Results of tools lead their message, so that a text stands behind them.
        Some(content) if content.kind() == Kind::Array => {
            let leads = content.elements().next().is_some_and(|first| first.get("toolResult").is_some());
            into_array(&content, if leads { Placement::Last } else { place }, block, patches);
        }
        Some(content) => return malformed(&"/messages", &format!("content is {}", content.kind().noun())),
        None => into_array(messages, place, &whole, patches),
    }
    Ok(())
}

fn into_array(array: &Value<'_>, at: Placement, new: &[u8], patches: &mut Patches) {
    let edge = match at {
        Placement::First => array.elements().next().map(|first| first.span().start),
        Placement::Last => array.elements().last().map(|last| last.span().end),
    };
    match (at, edge) {
        (Placement::First, Some(start)) => patches.insert(start, [new, b","].concat()),
        (Placement::Last, Some(end)) => patches.insert(end, [b",", new].concat()),
        (_, None) => patches.insert(array.span().start + 1, new),
    }
}
