//! The dialect's translation to and from the form that all dialects of embeddings share.

use bytes::Bytes;
use gatewright::Failure;
use gatewright::chat::{Losses, Param, Place};
use gatewright::dialect::{Abilities, EmbeddingCodec, Envelope};
use gatewright::embedding::{Embed, Encoding, Input, Vectors};

use crate::document::invalid;
use crate::document::pointer::below;
use crate::embedding::{self, dimensions};
use crate::json::{ObjectWriter, Value};

/// One text is taken at once.
const INPUTS_MAX: u64 = 1;

/// The translation of Titan's embeddings.
#[derive(Debug)]
pub(super) struct Translation;

impl EmbeddingCodec for Translation {
    fn read_request<'a>(&self, body: &'a [u8]) -> Result<Embed<'a>, Failure> {
        let mut embed = Embed::default();
        for member in Value::of_checked(body).members().filter(|member| !member.value.is_null()) {
            let (key, value) = (member.key.decode(), member.value);
            match key.as_ref() {
                super::TEXT => embed.inputs = value.as_str().map(Input::text).into_iter().collect(),
                "dimensions" => embed.dimensions = dimensions("/dimensions", &value)?,
                "embeddingTypes" => {
                    let known = |form: Value<'_>| form.as_str().and_then(|word| Encoding::of_word(&word));
                    let forms = value.elements().map(known).collect::<Option<_>>();
                    embed.encodings = forms
                        .ok_or_else(|| invalid("/embeddingTypes", "an array of `float` and `binary`"))?;
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
        embedding::report(embed, &[Param::Dimensions], losses)?;
        let mut out = Vec::with_capacity(256);
        let mut object = ObjectWriter::open(&mut out);
        object.str(super::TEXT, texts.first().copied().unwrap_or_default());
        if let Some(count) = embed.dimensions {
            object.number("dimensions", count);
        }
        object.close();
        Ok(out.into())
    }

    fn read_answer<'a>(&self, body: &'a [u8]) -> Result<Vectors<'a>, Failure> {
        let root = Value::of_checked(body);
        let [plain, by_type] = root.pick(["embedding", "embeddingsByType"]);
        let vector = plain.or_else(|| by_type?.get("float")).ok_or_else(embedding::malformed)?;
        Ok(Vectors { vectors: vec![embedding::read(&vector)?], ..Vectors::default() })
    }

    fn write_answer(&self, asked: &Embed<'_>, vectors: &Vectors<'_>, _: &Envelope) -> Bytes {
        let mut out = Vec::with_capacity(4_096);
        let mut object = ObjectWriter::open(&mut out);
        if let Some(vector) = vectors.vectors.first() {
            embedding::write(vector, Encoding::Float, object.key("embedding"));
            if !asked.encodings.is_empty() {
                let mut by_type = object.object("embeddingsByType");
                embedding::write(vector, Encoding::Float, by_type.key("float"));
                by_type.close();
            }
        }
        object.number("inputTextTokenCount", vectors.usage.unwrap_or_default().prompt_tokens());
        object.close();
        out.into()
    }

    fn pointer(&self, place: &Place<'_>) -> String {
        match place {
            Place::Param(Param::Dimensions) => "/dimensions".to_owned(),
            Place::Param(Param::Encodings) => "/embeddingTypes".to_owned(),
            Place::Part(_) => "/inputText".to_owned(),
            Place::Pointer(pointer) => pointer.clone().into_owned(),
            _ => String::new(),
        }
    }
}
