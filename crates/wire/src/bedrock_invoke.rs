//! Amazon Bedrock's InvokeModel and InvokeModelWithResponseStream: bodies of other dialects in an envelope of its own.
//!
//! The path names the model and says whether the answer is a stream; which dialect a body is written in shows in the
//! body alone. A stream is made of binary messages, each with one event of the inner dialect as base64; the last event
//! has the figures of usage beside its own members. Errors are those of Converse. Source: the service model of the
//! Bedrock runtime, version 2023-09-30, and its public guide to the bodies of each family of models.

mod encoder;

use bytes::Bytes;
use gatewright::Failure;
use gatewright::dialect::{
    Address, AnswerDocument, ChatCodec, Codec, Dialect, EmbeddingCodec, ErrorBody, Operation,
    RequestDocument, StreamDecoder, StreamEncoder, StreamSettings,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::bedrock_converse::{STREAM_TYPE, error};
use crate::json::{ObjectEdit, Value};

/// The member that names the version of Anthropic's messages where the model is not in the body.
const VERSION: &str = "anthropic_version";

/// A family of bodies.
#[derive(Debug)]
struct Family {
    /// The codec of what stands in the envelope.
    inner: fn() -> &'static dyn Codec,
    /// Whether a body is one of the family.
    has: fn(&Value<'_>) -> bool,
    /// What the inner dialect has in its body, and the envelope in its path.
    lacks: Lacks,
    /// Whether its answers can be streams.
    can_stream: bool,
}

/// What a body lacks to be one of the inner dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lacks {
    Nothing,
    Model,
    ModelAndStream,
}

static FAMILIES: [Family; 3] = [
    Family {
        inner: crate::anthropic_messages::codec,
        has: |body| body.get(VERSION).is_some(),
        lacks: Lacks::ModelAndStream,
        can_stream: true,
    },
    Family {
        inner: crate::titan_embed::codec,
        // The family's models of texts have a member more.
        has: |body| {
            body.get(crate::titan_embed::TEXT).is_some() && body.get("textGenerationConfig").is_none()
        },
        lacks: Lacks::Nothing,
        can_stream: false,
    },
    Family {
        inner: crate::cohere_embed::invoked,
        has: |body| {
            let is_input = |key| body.get(key).is_some();
            is_input("texts") || (is_input("input_type") && (is_input("images") || is_input("inputs")))
        },
        lacks: Lacks::Model,
        can_stream: false,
    },
];

static ENVELOPES: [Enveloped; 3] =
    [Enveloped(&FAMILIES[0]), Enveloped(&FAMILIES[1]), Enveloped(&FAMILIES[2])];

/// The codec of requests whose bodies have not been looked at. It gives way to that of their family.
pub fn codec() -> &'static dyn Codec {
    &Invoke
}

/// The operation before its family is known.
#[derive(Debug)]
struct Invoke;

/// A family's dialect in the envelope.
#[derive(Debug)]
struct Enveloped(&'static Family);

impl Codec for Invoke {
    fn dialect(&self) -> Dialect {
        Dialect::BedrockInvoke
    }

    fn operation(&self) -> Operation {
        Operation::Chat
    }

    fn decode_request_at(&self, body: Bytes, address: &Address) -> Result<Box<dyn RequestDocument>, Failure> {
        family(&body)?.decode_request_at(body, address)
    }

    fn decode_answer(&self, _: Bytes) -> Result<Box<dyn AnswerDocument>, Failure> {
        Err(Failure::internal("an answer came in an envelope of which nobody knows what is in it"))
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        ENVELOPES[0].stream_decoder()
    }

    fn stream_encoder(&self, settings: StreamSettings) -> Box<dyn StreamEncoder> {
        ENVELOPES[0].stream_encoder(settings)
    }

    fn render_error(&self, error: &ErrorBody<'_>) -> Bytes {
        error::render(error)
    }

    fn error_header(&self, error: &ErrorBody<'_>) -> Option<(HeaderName, HeaderValue)> {
        error::header(error)
    }

    fn parse_error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
        error::parse(status, headers, body)
    }

    fn stream_content_type(&self) -> &'static str {
        STREAM_TYPE
    }

    fn codec_of(&self, body: &[u8], _: &Address) -> Result<Option<&'static dyn Codec>, Failure> {
        family(body).map(Some)
    }
}

impl Enveloped {
    fn inner(&self) -> &'static dyn Codec {
        (self.0.inner)()
    }
}

impl Codec for Enveloped {
    fn dialect(&self) -> Dialect {
        self.inner().dialect()
    }

    fn operation(&self) -> Operation {
        self.inner().operation()
    }

    /// What the envelope says is put where the inner dialect has it, so that the request is one of that dialect.
    fn decode_request_at(&self, body: Bytes, address: &Address) -> Result<Box<dyn RequestDocument>, Failure> {
        let streams = address.streams.unwrap_or(false);
        if streams && !self.0.can_stream {
            let message = "vectors come in one piece: ask for them by `invoke`, without a stream";
            return Err(Failure::invalid("path", message).with_code("unsupported_parameter"));
        }
        let Some(model) = address.model.as_deref().filter(|_| self.0.lacks != Lacks::Nothing) else {
            return self.inner().decode_request_at(body, address);
        };
        let mut edit = ObjectEdit::new().remove(VERSION).set_str("model", model);
        if self.0.lacks == Lacks::ModelAndStream {
            edit = if streams { edit.set("stream", "true") } else { edit.remove("stream") };
        }
        let said = Value::parse(&body).ok().and_then(|root| edit.patches(&root).ok());
        let said = said.and_then(|patches| patches.apply(&body).ok());
        self.inner().decode_request_at(said.unwrap_or(body), &Address::default())
    }

    fn decode_answer(&self, body: Bytes) -> Result<Box<dyn AnswerDocument>, Failure> {
        self.inner().decode_answer(body)
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        self.inner().stream_decoder()
    }

    fn stream_encoder(&self, settings: StreamSettings) -> Box<dyn StreamEncoder> {
        Box::new(encoder::Encoder::new(self.inner().stream_encoder(settings)))
    }

    fn render_error(&self, error: &ErrorBody<'_>) -> Bytes {
        error::render(error)
    }

    fn error_header(&self, error: &ErrorBody<'_>) -> Option<(HeaderName, HeaderValue)> {
        error::header(error)
    }

    fn parse_error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
        self.inner().parse_error(status, headers, body)
    }

    fn stream_content_type(&self) -> &'static str {
        STREAM_TYPE
    }

    fn reframes(&self) -> bool {
        true
    }

    fn chat(&self) -> Option<&dyn ChatCodec> {
        self.inner().chat()
    }

    fn embedding(&self) -> Option<&dyn EmbeddingCodec> {
        self.inner().embedding()
    }
}

/// The codec of the family that a body is of.
fn family(body: &[u8]) -> Result<&'static dyn Codec, Failure> {
    // What is no JSON object is refused by the dialect that would read it.
    let Ok(root) = Value::parse(body) else { return Ok(&ENVELOPES[0]) };
    let found = ENVELOPES.iter().find(|envelope| (envelope.0.has)(&root));
    found.map(|envelope| envelope as &dyn Codec).ok_or_else(|| {
        let message = "the body is of no family that can be read here: send Anthropic's messages with \
            `anthropic_version`, Titan's embeddings with `inputText` or Cohere's with `texts`, or ask any model by \
            `converse`";
        Failure::invalid("body", message).with_code("unsupported_value")
    })
}
