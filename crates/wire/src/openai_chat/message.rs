//! The texts of a chat request: messages, earlier tool calls, offered tools.
//!
//! A repeated key is visited each time: which one a provider reads is not known, and a text that a mask has not
//! seen must not reach one.

use std::fmt::Display;

use gatewright::{EditError, Role, TextKind};

use crate::document::messages::{self, MessageTexts, malformed};
use crate::document::{Site, descriptions};
use crate::json::{Kind, Reader};

type Result<T = (), E = EditError> = std::result::Result<T, E>;
type Sink<'s, 'a> = &'s mut dyn FnMut(Site<'a>);

static MESSAGES: MessageTexts = MessageTexts {
    members: &["content", "refusal", "reasoning", "reasoning_content", "tool_calls", "function_call"],
    show: |reader, (key, role), pointer, sink| match key {
        "tool_calls" => messages::calls(reader, role, sink),
        "function_call" => messages::arguments(reader, role, sink),
        _ => content(reader, role, pointer, sink),
    },
};

/// Shows all texts of a chat request, in order.
pub(super) fn texts<'a>(text: &'a [u8], sink: Sink<'_, 'a>) -> Result {
    Reader::new(text).object(|reader, key| match key.bytes().as_ref() {
        b"messages" => messages::texts(reader, &MESSAGES, sink),
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

/// A text, or parts of which some have texts.
fn content<'a>(reader: &mut Reader<'a>, role: Role, pointer: &dyn Display, sink: Sink<'_, 'a>) -> Result {
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
