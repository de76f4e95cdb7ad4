//! The OpenAI speech dialect: a text, spoken.
//!
//! The answer is sound in the format that the request names, which flows as it comes: nobody reads it, and it reports
//! no usage.

use bytes::Bytes;
use gatewright::Failure;
use gatewright::dialect::{
    Address, AnswerDocument, Codec, Dialect, ErrorBody, Operation, RequestDocument, StreamDecoder,
    StreamEncoder, StreamSettings,
};
use http::{HeaderMap, StatusCode};

use crate::document::{Request, Shape, Streaming};
use crate::json::Kind;
use crate::openai_chat::{count, error, input};
use crate::piece;
use crate::refusal;

static SHAPE: Shape = Shape {
    dialect: Dialect::OpenAiSpeech,
    operation: Operation::Speech,
    subject: "input",
    subject_form: "a string",
    accepts_subject: |value| value.kind() == Kind::String,
    needs_subject: true,
    is_addressed: false,
    settings: None,
    caps: &[],
    choices: &[],
    has_stream_options: false,
    streaming: Streaming::Always,
    texts: |text, sink| input::texts(text, &["input", "instructions"], sink),
    insert: input::insert,
    counts: |root| count::inputs(root, "input"),
};

/// The codec of OpenAI speech.
pub fn codec() -> &'static dyn Codec {
    &Speech
}

/// What reads and writes a stream that nobody looks into.
pub(crate) fn pieces() -> (Box<dyn StreamDecoder>, Box<dyn StreamEncoder>) {
    (Box::new(piece::Decoder::default()), Box::new(piece::Encoder))
}

#[derive(Debug)]
struct Speech;

impl Codec for Speech {
    fn dialect(&self) -> Dialect {
        SHAPE.dialect
    }

    fn operation(&self) -> Operation {
        SHAPE.operation
    }

    fn decode_request_at(&self, body: Bytes, address: &Address) -> Result<Box<dyn RequestDocument>, Failure> {
        Request::decode(body, &SHAPE, address)
    }

    fn decode_answer(&self, _: Bytes) -> Result<Box<dyn AnswerDocument>, Failure> {
        Err(Failure::internal("a spoken answer has no text to read"))
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(piece::Decoder::default())
    }

    fn stream_encoder(&self, _: StreamSettings) -> Box<dyn StreamEncoder> {
        Box::new(piece::Encoder)
    }

    fn render_error(&self, error: &ErrorBody<'_>) -> Bytes {
        error::render(error)
    }

    fn parse_error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
        refusal::parse(status, headers, body)
    }

    fn stream_content_type(&self) -> &'static str {
        "application/octet-stream"
    }

    fn is_opaque(&self) -> bool {
        true
    }
}
