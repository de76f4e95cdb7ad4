//! The dialect of Amazon Bedrock's Converse and ConverseStream.
//!
//! The path names the model and says whether the answer is a stream. Requests and answers are the bytes that came, with
//! patches; streams are binary messages that keep their bytes as long as nobody edits them. Shapes follow the service
//! model of the Bedrock runtime, version 2023-09-30, as the official SDKs carry it.

mod block;
mod chat;
mod count;
mod decoder;
mod encoder;
pub(crate) mod error;
pub(crate) mod event;
mod finish;
mod format;
mod insertion;
mod out;
mod read;
mod read_config;
mod reasoning;
mod text;
mod tool;
mod usage;
mod walk;
mod write;
mod write_config;
mod write_turn;
mod writer;

use bytes::Bytes;
use gatewright::Failure;
use gatewright::dialect::{
    Address, AnswerDocument, ChatCodec, Codec, Dialect, ErrorBody, Operation, RequestDocument, StreamDecoder,
    StreamEncoder, StreamSettings,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::alias;
use crate::document::{Answer, AnswerShape, Request, Shape, Streaming};
use crate::json::Kind;

/// The media type of a stream.
pub const STREAM_TYPE: &str = "application/vnd.amazon.eventstream";

static SHAPE: Shape = Shape {
    dialect: Dialect::BedrockConverse,
    operation: Operation::Chat,
    subject: "messages",
    subject_form: "an array of at least one message",
    accepts_subject: |value| value.kind() == Kind::Array && value.has_children(),
    // A stored prompt may hold the messages.
    needs_subject: false,
    is_addressed: true,
    settings: Some("inferenceConfig"),
    caps: &["maxTokens"],
    choices: &[],
    has_stream_options: false,
    streaming: Streaming::Asked,
    texts: text::texts,
    insert: text::insert,
    counts: count::chat,
};

static ANSWER: AnswerShape =
    AnswerShape { dialect: Dialect::BedrockConverse, walk: walk::whole, content: Some("output") };

/// The codec of Amazon Bedrock's Converse.
pub fn codec() -> &'static dyn Codec {
    &Converse
}

#[derive(Debug)]
struct Converse;

impl Codec for Converse {
    fn dialect(&self) -> Dialect {
        Dialect::BedrockConverse
    }

    fn operation(&self) -> Operation {
        Operation::Chat
    }

    fn decode_request_at(&self, body: Bytes, address: &Address) -> Result<Box<dyn RequestDocument>, Failure> {
        Request::decode(body, &SHAPE, address)
    }

    fn decode_answer(&self, body: Bytes) -> Result<Box<dyn AnswerDocument>, Failure> {
        Answer::decode(body, &ANSWER)
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(decoder::Decoder::default())
    }

    fn stream_encoder(&self, settings: StreamSettings) -> Box<dyn StreamEncoder> {
        Box::new(encoder::Encoder::new(settings))
    }

    fn render_error(&self, error: &ErrorBody<'_>) -> Bytes {
        error::render(error)
    }

    fn error_header(&self, error: &ErrorBody<'_>) -> Option<(HeaderName, HeaderValue)> {
        error::header(error)
    }

    fn request_id_header(&self) -> Option<HeaderName> {
        Some(HeaderName::from_static("x-amzn-requestid"))
    }

    fn parse_error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
        error::parse(status, headers, body)
    }

    fn stream_content_type(&self) -> &'static str {
        STREAM_TYPE
    }

    fn chat(&self) -> Option<&dyn ChatCodec> {
        Some(&chat::Translation)
    }
}
