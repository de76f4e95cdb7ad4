//! The rerank dialect: documents, and how relevant each is to a query.
//!
//! No single vendor's: the form that those who offer it share, in which a request has `query`, `documents` and
//! `top_n`, and an answer `results` with `index` and `relevance_score`. Some bill tokens and report them under `usage`
//! or `meta.tokens`; others bill searches (`meta.billed_units.search_units`), which are no tokens.

use gatewright::dialect::{Codec, Dialect, Operation};
use gatewright::{EditError, Role, TextKind, Usage};

use crate::document::{AnswerShape, Outline, Part, Plain, Shape, Site, Streaming, plain};
use crate::json::{JsonError, JsonStr, Kind, Reader, Value};
use crate::openai_chat::{ChunkForm, Family, count, input};

static SHAPE: Shape = Shape {
    dialect: Dialect::Rerank,
    operation: Operation::Rerank,
    subject: "documents",
    subject_form: "an array of at least one document",
    accepts_subject: |value| value.kind() == Kind::Array && value.has_children(),
    needs_subject: true,
    is_addressed: false,
    settings: None,
    caps: &[],
    choices: &[],
    has_stream_options: false,
    streaming: Streaming::Never,
    texts,
    insert: input::insert,
    counts: |root| count::inputs(root, "documents"),
};

static ANSWER: AnswerShape = AnswerShape { dialect: Dialect::Rerank, walk: answer, content: None };

const PLAIN: Plain = Plain { results: "results", usage };

static RERANK: Family = Family { shape: &SHAPE, answer: &ANSWER, form: ChunkForm::Text, chat: None };

/// The member of a document that holds an image, as an address or as data.
const IMAGE: &str = "image";

/// The codec of rerank.
pub fn codec() -> &'static dyn Codec {
    &RERANK
}

/// Shows the query and the documents. A document may be an object: which of its members are compared is up to the
/// caller, so all their texts are shown.
fn texts<'a>(text: &'a [u8], sink: &mut dyn FnMut(Site<'a>)) -> Result<(), EditError> {
    let mut give = |text| sink(Site { role: Role::User, kind: TextKind::Input, text });
    Reader::new(text).object(|reader, key| {
        match key.decode().as_ref() {
            "query" => one(reader, &mut give)?,
            "documents" => {
                reader.array(|reader, _| one(reader, &mut give))?;
            }
            _ => {}
        }
        Ok::<_, EditError>(())
    })?;
    Ok(())
}

fn one<'a>(reader: &mut Reader<'a>, give: &mut impl FnMut(JsonStr<'a>)) -> Result<(), EditError> {
    if reader.kind() == Some(Kind::String) {
        reader.string()?.into_iter().for_each(give);
        return Ok(());
    }
    reader.object(|reader, key| {
        if reader.kind() == Some(Kind::String) && !key.is(IMAGE) {
            reader.string()?.into_iter().for_each(&mut *give);
        }
        Ok::<_, EditError>(())
    })?;
    Ok(())
}

fn answer<'a>(text: &'a [u8], visit: &mut dyn FnMut(Part<'a>)) -> Result<Outline, JsonError> {
    plain::walk(PLAIN, text, |_, _, _| {}, visit)
}

fn usage(key: &JsonStr<'_>, value: &Value<'_>) -> Option<Usage> {
    let count = |value: Option<Value<'_>>| value.and_then(|value| value.as_u64());
    let input = if key.is("usage") {
        // Nothing is generated, so that the total is the input where nothing else is told.
        let [prompt, total] = value.pick(["prompt_tokens", "total_tokens"]);
        count(prompt).or(count(total))
    } else if key.is("meta") {
        count(value.get("tokens").and_then(|tokens| tokens.get("input_tokens")))
    } else {
        None
    };
    Some(Usage { input: input?, ..Usage::default() })
}
