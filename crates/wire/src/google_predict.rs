//! Google's `predict` for models of embeddings: `instances` with a text each, and a prediction for each.
//!
//! The path names the model. Source: the public reference of the text embeddings API of Google Cloud, and the typed models
//! of the official `google-genai` library.

mod translation;

use gatewright::dialect::{Codec, Dialect, Operation};
use gatewright::{EditError, Role, TextKind, Usage};

use crate::document::{AnswerShape, Outline, Part, Shape, Site, Streaming};
use crate::embedding::Embeddings;
use crate::google_generate::error;
use crate::json::{JsonError, Kind, Reader, Reason, Span, Value};
use crate::openai_chat::{count, input};
use crate::refusal;

static SHAPE: Shape = Shape {
    dialect: Dialect::GooglePredict,
    operation: Operation::Embedding,
    subject: "instances",
    subject_form: "an array of at least one instance",
    accepts_subject: |value| value.kind() == Kind::Array && value.has_children(),
    needs_subject: true,
    is_addressed: true,
    settings: None,
    caps: &[],
    choices: &[],
    has_stream_options: false,
    streaming: Streaming::Never,
    texts,
    insert: input::insert,
    counts: |root| count::inputs(root, "instances"),
};

static ANSWER: AnswerShape =
    AnswerShape { dialect: Dialect::GooglePredict, walk: answer, content: Some("predictions") };

static EMBEDDINGS: Embeddings = Embeddings {
    shape: &SHAPE,
    answer: &ANSWER,
    translation: &translation::Translation,
    render: error::render,
    parse: refusal::parse,
};

/// The codec of `predict`, for embeddings.
pub fn codec() -> &'static dyn Codec {
    &EMBEDDINGS
}

fn texts<'a>(text: &'a [u8], sink: &mut dyn FnMut(Site<'a>)) -> Result<(), EditError> {
    Reader::new(text).object(|reader, key| {
        if key.is("instances") {
            reader.array(|reader, _| {
                reader.object(|reader, key| {
                    if key.is("content") || key.is("title") {
                        let give = |text| sink(Site { role: Role::User, kind: TextKind::Input, text });
                        reader.string()?.into_iter().for_each(give);
                    }
                    Ok::<_, EditError>(())
                })?;
                Ok::<_, EditError>(())
            })?;
        }
        Ok::<_, EditError>(())
    })?;
    Ok(())
}

fn answer<'a>(text: &'a [u8], visit: &mut dyn FnMut(Part<'a>)) -> Result<Outline, JsonError> {
    let root = Value::parse(text)?;
    if root.kind() != Kind::Object {
        return Err(JsonError { offset: 0, reason: Reason::ExpectedObject });
    }
    let [predictions, error] = root.pick(["predictions", "error"]);
    error.into_iter().filter(|error| !error.is_null()).for_each(|value| visit(Part::Error { value }));
    let counts = predictions.iter().flat_map(Value::elements).map(|prediction| {
        prediction.at(&["embeddings", "statistics", "token_count"]).and_then(|count| whole(&count))
    });
    // A sum of which a part is not told is none.
    if let (Some(value), Some(Some(input))) =
        (predictions, counts.reduce(|sum, count| Some(sum?.saturating_add(count?))))
    {
        visit(Part::Usage { value, usage: Some(Usage { input, ..Usage::default() }) });
    }
    let object = Span::new(0, text.len());
    Ok(Outline { object, choices: predictions.map(|list| list.has_children()) })
}

/// A count, which the service writes as a number that may have a fraction of nothing.
fn whole(count: &Value<'_>) -> Option<u64> {
    count.as_u64().or_else(|| count.source().strip_suffix(".0")?.parse().ok())
}
