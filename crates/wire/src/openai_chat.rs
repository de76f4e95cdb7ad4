//! The OpenAI chat completions dialect, and what its sister dialects share with it.
//!
//! Requests and answers are the bytes that came, with patches; streams are frames that keep their bytes as long as
//! nobody edits them. Speaks what vendors of the protocol are known to do beyond its reference: usage in any
//! chunk, no terminator, several names for reasoning, errors inside streams in several shapes.

mod answer;
pub(crate) mod count;
mod decoder;
mod draft;
mod encoder;
mod envelope;
mod error;
mod head;
pub(crate) mod input;
mod message;
pub mod models;
mod part;
mod pointer;
mod redact;
mod refusal;
mod request;
mod retry_after;
mod rewrite;
mod usage;

use bytes::Bytes;
use gatewright::Failure;
use gatewright::dialect::{
    AnswerDocument, Codec, Dialect, ErrorBody, Operation, RequestDocument, StreamDecoder, StreamEncoder,
    StreamSettings,
};
use http::{HeaderMap, StatusCode};

use crate::json::Kind;

pub(crate) use envelope::ChunkForm;
pub(crate) use head::Shape;

static SHAPE: Shape = Shape {
    dialect: Dialect::OpenAiChat,
    operation: Operation::Chat,
    subject: "messages",
    subject_form: "an array of at least one message",
    accepts_subject: |value| value.kind() == Kind::Array && value.has_children(),
    can_stream: true,
    texts: message::texts,
    insert: message::insert,
    counts: count::chat,
};

static CHAT: Family = Family { shape: &SHAPE, form: ChunkForm::Delta, has_choices: true };

/// The codec of OpenAI chat completions.
pub fn codec() -> &'static dyn Codec {
    &CHAT
}

/// A dialect of the family.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) shape: &'static Shape,
    /// How a choice of a stream is written.
    pub(crate) form: ChunkForm,
    /// Whether an answer without choices is none.
    pub(crate) has_choices: bool,
}

impl Codec for Family {
    fn dialect(&self) -> Dialect {
        self.shape.dialect
    }

    fn operation(&self) -> Operation {
        self.shape.operation
    }

    fn decode_request(&self, body: Bytes) -> Result<Box<dyn RequestDocument>, Failure> {
        request::Request::decode(body, self.shape)
    }

    fn decode_answer(&self, body: Bytes) -> Result<Box<dyn AnswerDocument>, Failure> {
        answer::Answer::decode(body, self.shape.dialect, self.has_choices)
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(decoder::Decoder::default())
    }

    fn stream_encoder(&self, settings: StreamSettings) -> Box<dyn StreamEncoder> {
        Box::new(encoder::Encoder::new(self.form, settings))
    }

    fn render_error(&self, error: &ErrorBody<'_>) -> Bytes {
        error::render(error)
    }

    fn parse_error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
        refusal::parse(status, headers, body)
    }
}
