//! The declared parameters of a prompt, and the check of what a caller gives for one.

use std::borrow::Cow;

use gatewright::prelude::*;
use gatewright::serde_json::Value;

/// A parameter of a prompt.
#[gatewright::config]
#[derive(Clone, Debug)]
pub struct VariableSettings {
    /// What a caller must give.
    #[serde(rename = "type", default)]
    pub kind: Kind,
    /// What stands there if the caller gives nothing. Without it the caller must give something.
    #[serde(default)]
    pub default: Option<Value>,
    /// The only texts that are allowed. Default: any.
    #[serde(default)]
    pub one_of: Vec<String>,
    /// The longest text that is allowed, in bytes.
    #[serde(default = "default_bytes_max")]
    pub max_bytes: usize,
}

/// The type of a parameter.
#[gatewright::config]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A text.
    #[default]
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
}

fn default_bytes_max() -> usize {
    4096
}

impl VariableSettings {
    /// The text of a value, or what it has to be instead.
    pub(crate) fn text<'v>(&self, value: &'v Value) -> Result<Cow<'v, str>, String> {
        let text = match (self.kind, value) {
            (Kind::String, Value::String(text)) => Cow::Borrowed(text.as_str()),
            (Kind::Boolean, Value::Bool(_)) | (Kind::Number, Value::Number(_)) => {
                Cow::Owned(value.to_string())
            }
            (Kind::Integer, Value::Number(number)) if number.is_i64() || number.is_u64() => {
                Cow::Owned(value.to_string())
            }
            (Kind::String, _) => return Err("must be a string".to_owned()),
            (Kind::Integer, _) => return Err("must be a whole number".to_owned()),
            (Kind::Number, _) => return Err("must be a number".to_owned()),
            (Kind::Boolean, _) => return Err("must be `true` or `false`".to_owned()),
        };
        if !self.one_of.is_empty() && !self.one_of.iter().any(|allowed| *allowed == text) {
            return Err(format!("must be one of {}", self.one_of.join(", ")));
        }
        if text.len() > self.max_bytes {
            return Err(format!("must have at most {} bytes, it has {}", self.max_bytes, text.len()));
        }
        Ok(text)
    }

    /// Checks the declaration itself; the error names the field below the parameter.
    pub(crate) fn check(&self) -> Result<(), BuildError> {
        let Some(default) = &self.default else { return Ok(()) };
        self.text(default).map(drop).map_err(|message| BuildError::at("default", message))
    }
}
