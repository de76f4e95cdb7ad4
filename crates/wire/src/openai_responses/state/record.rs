//! What is kept of an answer: the items that its request added to the conversation, and the answer itself.

use bytes::Bytes;
use gatewright::dialect::{AnswerRecord, Identity};

use crate::json::{ObjectWriter, Value};

/// A record, read. What is not there is empty.
#[derive(Debug)]
pub(super) struct Record<'r> {
    /// The answer that its request went on from.
    pub(super) previous: Option<Box<str>>,
    /// Whether the caller is not shown sealed reasoning.
    pub(super) hides_seals: bool,
    input: Option<Value<'r>>,
    pub(super) answer: Option<Value<'r>>,
}

impl<'r> Record<'r> {
    pub(super) fn read(text: &'r [u8]) -> Self {
        let root = Value::parse(text).ok();
        let get = |key| root.as_ref().and_then(|root| root.get(key));
        Self {
            previous: get("previous").and_then(|id| Some(id.as_str()?.into())),
            hides_seals: get("hides_seals").and_then(|hides| hides.as_bool()).unwrap_or(false),
            input: get("input"),
            answer: get("answer"),
        }
    }

    /// The items that its request added.
    pub(super) fn input(&self) -> impl Iterator<Item = Value<'r>> + use<'r> {
        self.input.into_iter().flat_map(|input| input.elements())
    }

    /// The items of its answer.
    pub(super) fn output(&self) -> impl Iterator<Item = Value<'r>> + use<'r> {
        self.answer.and_then(|answer| answer.get("output")).into_iter().flat_map(|output| output.elements())
    }

    /// Both, in order.
    pub(super) fn items(&self) -> impl Iterator<Item = Value<'r>> + use<'r> {
        self.input().chain(self.output())
    }

    /// The ids of its answer's items.
    pub(super) fn output_ids(&self) -> Vec<Box<str>> {
        self.output().filter_map(|item| Some(item.get("id")?.as_str()?.into())).collect()
    }

    /// An item of its answer.
    pub(super) fn output_item(&self, id: &str) -> Option<Bytes> {
        let is_it = |item: &Value<'_>| {
            item.get("id").and_then(|known| known.json_str()).is_some_and(|known| known.is(id))
        };
        self.output().find(is_it).map(|item| Bytes::copy_from_slice(item.raw()))
    }
}

/// Writes a record.
pub(super) fn write(identity: &Identity, own: &[u8], answer: &[u8]) -> AnswerRecord {
    let mut text = Vec::with_capacity(own.len() + answer.len() + 128);
    let mut object = ObjectWriter::open(&mut text);
    match &identity.previous {
        Some(previous) => object.str("previous", previous),
        None => object.raw("previous", "null"),
    }
    object.bool("hides_seals", identity.hides_seals);
    object.key("input").extend_from_slice(own);
    object.key("answer").extend_from_slice(answer);
    object.close();
    let items = Record::read(&text).output_ids();
    AnswerRecord { text: text.into(), items }
}
