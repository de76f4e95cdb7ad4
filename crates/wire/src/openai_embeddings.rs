//! The OpenAI embeddings dialect: texts or token lists, and a vector for each.

use gatewright::dialect::{Codec, Dialect, Operation};

use crate::document::{AnswerShape, Shape, Streaming};
use crate::json::Kind;
use crate::openai_chat::{self, ChunkForm, Family, count, input};

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

static EMBEDDINGS: Family = Family { shape: &SHAPE, answer: &ANSWER, form: ChunkForm::Text, chat: None };

/// The codec of OpenAI embeddings.
pub fn codec() -> &'static dyn Codec {
    &EMBEDDINGS
}
