//! What the client has been sent of a stream, and what that changes in frames that repeat it.
//!
//! The text of each part is kept until the end of the stream, because its last event repeats all of them. Numbers of
//! events rise by at least one, whatever is put in or left out.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use gatewright::text::{Lane, LaneKind};

use super::event::{Event, Kind};
use super::walk::{self, List, Place};
use crate::json::{ListEdit, ObjectWriter, Patches, Value};
use crate::stream::{KEPT_BYTES_MAX, PARTS_MAX};

/// What has been sent.
#[derive(Debug, Default)]
pub(super) struct Sent {
    texts: BTreeMap<Place, Text>,
    /// Where the last text of a lane stands.
    last: BTreeMap<Lane, Place>,
    /// Items that the client is not to learn of.
    dropped: BTreeSet<u32>,
    number: Option<u64>,
    /// Bytes that are kept, and whether they are too many.
    bytes: usize,
    is_full: bool,
}

/// What a text counts for at least, so that empty ones are bounded too.
const TEXT_BYTES_MIN: usize = 256;

#[derive(Debug)]
struct Text {
    sent: String,
    is_edited: bool,
    item_id: Box<str>,
}

impl Sent {
    /// Whether more would have to be kept than there is room for. Nothing is kept from then on.
    pub(super) const fn is_full(&self) -> bool {
        self.is_full
    }

    /// Makes room for a text, if there is any.
    fn has_room(&mut self, place: Place, text: &str) -> bool {
        let own = if self.texts.contains_key(&place) { 0 } else { TEXT_BYTES_MIN };
        self.bytes = self.bytes.saturating_add(own).saturating_add(text.len());
        self.is_full |= self.bytes > KEPT_BYTES_MAX;
        !self.is_full
    }

    /// Whether nothing has been sent.
    pub(super) const fn is_nothing(&self) -> bool {
        self.number.is_none()
    }

    /// The number of the next event.
    pub(super) fn next_number(&mut self) -> u64 {
        let number = self.number.map_or(0, |number| number.saturating_add(1));
        self.number = Some(number);
        number
    }

    /// An item goes, and all that is said of it.
    pub(super) fn drop_item(&mut self, event: &Event<'_>) {
        self.is_full |= self.dropped.len() >= PARTS_MAX;
        if !self.is_full {
            self.dropped.insert(event.place.item);
        }
    }

    /// The patches that make an event fit what has been sent, with another model's name if there is one; none if the
    /// event is not to be sent.
    pub(super) fn patches(&self, event: &Event<'_>, model: Option<&str>) -> Option<Patches> {
        let concerns_item = matches!(
            event.kind,
            Kind::ItemAdded | Kind::ItemDone | Kind::PartDone | Kind::Delta | Kind::Done
        );
        if concerns_item && self.dropped.contains(&event.place.item) {
            return None;
        }
        let mut patches = Patches::new();
        if let (Some(value), Some(last)) = (event.sequence, self.number)
            && value.as_u64().is_none_or(|number| number <= last)
        {
            patches.replace(value.span(), last.saturating_add(1).to_string());
        }
        let object = event.object;
        let response_model = || object?.get("model")?.json_str();
        if let (Some(model), Some(name)) = (model, response_model())
            && !name.is(model)
        {
            patches.replace_str(name.span(), model);
        }
        match (event.kind, event.object) {
            (Kind::Done, _) => {
                if let (Some(text), Some(new)) = (event.text, self.edited(event.place)) {
                    patches.replace_str(text.span(), new);
                    without_logprobs(event.logprobs, &mut patches);
                }
            }
            (Kind::PartDone, Some(part)) => {
                if let Some(new) = self.edited(event.place) {
                    walk::part_texts(&part, event.lane, &mut |_, text| patches.replace_str(text.span(), new));
                    without_logprobs(part.get("logprobs"), &mut patches);
                }
            }
            (Kind::ItemDone, Some(item)) => self.item(&item, event.place.item, &mut patches),
            (Kind::Terminal | Kind::Failed, Some(response)) => self.response(&response, &mut patches),
            _ => {}
        }
        Some(patches)
    }

