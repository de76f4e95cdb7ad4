//! What a text filter declares about the tail that it needs to keep back.

use std::time::Duration;

use super::LaneMask;

/// The bound on held text when a filter names none: 16 KiB.
pub(super) const HELD_BYTES_MAX: usize = 16 * 1024;

/// How much of a text a filter keeps back until it knows what follows.
///
/// "Streamed equals whole" holds for a filter whose every match, with all that it looks at to the right
/// of it, fits into `bytes`. [`TextPatterns`](super::TextPatterns) need no such guess:
/// [`TextPatterns::hold_back`](super::TextPatterns::hold_back) declares a reach of 0, and their scan
/// holds exactly what is undecided.
///
/// ```
/// use gatewright::text::{HoldBack, LaneMask, Overflow};
///
/// let hold = HoldBack::bytes(64).with_lanes(LaneMask::CONTENT);
/// assert_eq!(hold.overflow, Overflow::Cut);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldBack {
    /// The reach: at least the longest span of which no half may be released, in bytes.
    pub bytes: usize,
    /// The hard bound on held text of one lane, in bytes; a value below `bytes` is read as `bytes`.
    pub max_bytes: usize,
    /// After which time without new text the tail may be flushed; `None` is never.
    ///
    /// Only a host that runs the filter as best effort may act on it: a flush by time is a leak by time.
    pub max_delay: Option<Duration>,
    /// The lanes that the filter sees; text of other lanes passes by.
    pub lanes: LaneMask,
    /// What happens when more than `max_bytes` would be held.
    pub overflow: Overflow,
}

impl HoldBack {
    /// Holds the last `bytes` bytes of every lane, cuts the answer on overflow, never flushes by time.
    #[must_use]
    pub const fn bytes(bytes: usize) -> Self {
        let max_bytes = if bytes > HELD_BYTES_MAX { bytes } else { HELD_BYTES_MAX };
        Self { bytes, max_bytes, max_delay: None, lanes: LaneMask::ALL, overflow: Overflow::Cut }
    }

    /// The same with another hard bound on held text.
    #[must_use]
    pub const fn with_max_bytes(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }

    /// The same with a time after which a best-effort host may flush.
    #[must_use]
    pub const fn with_max_delay(self, max_delay: Duration) -> Self {
        Self { max_delay: Some(max_delay), ..self }
    }

    /// The same for other lanes.
    #[must_use]
    pub const fn with_lanes(self, lanes: LaneMask) -> Self {
        Self { lanes, ..self }
    }

    /// The same with another answer to too much held text.
    #[must_use]
    pub const fn with_overflow(self, overflow: Overflow) -> Self {
        Self { overflow, ..self }
    }
}

/// What happens when a filter would hold more than its bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The answer is cut: nothing more of it is released.
    #[default]
    Cut,
    /// The oldest text is released unseen. Only for filters that guard nothing.
    Release,
}
