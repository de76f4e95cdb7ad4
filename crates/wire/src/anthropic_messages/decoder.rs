//! A provider's stream: bytes to frames with a glance at each, and frames to events on demand.

use bytes::Bytes;
use gatewright::chat::Signature;
use gatewright::dialect::{Dialect, Frame, FrameKind, StreamDecoder};
use gatewright::text::Lane;
use gatewright::{EventKind, Failure, FinishReason, StreamEvent};

use super::event::{Block, Blocks, Event, EventType, Piece};
use super::usage::Figures;
use super::{name, stop};
use crate::json::{JsonError, JsonStr};
use crate::sse::SseFrame;
use crate::stream::{Frames, Halves, bare, malformed, numbered, plain, told_by_kind, too_many_parts};

/// Reads one stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    frames: Frames,
    progress: Progress,
    /// Text came, and nothing since that ends it. Runs behind the frames, with the events.
    has_open_text: bool,
    halves: Halves,
}

/// How far the answer has come.
#[derive(Debug, Default)]
struct Progress {
    /// Grows only, so that events of earlier frames are read right whenever they are asked for.
    blocks: Blocks,
    figures: Figures,
    /// The answer said why it ended.
    finished: bool,
    /// The terminator came.
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
        match self.halves.sole(frame, |lane| lane) {
            Some(event) => {
                self.has_open_text |= event.text().is_some_and(|(lane, _)| lane == Lane::content(0));
                events.push(event);
                Ok(())
            }
            None => self.data_events(frame, events),
        }
    }

    fn is_complete(&self) -> bool {
        let Progress { finished, ended, failed, .. } = self.progress;
        !failed && !self.frames.is_dead() && (ended || finished)
    }
}

impl Decoder {
    fn data_events(&mut self, frame: &Frame, events: &mut Vec<StreamEvent>) -> Result<(), Failure> {
        let event = Event::read(&frame.data).map_err(|error| malformed(&frame.data, &error))?;
        if self.progress.blocks.is_full() {
            return Err(too_many_parts());
        }
        let first = events.len();
        let mut give = |kind| {
            events.push(numbered(kind, events.len() - first));
        };
        if self.has_open_text && self.ends_text(&event) {
            self.has_open_text = false;
            give(EventKind::LaneEnd { lane: Lane::content(0) });
        }
        for piece in event.pieces(&self.progress.blocks) {
            if let Piece::Text { lane, .. } = piece {
                self.has_open_text |= lane == Lane::content(0);
            }
            match event_kind(&piece, frame, &mut self.halves) {
                Some(EventKind::Finish { choice, reason: FinishReason::ToolCalls })
                    if self.progress.blocks.has_form_only() =>
                {
                    give(EventKind::Finish { choice, reason: FinishReason::Stop });
                }
                Some(kind) => give(kind),
                None => {}
            }
        }
        Ok(())
    }

    /// Whether the text of the answer ends before an event. The end of a block is none: where sources are cited, a
    /// sentence goes on in the next one.
    fn ends_text(&self, event: &Event<'_>) -> bool {
        match event.kind {
            EventType::BlockStart => self.progress.blocks.of(event) != Block::Text,
            EventType::MessageDelta => true,
            _ => false,
        }
    }
}

impl Progress {
    fn frame(&mut self, frame: SseFrame) -> Result<Frame, JsonError> {
        let SseFrame { raw, data, .. } = frame;
        let data = data.unwrap_or_default();
        if data.trim_ascii().is_empty() {
            return Ok(bare(FrameKind::KeepAlive, raw, Bytes::new()));
        }
        let event = Event::read(&data)?;
        let kind = match event.kind {
            EventType::Ping => FrameKind::KeepAlive,
            EventType::Error => {
                self.failed = true;
                FrameKind::Error
            }
            EventType::MessageStop => {
                self.ended = true;
                FrameKind::End
            }
            _ => FrameKind::Data,
        };
        if kind != FrameKind::Data {
            return Ok(bare(kind, raw, data));
        }
        self.blocks.note(&event);
        let usage = event.usage().and_then(|usage| {
            self.figures.add(&usage);
            self.figures.usage()
        });
        let pieces = event.pieces(&self.blocks);
        let mut text_bytes = 0;
        for piece in &pieces {
            match piece {
                Piece::Text { text, .. } => text_bytes += text.escaped().len(),
                Piece::Finish { .. } => self.finished = true,
                _ => {}
            }
        }
        let sole_text = match pieces.as_slice() {
            [Piece::Text { lane, text }] if event.kind == EventType::BlockDelta => {
                plain(text).map(|place| (*lane, place))
            }
            _ => None,
        };
        let text_bytes = u32::try_from(text_bytes).unwrap_or(u32::MAX);
        drop(pieces);
        Ok(Frame { usage, text_bytes, sole_text, ..bare(kind, raw, data) })
    }
}

/// The event that a piece is; none for figures that say nothing.
fn event_kind(piece: &Piece<'_>, frame: &Frame, halves: &mut Halves) -> Option<EventKind> {
    let owned = |text: &JsonStr<'_>| text.decode().into_owned();
    let signature = |text| Signature { data: owned(text).into(), from: Dialect::AnthropicMessages };
    Some(match piece {
        Piece::Start => EventKind::Start,
        Piece::Text { lane, text } => EventKind::TextDelta { lane: *lane, text: halves.text(*lane, text) },
        Piece::Call { lane, id, name } => EventKind::ToolCallStart {
            lane: *lane,
            id: id.as_ref().map(owned).unwrap_or_default(),
            name: name.map(|name| name::original(name.decode()).into_owned()).unwrap_or_default(),
        },
        Piece::Signature { text } => {
            EventKind::Signature { lane: Lane::reasoning(0), signature: signature(text) }
        }
        Piece::Sealed { text } => EventKind::SealedReasoning { choice: 0, signature: signature(text) },
        Piece::End { lane } => EventKind::LaneEnd { lane: *lane },
        Piece::Finish { reason, string } => {
            let reason = stop::read(&reason.decode(), string.as_ref().map(owned));
            EventKind::Finish { choice: 0, reason }
        }
        Piece::Usage => EventKind::Usage(frame.usage?),
        Piece::Raw => EventKind::Raw { data: frame.data.clone() },
    })
}
