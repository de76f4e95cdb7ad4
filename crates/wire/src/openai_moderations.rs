//! The OpenAI moderations dialect: texts and images, and for each what is harmful in it.
//!
//! Answers report no usage: the endpoint is free of charge. The model has to be named, though the public service has a
//! default: by it the gateway finds the provider.

use gatewright::dialect::{Codec, Dialect, Operation};

use crate::document::{AnswerShape, Outline, Part, Plain, Shape, Streaming, plain};
use crate::json::{JsonError, Kind};
use crate::openai_chat::{ChunkForm, Family, count, input};

static SHAPE: Shape = Shape {
    dialect: Dialect::OpenAiModerations,
    operation: Operation::Moderation,
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
    AnswerShape { dialect: Dialect::OpenAiModerations, walk: answer, content: Some("results") };

const PLAIN: Plain = Plain { results: "results", usage: |_, _| None };

static MODERATIONS: Family = Family { shape: &SHAPE, answer: &ANSWER, form: ChunkForm::Text, chat: None };

/// The codec of OpenAI moderations.
pub fn codec() -> &'static dyn Codec {
    &MODERATIONS
}

fn answer<'a>(text: &'a [u8], visit: &mut dyn FnMut(Part<'a>)) -> Result<Outline, JsonError> {
    plain::walk(PLAIN, text, |_, _, _| {}, visit)
}
