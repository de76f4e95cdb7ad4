//! The dialect's translation to and from the form that all dialects of chats share.

mod answer;
mod conform;
mod message;
pub(crate) mod name;
pub(crate) mod part;
mod read;
mod tool;
pub(crate) mod write;

use bytes::Bytes;
use gatewright::Failure;
use gatewright::chat::{Answer, Chat, Losses, Place};
use gatewright::dialect::{Abilities, ChatCodec, Envelope, RequestDocument};

pub(crate) use answer::finish_word;
pub(super) use answer::{finish_reason, with_calls};
pub(crate) use name::answer_id;
pub(super) use name::call_id;

/// The translation of OpenAI chat completions.
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
        name::pointer(place)
    }

    fn conform(
        &self,
        request: &mut dyn RequestDocument,
        abilities: &Abilities,
        losses: &mut Losses<'_>,
    ) -> Result<(), Failure> {
        conform::request(request, abilities, losses)
    }
}
