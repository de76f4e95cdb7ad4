//! The walk over the parts of a whole answer, which the last event of a stream repeats.
//!
//! An answer has one choice. Its texts stand in the items of its output; a call's lane bears the place of its item.

use gatewright::text::Lane;

use super::usage;
use crate::document::{CallSite, Carrier, Outline, Part};
use crate::json::{JsonError, JsonStr, Reader, Reason, Span, Value};

/// A text of an item, by what it is and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The item's place in the output.
    pub(super) item: u32,
    pub(super) list: List,
    /// The place in the list.
    pub(super) index: u32,
}

/// The lists and members of an item that hold its texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum List {
    /// The content of a message.
    Content,
    /// The content of reasoning.
    Reasoning,
    /// The summary of reasoning.
    Summary,
    /// The arguments of a call, which are one text.
    Arguments,
}

/// Walks over a whole answer.
pub(super) fn whole<'a>(text: &'a [u8], visit: &mut dyn FnMut(Part<'a>)) -> Result<Outline, JsonError> {
    let mut reader = Reader::new(text);
    let mut outline = Outline { object: Span::new(0, 0), choices: None };
    let mut status = None;
    let mut reason = None;
    let is_object = reader.object(|reader, key| {
        match key.bytes().as_ref() {
            b"output" => {
                let value = reader.value()?;
                let is_array = value.kind() == crate::json::Kind::Array;
                outline.choices = is_array.then(|| value.has_children());
                output(&value, visit);
            }
            b"usage" => {
                let value = reader.value()?;
                let usage = usage::read(&value);
                if usage.is_some() || value.is_null() {
                    visit(Part::Usage { value, usage });
                }
            }
            b"error" => {
                let value = reader.value()?;
                if !value.is_null() {
                    visit(Part::Error { value });
                }
            }
            b"model" => {
                if let Some(name) = reader.string()? {
                    visit(Part::Model { name });
                }
            }
            b"status" => status = reader.string()?,
            b"incomplete_details" => {
                reason = reader.value()?.get("reason").and_then(|reason| reason.json_str());
            }
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    let end = reader.place();
    reader.end()?;
    if !is_object {
        return Err(JsonError { offset: 0, reason: Reason::ExpectedObject });
    }
    if let Some(reason) = reason.or(status) {
        visit(Part::Finish { choice: 0, reason });
    }
    let start = text.iter().position(|&byte| byte == b'{').unwrap_or(0);
    outline.object = Span::new(start, end);
    Ok(outline)
}

fn output<'a>(output: &Value<'a>, visit: &mut dyn FnMut(Part<'a>)) {
    for (index, item) in (0..).zip(output.elements()) {
        visit(Part::Choice { choice: 0 });
        if let Some((id, name)) = call(&item) {
            let lane = Lane::tool_arguments(0, index);
            visit(Part::ToolCall { lane, id, name, site: CallSite::Element(item.span()) });
        }
        texts(&item, index, &mut |_, lane, text| {
            visit(Part::Text { lane, text, carrier: Carrier::Other });
        });
        for part in item.get("content").into_iter().flat_map(|content| content.elements()) {
            if let Some(value) = part.get("logprobs").filter(|value| value.has_children()) {
                visit(Part::Logprobs { choice: 0, value });
            }
        }
    }
}

/// The id and the name of the call that an item is.
pub(super) fn call<'a>(item: &Value<'a>) -> Option<(Option<JsonStr<'a>>, Option<JsonStr<'a>>)> {
    let kind = item.get("type")?.json_str()?;
    let text = |key| item.get(key).and_then(|text| text.json_str());
    (kind.is("function_call") || kind.is("custom_tool_call")).then(|| (text("call_id"), text("name")))
}

/// Shows the texts of an item of the output, with their places and lanes.
pub(super) fn texts<'a>(item: &Value<'a>, index: u32, visit: &mut dyn FnMut(Place, Lane, JsonStr<'a>)) {
    let kind = item.get("type").and_then(|kind| kind.as_str());
    let lists: &[(&str, List, Lane)] = match kind.as_deref() {
        Some("message") => &[("content", List::Content, Lane::content(0))],
        Some("reasoning") => &[
            ("summary", List::Summary, Lane::reasoning(0)),
            ("content", List::Reasoning, Lane::reasoning(0)),
        ],
        Some("function_call" | "custom_tool_call") => {
            let place = Place { item: index, list: List::Arguments, index: 0 };
            for member in item.members().filter(|member| member.key.is("arguments") || member.key.is("input"))
            {
                if let Some(text) = member.value.json_str() {
                    visit(place, Lane::tool_arguments(0, index), text);
                }
            }
            return;
        }
        _ => return,
    };
    for member in item.members() {
        let Some((_, list, lane)) = lists.iter().find(|(key, ..)| member.key.is(key)) else { continue };
        for (at, part) in (0..).zip(member.value.elements()) {
            let place = Place { item: index, list: *list, index: at };
            part_texts(&part, *lane, &mut |lane, text| visit(place, lane, text));
        }
    }
}

/// Shows the text of one part.
pub(super) fn part_texts<'a>(part: &Value<'a>, lane: Lane, visit: &mut dyn FnMut(Lane, JsonStr<'a>)) {
    for member in part.members() {
        let lane = match member.key.bytes().as_ref() {
            b"text" => lane,
            b"refusal" => Lane::refusal(0),
            _ => continue,
        };
        if let Some(text) = member.value.json_str() {
            visit(lane, text);
        }
    }
}
