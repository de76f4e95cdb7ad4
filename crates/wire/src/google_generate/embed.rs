//! Requests for vectors: one content, or several under `requests`.

pub(crate) mod translation;

use bytes::Bytes;
use gatewright::{EditError, Placement, RequestCounts, Role, TextKind};

use super::text::{each, items, name};
use crate::document::Site;
use crate::json::{Patches, Reader, Value};

type Result<T = (), E = EditError> = std::result::Result<T, E>;
type Sink<'s, 'a> = &'s mut dyn FnMut(Site<'a>);

/// Shows all texts of a request, in order.
pub(super) fn texts<'a>(text: &'a [u8], sink: Sink<'_, 'a>) -> Result {
    Reader::new(text).object(|reader, key| match name(&key).as_ref() {
        "content" => content(reader, sink),
        "requests" => each(reader, |reader, _| {
            reader.object(|reader, key| if key.is("content") { content(reader, sink) } else { Ok(()) })?;
            Ok(())
        }),
        _ => Ok(()),
    })?;
    Ok(())
}

fn content<'a>(reader: &mut Reader<'a>, sink: Sink<'_, 'a>) -> Result {
    reader.object(
        |reader, key| {
            if key.is("parts") { each(reader, |reader, _| part(reader, sink)) } else { Ok(()) }
        },
    )?;
    Ok(())
}

fn part<'a>(reader: &mut Reader<'a>, sink: Sink<'_, 'a>) -> Result {
    reader.object(|reader, key| {
        if key.is("text")
            && let Some(text) = reader.string()?
        {
            sink(Site { role: Role::User, kind: TextKind::Input, text });
        }
        Ok::<_, EditError>(())
    })?;
    Ok(())
}

/// There is no place for instructions, and nobody to say something else.
pub(super) fn insert(_: &Bytes, _: Role, _: Placement, _: &str) -> Result<Patches> {
    Err(EditError::NoPlace { what: "a text beside the contents" })
}

/// Counts what can be counted in a request.
pub(super) fn counts(root: &Value<'_>) -> RequestCounts {
    let mut counts = RequestCounts::default();
    for member in root.members() {
        counts.inputs += match name(&member.key).as_ref() {
            "content" => 1,
            "requests" => items(&member.value).count(),
            _ => 0,
        };
    }
    counts
}
