//! What breaks the protocol.

use super::close::Close;

/// How a peer broke RFC 6455, or the bound on its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A reserved bit is set, though no extension was agreed on.
    #[error("a reserved bit is set")]
    Reserved,
    /// The operation code is not assigned.
    #[error("the operation code has no meaning")]
    Opcode,
    /// A client's frame is not masked.
    #[error("a frame of a client is not masked")]
    Unmasked,
    /// A server's frame is masked.
    #[error("a frame of a server is masked")]
    Masked,
    /// A control frame comes in fragments, or has more than 125 bytes.
    #[error("a control frame is fragmented or too long")]
    Control,
    /// A fragment goes on with no message, or a message begins inside another.
    #[error("a fragment is out of order")]
    Fragment,
    /// A length is not in its shortest form, or over 63 bits.
    #[error("a length is not in its shortest form")]
    Length,
    /// A message is over the bound.
    #[error("a message is too large")]
    TooLarge,
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    Utf8,
    /// The payload of a close frame is not a status and a reason.
    #[error("a close frame has no valid status")]
    Close,
}

impl Violation {
    /// The status to close with.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Utf8 => Close::NOT_TEXT,
            Self::TooLarge => Close::TOO_LARGE,
            Self::Reserved
            | Self::Opcode
            | Self::Unmasked
            | Self::Masked
            | Self::Control
            | Self::Fragment
            | Self::Length
            | Self::Close => Close::PROTOCOL,
        }
    }
}
