//! The texts of a request: instructions, items of the input, offered tools; where a text can be put in, and what can be
//! counted.
//!
//! A repeated key is visited each time, and an item of a type that is not known by what it has: a text that a mask has
//! not seen must not reach a provider.

use bytes::Bytes;
use gatewright::{EditError, Placement, RequestCounts, Role, TextKind};

use crate::document::messages::{malformed, role_named};
use crate::document::{Site, descriptions};
use crate::json::{Kind, Patches, Reader, Value, quote_into};

type Result<T = (), E = EditError> = std::result::Result<T, E>;
type Sink<'s, 'a> = &'s mut dyn FnMut(Site<'a>);

/// Shows all texts of a request, in order.
pub(super) fn texts<'a>(text: &'a [u8], sink: Sink<'_, 'a>) -> Result {
    Reader::new(text).object(|reader, key| match key.bytes().as_ref() {
        b"instructions" => content(reader, Role::System, sink),
        b"input" => input(reader, sink),
        b"tools" => descriptions(reader, sink),
        b"prompt" => {
            reader
                .object(|reader, key| if key.is("variables") { variables(reader, sink) } else { Ok(()) })?;
            Ok(())
        }
        _ => Ok(()),
    })?;
    Ok(())
}

fn input<'a>(reader: &mut Reader<'a>, sink: Sink<'_, 'a>) -> Result {
    match reader.kind() {
        Some(Kind::Array) => {
            reader.array(|reader, index| {
                let value = reader.value()?;
                if value.kind() != Kind::Object {
                    return malformed(&format_args!("/input/{index}"), "it must be an object");
                }
                item(&value, sink)
            })?;
            Ok(())
        }
        Some(Kind::String | Kind::Null) => content(reader, Role::User, sink),
        _ => malformed(&"/input", "it must be a string or an array of items"),
    }
}

/// Shows the texts of an item. Whose they are is told by the item's role or type, wherever these stand in it.
fn item<'a>(item: &Value<'a>, sink: Sink<'_, 'a>) -> Result {
    let role = role_of(item);
    Reader::of(item).object(|reader, key| match key.bytes().as_ref() {
        b"content" | b"summary" | b"output" | b"result" => content(reader, role, sink),
        b"arguments" | b"input" => {
            if let Some(text) = reader.string()? {
                sink(Site { role, kind: TextKind::ToolArguments, text });
            }
            Ok(())
        }
        b"tools" => descriptions(reader, sink),
        _ => Ok(()),
    })?;
    Ok(())
}

fn role_of(item: &Value<'_>) -> Role {
    if let Some(role) = item.get("role").and_then(|role| role.json_str()) {
        return role_named(Some(role));
    }
    match item.get("type").and_then(|kind| kind.as_str()).as_deref() {
        Some(kind) if kind.ends_with("_output") => Role::Tool,
        Some(kind) if kind.ends_with("_call") || kind == "reasoning" => Role::Assistant,
        _ => Role::User,
    }
}

/// A text, or parts of which some have texts.
fn content<'a>(reader: &mut Reader<'a>, role: Role, sink: Sink<'_, 'a>) -> Result {
    let mut give = |text| sink(Site { role, kind: TextKind::Content, text });
    if reader.kind() == Some(Kind::String) {
        reader.string()?.into_iter().for_each(give);
        return Ok(());
    }
    reader.array(|reader, _| {
        if reader.kind() == Some(Kind::String) {
            reader.string()?.into_iter().for_each(&mut give);
            return Ok(());
        }
        reader.object(|reader, key| {
            if matches!(key.bytes().as_ref(), b"text" | b"refusal" | b"stdout" | b"stderr") {
                reader.string()?.into_iter().for_each(&mut give);
            }
            Ok::<_, EditError>(())
        })?;
        Ok::<_, EditError>(())
    })?;
    Ok(())
}

/// What stands in the places of a stored prompt: texts, or parts that may have one.
fn variables<'a>(reader: &mut Reader<'a>, sink: Sink<'_, 'a>) -> Result {
    reader.object(|reader, _| {
        let value = reader.value()?;
        let text = value.json_str().or_else(|| value.get("text")?.json_str());
        text.into_iter().for_each(|text| sink(Site { role: Role::User, kind: TextKind::Input, text }));
        Ok::<_, EditError>(())
    })?;
    Ok(())
}

