//! Chat completions on the wire: the whole object, or its events.

use serde_json::{Map, Value, json};

use super::behaviour::{Behaviour, UsagePlace};
use super::event::{Event, Meter};
use super::reply::{Call, Choice, Content, Finish, Reply};
use super::tokens::pieces;

/// The facts that every object of one answer repeats.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) id: String,
    pub(super) created: u64,
    pub(super) model: String,
    /// Whether the request asked for the event with the usage.
    pub(super) include_usage: bool,
    /// How many alternatives to each token the request asked for, if any log probabilities.
    pub(super) logprobs: Option<u64>,
}

impl Envelope {
    pub(super) fn new(request: &Value, id: String, created: u64) -> Self {
        let wants_logprobs = request["logprobs"] == Value::Bool(true);
        Self {
            id,
            created,
            model: request["model"].as_str().unwrap_or_default().to_owned(),
            include_usage: request["stream_options"]["include_usage"] == Value::Bool(true),
            logprobs: wants_logprobs.then(|| request["top_logprobs"].as_u64().unwrap_or(0)),
        }
    }
}

/// The whole answer as one object.
pub(super) fn whole(reply: &Reply, envelope: &Envelope, behaviour: &Behaviour) -> Value {
    let choices: Vec<Value> = reply
        .choices
        .iter()
        .enumerate()
        .map(|(index, choice)| whole_choice(index, choice, envelope))
        .collect();
    let mut object = json!({
        "id": envelope.id,
        "object": "chat.completion",
        "created": envelope.created,
        "model": envelope.model,
        "choices": choices,
        "service_tier": "default",
        "system_fingerprint": "fp_simulated",
    });
    if behaviour.usage.place != UsagePlace::Nowhere {
        object["usage"] = Meter::new(reply, behaviour).total();
    }
    object
}

fn whole_choice(index: usize, choice: &Choice, envelope: &Envelope) -> Value {
    let mut message = json!({"role": "assistant", "content": null, "refusal": null, "annotations": []});
    if let Some(reasoning) = &choice.reasoning {
        message["reasoning_content"] = json!(reasoning);
    }
    let mut logprobs = Value::Null;
    match &choice.content {
        Content::Text(text) => {
            message["content"] = json!(text);
            let tokens = envelope.logprobs.map(|top| pieces(text).map(|token| logprob(token, top)).collect());
            logprobs =
                tokens.map_or(Value::Null, |tokens: Vec<Value>| json!({"content": tokens, "refusal": null}));
        }
        Content::Calls(calls) => {
            message["tool_calls"] =
                calls.iter().enumerate().map(|(at, call)| whole_call(index, at, call)).collect();
        }
    }
    json!({"index": index, "message": message, "logprobs": logprobs, "finish_reason": choice.finish.as_str()})
}

fn whole_call(choice: usize, at: usize, call: &Call) -> Value {
    json!({
        "id": call_id(choice, at),
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    })
}

fn call_id(choice: usize, at: usize) -> String {
    format!("call_sim_{choice}_{at}")
}

fn logprob(token: &str, alternatives: u64) -> Value {
    let entry = json!({"token": token, "logprob": -0.25, "bytes": token.as_bytes()});
    let top: Vec<Value> = (0..alternatives.min(20)).map(|_| entry.clone()).collect();
    let mut entry = entry;
    entry["top_logprobs"] = json!(top);
    entry
}

/// The answer as the events of a stream, without its terminator.
pub(super) fn events(reply: &Reply, envelope: &Envelope, behaviour: &Behaviour) -> Vec<Event> {
    let mut stream = Stream { envelope, meter: Meter::new(reply, behaviour), events: Vec::new() };
    for index in 0..reply.choices.len() {
        stream.delta(index, &json!({"role": "assistant", "content": "", "refusal": null}));
    }
    let mut lanes: Vec<_> =
        reply.choices.iter().enumerate().map(|(index, choice)| (index, lane(index, choice))).collect();
    // Choices take turns, as they do where they are computed side by side.
    while !lanes.is_empty() {
        lanes.retain_mut(|(index, lane)| match lane.next() {
            Some(delta) => {
                stream.content(*index, &delta);
                true
            }
            None => false,
        });
    }
    for (index, choice) in reply.choices.iter().enumerate() {
        stream.finish(index, choice.finish, index + 1 == reply.choices.len());
    }
    stream.usage();
    stream.events
}

