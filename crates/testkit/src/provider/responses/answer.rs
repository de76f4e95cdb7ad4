//! Answers of this face: the whole object, or its events.

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::behaviour::{Behaviour, UsagePlace};
use super::super::endpoint::Facts;
use super::super::event::{Event, Meter};
use super::super::reply::{Call, Choice, Content, Finish, Reply};
use super::super::tokens::pieces;
use super::SEALED;

/// The facts that every object of one answer repeats.
#[derive(Debug)]
pub(super) struct Envelope {
    id: String,
    created: u64,
    model: String,
    /// Whether the request asked for reasoning that it can send back.
    seals: bool,
}

impl Envelope {
    pub(super) fn new(request: &Value, facts: &Facts) -> Self {
        let wishes = request["include"].as_array().map_or(&[][..], Vec::as_slice);
        Self {
            id: facts.id.clone(),
            created: facts.created,
            model: request["model"].as_str().unwrap_or_default().to_owned(),
            seals: wishes.iter().any(|wish| wish == "reasoning.encrypted_content"),
        }
    }

    fn response(&self, status: &str, output: &[Value], usage: &Value) -> Value {
        let reason =
            if status == "incomplete" { json!({"reason": "max_output_tokens"}) } else { Value::Null };
        json!({
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "background": false,
            "error": null,
            "incomplete_details": reason,
            "instructions": null,
            "max_output_tokens": null,
            "model": self.model,
            "output": output,
            "parallel_tool_calls": true,
            "previous_response_id": null,
            "reasoning": {"effort": null, "summary": null},
            "service_tier": "default",
            "store": false,
            "temperature": 1.0,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": usage,
            "user": null,
            "metadata": {},
        })
    }
}

/// The whole answer as one object.
pub(super) fn whole(reply: &Reply, envelope: &Envelope, behaviour: &Behaviour) -> Value {
    let items: Vec<Value> = reply
        .choices
        .first()
        .map(|choice| items(choice, envelope))
        .into_iter()
        .flatten()
        .map(|item| item.done)
        .collect();
    envelope.response(status(reply), &items, &usage(reply, behaviour))
}

fn status(reply: &Reply) -> &'static str {
    match reply.choices.first().map(|choice| choice.finish) {
        Some(Finish::Length) => "incomplete",
        _ => "completed",
    }
}

/// The figures in this dialect's words.
fn usage(reply: &Reply, behaviour: &Behaviour) -> Value {
    if behaviour.usage.place == UsagePlace::Nowhere {
        return Value::Null;
    }
    let total = Meter::new(reply, behaviour).total();
    json!({
        "input_tokens": total["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": total["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": total["completion_tokens_details"]["reasoning_tokens"]},
        "total_tokens": total["total_tokens"],
    })
}

/// An item of the output.
struct Item {
    id: String,
    /// As it is when it begins.
    added: Value,
    done: Value,
    kind: Kind,
}

enum Kind {
    Reasoning(String),
    Message(String),
    Call(Call),
}

fn items(choice: &Choice, envelope: &Envelope) -> Vec<Item> {
    let mut items = Vec::new();
    if let Some(reasoning) = &choice.reasoning {
        let id = format!("rs_{}", envelope.id);
        let mut done = json!({
            "id": id, "type": "reasoning", "summary": [{"type": "summary_text", "text": reasoning}]
        });
        let mut added = json!({"id": id, "type": "reasoning", "summary": []});
        if envelope.seals {
            done["encrypted_content"] = json!(SEALED);
            added["encrypted_content"] = json!(SEALED);
        }
        items.push(Item { id, added, done, kind: Kind::Reasoning(reasoning.clone()) });
    }
    match &choice.content {
        Content::Text(text) => {
            let id = format!("msg_{}", envelope.id);
            let item = |status: &str, content: Value| json!({"id": id, "type": "message", "status": status, "content": content, "role": "assistant"});
            let added = item("in_progress", json!([]));
            let status = if choice.finish == Finish::Length { "incomplete" } else { "completed" };
            let done = item(status, json!([text_part(text)]));
            items.push(Item { id: id.clone(), added, done, kind: Kind::Message(text.clone()) });
        }
        Content::Calls(calls) => {
            for (at, call) in calls.iter().enumerate() {
                let id = format!("fc_{}_{at}", envelope.id);
                let item = |status: &str, arguments: &str| {
                    json!({
                        "id": id, "type": "function_call", "status": status, "arguments": arguments,
                        "call_id": format!("call_sim_{at}"), "name": call.name,
                    })
                };
                let (added, done) = (item("in_progress", ""), item("completed", &call.arguments));
                items.push(Item { id: id.clone(), added, done, kind: Kind::Call(call.clone()) });
            }
        }
    }
    items
}

fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "annotations": [], "logprobs": [], "text": text})
}

