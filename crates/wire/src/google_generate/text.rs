//! The texts of a request: instructions, contents, offered tools.
//!
//! A repeated member is visited each time, and so are both spellings of its name: which one a provider reads is not
//! known, and a text that a mask has not seen must not reach one.

use bytes::Bytes;
use gatewright::{EditError, Placement, RequestCounts, Role, TextKind};

use crate::document::{Site, camel, descriptions};
use crate::json::{JsonError, JsonStr, Kind, ObjectEdit, Patches, Reader, Value, quote_into};

type Result<T = (), E = EditError> = std::result::Result<T, E>;
type Sink<'s, 'a> = &'s mut dyn FnMut(Site<'a>);

/// The spelling of a key that this dialect's modules compare.
pub(super) fn name<'a>(key: &JsonStr<'a>) -> std::borrow::Cow<'a, str> {
    camel(key.decode())
}

/// Reads the items of a list, or the one item that stands without brackets.
pub(super) fn each<'a, E: From<JsonError>>(
    reader: &mut Reader<'a>,
    mut item: impl FnMut(&mut Reader<'a>, usize) -> Result<(), E>,
) -> Result<(), E> {
    match reader.kind() {
        Some(Kind::Array) => reader.array(item).map(|_| ()),
        Some(Kind::Object) => item(reader, 0),
        _ => Ok(()),
    }
}

/// The items of a list, or the one item that stands without brackets.
pub(super) fn items<'a>(list: &Value<'a>) -> impl Iterator<Item = Value<'a>> {
    let single = (list.kind() == Kind::Object).then_some(*list);
    list.elements().chain(single)
}

/// Shows all texts of a request, in order.
pub(super) fn texts<'a>(text: &'a [u8], sink: Sink<'_, 'a>) -> Result {
    request(&mut Reader::new(text), sink)
}

/// A request, or the one that stands in a request for a count of its tokens.
fn request<'a>(reader: &mut Reader<'a>, sink: Sink<'_, 'a>) -> Result {
    reader.object(|reader, key| match name(&key).as_ref() {
        "generateContentRequest" => request(reader, sink),
        "systemInstruction" => content(reader, Some(Role::System), &"/systemInstruction", sink),
        "contents" => {
            each(reader, |reader, index| content(reader, None, &format_args!("/contents/{index}"), sink))
        }
        "tools" => descriptions(reader, sink),
        _ => Ok(()),
    })?;
    Ok(())
}

/// Somebody's parts. Whose they are stands there, unless `role` says it.
fn content<'a>(
    reader: &mut Reader<'a>,
    role: Option<Role>,
    pointer: &dyn std::fmt::Display,
    sink: Sink<'_, 'a>,
) -> Result {
    let whole = reader.clone();
    let mut known = role;
    let is_object = reader.object(|reader, key| {
        if name(&key) != "parts" {
            return Ok(());
        }
        let role = match known {
            Some(role) => role,
            None => *known.insert(role_of(&whole.clone().value()?)),
        };
        each(reader, |reader, _| part(reader, role, sink))
    })?;
    if is_object {
        return Ok(());
    }
    let reason = "it must be an object with `parts`".to_owned();
    Err(EditError::Malformed { pointer: pointer.to_string(), reason })
}

fn part<'a>(reader: &mut Reader<'a>, role: Role, sink: Sink<'_, 'a>) -> Result {
    reader.object(|reader, key| match name(&key).as_ref() {
        "text" => string(reader, role, sink),
        "functionCall" => member(reader, "args", &mut |reader| {
            let arguments = reader.value()?;
            if arguments.kind() == Kind::Object {
                sink(Site { role, kind: TextKind::ToolArguments, text: arguments.source_str() });
            }
            Ok(())
        }),
        "functionResponse" => member(reader, "response", &mut |reader| strings(reader, sink)),
        "executableCode" => member(reader, "code", &mut |reader| string(reader, role, sink)),
        "codeExecutionResult" => member(reader, "output", &mut |reader| string(reader, role, sink)),
        _ => Ok(()),
    })?;
    Ok(())
}

/// Shows the member `wanted` to `read`, each time that it stands there.
fn member<'a>(
    reader: &mut Reader<'a>,
    wanted: &str,
    read: &mut dyn FnMut(&mut Reader<'a>) -> Result,
) -> Result {
    reader.object(|reader, key| if name(&key) == wanted { read(reader) } else { Ok(()) })?;
    Ok(())
}

fn string<'a>(reader: &mut Reader<'a>, role: Role, sink: Sink<'_, 'a>) -> Result {
    if let Some(text) = reader.string()? {
        sink(Site { role, kind: TextKind::Content, text });
    }
    Ok(())
}

/// Every string in what a tool answered, however deep.
fn strings<'a>(reader: &mut Reader<'a>, sink: Sink<'_, 'a>) -> Result {
    match reader.kind() {
        Some(Kind::Array) => reader.array(|reader, _| strings(reader, sink)).map(|_| ()),
        Some(Kind::Object) => reader.object(|reader, _| strings(reader, sink)).map(|_| ()),
        _ => string(reader, Role::Tool, sink),
    }
}

