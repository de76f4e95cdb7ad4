//! A stream that another dialect's events tell: the chunks that make them one of ours.
//!
//! Each choice opens with its role and ends in a chunk without a text; figures of usage come once, as the last chunk.

use std::collections::BTreeMap;

use gatewright::dialect::Envelope as Wanted;
use gatewright::text::{Lane, LaneKind};
use gatewright::{EventKind, FinishReason, RequestId, Usage};

use super::chat::{call_id, with_calls};
use super::envelope::Envelope;

/// How far a stream has been told.
#[derive(Debug)]
pub(super) struct Retelling {
    id: RequestId,
    choices: BTreeMap<u32, Choice>,
    usage: Option<Usage>,
}

#[derive(Debug, Default)]
struct Choice {
    /// Calls by the indices of their lanes.
    calls: BTreeMap<u32, Called>,
    is_finished: bool,
}

#[derive(Debug, Clone, Copy)]
struct Called {
    /// Its place among the calls: clients want them without a gap, and not every dialect counts its calls alone.
    place: u32,
    has_arguments: bool,
}

impl Choice {
    fn call(&mut self, index: u32) -> &mut Called {
        let place = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        self.calls.entry(index).or_insert(Called { place, has_arguments: false })
    }
}

/// Where chunks go, and the name under which they say the model.
pub(super) struct Sink<'s> {
    pub(super) envelope: &'s Envelope,
    pub(super) model: Option<&'s str>,
    pub(super) out: &'s mut Vec<u8>,
}

impl Sink<'_> {
    fn write(&mut self, event: &EventKind) {
        self.envelope.write(event, self.model, self.out);
    }
}

impl Retelling {
    pub(super) fn new(wanted: &Wanted) -> Self {
        Self { id: wanted.id, choices: BTreeMap::new(), usage: None }
    }

    /// Writes what an event says.
    pub(super) fn tell(&mut self, event: &EventKind, sink: &mut Sink<'_>) {
        match event {
            EventKind::Start => {
                self.choice(0, sink);
            }
            EventKind::TextDelta { lane, text } if !text.is_empty() => match lane.kind {
                LaneKind::ToolArguments { index } => {
                    let call = self.choice(lane.choice, sink).call(index);
                    call.has_arguments = true;
                    let lane = Lane::tool_arguments(lane.choice, call.place);
                    sink.write(&EventKind::TextDelta { lane, text: text.clone() });
                }
                _ => {
                    self.choice(lane.choice, sink);
                    sink.write(event);
                }
            },
            EventKind::ToolCallStart { lane, id, name } => {
                let LaneKind::ToolArguments { index } = lane.kind else { return };
                let Called { place, .. } = *self.choice(lane.choice, sink).call(index);
                let made = || call_id(&self.id, lane.choice, place);
                let id = if id.is_empty() { made() } else { id.clone() };
                let lane = Lane::tool_arguments(lane.choice, place);
                sink.write(&EventKind::ToolCallStart { lane, id, name: name.clone() });
            }
            EventKind::Finish { choice, reason } => self.finish(*choice, reason.clone(), sink),
            EventKind::Usage(usage) => self.usage = Some(*usage),
            _ => {}
        }
    }

    /// Writes what must stand before the terminator.
    pub(super) fn close(&mut self, hides_usage: bool, sink: &mut Sink<'_>) {
        let open = self.choices.iter().filter(|(_, choice)| !choice.is_finished).map(|(index, _)| *index);
        for index in open.collect::<Vec<_>>() {
            self.finish(index, FinishReason::Stop, sink);
        }
        if let Some(usage) = self.usage.filter(|_| !hides_usage) {
            sink.write(&EventKind::Usage(usage));
        }
    }

    fn finish(&mut self, index: u32, reason: FinishReason, sink: &mut Sink<'_>) {
        let choice = self.choice(index, sink);
        if choice.is_finished {
            return;
        }
        choice.is_finished = true;
        // Clients read the arguments of every call as an object, also of one that takes none.
        for call in choice.calls.values().filter(|call| !call.has_arguments) {
            let lane = Lane::tool_arguments(index, call.place);
            sink.write(&EventKind::TextDelta { lane, text: "{}".into() });
        }
        let reason = match reason {
            // Another dialect's word is none of ours.
            FinishReason::Other(_) => FinishReason::Stop,
            reason => reason,
        };
        sink.write(&EventKind::Finish {
            choice: index,
            reason: with_calls(reason, !choice.calls.is_empty()),
        });
    }

    /// A choice, opened if it was not.
    fn choice(&mut self, index: u32, sink: &mut Sink<'_>) -> &mut Choice {
        self.choices.entry(index).or_insert_with(|| {
            sink.envelope.begin(index, sink.model, sink.out);
            Choice::default()
        })
    }
}
