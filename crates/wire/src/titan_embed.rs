//! Embeddings of Amazon's Titan text models, as InvokeModel takes them: one text, one vector.
//!
//! The path names the model. Source: the public reference of the Amazon Titan Embeddings G1 and V2 models.

mod translation;

use gatewright::Usage;
use gatewright::dialect::{Codec, Dialect, Operation};

use crate::bedrock_converse::error;
use crate::document::{AnswerShape, Outline, Part, Shape, Streaming};
use crate::embedding::Embeddings;
use crate::json::{JsonError, Kind, Reason, Span, Value};
use crate::openai_chat::{count, input};

/// The member that holds the text.
pub(crate) const TEXT: &str = "inputText";

static SHAPE: Shape = Shape {
    dialect: Dialect::TitanEmbed,
    operation: Operation::Embedding,
    subject: TEXT,
    subject_form: "a string",
    accepts_subject: |value| value.kind() == Kind::String,
    needs_subject: true,
    is_addressed: true,
    settings: None,
    caps: &[],
    choices: &[],
    has_stream_options: false,
    streaming: Streaming::Refused,
    texts: |text, sink| input::texts(text, &[TEXT], sink),
    insert: input::insert,
    counts: |root| count::inputs(root, TEXT),
};

static ANSWER: AnswerShape = AnswerShape { dialect: Dialect::TitanEmbed, walk: answer, content: None };

static EMBEDDINGS: Embeddings = Embeddings {
    shape: &SHAPE,
    answer: &ANSWER,
    translation: &translation::Translation,
    render: error::render,
    parse: error::parse,
};

/// The codec of Titan's embeddings.
pub fn codec() -> &'static dyn Codec {
    &EMBEDDINGS
}

fn answer<'a>(text: &'a [u8], visit: &mut dyn FnMut(Part<'a>)) -> Result<Outline, JsonError> {
    let root = Value::parse(text)?;
    if root.kind() != Kind::Object {
        return Err(JsonError { offset: 0, reason: Reason::ExpectedObject });
    }
    if let Some(value) = root.get("inputTextTokenCount")
        && let Some(input) = value.as_u64()
    {
        visit(Part::Usage { value, usage: Some(Usage { input, ..Usage::default() }) });
    }
    Ok(Outline { object: Span::new(0, text.len()), choices: None })
}
