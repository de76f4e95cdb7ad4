//! One event of a stream: what it says, and events that the gateway writes itself.

use gatewright::text::{Lane, LaneKind};

use super::{finish, usage};
use crate::json::{JsonError, JsonStr, Reader, Reason, Value, quote_into};
use crate::sse;

pub(super) const MESSAGE_START: &str = "message-start";
pub(super) const MESSAGE_END: &str = "message-end";
const CONTENT_START: &str = "content-start";
const CONTENT_DELTA: &str = "content-delta";
const CONTENT_END: &str = "content-end";
const PLAN_DELTA: &str = "tool-plan-delta";
const CALL_START: &str = "tool-call-start";
const CALL_DELTA: &str = "tool-call-delta";
const CALL_END: &str = "tool-call-end";

/// What an event says.
#[derive(Debug, Clone, Copy)]
pub(super) enum Said<'a> {
    Start,
    /// A block of text or reasoning begins, and may say its first words.
    BlockStart {
        block: u32,
        lane: Lane,
        text: Option<JsonStr<'a>>,
    },
    /// Text of a block, or of the plan, which has none.
    Text {
        block: Option<u32>,
        lane: Lane,
        text: JsonStr<'a>,
    },
    BlockEnd {
        block: u32,
    },
    CallStart {
        lane: Lane,
        id: Option<JsonStr<'a>>,
        name: Option<JsonStr<'a>>,
        arguments: Option<JsonStr<'a>>,
    },
    CallEnd {
        lane: Lane,
    },
    End {
        reason: Option<JsonStr<'a>>,
        usage: Option<Value<'a>>,
    },
    /// The answer failed; what the provider says about it.
    Error {
        value: Value<'a>,
    },
    /// Citations, and what nobody knows: it passes.
    Other,
}

impl<'a> Said<'a> {
    /// The text and its lane.
    pub(super) fn text(&self) -> Option<(Lane, JsonStr<'a>)> {
        let (lane, text) = match self {
            Self::BlockStart { lane, text, .. } => (*lane, (*text)?),
            Self::Text { lane, text, .. } => (*lane, *text),
            Self::CallStart { lane, arguments, .. } => (*lane, (*arguments)?),
            _ => return None,
        };
        (!text.escaped().is_empty()).then_some((lane, text))
    }
}

/// Reads an event.
///
/// # Errors
/// The first byte at which `data` is not a JSON object.
pub(super) fn read(data: &[u8]) -> Result<Said<'_>, JsonError> {
    let (mut kind, mut index, mut delta, mut message) = (None, None, None, None);
    let mut reader = Reader::new(data);
    let whole = reader.clone();
    let is_object = reader.object(|reader, key| {
        let value = reader.value()?;
        match key.bytes().as_ref() {
            b"type" => kind = value.json_str(),
            b"index" => index = value.as_u64(),
            b"delta" => delta = Some(value),
            b"message" => message = value.json_str(),
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    reader.end()?;
    if !is_object {
        return Err(JsonError { offset: 0, reason: Reason::ExpectedObject });
    }
    let index = u32::try_from(index.unwrap_or(0)).unwrap_or(u32::MAX);
    let delta = delta.unwrap_or(Value::of_checked(b"null"));
    let Some(kind) = kind else {
        // An error as an answer that is no stream has it.
        return Ok(match message {
            Some(_) => Said::Error { value: whole.clone().value()? },
            None => Said::Other,
        });
    };
    Ok(said(&kind.decode(), index, &delta).unwrap_or(Said::Other))
}

fn said<'a>(kind: &str, index: u32, delta: &Value<'a>) -> Option<Said<'a>> {
    let text = |value: &Value<'a>, key: &str| value.get(key).and_then(|text| text.json_str());
    let call = Lane::tool_arguments(0, index);
    Some(match kind {
        MESSAGE_START => Said::Start,
        CONTENT_START | CONTENT_DELTA => {
            let content = delta.at(&["message", "content"])?;
            let is_thinking = text(&content, "type").is_some_and(|kind| kind.is("thinking"));
            let (thinking, said) = (text(&content, "thinking"), text(&content, "text"));
            let is_thinking = is_thinking || (thinking.is_some() && said.is_none());
            let lane = if is_thinking { Lane::reasoning(0) } else { Lane::content(0) };
            let text = if is_thinking { thinking } else { said };
            match (kind, text) {
                (CONTENT_START, text) => Said::BlockStart { block: index, lane, text },
                (_, text) => Said::Text { block: Some(index), lane, text: text? },
            }
        }
        CONTENT_END => Said::BlockEnd { block: index },
        PLAN_DELTA => {
            let text = delta.at(&["message", "tool_plan"])?.json_str()?;
            Said::Text { block: None, lane: Lane::content(0), text }
        }
        CALL_START => {
            let tool = delta.at(&["message", "tool_calls"])?;
            let function = tool.get("function")?;
            let [name, arguments] = ["name", "arguments"].map(|key| text(&function, key));
            Said::CallStart { lane: call, id: text(&tool, "id"), name, arguments }
        }
        CALL_DELTA => {
            let function = delta.at(&["message", "tool_calls", "function"])?;
            Said::Text { block: None, lane: call, text: text(&function, "arguments")? }
        }
        CALL_END => Said::CallEnd { lane: call },
        MESSAGE_END => {
            let reason = text(delta, "finish_reason");
            let has_failed = reason.is_some_and(|reason| finish::is_failure(&reason.decode()));
            if has_failed || text(delta, "error").is_some_and(|error| !error.escaped().is_empty()) {
                return Some(Said::Error { value: *delta });
            }
            Said::End { reason, usage: delta.get("usage") }
        }
        _ => return None,
    })
}

