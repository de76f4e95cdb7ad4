//! The texts of a request: messages, earlier tool calls, offered tools; and what can be counted in it.

use gatewright::{EditError, RequestCounts, Role, TextKind};

use crate::document::messages::{self, MessageTexts, malformed};
use crate::document::{Site, descriptions};
use crate::json::{Kind, Reader, Value};

static MESSAGES: MessageTexts = MessageTexts {
    members: &["content", "thinking", "tool_calls"],
    show: |reader, (key, role), pointer, sink| match (key, reader.kind()) {
        ("tool_calls", _) => messages::calls(reader, role, sink),
        (_, Some(Kind::String)) => {
            let text = reader.string()?;
            text.into_iter().for_each(|text| sink(Site { role, kind: TextKind::Content, text }));
            Ok(())
        }
        (_, Some(Kind::Null)) => Ok(()),
        _ => malformed(pointer, "it must be a string"),
    },
};

/// Shows all texts of a request, in order.
pub(super) fn texts<'a>(text: &'a [u8], sink: &mut dyn FnMut(Site<'a>)) -> Result<(), EditError> {
    Reader::new(text).object(|reader, key| match key.bytes().as_ref() {
        b"messages" => messages::texts(reader, &MESSAGES, sink),
        b"tools" => descriptions(reader, sink),
        // Words that steer the model, whoever wrote them.
        b"system" | b"template" => {
            let text = reader.string()?;
            let kind = TextKind::Content;
            text.into_iter().for_each(|text| sink(Site { role: Role::System, kind, text }));
            Ok(())
        }
        _ => Ok(()),
    })?;
    Ok(())
}

/// Counts a request.
pub(super) fn counts(root: &Value<'_>) -> RequestCounts {
    let mut counts = RequestCounts::default();
    for member in root.members() {
        if member.key.is("messages") {
            for message in member.value.elements() {
                counts.messages += 1;
                let images = message.members().filter(|member| member.key.is("images"));
                counts.images += images.map(|images| images.value.elements().count()).sum::<usize>();
            }
        } else if member.key.is("tools") {
            counts.tools += member.value.elements().count();
        }
    }
    counts
}
