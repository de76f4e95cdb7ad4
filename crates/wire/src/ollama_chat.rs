//! Ollama's own chat, `/api/chat`.
//!
//! Requests and answers are the bytes that came, with patches. A stream is one JSON text a line, and what comes unless
//! a request asks for one piece; its last line says `done`, why, and what was consumed. Parameters stand under
//! `options`, images are base64 without an address, calls have objects as arguments and mostly no ids.
//!
//! Source: the public API reference of the server, its OpenAPI description, and the typed models of the official
//! `ollama` libraries.

mod chat;
mod decoder;
mod encoder;
mod event;
mod finish;
mod teller;
mod text;
mod usage;
mod walk;

use bytes::Bytes;
use gatewright::Failure;
use gatewright::dialect::{
    Address, AnswerDocument, ChatCodec, Codec, Dialect, ErrorBody, Operation, RequestDocument, StreamDecoder,
    StreamEncoder, StreamSettings,
};
use http::{HeaderMap, StatusCode};

use crate::document::{Answer, AnswerShape, Request, Shape, Streaming, messages};
use crate::json::{Kind, ObjectWriter, Value};
use crate::refusal;

const SHAPE: Shape = Shape {
    dialect: Dialect::OllamaChat,
    operation: Operation::Chat,
    subject: "messages",
    subject_form: "an array of at least one message",
    accepts_subject: |value| value.kind() == Kind::Array && value.has_children(),
    needs_subject: true,
    is_addressed: false,
    settings: Some("options"),
    caps: &[CAP],
    choices: &[],
    has_stream_options: false,
    streaming: Streaming::Usual,
    texts: text::texts,
    insert: messages::insert,
    counts: text::counts,
};

static CAPPED: Shape = SHAPE;

/// A cap below 0 is none, in the dialect's words.
static ENDLESS: Shape = Shape { caps: &[], ..SHAPE };

static ANSWER: AnswerShape =
    AnswerShape { dialect: Dialect::OllamaChat, walk: walk::walk, content: Some("message") };

/// The cap on output tokens, among the options.
const CAP: &str = "num_predict";

/// The codec of Ollama's own chat.
pub fn codec() -> &'static dyn Codec {
    &OllamaChat
}

#[derive(Debug)]
struct OllamaChat;

impl Codec for OllamaChat {
    fn dialect(&self) -> Dialect {
        Dialect::OllamaChat
    }

    fn operation(&self) -> Operation {
        Operation::Chat
    }

    fn decode_request_at(&self, body: Bytes, address: &Address) -> Result<Box<dyn RequestDocument>, Failure> {
        let shape = if is_endless(&body) { &ENDLESS } else { &CAPPED };
        Request::decode(body, shape, address)
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
        render_error(error).into()
    }

    fn parse_error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
        refusal::parse(status, headers, body)
    }

    fn stream_content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn chat(&self) -> Option<&dyn ChatCodec> {
        Some(&chat::Translation)
    }
}

/// Whether a request says that its answer has no cap.
fn is_endless(body: &[u8]) -> bool {
    memchr::memmem::find(body, CAP.as_bytes()).is_some()
        && Value::parse(body).is_ok_and(|root| {
            root.at(&["options", CAP])
                .is_some_and(|cap| cap.kind() == Kind::Number && cap.raw().starts_with(b"-"))
        })
}

/// An error as the dialect's clients read it: a text, and nothing about its class but the status.
fn render_error(error: &ErrorBody<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(error.message.len() + 16);
    let mut object = ObjectWriter::open(&mut out);
    object.str("error", &error.message);
    object.close();
    out
}
