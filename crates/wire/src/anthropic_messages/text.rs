//! The texts of a request: system, messages, earlier tool calls and their results, offered tools.
//!
//! A repeated key is visited each time: which one a provider reads is not known, and a text that a mask has not
//! seen must not reach one. Reasoning is not visited: it is sealed by a signature, goes back to who made it, and
//! would be refused if a letter of it changed.

use bytes::Bytes;
use gatewright::{EditError, Placement, Role, TextKind};

use crate::document::{Site, descriptions};
use crate::json::{JsonStr, Kind, ObjectEdit, Patches, Reader, Value, quote_into};

type Result<T = (), E = EditError> = std::result::Result<T, E>;
type Sink<'s, 'a> = &'s mut dyn FnMut(Site<'a>);

/// Shows all texts of a request, in order.
pub(super) fn texts<'a>(text: &'a [u8], sink: Sink<'_, 'a>) -> Result {
    Reader::new(text).object(|reader, key| match key.bytes().as_ref() {
        b"system" => content(reader, Role::System, &"/system", sink),
        b"messages" => messages(reader, sink),
        b"tools" => descriptions(reader, sink),
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
        if key.is("role") {
            role = role.or(Some(role_named(reader.string()?)));
            return Ok(());
        }
        if !key.is("content") {
            return Ok(());
        }
        let role = match role {
            Some(role) => role,
            // The role stands behind the text: look ahead.
            None => *role.insert(role_of(&whole.clone().value()?)),
        };
        content(reader, role, &format_args!("/messages/{index}/content"), sink)
    })?;
    if is_object { Ok(()) } else { malformed(&format_args!("/messages/{index}"), "it must be an object") }
}

/// A text, or blocks of which some have texts.
fn content<'a>(
    reader: &mut Reader<'a>,
    role: Role,
    pointer: &dyn std::fmt::Display,
    sink: Sink<'_, 'a>,
) -> Result {
    match reader.kind() {
        Some(Kind::String) => {
            let give = |text| sink(Site { role, kind: TextKind::Content, text });
            reader.string()?.into_iter().for_each(give);
        }
        Some(Kind::Array) => {
            reader.array(|reader, index| {
                if reader.kind() != Some(Kind::Object) {
                    return malformed(&format_args!("{pointer}/{index}"), "it must be an object");
                }
                block(&reader.value()?, role, sink);
                Ok(())
            })?;
        }
        Some(Kind::Null) => {}
        _ => return malformed(pointer, "it must be a string or an array of blocks"),
    }
    Ok(())
}

/// The texts of a block. What it is called decides only about results: anything else is known by its members, so
/// that a block of a kind that nobody knows yet is read too.
fn block<'a>(block: &Value<'a>, role: Role, sink: Sink<'_, 'a>) {
    let is_result = block.get("type").and_then(|kind| kind.json_str()).is_some_and(|kind| is_result(&kind));
    let inner = if is_result { Role::Tool } else { role };
    for member in block.members() {
        let mut give = |text, kind| sink(Site { role: inner, kind, text });
        match member.key.bytes().as_ref() {
            b"text" | b"title" | b"context" => {
                member.value.json_str().into_iter().for_each(|text| give(text, TextKind::Content));
            }
            b"input" if member.value.kind() == Kind::Object => {
                give(member.value.source_str(), TextKind::ToolArguments);
            }
            b"content" => match member.value.json_str() {
                Some(text) => give(text, TextKind::Content),
                None => {
                    member.value.elements().for_each(|inside| self::block(&inside, inner, sink));
                }
            },
            b"source" => source(&member.value, inner, sink),
            _ => {}
        }
    }
}

/// The texts of a document that stands in the request itself as text or blocks.
fn source<'a>(value: &Value<'a>, role: Role, sink: Sink<'_, 'a>) {
    let [kind, data, content] = value.pick(["type", "data", "content"]);
    let is = |name| kind.and_then(|kind| kind.json_str()).is_some_and(|kind| kind.is(name));
    let mut give = |text| sink(Site { role, kind: TextKind::Content, text });
    if is("text") {
        data.and_then(|data| data.json_str()).into_iter().for_each(give);
    } else if let Some(content) = content {
        match content.json_str() {
            Some(text) => give(text),
            None => content.elements().for_each(|inside| block(&inside, role, sink)),
        }
    }
}

