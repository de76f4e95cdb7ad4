//! A provider's stream: bytes to frames with a glance at each, and frames to events on demand.

use std::collections::BTreeSet;

use bytes::Bytes;
use gatewright::chat::Signature;
use gatewright::dialect::{Dialect, Frame, FrameKind, StreamDecoder};
use gatewright::text::Lane;
use gatewright::{EventKind, Failure, FinishReason, StreamEvent};

use super::event::{Event, Kind};
use super::item::seal;
use super::{usage, walk};
use crate::alias;
use crate::json::{JsonError, JsonStr, Value};
use crate::refusal;
use crate::sse::SseFrame;
use crate::stream::{Frames, Halves, PARTS_MAX, bare, malformed, plain, too_many_parts};

/// Reads one stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    frames: Frames,
    /// The answer is complete. Whatever some vendors send after that is not part of it.
    is_complete: bool,
    halves: Halves,
    /// Lanes that have been told in pieces since the last text of theirs was complete.
    told: BTreeSet<Lane>,
}

impl StreamDecoder for Decoder {
    fn push(&mut self, chunk: Bytes) {
        self.frames.push(chunk);
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, Failure> {
        self.frames.next(self.is_complete, |frame| glance(frame, &mut self.is_complete))
    }

    fn finish(&mut self) -> Result<Option<Frame>, Failure> {
        self.frames.finish(self.is_complete, |frame| glance(frame, &mut self.is_complete))
    }

    fn events(&mut self, frame: &Frame, events: &mut Vec<StreamEvent>) -> Result<(), Failure> {
        if frame.kind == FrameKind::KeepAlive {
            return Ok(());
        }
        if let Some(event) = self.halves.sole(frame, |lane| lane) {
            if let Some((lane, _)) = event.text() {
                self.note(lane)?;
            }
            events.push(event);
            return Ok(());
        }
        let event = Event::read(&frame.data).map_err(|error| malformed(&frame.data, &error))?;
        let kinds = match (event.kind, event.text) {
            (Kind::Delta, Some(_)) => {
                self.note(event.lane)?;
                kinds(&event, frame, &mut self.halves)
            }
            // Some say each text only when it is complete.
            (Kind::Done, Some(text)) if !self.told.remove(&event.lane) && !text.escaped().is_empty() => {
                let text =
                    EventKind::TextDelta { lane: event.lane, text: self.halves.text(event.lane, &text) };
                vec![text, EventKind::LaneEnd { lane: event.lane }]
            }
            _ => kinds(&event, frame, &mut self.halves),
        };
        events.extend((0..).zip(kinds).map(|(place, kind)| StreamEvent::from_frame(kind, place)));
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.is_complete && !self.frames.is_dead()
    }
}

impl Decoder {
    /// Notes that a lane is told in pieces.
    fn note(&mut self, lane: Lane) -> Result<(), Failure> {
        if self.told.insert(lane) && self.told.len() > PARTS_MAX {
            return Err(too_many_parts());
        }
        Ok(())
    }
}

fn glance(frame: SseFrame, is_complete: &mut bool) -> Result<Frame, JsonError> {
    let SseFrame { raw, data, .. } = frame;
    let data = data.unwrap_or_default();
    let payload = data.trim_ascii();
    let mut frame = bare(FrameKind::KeepAlive, raw, Bytes::new());
    // Some vendors end every stream as they end those of the older dialect.
    if payload.is_empty() || payload == b"[DONE]" {
        return Ok(frame);
    }
    let event = Event::read(&data)?;
    frame.kind = match event.kind {
        Kind::Terminal => FrameKind::End,
        Kind::Failed | Kind::Error => FrameKind::Error,
        _ => FrameKind::Data,
    };
    *is_complete = frame.kind == FrameKind::End;
    if let (Kind::Delta, Some(text)) = (event.kind, event.text) {
        frame.text_bytes = u32::try_from(text.escaped().len()).unwrap_or(u32::MAX);
        let place = plain(&text).filter(|place| !place.is_empty());
        frame.sole_text = place.map(|place| (event.lane, place));
    }
    if matches!(event.kind, Kind::Terminal | Kind::Failed) {
        frame.usage = event.object.and_then(|response| usage::read(&response.get("usage")?));
    }
    frame.data = data;
    Ok(frame)
}

/// What an event says, in core's terms.
fn kinds(event: &Event<'_>, frame: &Frame, halves: &mut Halves) -> Vec<EventKind> {
    let lane = event.lane;
    match event.kind {
        Kind::Created => vec![EventKind::Start],
        Kind::ItemAdded => event.object.and_then(|item| call(event, &item)).into_iter().collect(),
        Kind::ItemDone => event.object.and_then(|item| sealed(event, &item)).into_iter().collect(),
        Kind::Delta => {
            let text = event.text.filter(|text| !text.escaped().is_empty());
            let delta = text.map(|text| EventKind::TextDelta { lane, text: halves.text(lane, &text) });
            delta.into_iter().collect()
        }
        Kind::Done => vec![EventKind::LaneEnd { lane }],
        Kind::Terminal => {
            let finish = EventKind::Finish { choice: 0, reason: finish_reason(event.object.as_ref()) };
            let usage = frame.usage.map(EventKind::Usage);
            usage.into_iter().chain([finish, EventKind::End]).collect()
        }
        Kind::Failed | Kind::Error => vec![EventKind::Error(Box::new(failure(event)))],
        Kind::PartDone | Kind::Framing => Vec::new(),
        Kind::Other => vec![EventKind::Raw { data: frame.data.clone() }],
    }
}

fn call(event: &Event<'_>, item: &Value<'_>) -> Option<EventKind> {
    let (id, name) = walk::call(item)?;
    let text = |text: Option<JsonStr<'_>>| text.map_or_else(String::new, |text| text.decode().into());
    let lane = Lane::tool_arguments(0, event.place.item);
    let name = alias::original(text(name).into()).into_owned();
    Some(EventKind::ToolCallStart { lane, id: text(id), name })
}

/// What proves a piece of reasoning to its provider.
fn sealed(event: &Event<'_>, item: &Value<'_>) -> Option<EventKind> {
    let data = seal(item)?;
    let signature = Signature { data: data.into(), from: Dialect::OpenAiResponses };
    let mut is_shown = false;
    walk::texts(item, event.place.item, &mut |_, _, text| is_shown |= !text.escaped().is_empty());
    Some(if is_shown {
        EventKind::Signature { lane: Lane::reasoning(0), signature }
    } else {
        EventKind::SealedReasoning { choice: 0, signature }
    })
}

/// Why an answer ended.
pub(super) fn finish_reason(response: Option<&Value<'_>>) -> FinishReason {
    let Some(response) = response else { return FinishReason::Stop };
    let reason = response.at(&["incomplete_details", "reason"]).and_then(|reason| reason.as_str());
    match reason.as_deref() {
        Some("max_output_tokens") => FinishReason::Length,
        Some("content_filter") => FinishReason::ContentFilter,
        Some(other) => FinishReason::Other(other.to_owned()),
        None => {
            let mut items = response.get("output").into_iter().flat_map(|output| output.elements());
            if items.any(|item| walk::call(&item).is_some()) {
                FinishReason::ToolCalls
            } else {
                FinishReason::Stop
            }
        }
    }
}

fn failure(event: &Event<'_>) -> Failure {
    let error = event.object.and_then(|response| response.get("error")).filter(|error| !error.is_null());
    let said = error.unwrap_or(event.whole);
    refusal::parse_in_stream(said.raw())
}
