//! The contract of dialects whose callers go on from an answer by its id: the gateway keeps the conversation for them.
//!
//! A codec tells what a request names of what is kept, puts it in, and makes the record of an answer. What is kept
//! where, for whom and for how long is the pipeline's; the texts of records are the codec's alone.

use std::fmt;

use bytes::Bytes;

use super::{Abilities, RequestDocument, StreamEncoder, StreamSettings};
use crate::{EditError, Failure};

/// What an answer is called and says of itself, where the gateway keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The id under which it is kept.
    pub id: Box<str>,
    /// The id of the answer that its request goes on from.
    pub previous: Option<Box<str>>,
    /// Whether the caller is not shown the sealed reasoning that is kept: it did not ask for it.
    pub hides_seals: bool,
}

/// What a request says of what is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The id of the answer that it goes on from.
    pub previous: Option<Box<str>>,
    /// The ids of items that it names in place of sending them.
    pub items: Vec<Box<str>>,
    /// The ids of items that it sends without the seal that is kept of them. One that is not kept stays as it is.
    pub unsealed: Vec<Box<str>>,
    /// Whether its answer is to be kept.
    pub keeps: bool,
    /// Whether it says so itself, and not by leaving it open.
    pub insists: bool,
    /// Whether the caller is to be shown sealed reasoning.
    pub shows_seals: bool,
}

/// What is put into a request.
#[derive(Clone, Copy, Debug)]
pub struct Recalled<'r> {
    /// The records of the conversation so far, the oldest first.
    pub turns: &'r [Bytes],
    /// Items by their ids, each as it stands in its record.
    pub items: &'r [(Box<str>, Bytes)],
}

/// The record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerRecord {
    /// Its text.
    pub text: Bytes,
    /// The ids of the answer's items, by which later requests may name them.
    pub items: Vec<Box<str>>,
}

/// What a caller wants to see of something kept, or have done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// The answer.
    Answer {
        /// With sealed reasoning, though its request did not ask for it.
        shows_seals: bool,
    },
    /// The items that it was made from.
    Items {
        /// Begin behind the item of this id.
        after: Option<Box<str>>,
        /// How many at most.
        count_max: usize,
        /// The last first.
        is_descending: bool,
    },
    /// It is to be forgotten.
    Delete,
    /// Its making is to be stopped.
    Cancel,
}

/// What a dialect has for conversations that the gateway keeps.
pub trait StateCodec: Send + Sync + fmt::Debug {
    /// The id of an answer, of bits that nobody can guess.
    fn id(&self, bits: u128) -> Box<str>;

    /// What a request says of what is kept.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the client's side for what no gateway does, with the field.
    fn wish(&self, request: &dyn RequestDocument) -> Result<Wish, Failure>;

    /// The refusal of a request, or of a look, that names something that is not there: of an id that never was, one
    /// whose time is over and one of another tenant it says the same.
    fn missing(&self, what: Missing<'_>) -> Failure;

    /// The id of the answer that the request of a record went on from.
    fn previous(&self, record: &[u8]) -> Option<Box<str>>;

    /// The ids of the items of a record's answer.
    fn items(&self, record: &[u8]) -> Vec<Box<str>>;

    /// An item of a record by its id.
    fn item(&self, record: &[u8], id: &str) -> Option<Bytes>;

    /// Puts what is kept into a request, so that it is one that needs no state, and has it ask for nothing to be stored
    /// elsewhere. Gives what the request itself adds to the conversation.
    ///
    /// # Errors
    ///
    /// When the request is malformed at the place.
    fn expand(&self, request: &mut dyn RequestDocument, recalled: Recalled<'_>) -> Result<Bytes, EditError>;

    /// Has a request to a provider of this same dialect ask for what must come back with the answer for the conversation
    /// to go on from it.
    ///
    /// # Errors
    ///
    /// When the request is malformed at the place.
    fn ask_for_seals(
        &self,
        request: &mut dyn RequestDocument,
        abilities: &Abilities,
    ) -> Result<(), EditError>;

    /// A whole answer as its caller is shown it, and as it is kept.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the upstream side when it is malformed.
    fn identify(&self, answer: &Bytes, identity: &Identity) -> Result<(Bytes, Bytes), Failure>;

    /// The same of a stream: its [`StreamEncoder::take_whole`] gives what is to be kept.
    fn stream_encoder(&self, settings: StreamSettings, identity: &Identity) -> Box<dyn StreamEncoder>;

    /// What a caller is told in the place of `told`, a whole answer or the end of a stream, where keeping it failed.
    fn unkept(&self, told: &Bytes) -> Bytes;

    /// The record of an answer; `own` is what its request adds to the conversation.
    fn record(&self, identity: &Identity, own: &[u8], answer: &[u8]) -> AnswerRecord;

    /// Reads what a caller wants from the query of the address.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the client's side that names the parameter.
    fn look(&self, look: Look, query: Option<&str>) -> Result<Look, Failure>;

    /// Tells a caller what it asked of the answer `id`. Its record stands last among those of its conversation.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the client's side where it cannot be had.
    fn tell(&self, id: &str, look: &Look, turns: &[Bytes]) -> Result<Bytes, Failure>;
}

/// What a request names and is not there.
#[derive(Clone, Copy, Debug)]
pub enum Missing<'m> {
    /// The answer that it goes on from.
    Previous(&'m str),
    /// An item.
    Item(&'m str),
    /// An answer that is looked at.
    Answer(&'m str),
    /// Anything, where the gateway keeps nothing.
    Everything,
}
