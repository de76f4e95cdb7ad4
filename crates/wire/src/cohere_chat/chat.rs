//! The translation between this dialect and the form that all dialects of chats share.
//!
//! Decisions: what the model says before its calls is its text, and goes back as the plan. Instructions lead, and later
//! ones are said by the user. Documents of text are documents of the request, wherever they stood. A choice among some
//! tools offers only those. Reasoning that nobody signed is sent back where it stood: it is what the models of this
//! dialect make.

mod answer;
mod read;
mod write;

use bytes::Bytes;
use gatewright::Failure;
use gatewright::chat::{Answer, Chat, Losses, Param, Place};
use gatewright::dialect::{Abilities, ChatCodec, Envelope};

pub(super) use answer::{answer_id, call_id};

/// The message index in the origin of a document.
const DOCUMENTS: u32 = u32::MAX;

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
        answer::read(body)
    }

    fn write_answer(&self, answer: &Answer<'_>, envelope: &Envelope) -> Bytes {
        answer::write(answer, envelope)
    }

    fn pointer(&self, place: &Place<'_>) -> String {
        match place {
            Place::Part(origin) => match (origin.message, origin.part) {
                (DOCUMENTS, None) => "/documents".to_owned(),
                (DOCUMENTS, Some(index)) => format!("/documents/{index}"),
                (message, None) => format!("/messages/{message}"),
                (message, Some(part)) => format!("/messages/{message}/content/{part}"),
            },
            Place::Tool(index) => format!("/tools/{index}"),
            Place::Pointer(pointer) => pointer.clone().into_owned(),
            Place::Param(param) => member(*param).map_or_else(String::new, |name| format!("/{name}")),
            _ => String::new(),
        }
    }
}

/// The member that a parameter is; none if the dialect has none.
const fn member(param: Param) -> Option<&'static str> {
    Some(match param {
        Param::System => "messages",
        Param::OutputCap => "max_tokens",
        Param::Temperature => "temperature",
        Param::TopP => "p",
        Param::TopK => "k",
        Param::Seed => "seed",
        Param::FrequencyPenalty => "frequency_penalty",
        Param::PresencePenalty => "presence_penalty",
        Param::Stop => "stop_sequences",
        Param::ToolChoice | Param::ParallelTools => "tool_choice",
        Param::Reasoning => "thinking",
        Param::Format => "response_format",
        Param::Logprobs => "logprobs",
        Param::Safety => "safety_mode",
        _ => return None,
    })
}
