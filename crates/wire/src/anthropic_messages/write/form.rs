//! The form of the answer.

use std::borrow::Cow;

use gatewright::chat::{LossKind, OutputFormat, Param, Place};

use super::{Result, Writing};
use crate::json::{Kind, Patches, Value};

/// How the answer gets its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form<'c> {
    /// It has none.
    Free,
    /// By this schema, which the provider holds the model to.
    Schema(&'c str),
    /// By a tool with this schema, which the model must call.
    Tool(&'c str),
    /// By an instruction.
    Instruction,
}

/// Keys of a schema under which no schema stands.
const DATA: [&str; 4] = ["enum", "const", "default", "examples"];

impl<'w> Writing<'w, '_, '_> {
    pub(super) fn form(&mut self) -> Result<Form<'w>> {
        let place = Place::Param(Param::Format);
        Ok(match &self.chat.format {
            None | Some(OutputFormat::Text) => Form::Free,
            Some(OutputFormat::Json) => {
                self.losses.report(&place, LossKind::Emulated)?;
                Form::Instruction
            }
            Some(OutputFormat::Schema { schema, .. }) if self.abilities.holds_to_schema => {
                Form::Schema(schema)
            }
            Some(OutputFormat::Schema { schema, .. }) => {
                self.losses.report(&place, LossKind::Emulated)?;
                Form::Tool(schema)
            }
        })
    }
}

/// A schema whose objects have no members but those that it names, as the provider wants it; none if it is so already.
pub(super) fn closed(schema: &str) -> Option<Cow<'static, str>> {
    let root = Value::parse(schema.as_bytes()).ok()?;
    let mut patches = Patches::new();
    close(&root, &mut patches);
    if patches.is_empty() {
        return None;
    }
    let mut out = Vec::with_capacity(schema.len() + 64);
    patches.apply_into(schema.as_bytes(), &mut out).ok()?;
    String::from_utf8(out).ok().map(Cow::Owned)
}

fn close(value: &Value<'_>, patches: &mut Patches) {
    match value.kind() {
        Kind::Object => {
            let [kind, additional] = value.pick(["type", "additionalProperties"]);
            let is_object = kind.and_then(|kind| kind.json_str()).is_some_and(|kind| kind.is("object"));
            if is_object && additional.is_none() {
                // An object with a type has a member, which the new one can stand before.
                patches.insert(value.span().start + 1, r#""additionalProperties":false,"#);
            }
            let members = value.members().filter(|member| !DATA.contains(&member.key.decode().as_ref()));
            members.for_each(|member| close(&member.value, patches));
        }
        Kind::Array => value.elements().for_each(|element| close(&element, patches)),
        Kind::String | Kind::Number | Kind::Bool | Kind::Null => {}
    }
}
