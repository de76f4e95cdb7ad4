//! Ollama's own embed: one text or several, and a vector for each.
//!
//! Source: the public reference of `POST /api/embed`.

mod translation;

use bytes::Bytes;
use gatewright::Usage;
use gatewright::dialect::{Codec, Dialect, ErrorBody, Operation};

use crate::document::{AnswerShape, Outline, Part, Plain, Shape, Streaming, plain};
use crate::embedding::Embeddings;
use crate::json::{JsonError, JsonStr, Kind, ObjectWriter, Value};
use crate::openai_chat::{count, input};
use crate::refusal;

static SHAPE: Shape = Shape {
    dialect: Dialect::OllamaEmbed,
    operation: Operation::Embedding,
    subject: "input",
    subject_form: "a string or an array with at least one text",
    accepts_subject: |value| {
        value.kind() == Kind::String || (value.kind() == Kind::Array && value.has_children())
    },
    needs_subject: true,
    is_addressed: false,
    settings: None,
    caps: &[],
    choices: &[],
    has_stream_options: false,
    streaming: Streaming::Never,
    texts: |text, sink| input::texts(text, &["input"], sink),
    insert: input::insert,
    counts: |root| count::inputs(root, "input"),
};

static ANSWER: AnswerShape =
    AnswerShape { dialect: Dialect::OllamaEmbed, walk: answer, content: Some("embeddings") };

const PLAIN: Plain = Plain { results: "embeddings", usage };

static EMBEDDINGS: Embeddings = Embeddings {
    shape: &SHAPE,
    answer: &ANSWER,
    translation: &translation::Translation,
    render,
    parse: refusal::parse,
};

/// The codec of Ollama's embed.
pub fn codec() -> &'static dyn Codec {
    &EMBEDDINGS
}

fn answer<'a>(text: &'a [u8], visit: &mut dyn FnMut(Part<'a>)) -> Result<Outline, JsonError> {
    plain::walk(PLAIN, text, |_, _, _| {}, visit)
}

fn usage(key: &JsonStr<'_>, value: &Value<'_>) -> Option<Usage> {
    let input = key.is("prompt_eval_count").then(|| value.as_u64()).flatten()?;
    Some(Usage { input, ..Usage::default() })
}

fn render(error: &ErrorBody<'_>) -> Bytes {
    let mut out = Vec::new();
    let mut object = ObjectWriter::open(&mut out);
    object.str("error", &error.message);
    object.close();
    out.into()
}
