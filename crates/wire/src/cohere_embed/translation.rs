//! The dialect's translation to and from the form that all dialects of embeddings share.

use bytes::Bytes;
use gatewright::Failure;
use gatewright::chat::{Losses, Param, Place};
use gatewright::dialect::{Abilities, EmbeddingCodec, Envelope};
use gatewright::embedding::{Embed, Encoding, Input, InputKind, Task, Truncation, Vectors};

use crate::document::invalid;
use crate::document::pointer::below;
use crate::embedding::{self, Tasks, dimensions, task_of, task_word};
use crate::json::{Kind, ObjectWriter, Value};

/// So many texts are taken at once.
const INPUTS_MAX: u64 = 96;

/// What is asked for where the caller's dialect does not say what vectors are for, and this one wants to know.
const USUAL_TASK: &str = "search_document";

const TASKS: &Tasks = &[
    ("search_query", Task::Query),
    ("search_document", Task::Document),
    ("classification", Task::Classification),
    ("clustering", Task::Clustering),
    // These it has no word of its own for: they are the nearest.
    ("search_query", Task::QuestionAnswering),
    ("search_query", Task::FactVerification),
    ("search_query", Task::CodeQuery),
    ("clustering", Task::Similarity),
];

/// So many of the words stand for what they say.
const EXACT_TASKS: usize = 4;

const TRUNCATIONS: [(&str, Truncation); 3] =
    [("NONE", Truncation::Refuse), ("START", Truncation::Start), ("END", Truncation::End)];

/// The translation of Cohere's embed.
#[derive(Debug)]
pub(super) struct Translation {
    /// Whether an answer names the forms of its vectors also to those who did not.
    pub(super) names_forms: bool,
}

impl EmbeddingCodec for Translation {
    fn read_request<'a>(&self, body: &'a [u8]) -> Result<Embed<'a>, Failure> {
        let mut embed = Embed { is_list: true, ..Embed::default() };
        for member in Value::of_checked(body).members().filter(|member| !member.value.is_null()) {
            member_of(&mut embed, member.key.decode().as_ref(), &member.value)?;
        }
        if embed.inputs.is_empty() {
            return Err(invalid(
                "/texts",
                "an array of at least one text: images go to providers of this dialect",
            ));
        }
        Ok(embed)
    }

    fn write_request(
        &self,
        embed: &Embed<'_>,
        abilities: &Abilities,
        losses: &mut Losses<'_>,
    ) -> Result<Bytes, Failure> {
        let texts = embedding::texts(embed, abilities, INPUTS_MAX, losses)?;
        embedding::report(embed, &[Param::Dimensions, Param::Task, Param::Truncation], losses)?;
        let exact = TASKS.get(..EXACT_TASKS).unwrap_or_default();
        if embed.task.is_some_and(|task| task_word(exact, task).is_none()) {
            losses.report(&Place::Param(Param::Task), gatewright::chat::LossKind::Approximated)?;
        }
        let mut out = Vec::with_capacity(256);
        let mut object = ObjectWriter::open(&mut out);
        object.str("model", &embed.model);
        let mut list = object.list("texts");
        texts.iter().for_each(|text| list.str(text));
        list.close();
        let word = embed.task.and_then(|task| task_word(TASKS, task));
        object.str("input_type", word.unwrap_or(USUAL_TASK));
        let mut forms = object.list("embedding_types");
        forms.str(Encoding::Float.as_str());
        forms.close();
        if let Some(count) = embed.dimensions {
            object.number("output_dimension", count);
        }
        let truncation = TRUNCATIONS.iter().find(|(_, known)| embed.truncation == Some(*known));
        if let Some((word, _)) = truncation {
            object.str("truncate", word);
        }
        object.close();
        Ok(out.into())
    }

    fn read_answer<'a>(&self, body: &'a [u8]) -> Result<Vectors<'a>, Failure> {
        let vectors = Value::of_checked(body).get("embeddings");
        let vectors = vectors.and_then(|vectors| match vectors.kind() {
            Kind::Object => vectors.get("float").or_else(|| vectors.get("base64")),
            _ => Some(vectors),
        });
        let vectors = vectors.ok_or_else(embedding::malformed)?;
        let vectors = vectors.elements().map(|vector| embedding::read(&vector)).collect::<Result<_, _>>()?;
        Ok(Vectors { vectors, ..Vectors::default() })
    }

    fn write_answer(&self, asked: &Embed<'_>, vectors: &Vectors<'_>, envelope: &Envelope) -> Bytes {
        let mut out = Vec::with_capacity(4_096);
        let mut object = ObjectWriter::open(&mut out);
        object.str("id", envelope.id.as_str());
        if asked.encodings.is_empty() && !self.names_forms {
            object.str("response_type", "embeddings_floats");
            list(vectors, Encoding::Float, object.key("embeddings"));
        } else {
            object.str("response_type", "embeddings_by_type");
            let mut by_type = object.object("embeddings");
            let usual: &[Encoding] = &[Encoding::Float];
            let forms = if asked.encodings.is_empty() { usual } else { &asked.encodings };
            for encoding in forms {
                list(vectors, *encoding, by_type.key(encoding.as_str()));
            }
            by_type.close();
        }
        let mut texts = object.list("texts");
        for input in &asked.inputs {
            if let InputKind::Text(text) = &input.kind {
                texts.str(text);
            }
        }
        texts.close();
        let mut meta = object.object("meta");
        let mut units = meta.object("billed_units");
        units.number("input_tokens", vectors.usage.unwrap_or_default().prompt_tokens());
        units.close();
        meta.close();
        object.close();
        out.into()
    }

    fn pointer(&self, place: &Place<'_>) -> String {
        match place {
            Place::Param(Param::Dimensions) => "/output_dimension".to_owned(),
            Place::Param(Param::Encodings) => "/embedding_types".to_owned(),
            Place::Param(Param::Task) => "/input_type".to_owned(),
            Place::Param(Param::Truncation) => "/truncate".to_owned(),
            Place::Part(origin) => format!("/texts/{}", origin.message),
            Place::Pointer(pointer) => pointer.clone().into_owned(),
            _ => String::new(),
        }
    }
}

