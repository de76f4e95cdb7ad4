//! The Anthropic Messages dialect.
//!
//! Requests and answers are the bytes that came, with patches; streams are frames that keep their bytes as long as
//! nobody edits them. Shapes follow the API reference of the Messages API and the typed models of its official
//! client libraries.

mod answer;
mod count;
mod decoder;
mod encoder;
mod error;
mod event;
pub(crate) mod models;
mod name;
mod read;
mod seal;
mod stop;
mod text;
mod usage;
mod walk;
mod write;
mod writer;

use bytes::Bytes;
use gatewright::Failure;
use gatewright::chat::{Answer as ChatAnswer, Chat, Losses, Place};
use gatewright::dialect::{
    Abilities, Address, AnswerDocument, ChatCodec, Codec, Dialect, Envelope, ErrorBody, Operation,
    RequestDocument, StreamDecoder, StreamEncoder, StreamSettings,
};
use http::{HeaderMap, HeaderName, StatusCode};

use crate::document::{Answer, AnswerShape, Request, Shape, Streaming};
use crate::json::Kind;
use crate::refusal;

/// The header by which every client of the dialect says which version it speaks.
pub const VERSION_HEADER: &str = "anthropic-version";

static SHAPE: Shape = SHAPE_OF_CHATS;

const SHAPE_OF_CHATS: Shape = Shape {
    dialect: Dialect::AnthropicMessages,
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
    insert: text::insert,
    counts: count::chat,
};

static ANSWER: AnswerShape =
    AnswerShape { dialect: Dialect::AnthropicMessages, walk: walk::whole, content: Some("content") };

static COUNT_SHAPE: Shape =
    Shape { operation: Operation::CountTokens, streaming: Streaming::Never, caps: &[], ..SHAPE_OF_CHATS };

static COUNT: AnswerShape =
    AnswerShape { dialect: Dialect::AnthropicMessages, walk: walk::count, content: Some("input_tokens") };

static MESSAGES: Messages = Messages { shape: &SHAPE, answer: &ANSWER };

static COUNTING: Messages = Messages { shape: &COUNT_SHAPE, answer: &COUNT };

/// The codec of Anthropic messages.
pub fn codec() -> &'static dyn Codec {
    &MESSAGES
}

/// The codec of counts of the tokens that messages have before they are sent.
///
/// Such a request has the members of a message's that count, and the answer is their number.
pub fn counting() -> &'static dyn Codec {
    &COUNTING
}

/// An endpoint of the dialect.
#[derive(Debug)]
struct Messages {
    shape: &'static Shape,
    answer: &'static AnswerShape,
}

impl Codec for Messages {
    fn dialect(&self) -> Dialect {
        Dialect::AnthropicMessages
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
        Box::new(encoder::Encoder::new(settings))
    }

    fn render_error(&self, error: &ErrorBody<'_>) -> Bytes {
        error::render(error)
    }

    fn request_id_header(&self) -> Option<HeaderName> {
        Some(HeaderName::from_static("request-id"))
    }

    fn parse_error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
        refusal::parse(status, headers, body)
    }

    fn counted(&self, tokens: u64) -> Option<Bytes> {
        let counts = self.operation() == Operation::CountTokens;
        counts.then(|| format!(r#"{{"input_tokens":{tokens}}}"#).into())
    }

    fn chat(&self) -> Option<&dyn ChatCodec> {
        (self.operation() == Operation::Chat).then_some(self)
    }
}

impl ChatCodec for Messages {
    fn read_request<'a>(&self, body: &'a [u8]) -> Result<Chat<'a>, Failure> {
        read::request(body)
    }

    fn write_request(
        &self,
        chat: &Chat<'_>,
        abilities: &Abilities,
        losses: &mut Losses<'_>,
    ) -> Result<Bytes, Failure> {
        write::request(chat, abilities, losses)
    }

    fn read_answer<'a>(&self, body: &'a [u8]) -> Result<ChatAnswer<'a>, Failure> {
        answer::read(body)
    }

    fn write_answer(&self, answer: &ChatAnswer<'_>, envelope: &Envelope) -> Bytes {
        answer::write(answer, envelope)
    }

    fn foreign(&self, request: &dyn RequestDocument) -> Vec<String> {
        seal::foreign(&request.to_body())
    }

    fn pointer(&self, place: &Place<'_>) -> String {
        read::pointer(place)
    }
}