// === Events of the gateway's own ===

/// Appends the beginning of a message.
pub(super) fn start(id: &str, out: &mut Vec<u8>) {
    let mut data = br#"{"id":"#.to_vec();
    quote_into(&mut data, id);
    let rest = r#","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}"#;
    data.extend_from_slice(rest.as_bytes());
    sse::write_event(out, MESSAGE_START, &data);
}

/// Appends the beginning of a block of text or reasoning.
pub(super) fn block_start(block: u32, lane: Lane, out: &mut Vec<u8>) {
    let member = member(lane);
    let data = format!(
        r#"{{"type":"content-start","index":{block},"delta":{{"message":{{"content":{{"type":"{member}","{member}":""}}}}}}}}"#
    );
    sse::write_event(out, CONTENT_START, data.as_bytes());
}

/// Appends a piece of a block of text or reasoning.
pub(super) fn block_delta(block: u32, lane: Lane, text: &str, out: &mut Vec<u8>) {
    let head = format!(
        r#"{{"type":"content-delta","index":{block},"delta":{{"message":{{"content":{{"{}":"#,
        member(lane)
    );
    delta(CONTENT_DELTA, head, text, b"}}}}", out);
}

/// Appends the end of a block of text or reasoning.
pub(super) fn block_end(block: u32, out: &mut Vec<u8>) {
    let data = format!(r#"{{"type":"content-end","index":{block}}}"#);
    sse::write_event(out, CONTENT_END, data.as_bytes());
}

/// Appends a piece of the plan.
pub(super) fn plan_delta(text: &str, out: &mut Vec<u8>) {
    let head = r#"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"#.to_owned();
    delta(PLAN_DELTA, head, text, b"}}}", out);
}

/// Appends the beginning of a call.
pub(super) fn call_start(index: u32, id: &str, name: &str, out: &mut Vec<u8>) {
    let head =
        format!(r#"{{"type":"tool-call-start","index":{index},"delta":{{"message":{{"tool_calls":{{"id":"#);
    let mut data = head.into_bytes();
    quote_into(&mut data, id);
    data.extend_from_slice(br#","type":"function","function":{"name":"#);
    quote_into(&mut data, name);
    data.extend_from_slice(br#","arguments":""}}}}}"#);
    sse::write_event(out, CALL_START, &data);
}

/// Appends a piece of the arguments of a call.
pub(super) fn call_delta(index: u32, text: &str, out: &mut Vec<u8>) {
    let head = format!(
        r#"{{"type":"tool-call-delta","index":{index},"delta":{{"message":{{"tool_calls":{{"function":{{"arguments":"#
    );
    delta(CALL_DELTA, head, text, b"}}}}}", out);
}

/// Appends the end of a call.
pub(super) fn call_end(index: u32, out: &mut Vec<u8>) {
    let data = format!(r#"{{"type":"tool-call-end","index":{index}}}"#);
    sse::write_event(out, CALL_END, data.as_bytes());
}

/// Appends the end of a message: why it ended, and what was consumed.
pub(super) fn end(reason: &str, figures: Option<&gatewright::Usage>, out: &mut Vec<u8>) {
    let mut data = format!(r#"{{"type":"message-end","delta":{{"finish_reason":"{reason}""#).into_bytes();
    if let Some(figures) = figures {
        data.extend_from_slice(br#","usage":"#);
        usage::write(figures, &mut data);
    }
    data.extend_from_slice(b"}}");
    sse::write_event(out, MESSAGE_END, &data);
}

/// Appends the end of a message that failed.
pub(super) fn error(message: &str, out: &mut Vec<u8>) {
    let mut data =
        format!(r#"{{"type":"message-end","delta":{{"finish_reason":"{}","error":"#, finish::ERROR)
            .into_bytes();
    quote_into(&mut data, message);
    data.extend_from_slice(b"}}");
    sse::write_event(out, MESSAGE_END, &data);
}

const fn member(lane: Lane) -> &'static str {
    match lane.kind {
        LaneKind::Reasoning => "thinking",
        _ => "text",
    }
}

fn delta(name: &str, head: String, text: &str, tail: &[u8], out: &mut Vec<u8>) {
    let mut data = head.into_bytes();
    quote_into(&mut data, text);
    data.extend_from_slice(tail);
    sse::write_event(out, name, &data);
}
