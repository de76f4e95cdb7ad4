//! Requests of which only the leading bytes are held: what routing needs is read there, and the rest is watched as it
//! flows to the provider.

use std::fmt;

use bytes::Bytes;

use super::RequestDocument;
use crate::Failure;

/// Reads the leading bytes of one request. Takes any chunking.
pub trait LeadReader: Send + fmt::Debug {
    /// Whether more bytes would tell more. The host stops asking at its own bound, or when the body ends.
    fn wants_more(&self) -> bool;

    /// Takes the next piece of the body.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the client's side that says what is wrong with the body.
    fn push(&mut self, piece: Bytes) -> Result<(), Failure>;

    /// Decodes what was read. `is_whole` says that the body has ended, so that nothing flows behind it.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the client's side that names the field and says what to change, also where a field that
    /// routing needs is not among the leading bytes.
    fn decode(self: Box<Self>, is_whole: bool) -> Result<Led, Failure>;
}

/// A request whose leading bytes were read.
#[derive(Debug)]
pub struct Led {
    /// The request, as far as it is known. Its body is the lead.
    pub document: Box<dyn RequestDocument>,
    /// Who sees to it that what follows is no more than content. There where something may follow.
    pub watch: Option<Box<dyn TailWatch>>,
}

/// Sees what flows behind the lead, before it goes out.
pub trait TailWatch: Send + fmt::Debug {
    /// Sees the next piece.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the client's side for what must not stand behind the lead. The piece is then not sent, and
    /// nothing after it.
    fn see(&mut self, piece: &[u8]) -> Result<(), Failure>;

    /// The body has ended.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the client's side when it is not complete.
    fn end(&mut self) -> Result<(), Failure>;
}
