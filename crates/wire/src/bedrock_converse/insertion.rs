//! Texts that are added to a stream whose other messages stay the provider's.

use std::collections::BTreeMap;

use gatewright::EventKind;
use gatewright::text::{Lane, LaneKind};

use super::block::{self, Delta};
use super::{event, finish, writer};
use crate::event_stream::Message;

/// What is known of the provider's blocks.
///
/// A text that is added goes into the last block of its lane, closed or not: clients put texts together by index,
/// and an index of our own could be one that the provider uses later.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// The last block of each lane.
    last: BTreeMap<Lane, u64>,
    /// The index behind all that were seen.
    next: u64,
    calls: u32,
}

impl Blocks {
    /// Learns which block a message belongs to.
    pub(super) fn learn(&mut self, message: &Message) {
        let event::Kind::Event(name) = event::kind(message) else { return };
        let Ok(said) = event::read(name, &message.payload) else { return };
        let Some(block) = said.block() else { return };
        let lane = match said {
            event::Said::CallStart { .. } => {
                let lane = Lane::tool_arguments(0, self.calls);
                self.calls = self.calls.saturating_add(1);
                lane
            }
            event::Said::Text { .. } => Lane::content(0),
            event::Said::Reasoning { .. } => Lane::reasoning(0),
            _ => return,
        };
        self.next = self.next.max(block.saturating_add(1));
        self.last.insert(lane, block);
    }

    /// The last block of a lane.
    pub(super) fn last_of(&self, lane: Lane) -> Option<u64> {
        self.last.get(&lane).copied()
    }

    /// Writes an event that was added.
    pub(super) fn write(&mut self, event: &EventKind, out: &mut Vec<u8>) {
        match event {
            EventKind::Start => event::write(out, event::MESSAGE_START, &block::message_start()),
            EventKind::TextDelta { lane, text } if lane.choice == 0 => {
                self.text(writer::spoken(*lane), text, out);
            }
            EventKind::ToolCallStart { lane, id, name } if lane.choice == 0 => {
                let block = self.begin(*lane);
                event::write(out, event::BLOCK_START, &block::call_start(block, id, name));
            }
            EventKind::LaneEnd { lane } => {
                if let Some(block) = self.last.get(lane) {
                    event::write(out, event::BLOCK_STOP, &block::stop(*block));
                }
            }
            EventKind::Finish { choice: 0, reason } => {
                let word = finish::word(reason, false);
                event::write(out, event::MESSAGE_STOP, &block::message_stop(&word));
            }
            EventKind::Usage(usage) => event::write(out, event::METADATA, &block::metadata(usage)),
            _ => {}
        }
    }

    fn text(&mut self, lane: Lane, text: &str, out: &mut Vec<u8>) {
        let delta = match lane.kind {
            LaneKind::Reasoning => Delta::Reasoning(text),
            LaneKind::ToolArguments { .. } => Delta::Arguments(text),
            LaneKind::Content | LaneKind::Refusal => Delta::Text(text),
        };
        let known = self.last.get(&lane).copied();
        let block = known.unwrap_or_else(|| self.begin(lane));
        event::write(out, event::BLOCK_DELTA, &block::delta(block, delta));
        if known.is_none() {
            event::write(out, event::BLOCK_STOP, &block::stop(block));
        }
    }

    fn begin(&mut self, lane: Lane) -> u64 {
        let block = self.next;
        self.next = self.next.saturating_add(1);
        self.last.insert(lane, block);
        block
    }
}
