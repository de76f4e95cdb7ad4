//! One source frame under edits: which events are left, and the patches that make its text say just them.

use gatewright::text::{Lane, LaneKind};
use gatewright::{EventKind, Origin, StreamEvent};
use smallvec::SmallVec;

use super::walk;
use crate::document::{CallSite, Carrier, Part, TextEdits};
use crate::json::{ListEdit, ObjectEdit, Patches, Value};

/// What is to become of a frame, read off the events that are left.
#[derive(Debug)]
pub(super) struct Plan<'e> {
    /// Events of the frame that are left, by their number.
    kept: SmallVec<[Kept<'e>; 4]>,
    /// Events that were added and go into frames of their own before this one.
    pub(super) before: SmallVec<[&'e EventKind; 2]>,
    /// The same, after this one.
    pub(super) after: SmallVec<[&'e EventKind; 2]>,
}

#[derive(Debug)]
struct Kept<'e> {
    ordinal: u16,
    lane: Option<Lane>,
    starts_call: bool,
    /// What its text is to be, if it was edited or added to.
    text: Option<std::borrow::Cow<'e, str>>,
    original: &'e EventKind,
}

impl<'e> Plan<'e> {
    pub(super) fn new(events: &'e [StreamEvent]) -> Self {
        let mut plan = Self { kept: SmallVec::new(), before: SmallVec::new(), after: SmallVec::new() };
        for (place, event) in events.iter().enumerate() {
            match event.origin() {
                Origin::Frame(ordinal) => plan.keep(ordinal, event),
                Origin::Inserted => {
                    let follows = events.get(place..).unwrap_or_default();
                    let more = follows.iter().any(|event| matches!(event.origin(), Origin::Frame(_)));
                    plan.insert(event.kind(), more);
                }
            }
        }
        plan
    }

    fn keep(&mut self, ordinal: u16, event: &'e StreamEvent) {
        let (lane, starts_call) = match event.kind() {
            EventKind::TextDelta { lane, .. } => (Some(*lane), false),
            EventKind::ToolCallStart { lane, .. } => (Some(*lane), true),
            _ => (None, false),
        };
        let text = event.text().filter(|_| event.is_edited()).map(|(_, text)| text.into());
        self.kept.push(Kept { ordinal, lane, starts_call, text, original: event.kind() });
    }

    /// Finds the place of an added event. Text stays behind the text of its lane that it follows, and before the
    /// end of its choice; anything else stays on its side of the frame's own events.
    fn insert(&mut self, event: &'e EventKind, more_of_frame_follows: bool) {
        let EventKind::TextDelta { lane, text } = event else {
            let side = if more_of_frame_follows { &mut self.before } else { &mut self.after };
            side.push(event);
            return;
        };
        let last = self.kept.iter_mut().rev().find(|kept| kept.lane == Some(*lane));
        match last {
            Some(Kept { starts_call: true, .. }) => self.after.push(event),
            Some(kept) => {
                let EventKind::TextDelta { text: original, .. } = kept.original else { return };
                kept.text.get_or_insert(original.as_str().into()).to_mut().push_str(text);
            }
            None => self.before.push(event),
        }
    }

    /// Whether an event of the frame itself is left.
    pub(super) fn keeps_any(&self) -> bool {
        !self.kept.is_empty()
    }

    /// The patches to the frame's data, and which member carries its reasoning; none if nothing of it is left.
    pub(super) fn patches(&self, data: &[u8]) -> Option<(Patches, Option<Carrier>)> {
        let mut pass = Pass::new(self);
        walk::walk(data, &mut |part| pass.part(&part)).ok()?;
        if pass.next > 0 && !self.keeps_any() {
            return None;
        }
        let carrier = pass.carrier;
        Some((pass.finish(data), carrier))
    }

    fn find(&self, ordinal: u16) -> Option<&Kept<'e>> {
        self.kept.iter().find(|kept| kept.ordinal == ordinal)
    }
}

/// One walk over the frame's data under a plan.
#[derive(Debug)]
struct Pass<'p, 'e> {
    plan: &'p Plan<'e>,
    /// The number of the next event.
    next: u16,
    texts: TextEdits,
    patches: Patches,
    carrier: Option<Carrier>,
    /// The choice whose tool calls are being met, and what stays of them.
    calls: Option<(u32, ListEdit)>,
    /// The call under the walk, if it goes with all that belongs to it.
    dropped_call: Option<Lane>,
    drops_usage: bool,
}

impl<'p, 'e> Pass<'p, 'e> {
    fn new(plan: &'p Plan<'e>) -> Self {
        Self {
            plan,
            next: 0,
            texts: TextEdits::default(),
            patches: Patches::new(),
            carrier: None,
            calls: None,
            dropped_call: None,
            drops_usage: false,
        }
    }

    fn part(&mut self, part: &Part<'_>) {
        let is_event = part.is_event();
        let kept = if is_event { self.plan.find(self.next) } else { None };
        self.next = self.next.saturating_add(u16::from(is_event));
        let is_dropped = is_event && kept.is_none();
        match *part {
            Part::Text { lane, text, carrier } if is_event => {
                if lane.kind == LaneKind::Reasoning {
                    self.carrier = Some(carrier);
                }
                if self.dropped_call != Some(lane) {
                    let new =
                        kept.map_or(Some(String::new()), |kept| kept.text.as_deref().map(str::to_owned));
                    self.texts.text(lane, &text, new);
                }
            }
            Part::Mirror { lane, text } => self.texts.mirror(lane, text.span()),
            Part::Logprobs { choice, value } => self.texts.logprobs(choice, &value),
            Part::ToolCall { lane, site, .. } => self.tool_call(lane, site, is_dropped),
            Part::Finish { reason, .. } if is_dropped => self.patches.replace(reason.span(), "null"),
            Part::Usage { .. } => self.drops_usage |= is_dropped,
            Part::Text { .. }
            | Part::Finish { .. }
            | Part::Choice { .. }
            | Part::Start
            // Taken out of every frame that is not the bytes that came.
            | Part::SoFar { .. }
            | Part::Error { .. }
            | Part::Model { .. } => {}
        }
    }

    fn tool_call(&mut self, lane: Lane, site: CallSite, is_dropped: bool) {
        self.dropped_call = is_dropped.then_some(lane);
        let element = match site {
            CallSite::Element(element) => element,
            CallSite::Member(value) if is_dropped => return self.patches.replace(value, "null"),
            CallSite::Member(_) => return,
        };
        if self.calls.as_ref().is_none_or(|(choice, _)| *choice != lane.choice) {
            self.end_calls();
        }
        let (_, list) = self.calls.get_or_insert((lane.choice, ListEdit::default()));
        if is_dropped { list.drop(element, &mut self.patches) } else { list.keep(element, &mut self.patches) }
    }

    fn end_calls(&mut self) {
        if let Some((_, list)) = self.calls.take() {
            list.finish(&mut self.patches);
        }
    }

    fn finish(mut self, data: &[u8]) -> Patches {
        self.end_calls();
        let (mut patches, _) = self.texts.finish();
        patches.append(&self.patches);
        if self.drops_usage {
            let removal = ObjectEdit::new().remove("usage").patches(&Value::of_checked(data));
            patches.append(&removal.unwrap_or_default());
        }
        patches
    }
}
