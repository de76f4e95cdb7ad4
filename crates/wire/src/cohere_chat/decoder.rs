//! A provider's stream: bytes to frames with a glance at each, and frames to events on demand.
//!
//! The end of the message completes the answer; a terminator behind it may come or not.

use std::collections::BTreeMap;

use bytes::Bytes;
use gatewright::dialect::{Frame, FrameKind, StreamDecoder};
use gatewright::text::{Lane, LaneKind};
use gatewright::{EventKind, Failure, StreamEvent};

use super::event::{self, Said};
use super::{finish, usage};
use crate::json::{JsonError, JsonStr};
use crate::refusal;
use crate::sse::SseFrame;
use crate::stream::{Frames, bare, malformed, numbered, plain, sole, told_by_kind};

/// What may stand behind the last event.
pub(super) const DONE: &[u8] = b"[DONE]";

/// An answer may have this many blocks.
const BLOCKS_MAX: usize = 4_096;

/// Reads one stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    frames: Frames,
    progress: Progress,
    /// Which lane each block is a part of.
    blocks: BTreeMap<u32, Lane>,
    has_calls: bool,
}

/// How far the answer has come.
#[derive(Debug, Default)]
struct Progress {
    /// The answer said why it ended.
    finished: bool,
    /// The terminator came. Nothing that follows is part of the answer.
    ended: bool,
    /// The provider reported a failure.
    failed: bool,
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
        if let Some(event) = sole(frame, |lane| lane) {
            self.has_calls |= event.text().is_some_and(|(lane, _)| is_call(lane));
            events.push(event);
            return Ok(());
        }
        if matches!(frame.kind, FrameKind::KeepAlive | FrameKind::End) {
            events.extend(told_by_kind(frame));
            return Ok(());
        }
        let said = event::read(&frame.data).map_err(|error| malformed(&frame.data, &error))?;
        let kinds = self.kinds(&said, frame)?;
        events.extend(kinds.into_iter().flatten().enumerate().map(|(ordinal, kind)| numbered(kind, ordinal)));
        Ok(())
    }

    fn is_complete(&self) -> bool {
        let Progress { finished, failed, .. } = self.progress;
        finished && !failed && !self.frames.is_dead()
    }
}

impl Decoder {
    /// The events that an event of the wire is: one, but for a beginning with words and the end with its figures.
    fn kinds(&mut self, said: &Said<'_>, frame: &Frame) -> Result<[Option<EventKind>; 2], Failure> {
        let owned =
            |text: &Option<JsonStr<'_>>| text.map(|text| text.decode().into_owned()).unwrap_or_default();
        let text = said.text().map(|(lane, text)| {
            let text = text.decode().into_owned().into();
            EventKind::TextDelta { lane, text }
        });
        Ok(match said {
            Said::Start => [Some(EventKind::Start), None],
            Said::BlockStart { block, lane, .. } | Said::Text { block: Some(block), lane, .. } => {
                if self.blocks.len() >= BLOCKS_MAX && !self.blocks.contains_key(block) {
                    return Err(malformed(&[], &"the answer has too many blocks"));
                }
                self.blocks.insert(*block, *lane);
                [text, None]
            }
            Said::Text { .. } => [text, None],
            Said::BlockEnd { block } => {
                [self.blocks.get(block).map(|lane| EventKind::LaneEnd { lane: *lane }), None]
            }
            Said::CallStart { lane, id, name, .. } => {
                self.has_calls = true;
                [Some(EventKind::ToolCallStart { lane: *lane, id: owned(id), name: owned(name) }), text]
            }
            Said::CallEnd { lane } => [Some(EventKind::LaneEnd { lane: *lane }), None],
            Said::End { reason, .. } => {
                let reason = reason.map(|reason| finish::read(&reason.decode(), self.has_calls));
                [
                    reason.map(|reason| EventKind::Finish { choice: 0, reason }),
                    frame.usage.map(EventKind::Usage),
                ]
            }
            Said::Error { value } => {
                [Some(EventKind::Error(Box::new(refusal::parse_in_stream(value.raw())))), None]
            }
            Said::Other => [Some(EventKind::Raw { data: frame.data.clone() }), None],
        })
    }
}

const fn is_call(lane: Lane) -> bool {
    matches!(lane.kind, LaneKind::ToolArguments { .. })
}

impl Progress {
    fn frame(&mut self, frame: SseFrame) -> Result<Frame, JsonError> {
        let SseFrame { raw, data, .. } = frame;
        let data = data.unwrap_or_default();
        let payload = data.trim_ascii();
        if payload.is_empty() {
            return Ok(bare(FrameKind::KeepAlive, raw, Bytes::new()));
        }
        if payload == DONE {
            self.ended = true;
            return Ok(bare(FrameKind::End, raw, data));
        }
        let mut frame = bare(FrameKind::Data, raw, data);
        let said = event::read(&frame.data)?;
        if let Some((lane, text)) = said.text() {
            frame.text_bytes = u32::try_from(text.escaped().len()).unwrap_or(u32::MAX);
            // The beginning of a block or a call says more than its text.
            let only = plain(&text).filter(|_| matches!(said, Said::Text { .. }));
            frame.sole_text = only.map(|place| (lane, place));
        }
        match said {
            Said::End { reason, usage } => {
                self.finished |= reason.is_some();
                frame.usage = usage.as_ref().and_then(usage::read);
            }
            Said::Error { value } => {
                self.failed = true;
                frame.kind = FrameKind::Error;
                frame.usage = value.get("usage").as_ref().and_then(usage::read);
            }
            _ => {}
        }
        Ok(frame)
    }
}
