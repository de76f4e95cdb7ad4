//! A provider's stream: bytes to frames with a glance at each, and frames to events on demand.
//!
//! The dialect has no terminator: an answer is complete when every candidate said why it ended, or the prompt was
//! refused.

use std::collections::BTreeMap;

use bytes::Bytes;
use gatewright::chat::Signature;
use gatewright::dialect::{Dialect, Frame, FrameKind, StreamDecoder};
use gatewright::text::{Lane, LaneKind};
use gatewright::{EventKind, Failure, FailureKind, FinishReason, Side, StreamEvent, Usage};

use super::chat::{call_id, media, tool_name};
use super::finish;
use super::walk::{Item, walk};
use crate::json::{JsonError, Value};
use crate::refusal;
use crate::sse::SseFrame;
use crate::stream::{
    Frames, Halves, PARTS_MAX, bare, malformed, numbered, plain, told_by_kind, too_many_parts,
};

/// Reads one stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    frames: Frames,
    progress: Progress,
    /// How many calls each candidate has made in the frames whose events were read.
    calls: BTreeMap<u32, u32>,
    halves: Halves,
}

/// How far the answer has come.
#[derive(Debug, Default)]
struct Progress {
    /// One bit per candidate that was seen, up to the 128th.
    seen: u128,
    /// One bit per candidate that said why it ended.
    finished: u128,
    /// The provider reported a failure.
    failed: bool,
}

/// What one walk over a frame's data finds.
#[derive(Debug, Default)]
struct Glance {
    usage: Option<Usage>,
    has_error: bool,
    text_bytes: usize,
    seen: u128,
    finished: u128,
    /// How many events the data have, and the last text without escapes among them.
    events: usize,
    plain_text: Option<(Lane, std::ops::Range<u32>)>,
}

impl StreamDecoder for Decoder {
    fn push(&mut self, chunk: Bytes) {
        self.frames.push(chunk);
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, Failure> {
        self.frames.next(false, |frame| self.progress.frame(frame))
    }

    fn finish(&mut self) -> Result<Option<Frame>, Failure> {
        self.frames.finish(false, |frame| self.progress.frame(frame))
    }

    fn events(&mut self, frame: &Frame, events: &mut Vec<StreamEvent>) -> Result<(), Failure> {
        if frame.kind != FrameKind::Data {
            events.extend(told_by_kind(frame));
            return Ok(());
        }
        match self.halves.sole(frame, |lane| lane) {
            Some(event) => {
                events.push(event);
                Ok(())
            }
            None => self.data_events(&frame.data, events),
        }
    }

    fn is_complete(&self) -> bool {
        let Progress { seen, finished, failed } = self.progress;
        !failed && !self.frames.is_dead() && seen != 0 && seen & !finished == 0
    }
}

impl Decoder {
    fn data_events(&mut self, data: &Bytes, events: &mut Vec<StreamEvent>) -> Result<(), Failure> {
        let first = events.len();
        let halves = &mut self.halves;
        let mut calls = Calls { data, counts: &mut self.calls, halves, open: None };
        let outline = walk(data, &mut |item| {
            if item.is_event()
                && let Some(kind) = calls.event(&item)
            {
                events.push(numbered(kind, events.len() - first));
            }
        });
        let outline = outline.map_err(|error| malformed(data, &error))?;
        if self.calls.len() > PARTS_MAX {
            return Err(too_many_parts());
        }
        if events.len() == first && outline.choices.is_none() {
            events.push(numbered(EventKind::Raw { data: data.clone() }, 0));
        }
        if events.len() - first > usize::from(u16::MAX) {
            let message = "the provider sent an event with more parts than a stream can have";
            return Err(Failure::new(Side::Upstream, FailureKind::Malformed, message));
        }
        Ok(())
    }
}

impl Progress {
    fn frame(&mut self, frame: SseFrame) -> Result<Frame, JsonError> {
        let SseFrame { raw, data, .. } = frame;
        let data = data.unwrap_or_default();
        let mut frame = bare(FrameKind::KeepAlive, raw, data);
        if frame.data.trim_ascii().is_empty() {
            frame.data = Bytes::new();
            return Ok(frame);
        }
        let glance = glance(&frame.data)?;
        self.failed |= glance.has_error;
        self.seen |= glance.seen;
        self.finished |= glance.finished;
        frame.kind = if glance.has_error { FrameKind::Error } else { FrameKind::Data };
        frame.usage = glance.usage;
        frame.text_bytes = u32::try_from(glance.text_bytes).unwrap_or(u32::MAX);
        frame.sole_text = glance.plain_text.filter(|_| glance.events == 1);
        Ok(frame)
    }
}

fn glance(data: &[u8]) -> Result<Glance, JsonError> {
    let mut glance = Glance::default();
    let bit = |choice: u32| 1u128.checked_shl(choice).unwrap_or(0);
    // An error may stand in the brackets of the array that the stream would otherwise be.
    if data.trim_ascii_start().starts_with(b"[") {
        let array = Value::parse(data)?;
        if array.elements().next().is_some_and(|element| element.get("error").is_some()) {
            glance.has_error = true;
            return Ok(glance);
        }
    }
    walk(data, &mut |item| {
        glance.events += usize::from(item.is_event());
        match item {
            Item::Choice { choice } => glance.seen |= bit(choice),
            Item::Finish { choice, .. } => glance.finished |= bit(choice),
            Item::Blocked => {
                glance.seen |= 1;
                glance.finished |= 1;
            }
            Item::Text { lane, text } => {
                glance.text_bytes += text.escaped().len();
                // An empty text is no event.
                if !text.escaped().is_empty() {
                    glance.plain_text = plain(&text).map(|place| (lane, place));
                }
            }
            Item::Usage { usage } => glance.usage = Some(usage),
            Item::Error { .. } => glance.has_error = true,
            Item::Part { .. }
            | Item::PartsEnd
            | Item::Call { .. }
            | Item::Signature { .. }
            | Item::CallEnd { .. }
            | Item::Media { .. }
            | Item::Model { .. } => {}
        }
    })?;
    Ok(glance)
}

/// The items of a frame as events, their calls counted through the whole stream.
struct Calls<'d> {
    data: &'d [u8],
    counts: &'d mut BTreeMap<u32, u32>,
    halves: &'d mut Halves,
    /// The call whose items are being met.
    open: Option<Lane>,
}

