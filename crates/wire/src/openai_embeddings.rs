//! The OpenAI embeddings dialect: texts or token lists, and a vector for each.

mod translation;

use gatewright::dialect::{Codec, Dialect, Operation};

use crate::document::{AnswerShape, Shape, Streaming};
use crate::embedding::Embeddings;
use crate::json::Kind;
use crate::openai_chat::{self, count, input};
use crate::refusal;

static SHAPE: Shape = Shape {
    dialect: Dialect::OpenAiEmbeddings,
    operation: Operation::Embedding,
    subject: "input",
    subject_form: "a string or an array with at least one element",
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
    AnswerShape { dialect: Dialect::OpenAiEmbeddings, walk: openai_chat::WALK, content: None };

static EMBEDDINGS: Embeddings = Embeddings {
    shape: &SHAPE,
    answer: &ANSWER,
    translation: &translation::Translation,
    render: openai_chat::error::render,
    parse: refusal::parse,
};

/// The codec of OpenAI embeddings.
pub fn codec() -> &'static dyn Codec {
    &EMBEDDINGS
}
