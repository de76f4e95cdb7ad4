//! Frames of our own that look like the stream's other frames.

use gatewright::dialect::Envelope as Wanted;
use gatewright::text::{Lane, LaneKind};
use gatewright::{EventKind, FinishReason, Usage};

use super::chat::{answer_id, finish_word};
use super::usage;
use crate::document::Carrier;
use crate::json::{Value, quote, quote_into};

/// How the dialects of the family write a choice in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChunkForm {
    /// `{"index":0,"delta":{…},"finish_reason":null}`
    Delta,
    /// `{"index":0,"text":"…","finish_reason":null}`
    Text,
}

/// What all frames of a stream say alike.
#[derive(Debug)]
pub(crate) struct Envelope {
    form: ChunkForm,
    id: Box<[u8]>,
    created: u64,
    /// The name that the stream itself reports.
    model: Box<str>,
    is_known: bool,
    carrier: Carrier,
}

impl Envelope {
    pub(crate) fn new(form: ChunkForm) -> Self {
        let id = b"\"\"".as_slice().into();
        Self { form, id, created: 0, model: "".into(), is_known: false, carrier: Carrier::Other }
    }

    /// What a stream says that has no frames to learn from.
    pub(crate) fn wanted(form: ChunkForm, wanted: &Wanted) -> Self {
        let id = answer_id(&wanted.id);
        let id = match form {
            ChunkForm::Delta => id.as_str(),
            ChunkForm::Text => id.trim_start_matches("chat"),
        };
        let id = quote(id).as_ref().into();
        let model = wanted.model.as_str().into();
        Self { form, id, created: wanted.created, model, is_known: true, carrier: Carrier::Other }
    }

    /// Learns from a frame of the stream. The first one that has an id says all there is to know.
    pub(crate) fn learn(&mut self, data: &[u8]) {
        if self.is_known {
            return;
        }
        let Ok(chunk) = Value::parse(data) else { return };
        let id = chunk.get("id").and_then(|id| id.json_str()).filter(|id| !id.escaped().is_empty());
        if let Some(id) = id {
            self.id = id.span().of(data).into();
            self.is_known = true;
        }
        self.created = chunk.get("created").and_then(|created| created.as_u64()).unwrap_or(self.created);
        if let Some(model) =
            chunk.get("model").and_then(|model| model.as_str()).filter(|model| !model.is_empty())
        {
            self.model = model.into();
        }
    }

    /// Remembers which member carries reasoning in this stream.
    pub(crate) const fn learn_carrier(&mut self, carrier: Carrier) {
        self.carrier = carrier;
    }

    /// Appends the data of a frame that says `event`, under the name `model` or else the stream's own; nothing if
    /// the dialect has no frame for it.
    pub(crate) fn write(&self, event: &EventKind, model: Option<&str>, out: &mut Vec<u8>) {
        let choice = match event {
            EventKind::TextDelta { lane, text } => self.text(*lane, text),
            EventKind::ToolCallStart { lane, id, name } => self.tool_call(*lane, id, name),
            EventKind::Finish { choice, reason } => self.finish(*choice, reason),
            EventKind::Start => self.start(0),
            EventKind::Usage(usage) => return self.usage(usage, model, out),
            _ => None,
        };
        self.chunk(choice, model, out);
    }

    /// Appends the frame that opens a choice.
    pub(crate) fn begin(&self, choice: u32, model: Option<&str>, out: &mut Vec<u8>) {
        self.chunk(self.start(choice), model, out);
    }

    fn chunk(&self, choice: Option<Vec<u8>>, model: Option<&str>, out: &mut Vec<u8>) {
        let Some(choice) = choice else { return };
        self.open(model, out);
        out.push(b'[');
        out.extend_from_slice(&choice);
        out.extend_from_slice(b"]}\n\n");
    }

