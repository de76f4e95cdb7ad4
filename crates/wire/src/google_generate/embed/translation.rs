//! Requests for vectors, to and from the form that all dialects of embeddings share.
//!
//! A single content and a batch are different methods with different bodies; a batch says what its vectors are for in
//! each of its requests.

use bytes::Bytes;
use gatewright::Failure;
use gatewright::chat::{Losses, Param, Place};
use gatewright::dialect::{Abilities, EmbeddingCodec, Envelope};
use gatewright::embedding::{Embed, Encoding, Input, Task, Vectors};

use super::super::text::{items, name};
use crate::document::invalid;
use crate::document::pointer::below;
use crate::embedding::{self, Tasks, dimensions, task_of, task_word};
use crate::json::{ObjectWriter, Value};

/// So many contents are taken at once.
const INPUTS_MAX: u64 = 100;

/// The dialect's words for what vectors are for.
pub(crate) const TASKS: &Tasks = &[
    ("RETRIEVAL_QUERY", Task::Query),
    ("RETRIEVAL_DOCUMENT", Task::Document),
    ("SEMANTIC_SIMILARITY", Task::Similarity),
    ("CLASSIFICATION", Task::Classification),
    ("CLUSTERING", Task::Clustering),
    ("QUESTION_ANSWERING", Task::QuestionAnswering),
    ("FACT_VERIFICATION", Task::FactVerification),
    ("CODE_RETRIEVAL_QUERY", Task::CodeQuery),
];

/// The translation of `embedContent` and `batchEmbedContents`.
#[derive(Debug)]
pub(in crate::google_generate) struct Translation;

impl EmbeddingCodec for Translation {
    fn read_request<'a>(&self, body: &'a [u8]) -> Result<Embed<'a>, Failure> {
        let root = Value::of_checked(body);
        let batch = root.members().find(|member| member.key.is("requests"));
        let Some(batch) = batch.filter(|batch| !batch.value.is_null()) else { return one(&root, "") };
        let mut embed = Embed { is_list: true, ..Embed::default() };
        for (index, request) in items(&batch.value).enumerate() {
            let of_one = one(&request, &format!("/requests/{index}"))?;
            if index > 0 && (of_one.task, of_one.dimensions) != (embed.task, embed.dimensions) {
                let form =
                    "like that of the others: the model's provider makes all vectors of a request alike";
                return Err(invalid(&format!("/requests/{index}"), form));
            }
            embed.task = of_one.task;
            embed.dimensions = of_one.dimensions;
            embed.inputs.extend(of_one.inputs);
            embed.unknown.extend(of_one.unknown);
        }
        let others = root.members().filter(|member| !member.key.is("requests"));
        embed.unknown.extend(others.map(|member| format!("/{}", member.key.decode()).into()));
        if embed.inputs.is_empty() {
            return Err(invalid("/requests", "an array of at least one request"));
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
        embedding::report(embed, &[Param::Dimensions, Param::Task, Param::Title], losses)?;
        let mut out = Vec::with_capacity(256);
        let mut object = ObjectWriter::open(&mut out);
        let inputs = || texts.iter().zip(&embed.inputs);
        // Where one is taken at once, there is no method for several.
        let is_single = !embed.is_list || abilities.inputs_max == Some(1);
        if let (true, Some((text, input))) = (is_single, inputs().next()) {
            write_one(&mut object, embed, text, input);
        } else {
            let mut list = object.list("requests");
            for (text, input) in inputs() {
                let mut request = list.object();
                // Each request of a batch names its model anew.
                request.str("model", &embed.model);
                write_one(&mut request, embed, text, input);
                request.close();
            }
            list.close();
        }
        object.close();
        Ok(out.into())
    }

    fn read_answer<'a>(&self, body: &'a [u8]) -> Result<Vectors<'a>, Failure> {
        let root = Value::of_checked(body);
        let [one, several] = root.pick(["embedding", "embeddings"]);
        let all = one.into_iter().chain(several.iter().flat_map(Value::elements));
        let read = |item: Value<'a>| embedding::read(&item.get("values").ok_or_else(embedding::malformed)?);
        Ok(Vectors { vectors: all.map(read).collect::<Result<_, _>>()?, ..Vectors::default() })
    }

    fn write_answer(&self, asked: &Embed<'_>, vectors: &Vectors<'_>, _: &Envelope) -> Bytes {
        let mut out = Vec::with_capacity(4_096);
        let mut object = ObjectWriter::open(&mut out);
        match vectors.vectors.as_slice() {
            [vector] if !asked.is_list => {
                let mut item = object.object("embedding");
                embedding::write(vector, Encoding::Float, item.key("values"));
                item.close();
            }
            vectors => {
                let mut list = object.list("embeddings");
                for vector in vectors {
                    let mut item = list.object();
                    embedding::write(vector, Encoding::Float, item.key("values"));
                    item.close();
                }
                list.close();
            }
        }
        if let Some(usage) = vectors.usage {
            let mut metadata = object.object("usageMetadata");
            metadata.number("promptTokenCount", usage.prompt_tokens());
            metadata.close();
        }
        object.close();
        out.into()
    }

    fn pointer(&self, place: &Place<'_>) -> String {
        match place {
            Place::Param(Param::Dimensions) => "/outputDimensionality".to_owned(),
            Place::Param(Param::Task) => "/taskType".to_owned(),
            Place::Param(Param::Title) => "/title".to_owned(),
            Place::Part(origin) => format!("/requests/{}", origin.message),
            Place::Pointer(pointer) => pointer.clone().into_owned(),
            _ => String::new(),
        }
    }
}