    fn edited(&self, place: Place) -> Option<&str> {
        self.texts.get(&place).filter(|text| text.is_edited).map(|text| text.sent.as_str())
    }

    fn item(&self, item: &Value<'_>, index: u32, patches: &mut Patches) {
        walk::texts(item, index, &mut |place, _, text| {
            if let Some(new) = self.edited(place) {
                patches.replace_str(text.span(), new);
            }
        });
        for (at, part) in (0..).zip(item.get("content").into_iter().flat_map(|content| content.elements())) {
            if self.edited(Place { item: index, list: List::Content, index: at }).is_some() {
                without_logprobs(part.get("logprobs"), patches);
            }
        }
    }

    fn response(&self, response: &Value<'_>, patches: &mut Patches) {
        let Some(output) = response.get("output") else { return };
        let mut list = ListEdit::default();
        for (index, item) in (0..).zip(output.elements()) {
            if self.dropped.contains(&index) {
                list.drop(item.span(), patches);
            } else {
                list.keep(item.span(), patches);
                self.item(&item, index, patches);
            }
        }
        list.finish(patches);
    }

    /// Notes that an event has been sent; `text` is what its piece of text says, if that is not what the provider said.
    pub(super) fn note(&mut self, event: &Event<'_>, text: Option<&str>) {
        let own = event.sequence.and_then(|number| number.as_u64());
        let next = self.number.map_or(0, |number| number.saturating_add(1));
        self.number = Some(own.map_or(next, |own| own.max(next)));
        if event.kind == Kind::Delta || (event.kind == Kind::Done && text.is_some()) {
            self.note_text(event, text);
        }
    }

    /// Notes what became of a piece of text, whether or not its event is sent.
    pub(super) fn note_text(&mut self, event: &Event<'_>, text: Option<&str>) {
        let Some(original) = event.text else { return };
        let place = event.place;
        let said = text.map_or_else(|| original.decode(), Cow::Borrowed);
        if !self.has_room(place, &said) {
            return;
        }
        let known = self.texts.entry(place).or_insert_with(|| {
            let item_id = event.item_id.map(|id| id.decode()).unwrap_or(Cow::Borrowed("")).into();
            Text { sent: String::new(), is_edited: false, item_id }
        });
        known.is_edited |= text.is_some();
        known.sent.push_str(&said);
        self.last.insert(event.lane, place);
    }

    /// Writes an event for a piece of text that was added; none if its lane has not begun.
    pub(super) fn write_added(&mut self, lane: Lane, text: &str, out: &mut Vec<u8>) {
        let Some(place) = self.last.get(&lane).copied() else { return };
        if !self.has_room(place, text) {
            return;
        }
        let number = self.next_number();
        let Some(known) = self.texts.get_mut(&place) else { return };
        known.sent.push_str(text);
        known.is_edited = true;
        let name = name_of_delta(lane, place.list);
        out.extend_from_slice(format!("event: {name}\ndata: ").as_bytes());
        let mut object = ObjectWriter::open(out);
        object.str("type", name);
        object.number("sequence_number", number);
        object.str("item_id", &known.item_id);
        object.number("output_index", place.item.into());
        match place.list {
            List::Content | List::Reasoning => object.number("content_index", place.index.into()),
            List::Summary => object.number("summary_index", place.index.into()),
            List::Arguments => {}
        }
        object.str("delta", text);
        if lane.kind == LaneKind::Content {
            object.raw("logprobs", "[]");
        }
        object.close();
        out.extend_from_slice(b"\n\n");
    }
}

/// The event by which a text goes on.
fn name_of_delta(lane: Lane, list: List) -> &'static str {
    match (list, lane.kind) {
        (List::Content, LaneKind::Refusal) => "response.refusal.delta",
        (List::Content, _) => "response.output_text.delta",
        (List::Reasoning, _) => "response.reasoning_text.delta",
        (List::Summary, _) => "response.reasoning_summary_text.delta",
        (List::Arguments, _) => "response.function_call_arguments.delta",
    }
}

/// Probabilities spell out the old text.
pub(super) fn without_logprobs(value: Option<Value<'_>>, patches: &mut Patches) {
    if let Some(value) = value.filter(|value| value.has_children()) {
        patches.replace(value.span(), "[]");
    }
}
