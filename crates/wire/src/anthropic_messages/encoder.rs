//! A client's stream: the provider's frames, what is left of them after filters, and what stands in for them.
//!
//! A block of text that has ended is kept open until something follows: a filter that holds text back lets go of it
//! only then, and it belongs into that block.

mod plan;

use bytes::Bytes;
use gatewright::dialect::{ErrorBody, ErrorClass, Frame, FrameKind, StreamEncoder, StreamSettings};
use gatewright::{EventKind, StreamEvent};
use http::StatusCode;

use self::plan::Plan;
use super::error;
use super::event::{Block, Blocks, Event, EventType, Piece};
use super::writer::{Open, Writer, write_text};
use crate::json::{JsonError, Patches, Reader};
use crate::sse;
use crate::stream::error_body;

/// Writes one stream.
#[derive(Debug)]
pub(super) struct Encoder {
    model: Option<String>,
    is_translating: bool,
    writer: Writer,
    blocks: Blocks,
    /// The end of the block of text that is open, when it has come.
    stop: Option<Bytes>,
    /// The block of the provider that is open: its index there, and here.
    index: Option<(u64, u64)>,
    /// Blocks of the provider that were left out so far, and the one that is being left out.
    dropped: u64,
    dropping: Option<u64>,
    /// After an error or the terminator nothing follows.
    is_closed: bool,
}

impl Encoder {
    pub(super) fn new(settings: StreamSettings) -> Self {
        Self {
            model: settings.model,
            is_translating: settings.envelope.is_some(),
            writer: Writer::new(settings.envelope),
            blocks: Blocks::default(),
            stop: None,
            index: None,
            dropped: 0,
            dropping: None,
            is_closed: false,
        }
    }

    /// Ends the block of text whose end has come.
    fn let_stop(&mut self, out: &mut Vec<u8>) {
        if let Some(stop) = self.stop.take() {
            out.extend_from_slice(&stop);
            self.writer.open = None;
        }
    }

    /// Writes an event that no frame of the provider is behind.
    fn insert(&mut self, event: &EventKind, out: &mut Vec<u8>) {
        match event {
            _ if self.is_closed => {}
            EventKind::End => self.write_end(out),
            EventKind::Error(failure) => self.write_error(&error_body(failure), out),
            // Where everything is written anew, it is the payload of another dialect.
            EventKind::Raw { .. } if self.is_translating => {}
            EventKind::Raw { data } => sse::write_data(out, data),
            EventKind::TextDelta { lane, text } if self.is_open_frame(Some(*lane)) => {
                if let Some(open) = &self.writer.open {
                    write_text(open.index, *lane, text, out);
                }
            }
            _ if self.is_open_frame(None) => self.writer.keep(event),
            _ => {
                if !matches!(event, EventKind::Usage(_) | EventKind::Finish { .. }) {
                    self.let_stop(out);
                }
                self.writer.event(event, self.model.as_deref(), out);
                if self.is_translating && self.writer.cuts.has_lost {
                    self.write_error(&apart(), out);
                }
            }
        }
    }

    /// Whether a block of the provider is open: that of a lane, or any that nothing can be put behind yet.
    fn is_open_frame(&self, lane: Option<gatewright::text::Lane>) -> bool {
        let open = self.writer.open.as_ref().filter(|open| !open.is_own);
        match lane {
            Some(_) => open.is_some_and(|open| open.lane == lane),
            None => open.is_some() && self.stop.is_none(),
        }
    }

    /// Writes a frame of the provider, as far as `plan` leaves it.
    fn frame(&mut self, frame: &Frame, plan: Option<&Plan<'_>>, out: &mut Vec<u8>) {
        let Ok(event) = Event::read(&frame.data) else {
            // It is not JSON, and so has nothing to patch.
            out.extend_from_slice(&frame.raw);
            return;
        };
        let block = self.blocks.of(&event);
        let mut patches = Patches::new();
        let pieces = event.pieces(&self.blocks);
        if let Some(plan) = plan {
            let is_call_dropped =
                pieces.iter().any(|piece| matches!(piece, Piece::Call { .. })) && plan.drops_call();
            if is_call_dropped && event.kind == EventType::BlockStart {
                self.settle(out);
                self.dropping = Some(index_of(&event));
                self.dropped += 1;
                return;
            }
            if !pieces.is_empty() && !plan.keeps_any() && event.kind != EventType::BlockStop {
                return;
            }
            plan.patch(&event, &pieces, &frame.data, &mut patches);
        }
        if self.model.is_some() && event.kind == EventType::MessageStart {
            self.rename(frame, &mut patches).unwrap_or_default();
        }
        self.place(&event, block, frame, patches, out);
    }

