//! A provider's stream: bytes to lines with a glance at each, and lines to events on demand.
//!
//! The line that says `done` completes the answer; there is no other terminator.

use bytes::Bytes;
use gatewright::dialect::{Frame, FrameKind, StreamDecoder};
use gatewright::{Failure, FailureKind, Side, StreamEvent};

use super::{event, walk};
use crate::document::Part;
use crate::json::JsonError;
use crate::lines::LineDecoder;
use crate::sse::SseFrame;
use crate::stream::{Frames, bare, malformed, numbered, plain, sole, told_by_kind};

/// Reads one stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    frames: Frames<LineDecoder>,
    progress: Progress,
    /// How many calls the lines had whose events were read.
    calls: u32,
}

/// How far the answer has come.
#[derive(Debug, Default)]
struct Progress {
    /// The last line came. Nothing that follows is part of the answer.
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
        if frame.kind != FrameKind::Data {
            events.extend(told_by_kind(frame));
            return Ok(());
        }
        if let Some(event) = sole(frame, |lane| lane) {
            events.push(event);
            return Ok(());
        }
        let kinds =
            event::kinds(&frame.data, &mut self.calls).map_err(|error| malformed(&frame.data, &error))?;
        if kinds.len() > usize::from(u16::MAX) {
            let message = "the provider sent an event with more parts than a stream can have";
            return Err(Failure::new(Side::Upstream, FailureKind::Malformed, message));
        }
        events.extend(kinds.into_iter().enumerate().map(|(ordinal, kind)| numbered(kind, ordinal)));
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.progress.ended && !self.progress.failed && !self.frames.is_dead()
    }
}

impl Progress {
    fn frame(&mut self, frame: SseFrame) -> Result<Frame, JsonError> {
        let SseFrame { raw, data, .. } = frame;
        let Some(data) = data else { return Ok(bare(FrameKind::KeepAlive, raw, Bytes::new())) };
        let mut frame = bare(FrameKind::Data, raw, data);
        let (mut text_bytes, mut events, mut only) = (0, 0, None);
        walk::walk(&frame.data, &mut |part| {
            events += usize::from(part.is_event());
            match part {
                Part::Text { lane, text, .. } if !text.escaped().is_empty() => {
                    text_bytes += text.escaped().len();
                    only = plain(&text).map(|place| (lane, place));
                }
                Part::Usage { usage, .. } => frame.usage = usage,
                Part::Finish { .. } => self.ended = true,
                Part::Error { .. } => {
                    self.failed = true;
                    frame.kind = FrameKind::Error;
                }
                _ => {}
            }
        })?;
        frame.text_bytes = u32::try_from(text_bytes).unwrap_or(u32::MAX);
        frame.sole_text = only.filter(|_| events == 1);
        Ok(frame)
    }
}
