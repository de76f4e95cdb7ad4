//! The texts of a request: messages, plans, earlier tool calls and their results, documents, offered tools; and what can
//! be counted in it.

use std::fmt::Display;

use gatewright::{EditError, RequestCounts, Role, TextKind};

use crate::document::messages::{self, MessageTexts, malformed};
use crate::document::{Site, descriptions};
use crate::json::{Kind, Reader, Value};

type Result<T = (), E = EditError> = std::result::Result<T, E>;
type Sink<'s, 'a> = &'s mut dyn FnMut(Site<'a>);

static MESSAGES: MessageTexts = MessageTexts {
    members: &["content", "tool_plan", "tool_calls"],
    show: |reader, (key, role), pointer, sink| match key {
        "tool_calls" => messages::calls(reader, role, sink),
        _ => content(reader, role, pointer, sink),
    },
};

/// Shows all texts of a request, in order.
pub(super) fn texts<'a>(text: &'a [u8], sink: Sink<'_, 'a>) -> Result {
    Reader::new(text).object(|reader, key| match key.bytes().as_ref() {
        b"messages" => messages::texts(reader, &MESSAGES, sink),
        b"tools" => descriptions(reader, sink),
        b"documents" => messages::strings(reader, Role::User, sink),
        _ => Ok(()),
    })?;
    Ok(())
}

/// A text, or blocks of which some have texts.
fn content<'a>(reader: &mut Reader<'a>, role: Role, pointer: &dyn Display, sink: Sink<'_, 'a>) -> Result {
    match reader.kind() {
        Some(Kind::String) => one(reader, role, sink),
        Some(Kind::Null) => Ok(()),
        Some(Kind::Array) => {
            reader.array(|reader, index| {
                let is_object = reader.object(|reader, key| match key.bytes().as_ref() {
                    b"text" | b"thinking" => one(reader, role, sink),
                    b"document" => messages::strings(reader, role, sink),
                    _ => Ok(()),
                })?;
                let block = format_args!("{pointer}/{index}");
                if is_object { Ok(()) } else { malformed(&block, "it must be an object") }
            })?;
            Ok(())
        }
        _ => malformed(pointer, "it must be a string or an array of blocks"),
    }
}

fn one<'a>(reader: &mut Reader<'a>, role: Role, sink: Sink<'_, 'a>) -> Result {
    let text = reader.string()?;
    text.into_iter().for_each(|text| sink(Site { role, kind: TextKind::Content, text }));
    Ok(())
}

/// Counts a request.
pub(super) fn counts(root: &Value<'_>) -> RequestCounts {
    let mut counts = RequestCounts::default();
    for member in root.members() {
        match member.key.bytes().as_ref() {
            b"messages" => {
                member.value.elements().for_each(|message| count_message(&message, &mut counts));
            }
            b"tools" => counts.tools += member.value.elements().count(),
            b"documents" => counts.files += member.value.elements().count(),
            _ => {}
        }
    }
    counts
}

fn count_message(message: &Value<'_>, counts: &mut RequestCounts) {
    counts.messages += 1;
    let content = message.members().filter(|member| member.key.is("content"));
    for block in content.flat_map(|content| content.value.elements()) {
        counts.images += usize::from(block.get("image_url").is_some());
    }
}
