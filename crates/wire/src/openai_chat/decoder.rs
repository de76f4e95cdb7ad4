//! A provider's stream: bytes to frames with a glance at each, and frames to events on demand.

use bytes::Bytes;
use gatewright::dialect::{Frame, FrameKind, StreamDecoder, UsageArtefact};
use gatewright::{EventKind, Failure, FailureKind, FinishReason, Side, StreamEvent};

use super::part::{self, Outline, Part};
use super::refusal;
use crate::json::{JsonError, JsonStr};
use crate::sse::{SseDecoder, SseError, SseFrame};

/// What ends a stream of the family.
pub(crate) const DONE: &[u8] = b"[DONE]";

/// The event type under which some vendors report failures.
const ERROR_EVENT: &[u8] = b"error";

/// Reads one stream.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    sse: SseDecoder,
    progress: Progress,
    /// The stream cannot be read on.
    is_dead: bool,
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
}

impl StreamDecoder for Decoder {
    fn push(&mut self, chunk: Bytes) {
        self.sse.push(chunk);
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, Failure> {
        let frame = self.sse.next_frame();
        self.look_at(frame, malformed)
    }

    fn finish(&mut self) -> Result<Option<Frame>, Failure> {
        let frame = self.sse.finish();
        // A last event that does not parse is one that the end of the stream has cut.
        self.look_at(frame, |_, error| {
            let message = "the provider's answer broke off";
            Failure::new(Side::Upstream, FailureKind::Unavailable, message).with_detail(error.to_string())
        })
    }

    fn events(&mut self, frame: &Frame, events: &mut Vec<StreamEvent>) -> Result<(), Failure> {
        match frame.kind {
            FrameKind::KeepAlive => Ok(()),
            FrameKind::End => {
                events.push(StreamEvent::from_frame(EventKind::End, 0));
                Ok(())
            }
            FrameKind::Error => {
                let failure = Box::new(refusal::parse_in_stream(&frame.data));
                events.push(StreamEvent::from_frame(EventKind::Error(failure), 0));
                Ok(())
            }
            FrameKind::Data => data_events(&frame.data, events),
        }
    }

    fn is_complete(&self) -> bool {
        let Progress { seen, finished, ended, failed } = self.progress;
        !failed && !self.is_dead && (ended || (seen != 0 && seen & !finished == 0))
    }
}

impl Decoder {
    /// Adds the glance to what was framed; `refuse` says what it means if the data are not JSON.
    fn look_at(
        &mut self,
        framed: Result<Option<SseFrame>, SseError>,
        refuse: impl FnOnce(Option<&[u8]>, &JsonError) -> Failure,
    ) -> Result<Option<Frame>, Failure> {
        if self.is_dead || self.progress.ended {
            return Ok(None);
        }
        let looked = match framed {
            Ok(None) => return Ok(None),
            Ok(Some(frame)) => {
                let data = frame.data.clone();
                self.progress.frame(frame).map_err(|error| refuse(data.as_deref(), &error))
            }
            Err(error) => Err(too_large(&error)),
        };
        self.is_dead = looked.is_err();
        looked.map(Some)
    }
}

impl Progress {
    fn frame(&mut self, frame: SseFrame) -> Result<Frame, JsonError> {
        let SseFrame { raw, event, data } = frame;
        let data = data.unwrap_or_default();
        let plain = |kind, raw, data| Frame {
            raw,
            data,
            kind,
            usage: None,
            text_bytes: 0,
            usage_artefact: UsageArtefact::None,
        };
        let payload = data.trim_ascii();
        if payload.is_empty() {
            return Ok(plain(FrameKind::KeepAlive, raw, Bytes::new()));
        }
        if payload == DONE {
            self.ended = true;
            return Ok(plain(FrameKind::End, raw, data));
        }
        if event.as_deref() == Some(ERROR_EVENT) {
            self.failed = true;
            return Ok(plain(FrameKind::Error, raw, data));
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
            usage_artefact,
            data,
        })
    }
}

fn glance(data: &[u8]) -> Result<(Glance, Outline), JsonError> {
    let mut glance = Glance::default();
    let bit = |choice: u32| 1u128.checked_shl(choice).unwrap_or(0);
    let outline = part::walk(data, &mut |part| match part {
        Part::Choice { choice } => glance.seen |= bit(choice),
        Part::Finish { choice, .. } => glance.finished |= bit(choice),
        Part::Text { text, .. } => glance.text_bytes += text.escaped().len(),
        Part::Usage { usage: Some(usage), .. } => glance.usage = Some(usage),
        Part::Usage { value, usage: None } => glance.has_null_usage |= value.is_null(),
        Part::Error { .. } => glance.has_error = true,
        Part::Start
        | Part::Mirror { .. }
        | Part::ToolCall { .. }
        | Part::Logprobs { .. }
        | Part::Model { .. } => {}
    })?;
    Ok((glance, outline))
}

fn data_events(data: &Bytes, events: &mut Vec<StreamEvent>) -> Result<(), Failure> {
    let mut kinds = Vec::new();
    let outline = part::walk(data, &mut |part| {
        if part.is_event() {
            kinds.extend(event_kind(&part));
        }
    });
    let outline = outline.map_err(|error| malformed(Some(data), &error))?;
    if kinds.is_empty() && outline.choices.is_none() {
        kinds.push(EventKind::Raw { data: data.clone() });
    }
    for (ordinal, kind) in kinds.into_iter().enumerate() {
        let ordinal = u16::try_from(ordinal).map_err(|_| {
            let message = "the provider sent an event with more parts than a stream can have";
            Failure::new(Side::Upstream, FailureKind::Malformed, message)
        })?;
        events.push(StreamEvent::from_frame(kind, ordinal));
    }
    Ok(())
}

/// The event that a part is; the caller has asked whether it is one.
fn event_kind(part: &Part<'_>) -> Option<EventKind> {
    Some(match part {
        Part::Start => EventKind::Start,
        Part::Text { lane, text, .. } => {
            EventKind::TextDelta { lane: *lane, text: text.decode().into_owned() }
        }
        Part::ToolCall { lane, id, name, .. } => {
            let text = |text: &Option<JsonStr<'_>>| text.map(|text| text.decode().into_owned());
            let (id, name) = (text(id).unwrap_or_default(), text(name).unwrap_or_default());
            EventKind::ToolCallStart { lane: *lane, id, name }
        }
        Part::Finish { choice, reason } => {
            EventKind::Finish { choice: *choice, reason: finish_reason(&reason.decode()) }
        }
        Part::Usage { usage, .. } => EventKind::Usage((*usage)?),
        Part::Error { value } => EventKind::Error(Box::new(refusal::parse_in_stream(value.raw()))),
        Part::Choice { .. } | Part::Mirror { .. } | Part::Logprobs { .. } | Part::Model { .. } => {
            return None;
        }
    })
}

fn finish_reason(word: &str) -> FinishReason {
    match word {
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "content_filter" => FinishReason::ContentFilter,
        other => FinishReason::Other(other.to_owned()),
    }
}

fn too_large(error: &SseError) -> Failure {
    let message = "the provider sent an event that is too large";
    Failure::new(Side::Upstream, FailureKind::Malformed, message).with_detail(error.to_string())
}

fn malformed(data: Option<&[u8]>, error: &JsonError) -> Failure {
    let message = "the provider sent an event that is not of its protocol";
    // The detail goes to the log, so it says where the fault is and quotes nothing of the answer.
    let detail = format!("{error}, in an event of {} bytes", data.unwrap_or_default().len());
    Failure::new(Side::Upstream, FailureKind::Malformed, message).with_detail(detail)
}
