//! A client's stream: what is left of a frame after filters, errors, the end; or all of it, written from the events of
//! another dialect.
//!
//! Nothing follows an error or the terminator, which is written once.

use std::collections::BTreeSet;

use gatewright::dialect::{ErrorBody, Frame, FrameKind, StreamEncoder, StreamSettings};
use gatewright::text::Lane;
use gatewright::{EventKind, Origin, StreamEvent};

use super::decoder::DONE;
use super::event::{self, Said};
use super::writer::{Insertion, Writer};
use crate::json::{ObjectEdit, Patches, Value};
use crate::sse;
use crate::stream::error_body;

/// Writes one stream.
#[derive(Debug)]
pub(super) struct Encoder {
    /// There where the stream is written from the events of another dialect.
    writer: Option<Writer>,
    insertion: Insertion,
    /// Calls that were taken out of the stream.
    dropped: BTreeSet<Lane>,
    is_closed: bool,
}

impl Encoder {
    pub(super) fn new(settings: StreamSettings) -> Self {
        Self {
            writer: settings.envelope.map(Writer::new),
            insertion: Insertion::default(),
            dropped: BTreeSet::new(),
            is_closed: false,
        }
    }

    fn write_event(&mut self, event: &EventKind, out: &mut Vec<u8>) {
        match (event, &mut self.writer) {
            _ if self.is_closed => {}
            (EventKind::End, _) => self.write_end(out),
            (EventKind::Error(failure), _) => self.write_error(&error_body(failure), out),
            (event, Some(writer)) => writer.write(event, out),
            (EventKind::Raw { data }, None) => sse::write_data(out, data),
            (event, None) => self.insertion.write(event, out),
        }
    }

    /// Writes a frame with what is left of its own events.
    fn write_frame(&mut self, frame: &Frame, kept: &[&StreamEvent], added: &str, out: &mut Vec<u8>) {
        let Ok(said) = event::read(&frame.data) else {
            // It is not JSON, and so has nothing to patch.
            return out.extend_from_slice(&frame.raw);
        };
        let keeps = |is: fn(&EventKind) -> bool| kept.iter().any(|event| is(event.kind()));
        match said {
            Said::CallStart { lane, .. }
                if !keeps(|kind| matches!(kind, EventKind::ToolCallStart { .. })) =>
            {
                self.dropped.insert(lane);
                return;
            }
            Said::CallEnd { lane } if self.dropped.contains(&lane) => return,
            Said::Text { lane, .. } if self.dropped.contains(&lane) => return,
            _ if kept.is_empty() && is_dropped_with_its_events(frame, &said) => return,
            _ => {}
        }
        let mut patches = Patches::new();
        if let Some((_, text)) = said.text() {
            let own = kept.iter().find_map(|event| event.text().map(|(_, text)| (text, event.is_edited())));
            match own {
                Some((own, is_edited)) if is_edited || !added.is_empty() => {
                    patches.replace_text(&text, &[own, added].concat());
                }
                Some(_) => {}
                None => patches.replace_text(&text, ""),
            }
        }
        if let Said::End { reason, usage } = said {
            if let Some(reason) = reason.filter(|_| !keeps(|kind| matches!(kind, EventKind::Finish { .. }))) {
                patches.replace(reason.span(), "null");
            }
            // Figures that nobody believes are no event, and so are not dropped.
            let is_told = frame.usage.is_some();
            let is_dropped = is_told && !keeps(|kind| matches!(kind, EventKind::Usage(_)));
            usage.filter(|_| is_dropped).into_iter().for_each(|usage| patches.replace(usage.span(), "null"));
        }
        // The probabilities spell out the old text.
        if !patches.is_empty() {
            let without = ObjectEdit::new().remove("logprobs").patches(&Value::of_checked(&frame.data));
            patches.append(&without.unwrap_or_default());
        }
        sse::write_frame(frame, &patches, out);
    }
}

impl StreamEncoder for Encoder {
    fn observe(&mut self, frame: &Frame) {
        if self.writer.is_none()
            && frame.kind == FrameKind::Data
            && let Ok(said) = event::read(&frame.data)
        {
            self.insertion.learn(&said);
        }
    }

    fn pass(&mut self, frame: &Frame, out: &mut Vec<u8>) {
        if !self.is_closed {
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
        let kept: Vec<&StreamEvent> = events.iter().filter(is_own).collect();
        let place = events.iter().position(|event| is_own(&event)).unwrap_or(events.len());
        let (before, after) = events.split_at(place);
        before.iter().for_each(|event| self.write_event(event.kind(), out));
        // Text that follows the frame's own in its lane joins it.
        let lane = kept.iter().find_map(|event| event.text()).map(|(lane, _)| lane);
        let mut joined = String::new();
        let mut rest = Vec::new();
        for event in after.iter().filter(|event| !is_own(event)) {
            match event.text() {
                Some((known, text)) if Some(known) == lane => joined.push_str(text),
                _ => rest.push(event),
            }
        }
        match frame.kind {
            FrameKind::KeepAlive => out.extend_from_slice(&frame.raw),
            FrameKind::Data => self.write_frame(frame, &kept, &joined, out),
            FrameKind::Error | FrameKind::End if !kept.is_empty() => self.pass(frame, out),
            FrameKind::Error | FrameKind::End => {}
        }
        rest.into_iter().for_each(|event| self.write_event(event.kind(), out));
    }

    fn write_error(&mut self, error: &ErrorBody<'_>, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.is_closed, true) {
            event::error(&error.message, out);
        }
    }

    fn write_end(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.is_closed, true) {
            return;
        }
        if let Some(writer) = &mut self.writer {
            writer.end(out);
        }
        sse::write_data(out, DONE);
    }

    fn write_keep_alive(&mut self, out: &mut Vec<u8>) {
        if !self.is_closed {
            out.extend_from_slice(b": keep-alive\n\n");
        }
    }
}

/// Whether an event of the wire goes when its own events do. What only frames others stays, and so does what had none.
fn is_dropped_with_its_events(frame: &Frame, said: &Said<'_>) -> bool {
    match said {
        Said::Start | Said::Error { .. } | Said::Other => true,
        Said::Text { .. } => said.text().is_some(),
        Said::End { reason, .. } => reason.is_some() || frame.usage.is_some(),
        Said::BlockStart { .. } | Said::BlockEnd { .. } | Said::CallStart { .. } | Said::CallEnd { .. } => {
            false
        }
    }
}
