//! The dialect's translation to and from the form that all dialects of embeddings share.

use bytes::Bytes;
use gatewright::Failure;
use gatewright::chat::{Losses, Param, Place};
use gatewright::dialect::{Abilities, EmbeddingCodec, Envelope};
use gatewright::embedding::{Embed, Encoding, Input, Truncation, Vectors};

use crate::document::invalid;
use crate::document::pointer::below;
use crate::embedding::{self, dimensions};
use crate::json::{Kind, ObjectWriter, Value};

/// No bound is known; this is one all the same.
const INPUTS_MAX: u64 = 2_048;

/// The translation of Ollama's embed.
#[derive(Debug)]
pub(super) struct Translation;

impl EmbeddingCodec for Translation {
    fn read_request<'a>(&self, body: &'a [u8]) -> Result<Embed<'a>, Failure> {
        let mut embed = Embed::default();
        for member in Value::of_checked(body).members().filter(|member| !member.value.is_null()) {
            let (key, value) = (member.key.decode(), member.value);
            match key.as_ref() {
                "model" => embed.model = value.as_str().unwrap_or_default(),
                "input" => {
                    embed.inputs = inputs(&value)?;
                    embed.is_list = value.kind() == Kind::Array;
                }
                "dimensions" => embed.dimensions = dimensions("/dimensions", &value)?,
                "truncate" => {
                    let cuts = value.as_bool();
                    embed.truncation =
                        cuts.map(|cuts| if cuts { Truncation::End } else { Truncation::Refuse });
                }
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
        let cuts_start = embed.truncation == Some(Truncation::Start);
        let takes: &[Param] =
            if cuts_start { &[Param::Dimensions] } else { &[Param::Dimensions, Param::Truncation] };
        embedding::report(embed, takes, losses)?;
        let mut out = Vec::with_capacity(256);
        let mut object = ObjectWriter::open(&mut out);
        object.str("model", &embed.model);
        match texts.as_slice() {
            [text] if !embed.is_list => object.str("input", text),
            texts => {
                let mut list = object.list("input");
                texts.iter().for_each(|text| list.str(text));
                list.close();
            }
        }
        if let Some(count) = embed.dimensions {
            object.number("dimensions", count);
        }
        if let Some(truncation) = embed.truncation.filter(|_| !cuts_start) {
            object.bool("truncate", truncation == Truncation::End);
        }
        object.close();
        Ok(out.into())
    }

    fn read_answer<'a>(&self, body: &'a [u8]) -> Result<Vectors<'a>, Failure> {
        let [model, vectors] = Value::of_checked(body).pick(["model", "embeddings"]);
        let vectors = vectors.iter().flat_map(Value::elements).map(|vector| embedding::read(&vector));
        let vectors = vectors.collect::<Result<_, _>>()?;
        Ok(Vectors { model: model.and_then(|model| model.as_str()), vectors, usage: None })
    }

    fn write_answer(&self, _: &Embed<'_>, vectors: &Vectors<'_>, envelope: &Envelope) -> Bytes {
        let mut out = Vec::with_capacity(4_096);
        let mut object = ObjectWriter::open(&mut out);
        object.str("model", &envelope.model);
        let mut list = object.list("embeddings");
        for vector in &vectors.vectors {
            embedding::write(vector, Encoding::Float, list.item());
        }
        list.close();
        object.number("prompt_eval_count", vectors.usage.unwrap_or_default().prompt_tokens());
        object.close();
        out.into()
    }

    fn pointer(&self, place: &Place<'_>) -> String {
        match place {
            Place::Param(Param::Dimensions) => "/dimensions".to_owned(),
            Place::Param(Param::Truncation) => "/truncate".to_owned(),
            Place::Part(origin) => format!("/input/{}", origin.message),
            Place::Pointer(pointer) => pointer.clone().into_owned(),
            _ => String::new(),
        }
    }
}

fn inputs<'a>(value: &Value<'a>) -> Result<Vec<Input<'a>>, Failure> {
    if let Some(text) = value.as_str() {
        return Ok(vec![Input::text(text)]);
    }
    let one = |(index, text): (usize, Value<'a>)| {
        let text = text.as_str().ok_or_else(|| invalid(&format!("/input/{index}"), "a string"))?;
        Ok(Input::text(text))
    };
    value.elements().enumerate().map(one).collect()
}
