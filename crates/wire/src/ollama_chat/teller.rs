//! Lines of a stream that the gateway writes itself, and the answers that it writes whole.
//!
//! The dialect has whole calls only, so the arguments of a call are kept until they are complete. Why the answer ended
//! and what was consumed stand in the last line together.

use std::collections::BTreeMap;

use bytes::Bytes;
use gatewright::chat::{AnswerChoice, PartKind};
use gatewright::dialect::Envelope;
use gatewright::text::{Lane, LaneKind};
use gatewright::{EventKind, FinishReason, Usage};

use super::{finish, usage};
use crate::json::{ListWriter, ObjectWriter, Value};
use crate::lines;
use crate::pen::arguments;

/// What all lines of a stream say alike.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// The name under which lines say the model, where it is not the provider's.
    pub(super) model: Option<String>,
    created_at: String,
    /// The last line of the provider. Only where a line is written is it looked at.
    told: Option<Bytes>,
}

/// A call that is not complete.
#[derive(Debug, Default)]
struct Call {
    id: String,
    name: String,
    arguments: String,
}

/// Tells events.
#[derive(Debug, Default)]
pub(super) struct Teller {
    pub(super) head: Head,
    calls: BTreeMap<Lane, Call>,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
}

impl Head {
    /// What a stream says that has no lines to learn from.
    pub(super) fn of(envelope: &Envelope) -> Self {
        let (model, created_at) = (Some(envelope.model.clone()), time(envelope.created));
        Self { model, created_at, told: None }
    }

    /// Of a stream whose lines are the provider's, under another name of the model if there is one.
    pub(super) fn named(model: Option<String>) -> Self {
        Self { model, ..Self::default() }
    }

    /// Learns from a line of the stream.
    pub(super) fn learn(&mut self, data: &Bytes) {
        self.told = Some(data.clone());
    }

    fn open<'o>(&self, out: &'o mut Vec<u8>) -> ObjectWriter<'o> {
        let told = self.told.as_ref().map(|line| Value::of_checked(line).pick(["model", "created_at"]));
        let [model, created_at] =
            told.unwrap_or_default().map(|value| value.and_then(|value| value.as_str()));
        let mut object = ObjectWriter::open(out);
        object.str("model", self.model.as_deref().or(model.as_deref()).unwrap_or_default());
        object.str("created_at", created_at.as_deref().unwrap_or(&self.created_at));
        object
    }

    /// A line with this message, members without their braces.
    fn line(&self, fill: impl FnOnce(&mut ObjectWriter<'_>), out: &mut Vec<u8>) {
        let mut data = Vec::new();
        let mut object = self.open(&mut data);
        let mut message = object.object("message");
        message.str("role", "assistant");
        fill(&mut message);
        message.close();
        object.bool("done", false);
        object.close();
        lines::write(out, &data);
    }
}

impl Teller {
    pub(super) fn new(head: Head) -> Self {
        Self { head, ..Self::default() }
    }

    /// Whether a call waits for the rest of its arguments.
    pub(super) fn waits(&self) -> bool {
        !self.calls.is_empty()
    }

    /// Writes what an event says, now or when its turn comes. There is one answer only, so others are left out.
    pub(super) fn tell(&mut self, event: &EventKind, out: &mut Vec<u8>) {
        match event {
            EventKind::TextDelta { lane, text } if lane.choice == 0 && !text.is_empty() => {
                self.text(*lane, text, out);
            }
            EventKind::ToolCallStart { lane, id, name } if lane.choice == 0 => {
                let call = || Call { id: id.clone(), name: name.clone(), arguments: String::new() };
                self.calls.entry(*lane).or_insert_with(call);
            }
            // Without any arguments it may be that a filter holds all of them.
            EventKind::LaneEnd { lane } => {
                let is_whole =
                    |call: &Call| !call.arguments.is_empty() && arguments(&call.arguments).is_some();
                if self.calls.get(lane).is_some_and(is_whole)
                    && let Some(call) = self.calls.remove(lane)
                {
                    self.call(&call, out);
                }
            }
            EventKind::Finish { choice: 0, reason } => {
                self.flush(out);
                self.finish = Some(reason.clone());
            }
            EventKind::Usage(usage) => self.usage = Some(*usage),
            _ => {}
        }
    }

