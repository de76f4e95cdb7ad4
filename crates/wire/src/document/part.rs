//! The parts of an answer, whole or one event of a stream, in a fixed order.
//!
//! One walk of a dialect serves the glance at a frame, its typed events and its rewriting, so that all three agree on
//! what the n-th event of a frame is.

use gatewright::Usage;
use gatewright::text::Lane;

use crate::json::{JsonError, JsonStr, Span, Value};

/// What the walk meets.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part<'a> {
    /// A choice.
    Choice { choice: u32 },
    /// A choice says who speaks, which begins it.
    Start,
    /// Text of a lane.
    Text { lane: Lane, text: JsonStr<'a>, carrier: Carrier },
    /// The same text as the last of its lane, said again.
    Mirror { lane: Lane, text: JsonStr<'a> },
    /// A choice's whole text so far, said beside its latest piece.
    SoFar { value: Value<'a> },
    /// A piece of a tool call, before its arguments.
    ToolCall { lane: Lane, id: Option<JsonStr<'a>>, name: Option<JsonStr<'a>>, site: CallSite },
    /// A choice has come to its end.
    Finish { choice: u32, reason: JsonStr<'a> },
    /// Probabilities of the tokens of a choice's text.
    Logprobs { choice: u32, value: Value<'a> },
    /// Usage figures, or `null` in their place.
    Usage { value: Value<'a>, usage: Option<Usage> },
    /// The provider reports a failure.
    Error { value: Value<'a> },
    /// The name of the model.
    Model { name: JsonStr<'a> },
}

/// Where a tool call stands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CallSite {
    /// It is an element of a list.
    Element(Span),
    /// It is the value of a member.
    Member(Span),
}

/// Which member carries a text. Only for reasoning do vendors differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// `reasoning`
    Reasoning,
    /// `reasoning_content`, or a carrier that frames of ours need not imitate.
    Other,
}

impl Part<'_> {
    /// Whether it is an event of the stream, and so has a number in its frame.
    pub(crate) fn is_event(&self) -> bool {
        match self {
            Self::Start | Self::Error { .. } | Self::Finish { .. } => true,
            Self::Text { text, .. } => !text.escaped().is_empty(),
            Self::ToolCall { id, name, .. } => {
                [id, name].into_iter().flatten().any(|text| !text.escaped().is_empty())
            }
            Self::Usage { usage, .. } => usage.is_some(),
            Self::Choice { .. }
            | Self::Mirror { .. }
            | Self::SoFar { .. }
            | Self::Logprobs { .. }
            | Self::Model { .. } => false,
        }
    }
}

/// What an answer looks like from outside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outline {
    /// The object itself.
    pub(crate) object: Span,
    /// Whether it has choices, and whether there is one among them.
    pub(crate) choices: Option<bool>,
}

/// A walk over a whole answer of a dialect. It fails at the first byte at which the text is not a JSON object.
pub(crate) type Walk = for<'a> fn(&'a [u8], &mut dyn FnMut(Part<'a>)) -> Result<Outline, JsonError>;
