//! How far an answer's texts have come to their end, as its events tell.

use gatewright::text::Lane;

/// Which texts have come to their end.
#[derive(Clone, Copy)]
pub(crate) enum Closed {
    /// One; another may follow in its lane.
    Lane(Lane),
    /// Those of a choice.
    Choice(u32),
    /// All.
    All,
}

impl Closed {
    /// Whether a lane is among them.
    pub(super) fn concerns(self, lane: Lane) -> bool {
        match self {
            Self::Lane(closed) => lane == closed,
            Self::Choice(choice) => lane.choice == choice,
            Self::All => true,
        }
    }
}
