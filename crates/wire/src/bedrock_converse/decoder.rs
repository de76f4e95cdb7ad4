//! A provider's stream: bytes to frames with a glance at each, and frames to events on demand.
//!
//! The figures come last and end the stream; there is no other terminator. An answer whose body ends behind
//! `messageStop` is complete without them.

use std::collections::BTreeMap;

use bytes::Bytes;
use gatewright::chat::Signature;
use gatewright::dialect::{Dialect, Frame, FrameKind, StreamDecoder};
use gatewright::text::Lane;
use gatewright::{EventKind, Failure, FailureKind, Side, StreamEvent};

use super::event::{self, Kind, Said};
use super::{alias, error, finish};
use crate::event_stream::{EventStreamDecoder, EventStreamError, Message};
use crate::json::JsonStr;
use crate::stream::{Halves, PARTS_MAX, bare, malformed, plain, too_many_parts};

/// Reads one stream.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a step that the stream has come to")]
pub(super) struct Decoder {
    messages: EventStreamDecoder,
    lanes: Lanes,
    halves: Halves,
    /// The answer said why it ended.
    stopped: bool,
    /// The figures came. Nothing that follows is part of the answer.
    ended: bool,
    /// The provider reported a failure.
    failed: bool,
    /// The stream cannot be read on.
    is_dead: bool,
}

/// Which lane each block is a part of.
#[derive(Debug, Default)]
struct Lanes {
    of_block: BTreeMap<u64, Lane>,
    calls: u32,
}

impl StreamDecoder for Decoder {
    fn push(&mut self, chunk: Bytes) {
        self.messages.push(chunk);
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, Failure> {
        let message = self.messages.next_message();
        self.look_at(message)
    }

    fn finish(&mut self) -> Result<Option<Frame>, Failure> {
        let message = self.messages.finish();
        self.look_at(message)
    }

    fn events(&mut self, frame: &Frame, events: &mut Vec<StreamEvent>) -> Result<(), Failure> {
        if let Some(event) = self.halves.sole(frame, |lane| lane) {
            events.push(event);
            return Ok(());
        }
        let message =
            Message::of_checked(&frame.raw).ok_or_else(|| malformed(&[], &"the frame is no message"))?;
        let kinds = match event::kind(&message) {
            Kind::Event(name) => {
                let said = event::read(name, &message.payload)
                    .map_err(|error| malformed(&message.payload, &error))?;
                self.event_kinds(&said, &message.payload)?
            }
            kind => [Some(EventKind::Error(Box::new(error::parse_in_stream(&kind, &message.payload)))), None],
        };
        let numbered = kinds.into_iter().flatten().zip(0..);
        events.extend(numbered.map(|(kind, ordinal)| StreamEvent::from_frame(kind, ordinal)));
        Ok(())
    }

    fn is_complete(&self) -> bool {
        !self.failed && !self.is_dead && (self.ended || self.stopped)
    }
}

impl Decoder {
    fn look_at(
        &mut self,
        message: Result<Option<Message>, EventStreamError>,
    ) -> Result<Option<Frame>, Failure> {
        if self.is_dead || self.ended {
            return Ok(None);
        }
        let looked = match message {
            Ok(None) => return Ok(None),
            Ok(Some(message)) => self.frame(&message),
            Err(error) => Err(unreadable(&error)),
        };
        self.is_dead = looked.is_err();
        looked.map(Some)
    }

    /// Adds the glance to a message.
    fn frame(&mut self, message: &Message) -> Result<Frame, Failure> {
        let mut frame = bare(FrameKind::Data, message.raw.clone(), message.payload.clone());
        let Kind::Event(name) = event::kind(message) else {
            self.failed = true;
            frame.kind = FrameKind::Error;
            return Ok(frame);
        };
        let said =
            event::read(name, &message.payload).map_err(|error| malformed(&message.payload, &error))?;
        let lane = self.lanes.of(&said)?;
        if let (Some(text), Some(lane)) = (said.text(), lane) {
            frame.text_bytes = u32::try_from(text.escaped().len()).unwrap_or(u32::MAX);
            frame.sole_text = plain(&text).filter(|place| !place.is_empty()).map(|place| (lane, place));
        }
        match said {
            Said::Stop { .. } => self.stopped = true,
            Said::Metadata { usage } => {
                self.ended = true;
                frame.kind = FrameKind::End;
                frame.usage = usage;
            }
            _ => {}
        }
        Ok(frame)
    }

    /// The events that an event of the wire is: one, but for the end.
    fn event_kinds(&mut self, said: &Said<'_>, payload: &Bytes) -> Result<[Option<EventKind>; 2], Failure> {
        let lane = self.lanes.of(said)?.unwrap_or(Lane::content(0));
        let signature = |text: &JsonStr<'_>| Signature {
            data: text.decode().into_owned().into(),
            from: Dialect::BedrockConverse,
        };
        let event = match said {
            Said::Start => EventKind::Start,
            Said::CallStart { id, name, .. } => EventKind::ToolCallStart {
                lane,
                id: id.decode().into_owned(),
                name: alias::original(name.decode()).into_owned(),
            },
            Said::Text { text, .. } | Said::Arguments { text, .. } | Said::Reasoning { text, .. } => {
                // An empty text is no event.
                if text.escaped().is_empty() {
                    return Ok([None, None]);
                }
                EventKind::TextDelta { lane, text: self.halves.text(lane, text) }
            }
            Said::Signature { signature: text, .. } => {
                EventKind::Signature { lane, signature: signature(text) }
            }
            Said::Sealed { data, .. } => EventKind::SealedReasoning { choice: 0, signature: signature(data) },
            Said::BlockStop { .. } => EventKind::LaneEnd { lane },
            Said::Stop { reason } => EventKind::Finish { choice: 0, reason: finish::read(reason) },
            Said::Metadata { usage } => return Ok([usage.map(EventKind::Usage), Some(EventKind::End)]),
            Said::Other => EventKind::Raw { data: payload.clone() },
        };
        Ok([Some(event), None])
    }
}

impl Lanes {
    /// The lane of a block, which what it says first decides.
    fn of(&mut self, said: &Said<'_>) -> Result<Option<Lane>, Failure> {
        let Some(block) = said.block() else { return Ok(None) };
        if let Some(lane) = self.of_block.get(&block) {
            return Ok(Some(*lane));
        }
        if self.of_block.len() >= PARTS_MAX {
            return Err(too_many_parts());
        }
        let lane = match said {
            Said::CallStart { .. } | Said::Arguments { .. } => {
                let lane = Lane::tool_arguments(0, self.calls);
                self.calls += 1;
                lane
            }
            Said::Reasoning { .. } | Said::Signature { .. } | Said::Sealed { .. } => Lane::reasoning(0),
            _ => Lane::content(0),
        };
        self.of_block.insert(block, lane);
        Ok(Some(lane))
    }
}

fn unreadable(error: &EventStreamError) -> Failure {
    let (kind, message) = match error {
        EventStreamError::Cut { .. } => (FailureKind::Unavailable, "the provider's answer broke off"),
        EventStreamError::MessageTooLarge { .. } => {
            (FailureKind::Malformed, "the provider sent an event that is too large")
        }
        _ => (FailureKind::Malformed, "the provider sent an event that is not of its protocol"),
    };
    Failure::new(Side::Upstream, kind, message).with_detail(error.to_string())
}
