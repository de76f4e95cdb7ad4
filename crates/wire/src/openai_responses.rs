//! The OpenAI responses dialect.
//!
//! Requests and answers are the bytes that came, with patches. A stream says each text several times: piece by piece,
//! whole where it ends, and once more in the last event; what a filter edits in the pieces is edited in all of them.
//! The shapes are those of the typed models of the official client libraries.

mod chat;
mod decoder;
mod encoder;
mod event;
mod item;
mod request;
mod sent;
mod state;
mod teller;
mod usage;
mod walk;

use bytes::Bytes;
use gatewright::Failure;
use gatewright::dialect::{
    Address, AnswerDocument, ChatCodec, Codec, Dialect, ErrorBody, Operation, RequestDocument, StateCodec,
    StreamDecoder, StreamEncoder, StreamSettings,
};
use http::{HeaderMap, StatusCode};

use crate::document::{Answer, AnswerShape, Request, Shape, Streaming};
use crate::json::Kind;
use crate::openai_chat::error;
use crate::refusal;

static SHAPE: Shape = Shape {
    dialect: Dialect::OpenAiResponses,
    operation: Operation::Chat,
    subject: "input",
    subject_form: "a string or an array of items",
    accepts_subject: |value| matches!(value.kind(), Kind::String | Kind::Array),
    // A stored prompt, or an earlier response, can stand in its place.
    needs_subject: false,
    is_addressed: false,
    settings: None,
    caps: &["max_output_tokens"],
    choices: &[],
    has_stream_options: false,
    streaming: Streaming::Asked,
    texts: request::texts,
    insert: request::insert,
    counts: request::counts,
};

static ANSWER: AnswerShape =
    AnswerShape { dialect: Dialect::OpenAiResponses, walk: walk::whole, content: Some("output") };

/// The codec of OpenAI responses.
pub fn codec() -> &'static dyn Codec {
    &Responses
}

#[derive(Debug)]
struct Responses;

impl Codec for Responses {
    fn dialect(&self) -> Dialect {
        Dialect::OpenAiResponses
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

    fn parse_error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
        refusal::parse(status, headers, body)
    }

    fn chat(&self) -> Option<&dyn ChatCodec> {
        Some(&chat::Translation)
    }

    fn state(&self) -> Option<&dyn StateCodec> {
        Some(&state::State)
    }
}
