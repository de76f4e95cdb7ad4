//! What one message of a stream says: its headers name the event, its payload is a JSON object.

use std::borrow::Cow;

use gatewright::Usage;

use super::usage;
use crate::event_stream::{HeaderValue, Message, write_message};
use crate::json::{JsonError, JsonStr, Value};

const MESSAGE_TYPE: &str = ":message-type";
const EVENT_TYPE: &str = ":event-type";
const EXCEPTION_TYPE: &str = ":exception-type";
const CONTENT_TYPE: &str = ":content-type";

pub(super) const MESSAGE_START: &str = "messageStart";
pub(super) const BLOCK_START: &str = "contentBlockStart";
pub(super) const BLOCK_DELTA: &str = "contentBlockDelta";
pub(super) const BLOCK_STOP: &str = "contentBlockStop";
pub(super) const MESSAGE_STOP: &str = "messageStop";
pub(super) const METADATA: &str = "metadata";

/// What the headers of a message say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind<'m> {
    /// An event, by its name.
    Event(&'m str),
    /// A failure, by its name.
    Exception(&'m str),
    /// A failure that the service's model does not know: its code and its text stand in headers.
    Fault {
        /// What went wrong.
        code: &'m str,
        /// The same for people.
        message: &'m str,
    },
}

/// What an event says.
#[derive(Debug)]
pub(super) enum Said<'a> {
    /// The answer begins.
    Start,
    /// A block begins with a tool call.
    CallStart { block: u64, id: JsonStr<'a>, name: JsonStr<'a> },
    /// Text goes on.
    Text { block: u64, text: JsonStr<'a> },
    /// The arguments of a tool call go on.
    Arguments { block: u64, text: JsonStr<'a> },
    /// Reasoning goes on.
    Reasoning { block: u64, text: JsonStr<'a> },
    /// The reasoning of a block is signed.
    Signature { block: u64, signature: JsonStr<'a> },
    /// Reasoning that only the provider can read.
    Sealed { block: u64, data: JsonStr<'a> },
    /// A block is complete.
    BlockStop { block: u64 },
    /// The answer is complete.
    Stop { reason: Cow<'a, str> },
    /// Figures.
    Metadata { usage: Option<Usage> },
    /// Something else.
    Other,
}

/// What the headers of `message` say.
pub(super) fn kind(message: &Message) -> Kind<'_> {
    let text = |name| message.text(name).unwrap_or_default();
    match message.text(MESSAGE_TYPE) {
        Some("exception") => Kind::Exception(text(EXCEPTION_TYPE)),
        Some("error") => Kind::Fault { code: text(":error-code"), message: text(":error-message") },
        _ => Kind::Event(text(EVENT_TYPE)),
    }
}

/// Reads the payload of the event `name`.
///
/// # Errors
/// The first byte at which it is not a JSON value.
pub(super) fn read<'a>(name: &str, payload: &'a [u8]) -> Result<Said<'a>, JsonError> {
    let root = Value::parse(payload)?;
    let block = || root.get("contentBlockIndex").and_then(|index| index.as_u64()).unwrap_or(0);
    Ok(match name {
        MESSAGE_START => Some(Said::Start),
        BLOCK_START => root.at(&["start", "toolUse"]).and_then(|call| call_start(block(), &call)),
        BLOCK_DELTA => root.get("delta").and_then(|delta| read_delta(block(), &delta)),
        BLOCK_STOP => Some(Said::BlockStop { block: block() }),
        MESSAGE_STOP => {
            let reason = root.get("stopReason").and_then(|reason| reason.as_str());
            Some(Said::Stop { reason: reason.unwrap_or_default() })
        }
        METADATA => Some(Said::Metadata { usage: root.get("usage").and_then(|value| usage::read(&value)) }),
        _ => None,
    }
    .unwrap_or(Said::Other))
}

fn call_start<'a>(block: u64, call: &Value<'a>) -> Option<Said<'a>> {
    let text = |key: &str| call.get(key)?.json_str();
    Some(Said::CallStart { block, id: text("toolUseId")?, name: text("name")? })
}

fn read_delta<'a>(block: u64, delta: &Value<'a>) -> Option<Said<'a>> {
    if let Some(text) = delta.get("text") {
        return Some(Said::Text { block, text: text.json_str()? });
    }
    if let Some(call) = delta.get("toolUse") {
        return Some(Said::Arguments { block, text: call.get("input")?.json_str()? });
    }
    let reasoning = delta.get("reasoningContent")?;
    let text = |key: &str| reasoning.get(key)?.json_str();
    if let Some(text) = text("text") {
        Some(Said::Reasoning { block, text })
    } else if let Some(signature) = text("signature") {
        Some(Said::Signature { block, signature })
    } else {
        Some(Said::Sealed { block, data: text("redactedContent")? })
    }
}

impl<'a> Said<'a> {
    /// The block that it belongs to.
    pub(super) const fn block(&self) -> Option<u64> {
        match self {
            Self::CallStart { block, .. }
            | Self::Text { block, .. }
            | Self::Arguments { block, .. }
            | Self::Reasoning { block, .. }
            | Self::Signature { block, .. }
            | Self::Sealed { block, .. }
            | Self::BlockStop { block } => Some(*block),
            Self::Start | Self::Stop { .. } | Self::Metadata { .. } | Self::Other => None,
        }
    }

    /// The text that a filter may edit.
    pub(super) const fn text(&self) -> Option<JsonStr<'a>> {
        match self {
            Self::Text { text, .. } | Self::Arguments { text, .. } | Self::Reasoning { text, .. } => {
                Some(*text)
            }
            _ => None,
        }
    }
}

/// Appends an event.
pub(crate) fn write(out: &mut Vec<u8>, name: &str, payload: &[u8]) {
    write_headed(out, "event", (EVENT_TYPE, name), payload);
}

/// Appends a failure.
pub(crate) fn write_exception(out: &mut Vec<u8>, name: &str, payload: &[u8]) {
    write_headed(out, "exception", (EXCEPTION_TYPE, name), payload);
}

fn write_headed(out: &mut Vec<u8>, kind: &str, (key, name): (&str, &str), payload: &[u8]) {
    let headers = [
        (key, HeaderValue::Text(name)),
        (CONTENT_TYPE, HeaderValue::Text("application/json")),
        (MESSAGE_TYPE, HeaderValue::Text(kind)),
    ];
    write_message(out, &headers, payload);
}
