//! The dialect to and from the form that all dialects of chats share.

use std::borrow::Cow;

use bytes::Bytes;
use gatewright::chat::{Answer, AnswerChoice, Chat, Losses, Param, Part, PartKind, Place};
use gatewright::dialect::{Abilities, ChatCodec, Dialect, Envelope};
use gatewright::{Failure, FailureKind, Side};

use super::read::{Blocks, SYSTEM};
use super::{alias, finish, out, read, usage, write};
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
        write_answer(answer, envelope)
    }

    fn pointer(&self, place: &Place<'_>) -> String {
        match place {
            Place::Param(param) => pointer(*param).to_owned(),
            Place::Part(origin) if origin.message == SYSTEM => match origin.part {
                Some(part) => format!("/system/{part}"),
                None => "/system".to_owned(),
            },
            Place::Part(origin) => match origin.part {
                Some(part) => format!("/messages/{}/content/{part}", origin.message),
                None => format!("/messages/{}", origin.message),
            },
            Place::Tool(index) => format!("/toolConfig/tools/{index}"),
            Place::Pointer(pointer) => pointer.to_string(),
            _ => String::new(),
        }
    }
}

/// Where a parameter stands. One that the dialect has not is under the fields of the model, where its users put it.
const fn pointer(param: Param) -> &'static str {
    match param {
        Param::OutputCap => "/inferenceConfig/maxTokens",
        Param::Temperature => "/inferenceConfig/temperature",
        Param::TopP => "/inferenceConfig/topP",
        Param::Stop => "/inferenceConfig/stopSequences",
        Param::TopK => "/additionalModelRequestFields/top_k",
        Param::Reasoning => "/additionalModelRequestFields/thinking",
        Param::ToolChoice | Param::ParallelTools => "/toolConfig/toolChoice",
        Param::Format => "/outputConfig/textFormat",
        Param::System => "/system",
        Param::Metadata => "/requestMetadata",
        Param::ServiceTier => "/serviceTier",
        Param::Safety => "/guardrailConfig",
        _ => "/additionalModelRequestFields",
    }
}

fn read_answer(body: &[u8]) -> Result<Answer<'_>, Failure> {
    let malformed = |detail: String| {
        let message = "the provider answered with something that is not an answer of its protocol";
        Failure::new(Side::Upstream, FailureKind::Malformed, message).with_detail(detail)
    };
    let root = Value::parse(body).map_err(|error| malformed(error.to_string()))?;
    let content = root.at(&["output", "message", "content"]);
    let content = content.ok_or_else(|| malformed("it has no message".to_owned()))?;
    let mut blocks = Blocks::default();
    content.elements().zip(0..).for_each(|(block, index)| blocks.push(&block, (0, index), &|| String::new()));
    let finish = root.get("stopReason").and_then(|reason| reason.as_str());
    let model = root.at(&["trace", "promptRouter", "invokedModelId"]).and_then(|model| model.as_str());
    Ok(Answer {
        model,
        choices: vec![AnswerChoice {
            parts: blocks.parts,
            finish: finish.map(|reason| finish::read(&reason)),
        }],
        usage: root.get("usage").and_then(|usage| usage::read(&usage)),
    })
}

fn write_answer(answer: &Answer<'_>, envelope: &Envelope) -> Bytes {
    let choice = answer.choices.first();
    let parts = choice.map(|choice| choice.parts.as_slice()).unwrap_or_default();
    let has_calls = parts.iter().any(|part| matches!(part.kind, PartKind::ToolCall { .. }));
    let content: Vec<Vec<u8>> =
        parts.iter().zip(0..).filter_map(|(part, index)| answer_block(part, index, envelope)).collect();
    let reason = choice.and_then(|choice| choice.finish.as_ref());
    let reason = reason.map_or(Cow::Borrowed("end_turn"), |reason| finish::word(reason, has_calls));
    Bytes::from(out::made(|object| {
        object.object("output", |output| {
            output.object("message", |message| {
                message.text("role", "assistant");
                message.array("content", &content);
            });
        });
        object.text("stopReason", &reason);
        object.object("usage", |object| usage::write(&answer.usage.unwrap_or_default(), object));
        // The time that the model took is not known here, and clients want a number.
        object.object("metrics", |metrics| metrics.number("latencyMs", 0));
    }))
}

/// A part of an answer as a block; none for what the dialect does not have.
fn answer_block(part: &Part<'_>, index: u32, envelope: &Envelope) -> Option<Vec<u8>> {
    match &part.kind {
        PartKind::Text(text) | PartKind::Refusal(text) => {
            (!text.is_empty()).then(|| out::made(|block| block.text("text", text)))
        }
        PartKind::Reasoning { text, signature } => {
            let signature = signature.as_ref().filter(|signature| signature.from == Dialect::BedrockConverse);
            Some(write::reasoning_block(text, signature))
        }
        PartKind::SealedReasoning(signature) => {
            (signature.from == Dialect::BedrockConverse).then(|| write::sealed_block(&signature.data))
        }
        PartKind::ToolCall { id, name, arguments, .. } => {
            let id = if id.is_empty() {
                Cow::Owned(format!("{}-{index}", envelope.id.as_str()))
            } else {
                id.clone()
            };
            // What is no JSON is handed on as the text that it is.
            let input = match arguments.trim() {
                "" => b"{}".to_vec(),
                text if Value::parse(text.as_bytes()).is_ok() => text.as_bytes().to_vec(),
                text => crate::json::quote(text).to_vec(),
            };
            Some(write::call_block(&id, name, &input))
        }
        PartKind::Media(media) => write::plain_media_block(media),
        _ => None,
    }
}

/// The name that the caller gave to a tool.
pub(super) fn tool_name(name: Cow<'_, str>) -> Cow<'_, str> {
    alias::original(name)
}
