//! The walk over the parts of a whole answer.

use gatewright::text::Lane;

use super::{finish, usage};
use crate::document::{CallSite, Carrier, Outline, Part};
use crate::json::{JsonError, Kind, Reader, Reason, Span, Value};

type Visit<'v, 'a> = &'v mut dyn FnMut(Part<'a>);

/// Walks over an answer.
///
/// # Errors
/// The first byte at which `text` is not a JSON object.
pub(super) fn whole<'a>(text: &'a [u8], visit: &mut dyn FnMut(Part<'a>)) -> Result<Outline, JsonError> {
    let mut reader = Reader::new(text);
    let mut has_message = None;
    let is_object = reader.object(|reader, key| {
        let value = reader.value()?;
        match key.bytes().as_ref() {
            b"message" if value.kind() == Kind::Object => {
                has_message = Some(true);
                message(&value, visit);
            }
            b"finish_reason" => {
                if let Some(reason) = value.json_str() {
                    visit(Part::Finish { choice: 0, reason });
                    if finish::is_failure(&reason.decode()) {
                        visit(Part::Error { value });
                    }
                }
            }
            b"usage" => visit(Part::Usage { value, usage: usage::read(&value) }),
            b"logprobs" => visit(Part::Logprobs { choice: 0, value }),
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    let end = reader.place();
    reader.end()?;
    if !is_object {
        return Err(JsonError { offset: 0, reason: Reason::ExpectedObject });
    }
    let start = text.iter().position(|&byte| byte == b'{').unwrap_or(0);
    Ok(Outline { object: Span::new(start, end), choices: has_message })
}

/// Reasoning and text as they stand, then the plan, then the calls, whatever the order of the members.
fn message<'a>(message: &Value<'a>, visit: Visit<'_, 'a>) {
    let [content, plan, calls] = message.pick(["content", "tool_plan", "tool_calls"]);
    let mut text = |value: Option<Value<'a>>, lane| {
        if let Some(text) = value.and_then(|value| value.json_str()) {
            visit(Part::Text { lane, text, carrier: Carrier::Other });
        }
    };
    text(content, Lane::content(0));
    for block in content.into_iter().flat_map(|content| content.elements()) {
        let [thinking, said] = block.pick(["thinking", "text"]);
        text(thinking, Lane::reasoning(0));
        text(said, Lane::content(0));
    }
    text(plan, Lane::content(0));
    let calls = calls.into_iter().flat_map(|calls| calls.elements());
    for (index, call) in (0..).zip(calls) {
        let Some(function) = call.get("function") else { continue };
        let lane = Lane::tool_arguments(0, index);
        let id = call.get("id").and_then(|id| id.json_str());
        let [name, arguments] =
            function.pick(["name", "arguments"]).map(|value| value.and_then(|value| value.json_str()));
        visit(Part::ToolCall { lane, id, name, site: CallSite::Element(call.span()) });
        if let Some(text) = arguments {
            visit(Part::Text { lane, text, carrier: Carrier::Other });
        }
    }
    visit(Part::Choice { choice: 0 });
}
