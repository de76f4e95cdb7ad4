//! Events that no frame of the provider is behind: those that are added to its stream, and whole streams from the
//! events of another dialect.

use std::collections::BTreeMap;

use gatewright::dialect::Envelope;
use gatewright::text::{Lane, LaneKind};
use gatewright::{EventKind, FinishReason, Usage};

use super::chat::{answer_id, call_id};
use super::event::{self, Said};
use super::finish;

/// What is known of the provider's blocks, for texts that are added.
///
/// A text goes into the last block of its lane, closed or not: clients put texts together by index, and an index of
/// our own could be one that the provider uses later.
#[derive(Debug, Default)]
pub(super) struct Insertion {
    /// The last block of each lane; none for the plan.
    last: BTreeMap<Lane, Option<u32>>,
    /// The index behind all that were seen.
    next: u32,
}

impl Insertion {
    /// Learns which block an event belongs to.
    pub(super) fn learn(&mut self, said: &Said<'_>) {
        let (lane, block) = match said {
            Said::BlockStart { block, lane, .. } => (*lane, Some(*block)),
            Said::Text { block, lane, .. } => (*lane, *block),
            _ => return,
        };
        self.next = self.next.max(block.map_or(0, |block| block.saturating_add(1)));
        self.last.insert(lane, block);
    }

    /// Writes an event that was added.
    pub(super) fn write(&mut self, event: &EventKind, out: &mut Vec<u8>) {
        match event {
            EventKind::Start => event::start("", out),
            EventKind::TextDelta { lane, text } if lane.choice == 0 && !text.is_empty() => {
                self.text(spoken(*lane), text, out);
            }
            EventKind::ToolCallStart { lane, id, name } if lane.choice == 0 => {
                if let LaneKind::ToolArguments { index } = lane.kind {
                    event::call_start(index, id, name, out);
                }
            }
            EventKind::LaneEnd { lane } => {
                if let LaneKind::ToolArguments { index } = lane.kind {
                    event::call_end(index, out);
                }
            }
            EventKind::Finish { choice: 0, reason } => event::end(finish::word(reason, false), None, out),
            _ => {}
        }
    }

    fn text(&mut self, lane: Lane, text: &str, out: &mut Vec<u8>) {
        if let LaneKind::ToolArguments { index } = lane.kind {
            return event::call_delta(index, text, out);
        }
        match self.last.get(&lane).copied() {
            Some(Some(block)) => event::block_delta(block, lane, text, out),
            Some(None) => event::plan_delta(text, out),
            None => {
                let block = self.next;
                self.next = block.saturating_add(1);
                self.last.insert(lane, Some(block));
                event::block_start(block, lane, out);
                event::block_delta(block, lane, text, out);
                event::block_end(block, out);
            }
        }
    }
}

/// The dialect has no text of its own for refusals.
fn spoken(lane: Lane) -> Lane {
    if lane.kind == LaneKind::Refusal { Lane::content(lane.choice) } else { lane }
}

/// A whole stream. Calls go on side by side, because each piece says whose it is.
#[derive(Debug)]
pub(super) struct Writer {
    envelope: Envelope,
    has_begun: bool,
    /// The block that is open, and the index of the next one.
    open: Option<(Lane, u32)>,
    next: u32,
    /// Calls by the indices of their lanes.
    calls: BTreeMap<u32, Call>,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    /// Its place among the calls: not every dialect counts its calls alone.
    place: u32,
    has_arguments: bool,
    is_ended: bool,
}

impl Writer {
    pub(super) fn new(envelope: Envelope) -> Self {
        Self {
            envelope,
            has_begun: false,
            open: None,
            next: 0,
            calls: BTreeMap::new(),
            finish: None,
            usage: None,
        }
    }

    /// Writes what an event says. There is one answer only, so others are left out.
    pub(super) fn write(&mut self, event: &EventKind, out: &mut Vec<u8>) {
        self.begin(out);
        match event {
            EventKind::TextDelta { lane, text } if lane.choice == 0 && !text.is_empty() => {
                self.text(spoken(*lane), text, out);
            }
            EventKind::ToolCallStart { lane, id, name } if lane.choice == 0 => {
                if let LaneKind::ToolArguments { index } = lane.kind {
                    self.call(index, id, name, out);
                }
            }
            EventKind::LaneEnd { lane } if lane.choice == 0 => match lane.kind {
                // Without any arguments it may be that a filter holds all of them.
                LaneKind::ToolArguments { index } if self.has_arguments(index) => self.end_call(index, out),
                _ if self.open.is_some_and(|(open, _)| open == spoken(*lane)) => self.close(out),
                _ => {}
            },
            EventKind::Finish { choice: 0, reason } => self.finish = Some(reason.clone()),
            EventKind::Usage(usage) => self.usage = Some(*usage),
            _ => {}
        }
    }

    /// Writes the end of the message.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        self.close(out);
        let calls: Vec<u32> = self.calls.keys().copied().collect();
        calls.into_iter().for_each(|index| self.end_call(index, out));
        let reason = self.finish.take().unwrap_or(FinishReason::Stop);
        event::end(finish::word(&reason, !self.calls.is_empty()), self.usage.as_ref(), out);
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.has_begun, true) {
            event::start(&answer_id(&self.envelope), out);
        }
    }

    fn has_arguments(&self, index: u32) -> bool {
        self.calls.get(&index).is_some_and(|call| call.has_arguments)
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if let Some((_, block)) = self.open.take() {
            event::block_end(block, out);
        }
    }

    fn text(&mut self, lane: Lane, text: &str, out: &mut Vec<u8>) {
        if let LaneKind::ToolArguments { index } = lane.kind {
            // Text of a call that never began, or is over, belongs to nobody.
            if let Some(call) = self.calls.get_mut(&index).filter(|call| !call.is_ended) {
                call.has_arguments = true;
                event::call_delta(call.place, text, out);
            }
            return;
        }
        let block = match self.open {
            Some((open, block)) if open == lane => block,
            _ => {
                self.close(out);
                let block = self.next;
                self.next = block.saturating_add(1);
                self.open = Some((lane, block));
                event::block_start(block, lane, out);
                block
            }
        };
        event::block_delta(block, lane, text, out);
    }

    fn call(&mut self, index: u32, id: &str, name: &str, out: &mut Vec<u8>) {
        // Some providers say with every piece whose it is.
        if self.calls.contains_key(&index) {
            return;
        }
        self.close(out);
        let place = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        self.calls.insert(index, Call { place, has_arguments: false, is_ended: false });
        let made = if id.is_empty() { call_id(&self.envelope, place) } else { id.to_owned() };
        event::call_start(place, &made, name, out);
    }

    /// Clients read the arguments of every call as an object, also of one that takes none.
    fn end_call(&mut self, index: u32, out: &mut Vec<u8>) {
        let Some(call) = self.calls.get_mut(&index).filter(|call| !call.is_ended) else { return };
        call.is_ended = true;
        if !call.has_arguments {
            event::call_delta(call.place, "{}", out);
        }
        event::call_end(call.place, out);
    }
}
