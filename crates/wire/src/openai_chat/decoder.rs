//! A provider's stream: bytes to frames with a glance at each, and frames to events on demand.

use bytes::Bytes;
use gatewright::dialect::{Frame, FrameKind, StreamDecoder, UsageArtefact};
use gatewright::text::Lane;
use gatewright::{EventKind, Failure, FailureKind, Side, StreamEvent};

use super::calls::Calls;
use super::chat::finish_reason;
use super::walk;
use crate::alias;
use crate::document::{Outline, Part};
use crate::json::{JsonError, JsonStr};
use crate::refusal;
use crate::sse::SseFrame;
use crate::stream::{Frames, Halves, bare, malformed, numbered, plain, told_by_kind, too_many_parts};

/// What ends a stream of the family.
pub(crate) const DONE: &[u8] = b"[DONE]";

/// The event type under which some vendors report failures.
const ERROR_EVENT: &[u8] = b"error";

/// Reads one stream.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    frames: Frames,
    progress: Progress,
    calls: Calls,
    halves: Halves,
}

/// How far the answer has come.
#[derive(Debug, Default)]
struct Progress {
    /// One bit per choice that was seen, up to the 128th.
    seen: u128,
    /// One bit per choice that said why it ended.
    finished: u128,
    /// The terminator came. Whatever some vendors send after it is not part of the answer.
    ended: bool,
    /// The provider reported a failure. Some send the terminator all the same.
    failed: bool,
}

/// What one walk over a frame's data finds.
#[derive(Debug, Default)]
struct Glance {
    usage: Option<gatewright::Usage>,
    has_null_usage: bool,
    has_error: bool,
    text_bytes: usize,
    seen: u128,
    finished: u128,
    /// How many events the data have, and the last text without escapes among them.
    events: usize,
    plain_text: Option<(Lane, std::ops::Range<u32>)>,
    /// The data tell once more what earlier ones told.
    repeats: bool,
}

impl StreamDecoder for Decoder {
    fn push(&mut self, chunk: Bytes) {
        self.frames.push(chunk);
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, Failure> {
        self.frames.next(self.progress.ended, |frame| self.progress.frame(frame))
    }

    fn finish(&mut self) -> Result<Option<Frame>, Failure> {
        self.frames.finish(self.progress.ended, |frame| self.progress.frame(frame))
    }

    fn events(&mut self, frame: &Frame, events: &mut Vec<StreamEvent>) -> Result<(), Failure> {
        if frame.kind != FrameKind::Data {
            events.extend(told_by_kind(frame));
            return Ok(());
        }
        match self.halves.sole(frame, |lane| self.calls.lane(lane)) {
            Some(event) => {
                events.push(event);
                Ok(())
            }
            None => data_events(&frame.data, (&mut self.calls, &mut self.halves), events),
        }
    }

    fn is_complete(&self) -> bool {
        let Progress { seen, finished, ended, failed } = self.progress;
        !failed && !self.frames.is_dead() && (ended || (seen != 0 && seen & !finished == 0))
    }
}

impl Progress {
    fn frame(&mut self, frame: SseFrame) -> Result<Frame, JsonError> {
        let SseFrame { raw, event, data } = frame;
        let data = data.unwrap_or_default();
        let payload = data.trim_ascii();
        if payload.is_empty() {
            return Ok(bare(FrameKind::KeepAlive, raw, Bytes::new()));
        }
        if payload == DONE {
            self.ended = true;
            return Ok(bare(FrameKind::End, raw, data));
        }
        if event.as_deref() == Some(ERROR_EVENT) {
            self.failed = true;
            return Ok(bare(FrameKind::Error, raw, data));
        }
        let (glance, outline) = glance(&data)?;
        self.failed |= glance.has_error;
        self.seen |= glance.seen;
        self.finished |= glance.finished;
        let has_choices = outline.choices.unwrap_or(false);
        let usage_artefact = match glance.usage {
            Some(_) if !has_choices => UsageArtefact::Frame,
            None if glance.has_null_usage => UsageArtefact::NullMember,
            _ => UsageArtefact::None,
        };
        Ok(Frame {
            raw,
            kind: if glance.has_error { FrameKind::Error } else { FrameKind::Data },
            usage: glance.usage,
            text_bytes: u32::try_from(glance.text_bytes).unwrap_or(u32::MAX),
            sole_text: glance.plain_text.filter(|_| glance.events == 1 && !glance.repeats),
            usage_artefact,
            data,
        })
    }
}

fn glance(data: &[u8]) -> Result<(Glance, Outline), JsonError> {
    let mut glance = Glance::default();
    let bit = |choice: u32| 1u128.checked_shl(choice).unwrap_or(0);
    let outline = walk::walk(data, &mut |part| {
        glance.events += usize::from(part.is_event());
        match part {
            Part::Choice { choice } => glance.seen |= bit(choice),
            Part::Finish { choice, .. } => glance.finished |= bit(choice),
            Part::Text { lane, text, .. } => {
                glance.text_bytes += text.escaped().len();
                // An empty text is no event.
                if !text.escaped().is_empty() {
                    glance.plain_text = plain(&text).map(|place| (lane, place));
                }
            }
            Part::Usage { usage: Some(usage), .. } => glance.usage = Some(usage),
            Part::Usage { value, usage: None } => glance.has_null_usage |= value.is_null(),
            Part::Error { .. } => glance.has_error = true,
            Part::SoFar { .. } => glance.repeats = true,
            Part::Start
            | Part::Mirror { .. }
            | Part::ToolCall { .. }
            | Part::Logprobs { .. }
            | Part::Model { .. } => {}
        }
    })?;
    Ok((glance, outline))
}

fn data_events(
    data: &Bytes,
    (calls, halves): (&mut Calls, &mut Halves),
    events: &mut Vec<StreamEvent>,
) -> Result<(), Failure> {
    let first = events.len();
    let outline = walk::walk(data, &mut |part| {
        if part.is_event()
            && let Some(kind) = event_kind(&part, calls, halves)
        {
            events.push(numbered(kind, events.len() - first));
        }
    });
    let outline = outline.map_err(|error| malformed(data, &error))?;
    if calls.is_full() {
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

/// The event that a part is; the caller has asked whether it is one.
fn event_kind(part: &Part<'_>, calls: &mut Calls, halves: &mut Halves) -> Option<EventKind> {
    Some(match part {
        Part::Start => EventKind::Start,
        Part::Text { lane, text, .. } => {
            let lane = calls.lane(*lane);
            EventKind::TextDelta { lane, text: halves.text(lane, text) }
        }
        Part::ToolCall { lane, id, name, .. } => {
            let text = |text: &Option<JsonStr<'_>>| text.map(|text| text.decode().into_owned());
            let (id, name) = (text(id).unwrap_or_default(), text(name).unwrap_or_default());
            let lane = calls.begin(*lane, &id, &name);
            EventKind::ToolCallStart { lane, id, name: alias::original(name.into()).into_owned() }
        }
        Part::Finish { choice, reason } => {
            EventKind::Finish { choice: *choice, reason: finish_reason(&reason.decode()) }
        }
        Part::Usage { usage, .. } => EventKind::Usage((*usage)?),
        Part::Error { value } => EventKind::Error(Box::new(refusal::parse_in_stream(value.raw()))),
        Part::Choice { .. }
        | Part::Mirror { .. }
        | Part::SoFar { .. }
        | Part::Logprobs { .. }
        | Part::Model { .. } => return None,
    })
}