    /// Puts a frame among the blocks that are written.
    fn place(
        &mut self,
        event: &Event<'_>,
        block: Block,
        frame: &Frame,
        mut patches: Patches,
        out: &mut Vec<u8>,
    ) {
        let source = index_of(event);
        match event.kind {
            EventType::BlockStart | EventType::MessageDelta => self.settle(out),
            EventType::BlockDelta | EventType::BlockStop if self.dropping == Some(source) => {
                if event.kind == EventType::BlockStop {
                    self.dropping = None;
                }
                return;
            }
            _ => self.let_stop(out),
        }
        if event.kind == EventType::BlockStart {
            let index = source.saturating_add(self.writer.own).saturating_sub(self.dropped);
            self.index = Some((source, index));
            self.writer.next = self.writer.next.max(index.saturating_add(1));
            self.writer.open = Some(Open::of_frame(index, block.lane()));
        }
        let index = self.index.filter(|(known, _)| *known == source).map(|(_, index)| index);
        if let (Some(value), Some(index)) = (event.index, index.filter(|index| *index != source)) {
            patches.replace(value.span(), index.to_string());
        }
        if event.kind == EventType::BlockStop && block == Block::Text && self.writer.open.is_some() {
            let mut stop = Vec::new();
            sse::write_frame(frame, &patches, &mut stop);
            self.stop = Some(stop.into());
            return;
        }
        sse::write_frame(frame, &patches, out);
        match event.kind {
            EventType::MessageStart => self.writer.has_begun = true,
            EventType::MessageDelta => self.writer.has_ended = true,
            EventType::BlockStop => {
                self.writer.open = None;
                self.writer.flush(out);
            }
            _ => {}
        }
    }

    /// Ends whatever is open, and writes what waited for it.
    fn settle(&mut self, out: &mut Vec<u8>) {
        self.let_stop(out);
        if self.writer.open.as_ref().is_none_or(|open| open.is_own) {
            self.writer.flush(out);
        }
    }

    fn rename(&self, frame: &Frame, patches: &mut Patches) -> Result<(), JsonError> {
        let Some(model) = &self.model else { return Ok(()) };
        Reader::new(&frame.data).object(|reader, key| {
            if !key.is("message") {
                return Ok(());
            }
            reader.object(|reader, key| {
                if key.is("model")
                    && let Some(name) = reader.string()?
                    && !name.is(model)
                {
                    patches.replace_str(name.span(), model);
                }
                Ok::<_, JsonError>(())
            })?;
            Ok(())
        })?;
        Ok(())
    }

    /// Writes the frame of a kind that has nothing to edit.
    fn write_plain(&mut self, frame: &Frame, keep: bool, out: &mut Vec<u8>) {
        match frame.kind {
            FrameKind::KeepAlive => out.extend_from_slice(&frame.raw),
            FrameKind::End | FrameKind::Error if keep => {
                self.settle(out);
                out.extend_from_slice(&frame.raw);
                self.is_closed = true;
            }
            FrameKind::End | FrameKind::Error | FrameKind::Data => {}
        }
    }
}

impl StreamEncoder for Encoder {
    fn observe(&mut self, frame: &Frame) {
        // A piece of text begins no block.
        if frame.kind == FrameKind::Data
            && frame.sole_text.is_none()
            && let Ok(event) = Event::read(&frame.data)
        {
            self.blocks.note(&event);
        }
    }

    /// Whether a frame is written anew depends on what came before it, and so does when. A piece of text of a block
    /// that has its place goes out as it came.
    fn alters(&mut self, frame: &Frame) -> bool {
        let has_its_place = self.index.is_some_and(|(source, index)| source == index);
        frame.sole_text.is_none() || !has_its_place || self.stop.is_some() || self.dropping.is_some()
    }

    fn pass(&mut self, frame: &Frame, out: &mut Vec<u8>) {
        if self.is_closed {
            return;
        }
        if frame.kind == FrameKind::Data {
            self.frame(frame, None, out);
        } else {
            self.write_plain(frame, true, out);
        }
    }

    fn write(&mut self, frame: Option<&Frame>, events: &[StreamEvent], out: &mut Vec<u8>) {
        let Some(frame) = frame else {
            return events.iter().for_each(|event| self.insert(event.kind(), out));
        };
        if self.is_closed {
            return;
        }
        let plan = Plan::new(events);
        plan.before.iter().for_each(|event| self.insert(event, out));
        if frame.kind == FrameKind::Data {
            self.frame(frame, Some(&plan), out);
        } else {
            self.write_plain(frame, plan.keeps_any(), out);
        }
        plan.after.iter().for_each(|event| self.insert(event, out));
    }

    fn write_error(&mut self, error: &ErrorBody<'_>, out: &mut Vec<u8>) {
        if !self.is_closed {
            self.let_stop(out);
            sse::write_event(out, "error", &error::render(error));
            self.is_closed = true;
        }
    }

    fn write_end(&mut self, out: &mut Vec<u8>) {
        if !self.is_closed {
            self.settle(out);
            self.writer.end(self.model.as_deref(), out);
            sse::write_event(out, "message_stop", br#"{"type":"message_stop"}"#);
            self.is_closed = true;
        }
    }

    fn write_keep_alive(&mut self, out: &mut Vec<u8>) {
        if !self.is_closed {
            sse::write_event(out, "ping", br#"{"type":"ping"}"#);
        }
    }
}

fn index_of(event: &Event<'_>) -> u64 {
    event.index.and_then(|index| index.as_u64()).unwrap_or(0)
}

/// The pieces of a tool call come too far apart for a dialect that has one block after the other.
fn apart() -> ErrorBody<'static> {
    ErrorBody {
        status: StatusCode::BAD_GATEWAY,
        class: ErrorClass::Server,
        code: None,
        message: "the answer has a tool call that does not end".into(),
        param: None,
        request_id: None,
        retry_after: None,
    }
}
