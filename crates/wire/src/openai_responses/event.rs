//! One event of a stream, read off its data in one pass.

use gatewright::text::Lane;

use super::walk::{List, Place};
use crate::json::{JsonError, JsonStr, Kind as JsonKind, Reader, Reason, Value};

/// What an event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The answer begins.
    Created,
    /// An item begins, as far as it is known then.
    ItemAdded,
    /// An item is complete, and is repeated.
    ItemDone,
    /// A part of an item is complete, and is repeated.
    PartDone,
    /// A text goes on.
    Delta,
    /// A text is complete, and is repeated.
    Done,
    /// The answer is complete, or as complete as it will be, and is repeated.
    Terminal,
    /// The answer failed.
    Failed,
    /// The stream failed.
    Error,
    /// Something that says nothing more.
    Framing,
    /// Anything else.
    Other,
}

/// An event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event<'a> {
    pub(super) kind: Kind,
    pub(super) lane: Lane,
    /// Where the text stands that it is about.
    pub(super) place: Place,
    pub(super) text: Option<JsonStr<'a>>,
    /// The item, the part or the response that it has in it.
    pub(super) object: Option<Value<'a>>,
    pub(super) item_id: Option<JsonStr<'a>>,
    pub(super) sequence: Option<Value<'a>>,
    pub(super) logprobs: Option<Value<'a>>,
    pub(super) whole: Value<'a>,
}

impl<'a> Event<'a> {
    /// Reads an event.
    ///
    /// # Errors
    /// The first byte at which the data are not a JSON object.
    pub(super) fn read(data: &'a [u8]) -> Result<Self, JsonError> {
        let mut reader = Reader::new(data);
        let whole = reader.value()?;
        reader.end()?;
        if whole.kind() != JsonKind::Object {
            return Err(JsonError { offset: 0, reason: Reason::ExpectedObject });
        }
        let place = Place { item: 0, list: List::Content, index: 0 };
        let lane = Lane::content(0);
        let mut event = Self {
            kind: Kind::Other,
            lane,
            place,
            text: None,
            object: None,
            item_id: None,
            sequence: None,
            logprobs: None,
            whole,
        };
        let mut name = None;
        for member in whole.members() {
            let number =
                || member.value.as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or(u32::MAX);
            match member.key.bytes().as_ref() {
                b"type" => name = member.value.json_str(),
                b"output_index" => event.place.item = number(),
                b"content_index" | b"summary_index" => event.place.index = number(),
                b"item_id" => event.item_id = member.value.json_str(),
                b"sequence_number" => event.sequence = Some(member.value),
                b"delta" | b"text" | b"refusal" | b"arguments" | b"input" => {
                    event.text = member.value.json_str().or(event.text);
                }
                b"item" | b"part" | b"response" => event.object = Some(member.value),
                b"logprobs" => event.logprobs = Some(member.value),
                _ => {}
            }
        }
        if let Some(name) = name {
            event.name(&name.bytes());
        }
        Ok(event)
    }

    fn name(&mut self, name: &[u8]) {
        let name = name.strip_prefix(b"response.").unwrap_or(name);
        let (text, kind) = match name {
            b"created" => return self.kind = Kind::Created,
            b"completed" | b"incomplete" => return self.kind = Kind::Terminal,
            b"failed" => return self.kind = Kind::Failed,
            b"error" => return self.kind = Kind::Error,
            b"output_item.added" => return self.kind = Kind::ItemAdded,
            b"output_item.done" => return self.kind = Kind::ItemDone,
            b"queued" | b"in_progress" | b"content_part.added" | b"reasoning_summary_part.added" => {
                return self.kind = Kind::Framing;
            }
            b"content_part.done" => {
                let kind = self.object.and_then(|part| part.get("type")?.json_str());
                let is_reasoning = kind.is_some_and(|kind| kind.is("reasoning_text"));
                self.place.list = if is_reasoning { List::Reasoning } else { List::Content };
                return self.kind = Kind::PartDone;
            }
            b"reasoning_summary_part.done" => {
                self.place.list = List::Summary;
                return self.kind = Kind::PartDone;
            }
            other => match (other.strip_suffix(b".delta"), other.strip_suffix(b".done")) {
                (Some(text), _) => (text, Kind::Delta),
                (_, Some(text)) => (text, Kind::Done),
                (None, None) => return,
            },
        };
        let (list, lane) = match text {
            b"output_text" => (List::Content, Lane::content(0)),
            b"refusal" => (List::Content, Lane::refusal(0)),
            b"reasoning_text" => (List::Reasoning, Lane::reasoning(0)),
            b"reasoning_summary_text" => (List::Summary, Lane::reasoning(0)),
            b"function_call_arguments" | b"custom_tool_call_input" => {
                self.place.index = 0;
                (List::Arguments, Lane::tool_arguments(0, self.place.item))
            }
            _ => return,
        };
        self.kind = kind;
        self.place.list = list;
        self.lane = lane;
    }
}
