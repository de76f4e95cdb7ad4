//! The OpenAI legacy completions dialect: a prompt, and texts that continue it.

use gatewright::dialect::{Codec, Dialect, Operation};

use crate::json::Kind;
use crate::openai_chat::{ChunkForm, Family, Shape, count, input};

static SHAPE: Shape = Shape {
    dialect: Dialect::OpenAiCompletions,
    operation: Operation::Completion,
    subject: "prompt",
    subject_form: "a string or an array",
    accepts_subject: |value| matches!(value.kind(), Kind::String | Kind::Array),
    can_stream: true,
    texts: |text, sink| input::texts(text, &["prompt", "suffix"], sink),
    insert: input::insert,
    counts: |root| count::inputs(root, "prompt"),
};

static COMPLETIONS: Family = Family { shape: &SHAPE, form: ChunkForm::Text, has_choices: true };

/// The codec of OpenAI legacy completions.
pub fn codec() -> &'static dyn Codec {
    &COMPLETIONS
}
