//! What is to become of a frame, read off the events that are left of it.
//!
//! A frame of the dialect has at most one event of a kind, so that an event is known by its kind.

use std::borrow::Cow;

use gatewright::text::Lane;
use gatewright::{EventKind, Origin, StreamEvent};
use smallvec::SmallVec;

use crate::anthropic_messages::event::{Event, Piece, Pieces};
use crate::json::{ObjectEdit, Patches, Value};

/// What is left, and what was added on either side.
#[derive(Debug, Default)]
pub(super) struct Plan<'e> {
    kept: SmallVec<[&'e EventKind; 4]>,
    /// The text of the frame, if it was edited or added to.
    text: Option<(Lane, Cow<'e, str>)>,
    /// Events that were added and go before the frame.
    pub(super) before: SmallVec<[&'e EventKind; 2]>,
    /// The same, after it.
    pub(super) after: SmallVec<[&'e EventKind; 2]>,
}

impl<'e> Plan<'e> {
    pub(super) fn new(events: &'e [StreamEvent]) -> Self {
        let mut plan = Self::default();
        let last = events.iter().rposition(|event| matches!(event.origin(), Origin::Frame(_)));
        for (place, event) in events.iter().enumerate() {
            match event.origin() {
                Origin::Frame(_) => {
                    if let Some((lane, text)) = event.text().filter(|_| event.is_edited()) {
                        plan.text = Some((lane, text.into()));
                    }
                    plan.kept.push(event.kind());
                }
                Origin::Inserted => plan.insert(event.kind(), last.is_some_and(|last| place < last)),
            }
        }
        plan
    }

    /// Finds the place of an added event. Text joins the text of its lane that it follows; anything else stays on
    /// its side of the frame, and text before what ends it.
    fn insert(&mut self, event: &'e EventKind, more_of_frame_follows: bool) {
        let EventKind::TextDelta { lane, text } = event else {
            let side = if more_of_frame_follows { &mut self.before } else { &mut self.after };
            side.push(event);
            return;
        };
        let own = self.kept.iter().find_map(|kept| match kept {
            EventKind::TextDelta { lane: own, text } if own == lane => Some(text.as_str()),
            _ => None,
        });
        match own {
            Some(own) => {
                let (_, joined) = self.text.get_or_insert((*lane, own.into()));
                joined.to_mut().push_str(text);
            }
            None if self.kept.iter().any(|kept| matches!(kept, EventKind::ToolCallStart { .. })) => {
                self.after.push(event);
            }
            None => self.before.push(event),
        }
    }

    /// Whether an event of the frame itself is left.
    pub(super) fn keeps_any(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Whether the beginning of a call is not left.
    pub(super) fn drops_call(&self) -> bool {
        !self.keeps(|kind| matches!(kind, EventKind::ToolCallStart { .. }))
    }

    fn keeps(&self, is: impl Fn(&EventKind) -> bool) -> bool {
        self.kept.iter().any(|kind| is(kind))
    }

    /// Adds the patches that make the frame's data say what is left.
    pub(super) fn patch(&self, event: &Event<'_>, pieces: &Pieces<'_>, data: &[u8], patches: &mut Patches) {
        for piece in pieces {
            match piece {
                Piece::Text { text, .. } => {
                    let is_kept = self.keeps(|kind| matches!(kind, EventKind::TextDelta { .. }));
                    match &self.text {
                        Some((_, new)) => patches.replace_text(text, new),
                        None if !is_kept => patches.replace_text(text, ""),
                        None => {}
                    }
                }
                Piece::Signature { text }
                    if !self.keeps(|kind| matches!(kind, EventKind::Signature { .. })) =>
                {
                    patches.replace_str(text.span(), "");
                }
                Piece::Finish { reason, .. }
                    if !self.keeps(|kind| matches!(kind, EventKind::Finish { .. })) =>
                {
                    patches.replace(reason.span(), "null");
                }
                Piece::Usage if !self.keeps(|kind| matches!(kind, EventKind::Usage(_))) => {
                    if let Some(usage) = event.usage {
                        let removal = ObjectEdit::new().remove("usage").patches(&Value::of_checked(data));
                        debug_assert!(removal.is_ok() && !usage.is_null(), "an event is an object");
                        patches.append(&removal.unwrap_or_default());
                    }
                }
                Piece::Call { .. }
                | Piece::Signature { .. }
                | Piece::Finish { .. }
                | Piece::Usage
                | Piece::Start
                | Piece::Sealed { .. }
                | Piece::End { .. }
                | Piece::Raw => {}
            }
        }
    }
}
