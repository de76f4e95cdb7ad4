//! How much a translated stream may come to.
//!
//! What passes in its own dialect is kept by nobody. Who tells it in another one keeps parts of it until the end, each
//! dialect its own, and so everything that is told is bounded in one place.

use std::collections::BTreeSet;

use gatewright::text::{Lane, LaneKind};
use gatewright::{EventKind, Failure, FailureKind, Side, StreamEvent};

use crate::vault::Keepsake;

/// An answer has so many texts, calls and choices at most.
const LANES_MAX: usize = 4_096;
/// It has so many bytes of text and arguments at most: some million tokens.
const BYTES_MAX: usize = 16 << 20;
/// What counts for at least so much begins something that is kept: a call, a proof, another text than before.
const EVENT_BYTES_MIN: usize = 256;

/// What is known of an answer that is told in another dialect.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// What is kept of it for the next request.
    pub(crate) keepsake: Keepsake,
    extent: Extent,
}

impl Told {
    /// Counts events in, and keeps what is to be kept of them.
    ///
    /// # Errors
    ///
    /// As [`Extent::add`]; the events are not to be told then.
    pub(crate) fn see(&mut self, events: &[StreamEvent]) -> Result<(), Failure> {
        for event in events {
            self.extent.add(event.kind())?;
            self.keepsake.see(event);
        }
        Ok(())
    }
}

/// How much has been told so far.
#[derive(Debug, Default)]
struct Extent {
    lanes: BTreeSet<Lane>,
    /// What the first choice says at the moment, as long as nothing has come between.
    said: Option<Lane>,
    bytes: usize,
}

impl Extent {
    /// Counts an event in.
    ///
    /// # Errors
    ///
    /// A failure of the upstream side where the answer is larger than an answer can be.
    fn add(&mut self, event: &EventKind) -> Result<(), Failure> {
        let (lane, bytes) = match event {
            EventKind::TextDelta { lane, text } => (Some(*lane), text.len()),
            EventKind::ToolCallStart { lane, id, name } => (Some(*lane), id.len().saturating_add(name.len())),
            EventKind::Signature { lane, signature } => (Some(*lane), signature.data.len()),
            EventKind::SealedReasoning { signature, .. } => (None, signature.data.len()),
            EventKind::LaneEnd { lane } => (Some(*lane), 0),
            EventKind::Finish { choice, .. } => (Some(Lane::content(*choice)), 0),
            EventKind::Media { .. } => (None, 0),
            // Of these, the last one is kept, or none.
            _ => return Ok(()),
        };
        let is_new = lane.is_some_and(|lane| self.lanes.insert(lane));
        let begins = self.begins(event);
        if is_new || begins {
            self.bytes = self.bytes.saturating_add(EVENT_BYTES_MIN);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > BYTES_MAX || self.lanes.len() > LANES_MAX {
            let message = "the provider's answer is larger than an answer can be";
            return Err(Failure::new(Side::Upstream, FailureKind::Malformed, message));
        }
        Ok(())
    }

    /// Whether an event begins something in the answer. Texts of several choices, and arguments of several calls, go
    /// on side by side; two texts of one choice follow each other.
    fn begins(&mut self, event: &EventKind) -> bool {
        match event {
            EventKind::TextDelta { lane, .. } => {
                let goes_on = lane.choice != 0
                    || matches!(lane.kind, LaneKind::ToolArguments { .. })
                    || self.said == Some(*lane);
                if !goes_on {
                    self.said = Some(*lane);
                }
                !goes_on
            }
            // Some tell the beginning of a call with each of its pieces.
            EventKind::ToolCallStart { .. } => {
                self.said = None;
                false
            }
            _ => {
                self.said = None;
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use gatewright::Usage;

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
        // With figures beside every piece, and with several choices that take turns.
        let usage = EventKind::Usage(Usage::default());
        let beside = (0..500_000).flat_map(|_| [text(Lane::content(0), "four"), usage.clone()]);
        assert_eq!(taken(beside), 1_000_000);
        let choices = (0..1_000_000).map(|at| text(Lane::content(at % 8), "four"));
        assert!(taken(choices) > 400_000);
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
