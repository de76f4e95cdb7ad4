//! The dialect's translation to and from the form that all dialects of chats share.

mod answer;
mod foreign;
mod name;
mod read;
mod write;

use bytes::Bytes;
use gatewright::Failure;
use gatewright::chat::{Answer, Chat, Losses, Place};
use gatewright::dialect::{Abilities, ChatCodec, Envelope, RequestDocument};

/// The translation of OpenAI responses.
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

    fn foreign(&self, request: &dyn RequestDocument) -> Vec<String> {
        foreign::foreign(request)
    }

    fn pointer(&self, place: &Place<'_>) -> String {
        name::pointer(place)
    }
}
