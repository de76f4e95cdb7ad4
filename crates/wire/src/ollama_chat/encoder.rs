//! A client's stream: what is left of a line after filters, whole streams from the events of another dialect, errors.
//!
//! A line that a filter has changed is told anew, event by event; only the last line keeps what it says beside its
//! message. Nothing follows an error or the last line.

use gatewright::dialect::{ErrorBody, Frame, FrameKind, StreamEncoder, StreamSettings};
use gatewright::{EventKind, Origin, StreamEvent};

use super::teller::{Head, Teller};
use super::{event, render_error, usage};
use crate::json::{ObjectEdit, Patches, Value, quote};
use crate::lines;
use crate::stream::error_body;

/// What the message of a last line is, where its words were told before.
const EMPTY_MESSAGE: &str = r#"{"role":"assistant","content":""}"#;

/// Writes one stream.
#[derive(Debug)]
pub(super) struct Encoder {
    teller: Teller,
    /// The whole stream is written here, from the events of another dialect.
    is_author: bool,
    is_closed: bool,
}

impl Encoder {
    pub(super) fn new(settings: StreamSettings) -> Self {
        let is_author = settings.envelope.is_some();
        let head = settings.envelope.as_ref().map_or_else(|| Head::named(settings.model), Head::of);
        Self { teller: Teller::new(head), is_author, is_closed: false }
    }

    fn write_event(&mut self, event: &EventKind, out: &mut Vec<u8>) {
        match event {
            _ if self.is_closed => {}
            EventKind::End => self.write_end(out),
            EventKind::Error(failure) => self.write_error(&error_body(failure), out),
            EventKind::Raw { data } if !self.is_author => lines::write(out, data),
            _ => self.teller.tell(event, out),
        }
    }

    /// Writes a line as it came, under the name of the model that is wanted.
    fn write_frame(&mut self, frame: &Frame, edit: ObjectEdit, out: &mut Vec<u8>) {
        let root = Value::of_checked(&frame.data);
        let has_another_name = |model: &&String| {
            root.get("model").and_then(|name| name.json_str()).is_some_and(|name| !name.is(model))
        };
        let edit = match self.teller.head.model.as_ref().filter(has_another_name) {
            Some(model) => edit.set("model", quote(model)),
            None => edit,
        };
        let patches = edit.patches(&root).unwrap_or_default();
        write_patched(frame, &patches, out);
        self.is_closed |= frame.kind == FrameKind::Error;
    }

    /// Tells what is left of a changed line. The last line keeps its end, unless that was dropped.
    fn retell(&mut self, frame: &Frame, events: &[StreamEvent], out: &mut Vec<u8>) {
        let keeps = |is: fn(&EventKind) -> bool| events.iter().any(|event| is(event.kind()));
        let keeps_end = keeps(|kind| matches!(kind, EventKind::Finish { .. }));
        let keeps_usage = keeps(|kind| matches!(kind, EventKind::Usage(_)));
        events.iter().for_each(|event| self.write_event(event.kind(), out));
        if is_done(frame) && keeps_end && !self.is_closed {
            self.teller.flush(out);
            let edit = ObjectEdit::new().set("message", EMPTY_MESSAGE).remove("logprobs");
            let dropped = usage::MEMBERS.iter().filter(|_| !keeps_usage);
            let edit = dropped.fold(edit, |edit, member| edit.remove(member));
            self.write_frame(frame, edit, out);
        }
    }
}

impl StreamEncoder for Encoder {
    fn observe(&mut self, frame: &Frame) {
        if !self.is_author && frame.kind == FrameKind::Data {
            self.teller.head.learn(&frame.data);
        }
    }

    /// A call that waits goes out before the end.
    fn alters(&mut self, _: &Frame) -> bool {
        self.teller.waits()
    }

    fn pass(&mut self, frame: &Frame, out: &mut Vec<u8>) {
        if self.is_closed {
            return;
        }
        if frame.kind == FrameKind::KeepAlive {
            return out.extend_from_slice(&frame.raw);
        }
        if is_done(frame) {
            self.teller.flush(out);
        }
        self.write_frame(frame, ObjectEdit::new(), out);
    }

    fn write(&mut self, frame: Option<&Frame>, events: &[StreamEvent], out: &mut Vec<u8>) {
        let Some(frame) = frame.filter(|_| !self.is_author) else {
            return events.iter().for_each(|event| self.write_event(event.kind(), out));
        };
        let is_whole = |event: &StreamEvent| matches!(event.origin(), Origin::Frame(_)) && !event.is_edited();
        let is_untouched = events.iter().all(is_whole) && count(frame) == events.len();
        match frame.kind {
            _ if self.is_closed => {}
            FrameKind::KeepAlive => out.extend_from_slice(&frame.raw),
            _ if is_untouched => self.pass(frame, out),
            FrameKind::Data => self.retell(frame, events, out),
            FrameKind::Error | FrameKind::End => {
                let own = events.iter().position(|event| matches!(event.origin(), Origin::Frame(_)));
                let (before, rest) = events.split_at(own.unwrap_or(events.len()));
                before.iter().for_each(|event| self.write_event(event.kind(), out));
                if !rest.is_empty() {
                    self.pass(frame, out);
                }
            }
        }
    }

    fn write_error(&mut self, error: &ErrorBody<'_>, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.is_closed, true) {
            lines::write(out, &render_error(error));
        }
    }

    fn write_end(&mut self, out: &mut Vec<u8>) {
        if self.is_closed {
            return;
        }
        self.is_closed = true;
        if self.is_author {
            self.teller.end(out);
        } else {
            self.teller.flush(out);
        }
    }

    /// Clients read every line as JSON, a blank one too, so that nothing keeps these streams alive.
    fn write_keep_alive(&mut self, _: &mut Vec<u8>) {}
}

/// How many events a line has.
fn count(frame: &Frame) -> usize {
    match frame.kind {
        FrameKind::Data => event::kinds(&frame.data, &mut 0).map_or(0, |kinds| kinds.len()),
        FrameKind::Error | FrameKind::End => 1,
        FrameKind::KeepAlive => 0,
    }
}

fn is_done(frame: &Frame) -> bool {
    frame.kind == FrameKind::Data
        && memchr::memmem::find(&frame.data, br#""done""#).is_some()
        && Value::of_checked(&frame.data).get("done").and_then(|done| done.as_bool()) == Some(true)
}

/// Appends a line with patches made in it; its own bytes if there are none.
fn write_patched(frame: &Frame, patches: &Patches, out: &mut Vec<u8>) {
    match patches.apply(&frame.data) {
        Ok(data) if !patches.is_empty() => lines::write(out, &data),
        _ => out.extend_from_slice(&frame.raw),
    }
}