    /// Everything up to the choices.
    fn open(&self, model: Option<&str>, out: &mut Vec<u8>) {
        let object = match self.form {
            ChunkForm::Delta => "chat.completion.chunk",
            ChunkForm::Text => "text_completion",
        };
        out.extend_from_slice(b"data: {\"id\":");
        out.extend_from_slice(&self.id);
        out.extend_from_slice(
            format!(r#","object":"{object}","created":{},"model":"#, self.created).as_bytes(),
        );
        quote_into(out, model.unwrap_or(&self.model));
        out.extend_from_slice(b",\"choices\":");
    }

    fn usage(&self, usage: &Usage, model: Option<&str>, out: &mut Vec<u8>) {
        self.open(model, out);
        out.extend_from_slice(b"[],\"usage\":");
        usage::write(usage, out);
        out.extend_from_slice(b"}\n\n");
    }

    fn text(&self, lane: Lane, text: &str) -> Option<Vec<u8>> {
        let (mut open, close) = match (self.form, lane.kind) {
            (ChunkForm::Text, LaneKind::Content) => return Some(self.plain(lane.choice, text, None)),
            (ChunkForm::Text, _) => return None,
            (ChunkForm::Delta, LaneKind::Content) => (r#""content":"#.to_owned(), ""),
            (ChunkForm::Delta, LaneKind::Refusal) => (r#""refusal":"#.to_owned(), ""),
            (ChunkForm::Delta, LaneKind::Reasoning) => match self.carrier {
                Carrier::Reasoning => (r#""reasoning":"#.to_owned(), ""),
                Carrier::Other => (r#""reasoning_content":"#.to_owned(), ""),
            },
            (ChunkForm::Delta, LaneKind::ToolArguments { index }) => {
                (format!(r#""tool_calls":[{{"index":{index},"function":{{"arguments":"#), "}}]")
            }
        };
        let mut delta = std::mem::take(&mut open).into_bytes();
        quote_into(&mut delta, text);
        delta.extend_from_slice(close.as_bytes());
        Some(delta_choice(lane.choice, &delta, None))
    }

    fn tool_call(&self, lane: Lane, id: &str, name: &str) -> Option<Vec<u8>> {
        let (ChunkForm::Delta, LaneKind::ToolArguments { index }) = (self.form, lane.kind) else {
            return None;
        };
        let mut delta = format!(r#""tool_calls":[{{"index":{index},"id":"#).into_bytes();
        quote_into(&mut delta, id);
        delta.extend_from_slice(br#","type":"function","function":{"name":"#);
        quote_into(&mut delta, name);
        delta.extend_from_slice(br#","arguments":""}}]"#);
        Some(delta_choice(lane.choice, &delta, None))
    }

    fn finish(&self, choice: u32, reason: &FinishReason) -> Option<Vec<u8>> {
        let word = match reason {
            FinishReason::Other(word) => word,
            reason => finish_word(reason),
        };
        Some(match self.form {
            ChunkForm::Delta => delta_choice(choice, b"", Some(word)),
            ChunkForm::Text => self.plain(choice, "", Some(word)),
        })
    }

    fn start(&self, choice: u32) -> Option<Vec<u8>> {
        match self.form {
            ChunkForm::Delta => Some(delta_choice(choice, br#""role":"assistant","content":"""#, None)),
            ChunkForm::Text => None,
        }
    }

    fn plain(&self, choice: u32, text: &str, finish: Option<&str>) -> Vec<u8> {
        let mut out = format!(r#"{{"index":{choice},"text":"#).into_bytes();
        quote_into(&mut out, text);
        out.extend_from_slice(br#","logprobs":null,"finish_reason":"#);
        close_choice(&mut out, finish);
        out
    }
}

fn delta_choice(choice: u32, delta: &[u8], finish: Option<&str>) -> Vec<u8> {
    let mut out = format!(r#"{{"index":{choice},"delta":{{"#).into_bytes();
    out.extend_from_slice(delta);
    out.extend_from_slice(br#"},"logprobs":null,"finish_reason":"#);
    close_choice(&mut out, finish);
    out
}

fn close_choice(out: &mut Vec<u8>, finish: Option<&str>) {
    match finish {
        Some(word) => quote_into(out, word),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
}
