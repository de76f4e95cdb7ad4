//! The translation between this dialect and the form that all dialects of chats share.
//!
//! Decisions: ids of calls are not sent, because most servers know none; results stand in the order of their calls and
//! name their tool. A choice among some tools offers only those. Reasoning that nobody signed is sent back where it
//! stood: it is what the models of this dialect make.

mod read;
mod write;

use std::borrow::Cow;

use bytes::Bytes;
use gatewright::Failure;
use gatewright::chat::{Answer, AnswerChoice, Chat, Losses, Param, Part, PartKind, Place};
use gatewright::dialect::{Abilities, ChatCodec, Envelope};

use super::{CAP, finish, teller, usage};
use crate::json::Value;

/// The translation.
#[derive(Debug)]
pub(super) struct Translation;

impl ChatCodec for Translation {
    fn read_request<'a>(&self, body: &'a [u8]) -> Result<Chat<'a>, Failure> {
        read::request(body)
    }

    fn write_request(
        &self,
        chat: &Chat<'_>,
        abilities: &Abilities,
        losses: &mut Losses<'_>,
    ) -> Result<Bytes, Failure> {
        write::request(chat, abilities, losses)
    }

    fn read_answer<'a>(&self, body: &'a [u8]) -> Result<Answer<'a>, Failure> {
        read_answer(body)
    }

    fn write_answer(&self, answer: &Answer<'_>, envelope: &Envelope) -> Bytes {
        let none = AnswerChoice::default();
        let choice = answer.choices.first().unwrap_or(&none);
        teller::whole(choice, answer.usage.as_ref(), envelope).into()
    }

    fn pointer(&self, place: &Place<'_>) -> String {
        match place {
            Place::Part(origin) => match origin.part {
                Some(image) => format!("/messages/{}/images/{image}", origin.message),
                None => format!("/messages/{}", origin.message),
            },
            Place::Tool(index) => format!("/tools/{index}"),
            Place::Pointer(pointer) => pointer.clone().into_owned(),
            Place::Param(param) => pointer(*param),
            _ => String::new(),
        }
    }
}

/// Where a parameter stands; nowhere, if the dialect has none of it.
fn pointer(param: Param) -> String {
    let top = match param {
        Param::System => "messages",
        Param::Reasoning => "think",
        Param::Format => "format",
        Param::Logprobs => "logprobs",
        Param::TopLogprobs => "top_logprobs",
        Param::ToolChoice | Param::ParallelTools => "tools",
        _ => return option(param).map_or_else(String::new, |name| format!("/options/{name}")),
    };
    format!("/{top}")
}

/// The option that a parameter is.
const fn option(param: Param) -> Option<&'static str> {
    Some(match param {
        Param::OutputCap => CAP,
        Param::Temperature => "temperature",
        Param::TopP => "top_p",
        Param::TopK => "top_k",
        Param::Seed => "seed",
        Param::FrequencyPenalty => "frequency_penalty",
        Param::PresencePenalty => "presence_penalty",
        Param::Stop => "stop",
        _ => return None,
    })
}

fn read_answer(body: &[u8]) -> Result<Answer<'_>, Failure> {
    let root = Value::parse(body)?;
    let message = root.get("message");
    let mut parts = Vec::new();
    if let Some(message) = &message {
        let say = |key: &str| {
            let text = message.get(key).and_then(|text| text.as_str());
            text.filter(|text| !text.is_empty())
        };
        parts.extend(say("thinking").map(|text| PartKind::Reasoning { text, signature: None }));
        parts.extend(say("content").map(PartKind::Text));
        let calls = message.get("tool_calls").into_iter().flat_map(|calls| calls.elements());
        parts.extend(calls.zip(0..).filter_map(|(call, index)| {
            let mut kind = read::call(&call)?;
            if let PartKind::ToolCall { id, .. } = &mut kind
                && id.is_empty()
            {
                *id = call_id(body, index).into();
            }
            Some(kind)
        }));
    }
    let calls = parts.iter().any(|part| matches!(part, PartKind::ToolCall { .. }));
    let reason = root.get("done_reason").and_then(|reason| reason.as_str());
    let reason = reason.filter(|reason| !reason.is_empty()).unwrap_or(Cow::Borrowed("stop"));
    let choice = AnswerChoice {
        parts: parts.into_iter().map(Part::new).collect(),
        finish: Some(finish::read(&reason, calls)),
    };
    let model = root.get("model").and_then(|model| model.as_str());
    Ok(Answer { model, choices: vec![choice], usage: usage::read(&root) })
}

/// The id of a call to which the provider gave none: the same each time that the answer is read, and another one in
/// every answer, because some dialects want ids to differ over a whole conversation.
pub(super) fn call_id(answer: &[u8], index: u32) -> String {
    let made = Value::of_checked(answer).get("created_at").and_then(|time| time.as_str());
    let digits = made.iter().flat_map(|time| time.chars()).filter(char::is_ascii_digit);
    format!("call_{}_{index}", digits.take(32).collect::<String>())
}