/// Whose a content is: what has results of tools in it is the tools', and whoever is not known is an end user, whose
/// words are trusted least.
fn role_of(content: &Value<'_>) -> Role {
    let role = content.get("role").and_then(|role| role.as_str());
    match role.as_deref() {
        Some("model") => Role::Assistant,
        Some("function") => Role::Tool,
        Some("system") => Role::System,
        _ => Role::User,
    }
}

// === Insertion ===

/// The patches that put a text in: a system text into the instructions, a user text as a content before or after all
/// others.
pub(super) fn insert(text: &Bytes, role: Role, at: Placement, new: &str) -> Result<Patches> {
    let root = Value::of_checked(text);
    let mut part = br#"{"text":"#.to_vec();
    quote_into(&mut part, new);
    part.push(b'}');
    let mut patches = Patches::new();
    match role {
        Role::System => insert_system(&root, at, &part, &mut patches),
        Role::User => {
            let content = [br#"{"role":"user","parts":["#.as_slice(), &part, b"]}"].concat();
            for contents in root.members().filter(|member| member.key.is("contents")) {
                insert_into(&contents.value, at, &content, &mut patches);
            }
        }
        Role::Assistant => return Err(EditError::NoPlace { what: "an assistant text" }),
        Role::Tool => return Err(EditError::NoPlace { what: "a tool text" }),
    }
    Ok(patches)
}

fn insert_system(root: &Value<'_>, at: Placement, part: &[u8], patches: &mut Patches) {
    let instructions = [br#"{"parts":["#.as_slice(), part, b"]}"].concat();
    let mut is_there = false;
    for system in root.members().filter(|member| name(&member.key) == "systemInstruction") {
        is_there = true;
        if system.value.kind() != Kind::Object {
            patches.replace(system.value.span(), &instructions);
            continue;
        }
        let mut has_parts = false;
        for parts in system.value.members().filter(|member| member.key.is("parts")) {
            has_parts = true;
            insert_into(&parts.value, at, part, patches);
        }
        if !has_parts {
            let list = [b"[".as_slice(), part, b"]"].concat();
            let edit = ObjectEdit::new().set("parts", list).patches(&system.value);
            patches.append(&edit.unwrap_or_default());
        }
    }
    if !is_there {
        let edit = ObjectEdit::new().set("systemInstruction", instructions).patches(root);
        patches.append(&edit.unwrap_or_default());
    }
}

/// Puts an item before or after all others of a list, or beside the one that stands without brackets.
fn insert_into(list: &Value<'_>, at: Placement, item: &[u8], patches: &mut Patches) {
    let span = list.span();
    match (list.kind(), at) {
        (Kind::Array, Placement::First) => {
            let comma: &[u8] = if list.has_children() { b"," } else { b"" };
            patches.insert(span.start + 1, [item, comma].concat());
        }
        (Kind::Array, Placement::Last) => match list.elements().last() {
            Some(last) => patches.insert(last.span().end, [b",", item].concat()),
            None => patches.insert(span.start + 1, item),
        },
        (Kind::Object, Placement::First) => {
            patches.insert(span.start, [b"[", item, b","].concat());
            patches.insert(span.end, b"]");
        }
        (Kind::Object, Placement::Last) => {
            patches.insert(span.start, b"[");
            patches.insert(span.end, [b",", item, b"]"].concat());
        }
        _ => patches.replace(span, [b"[", item, b"]"].concat()),
    }
}

// === Counting ===

/// Counts what can be counted in a request.
pub(super) fn counts(root: &Value<'_>) -> RequestCounts {
    let mut counts = RequestCounts::default();
    for member in root.members() {
        match name(&member.key).as_ref() {
            "contents" => items(&member.value).for_each(|content| count_content(&content, &mut counts)),
            "tools" => counts.tools += items(&member.value).map(|tool| count_tools(&tool)).sum::<usize>(),
            _ => {}
        }
    }
    counts
}

/// A tool holds declarations of functions, and beside them each member is a tool of its own.
fn count_tools(tool: &Value<'_>) -> usize {
    tool.members()
        .map(|member| match name(&member.key).as_ref() {
            "functionDeclarations" => items(&member.value).count(),
            _ => 1,
        })
        .sum()
}

fn count_content(content: &Value<'_>, counts: &mut RequestCounts) {
    counts.messages += 1;
    for parts in content.members().filter(|member| member.key.is("parts")) {
        for member in items(&parts.value).flat_map(|part| part.members()) {
            if !matches!(name(&member.key).as_ref(), "inlineData" | "fileData") {
                continue;
            }
            let mime = member.value.members().find(|member| name(&member.key) == "mimeType");
            let mime = mime.and_then(|mime| mime.value.as_str());
            if mime.is_some_and(|mime| mime.starts_with("image/")) {
                counts.images += 1;
            } else {
                counts.files += 1;
            }
        }
    }
}
