//! A client's stream: what is left of a frame after filters, what repeats a text that they edited, errors.
//!
//! The dialect has no terminator of its own: its last event has the whole answer in it.

use bytes::Bytes;
use gatewright::dialect::{ErrorBody, Frame, FrameKind, Identity, StreamEncoder, StreamSettings};
use gatewright::{EventKind, Origin, StreamEvent};

use super::event::{Event, Kind};
use super::item::Head;
use super::sent::{Sent, without_logprobs};
use super::state::{splices, without_seal, without_seals};
use super::teller::Teller;
use crate::json::{ObjectWriter, Patches, Value};
use crate::sse;
use crate::stream::{error_body, too_much};

/// Writes one stream.
#[derive(Debug)]
pub(super) struct Encoder {
    model: Option<String>,
    sent: Sent,
    /// There where events alone tell the stream.
    teller: Option<Teller>,
    /// There where the answer is kept.
    identity: Option<Identity>,
    /// What is to be kept of it.
    whole: Option<Bytes>,
    /// After an error or the last event nothing follows.
    is_closed: bool,
}

impl Encoder {
    pub(super) fn new(settings: StreamSettings) -> Self {
        let teller = settings.envelope.as_ref().map(|envelope| Teller::new(Head::new(envelope)));
        let (sent, identity, whole) = (Sent::default(), None, None);
        Self { model: settings.model, sent, teller, identity, whole, is_closed: false }
    }

    /// One of an answer that is kept under a name of its own.
    pub(super) fn identified(mut self, identity: Identity) -> Self {
        self.teller = self.teller.map(|teller| teller.identified(&identity));
        self.identity = Some(identity);
        self
    }

    /// Writes a frame with what has been edited before it; `text` is what its own piece of text is to say.
    fn write_frame(&mut self, frame: &Frame, event: &Event<'_>, text: Option<&str>, out: &mut Vec<u8>) {
        let Some(mut patches) = self.sent.patches(event, self.model.as_deref()) else { return };
        if let (Some(old), Some(new)) = (event.text, text) {
            patches.replace_str(old.span(), new);
            without_logprobs(event.logprobs, &mut patches);
        }
        self.identify(frame, event, &mut patches);
        sse::write_frame(frame, &patches, out);
        self.sent.note(event, text);
    }

    /// Gives the answer its name wherever an event repeats it, and notes the last.
    fn identify(&mut self, frame: &Frame, event: &Event<'_>, patches: &mut Patches) {
        let (Some(identity), Some(object)) = (&self.identity, event.object) else { return };
        match event.kind {
            Kind::Created | Kind::Framing | Kind::Terminal if is_response(&object) => {
                patches.append(&splices(&object, identity));
            }
            Kind::ItemAdded | Kind::ItemDone if identity.hides_seals => {
                patches.append(&without_seal(&object));
            }
            _ => {}
        }
        if event.kind == Kind::Terminal {
            self.whole = patches.apply(&frame.data).ok().and_then(|data| {
                let response = Value::parse(&data).ok()?.get("response")?;
                Some(data.slice_ref(response.raw()))
            });
            if identity.hides_seals {
                patches.append(&without_seals(&object));
            }
        }
    }

    /// Writes a frame of which some text was edited, dropped or added to.
    fn write_edited(&mut self, frame: &Frame, events: &[StreamEvent], out: &mut Vec<u8>) {
        let Ok(event) = Event::read(&frame.data) else { return out.extend_from_slice(&frame.raw) };
        let is_own = |other: &StreamEvent| matches!(other.origin(), Origin::Frame(_));
        let is_told_whole =
            event.kind == Kind::Done && events.iter().any(|event| is_own(event) && event.text().is_some());
        if event.kind != Kind::Delta && !is_told_whole {
            let inserted = events.iter().filter(|event| !is_own(event));
            inserted.for_each(|event| self.write_added(event.kind(), out));
            let is_call = event.kind == Kind::ItemAdded
                && event.object.is_some_and(|item| super::walk::call(&item).is_some());
            if is_call && !events.iter().any(is_own) {
                return self.sent.drop_item(&event);
            }
            return self.write_frame(frame, &event, None, out);
        }
        let mut text: Option<String> = None;
        for (lane, piece) in events.iter().filter_map(StreamEvent::text) {
            if lane == event.lane {
                text.get_or_insert_default().push_str(piece);
            } else {
                self.sent.write_added(lane, piece, out);
            }
        }
        let text = text.unwrap_or_default();
        match event.text.map(|old| old.decode()) {
            Some(old) if *old == *text => self.write_frame(frame, &event, None, out),
            _ if text.is_empty() => self.sent.note_text(&event, Some("")),
            _ => self.write_frame(frame, &event, Some(&text), out),
        }
    }

