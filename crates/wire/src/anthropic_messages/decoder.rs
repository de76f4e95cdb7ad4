//! A provider's stream: bytes to frames with a glance at each, and frames to events on demand.

use bytes::Bytes;
use gatewright::chat::Signature;
use gatewright::dialect::{Dialect, Frame, FrameKind, StreamDecoder, UsageArtefact};
use gatewright::text::Lane;
use gatewright::{EventKind, EventText, Failure, FailureKind, FinishReason, Side, StreamEvent};

use super::event::{Block, Blocks, Event, EventType, Piece};
use super::usage::Figures;
use super::{name, stop};
use crate::json::{JsonError, JsonStr};
use crate::refusal;
use crate::sse::{SseDecoder, SseError, SseFrame};

/// Reads one stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    sse: SseDecoder,
    progress: Progress,
    /// The stream cannot be read on.
    is_dead: bool,
    /// Text came, and nothing since that ends it. Runs behind the frames, with the events.
    has_open_text: bool,
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
            FrameKind::Data => match sole(frame) {
                Some(event) => {
                    self.has_open_text |= event.text().is_some_and(|(lane, _)| lane == Lane::content(0));
                    events.push(event);
                    Ok(())
                }
                None => self.data_events(frame, events),
            },
        }
    }

    fn is_complete(&self) -> bool {
        let Progress { finished, ended, failed, .. } = self.progress;
        !failed && !self.is_dead && (ended || finished)
    }
}

impl Decoder {
    /// Adds the glance to what was framed; `refuse` says what it means if the data are not JSON.
    fn look_at(
        &mut self,
        framed: Result<Option<SseFrame>, SseError>,
        refuse: impl FnOnce(&[u8], &JsonError) -> Failure,
    ) -> Result<Option<Frame>, Failure> {
        if self.is_dead || self.progress.ended {
            return Ok(None);
        }
        let looked = match framed {
            Ok(None) => return Ok(None),
            Ok(Some(frame)) => {
                let data = frame.data.clone().unwrap_or_default();
                self.progress.frame(frame).map_err(|error| refuse(&data, &error))
            }
            Err(error) => Err(too_large(&error)),
        };
        self.is_dead = looked.is_err();
        looked.map(Some)
    }

    fn data_events(&mut self, frame: &Frame, events: &mut Vec<StreamEvent>) -> Result<(), Failure> {
        let event = Event::read(&frame.data).map_err(|error| malformed(&frame.data, &error))?;
        let first = events.len();
        let mut give = |kind| {
            let ordinal = u16::try_from(events.len() - first).unwrap_or(u16::MAX);
            events.push(StreamEvent::from_frame(kind, ordinal));
        };
        if self.has_open_text && self.ends_text(&event) {
            self.has_open_text = false;
            give(EventKind::LaneEnd { lane: Lane::content(0) });
        }
        for piece in event.pieces(&self.progress.blocks) {
            if let Piece::Text { lane, .. } = piece {
                self.has_open_text |= lane == Lane::content(0);
            }
            match event_kind(&piece, frame) {
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
        let plain = |kind, raw, data| Frame {
            raw,
            data,
            kind,
            usage: None,
            text_bytes: 0,
            sole_text: None,
            usage_artefact: UsageArtefact::None,
        };
        if data.trim_ascii().is_empty() {
            return Ok(plain(FrameKind::KeepAlive, raw, Bytes::new()));
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
            return Ok(plain(kind, raw, data));
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
                plain_place(text).map(|place| (*lane, place))
            }
            _ => None,
        };
        let text_bytes = u32::try_from(text_bytes).unwrap_or(u32::MAX);
        drop(pieces);
        Ok(Frame { usage, text_bytes, sole_text, ..plain(kind, raw, data) })
    }
}

/// The event that a piece is; none for figures that say nothing.
fn event_kind(piece: &Piece<'_>, frame: &Frame) -> Option<EventKind> {
    let owned = |text: &JsonStr<'_>| text.decode().into_owned();
    let signature = |text| Signature { data: owned(text).into(), from: Dialect::AnthropicMessages };
    Some(match piece {
        Piece::Start => EventKind::Start,
        Piece::Text { lane, text } => EventKind::TextDelta { lane: *lane, text: owned(text).into() },
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

/// Where a text stands in the data, if it stands there as it reads.
fn plain_place(text: &JsonStr<'_>) -> Option<std::ops::Range<u32>> {
    let span = text.span();
    let is_plain = memchr::memchr(b'\\', text.escaped()).is_none();
    // The quotes around it are not part of it.
    let place = (u32::try_from(span.start + 1).ok()?, u32::try_from(span.end.saturating_sub(1)).ok()?);
    is_plain.then_some(place.0..place.1)
}

/// The text of a frame that has nothing else to say.
fn sole(frame: &Frame) -> Option<StreamEvent> {
    let (lane, place) = frame.sole_text.clone()?;
    let (start, end) = (usize::try_from(place.start).ok()?, usize::try_from(place.end).ok()?);
    let bytes = (end <= frame.data.len()).then(|| frame.data.slice(start..end))?;
    Some(StreamEvent::from_frame(EventKind::TextDelta { lane, text: EventText::shared(bytes)? }, 0))
}

fn too_large(error: &SseError) -> Failure {
    let message = "the provider sent an event that is too large";
    Failure::new(Side::Upstream, FailureKind::Malformed, message).with_detail(error.to_string())
}

fn malformed(data: &[u8], error: &JsonError) -> Failure {
    let message = "the provider sent an event that is not of its protocol";
    // The detail goes to the log, so it says where the fault is and quotes nothing of the answer.
    let detail = format!("{error}, in an event of {} bytes", data.len());
    Failure::new(Side::Upstream, FailureKind::Malformed, message).with_detail(detail)
}
