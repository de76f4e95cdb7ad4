//! What dialects of embeddings have in common: a codec without streams, the bounds of what a provider takes, vectors.
//!
//! A vector keeps the digits of its provider until a caller wants it packed.

mod vector;

use bytes::Bytes;
use gatewright::Failure;
use gatewright::chat::{LossKind, Losses, Origin, Param, Place};
use gatewright::dialect::{
    Abilities, Address, AnswerDocument, Codec, Dialect, EmbeddingCodec, ErrorBody, Operation,
    RequestDocument, StreamDecoder, StreamEncoder, StreamSettings,
};
use gatewright::embedding::{Embed, InputKind, Task};
use http::{HeaderMap, StatusCode};

use crate::document::{Answer, AnswerShape, Request, Shape, invalid};
use crate::json::{Kind, Value};
use crate::openai_chat;

pub(crate) use vector::{malformed, read, write};

/// A dialect of embeddings.
#[derive(Debug)]
pub(crate) struct Embeddings {
    pub(crate) shape: &'static Shape,
    pub(crate) answer: &'static AnswerShape,
    pub(crate) translation: &'static dyn EmbeddingCodec,
    /// Writes an error for a client.
    pub(crate) render: fn(&ErrorBody<'_>) -> Bytes,
    /// Reads a provider's error.
    pub(crate) parse: fn(StatusCode, &HeaderMap, &[u8]) -> Failure,
}

impl Codec for Embeddings {
    fn dialect(&self) -> Dialect {
        self.shape.dialect
    }

    fn operation(&self) -> Operation {
        Operation::Embedding
    }

    fn decode_request_at(&self, body: Bytes, address: &Address) -> Result<Box<dyn RequestDocument>, Failure> {
        Request::decode(body, self.shape, address)
    }

    fn decode_answer(&self, body: Bytes) -> Result<Box<dyn AnswerDocument>, Failure> {
        Answer::decode(body, self.answer)
    }

    /// There are no streams of vectors.
    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        openai_chat::codec().stream_decoder()
    }

    fn stream_encoder(&self, settings: StreamSettings) -> Box<dyn StreamEncoder> {
        openai_chat::codec().stream_encoder(settings)
    }

    fn render_error(&self, error: &ErrorBody<'_>) -> Bytes {
        (self.render)(error)
    }

    fn parse_error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
        (self.parse)(status, headers, body)
    }

    fn embedding(&self) -> Option<&dyn EmbeddingCodec> {
        Some(self.translation)
    }
}

/// The place of the input at an index.
pub(crate) fn input(index: usize) -> Place<'static> {
    Place::Part(Origin { message: u32::try_from(index).unwrap_or(u32::MAX), part: None })
}

/// The texts of a request, at most as many as the provider takes at once: `most`, or what is known of the model.
///
/// # Errors
/// A failure of the client's side that names the first input that cannot be sent.
pub(crate) fn texts<'e>(
    embed: &'e Embed<'_>,
    abilities: &Abilities,
    most: u64,
    losses: &Losses<'_>,
) -> Result<Vec<&'e str>, Failure> {
    let most = abilities.inputs_max.unwrap_or(most);
    let bound = usize::try_from(most).unwrap_or(usize::MAX);
    if embed.inputs.len() > bound {
        let (is, many) = (embed.inputs.len(), if most == 1 { "input" } else { "inputs" });
        let why = format!(
            "the model's provider takes {most} {many} in one request, and this one has {is}: divide it"
        );
        return Err(losses.refuse(&input(bound), &why).with_code("too_many_inputs"));
    }
    let text = |(index, input): (usize, &'e gatewright::embedding::Input<'_>)| match &input.kind {
        InputKind::Text(text) => Ok(text.as_ref()),
        _ => {
            let why = "tokens are those of another provider's models: send the text that they stand for";
            Err(losses.refuse(&self::input(index), why).with_code("unsupported_value"))
        }
    };
    embed.inputs.iter().enumerate().map(text).collect()
}

/// Reports what a request has beside its inputs and the dialect has no place for: all but what `takes` names.
///
/// # Errors
/// In strict mode, for the first loss; and for a form of vectors that cannot be made of numbers.
pub(crate) fn report(embed: &Embed<'_>, takes: &[Param], losses: &mut Losses<'_>) -> Result<(), Failure> {
    if let Some(form) = embed.encodings.iter().find(|form| !form.is_whole()) {
        let word = form.as_str();
        let why = format!(
            "the model's provider makes vectors of decimal numbers, which cannot become `{word}`: ask for `float`"
        );
        return Err(losses.refuse(&Place::Param(Param::Encodings), &why).with_code("unsupported_value"));
    }
    let asked = [
        (Param::Dimensions, embed.dimensions.is_some()),
        (Param::Task, embed.task.is_some()),
        (Param::Truncation, embed.truncation.is_some()),
        (Param::EndUser, embed.end_user.is_some()),
        (Param::Title, embed.inputs.iter().any(|input| input.title.is_some())),
    ];
    for (param, _) in asked.into_iter().filter(|(param, is_asked)| *is_asked && !takes.contains(param)) {
        losses.report(&Place::Param(param), LossKind::Dropped)?;
    }
    for pointer in &embed.unknown {
        losses.report(&Place::Pointer(pointer.as_ref().into()), LossKind::Dropped)?;
    }
    Ok(())
}

/// The words that a dialect has for what vectors are for.
pub(crate) type Tasks = [(&'static str, Task)];

/// The word for a task.
pub(crate) fn task_word(tasks: &'static Tasks, task: Task) -> Option<&'static str> {
    tasks.iter().find(|(_, known)| *known == task).map(|(word, _)| *word)
}

/// The task that a word stands for.
pub(crate) fn task_of(tasks: &Tasks, word: &str) -> Option<Task> {
    tasks.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, task)| *task)
}

/// A whole number from 1.
///
/// # Errors
/// A failure of the client's side that names the field.
pub(crate) fn dimensions(pointer: &str, value: &Value<'_>) -> Result<Option<u64>, Failure> {
    match value.kind() {
        Kind::Null => Ok(None),
        _ => match value.as_u64().filter(|count| *count > 0) {
            Some(count) => Ok(Some(count)),
            None => Err(invalid(pointer, "a whole number, 1 or more")),
        },
    }
}
