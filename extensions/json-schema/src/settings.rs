//! The settings.

use gatewright::prelude::*;
use gatewright::serde_json::Value;

use crate::schema::Schema;

/// Checks answers against a JSON Schema, whole and streamed, with one attempt at repair.
///
/// Give `schema`, `from_request`, or both.
#[gatewright::config]
#[derive(Debug)]
pub struct Settings {
    /// The schema of every answer, as JSON Schema. It counts where the request has none of its own.
    #[serde(default)]
    pub schema: Option<Value>,
    /// Whether a request's own `response_format` is checked: its schema, or that the answer is JSON at all.
    /// A caller then decides what the gateway computes, so give the instance `isolate: true`.
    #[serde(default)]
    pub from_request: bool,
    /// Whether the model is asked once more, with what is wrong.
    #[serde(default = "yes")]
    pub repair: bool,
    /// What the model is told; `{{errors}}` and `{{answer}}` stand for what is wrong and what it said.
    #[serde(default = "default_instruction")]
    pub instruction: String,
    /// What becomes of an answer that does not fit in the end.
    #[serde(default)]
    pub on_violation: OnViolation,
    /// The most bytes of an answer that is streamed, which is collected before it goes out.
    #[serde(default = "default_max_bytes")]
    pub max_bytes: usize,
}

/// What becomes of an answer that does not fit.
#[gatewright::config]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum OnViolation {
    /// The caller gets an error in its place.
    #[default]
    Deny,
    /// It goes out, and the exchange is labelled.
    Tag,
}

fn yes() -> bool {
    true
}

fn default_instruction() -> String {
    "Your last answer was:\n{{answer}}\n\nIt does not fit the required JSON Schema:\n{{errors}}\n\n\
     Answer again, with JSON alone that fits."
        .to_owned()
}

fn default_max_bytes() -> usize {
    256 * 1024
}

impl Settings {
    /// The schema of every answer, compiled.
    pub(crate) fn schema(&self) -> Result<Option<Schema>, BuildError> {
        if self.schema.is_none() && !self.from_request {
            return Err(BuildError::new("give `schema`, `from_request: true`, or both"));
        }
        let Some(schema) = &self.schema else { return Ok(None) };
        Schema::compile(schema).map(Some).map_err(|message| BuildError::at("schema", message))
    }
}
