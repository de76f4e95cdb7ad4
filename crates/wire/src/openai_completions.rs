//! The OpenAI legacy completions dialect: a prompt, and texts that continue it.

mod translation;

use gatewright::dialect::{Codec, Dialect, Operation};

use crate::document::{AnswerShape, Shape, Streaming};
use crate::json::Kind;
use crate::openai_chat::{self, ChunkForm, Family, count, input};

static SHAPE: Shape = Shape {
    dialect: Dialect::OpenAiCompletions,
    operation: Operation::Completion,
    subject: "prompt",
    subject_form: "a string or an array",
    accepts_subject: |value| matches!(value.kind(), Kind::String | Kind::Array),
    needs_subject: true,
    is_addressed: false,
    settings: None,
    caps: &["max_tokens"],
    choices: &["n", "best_of"],
    has_stream_options: true,
    streaming: Streaming::Asked,
    texts: |text, sink| input::texts(text, &["prompt", "suffix"], sink),
    insert: input::insert,
    counts: |root| count::inputs(root, "prompt"),
};

static ANSWER: AnswerShape =
    AnswerShape { dialect: Dialect::OpenAiCompletions, walk: openai_chat::WALK, content: Some("choices") };

static COMPLETIONS: Family =
    Family { shape: &SHAPE, answer: &ANSWER, form: ChunkForm::Text, chat: Some(&translation::Translation) };

/// The codec of OpenAI legacy completions.
pub fn codec() -> &'static dyn Codec {
    &COMPLETIONS
}
