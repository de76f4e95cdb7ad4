//! A stream that events alone tell, from the first event to the one that has the whole answer in it.
//!
//! An item begins with the first event about it and ends when something else begins that cannot stand beside it; calls
//! may stay open side by side. The dialect has one choice: events of others are left out.

use std::collections::BTreeMap;

use gatewright::chat::Signature;
use gatewright::dialect::Identity;
use gatewright::text::{Lane, LaneKind};
use gatewright::{EventKind, FinishReason, Usage};

use super::item::{self, Call, End, Head, MessagePart, Status};
use crate::json::ObjectWriter;

/// How far a stream has been told.
#[derive(Debug)]
pub(super) struct Teller {
    head: Head,
    /// The number of the next event.
    number: u64,
    is_begun: bool,
    /// The items that have begun, each as it is written once it is complete.
    items: Vec<Vec<u8>>,
    said: Option<Said>,
    thought: Option<Thought>,
    /// Calls that have begun, by the index of their lanes.
    calls: BTreeMap<u32, Called>,
    usage: Option<Usage>,
    finish: Option<FinishReason>,
}

/// A message under way.
#[derive(Debug)]
struct Said {
    index: usize,
    id: String,
    parts: Vec<MessagePart<'static>>,
}

/// Reasoning under way.
#[derive(Debug)]
struct Thought {
    index: usize,
    id: String,
    text: String,
    signature: Option<Signature<'static>>,
}

/// A call under way.
#[derive(Debug)]
struct Called {
    index: usize,
    id: String,
    call_id: String,
    name: String,
    arguments: String,
    is_open: bool,
}

impl Teller {
    pub(super) fn new(head: Head) -> Self {
        Self {
            head,
            number: 0,
            is_begun: false,
            items: Vec::new(),
            said: None,
            thought: None,
            calls: BTreeMap::new(),
            usage: None,
            finish: None,
        }
    }

    /// One of an answer that is kept under a name of its own.
    pub(super) fn identified(mut self, identity: &Identity) -> Self {
        self.head = self.head.identified(identity);
        self
    }

