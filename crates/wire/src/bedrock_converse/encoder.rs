//! A client's stream: what is left of a frame after filters, errors, the end; or all of it, written from the events
//! of another dialect.
//!
//! Nothing follows an error or the figures, which end the stream. A stream of the provider's that ends without them
//! is ended by its last message.

use gatewright::dialect::{ErrorBody, ErrorClass, Frame, FrameKind, StreamEncoder, StreamSettings};
use gatewright::{EventKind, Origin, StreamEvent};
use http::StatusCode;

use super::event::Said;
use super::insertion::Blocks;
use super::writer::{Overflow, Writer};
use super::{error, event};
use crate::event_stream::{HeaderValue, Message, write_message};
use crate::json::Patches;
use crate::stream::error_body;

/// Writes one stream.
#[derive(Debug)]
pub(super) struct Encoder {
    /// There where the stream is written from the events of another dialect.
    writer: Option<Writer>,
    blocks: Blocks,
    /// The block of a tool call that was dropped: what else is said of it goes with it.
    dropping: Option<u64>,
    /// After an error or the end nothing follows.
    is_closed: bool,
}

impl Encoder {
    pub(super) fn new(settings: StreamSettings) -> Self {
        let writer = settings.envelope.map(Writer::new);
        Self { writer, blocks: Blocks::default(), dropping: None, is_closed: false }
    }

    /// Whether a frame belongs to the tool call that was dropped; its last one ends that.
    fn is_of_dropped(&mut self, frame: &Frame) -> bool {
        let Some(dropped) = self.dropping else { return false };
        let (block, is_last) =
            said_by(frame, |said| (said.block(), matches!(said, Said::BlockStop { .. }))).unwrap_or_default();
        let is_of_it = block == Some(dropped);
        if is_of_it && is_last {
            self.dropping = None;
        }
        is_of_it
    }

    /// Drops the tool call that a frame begins, if it begins one.
    fn drop_call(&mut self, frame: &Frame) {
        let begun = |said: &Said<'_>| said.block().filter(|_| matches!(said, Said::CallStart { .. }));
        self.dropping = said_by(frame, begun).flatten().or(self.dropping);
    }

    fn write_event(&mut self, event: &EventKind, out: &mut Vec<u8>) {
        match (event, &mut self.writer) {
            _ if self.is_closed => {}
            (EventKind::End, _) => self.write_end(out),
            (EventKind::Error(failure), _) => self.write_error(&error_body(failure), out),
            (event, Some(writer)) => {
                if writer.write(event, out) == Err(Overflow) {
                    let message = "the answer has a tool call that does not end";
                    self.write_error(&server_error(message), out);
                }
            }
            (event, None) => self.blocks.write(event, out),
        }
    }

    /// Writes a frame with what is left of its own event.
    fn write_frame(&mut self, frame: &Frame, kept: &[&StreamEvent], added: &str, out: &mut Vec<u8>) {
        let message = Message::of_checked(&frame.raw);
        let edited = kept.iter().find(|event| event.is_edited()).and_then(|event| event.text());
        let text = match (edited, kept.first().and_then(|event| event.text())) {
            (Some((_, text)), _) => text,
            (None, Some((_, text))) if !added.is_empty() => text,
            _ => return out.extend_from_slice(&frame.raw),
        };
        let written = message.and_then(|message| rewritten(&message, &[text, added].concat()));
        out.extend_from_slice(&written.unwrap_or_else(|| frame.raw.to_vec()));
    }
}

impl StreamEncoder for Encoder {
    fn observe(&mut self, frame: &Frame) {
        if self.writer.is_none()
            && let Some(message) = Message::of_checked(&frame.raw)
        {
            self.blocks.learn(&message);
        }
    }

    fn alters(&mut self, _: &Frame) -> bool {
        self.dropping.is_some()
    }

    fn pass(&mut self, frame: &Frame, out: &mut Vec<u8>) {
        if !self.is_closed && !self.is_of_dropped(frame) {
            out.extend_from_slice(&frame.raw);
            self.is_closed = matches!(frame.kind, FrameKind::End | FrameKind::Error);
        }
    }

