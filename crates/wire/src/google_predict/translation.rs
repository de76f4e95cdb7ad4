//! The dialect's translation to and from the form that all dialects of embeddings share.

use bytes::Bytes;
use gatewright::Failure;
use gatewright::chat::{Losses, Param, Place};
use gatewright::dialect::{Abilities, EmbeddingCodec, Envelope};
use gatewright::embedding::{Embed, Encoding, Input, Truncation, Vectors};

use crate::document::pointer::below;
use crate::document::{camel, invalid};
use crate::embedding::{self, dimensions, task_of, task_word};
use crate::google_generate::embed::translation::TASKS;
use crate::json::{ObjectWriter, Value};

/// So many instances are taken at once, by models that take more than one.
const INPUTS_MAX: u64 = 250;

/// The translation of `predict`.
#[derive(Debug)]
pub(super) struct Translation;

impl EmbeddingCodec for Translation {
    fn read_request<'a>(&self, body: &'a [u8]) -> Result<Embed<'a>, Failure> {
        let mut embed = Embed { is_list: true, ..Embed::default() };
        for member in Value::of_checked(body).members().filter(|member| !member.value.is_null()) {
            match member.key.decode().as_ref() {
                "instances" => {
                    for (index, instance) in member.value.elements().enumerate() {
                        add(&mut embed, index, &instance)?;
                    }
                }
                "parameters" => parameters(&mut embed, &member.value)?,
                key => embed.unknown.push(below("", key).into()),
            }
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
        let takes_truncation = embed.truncation != Some(Truncation::Start);
        let takes = [Param::Dimensions, Param::Task, Param::Title, Param::Truncation];
        let takes = takes.get(..if takes_truncation { 4 } else { 3 }).unwrap_or_default();
        embedding::report(embed, takes, losses)?;
        let mut out = Vec::with_capacity(256);
        let mut object = ObjectWriter::open(&mut out);
        let mut instances = object.list("instances");
        for (text, input) in texts.into_iter().zip(&embed.inputs) {
            let mut instance = instances.object();
            instance.str("content", text);
            if let Some(word) = embed.task.and_then(|task| task_word(TASKS, task)) {
                instance.str("task_type", word);
            }
            if let Some(title) = &input.title {
                instance.str("title", title);
            }
            instance.close();
        }
        instances.close();
        let cuts = embed.truncation.filter(|_| takes_truncation);
        if embed.dimensions.is_some() || cuts.is_some() {
            let mut parameters = object.object("parameters");
            if let Some(count) = embed.dimensions {
                parameters.number("outputDimensionality", count);
            }
            if let Some(truncation) = cuts {
                parameters.bool("autoTruncate", truncation == Truncation::End);
            }
            parameters.close();
        }
        object.close();
        Ok(out.into())
    }

    fn read_answer<'a>(&self, body: &'a [u8]) -> Result<Vectors<'a>, Failure> {
        let predictions = Value::of_checked(body).get("predictions");
        let read = |prediction: Value<'a>| {
            let values = prediction.at(&["embeddings", "values"]);
            embedding::read(&values.ok_or_else(embedding::malformed)?)
        };
        let vectors = predictions.iter().flat_map(Value::elements).map(read).collect::<Result<_, _>>()?;
        Ok(Vectors { vectors, ..Vectors::default() })
    }

    fn write_answer(&self, _: &Embed<'_>, vectors: &Vectors<'_>, _: &Envelope) -> Bytes {
        let mut out = Vec::with_capacity(4_096);
        let mut object = ObjectWriter::open(&mut out);
        let mut predictions = object.list("predictions");
        for vector in &vectors.vectors {
            let mut prediction = predictions.object();
            let mut embeddings = prediction.object("embeddings");
            embedding::write(vector, Encoding::Float, embeddings.key("values"));
            embeddings.close();
            prediction.close();
        }
        predictions.close();
        object.close();
        out.into()
    }

    fn pointer(&self, place: &Place<'_>) -> String {
        match place {
            Place::Param(Param::Dimensions) => "/parameters/outputDimensionality".to_owned(),
            Place::Param(Param::Truncation) => "/parameters/autoTruncate".to_owned(),
            Place::Param(Param::Task) => "/instances/0/task_type".to_owned(),
            Place::Param(Param::Title) => "/instances/0/title".to_owned(),
            Place::Part(origin) => format!("/instances/{}", origin.message),
            Place::Pointer(pointer) => pointer.clone().into_owned(),
            _ => String::new(),
        }
    }
}

fn add<'a>(embed: &mut Embed<'a>, index: usize, instance: &Value<'a>) -> Result<(), Failure> {
    let mut task = None;
    let mut input = None;
    let mut title = None;
    for member in instance.members().filter(|member| !member.value.is_null()) {
        match camel(member.key.decode()).as_ref() {
            "content" => input = member.value.as_str().map(Input::text),
            "title" => title = member.value.as_str(),
            "taskType" => match member.value.as_str().and_then(|word| task_of(TASKS, &word)) {
                Some(known) => task = Some(known),
                None => embed.unknown.push(format!("/instances/{index}/task_type").into()),
            },
            key => embed.unknown.push(below(&format!("/instances/{index}"), key).into()),
        }
    }
    if index > 0 && task != embed.task {
        let form =
            "for the same task as the others: the model's provider makes all vectors of a request alike";
        return Err(invalid(&format!("/instances/{index}"), form));
    }
    embed.task = task;
    let input = input.ok_or_else(|| invalid(&format!("/instances/{index}/content"), "a string"))?;
    embed.inputs.push(Input { title, ..input });
    Ok(())
}

fn parameters<'a>(embed: &mut Embed<'a>, value: &Value<'a>) -> Result<(), Failure> {
    for member in value.members().filter(|member| !member.value.is_null()) {
        match camel(member.key.decode()).as_ref() {
            "outputDimensionality" => {
                embed.dimensions = dimensions("/parameters/outputDimensionality", &member.value)?;
            }
            "autoTruncate" => {
                let cuts = member.value.as_bool();
                embed.truncation = cuts.map(|cuts| if cuts { Truncation::End } else { Truncation::Refuse });
            }
            key => embed.unknown.push(below("/parameters", key).into()),
        }
    }
    Ok(())
}
