//! What a turn is made of.

use std::borrow::Cow;

use super::{Json, Media};
use crate::dialect::Dialect;

/// One part of a turn or of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Part<'a> {
    /// What it is.
    pub kind: PartKind<'a>,
    /// The caller wants the provider to remember everything up to here.
    pub cache: Option<CacheMark>,
    /// Where it stood in the caller's request.
    pub origin: Origin,
}

/// Where a part stood in the text that it was read from, so that errors and losses can name the place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The index of the message.
    pub message: u32,
    /// The index of the part in the message's content; none where the content is one text, or the part has no
    /// index of its own.
    pub part: Option<u32>,
}

/// What a part is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PartKind<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// Why the model declined, where that is kept apart from text.
    Refusal(Cow<'a, str>),
    /// The model's reasoning, as far as it is shown.
    Reasoning {
        /// What is shown; may be empty.
        text: Cow<'a, str>,
        /// What proves to the provider that the text is its own.
        signature: Option<Signature<'a>>,
    },
    /// Reasoning that only the provider can read.
    SealedReasoning(Signature<'a>),
    /// An image, a sound, a document.
    Media(Media<'a>),
    /// The model calls a tool.
    ToolCall {
        /// The call's id, which its result names. Empty where the dialect has none.
        id: Cow<'a, str>,
        /// The tool's name.
        name: Cow<'a, str>,
        /// The source text of a JSON value, mostly an object; what the model wrote where that is no JSON. Empty is
        /// the same as `{}`.
        arguments: Json<'a>,
        /// What some providers want back with the call.
        signature: Option<Signature<'a>>,
    },
    /// What a tool answered.
    ToolResult {
        /// The id of the call. Empty where the dialect has none.
        call: Cow<'a, str>,
        /// The tool's name, where the dialect tells it.
        name: Option<Cow<'a, str>>,
        /// What it answered: texts and media.
        content: Vec<Part<'a>>,
        /// Whether the tool failed.
        is_error: bool,
    },
    /// A part that only one family of dialects knows: its type, for the loss report.
    Foreign(Cow<'a, str>),
}

/// Bytes that a provider gives out and wants back unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature<'a> {
    /// The bytes, in the provider's own encoding.
    pub data: Cow<'a, str>,
    /// The dialect of the provider that made it. Another one refuses it.
    pub from: Dialect,
}

impl Signature<'_> {
    /// The same, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Signature<'static> {
        Signature { data: Cow::Owned(self.data.into_owned()), from: self.from }
    }
}

/// For how long a provider is to remember a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CacheMark {
    /// The provider's shortest time, five minutes at those who say.
    Short,
    /// One hour.
    Hour,
}

impl<'a> Part<'a> {
    /// A part without a place of its own and without a cache mark.
    #[must_use]
    pub fn new(kind: PartKind<'a>) -> Self {
        Self { kind, cache: None, origin: Origin::default() }
    }

    /// A text.
    #[must_use]
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::new(PartKind::Text(text.into()))
    }

    /// The same part at a place.
    #[must_use]
    pub fn at(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            PartKind::Text(text) => Some(text),
            _ => None,
        }
    }
}