    fn write(&mut self, frame: Option<&Frame>, events: &[StreamEvent], out: &mut Vec<u8>) {
        let Some(frame) = frame.filter(|_| self.writer.is_none()) else {
            return events.iter().for_each(|event| self.write_event(event.kind(), out));
        };
        if self.is_closed {
            return;
        }
        let is_own = |event: &&StreamEvent| matches!(event.origin(), Origin::Frame(_));
        let dropped = self.dropping;
        if self.is_of_dropped(frame) {
            let block = |event: &StreamEvent| event.text().and_then(|(lane, _)| self.blocks.last_of(lane));
            let others = events.iter().filter(|event| !is_own(event) && block(event) != dropped);
            return others
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|event| self.write_event(event.kind(), out));
        }
        let kept: Vec<&StreamEvent> = events.iter().filter(is_own).collect();
        let place = events.iter().position(|event| is_own(&event)).unwrap_or(events.len());
        let (before, after) = events.split_at(place);
        before.iter().for_each(|event| self.write_event(event.kind(), out));
        // Text that follows the frame's own in its lane joins it.
        let lane = kept.first().and_then(|event| event.text()).map(|(lane, _)| lane);
        let mut joined = String::new();
        let mut rest = Vec::new();
        for event in after.iter().filter(|event| !is_own(event)) {
            match event.text() {
                Some((known, text)) if Some(known) == lane => joined.push_str(text),
                _ => rest.push(event),
            }
        }
        if !kept.is_empty() || says_nothing(frame) {
            self.write_frame(frame, &kept, &joined, out);
            self.is_closed |= matches!(frame.kind, FrameKind::End | FrameKind::Error);
        } else {
            self.drop_call(frame);
        }
        rest.into_iter().for_each(|event| self.write_event(event.kind(), out));
    }

    fn write_error(&mut self, error: &ErrorBody<'_>, out: &mut Vec<u8>) {
        if !self.is_closed {
            let (name, payload) = error::exception(error);
            event::write_exception(out, name, &payload);
            self.is_closed = true;
        }
    }

    fn write_end(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.is_closed, true) {
            return;
        }
        if let Some(writer) = &mut self.writer {
            writer.write_end(out);
        }
    }

    /// The dialect has nothing that keeps a connection alive and says nothing.
    fn write_keep_alive(&mut self, _: &mut Vec<u8>) {}
}

/// What is to be known of what a frame says; none where that is no event.
fn said_by<T>(frame: &Frame, ask: impl FnOnce(&Said<'_>) -> T) -> Option<T> {
    let message = Message::of_checked(&frame.raw)?;
    let event::Kind::Event(name) = event::kind(&message) else { return None };
    event::read(name, &message.payload).ok().map(|said| ask(&said))
}

/// Whether a frame has no event that could have been dropped.
fn says_nothing(frame: &Frame) -> bool {
    let message = Message::of_checked(&frame.raw);
    message.is_none_or(|message| match event::kind(&message) {
        event::Kind::Event(name) => match event::read(name, &message.payload) {
            Ok(said) => said.text().is_some_and(|text| text.escaped().is_empty()),
            Err(_) => true,
        },
        _ => false,
    })
}

/// The message with another text; none if it has no text.
fn rewritten(message: &Message, text: &str) -> Option<Vec<u8>> {
    let event::Kind::Event(name) = event::kind(message) else { return None };
    let said = event::read(name, &message.payload).ok()?;
    let mut patches = Patches::new();
    patches.replace_text(&said.text()?, text);
    let payload = patches.apply(&message.payload).ok()?;
    let headers: Vec<(&str, HeaderValue<'_>)> = message.headers().collect();
    let mut out = Vec::with_capacity(message.raw.len() + text.len());
    write_message(&mut out, &headers, &payload);
    Some(out)
}

const fn server_error(message: &'static str) -> ErrorBody<'static> {
    ErrorBody {
        status: StatusCode::BAD_GATEWAY,
        class: ErrorClass::Server,
        code: None,
        message: std::borrow::Cow::Borrowed(message),
        param: None,
        request_id: None,
        retry_after: None,
    }
}