    fn write_added(&mut self, event: &EventKind, out: &mut Vec<u8>) {
        match event {
            EventKind::TextDelta { lane, text } => self.sent.write_added(*lane, text, out),
            EventKind::Error(failure) => self.write_error(&error_body(failure), out),
            _ => {}
        }
    }

    fn tell(&mut self, events: &[StreamEvent], out: &mut Vec<u8>) {
        for event in events {
            match event.kind() {
                EventKind::End => self.write_end(out),
                EventKind::Error(failure) => self.write_error(&error_body(failure), out),
                kind => {
                    if let Some(teller) = self.teller.as_mut().filter(|_| !self.is_closed) {
                        teller.tell(kind, out);
                    }
                }
            }
        }
    }
}

impl StreamEncoder for Encoder {
    fn observe(&mut self, _: &Frame) {}

    fn alters(&mut self, frame: &Frame) -> bool {
        if self.sent.is_full() {
            return true;
        }
        let Ok(event) = Event::read(&frame.data) else { return false };
        let alters =
            self.sent.patches(&event, self.model.as_deref()).is_none_or(|patches| !patches.is_empty());
        if !alters {
            self.sent.note(&event, None);
        }
        alters
    }

    fn pass(&mut self, frame: &Frame, out: &mut Vec<u8>) {
        if self.is_closed {
            return;
        }
        if self.sent.is_full() {
            return self.write_error(&too_much(), out);
        }
        match Event::read(&frame.data) {
            Ok(event) if frame.kind != FrameKind::KeepAlive => self.write_frame(frame, &event, None, out),
            _ => out.extend_from_slice(&frame.raw),
        }
        self.is_closed = matches!(frame.kind, FrameKind::End | FrameKind::Error);
    }

    fn write(&mut self, frame: Option<&Frame>, events: &[StreamEvent], out: &mut Vec<u8>) {
        if self.is_closed {
            return;
        }
        if self.sent.is_full() {
            // What the last event would have to repeat is not there.
            return self.write_error(&too_much(), out);
        }
        match frame {
            Some(frame) if frame.kind == FrameKind::Data => self.write_edited(frame, events, out),
            Some(frame) => {
                let added = events.iter().filter(|event| event.origin() == Origin::Inserted);
                added.for_each(|event| self.write_added(event.kind(), out));
                self.pass(frame, out);
            }
            None => {
                if self.sent.is_nothing() && self.teller.is_none() {
                    let model = self.model.as_deref().unwrap_or_default();
                    let teller = Teller::new(Head::unknown(model));
                    self.teller = Some(match &self.identity {
                        Some(identity) => teller.identified(identity),
                        None => teller,
                    });
                }
                if self.teller.is_some() {
                    self.tell(events, out);
                } else {
                    events.iter().for_each(|event| self.write_added(event.kind(), out));
                }
            }
        }
    }

    fn write_error(&mut self, error: &ErrorBody<'_>, out: &mut Vec<u8>) {
        if self.is_closed {
            return;
        }
        self.is_closed = true;
        let number = match &mut self.teller {
            Some(teller) => teller.next_number(),
            None => self.sent.next_number(),
        };
        out.extend_from_slice(b"event: error\ndata: ");
        let mut object = ObjectWriter::open(out);
        object.str("type", "error");
        for (key, text) in [("code", error.code.as_deref()), ("param", error.param.as_deref())] {
            match text {
                Some(text) => object.str(key, text),
                None => object.raw(key, "null"),
            }
        }
        object.str("message", &error.message);
        object.number("sequence_number", number);
        object.close();
        out.extend_from_slice(b"\n\n");
    }

    fn write_end(&mut self, out: &mut Vec<u8>) {
        if let Some(teller) = self.teller.as_mut().filter(|_| !self.is_closed) {
            let whole = teller.close(out);
            self.whole = self.identity.as_ref().map(|_| whole.into());
        }
        self.is_closed = true;
    }

    fn take_whole(&mut self) -> Option<Bytes> {
        self.whole.take()
    }

    fn write_keep_alive(&mut self, out: &mut Vec<u8>) {
        if !self.is_closed {
            out.extend_from_slice(b": keep-alive\n\n");
        }
    }
}

fn is_response(object: &Value<'_>) -> bool {
    object.get("object").and_then(|kind| kind.json_str()).is_some_and(|kind| kind.is("response"))
}
