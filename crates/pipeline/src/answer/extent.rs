//! How much a translated stream may come to.
//!
//! What passes in its own dialect is kept by nobody. Who tells it in another one keeps parts of it until the end, each
//! dialect its own, and so everything that is told is bounded in one place.

use std::collections::BTreeSet;

use gatewright::text::Lane;
use gatewright::{EventKind, Failure, FailureKind, Side};

/// An answer has so many texts, calls and choices at most.
const LANES_MAX: usize = 4_096;
/// It has so many bytes of text and arguments at most: some million tokens.
const BYTES_MAX: usize = 16 << 20;
/// What anything but more of the same text counts for at least, because each begins something that is kept.
const EVENT_BYTES_MIN: usize = 256;

/// What has been told so far.
#[derive(Debug, Default)]
pub(crate) struct Extent {
    lanes: BTreeSet<Lane>,
    last: Option<Lane>,
    bytes: usize,
}

impl Extent {
    /// Counts an event in.
    ///
    /// # Errors
    ///
    /// A failure of the upstream side where the answer is larger than an answer can be.
    pub(crate) fn add(&mut self, event: &EventKind) -> Result<(), Failure> {
        let (lane, bytes) = match event {
            EventKind::TextDelta { lane, text } => (Some(*lane), text.len()),
            EventKind::ToolCallStart { lane, id, name } => (Some(*lane), id.len().saturating_add(name.len())),
            EventKind::Signature { lane, signature } => (Some(*lane), signature.data.len()),
            EventKind::SealedReasoning { signature, .. } => (None, signature.data.len()),
            _ => (None, 0),
        };
        let goes_on = matches!(event, EventKind::TextDelta { .. }) && lane == self.last;
        if !goes_on {
            self.bytes = self.bytes.saturating_add(EVENT_BYTES_MIN);
            self.last = lane;
            self.lanes.extend(lane);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > BYTES_MAX || self.lanes.len() > LANES_MAX {
            let message = "the provider's answer is larger than an answer can be";
            return Err(Failure::new(Side::Upstream, FailureKind::Malformed, message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{BYTES_MAX, EventKind, Extent, LANES_MAX, Lane};

    fn text(lane: Lane, text: &str) -> EventKind {
        EventKind::TextDelta { lane, text: text.into() }
    }

    fn taken(events: impl Iterator<Item = EventKind>) -> usize {
        let mut extent = Extent::default();
        events.take_while(|event| extent.add(event).is_ok()).count()
    }

    #[test]
    fn a_long_text_in_small_pieces_is_an_answer() {
        assert_eq!(taken((0..1_000_000).map(|_| text(Lane::content(0), "four"))), 1_000_000);
    }

    #[test]
    fn bytes_calls_choices_and_turns_between_lanes_are_bounded() {
        let large = "x".repeat(1 << 20);
        assert!(taken((0..100).map(|_| text(Lane::content(0), &large))) < 17);
        let call = |index| {
            let (id, name) = (String::new(), "f".to_owned());
            EventKind::ToolCallStart { lane: Lane::tool_arguments(0, index), id, name }
        };
        assert_eq!(taken((0..10_000).map(call)), LANES_MAX);
        assert_eq!(taken((0..10_000).map(|choice| text(Lane::content(choice), "a"))), LANES_MAX);
        let lanes = [Lane::content(0), Lane::reasoning(0)];
        let turns = taken((0..1_000_000).map(|at| text(lanes[at % 2], "a")));
        assert!(turns < BYTES_MAX / 256, "{turns}");
    }
}