/// The answer as the events of a stream, the last of which is its terminator.
pub(super) fn events(reply: &Reply, envelope: &Envelope, behaviour: &Behaviour) -> Vec<Event> {
    let mut stream = Stream { events: Vec::new() };
    for kind in ["response.created", "response.in_progress"] {
        stream.framing(kind, json!({"response": envelope.response("in_progress", &[], &Value::Null)}));
    }
    let items = reply.choices.first().map(|choice| items(choice, envelope)).unwrap_or_default();
    for (index, item) in items.iter().enumerate() {
        stream.item(index, item);
    }
    let status = status(reply);
    let output: Vec<Value> = items.into_iter().map(|item| item.done).collect();
    let response = envelope.response(status, &output, &usage(reply, behaviour));
    stream.framing(&format!("response.{status}"), json!({"response": response}));
    stream.events
}

/// The part that a text stands in.
type PartOf<'f> = &'f dyn Fn(&str) -> Value;

struct Stream {
    events: Vec<Event>,
}

impl Stream {
    fn framing(&mut self, kind: &str, object: Value) {
        self.push(kind, object, 0, false);
    }

    fn content(&mut self, kind: &str, object: Value, tokens: u32) {
        self.push(kind, object, tokens, true);
    }

    fn push(&mut self, kind: &str, mut object: Value, tokens: u32, is_content: bool) {
        object["type"] = json!(kind);
        object["sequence_number"] = json!(self.events.len());
        let bytes = Bytes::from(format!("event: {kind}\ndata: {object}\n\n"));
        self.events.push(Event { bytes, is_content, tokens });
    }

    fn item(&mut self, index: usize, item: &Item) {
        let added = json!({"output_index": index, "item": item.added});
        match &item.kind {
            Kind::Call(call) => {
                let tokens = u32::try_from(pieces(&call.name).count()).unwrap_or(u32::MAX);
                self.content("response.output_item.added", added, tokens);
            }
            Kind::Reasoning(_) | Kind::Message(_) => self.framing("response.output_item.added", added),
        }
        let at = |place: &str| {
            let mut object = json!({"item_id": item.id, "output_index": index});
            if !place.is_empty() {
                object[place] = json!(0);
            }
            object
        };
        match &item.kind {
            Kind::Reasoning(text) => {
                let part = |text: &str| json!({"type": "summary_text", "text": text});
                let names = ["response.reasoning_summary_part", "response.reasoning_summary_text"];
                self.text(&at("summary_index"), names, (text, "text"), Some(&part));
            }
            Kind::Message(text) => {
                let names = ["response.content_part", "response.output_text"];
                self.text(&at("content_index"), names, (text, "text"), Some(&text_part));
            }
            Kind::Call(call) => {
                let names = ["", "response.function_call_arguments"];
                self.text(&at(""), names, (&call.arguments, "arguments"), None);
            }
        }
        self.framing("response.output_item.done", json!({"output_index": index, "item": item.done}));
    }

    /// A text in pieces and as a whole, inside its part if it has one.
    fn text(
        &mut self,
        at: &Value,
        [part_name, name]: [&str; 2],
        (text, key): (&str, &str),
        part: Option<PartOf<'_>>,
    ) {
        let with = |key: &str, value: Value| {
            let mut object = at.clone();
            object[key] = value;
            object
        };
        let of_text = |key: &str, value: Value| {
            let mut object = with(key, value);
            if name == "response.output_text" {
                object["logprobs"] = json!([]);
            }
            object
        };
        if let Some(part) = part {
            self.framing(&format!("{part_name}.added"), with("part", part("")));
        }
        for piece in pieces(text) {
            self.content(&format!("{name}.delta"), of_text("delta", json!(piece)), 1);
        }
        self.framing(&format!("{name}.done"), of_text(key, json!(text)));
        if let Some(part) = part {
            self.framing(&format!("{part_name}.done"), with("part", part(text)));
        }
    }
}
