//! What the gateway asks of a dialect whose exchange is a session: events that flow both ways, each a whole message.

use std::fmt;

use bytes::Bytes;

use super::ErrorBody;
use crate::{Failure, Usage};

/// The names of one model in one session.
#[derive(Clone, Copy, Debug)]
pub struct SessionNames<'a> {
    /// What the caller calls it.
    pub asked: &'a str,
    /// What the provider calls it.
    pub served: &'a str,
    /// Whether the caller reads its own name where the provider's events say theirs.
    pub answers_asked: bool,
}

/// A provider's event, with what a glance at it tells.
#[derive(Clone, Debug, Default)]
pub struct SessionEvent {
    /// What a turn consumed, on its own; the session's total is the sum.
    pub usage: Option<Usage>,
    /// Tokens that the event carries by a rough measure, until usage is reported.
    pub tokens: u64,
    /// A turn of the model has begun.
    pub begins_turn: bool,
    /// A turn of the model is over.
    pub ends_turn: bool,
    /// The event in other words, where the caller is not to read the provider's.
    pub rewritten: Option<Bytes>,
}

/// The events of a dialect whose exchange is a session. It keeps no state.
pub trait SessionCodec: Send + Sync + fmt::Debug {
    /// Checks an event of the caller and says the model's name as the provider does. `None` where it goes on as it
    /// came.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the client's side for what is no event, and for one that asks for another model than the
    /// session's. The event does not go on; the session does.
    fn admit(&self, event: &Bytes, names: &SessionNames<'_>) -> Result<Option<Bytes>, Failure>;

    /// Looks at an event of the provider. What cannot be read tells nothing.
    fn glance(&self, event: &Bytes, names: &SessionNames<'_>) -> SessionEvent;

    /// Writes the event that tells the caller of an error.
    fn error_event(&self, error: &ErrorBody<'_>) -> Bytes;
}
