//! The OpenAI embeddings dialect: texts or token lists, and a vector for each.

use gatewright::dialect::{Codec, Dialect, Operation};

use crate::json::Kind;
use crate::openai_chat::{ChunkForm, Family, Shape, count, input};

static SHAPE: Shape = Shape {
    dialect: Dialect::OpenAiEmbeddings,
    operation: Operation::Embedding,
    subject: "input",
    subject_form: "a string or an array with at least one element",
    accepts_subject: |value| {
        value.kind() == Kind::String || (value.kind() == Kind::Array && value.has_children())
    },
    can_stream: false,
    texts: |text, sink| input::texts(text, &["input"], sink),
    insert: input::insert,
    counts: |root| count::inputs(root, "input"),
};

static EMBEDDINGS: Family = Family { shape: &SHAPE, form: ChunkForm::Text, has_choices: false };

/// The codec of OpenAI embeddings.
pub fn codec() -> &'static dyn Codec {
    &EMBEDDINGS
}
