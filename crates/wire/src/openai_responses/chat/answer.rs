//! Whole answers of the dialect, read and written.

use bytes::Bytes;
use gatewright::Failure;
use gatewright::chat::{Answer, AnswerChoice, Part, PartKind, Signature};
use gatewright::dialect::Envelope;

use super::read::item::{call, reasoning};
use crate::alias;
use crate::json::{Reader, Value};
use crate::openai_responses::decoder::finish_reason;
use crate::openai_responses::item::{self, Call, End, Head, MessagePart, Status};
use crate::openai_responses::usage;

/// Reads an answer.
pub(super) fn read(body: &[u8]) -> Result<Answer<'_>, Failure> {
    let whole = Reader::new(body).value()?;
    let mut choice = AnswerChoice::default();
    for item in whole.get("output").into_iter().flat_map(|output| output.elements()) {
        read_item(&item, &mut choice.parts);
    }
    alias::restore(&mut choice.parts);
    choice.finish = Some(finish_reason(Some(&whole)));
    Ok(Answer {
        model: whole.get("model").and_then(|name| name.as_str()),
        choices: vec![choice],
        usage: whole.get("usage").and_then(|figures| usage::read(&figures)),
    })
}

fn read_item<'a>(item: &Value<'a>, parts: &mut Vec<Part<'a>>) {
    match item.get("type").and_then(|kind| kind.as_str()).as_deref() {
        Some("message") => {
            for part in item.get("content").into_iter().flat_map(|content| content.elements()) {
                let text = |key| part.get(key).and_then(|text| text.as_str()).filter(|text| !text.is_empty());
                let kind =
                    text("text").map(PartKind::Text).or_else(|| text("refusal").map(PartKind::Refusal));
                parts.extend(kind.map(Part::new));
            }
        }
        Some("function_call" | "custom_tool_call") => parts.extend(call(item).map(Part::new)),
        Some("reasoning") => match reasoning(item) {
            PartKind::Reasoning { text, signature: None } if text.is_empty() => {}
            kind => parts.push(Part::new(kind)),
        },
        Some(other) => parts.push(Part::new(PartKind::Foreign(other.to_owned().into()))),
        None => {}
    }
}

/// Writes an answer. The dialect has one choice.
pub(super) fn write(answer: &Answer<'_>, envelope: &Envelope) -> Bytes {
    let head = Head::new(envelope);
    let choice = answer.choices.first();
    let end = End::of(choice.and_then(|choice| choice.finish.as_ref()), answer.usage);
    let status = if end.status == Status::Completed { Status::Completed } else { Status::Incomplete };
    let mut writing = Writing { head: &head, status, items: Vec::new(), said: Vec::new() };
    choice.into_iter().flat_map(|choice| &choice.parts).for_each(|part| writing.part(part));
    writing.end_message();
    let mut out = Vec::with_capacity(1_024);
    head.response(&mut out, &end, &writing.items);
    out.into()
}

struct Writing<'h, 'p> {
    head: &'h Head,
    status: Status,
    items: Vec<Vec<u8>>,
    /// The parts of the message under way.
    said: Vec<MessagePart<'p>>,
}

impl<'p> Writing<'_, 'p> {
    fn part(&mut self, part: &'p Part<'_>) {
        match &part.kind {
            PartKind::Text(text) => self.said(false, text),
            PartKind::Refusal(text) => self.said(true, text),
            PartKind::Reasoning { text, signature } => self.reasoning(text, signature.as_ref()),
            PartKind::SealedReasoning(signature) => self.reasoning("", Some(signature)),
            PartKind::ToolCall { id, name, arguments, .. } => {
                self.end_message();
                let index = self.items.len();
                let made = self.head.item_id("call", index);
                let id: &str = if id.is_empty() { &made } else { id };
                let arguments: &str = if arguments.is_empty() { "{}" } else { arguments };
                let mut out = Vec::new();
                let call = Call { id, name, arguments };
                item::call(&mut out, &self.head.item_id("fc", index), self.status, &call);
                self.items.push(out);
            }
            _ => {}
        }
    }

    fn said(&mut self, is_refusal: bool, text: &'p str) {
        // As in a stream, where a text goes on until another kind begins.
        match self.said.last_mut().filter(|part| part.is_refusal == is_refusal) {
            Some(part) => part.text.to_mut().push_str(text),
            None => self.said.push(MessagePart { is_refusal, text: text.into() }),
        }
    }

    fn reasoning(&mut self, text: &str, signature: Option<&Signature<'_>>) {
        self.end_message();
        let mut out = Vec::new();
        item::reasoning(&mut out, &self.head.item_id("rs", self.items.len()), text, signature);
        self.items.push(out);
    }

    fn end_message(&mut self) {
        let said = std::mem::take(&mut self.said);
        if said.is_empty() {
            return;
        }
        let mut out = Vec::new();
        item::message(&mut out, &self.head.item_id("msg", self.items.len()), self.status, &said);
        self.items.push(out);
    }
}
