//! The end of a connection: its status and reason, RFC 6455, section 7.4.

use super::violation::Violation;

/// The longest reason, in bytes: a control frame has 125, and the status takes two.
pub const REASON_BYTES_MAX: usize = 123;

/// Why a connection is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The status.
    pub code: u16,
    /// The reason, at most [`REASON_BYTES_MAX`] bytes.
    pub reason: String,
}

impl Close {
    /// The purpose is fulfilled.
    pub const NORMAL: u16 = 1000;
    /// The endpoint goes away.
    pub const GOING_AWAY: u16 = 1001;
    /// The peer broke the protocol.
    pub const PROTOCOL: u16 = 1002;
    /// Data of a kind that the endpoint does not take.
    pub const UNSUPPORTED: u16 = 1003;
    /// Stands, in programs only, for a close without a status.
    pub const NO_STATUS: u16 = 1005;
    /// A text that is not UTF-8.
    pub const NOT_TEXT: u16 = 1007;
    /// A policy forbids to go on.
    pub const POLICY: u16 = 1008;
    /// A message over the bound.
    pub const TOO_LARGE: u16 = 1009;
    /// The endpoint met what it could not deal with.
    pub const INTERNAL: u16 = 1011;

    /// A close with as much of the reason as there is room for.
    #[must_use]
    pub fn new(code: u16, reason: &str) -> Self {
        let end = reason.floor_char_boundary(REASON_BYTES_MAX);
        Self { code, reason: reason.get(..end).unwrap_or_default().to_owned() }
    }

    /// Reads the payload of a close frame.
    pub(super) fn read(payload: &[u8]) -> Result<Self, Violation> {
        match payload {
            [] => Ok(Self { code: Self::NO_STATUS, reason: String::new() }),
            [_] => Err(Violation::Close),
            [high, low, reason @ ..] => {
                let code = u16::from_be_bytes([*high, *low]);
                if !Self::may_be_sent(code) {
                    return Err(Violation::Close);
                }
                let reason = simdutf8::basic::from_utf8(reason).map_err(|_| Violation::Utf8)?;
                Ok(Self { code, reason: reason.to_owned() })
            }
        }
    }

    /// Whether a status may stand in a frame. Those below 1000 have no meaning, some are for programs only, and what is
    /// not assigned up to 2999 belongs to the protocol.
    #[must_use]
    pub fn may_be_sent(code: u16) -> bool {
        matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}