/// Reads one request, which stands at `place`.
fn one<'a>(request: &Value<'a>, place: &str) -> Result<Embed<'a>, Failure> {
    let mut embed = Embed::default();
    let mut title = None;
    let mut said = None;
    for member in request.members().filter(|member| !member.value.is_null()) {
        let (key, value) = (name(&member.key), member.value);
        match key.as_ref() {
            "content" => said = Some(text(&value, place)?),
            "taskType" => match value.as_str().as_deref() {
                Some("TASK_TYPE_UNSPECIFIED") => {}
                word => match word.and_then(|word| task_of(TASKS, word)) {
                    Some(task) => embed.task = Some(task),
                    None => embed.unknown.push(format!("{place}/taskType").into()),
                },
            },
            "title" => title = value.as_str(),
            "outputDimensionality" => {
                embed.dimensions = dimensions(&format!("{place}/outputDimensionality"), &value)?;
            }
            // The path says it.
            "model" => {}
            key => embed.unknown.push(below(place, key).into()),
        }
    }
    let text = said.ok_or_else(|| invalid(&format!("{place}/content"), "a content with a text"))?;
    embed.inputs.push(Input { title, ..Input::text(text) });
    Ok(embed)
}

/// The text of a content.
fn text<'a>(content: &Value<'a>, place: &str) -> Result<std::borrow::Cow<'a, str>, Failure> {
    let mut parts = content.get("parts").into_iter().flat_map(|parts| items(&parts).collect::<Vec<_>>());
    let first = parts.next().and_then(|part| part.get("text")?.as_str());
    match (first, parts.next()) {
        (Some(text), None) => Ok(text),
        _ => {
            let form = "one part with a text: the model's provider makes vectors of single texts";
            Err(invalid(&format!("{place}/content/parts"), form))
        }
    }
}

fn write_one(object: &mut ObjectWriter<'_>, embed: &Embed<'_>, text: &str, input: &Input<'_>) {
    let mut content = object.object("content");
    let mut parts = content.list("parts");
    let mut part = parts.object();
    part.str("text", text);
    part.close();
    parts.close();
    content.close();
    if let Some(word) = embed.task.and_then(|task| task_word(TASKS, task)) {
        object.str("taskType", word);
    }
    if let Some(title) = &input.title {
        object.str("title", title);
    }
    if let Some(count) = embed.dimensions {
        object.number("outputDimensionality", count);
    }
}
