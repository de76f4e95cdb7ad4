//! Cohere's chat, version 2, `/v2/chat`.
//!
//! Requests and answers are the bytes that came, with patches; a stream is server-sent events whose blocks and calls
//! have indices, and keeps its bytes as long as nobody edits them. What the model says before it calls tools stands in
//! a member of its own, `tool_plan`, and is text like any other here: the API takes no other text beside calls.
//!
//! Source: the public API reference of the version and the typed models of the official `cohere` libraries.

mod chat;
mod decoder;
mod encoder;
mod event;
mod finish;
mod text;
mod usage;
mod walk;
mod writer;

use bytes::Bytes;
use gatewright::Failure;
use gatewright::dialect::{
    Address, AnswerDocument, ChatCodec, Codec, Dialect, ErrorBody, Operation, RequestDocument, StreamDecoder,
    StreamEncoder, StreamSettings,
};
use http::{HeaderMap, StatusCode};

use crate::document::{Answer, AnswerShape, Request, Shape, Streaming, messages};
use crate::json::{Kind, ObjectWriter};
use crate::refusal;

static SHAPE: Shape = Shape {
    dialect: Dialect::CohereChat,
    operation: Operation::Chat,
    subject: "messages",
    subject_form: "an array of at least one message",
    accepts_subject: |value| value.kind() == Kind::Array && value.has_children(),
    needs_subject: true,
    is_addressed: false,
    settings: None,
    caps: &["max_tokens"],
    choices: &[],
    has_stream_options: false,
    streaming: Streaming::Asked,
    texts: text::texts,
    insert: messages::insert,
    counts: text::counts,
};

static ANSWER: AnswerShape =
    AnswerShape { dialect: Dialect::CohereChat, walk: walk::whole, content: Some("message") };

/// The codec of Cohere's chat.
pub fn codec() -> &'static dyn Codec {
    &CohereChat
}

#[derive(Debug)]
struct CohereChat;

impl Codec for CohereChat {
    fn dialect(&self) -> Dialect {
        Dialect::CohereChat
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

    /// Clients look for the message, and for the class of an error in the status alone.
    fn render_error(&self, error: &ErrorBody<'_>) -> Bytes {
        let mut out = Vec::with_capacity(error.message.len() + 64);
        let mut object = ObjectWriter::open(&mut out);
        if let Some(id) = &error.request_id {
            object.str("id", id.as_str());
        }
        object.str("message", &error.message);
        object.close();
        out.into()
    }

    fn parse_error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
        refusal::parse(status, headers, body)
    }

    fn chat(&self) -> Option<&dyn ChatCodec> {
        Some(&chat::Translation)
    }
}
