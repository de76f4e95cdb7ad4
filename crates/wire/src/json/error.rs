//! Why a text is not JSON, told so that its author can mend it.

/// The first place at which a text stops being JSON that we accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub struct JsonError {
    /// Byte offset into the text, 0 for its first byte.
    pub offset: usize,
    /// What was wrong there.
    pub reason: Reason,
}

/// What was wrong, or what would have been right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The text ended inside a value.
    #[error("unexpected end of the text")]
    UnexpectedEnd,
    /// A value should begin here.
    #[error("expected a value")]
    ExpectedValue,
    /// The text as a whole has to be an object.
    #[error("expected `{{`")]
    ExpectedObject,
    /// A member's name should begin here.
    #[error("expected `\"` and a key")]
    ExpectedKey,
    /// An object should be closed here or a member begin.
    #[error("expected a key or `}}`")]
    ExpectedKeyOrEnd,
    /// A member's value should be announced here.
    #[error("expected `:`")]
    ExpectedColon,
    /// An object goes on or ends here.
    #[error("expected `,` or `}}`")]
    ExpectedCommaOrBrace,
    /// An array goes on or ends here.
    #[error("expected `,` or `]`")]
    ExpectedCommaOrBracket,
    /// A string was never closed.
    #[error("unterminated string")]
    UnterminatedString,
    /// A raw control character stands in a string.
    #[error("control character in a string, write it as an escape")]
    ControlCharacter,
    /// A backslash is followed by something JSON does not know.
    #[error("invalid escape in a string")]
    InvalidEscape,
    /// The text is not UTF-8.
    #[error("invalid UTF-8")]
    InvalidUtf8,
    /// A number is written in a way JSON does not know.
    #[error("invalid number")]
    InvalidNumber,
    /// A word that begins like `true`, `false` or `null` goes on otherwise.
    #[error("invalid literal, expected `true`, `false` or `null`")]
    InvalidLiteral,
    /// More than [`DEPTH_MAX`](super::DEPTH_MAX) values stand inside each other.
    #[error("nested deeper than 128 levels")]
    TooDeep,
    /// Something follows the end of the value.
    #[error("unexpected text after the end of the value")]
    TrailingData,
}

impl JsonError {
    pub(super) const fn new(offset: usize, reason: Reason) -> Self {
        Self { offset, reason }
    }
}
