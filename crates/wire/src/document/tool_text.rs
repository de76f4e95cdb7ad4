//! What tools that are offered to a model say about themselves.

use gatewright::{EditError, Role, TextKind};

use super::Site;
use crate::json::{JsonError, Kind, Reader};

impl From<JsonError> for EditError {
    fn from(error: JsonError) -> Self {
        Self::Malformed { pointer: String::new(), reason: error.to_string() }
    }
}

/// The descriptions of tools and, as deep as a schema goes, of their parameters.
pub(crate) fn descriptions<'a>(
    reader: &mut Reader<'a>,
    sink: &mut dyn FnMut(Site<'a>),
) -> Result<(), EditError> {
    match reader.kind() {
        Some(Kind::Array) => reader.array(|reader, _| descriptions(reader, sink))?,
        _ => reader.object(|reader, key| {
            if key.is("description") && reader.kind() == Some(Kind::String) {
                let text = reader.string()?;
                let site = |text| Site { role: Role::System, kind: TextKind::ToolDescription, text };
                text.into_iter().map(site).for_each(&mut *sink);
                return Ok(());
            }
            descriptions(reader, sink)
        })?,
    };
    Ok(())
}
