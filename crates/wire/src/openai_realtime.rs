//! The OpenAI realtime dialect: a session over WebSocket, in which each message is an event in JSON.
//!
//! What a session is opened with stands in the query of its address; the gateway reads it as a request. Both forms of
//! the interface are understood, the beta's and the current one, because what the gateway looks at is the same in both.

mod event;
mod query;

use bytes::Bytes;
use gatewright::dialect::{
    Address, AnswerDocument, Codec, Dialect, ErrorBody, Operation, RequestDocument, SessionCodec,
    StreamDecoder, StreamEncoder, StreamSettings,
};
use gatewright::{Failure, RequestCounts};
use http::{HeaderMap, StatusCode};

use crate::document::{Request, Shape, Streaming};
use crate::openai_chat::{error, input};
use crate::{openai_speech, refusal};

pub use gatewright::dialect::SessionNames;
pub use query::{KEY_PROTOCOL, PROTOCOL, key_in, query_of, request_of};

static SHAPE: Shape = Shape {
    dialect: Dialect::OpenAiRealtime,
    operation: Operation::Realtime,
    subject: "input",
    subject_form: "a string",
    accepts_subject: |_| true,
    needs_subject: false,
    is_addressed: false,
    settings: None,
    caps: &[],
    choices: &[],
    has_stream_options: false,
    streaming: Streaming::Always,
    texts: |_, _| Ok(()),
    insert: input::insert,
    counts: |_| RequestCounts::default(),
};

/// The codec of OpenAI realtime.
pub fn codec() -> &'static dyn Codec {
    &Realtime
}

#[derive(Debug)]
struct Realtime;

impl Codec for Realtime {
    fn dialect(&self) -> Dialect {
        SHAPE.dialect
    }

    fn operation(&self) -> Operation {
        SHAPE.operation
    }

    /// Decodes what [`request_of`] has made of a query.
    fn decode_request_at(&self, body: Bytes, address: &Address) -> Result<Box<dyn RequestDocument>, Failure> {
        Request::decode(body, &SHAPE, address)
    }

    fn decode_answer(&self, _: Bytes) -> Result<Box<dyn AnswerDocument>, Failure> {
        Err(Failure::internal("a session has no answer in one piece"))
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        openai_speech::pieces().0
    }

    fn stream_encoder(&self, _: StreamSettings) -> Box<dyn StreamEncoder> {
        openai_speech::pieces().1
    }

    fn render_error(&self, error: &ErrorBody<'_>) -> Bytes {
        error::render(error)
    }

    fn parse_error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
        refusal::parse(status, headers, body)
    }

    fn is_opaque(&self) -> bool {
        true
    }

    fn session(&self) -> Option<&dyn SessionCodec> {
        Some(&event::Events)
    }
}