fn member_of<'a>(embed: &mut Embed<'a>, key: &str, value: &Value<'a>) -> Result<(), Failure> {
    match key {
        "model" => embed.model = value.as_str().unwrap_or_default(),
        "texts" => {
            let text = |(index, text): (usize, Value<'a>)| {
                let text = text.as_str().ok_or_else(|| invalid(&format!("/texts/{index}"), "a string"))?;
                Ok::<_, Failure>(Input::text(text))
            };
            embed.inputs = value.elements().enumerate().map(text).collect::<Result<_, _>>()?;
        }
        "input_type" => {
            let task = value.as_str().and_then(|word| task_of(TASKS, &word));
            embed.task = Some(task.ok_or_else(|| {
                invalid(
                    "/input_type",
                    "one of `search_query`, `search_document`, `classification` and `clustering`",
                )
            })?);
        }
        "embedding_types" => {
            let known = |form: Value<'_>| form.as_str().and_then(|word| Encoding::of_word(&word));
            let forms = value.elements().map(known).collect::<Option<_>>();
            embed.encodings =
                forms.ok_or_else(|| invalid("/embedding_types", "an array of names of forms"))?;
        }
        "output_dimension" => embed.dimensions = dimensions("/output_dimension", value)?,
        "truncate" => {
            let word = value.as_str().unwrap_or_default().to_uppercase();
            let known = TRUNCATIONS.iter().find(|(known, _)| *known == word).map(|(_, known)| *known);
            embed.truncation = Some(known.ok_or_else(|| invalid("/truncate", "`NONE`, `START` or `END`"))?);
        }
        key => embed.unknown.push(below("", key).into()),
    }
    Ok(())
}

fn list(vectors: &Vectors<'_>, encoding: Encoding, out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, vector) in vectors.vectors.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        embedding::write(vector, encoding, out);
    }
    out.push(b']');
}
