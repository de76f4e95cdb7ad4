//! A client's stream: what the inner dialect writes, each event in a message of its own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gatewright::StreamEvent;
use gatewright::dialect::{ErrorBody, Frame, StreamEncoder};

use crate::bedrock_converse::{error, event};
use crate::json::{ObjectWriter, Value};
use crate::refusal;
use crate::sse::SseDecoder;
use crate::stream::error_body;

/// The member of the last event that has the figures.
const METRICS: &str = "amazon-bedrock-invocationMetrics";

/// Writes one stream.
#[derive(Debug)]
pub(super) struct Encoder {
    inner: Box<dyn StreamEncoder>,
    /// What the inner dialect frames its events in.
    frames: SseDecoder,
    figures: Figures,
    /// After an error or the end nothing follows.
    is_closed: bool,
}

/// What the stream has told of its usage, under the names that the inner dialect has.
#[derive(Debug, Default)]
struct Figures {
    input: u64,
    output: u64,
    cache_read: u64,
    cache_write: u64,
}

impl Encoder {
    pub(super) fn new(inner: Box<dyn StreamEncoder>) -> Self {
        Self { inner, frames: SseDecoder::default(), figures: Figures::default(), is_closed: false }
    }

    /// Lets the inner dialect write, and puts its events into messages.
    fn wrap(&mut self, write: impl FnOnce(&mut dyn StreamEncoder, &mut Vec<u8>), out: &mut Vec<u8>) {
        let mut written = Vec::new();
        write(&mut *self.inner, &mut written);
        self.frames.push(Bytes::from(written));
        // A frame that the inner dialect has written is never over the bound of one that it may read.
        while let Ok(Some(frame)) = self.frames.next_frame() {
            if let Some(data) = frame.data.filter(|_| !self.is_closed) {
                self.event(&data, out);
            }
        }
    }

    fn event(&mut self, data: &[u8], out: &mut Vec<u8>) {
        let Ok(root) = Value::parse(data) else { return };
        let kind = root.get("type").and_then(|kind| kind.as_str());
        match kind.as_deref() {
            // The envelope has none.
            Some("ping") => {}
            Some("error") => {
                let failure = refusal::parse_in_stream(data);
                self.write_error(&error_body(&failure), out);
            }
            Some("message_stop") => {
                self.is_closed = true;
                chunk(&self.figures.beside(data), out);
            }
            _ => {
                self.figures.learn(&root);
                chunk(data, out);
            }
        }
    }
}

impl StreamEncoder for Encoder {
    fn observe(&mut self, frame: &Frame) {
        self.inner.observe(frame);
    }

    fn alters(&mut self, frame: &Frame) -> bool {
        self.inner.alters(frame)
    }

    fn pass(&mut self, frame: &Frame, out: &mut Vec<u8>) {
        self.wrap(|inner, out| inner.pass(frame, out), out);
    }

    fn write(&mut self, frame: Option<&Frame>, events: &[StreamEvent], out: &mut Vec<u8>) {
        self.wrap(|inner, out| inner.write(frame, events, out), out);
    }

    fn write_error(&mut self, error: &ErrorBody<'_>, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.is_closed, true) {
            let (name, payload) = error::exception(error);
            event::write_exception(out, name, &payload);
        }
    }

    fn write_end(&mut self, out: &mut Vec<u8>) {
        self.wrap(|inner, out| inner.write_end(out), out);
    }

    /// The envelope has nothing that keeps a connection alive and says nothing.
    fn write_keep_alive(&mut self, _: &mut Vec<u8>) {}
}

fn chunk(data: &[u8], out: &mut Vec<u8>) {
    let payload = format!(r#"{{"bytes":"{}"}}"#, STANDARD.encode(data));
    event::write(out, "chunk", payload.as_bytes());
}

impl Figures {
    /// Later figures replace earlier ones.
    fn learn(&mut self, event: &Value<'_>) {
        let Some(usage) = event.get("usage").or_else(|| event.at(&["message", "usage"])) else { return };
        let known = [
            ("input_tokens", &mut self.input),
            ("output_tokens", &mut self.output),
            ("cache_read_input_tokens", &mut self.cache_read),
            ("cache_creation_input_tokens", &mut self.cache_write),
        ];
        for (key, known) in known {
            *known = usage.get(key).and_then(|count| count.as_u64()).unwrap_or(*known);
        }
    }

    /// The last event with the figures in it.
    fn beside(&self, data: &[u8]) -> Vec<u8> {
        let mut metrics = Vec::new();
        let mut object = ObjectWriter::open(&mut metrics);
        object.number("inputTokenCount", self.input);
        object.number("outputTokenCount", self.output);
        object.number("cacheReadInputTokenCount", self.cache_read);
        object.number("cacheWriteInputTokenCount", self.cache_write);
        object.close();
        let edit = crate::json::ObjectEdit::new().set(METRICS, metrics);
        let patched = Value::parse(data).ok().and_then(|root| edit.patches(&root).ok());
        patched
            .and_then(|patches| patches.apply(&Bytes::copy_from_slice(data)).ok())
            .map_or_else(|| data.to_vec(), |bytes| bytes.to_vec())
    }
}