/// The patches that put a text in.
///
/// A system text that comes first goes before the instructions, if there are any; all others become items. A user text
/// goes before the first item that is not a leading system text, or to the end.
pub(super) fn insert(text: &Bytes, role: Role, at: Placement, new: &str) -> Result<Patches> {
    let root = Value::of_checked(text);
    match role {
        Role::Assistant => return Err(EditError::NoPlace { what: "an assistant text" }),
        Role::Tool => return Err(EditError::NoPlace { what: "a tool text" }),
        Role::System | Role::User => {}
    }
    let mut patches = Patches::new();
    let instructions = root.members().filter(|member| member.key.is("instructions"));
    let instructions: Vec<_> = instructions.filter_map(|member| member.value.json_str()).collect();
    let inputs: Vec<_> = root.members().filter(|member| member.key.is("input")).collect();
    let has_input = inputs.iter().any(|input| !input.value.is_null());
    if role == Role::System && !instructions.is_empty() && (at == Placement::First || !has_input) {
        for old in instructions {
            let old_text = old.decode();
            let whole = if at == Placement::First {
                format!("{new}\n\n{old_text}")
            } else {
                format!("{old_text}\n\n{new}")
            };
            patches.replace_str(old.span(), &whole);
        }
        return Ok(patches);
    }
    for input in &inputs {
        insert_into(&input.value, role, at, new, &mut patches);
    }
    if inputs.is_empty() {
        let key = if role == Role::System { "instructions" } else { "input" };
        let mut member = format!(r#""{key}":"#).into_bytes();
        quote_into(&mut member, new);
        if root.has_children() {
            member.push(b',');
        }
        patches.insert(root.span().start + 1, member);
    }
    Ok(patches)
}

fn insert_into(input: &Value<'_>, role: Role, at: Placement, new: &str, patches: &mut Patches) {
    let mut message = Vec::with_capacity(new.len() + 64);
    let name = if role == Role::System { "developer" } else { "user" };
    message.extend_from_slice(format!(r#"{{"role":"{name}","content":"#).as_bytes());
    quote_into(&mut message, new);
    message.push(b'}');
    if input.kind() != Kind::Array {
        let mut items = vec![b'['];
        let is_last = role == Role::User && at == Placement::Last;
        if is_last && input.kind() == Kind::String {
            items.extend_from_slice(&[br#"{"role":"user","content":"#, input.raw(), b"},"].concat());
        }
        items.extend_from_slice(&message);
        if !is_last && input.kind() == Kind::String {
            items.extend_from_slice(&[br#",{"role":"user","content":"#, input.raw(), b"}"].concat());
        }
        items.push(b']');
        return patches.replace(input.span(), items);
    }
    let before = match (role, at) {
        (Role::System, Placement::First) => input.elements().next(),
        (_, Placement::Last) if role != Role::System => None,
        _ => input.elements().find(|item| role_of(item) != Role::System),
    };
    match (before, input.elements().last()) {
        (Some(next), _) => {
            message.push(b',');
            patches.insert(next.span().start, message);
        }
        (None, Some(last)) => {
            message.insert(0, b',');
            patches.insert(last.span().end, message);
        }
        (None, None) => patches.insert(input.span().start + 1, message),
    }
}

/// Counts what can be counted. Every item of the input is a message.
pub(super) fn counts(root: &Value<'_>) -> RequestCounts {
    let mut counts = RequestCounts::default();
    for member in root.members() {
        if member.key.is("tools") {
            counts.tools += member.value.elements().count();
        } else if member.key.is("input") {
            counts.messages += usize::from(member.value.kind() == Kind::String);
            member.value.elements().for_each(|item| count_item(&item, &mut counts));
        }
    }
    counts
}

fn count_item(item: &Value<'_>, counts: &mut RequestCounts) {
    counts.messages += 1;
    let contents = item.members().filter(|member| member.key.is("content") || member.key.is("output"));
    for part in contents.flat_map(|content| content.value.elements()) {
        let kind = part.get("type").and_then(|kind| kind.as_str());
        let kind = kind.as_deref().unwrap_or_default();
        if kind.contains("image") {
            counts.images += 1;
        } else if kind.contains("file") || kind.contains("audio") {
            counts.files += 1;
        }
    }
}
