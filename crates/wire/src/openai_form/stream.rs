//! Streams of the dialects: pieces of a transcript, or images in the making, each stream with the whole at its end.

use bytes::Bytes;
use gatewright::dialect::{ErrorBody, Frame, FrameKind, StreamDecoder, StreamEncoder};
use gatewright::text::Lane;
use gatewright::{EventKind, Failure, FinishReason, Origin, StreamEvent, Usage};

use super::event::{Event, Kind};
use crate::json::{JsonError, ObjectWriter, Patches};
use crate::openai_chat::error;
use crate::refusal;
use crate::sse::{self, SseFrame};
use crate::stream::{Frames, bare, error_body, malformed, numbered, plain, sole};

/// An event may hold a whole image.
const EVENT_BYTES_MAX: usize = 32 << 20;

/// The only lane that there is.
const LANE: Lane = Lane::content(0);

/// Reads one stream.
#[derive(Debug)]
pub(super) struct Decoder {
    frames: Frames,
    /// A whole has come. More may follow, where several images are made.
    is_complete: bool,
    /// Of all that came whole.
    usage: Option<Usage>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { frames: Frames::up_to(EVENT_BYTES_MAX), is_complete: false, usage: None }
    }
}

impl Decoder {
    /// What a glance tells of a frame.
    fn glance(is_complete: &mut bool, sum: &mut Option<Usage>, frame: SseFrame) -> Result<Frame, JsonError> {
        let data = frame.data.unwrap_or_default();
        let mut seen = bare(FrameKind::KeepAlive, frame.raw, Bytes::new());
        let payload = data.trim_ascii();
        if payload.is_empty() {
            return Ok(seen);
        }
        if payload == b"[DONE]" {
            seen.kind = FrameKind::End;
            return Ok(seen);
        }
        let event = Event::read(&data)?;
        seen.kind = if event.kind == Kind::Error { FrameKind::Error } else { FrameKind::Data };
        if let (Kind::Delta, Some(text)) = (event.kind, event.text) {
            seen.text_bytes = u32::try_from(text.escaped().len()).unwrap_or(u32::MAX);
            seen.sole_text = plain(&text).filter(|place| !place.is_empty()).map(|place| (LANE, place));
        }
        if event.kind == Kind::Done {
            *is_complete = true;
            if let Some(usage) = event.usage {
                *sum = Some(sum.unwrap_or_default().plus(&usage));
            }
            seen.usage = *sum;
        }
        seen.data = data;
        Ok(seen)
    }
}

impl StreamDecoder for Decoder {
    fn push(&mut self, chunk: Bytes) {
        self.frames.push(chunk);
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, Failure> {
        let Self { frames, is_complete, usage } = self;
        frames.next(false, |frame| Self::glance(is_complete, usage, frame))
    }

    fn finish(&mut self) -> Result<Option<Frame>, Failure> {
        let Self { frames, is_complete, usage } = self;
        frames.finish(false, |frame| Self::glance(is_complete, usage, frame))
    }

    fn events(&mut self, frame: &Frame, events: &mut Vec<StreamEvent>) -> Result<(), Failure> {
        match frame.kind {
            FrameKind::KeepAlive => return Ok(()),
            FrameKind::End => {
                events.push(numbered(EventKind::End, 0));
                return Ok(());
            }
            FrameKind::Data | FrameKind::Error => {}
        }
        if let Some(event) = sole(frame, |lane| lane) {
            events.push(event);
            return Ok(());
        }
        let event = Event::read(&frame.data).map_err(|error| malformed(&frame.data, &error))?;
        let kinds: Vec<EventKind> = match event.kind {
            Kind::Delta => {
                let text = event.text.map(|text| text.decode()).filter(|text| !text.is_empty());
                let delta = |text: std::borrow::Cow<'_, str>| EventKind::TextDelta {
                    lane: LANE,
                    text: text.into_owned().into(),
                };
                text.map(delta).into_iter().collect()
            }
            Kind::Done => {
                let usage = frame.usage.map(EventKind::Usage);
                usage
                    .into_iter()
                    .chain([EventKind::Finish { choice: 0, reason: FinishReason::Stop }])
                    .collect()
            }
            Kind::Error => {
                vec![EventKind::Error(Box::new(refusal::parse_in_stream(event.whole.raw())))]
            }
            Kind::Other => vec![EventKind::Raw { data: frame.data.clone() }],
        };
        events.extend(kinds.into_iter().enumerate().map(|(place, kind)| numbered(kind, place)));
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.is_complete && !self.frames.is_dead()
    }
}