    fn text(&mut self, lane: Lane, text: &str, out: &mut Vec<u8>) {
        match lane.kind {
            LaneKind::ToolArguments { .. } => {
                // Text of a call that never began belongs to nobody.
                if let Some(call) = self.calls.get_mut(&lane) {
                    call.arguments.push_str(text);
                }
            }
            LaneKind::Reasoning => self.head.line(
                |message| {
                    message.str("content", "");
                    message.str("thinking", text);
                },
                out,
            ),
            LaneKind::Content | LaneKind::Refusal => {
                self.head.line(|message| message.str("content", text), out);
            }
        }
    }

    fn call(&self, call: &Call, out: &mut Vec<u8>) {
        self.head.line(
            |message| {
                message.str("content", "");
                let mut list = message.list("tool_calls");
                write_call(&mut list, &call.id, &call.name, &call.arguments);
                list.close();
            },
            out,
        );
    }

    /// Writes the calls that are still there.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        for call in std::mem::take(&mut self.calls).values() {
            self.call(call, out);
        }
    }

    /// Writes the last line.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        self.flush(out);
        let mut data = Vec::new();
        let mut object = self.head.open(&mut data);
        object.raw("message", r#"{"role":"assistant","content":""}"#);
        last(&mut object, self.finish.as_ref(), self.usage.as_ref());
        object.close();
        lines::write(out, &data);
    }
}

/// Writes a whole answer.
pub(super) fn whole(choice: &AnswerChoice<'_>, usage: Option<&Usage>, envelope: &Envelope) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let mut object = Head::of(envelope).open(&mut out);
    let mut message = object.object("message");
    message.str("role", "assistant");
    message.str(
        "content",
        &joined(choice, |kind| match kind {
            PartKind::Text(text) | PartKind::Refusal(text) => Some(text),
            _ => None,
        }),
    );
    let thinking = joined(choice, |kind| match kind {
        PartKind::Reasoning { text, .. } => Some(text),
        _ => None,
    });
    if !thinking.is_empty() {
        message.str("thinking", &thinking);
    }
    let mut calls = Vec::new();
    let mut list = ListWriter::open(&mut calls);
    for part in &choice.parts {
        if let PartKind::ToolCall { id, name, arguments, .. } = &part.kind {
            write_call(&mut list, id, name, arguments);
        }
    }
    let has_calls = !list.is_empty();
    list.close();
    if has_calls {
        message.key("tool_calls").extend_from_slice(&calls);
    }
    message.close();
    last(&mut object, choice.finish.as_ref(), usage);
    object.close();
    out
}

fn joined<'a>(
    choice: &'a AnswerChoice<'_>,
    text: impl Fn(&'a PartKind<'_>) -> Option<&'a std::borrow::Cow<'a, str>>,
) -> String {
    choice.parts.iter().filter_map(|part| text(&part.kind)).map(AsRef::as_ref).collect()
}

/// Writes what stands at the end of an answer only.
fn last(object: &mut ObjectWriter<'_>, reason: Option<&FinishReason>, usage: Option<&Usage>) {
    object.bool("done", true);
    object.str("done_reason", reason.map_or("stop", finish::word));
    if let Some(figures) = usage {
        usage::write(figures, object);
    }
}

/// Writes a call for a client. Arguments that nobody can read stand in an object as the text that they are.
fn write_call(list: &mut ListWriter<'_>, id: &str, name: &str, source: &str) {
    let mut call = list.object();
    if !id.is_empty() {
        call.str("id", id);
    }
    let mut function = call.object("function");
    function.str("name", name);
    match arguments(source) {
        Some(object) => function.raw("arguments", object),
        None => {
            let mut object = function.object("arguments");
            object.str("arguments", source);
            object.close();
        }
    }
    function.close();
    call.close();
}

/// A time in seconds since 1970 as RFC 3339 has it (days to civil dates over eras of 400 years).
fn time(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year + era * 400 + carry;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_are_dates_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_827_696, "2000-02-29T12:34:56Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(time(seconds), expected);
        }
    }
}
