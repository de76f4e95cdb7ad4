//! Answers of this face: the whole object, or the elements of a stream.

use serde_json::{Value, json};

use super::super::behaviour::{Behaviour, UsagePlace};
use super::super::event::{Event, Meter};
use super::super::reply::{Call, Choice, Content, Finish, Reply};
use super::super::tokens::pieces;
use super::SIGNATURE;

/// The facts that every object of one answer repeats.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    pub(super) id: &'a str,
    pub(super) model: &'a str,
}

/// The whole answer as one object.
pub(super) fn whole(reply: &Reply, envelope: &Envelope<'_>, behaviour: &Behaviour) -> Value {
    let candidates: Vec<Value> = reply
        .choices
        .iter()
        .enumerate()
        .map(|(index, choice)| {
            let parts: Vec<Value> = match &choice.content {
                Content::Text(text) => {
                    thought(choice.reasoning.as_deref()).into_iter().chain([json!({"text": text})]).collect()
                }
                Content::Calls(calls) => thought(choice.reasoning.as_deref())
                    .into_iter()
                    .chain(called(index, choice, calls))
                    .collect(),
            };
            candidate(index, &parts, Some(choice.finish))
        })
        .collect();
    let mut object = object(&candidates, envelope);
    let meter = Meter::new(reply, behaviour);
    if meter.place() != UsagePlace::Nowhere {
        object["usageMetadata"] = usage(&meter.total());
    }
    object
}

/// The elements of the answer's stream.
pub(super) fn elements(reply: &Reply, envelope: &Envelope<'_>, behaviour: &Behaviour) -> Vec<Value> {
    told(reply, envelope, behaviour).into_iter().map(|(element, _)| element).collect()
}

/// The elements as server-sent events.
pub(super) fn events(reply: &Reply, envelope: &Envelope<'_>, behaviour: &Behaviour) -> Vec<Event> {
    let event = |(element, tokens): (Value, Option<u32>)| match tokens {
        Some(tokens) => Event::content(&element, tokens),
        None => Event::framing(&element),
    };
    told(reply, envelope, behaviour).into_iter().map(event).collect()
}

/// Each element with what it costs; the one that ends a candidate is no content.
fn told(reply: &Reply, envelope: &Envelope<'_>, behaviour: &Behaviour) -> Vec<(Value, Option<u32>)> {
    let mut meter = Meter::new(reply, behaviour);
    let mut elements = Vec::new();
    let mut lanes: Vec<_> =
        reply.choices.iter().enumerate().map(|(index, choice)| (index, lane(index, choice))).collect();
    // Candidates take turns, as they do where they are computed side by side.
    while !lanes.is_empty() {
        lanes.retain_mut(|(index, lane)| {
            let Some((part, tokens)) = lane.next() else { return false };
            meter.count(tokens);
            let mut element = object(&[candidate(*index, &[part], None)], envelope);
            if meter.place() == UsagePlace::EveryEvent
                && let Some(figures) = meter.beside_event(true)
            {
                element["usageMetadata"] = usage(&figures);
            }
            elements.push((element, Some(tokens)));
            true
        });
    }
    for (index, choice) in reply.choices.iter().enumerate() {
        let last = candidate(index, &[json!({"text": ""})], Some(choice.finish));
        let mut element = object(&[last], envelope);
        if index + 1 == reply.choices.len() && meter.place() != UsagePlace::Nowhere {
            element["usageMetadata"] = usage(&meter.total());
        }
        elements.push((element, None));
    }
    elements
}

/// The parts of a candidate, one for each element, with their tokens. A call comes as a whole.
fn lane(index: usize, choice: &Choice) -> Box<dyn Iterator<Item = (Value, u32)> + '_> {
    let thoughts = pieces(choice.reasoning.as_deref().unwrap_or_default());
    let thoughts = thoughts.map(|piece| (json!({"text": piece, "thought": true}), 1));
    match &choice.content {
        Content::Text(text) => {
            Box::new(thoughts.chain(pieces(text).map(|piece| (json!({"text": piece}), 1))))
        }
        Content::Calls(calls) => {
            let costs = calls.iter().map(|call| {
                let tokens = pieces(&call.name).count() + pieces(&call.arguments).count();
                u32::try_from(tokens).unwrap_or(u32::MAX)
            });
            Box::new(thoughts.chain(called(index, choice, calls).into_iter().zip(costs)))
        }
    }
}

fn thought(reasoning: Option<&str>) -> Option<Value> {
    reasoning.map(|text| json!({"text": text, "thought": true}))
}

/// The parts of calls. The first has the proof, where the model reasoned.
fn called(index: usize, choice: &Choice, calls: &[Call]) -> Vec<Value> {
    let part = |(at, call): (usize, &Call)| {
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
        let id = format!("call_sim_{index}_{at}");
        let mut part = json!({"functionCall": {"id": id, "name": call.name, "args": arguments}});
        if at == 0 && choice.reasoning.is_some() {
            part["thoughtSignature"] = json!(SIGNATURE);
        }
        part
    };
    calls.iter().enumerate().map(part).collect()
}

fn candidate(index: usize, parts: &[Value], finish: Option<Finish>) -> Value {
    let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": index});
    if let Some(finish) = finish {
        candidate["finishReason"] = json!(match finish {
            Finish::Stop | Finish::ToolCalls => "STOP",
            Finish::Length => "MAX_TOKENS",
        });
    }
    candidate
}

fn object(candidates: &[Value], envelope: &Envelope<'_>) -> Value {
    json!({"candidates": candidates, "modelVersion": envelope.model, "responseId": envelope.id})
}

/// The figures of the first face in the words of this one, which counts thoughts apart.
fn usage(figures: &Value) -> Value {
    let thoughts = figures["completion_tokens_details"]["reasoning_tokens"].as_i64().unwrap_or(0);
    let completion = figures["completion_tokens"].as_i64().unwrap_or(0);
    let thoughts = thoughts.min(completion.max(0));
    let prompt = &figures["prompt_tokens"];
    let mut usage = json!({
        "promptTokenCount": prompt,
        "candidatesTokenCount": completion - thoughts,
        "totalTokenCount": figures["total_tokens"],
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}],
    });
    if thoughts > 0 {
        usage["thoughtsTokenCount"] = json!(thoughts);
    }
    usage
}