/// Writes one stream.
#[derive(Debug)]
pub(super) struct Encoder {
    /// Whether what is told is a text.
    speaks: bool,
    /// The text that the client has, as far as it may be asked for: an event at the end says it again.
    said: String,
    is_edited: bool,
    /// The whole has been said.
    is_done: bool,
}

impl Encoder {
    pub(super) const fn new(speaks: bool) -> Self {
        Self { speaks, said: String::new(), is_edited: false, is_done: false }
    }

    fn add(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() || !self.speaks {
            return;
        }
        self.is_edited = true;
        self.said.push_str(text);
        write(out, "transcript.text.delta", "delta", text);
    }

    fn tell(&mut self, event: &EventKind, out: &mut Vec<u8>) {
        match event {
            EventKind::TextDelta { text, .. } => self.add(text, out),
            EventKind::Finish { .. } if self.speaks && !self.is_done => {
                self.is_done = true;
                write(out, "transcript.text.done", "text", &self.said);
            }
            EventKind::Error(failure) => self.write_error(&error_body(failure), out),
            _ => {}
        }
    }

    /// A frame with the texts that were edited before it. What repeats a part of them alone says nothing any more.
    fn repeat(&mut self, frame: &Frame, event: &Event<'_>, out: &mut Vec<u8>) {
        let mut patches = Patches::new();
        if let (true, Some(text)) = (self.is_edited, event.text) {
            patches.replace_str(text.span(), if event.kind == Kind::Done { &self.said } else { "" });
            event.logprobs.iter().for_each(|logprobs| patches.replace(logprobs.span(), "null"));
        }
        self.is_done |= event.kind == Kind::Done;
        sse::write_frame(frame, &patches, out);
    }
}

impl StreamEncoder for Encoder {
    fn observe(&mut self, _: &Frame) {}

    fn alters(&mut self, frame: &Frame) -> bool {
        let Ok(event) = Event::read(&frame.data) else { return false };
        match (event.kind, event.text) {
            (Kind::Delta, Some(text)) => {
                self.said.push_str(&text.decode());
                false
            }
            (_, text) => {
                let alters = self.is_edited && text.is_some();
                self.is_done |= event.kind == Kind::Done && !alters;
                alters
            }
        }
    }

    fn pass(&mut self, frame: &Frame, out: &mut Vec<u8>) {
        match Event::read(&frame.data) {
            Ok(event) if frame.kind == FrameKind::Data && event.kind != Kind::Delta => {
                self.repeat(frame, &event, out);
            }
            _ => out.extend_from_slice(&frame.raw),
        }
    }

    fn write(&mut self, frame: Option<&Frame>, events: &[StreamEvent], out: &mut Vec<u8>) {
        let Some(frame) = frame else { return events.iter().for_each(|event| self.tell(event.kind(), out)) };
        let read = Event::read(&frame.data).ok().filter(|_| frame.kind == FrameKind::Data);
        let Some(event) = read else {
            let added = events.iter().filter(|event| event.origin() == Origin::Inserted);
            added.for_each(|event| self.tell(event.kind(), out));
            return out.extend_from_slice(&frame.raw);
        };
        if event.kind != Kind::Delta {
            let texts = events.iter().filter(|event| event.origin() == Origin::Inserted);
            texts.filter_map(StreamEvent::text).for_each(|(_, text)| self.add(text, out));
            return self.repeat(frame, &event, out);
        }
        let text: String = events.iter().filter_map(StreamEvent::text).map(|(_, text)| text).collect();
        self.said.push_str(&text);
        self.is_edited = true;
        let mut patches = Patches::new();
        event.text.iter().for_each(|old| patches.replace_str(old.span(), &text));
        event.logprobs.iter().for_each(|logprobs| patches.replace(logprobs.span(), "null"));
        if !text.is_empty() {
            sse::write_frame(frame, &patches, out);
        }
    }

    fn write_error(&mut self, error: &ErrorBody<'_>, out: &mut Vec<u8>) {
        sse::write_data(out, &error::render(error));
    }

    fn write_end(&mut self, _: &mut Vec<u8>) {}

    fn write_keep_alive(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b": keep-alive\n\n");
    }
}

/// Writes an event of which nothing is known but its text.
fn write(out: &mut Vec<u8>, kind: &str, member: &str, text: &str) {
    let mut data = Vec::with_capacity(64 + text.len());
    let mut object = ObjectWriter::open(&mut data);
    object.str("type", kind);
    object.str(member, text);
    object.close();
    sse::write_data(out, &data);
}
