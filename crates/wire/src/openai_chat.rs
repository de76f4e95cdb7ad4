//! The OpenAI chat completions dialect, and what its sister dialects share with it.
//!
//! Requests and answers are the bytes that came, with patches; streams are frames that keep their bytes as long as
//! nobody edits them. Speaks what vendors of the protocol are known to do beyond its reference: usage in any
//! chunk, no terminator, several names for reasoning, errors inside streams in several shapes.

mod calls;
pub(crate) mod chat;
pub(crate) mod count;
mod decoder;
pub(crate) mod encoder;
mod envelope;
pub(crate) mod error;
pub(crate) mod input;
pub(crate) mod message;
pub(crate) mod models;
mod retelling;
pub(crate) mod rewrite;
pub(crate) mod usage;
mod walk;

use bytes::Bytes;
use gatewright::Failure;
use gatewright::dialect::{
    Address, AnswerDocument, ChatCodec, Codec, Dialect, ErrorBody, Operation, RequestDocument, StreamDecoder,
    StreamEncoder, StreamSettings,
};
use http::{HeaderMap, StatusCode};

use crate::document::{Answer, AnswerShape, Request, Shape, Streaming, Walk, messages};
use crate::json::Kind;
use crate::refusal;

pub(crate) use chat::{answer_id, finish_word};
pub(crate) use envelope::ChunkForm;

/// The walk over answers of the family.
pub(crate) const WALK: Walk = walk::whole;

static SHAPE: Shape = Shape {
    dialect: Dialect::OpenAiChat,
    operation: Operation::Chat,
    subject: "messages",
    subject_form: "an array of at least one message",
    accepts_subject: |value| value.kind() == Kind::Array && value.has_children(),
    needs_subject: true,
    is_addressed: false,
    settings: None,
    caps: &["max_completion_tokens", "max_tokens"],
    choices: &["n"],
    has_stream_options: true,
    streaming: Streaming::Asked,
    texts: message::texts,
    insert: messages::insert,
    counts: count::chat,
};

static ANSWER: AnswerShape =
    AnswerShape { dialect: Dialect::OpenAiChat, walk: walk::whole, content: Some("choices") };

static CHAT: Family =
    Family { shape: &SHAPE, answer: &ANSWER, form: ChunkForm::Delta, chat: Some(&chat::Translation) };

/// The codec of OpenAI chat completions.
pub fn codec() -> &'static dyn Codec {
    &CHAT
}

/// A dialect of the family.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) shape: &'static Shape,
    pub(crate) answer: &'static AnswerShape,
    /// How a choice of a stream is written.
    pub(crate) form: ChunkForm,
    /// The translation, in a dialect of chats.
    pub(crate) chat: Option<&'static dyn ChatCodec>,
}

impl Codec for Family {
    fn dialect(&self) -> Dialect {
        self.shape.dialect
    }

    fn operation(&self) -> Operation {
        self.shape.operation
    }

    fn decode_request_at(&self, body: Bytes, address: &Address) -> Result<Box<dyn RequestDocument>, Failure> {
        Request::decode(body, self.shape, address)
    }

    fn decode_answer(&self, body: Bytes) -> Result<Box<dyn AnswerDocument>, Failure> {
        Answer::decode(body, self.answer)
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

    fn chat(&self) -> Option<&dyn ChatCodec> {
        self.chat
    }
}