fn is_result(kind: &JsonStr<'_>) -> bool {
    kind.decode().ends_with("tool_result")
}

fn role_of(message: &Value<'_>) -> Role {
    role_named(message.get("role").and_then(|role| role.json_str()))
}

/// Whoever is not known is an end user, whose words are trusted least.
fn role_named(name: Option<JsonStr<'_>>) -> Role {
    let name = name.map(|name| name.decode());
    match name.as_deref() {
        Some("system") => Role::System,
        Some("assistant") => Role::Assistant,
        _ => Role::User,
    }
}

fn malformed<T>(pointer: &dyn std::fmt::Display, reason: &str) -> Result<T> {
    Err(EditError::Malformed { pointer: pointer.to_string(), reason: reason.to_owned() })
}

/// The patches that put a text in.
///
/// A system text becomes a block of `system`; a user text a message before the first one, or at the end.
pub(super) fn insert(text: &Bytes, role: Role, at: Placement, new: &str) -> Result<Patches> {
    let root = Value::of_checked(text);
    match role {
        Role::System => Ok(insert_system(&root, at, new)),
        Role::User => Ok(insert_user(&root, at, new)),
        Role::Assistant => Err(EditError::NoPlace { what: "an assistant text" }),
        Role::Tool => Err(EditError::NoPlace { what: "a tool text" }),
    }
}

fn insert_system(root: &Value<'_>, at: Placement, new: &str) -> Patches {
    let block = text_block(new);
    let mut patches = Patches::new();
    let mut is_there = false;
    for member in root.members().filter(|member| member.key.is("system")) {
        is_there = true;
        let value = member.value;
        match value.kind() {
            Kind::Array => insert_element(&value, at, block.clone(), &mut patches),
            Kind::String => {
                // The text that is there becomes a block beside the new one, in the bytes in which it stands.
                let (before, after) = (&br#"{"type":"text","text":"#[..], &b"}"[..]);
                let (head, tail) = match at {
                    Placement::First => ([b"[", &*block, b",", before].concat(), [after, b"]"].concat()),
                    Placement::Last => ([b"[", before].concat(), [after, b",", &*block, b"]"].concat()),
                };
                patches.insert(value.span().start, head);
                patches.insert(value.span().end, tail);
            }
            Kind::Object | Kind::Number | Kind::Bool | Kind::Null => {
                patches.replace(value.span(), [b"[", &*block, b"]"].concat());
            }
        }
    }
    if !is_there {
        let edit = ObjectEdit::new().set("system", [b"[", &*block, b"]"].concat());
        // A checked request is an object, so that the edit has a place.
        patches.append(&edit.patches(root).unwrap_or_default());
    }
    patches
}

fn insert_user(root: &Value<'_>, at: Placement, new: &str) -> Patches {
    let mut message = br#"{"role":"user","content":"#.to_vec();
    quote_into(&mut message, new);
    message.push(b'}');
    let mut patches = Patches::new();
    for messages in root.members().filter(|member| member.key.is("messages")) {
        insert_element(&messages.value, at, message.clone(), &mut patches);
    }
    patches
}

fn text_block(text: &str) -> Vec<u8> {
    let mut block = br#"{"type":"text","text":"#.to_vec();
    quote_into(&mut block, text);
    block.push(b'}');
    block
}

fn insert_element(list: &Value<'_>, at: Placement, mut element: Vec<u8>, patches: &mut Patches) {
    let neighbour = match at {
        Placement::First => list.elements().next(),
        Placement::Last => list.elements().last(),
    };
    match (neighbour, at) {
        (Some(next), Placement::First) => {
            element.push(b',');
            patches.insert(next.span().start, element);
        }
        (Some(last), Placement::Last) => {
            element.insert(0, b',');
            patches.insert(last.span().end, element);
        }
        (None, _) => patches.insert(list.span().start + 1, element),
    }
}
