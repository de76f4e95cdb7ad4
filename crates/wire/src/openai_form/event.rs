//! One event of a stream, as far as anybody asks.

use gatewright::Usage;

use crate::json::{JsonError, JsonStr, Value};
use crate::openai_images::by_tokens;

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The next piece of the text.
    Delta,
    /// The whole: a text, or an image.
    Done,
    /// The provider reports a failure.
    Error,
    /// A part of the whole, said again or before its time, and whatever is to come.
    Other,
}

/// An event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event<'a> {
    pub(super) kind: Kind,
    /// The piece of text, or the text that is said again.
    pub(super) text: Option<JsonStr<'a>>,
    /// Probabilities of the tokens of the text.
    pub(super) logprobs: Option<Value<'a>>,
    pub(super) usage: Option<Usage>,
    /// The whole event.
    pub(super) whole: Value<'a>,
}

impl<'a> Event<'a> {
    pub(super) fn read(data: &'a [u8]) -> Result<Self, JsonError> {
        let whole = Value::parse(data)?;
        let name = whole.get("type").and_then(|name| name.as_str()).unwrap_or_default();
        let fails = name == "error" || whole.get("error").is_some_and(|error| !error.is_null());
        let kind = match name.rsplit_once('.').map(|(_, last)| last) {
            _ if fails => Kind::Error,
            Some("delta") => Kind::Delta,
            Some("done" | "completed") => Kind::Done,
            _ => Kind::Other,
        };
        let member = if kind == Kind::Delta { "delta" } else { "text" };
        Ok(Self {
            kind,
            text: whole.get(member).and_then(|text| text.json_str()),
            logprobs: whole.get("logprobs").filter(|logprobs| !logprobs.is_null()),
            usage: whole.get("usage").and_then(|usage| by_tokens(&usage)),
            whole,
        })
    }
}
