//! A line of a stream as typed events.

use bytes::Bytes;
use gatewright::EventKind;
use gatewright::text::{Lane, LaneKind};

use super::chat::call_id;
use super::{finish, walk};
use crate::document::Part;
use crate::json::JsonError;
use crate::refusal;

/// The events that a line is. `calls` counts the calls of the lines before.
///
/// # Errors
/// The first byte at which the line is not a JSON object.
pub(super) fn kinds(data: &Bytes, calls: &mut u32) -> Result<Vec<EventKind>, JsonError> {
    let first = *calls;
    let mut kinds = Vec::new();
    let mut open = None;
    let lane_of = |lane: Lane| match lane.kind {
        LaneKind::ToolArguments { index } => Lane::tool_arguments(0, first.saturating_add(index)),
        _ => lane,
    };
    let outline = walk::walk(data, &mut |part| {
        let is_of_call = matches!(part, Part::Text { lane, .. } if Some(lane_of(lane)) == open);
        if !is_of_call && let Some(lane) = open.take() {
            kinds.push(EventKind::LaneEnd { lane });
        }
        match part {
            Part::Text { lane, text, .. } if !text.escaped().is_empty() => {
                let text = text.decode().into_owned().into();
                kinds.push(EventKind::TextDelta { lane: lane_of(lane), text });
            }
            Part::ToolCall { lane, id, name, .. } => {
                let (lane, index) = (lane_of(lane), *calls);
                *calls = calls.saturating_add(1);
                let said = id.map(|id| id.decode().into_owned()).filter(|id| !id.is_empty());
                let id = said.unwrap_or_else(|| call_id(data, index));
                let name = name.map(|name| name.decode().into_owned()).unwrap_or_default();
                kinds.push(EventKind::ToolCallStart { lane, id, name });
                open = Some(lane);
            }
            Part::Finish { choice, reason } => {
                let reason = finish::read(&reason.decode(), *calls > 0);
                kinds.push(EventKind::Finish { choice, reason });
            }
            Part::Usage { usage: Some(usage), .. } => kinds.push(EventKind::Usage(usage)),
            Part::Error { value } => {
                kinds.push(EventKind::Error(Box::new(refusal::parse_in_stream(value.raw()))));
            }
            _ => {}
        }
    })?;
    if kinds.is_empty() && outline.choices.is_none() {
        kinds.push(EventKind::Raw { data: data.clone() });
    }
    Ok(kinds)
}
