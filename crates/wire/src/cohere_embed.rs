//! Cohere's embed: texts, and a vector for each in each of the forms that were asked for.
//!
//! Version 2 of its API, and the bodies of InvokeModel, which differ in that an answer without `embedding_types` in
//! its request has its vectors without the names of their forms. Source: the public reference of `POST /v2/embed`, and
//! that of Cohere's embed models on Amazon Bedrock.

mod translation;

use bytes::Bytes;
use gatewright::dialect::{Codec, Dialect, ErrorBody, Operation};
use gatewright::{EditError, RequestCounts, Role, TextKind, Usage};

use crate::bedrock_converse::error;
use crate::document::{AnswerShape, Outline, Part, Plain, Shape, Site, Streaming, plain};
use crate::embedding::Embeddings;
use crate::json::{JsonError, JsonStr, Kind, ObjectWriter, Reader, Value};
use crate::openai_chat::input;

static SHAPE: Shape = Shape {
    dialect: Dialect::CohereEmbed,
    operation: Operation::Embedding,
    subject: "texts",
    subject_form: "an array of at least one text",
    accepts_subject: |value| value.kind() == Kind::Array && value.has_children(),
    // Others have images, or both.
    needs_subject: false,
    is_addressed: false,
    settings: None,
    caps: &[],
    choices: &[],
    has_stream_options: false,
    streaming: Streaming::Refused,
    texts,
    insert: input::insert,
    counts,
};

static ANSWER: AnswerShape =
    AnswerShape { dialect: Dialect::CohereEmbed, walk: answer, content: Some("embeddings") };

const PLAIN: Plain = Plain { results: "embeddings", usage };

static EMBEDDINGS: Embeddings = Embeddings {
    shape: &SHAPE,
    answer: &ANSWER,
    translation: &translation::Translation { names_forms: true },
    render,
    parse: error::parse,
};

static INVOKED: Embeddings =
    Embeddings { translation: &translation::Translation { names_forms: false }, ..EMBEDDINGS };

/// The codec of Cohere's embed.
pub fn codec() -> &'static dyn Codec {
    &EMBEDDINGS
}

/// The codec of its bodies in InvokeModel.
pub(crate) fn invoked() -> &'static dyn Codec {
    &INVOKED
}

fn render(error: &ErrorBody<'_>) -> Bytes {
    let mut out = Vec::new();
    let mut object = ObjectWriter::open(&mut out);
    if let Some(id) = &error.request_id {
        object.str("id", id.as_str());
    }
    object.str("message", &error.message);
    object.close();
    out.into()
}

/// Shows the texts, and those among the parts of inputs that have several.
fn texts<'a>(text: &'a [u8], sink: &mut dyn FnMut(Site<'a>)) -> Result<(), EditError> {
    input::texts(text, &["texts"], sink)?;
    Reader::new(text).object(|reader, key| {
        if key.is("inputs") {
            reader.array(|reader, _| of_input(reader, sink))?;
        }
        Ok::<_, EditError>(())
    })?;
    Ok(())
}

fn of_input<'a>(reader: &mut Reader<'a>, sink: &mut dyn FnMut(Site<'a>)) -> Result<(), EditError> {
    reader.object(|reader, key| {
        if key.is("content") {
            reader.array(|reader, _| {
                reader.object(|reader, key| {
                    if key.is("text") {
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

fn counts(root: &Value<'_>) -> RequestCounts {
    let mut counts = RequestCounts::default();
    for member in root.members() {
        match member.key.decode().as_ref() {
            "texts" | "inputs" => counts.inputs += member.value.elements().count(),
            "images" => counts.images += member.value.elements().count(),
            _ => {}
        }
    }
    counts
}

fn answer<'a>(text: &'a [u8], visit: &mut dyn FnMut(Part<'a>)) -> Result<Outline, JsonError> {
    plain::walk(PLAIN, text, |_, _, _| {}, visit)
}

fn usage(key: &JsonStr<'_>, value: &Value<'_>) -> Option<Usage> {
    let units = key.is("meta").then(|| value.get("billed_units")).flatten()?;
    let input = units.get("input_tokens")?.as_u64()?;
    Some(Usage { input, ..Usage::default() })
}
