//! Google's `generateContent` dialect.
//!
//! The path names the model and says whether the answer is a stream; the body does neither. Requests are the JSON form
//! of protocol buffers: names of members come in two spellings, and a list of one may stand without its brackets.
//! A stream is a sequence of answers without a terminator, as server-sent events (`alt=sse`) or else as the elements
//! of one JSON array, for which there is a codec of its own.
//!
//! Source: the public reference of `models.generateContent` and `models.streamGenerateContent`, and the typed
//! models of the official `google-genai` library.

mod chat;
mod chunk;
mod decoder;
pub(crate) mod embed;
mod encoder;
pub(crate) mod error;
mod finish;
pub(crate) mod models;
mod rewrite;
mod text;
mod usage;
mod walk;

use bytes::Bytes;
use gatewright::Failure;
use gatewright::dialect::{
    Address, AnswerDocument, ChatCodec, Codec, Dialect, EmbeddingCodec, ErrorBody, Operation,
    RequestDocument, StreamDecoder, StreamEncoder, StreamSettings,
};
use http::{HeaderMap, StatusCode};

use crate::document::{Answer, AnswerShape, Request, Shape, Streaming};
use crate::json::Kind;
use crate::refusal;

const SHAPE_OF_CHATS: Shape = Shape {
    dialect: Dialect::GoogleGenerate,
    operation: Operation::Chat,
    subject: "contents",
    subject_form: "an array of at least one content",
    accepts_subject: |value| {
        value.kind() == Kind::Object || (value.kind() == Kind::Array && value.has_children())
    },
    needs_subject: true,
    is_addressed: true,
    settings: Some("generationConfig"),
    caps: &["maxOutputTokens", "max_output_tokens"],
    choices: &["candidateCount", "candidate_count"],
    has_stream_options: false,
    streaming: Streaming::Asked,
    texts: text::texts,
    insert: text::insert,
    counts: text::counts,
};

static CHAT: Shape = SHAPE_OF_CHATS;

static COUNTED: Shape = Shape {
    operation: Operation::CountTokens,
    needs_subject: false,
    streaming: Streaming::Never,
    ..SHAPE_OF_CHATS
};

static EMBEDDED: Shape = Shape {
    operation: Operation::Embedding,
    subject: "content",
    subject_form: "a content with parts",
    accepts_subject: |value| value.kind() == Kind::Object,
    // Several stand under `requests`, each in an object of its own.
    needs_subject: false,
    settings: None,
    caps: &[],
    choices: &[],
    streaming: Streaming::Never,
    texts: embed::texts,
    insert: embed::insert,
    counts: embed::counts,
    ..SHAPE_OF_CHATS
};

static ANSWER: AnswerShape =
    AnswerShape { dialect: Dialect::GoogleGenerate, walk: walk::whole, content: None };

static COUNT: AnswerShape =
    AnswerShape { dialect: Dialect::GoogleGenerate, walk: walk::count, content: Some("totalTokens") };

static EVENTS: Google = Google { shape: &CHAT, framing: Framing::Events };

static ARRAY: Google = Google { shape: &CHAT, framing: Framing::Array };

static COUNTING: Google = Google { shape: &COUNTED, framing: Framing::Events };

static EMBEDDING: Google = Google { shape: &EMBEDDED, framing: Framing::Events };

/// The codec of `generateContent`; it streams as server-sent events.
pub fn codec() -> &'static dyn Codec {
    &EVENTS
}

/// The codec of callers who stream without `alt=sse`: their stream is one JSON array.
///
/// Frames of a provider cannot be passed on to them as they came; see [`Codec::reframes`].
pub fn array_codec() -> &'static dyn Codec {
    &ARRAY
}

/// The codec of `countTokens`: the prompt of a chat, and how many tokens it has.
pub fn counting() -> &'static dyn Codec {
    &COUNTING
}

/// The codec of `embedContent` and `batchEmbedContents`: contents, and a vector for each.
pub fn embedding() -> &'static dyn Codec {
    &EMBEDDING
}

/// The codec that the query of a request's address asks for.
pub(crate) fn codec_at(query: Option<&str>) -> &'static dyn Codec {
    let pairs = query.unwrap_or_default().split('&');
    if pairs.into_iter().any(|pair| matches!(pair, "alt=sse" | "%24alt=sse" | "$alt=sse")) {
        codec()
    } else {
        array_codec()
    }
}

/// How the answers of a stream are put one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// Each is a server-sent event.
    Events,
    /// Each is an element of an array.
    Array,
}

/// The dialect, in one of the framings of its streams.
#[derive(Debug)]
struct Google {
    shape: &'static Shape,
    framing: Framing,
}

impl Codec for Google {
    fn dialect(&self) -> Dialect {
        Dialect::GoogleGenerate
    }

    fn operation(&self) -> Operation {
        self.shape.operation
    }

    fn decode_request_at(&self, body: Bytes, address: &Address) -> Result<Box<dyn RequestDocument>, Failure> {
        Request::decode(body, self.shape, address)
    }

    fn decode_answer(&self, body: Bytes) -> Result<Box<dyn AnswerDocument>, Failure> {
        let counts = self.shape.operation == Operation::CountTokens;
        Answer::decode(body, if counts { &COUNT } else { &ANSWER })
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(decoder::Decoder::default())
    }

    fn stream_encoder(&self, settings: StreamSettings) -> Box<dyn StreamEncoder> {
        Box::new(encoder::Encoder::new(self.framing, settings))
    }

    fn render_error(&self, error: &ErrorBody<'_>) -> Bytes {
        error::render(error)
    }

    fn parse_error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
        refusal::parse(status, headers, body)
    }

    fn stream_content_type(&self) -> &'static str {
        match self.framing {
            Framing::Events => "text/event-stream; charset=utf-8",
            Framing::Array => "application/json; charset=utf-8",
        }
    }

    fn reframes(&self) -> bool {
        self.framing == Framing::Array
    }

    fn counted(&self, tokens: u64) -> Option<Bytes> {
        let counts = self.shape.operation == Operation::CountTokens;
        counts.then(|| format!(r#"{{"totalTokens":{tokens}}}"#).into())
    }

    fn chat(&self) -> Option<&dyn ChatCodec> {
        (self.shape.operation == Operation::Chat).then_some(&chat::Google)
    }

    fn embedding(&self) -> Option<&dyn EmbeddingCodec> {
        (self.shape.operation == Operation::Embedding).then_some(&embed::translation::Translation)
    }
}
