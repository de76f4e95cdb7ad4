//! The translation of a dialect of embeddings.

use std::fmt;

use bytes::Bytes;

use super::{Abilities, Envelope};
use crate::Failure;
use crate::chat::{Losses, Place};
use crate::embedding::{Embed, Vectors};

/// Translates a dialect of embeddings to and from the form that all of them share.
///
/// As with chats, each dialect has one and knows no other dialect.
pub trait EmbeddingCodec: Send + Sync + fmt::Debug {
    /// Reads a request that [`Codec::decode_request`](super::Codec::decode_request) has accepted.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the client's side that names the field and says what to change.
    fn read_request<'a>(&self, body: &'a [u8]) -> Result<Embed<'a>, Failure>;

    /// Writes a request that asks for numbers. What has no place in this dialect is reported.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the client's side for what the provider refuses or cannot make, more inputs than it takes at
    /// once among it, and for a reported loss in strict mode.
    fn write_request(
        &self,
        embed: &Embed<'_>,
        abilities: &Abilities,
        losses: &mut Losses<'_>,
    ) -> Result<Bytes, Failure>;

    /// Reads an answer that [`Codec::decode_answer`](super::Codec::decode_answer) has accepted.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the upstream side when it is malformed.
    fn read_answer<'a>(&self, body: &'a [u8]) -> Result<Vectors<'a>, Failure>;

    /// Writes an answer in the form that the request asks for.
    fn write_answer(&self, asked: &Embed<'_>, vectors: &Vectors<'_>, envelope: &Envelope) -> Bytes;

    /// The RFC 6901 pointer of a place in a request of this dialect.
    fn pointer(&self, place: &Place<'_>) -> String;
}
