//! The translation between this dialect and the form that all dialects of chats share.
//!
//! Decisions: ids of calls are not sent, because calls and results pair by name and order, and one of the two services
//! that speak the dialect refuses ids. Results of tools stand in a content of their own, in the order of their calls;
//! what else the user says follows in the next. Instructions behind the first turn are said by the user, at their
//! place. Schemas go into the members that take JSON schemas, unchanged.

mod answer;
mod config;
mod name;
mod part;
mod read;
mod schema;
mod setting;
mod turn;
mod write;

use bytes::Bytes;
use gatewright::Failure;
use gatewright::chat::{Answer, Chat, Losses, Param, Place};
use gatewright::dialect::{Abilities, ChatCodec, Envelope};

pub(super) use name::{call_id, provider_name, tool_name};
pub(super) use part::{media, mime};

/// The message index in the origin of a part of the instructions.
const INSTRUCTIONS: u32 = u32::MAX;

/// The translation.
#[derive(Debug)]
pub(super) struct Google;

impl ChatCodec for Google {
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
                (INSTRUCTIONS, None) => "/systemInstruction".to_owned(),
                (INSTRUCTIONS, Some(part)) => format!("/systemInstruction/parts/{part}"),
                (message, None) => format!("/contents/{message}"),
                (message, Some(part)) => format!("/contents/{message}/parts/{part}"),
            },
            Place::Tool(index) => format!("/tools/{index}"),
            Place::Pointer(pointer) => pointer.clone().into_owned(),
            Place::Param(param) => param_pointer(*param),
            _ => String::new(),
        }
    }
}

fn param_pointer(param: Param) -> String {
    let name = match param {
        Param::System => return "/systemInstruction".to_owned(),
        Param::ToolChoice | Param::ParallelTools => return "/toolConfig/functionCallingConfig".to_owned(),
        Param::Safety => return "/safetySettings".to_owned(),
        Param::Metadata => return "/labels".to_owned(),
        Param::ServiceTier => return "/serviceTier".to_owned(),
        Param::Store => return "/store".to_owned(),
        Param::OutputCap => "maxOutputTokens",
        Param::Temperature => "temperature",
        Param::TopP => "topP",
        Param::TopK => "topK",
        Param::Seed => "seed",
        Param::FrequencyPenalty => "frequencyPenalty",
        Param::PresencePenalty => "presencePenalty",
        Param::Stop => "stopSequences",
        Param::Choices => "candidateCount",
        Param::Reasoning => "thinkingConfig",
        Param::Format => "responseJsonSchema",
        Param::Logprobs => "responseLogprobs",
        Param::TopLogprobs => "logprobs",
        Param::Modalities => "responseModalities",
        // No request of this dialect has anything else, so that nobody asks for its place.
        _ => return "/generationConfig".to_owned(),
    };
    format!("/generationConfig/{name}")
}