/// One content event of one choice.
struct Delta {
    delta: Value,
    /// The token, where log probabilities may be asked for.
    token: Option<String>,
    tokens: u32,
}

fn lane(index: usize, choice: &Choice) -> Box<dyn Iterator<Item = Delta> + '_> {
    let reasoning = pieces(choice.reasoning.as_deref().unwrap_or_default()).map(|token| Delta {
        delta: json!({"reasoning_content": token}),
        token: None,
        tokens: 1,
    });
    match &choice.content {
        Content::Text(text) => Box::new(reasoning.chain(pieces(text).map(|token| Delta {
            delta: json!({"content": token}),
            token: Some(token.to_owned()),
            tokens: 1,
        }))),
        Content::Calls(calls) => Box::new(
            reasoning
                .chain(calls.iter().enumerate().flat_map(move |(at, call)| call_deltas(index, at, call))),
        ),
    }
}

/// A call is announced with its name and without arguments, then its arguments come in fragments.
fn call_deltas(choice: usize, at: usize, call: &Call) -> impl Iterator<Item = Delta> {
    let name_tokens = u32::try_from(pieces(&call.name).count()).unwrap_or(u32::MAX);
    let function = json!({"name": call.name, "arguments": ""});
    let announced = json!({"index": at, "id": call_id(choice, at), "type": "function", "function": function});
    let announced = Delta { delta: json!({"tool_calls": [announced]}), token: None, tokens: name_tokens };
    let fragments = pieces(&call.arguments).map(move |fragment| {
        let call = json!({"index": at, "function": {"arguments": fragment}});
        Delta { delta: json!({"tool_calls": [call]}), token: None, tokens: 1 }
    });
    std::iter::once(announced).chain(fragments)
}

struct Stream<'a> {
    envelope: &'a Envelope,
    meter: Meter,
    events: Vec<Event>,
}

impl Stream<'_> {
    fn delta(&mut self, index: usize, delta: &Value) {
        let object = self.object(&json!([choice(index, delta, &Value::Null, None)]), None);
        self.events.push(Event::framing(&object));
    }

    fn content(&mut self, index: usize, delta: &Delta) {
        let logprobs = match (&delta.token, self.envelope.logprobs) {
            (Some(token), Some(top)) => json!({"content": [logprob(token, top)], "refusal": null}),
            _ => Value::Null,
        };
        self.meter.count(delta.tokens);
        let object = self.object(&json!([choice(index, &delta.delta, &logprobs, None)]), None);
        self.events.push(Event::content(&object, delta.tokens));
    }

    fn finish(&mut self, index: usize, finish: Finish, is_last: bool) {
        let with_usage = is_last && self.meter.place() == UsagePlace::LastChoice;
        let usage = with_usage.then(|| self.meter.total());
        let object = self.object(&json!([choice(index, &json!({}), &Value::Null, Some(finish))]), usage);
        self.events.push(Event::framing(&object));
    }

    fn usage(&mut self) {
        if self.envelope.include_usage && self.meter.place() == UsagePlace::Asked {
            let object = self.object(&json!([]), Some(self.meter.total()));
            self.events.push(Event::framing(&object));
        }
    }

    fn object(&self, choices: &Value, usage: Option<Value>) -> Value {
        let envelope = self.envelope;
        let mut object: Map<String, Value> = Map::new();
        object.insert("id".to_owned(), json!(envelope.id));
        object.insert("object".to_owned(), json!("chat.completion.chunk"));
        object.insert("created".to_owned(), json!(envelope.created));
        object.insert("model".to_owned(), json!(envelope.model));
        object.insert("service_tier".to_owned(), json!("default"));
        object.insert("system_fingerprint".to_owned(), json!("fp_simulated"));
        object.insert("choices".to_owned(), choices.clone());
        if let Some(usage) = usage.or_else(|| self.meter.beside_event(envelope.include_usage)) {
            object.insert("usage".to_owned(), usage);
        }
        Value::Object(object)
    }
}

fn choice(index: usize, delta: &Value, logprobs: &Value, finish: Option<Finish>) -> Value {
    json!({"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish.map(Finish::as_str)})
}