    /// The number of the next event.
    pub(super) fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number - 1
    }

    /// Writes what an event says.
    pub(super) fn tell(&mut self, event: &EventKind, out: &mut Vec<u8>) {
        match event {
            EventKind::Start => self.begin(out),
            EventKind::TextDelta { lane, text } if lane.choice == 0 && !text.is_empty() => {
                self.text(*lane, text, out);
            }
            EventKind::ToolCallStart { lane, id, name } if lane.choice == 0 => {
                self.call(*lane, id, name, out);
            }
            EventKind::LaneEnd { lane } if lane.choice == 0 => match lane.kind {
                LaneKind::Content | LaneKind::Refusal => self.end_message(Status::Completed, out),
                // What proves it may follow.
                LaneKind::Reasoning => {}
                LaneKind::ToolArguments { index } => self.end_call(index, Status::Completed, out),
            },
            EventKind::Signature { lane, signature }
                if lane.choice == 0 && lane.kind == LaneKind::Reasoning =>
            {
                if let Some(thought) = &mut self.thought {
                    thought.signature = Some(signature.clone());
                }
                self.end_thought(out);
            }
            EventKind::SealedReasoning { choice: 0, signature } => {
                self.end_message(Status::Completed, out);
                self.end_thought(out);
                let thought = self.begin_thought(out);
                thought.signature = Some(signature.clone());
                self.end_thought(out);
            }
            EventKind::Usage(usage) => self.usage = Some(*usage),
            EventKind::Finish { choice: 0, reason } => {
                self.finish = self.finish.take().or(Some(reason.clone()));
            }
            _ => {}
        }
    }

    /// Writes the end of all that has begun, and the last event. Gives the whole answer, which that repeats.
    pub(super) fn close(&mut self, out: &mut Vec<u8>) -> Vec<u8> {
        self.begin(out);
        let finish = self.finish.take();
        let end = End::of(finish.as_ref(), self.usage);
        let status = if end.status == Status::Completed { Status::Completed } else { Status::Incomplete };
        self.end_thought(out);
        self.end_message(status, out);
        for index in self.calls.keys().copied().collect::<Vec<_>>() {
            self.end_call(index, status, out);
        }
        let number = self.next_number();
        let mut whole = Vec::new();
        self.head.response(&mut whole, &end, &self.items);
        event(out, end.status.event(), number, |object| object.key("response").extend_from_slice(&whole));
        whole
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.is_begun, true) {
            return;
        }
        for name in ["response.created", "response.in_progress"] {
            let number = self.next_number();
            event(out, name, number, |object| self.head.response(object.key("response"), &End::open(), &[]));
        }
    }

    /// Announces an item; gives its place.
    fn add(&mut self, write: impl FnOnce(&mut Vec<u8>), out: &mut Vec<u8>) -> usize {
        let index = self.items.len();
        let mut item = Vec::new();
        write(&mut item);
        let number = self.next_number();
        event(out, "response.output_item.added", number, |object| {
            object.number("output_index", wide(index));
            object.key("item").extend_from_slice(&item);
        });
        self.items.push(item);
        index
    }

    /// Says that an item is complete.
    fn done(&mut self, index: usize, item: Vec<u8>, out: &mut Vec<u8>) {
        let number = self.next_number();
        event(out, "response.output_item.done", number, |object| {
            object.number("output_index", wide(index));
            object.key("item").extend_from_slice(&item);
        });
        if let Some(place) = self.items.get_mut(index) {
            *place = item;
        }
    }

    fn text(&mut self, lane: Lane, text: &str, out: &mut Vec<u8>) {
        self.begin(out);
        match lane.kind {
            LaneKind::Content => self.message_text(false, text, out),
            LaneKind::Refusal => self.message_text(true, text, out),
            LaneKind::Reasoning => self.thought_text(text, out),
            LaneKind::ToolArguments { index } => {
                let number = self.number;
                let Some(call) = self.calls.get_mut(&index).filter(|call| call.is_open) else { return };
                call.arguments.push_str(text);
                event(out, "response.function_call_arguments.delta", number, |object| {
                    object.str("item_id", &call.id);
                    object.number("output_index", wide(call.index));
                    object.str("delta", text);
                });
                self.number += 1;
            }
        }
    }

    // === Messages ===

    fn message_text(&mut self, is_refusal: bool, text: &str, out: &mut Vec<u8>) {
        self.end_thought(out);
        if self.said.is_none() {
            let id = self.head.item_id("msg", self.items.len());
            let index = self.add(|item| item::message(item, &id, Status::InProgress, &[]), out);
            self.said = Some(Said { index, id, parts: Vec::new() });
        }
        let goes_on = |said: &Said| said.parts.last().is_some_and(|part| part.is_refusal == is_refusal);
        if !self.said.as_ref().is_some_and(goes_on) {
            self.end_part(out);
            self.begin_part(is_refusal, out);
        }
        let number = self.next_number();
        let Some(said) = &mut self.said else { return };
        let name = if is_refusal { "response.refusal.delta" } else { "response.output_text.delta" };
        event(out, name, number, |object| {
            said.place(object);
            object.str("delta", text);
            if !is_refusal {
                object.raw("logprobs", "[]");
            }
        });
        if let Some(part) = said.parts.last_mut() {
            part.text.to_mut().push_str(text);
        }
    }

    fn begin_part(&mut self, is_refusal: bool, out: &mut Vec<u8>) {
        let number = self.next_number();
        let Some(said) = &mut self.said else { return };
        said.parts.push(MessagePart { is_refusal, text: "".into() });
        event(out, "response.content_part.added", number, |object| {
            said.place(object);
            if let Some(part) = said.parts.last() {
                item::message_part(object.key("part"), part);
            }
        });
    }

    fn end_part(&mut self, out: &mut Vec<u8>) {
        let Some(said) = &self.said else { return };
        let Some(part) = said.parts.last() else { return };
        let (name, key) = if part.is_refusal {
            ("response.refusal.done", "refusal")
        } else {
            ("response.output_text.done", "text")
        };
        event(out, name, self.number, |object| {
            said.place(object);
            object.str(key, &part.text);
            if !part.is_refusal {
                object.raw("logprobs", "[]");
            }
        });
        event(out, "response.content_part.done", self.number + 1, |object| {
            said.place(object);
            item::message_part(object.key("part"), part);
        });
        self.number += 2;
    }

    fn end_message(&mut self, status: Status, out: &mut Vec<u8>) {
        self.end_part(out);
        let Some(said) = self.said.take() else { return };
        let mut item = Vec::new();
        item::message(&mut item, &said.id, status, &said.parts);
        self.done(said.index, item, out);
    }

    // === Reasoning ===

    fn begin_thought(&mut self, out: &mut Vec<u8>) -> &mut Thought {
        self.begin(out);
        let id = self.head.item_id("rs", self.items.len());
        let index = self.add(|item| item::reasoning(item, &id, "", None), out);
        self.thought.insert(Thought { index, id, text: String::new(), signature: None })
    }

    fn thought_text(&mut self, text: &str, out: &mut Vec<u8>) {
        if self.thought.is_none() {
            self.end_message(Status::Completed, out);
            self.begin_thought(out);
        }
        let mut number = self.number;
        let Some(thought) = &mut self.thought else { return };
        if thought.text.is_empty() {
            event(out, "response.reasoning_summary_part.added", number, |object| {
                thought.place(object);
                item::summary_part(object.key("part"), "");
            });
            number += 1;
        }
        event(out, "response.reasoning_summary_text.delta", number, |object| {
            thought.place(object);
            object.str("delta", text);
        });
        thought.text.push_str(text);
        self.number = number + 1;
    }

    fn end_thought(&mut self, out: &mut Vec<u8>) {
        let Some(thought) = self.thought.take() else { return };
        if !thought.text.is_empty() {
            event(out, "response.reasoning_summary_text.done", self.number, |object| {
                thought.place(object);
                object.str("text", &thought.text);
            });
            event(out, "response.reasoning_summary_part.done", self.number + 1, |object| {
                thought.place(object);
                item::summary_part(object.key("part"), &thought.text);
            });
            self.number += 2;
        }
        let mut item = Vec::new();
        item::reasoning(&mut item, &thought.id, &thought.text, thought.signature.as_ref());
        self.done(thought.index, item, out);
    }

    // === Calls ===

    fn call(&mut self, lane: Lane, id: &str, name: &str, out: &mut Vec<u8>) {
        let LaneKind::ToolArguments { index: lane } = lane.kind else { return };
        if self.calls.contains_key(&lane) {
            return;
        }
        self.begin(out);
        self.end_thought(out);
        self.end_message(Status::Completed, out);
        let item_id = self.head.item_id("fc", self.items.len());
        let call_id = if id.is_empty() { self.head.item_id("call", self.items.len()) } else { id.to_owned() };
        let call = Call { id: &call_id, name, arguments: "" };
        let index = self.add(|item| item::call(item, &item_id, Status::InProgress, &call), out);
        let (id, name, arguments) = (item_id, name.to_owned(), String::new());
        self.calls.insert(lane, Called { index, id, call_id, name, arguments, is_open: true });
    }

    fn end_call(&mut self, lane: u32, status: Status, out: &mut Vec<u8>) {
        let number = self.number;
        let Some(call) = self.calls.get_mut(&lane).filter(|call| call.is_open) else { return };
        call.is_open = false;
        let whole = std::mem::take(&mut call.arguments);
        let arguments = if whole.is_empty() { "{}" } else { &whole };
        event(out, "response.function_call_arguments.done", number, |object| {
            object.str("item_id", &call.id);
            object.number("output_index", wide(call.index));
            object.str("name", &call.name);
            object.str("arguments", arguments);
        });
        let mut item = Vec::new();
        item::call(&mut item, &call.id, status, &Call { id: &call.call_id, name: &call.name, arguments });
        let index = call.index;
        self.number += 1;
        self.done(index, item, out);
    }
}

impl Said {
    fn place(&self, object: &mut ObjectWriter<'_>) {
        object.str("item_id", &self.id);
        object.number("output_index", wide(self.index));
        object.number("content_index", wide(self.parts.len().saturating_sub(1)));
    }
}

impl Thought {
    fn place(&self, object: &mut ObjectWriter<'_>) {
        object.str("item_id", &self.id);
        object.number("output_index", wide(self.index));
        object.number("summary_index", 0);
    }
}

/// Writes an event.
fn event(out: &mut Vec<u8>, name: &str, number: u64, write: impl FnOnce(&mut ObjectWriter<'_>)) {
    out.extend_from_slice(format!("event: {name}\ndata: ").as_bytes());
    let mut object = ObjectWriter::open(out);
    object.str("type", name);
    object.number("sequence_number", number);
    write(&mut object);
    object.close();
    out.extend_from_slice(b"\n\n");
}

fn wide(index: usize) -> u64 {
    u64::try_from(index).unwrap_or(u64::MAX)
}
