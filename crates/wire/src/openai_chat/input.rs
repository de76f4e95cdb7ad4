//! The texts of requests without messages: prompts and inputs, one or a list.

use bytes::Bytes;
use gatewright::{EditError, Placement, Role, TextKind};

use crate::document::Site;
use crate::json::{Kind, Patches, Reader};

/// Shows the texts that the members called `keys` hold, in order; token lists have none.
pub(crate) fn texts<'a>(
    text: &'a [u8],
    keys: &[&str],
    sink: &mut dyn FnMut(Site<'a>),
) -> Result<(), EditError> {
    Reader::new(text).object(|reader, key| {
        let key = key.decode();
        if !keys.contains(&key.as_ref()) {
            return Ok(());
        }
        let mut give = |text| sink(Site { role: Role::User, kind: TextKind::Input, text });
        match reader.kind() {
            Some(Kind::String) => reader.string()?.into_iter().for_each(give),
            Some(Kind::Array) => {
                reader.array(|reader, _| {
                    if reader.kind() == Some(Kind::String) {
                        reader.string()?.into_iter().for_each(&mut give);
                        return Ok::<_, EditError>(());
                    }
                    // A text in a list with images is an object.
                    reader.object(|reader, key| {
                        if key.is("text") {
                            reader.string()?.into_iter().for_each(&mut give);
                        }
                        Ok::<_, EditError>(())
                    })?;
                    Ok(())
                })?;
            }
            Some(Kind::Null) => {}
            _ => {
                let reason = "it must be a string or an array".to_owned();
                return Err(EditError::Malformed { pointer: format!("/{key}"), reason });
            }
        }
        Ok(())
    })?;
    Ok(())
}

/// Refuses: a text put into a prompt or an input would change what is continued or measured.
pub(crate) fn insert(_: &Bytes, role: Role, _: Placement, _: &str) -> Result<Patches, EditError> {
    Err(EditError::NoPlace {
        what: match role {
            Role::System => "a system text",
            Role::User => "a user text",
            Role::Assistant => "an assistant text",
            Role::Tool => "a tool text",
        },
    })
}
