//! Conversations that the gateway keeps: what a request names of them, what is put in, what is kept of an answer.
//!
//! A provider tells stored answers apart by its own credential alone, which callers of all tenants share. So none is
//! asked to store anything: the gateway keeps each conversation for its tenant, and every request that goes out has the
//! whole of it.

mod expand;
mod identity;
mod record;
mod view;
mod wish;

use bytes::Bytes;
use gatewright::dialect::{
    Abilities, AnswerRecord, Identity, Look, Missing, Recalled, RequestDocument, StateCodec, StreamEncoder,
    StreamSettings, Wish,
};
use gatewright::{EditError, Failure, FailureKind, Side};

pub(super) use identity::{splices, without_seal, without_seals};

use self::record::Record;
use super::encoder::Encoder;

/// What has an answer of this dialect hold its reasoning in a form that can be sent back.
const SEALS: &str = "reasoning.encrypted_content";
/// The member of an item in which that form stands.
const SEAL: &str = "encrypted_content";
/// So much of an id that a caller sent is repeated to it.
const ID_SHOWN_BYTES_MAX: usize = 128;

/// The state of OpenAI responses.
#[derive(Debug)]
pub(super) struct State;

impl StateCodec for State {
    fn id(&self, bits: u128) -> Box<str> {
        format!("resp_{bits:032x}").into()
    }

    fn wish(&self, request: &dyn RequestDocument) -> Result<Wish, Failure> {
        wish::wish(request)
    }

    fn missing(&self, what: Missing<'_>) -> Failure {
        missing(what)
    }

    fn previous(&self, record: &[u8]) -> Option<Box<str>> {
        Record::read(record).previous
    }

    fn items(&self, record: &[u8]) -> Vec<Box<str>> {
        Record::read(record).output_ids()
    }

    fn item(&self, record: &[u8], id: &str) -> Option<Bytes> {
        Record::read(record).output_item(id)
    }

    fn expand(&self, request: &mut dyn RequestDocument, recalled: Recalled<'_>) -> Result<Bytes, EditError> {
        expand::expand(request, recalled)
    }

    fn ask_for_seals(
        &self,
        request: &mut dyn RequestDocument,
        abilities: &Abilities,
    ) -> Result<(), EditError> {
        expand::ask_for_seals(request, abilities)
    }

    fn identify(&self, answer: &Bytes, identity: &Identity) -> Result<(Bytes, Bytes), Failure> {
        identity::whole(answer, identity)
    }

    fn stream_encoder(&self, settings: StreamSettings, identity: &Identity) -> Box<dyn StreamEncoder> {
        Box::new(Encoder::new(settings).identified(identity.clone()))
    }

    fn unkept(&self, told: &Bytes) -> Bytes {
        identity::unkept(told)
    }

    fn record(&self, identity: &Identity, own: &[u8], answer: &[u8]) -> AnswerRecord {
        record::write(identity, own, answer)
    }

    fn look(&self, look: Look, query: Option<&str>) -> Result<Look, Failure> {
        view::look(look, query)
    }

    fn tell(&self, id: &str, look: &Look, turns: &[Bytes]) -> Result<Bytes, Failure> {
        view::tell(id, look, turns)
    }
}

/// Nobody learns whether an id was never there, is there no more, or is another tenant's.
fn missing(what: Missing<'_>) -> Failure {
    let not_found = |param: &'static str, code: &'static str, text: String| {
        let failure = Failure::new(Side::Client, FailureKind::NotFound, text).with_code(code);
        Failure { param: Some(param.into()), ..failure }
    };
    match what {
        Missing::Previous(id) => {
            let text = format!(
                "the response `{}` is not stored: it was never there, or it was deleted or has expired; send the \
                 conversation as `input`",
                shown(id)
            );
            not_found("previous_response_id", "previous_response_not_found", text)
        }
        Missing::Item(id) => {
            let text = format!(
                "the item `{}` is not stored: it was never there, or it was deleted or has expired; send the item \
                 itself",
                shown(id)
            );
            not_found("input", "item_not_found", text)
        }
        Missing::Answer(id) => {
            let text = format!(
                "the response `{}` is not stored: it was never there, or it was deleted or has expired",
                shown(id)
            );
            not_found("response_id", "response_not_found", text)
        }
        Missing::Everything => {
            let text = "this gateway keeps no responses: send the whole conversation as `input`, with `store` set \
                        to false";
            Failure::invalid("previous_response_id", text).with_code("unsupported_parameter")
        }
    }
}

fn shown(id: &str) -> &str {
    id.get(..id.floor_char_boundary(ID_SHOWN_BYTES_MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
