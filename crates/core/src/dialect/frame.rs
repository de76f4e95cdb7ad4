//! The units of a stream.

use bytes::Bytes;

use crate::Usage;
use crate::text::Lane;

/// One complete unit of a provider's stream, with what a glance at it tells.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The exact bytes, including the blank line or terminator that ends the unit.
    pub raw: Bytes,
    /// The payload inside `raw`.
    pub data: Bytes,
    /// What the unit is.
    pub kind: FrameKind,
    /// Usage figures that the unit carries.
    pub usage: Option<Usage>,
    /// Bytes of generated text in the unit, in wire form; the base of estimates.
    pub text_bytes: u32,
    /// The unit's only event, where that is text without escapes, as almost always: its lane and where it stands in
    /// `data`. It saves reading the unit a second time, so a unit that also repeats what others said has none.
    pub sole_text: Option<(Lane, std::ops::Range<u32>)>,
    /// Whether the unit is there only because the gateway asked for usage figures, or carries a
    /// member that is there only for that reason.
    pub usage_artefact: UsageArtefact,
}

/// What the gateway's own request for usage figures left in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageArtefact {
    /// Nothing that depends on it.
    None,
    /// The whole frame: usage and no choices.
    Frame,
    /// A `usage: null` member.
    NullMember,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// A part of the answer.
    Data,
    /// A comment or a ping.
    KeepAlive,
    /// The provider reports a failure inside the stream; [`StreamDecoder::events`](super::StreamDecoder::events) has it.
    Error,
    /// The dialect's terminator.
    End,
}
