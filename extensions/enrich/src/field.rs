//! A field of the body that a text is put into.

use gatewright::EditError;
use gatewright::prelude::*;
use gatewright::serde_json::Value;

/// Fields that make another request of it; models and routes are for those.
const RESERVED: &[&str] = &["model", "messages", "prompt", "input", "stream", "stream_options", "n"];

/// A member of the body, or a member of an object in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Field {
    name: String,
    member: Option<String>,
}

impl Field {
    /// Reads `name` or `name.member`, or says what is wrong.
    pub(crate) fn parse(source: &str) -> Result<Self, &'static str> {
        let (name, member) = match source.split_once('.') {
            Some((name, member)) => (name, Some(member)),
            None => (source, None),
        };
        let is_plain = |part: &str| !part.is_empty() && !part.contains(['.', '/', '~']);
        if !is_plain(name) || !member.is_none_or(is_plain) {
            return Err("a field is a name, or an object and its member, as in metadata.department");
        }
        if RESERVED.contains(&name) {
            return Err("the gateway reads this field itself; choose another one");
        }
        Ok(Self { name: name.to_owned(), member: member.map(str::to_owned) })
    }

    /// Puts a text there. The caller is refused where its own request leaves no place for it.
    pub(crate) fn put(&self, request: &mut LlmRequest, text: &str) -> HookResult<Result<(), Box<Denial>>> {
        let value = Value::from(text).to_string();
        let object = format!("/{}", self.name);
        let Some(member) = &self.member else {
            return Ok(Ok(request.set_field(&object, &value)?));
        };
        if request.field(&object).is_none_or(|found| found == "null") {
            let key = Value::from(member.as_str());
            return Ok(Ok(request.set_field(&object, &format!("{{{key}:{value}}}"))?));
        }
        match request.set_field(&format!("{object}/{member}"), &value) {
            Err(EditError::NoSuchField { .. }) => {
                let message = format!("`{}` must be an object", self.name);
                Ok(Err(Box::new(Denial::invalid(self.name.clone(), "invalid_type", message))))
            }
            done => Ok(Ok(done?)),
        }
    }
}
