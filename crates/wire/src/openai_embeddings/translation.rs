//! The dialect's translation to and from the form that all dialects of embeddings share.
//!
//! `input_type` is no member of the original, but several who speak the dialect have it, in several words.

use bytes::Bytes;
use gatewright::Failure;
use gatewright::chat::{Losses, Param, Place};
use gatewright::dialect::{Abilities, EmbeddingCodec, Envelope};
use gatewright::embedding::{Embed, Encoding, Input, InputKind, Task, Vectors};

use crate::document::invalid;
use crate::document::pointer::below;
use crate::embedding::{self, Tasks, dimensions, task_of};
use crate::json::{Kind, ObjectWriter, Value};

/// So many inputs are taken at once.
const INPUTS_MAX: u64 = 2_048;

const TASKS: &Tasks = &[
    ("query", Task::Query),
    ("search_query", Task::Query),
    ("passage", Task::Document),
    ("document", Task::Document),
    ("search_document", Task::Document),
    ("classification", Task::Classification),
    ("clustering", Task::Clustering),
];

/// The translation of OpenAI embeddings.
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
                "encoding_format" => {
                    let form = value.as_str().and_then(|word| Encoding::of_word(&word));
                    let form = form.filter(|form| form.is_whole());
                    embed.encodings =
                        vec![form.ok_or_else(|| invalid("/encoding_format", "`float` or `base64`"))?];
                }
                "user" => embed.end_user = value.as_str(),
                "input_type" => match value.as_str().and_then(|word| task_of(TASKS, &word)) {
                    Some(task) => embed.task = Some(task),
                    None => embed.unknown.push("/input_type".into()),
                },
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
        embedding::report(embed, &[Param::Dimensions, Param::EndUser], losses)?;
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
        object.str("encoding_format", Encoding::Float.as_str());
        if let Some(count) = embed.dimensions {
            object.number("dimensions", count);
        }
        if let Some(user) = &embed.end_user {
            object.str("user", user);
        }
        object.close();
        Ok(out.into())
    }

    fn read_answer<'a>(&self, body: &'a [u8]) -> Result<Vectors<'a>, Failure> {
        let root = Value::of_checked(body);
        let [model, data] = root.pick(["model", "data"]);
        let mut items = Vec::new();
        for (position, item) in data.iter().flat_map(Value::elements).enumerate() {
            let [index, vector] = item.pick(["index", "embedding"]);
            let position = u64::try_from(position).unwrap_or(u64::MAX);
            let index = index.and_then(|index| index.as_u64()).unwrap_or(position);
            items.push((index, embedding::read(&vector.ok_or_else(embedding::malformed)?)?));
        }
        items.sort_by_key(|(index, _)| *index);
        let vectors = items.into_iter().map(|(_, vector)| vector).collect();
        Ok(Vectors { model: model.and_then(|model| model.as_str()), vectors, usage: None })
    }

    fn write_answer(&self, asked: &Embed<'_>, vectors: &Vectors<'_>, envelope: &Envelope) -> Bytes {
        let encoding = asked.encodings.first().copied().unwrap_or(Encoding::Float);
        let mut out = Vec::with_capacity(4_096);
        let mut object = ObjectWriter::open(&mut out);
        object.str("object", "list");
        let mut data = object.list("data");
        for (index, vector) in (0..).zip(&vectors.vectors) {
            let mut item = data.object();
            item.str("object", "embedding");
            item.number("index", index);
            embedding::write(vector, encoding, item.key("embedding"));
            item.close();
        }
        data.close();
        object.str("model", &envelope.model);
        // Client libraries take the figures to be there.
        let tokens = vectors.usage.unwrap_or_default().prompt_tokens();
        let mut usage = object.object("usage");
        usage.number("prompt_tokens", tokens);
        usage.number("total_tokens", tokens);
        usage.close();
        object.close();
        out.into()
    }

    fn pointer(&self, place: &Place<'_>) -> String {
        match place {
            Place::Param(Param::Dimensions) => "/dimensions".to_owned(),
            Place::Param(Param::Encodings) => "/encoding_format".to_owned(),
            Place::Param(Param::EndUser) => "/user".to_owned(),
            Place::Param(Param::Task) => "/input_type".to_owned(),
            Place::Part(origin) => format!("/input/{}", origin.message),
            Place::Pointer(pointer) => pointer.clone().into_owned(),
            _ => String::new(),
        }
    }
}

/// One text, several texts, the tokens of one, or the tokens of several.
fn inputs<'a>(value: &Value<'a>) -> Result<Vec<Input<'a>>, Failure> {
    let tokens = |value: &Value<'a>| Input { kind: InputKind::Tokens(value.source()), title: None };
    if let Some(text) = value.as_str() {
        return Ok(vec![Input::text(text)]);
    }
    if value.elements().next().is_some_and(|first| first.kind() == Kind::Number) {
        return Ok(vec![tokens(value)]);
    }
    let one = |(index, value): (usize, Value<'a>)| match value.kind() {
        Kind::String => Ok(Input::text(value.as_str().unwrap_or_default())),
        Kind::Array => Ok(tokens(&value)),
        _ => Err(invalid(&format!("/input/{index}"), "a string or an array of tokens")),
    };
    value.elements().enumerate().map(one).collect()
}