impl Calls<'_> {
    /// The event that an item is; the caller has asked whether it is one.
    fn event(&mut self, item: &Item<'_>) -> Option<EventKind> {
        Some(match item {
            Item::Text { lane, text } => {
                let lane = self.lane(*lane);
                let text = self.halves.text(lane, text);
                EventKind::TextDelta { lane, text }
            }
            Item::Call { lane, id, name, .. } => {
                let count = self.counts.entry(lane.choice).or_default();
                let index = *count;
                *count = count.saturating_add(1);
                let lane = Lane::tool_arguments(lane.choice, index);
                self.open = Some(lane);
                let said = id.map(|id| id.decode().into_owned()).filter(|id| !id.is_empty());
                let id = said.unwrap_or_else(|| call_id(self.data, lane.choice, index));
                EventKind::ToolCallStart { lane, id, name: tool_name(&name.decode()).to_owned() }
            }
            Item::Signature { lane, text } => EventKind::Signature {
                lane: self.lane(*lane),
                signature: Signature {
                    data: text.decode().into_owned().into(),
                    from: Dialect::GoogleGenerate,
                },
            },
            Item::CallEnd { lane } => EventKind::LaneEnd { lane: self.lane(*lane) },
            Item::Media { choice, value } => {
                EventKind::Media { choice: *choice, media: Box::new(media(value).into_owned()) }
            }
            Item::Finish { choice, reason } => {
                let calls = self.counts.get(choice).is_some_and(|count| *count > 0);
                EventKind::Finish { choice: *choice, reason: finish::read(&reason.decode(), calls) }
            }
            Item::Blocked => EventKind::Finish { choice: 0, reason: FinishReason::ContentFilter },
            Item::Usage { usage } => EventKind::Usage(*usage),
            Item::Error { value } => EventKind::Error(Box::new(refusal::parse_in_stream(value.raw()))),
            Item::Choice { .. } | Item::Part { .. } | Item::PartsEnd | Item::Model { .. } => return None,
        })
    }

    /// The lane of a call among all of the stream; any other lane is what it is.
    fn lane(&self, lane: Lane) -> Lane {
        match (lane.kind, self.open) {
            (LaneKind::ToolArguments { .. }, Some(open)) => open,
            _ => lane,
        }
    }
}
