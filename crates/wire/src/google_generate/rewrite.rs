//! One source frame under edits: which events are left, and the patches that make its text say just them.
//!
//! A call whose arguments a filter still holds cannot stand in a frame, because the dialect has whole calls only: its
//! part is taken out, and waits.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use gatewright::text::{Lane, LaneKind};
use gatewright::{EventKind, Origin, StreamEvent};
use smallvec::SmallVec;

use super::chunk;
use super::walk::{Item, walk};
use crate::json::{JsonStr, ListEdit, ObjectEdit, Patches, Reader, Span, Value};

/// A call that is not complete.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
    pub(super) signature: Option<String>,
    /// The provider has said all of it.
    pub(super) is_ended: bool,
}

impl Call {
    /// The part that it is, if its arguments are an object. None at all are an empty one.
    pub(super) fn part(&self) -> Option<Vec<u8>> {
        let arguments = chunk::arguments(&self.arguments)?;
        Some(chunk::client_call(&self.id, &self.name, arguments, self.signature.as_deref()))
    }
}

/// What is to become of a frame, read off the events that are left.
#[derive(Debug)]
pub(super) struct Plan<'e> {
    /// Events of the frame that are left, by their number.
    kept: SmallVec<[Kept<'e>; 4]>,
    /// The arguments of the calls that begin in the frame, as far as they are released.
    arguments: BTreeMap<Lane, String>,
    /// Events that were added and go into elements of their own before this one.
    pub(super) before: SmallVec<[&'e EventKind; 2]>,
    /// The same, after this one.
    pub(super) after: SmallVec<[&'e EventKind; 2]>,
}

#[derive(Debug)]
struct Kept<'e> {
    ordinal: u16,
    event: &'e EventKind,
    /// What its text is to be, if it was edited or added to.
    text: Option<Cow<'e, str>>,
}

/// What a frame has become.
#[derive(Debug, Default)]
pub(super) struct Rewritten {
    /// The patches to its data; none if nothing of it is left.
    pub(super) patches: Option<Patches>,
    /// Calls that were taken out of it and wait for the rest of their arguments.
    pub(super) waiting: Vec<(Lane, Call)>,
    /// Candidates that end in it.
    pub(super) finished: BTreeSet<u32>,
}

impl<'e> Plan<'e> {
    /// `waiting` are the calls of earlier frames: what is added to their arguments goes to them.
    pub(super) fn new(events: &'e [StreamEvent], waiting: &mut BTreeMap<Lane, Call>) -> Self {
        let mut plan = Self {
            kept: SmallVec::new(),
            arguments: BTreeMap::new(),
            before: SmallVec::new(),
            after: SmallVec::new(),
        };
        for (place, event) in events.iter().enumerate() {
            if let Origin::Frame(_) = event.origin()
                && let EventKind::ToolCallStart { lane, .. } = event.kind()
            {
                plan.arguments.insert(*lane, String::new());
            }
            if let Some((lane, text)) = event.text()
                && let Some(arguments) = plan.arguments.get_mut(&lane)
            {
                arguments.push_str(text);
                if event.origin() == Origin::Inserted {
                    continue;
                }
            } else if let Some((lane, text)) = event.text()
                && let Some(call) = waiting.get_mut(&lane)
            {
                call.arguments.push_str(text);
                continue;
            }
            match event.origin() {
                Origin::Frame(ordinal) => {
                    let text = event.text().filter(|_| event.is_edited()).map(|(_, text)| text.into());
                    plan.kept.push(Kept { ordinal, event: event.kind(), text });
                }
                Origin::Inserted => {
                    let follows = events.get(place..).unwrap_or_default();
                    let more = follows.iter().any(|event| matches!(event.origin(), Origin::Frame(_)));
                    plan.insert(event.kind(), more);
                }
            }
        }
        plan
    }

    /// Finds the place of an added event. Text stays behind the text of its lane that it follows, and before the
    /// end of its candidate; anything else stays on its side of the frame's own events.
    fn insert(&mut self, event: &'e EventKind, more_of_frame_follows: bool) {
        let EventKind::TextDelta { lane, text } = event else {
            let side = if more_of_frame_follows { &mut self.before } else { &mut self.after };
            side.push(event);
            return;
        };
        let last = self.kept.iter_mut().rev().find_map(|kept| match kept.event {
            EventKind::TextDelta { lane: its, text } if its == lane => Some((&mut kept.text, text)),
            _ => None,
        });
        match last {
            Some((edited, original)) => {
                edited.get_or_insert(original.as_str().into()).to_mut().push_str(text);
            }
            None => self.before.push(event),
        }
    }

    /// Whether an event of the frame itself is left.
    pub(super) fn keeps_any(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Makes the frame's data say what is left.
    pub(super) fn rewrite(&self, data: &[u8]) -> Rewritten {
        let mut pass = Pass::new(self);
        if walk(data, &mut |item| pass.item(&item)).is_err() {
            return Rewritten::default();
        }
        pass.finish(data)
    }
}

/// One walk over the frame's data under a plan.
#[derive(Debug)]
struct Pass<'p, 'e> {
    plan: &'p Plan<'e>,
    /// The number of the next event.
    next: u16,
    /// How many events of the frame stay in it.
    stays: usize,
    patches: Patches,
    parts: ListEdit,
    part: Option<PartPass>,
    waiting: Vec<(Lane, Call)>,
    finished: BTreeSet<u32>,
    drops_usage: bool,
}

/// The part under the walk.
#[derive(Debug)]
struct PartPass {
    span: Span,
    patches: Patches,
    has_events: bool,
    keeps: bool,
    /// Its call goes, or waits outside of the frame.
    is_out: bool,
    /// What the arguments of its call are to be.
    arguments: String,
}

impl<'p, 'e> Pass<'p, 'e> {
    fn new(plan: &'p Plan<'e>) -> Self {
        Self {
            plan,
            next: 0,
            stays: 0,
            patches: Patches::new(),
            parts: ListEdit::default(),
            part: None,
            waiting: Vec::new(),
            finished: BTreeSet::new(),
            drops_usage: false,
        }
    }

    fn item(&mut self, item: &Item<'_>) {
        let is_event = item.is_event();
        let ordinal = self.next;
        self.next = self.next.saturating_add(u16::from(is_event));
        let kept = if is_event { self.plan.kept.iter().find(|kept| kept.ordinal == ordinal) } else { None };
        match *item {
            Item::Part { span } => {
                self.end_part();
                self.part = Some(PartPass::new(span));
                return;
            }
            Item::PartsEnd => {
                self.end_part();
                std::mem::take(&mut self.parts).finish(&mut self.patches);
                return;
            }
            Item::Call { has_arguments, .. } => return self.call(has_arguments, kept),
            Item::Finish { choice, reason } => {
                self.finished.insert(choice);
                if kept.is_none() {
                    self.patches.replace(reason.span(), "null");
                }
            }
            Item::Usage { .. } => self.drops_usage |= kept.is_none(),
            _ => {}
        }
        if !is_event {
            return;
        }
        let Some(part) = &mut self.part else {
            self.stays += usize::from(kept.is_some());
            return;
        };
        if part.is_out {
            return;
        }
        self.stays += usize::from(kept.is_some());
        part.item(item, kept);
    }

    /// A call stays where it is if its arguments are complete.
    fn call(&mut self, has_arguments: bool, kept: Option<&Kept<'_>>) {
        let Some(part) = &mut self.part else { return };
        part.has_events = true;
        let Some(EventKind::ToolCallStart { lane, id, name }) = kept.map(|kept| kept.event) else {
            part.is_out = true;
            return;
        };
        let arguments = self.plan.arguments.get(lane).map(String::as_str).unwrap_or_default();
        // Nothing in the place of something is not no arguments: a filter holds all of them.
        if chunk::arguments(arguments).is_some() && (!has_arguments || !arguments.is_empty()) {
            part.keeps = true;
            arguments.clone_into(&mut part.arguments);
            self.stays += 1;
            return;
        }
        part.is_out = true;
        let rest = self.plan.kept.iter().map(|kept| kept.event);
        let signature = rest.clone().find_map(|event| match event {
            EventKind::Signature { lane: its, signature } if its == lane => Some(signature.data.to_string()),
            _ => None,
        });
        let is_ended =
            rest.clone().any(|event| matches!(event, EventKind::LaneEnd { lane: its } if its == lane));
        let (id, name, arguments) = (id.clone(), name.clone(), arguments.to_owned());
        self.waiting.push((*lane, Call { id, name, arguments, signature, is_ended }));
    }

    fn end_part(&mut self) {
        let Some(part) = self.part.take() else { return };
        if part.has_events && !part.keeps {
            self.parts.drop(part.span, &mut self.patches);
        } else {
            self.parts.keep(part.span, &mut self.patches);
            self.patches.append(&part.patches);
        }
    }

    fn finish(mut self, data: &[u8]) -> Rewritten {
        let Self { waiting, finished, .. } = &mut self;
        let (waiting, finished) = (std::mem::take(waiting), std::mem::take(finished));
        let is_left = self.next == 0 || self.stays > 0;
        if self.drops_usage {
            let removal = ObjectEdit::new().remove("usageMetadata").patches(&Value::of_checked(data));
            self.patches.append(&removal.unwrap_or_default());
        }
        Rewritten { patches: is_left.then_some(self.patches), waiting, finished }
    }
}

impl PartPass {
    fn new(span: Span) -> Self {
        Self {
            span,
            patches: Patches::new(),
            has_events: false,
            keeps: false,
            is_out: false,
            arguments: String::new(),
        }
    }

    /// An event of the part that is not the beginning of a call.
    fn item(&mut self, item: &Item<'_>, kept: Option<&Kept<'_>>) {
        match *item {
            Item::Text { lane: Lane { kind: LaneKind::ToolArguments { .. }, .. }, text } => {
                self.arguments(&text);
            }
            Item::Text { text, .. } => {
                let new = kept.map_or(Some(""), |kept| kept.text.as_deref());
                if let Some(new) = new {
                    self.patches.replace_text(&text, new);
                }
                self.keep(kept.is_some());
            }
            Item::Signature { lane, text } => {
                if kept.is_none() {
                    self.patches.replace(text.span(), "null");
                }
                if !matches!(lane.kind, LaneKind::ToolArguments { .. }) {
                    self.keep(kept.is_some());
                }
            }
            Item::Media { .. } => self.keep(kept.is_some()),
            _ => {}
        }
    }

    fn arguments(&mut self, text: &JsonStr<'_>) {
        if text.decode() != self.arguments {
            self.patches.replace_text(text, &self.arguments);
        }
    }

    fn keep(&mut self, keeps: bool) {
        self.has_events = true;
        self.keeps |= keeps;
    }
}

/// The candidates that end in a frame.
pub(super) fn finished(data: &[u8]) -> BTreeSet<u32> {
    let mut finished = BTreeSet::new();
    let walked = walk(data, &mut |item| {
        if let Item::Finish { choice, .. } = item {
            finished.insert(choice);
        }
    });
    debug_assert!(walked.is_ok(), "the decoder has taken the frame");
    finished
}

/// The patches that report another model name.
pub(super) fn rename(data: &[u8], model: Option<&str>) -> Patches {
    let mut patches = Patches::new();
    let Some(model) = model else { return patches };
    let read = Reader::new(data).object(|reader, key| {
        if key.is("modelVersion")
            && let Some(name) = reader.string()?
            && !name.is(model)
        {
            patches.replace_str(name.span(), model);
        }
        Ok::<_, crate::json::JsonError>(())
    });
    // What is not JSON has nothing to patch.
    if read.is_ok() { patches } else { Patches::new() }
}
