//! Which tool call a piece of a stream belongs to.
//!
//! The index of a call should say so. Some servers give all calls of a turn the same one, or none at all, and tell
//! them apart by their ids alone.

use std::collections::BTreeMap;

use gatewright::text::{Lane, LaneKind};

use crate::stream::{KEPT_BYTES_MAX, PARTS_MAX};

/// The tool calls of a stream so far.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// By choice and the server's index: the call that was begun there last.
    begun: BTreeMap<(u32, u32), Begun>,
    /// By choice: the index after all that calls have had.
    free: BTreeMap<u32, u32>,
    /// Bytes of the ids that are kept.
    id_bytes: usize,
    is_full: bool,
}

#[derive(Debug)]
struct Begun {
    id: String,
    /// Its index among all calls of the choice.
    place: u32,
}

impl Calls {
    /// Whether more calls have begun than an answer can have, so that some are not told apart.
    pub(super) const fn is_full(&self) -> bool {
        self.is_full
    }

    /// The lane of a call that begins at a lane of the server, or goes on there: another id with a name is another
    /// call.
    pub(super) fn begin(&mut self, lane: Lane, id: &str, name: &str) -> Lane {
        let LaneKind::ToolArguments { index } = lane.kind else { return lane };
        let begun = self.begun.get_mut(&(lane.choice, index));
        let is_known = begun.is_some();
        if let Some(begun) = begun {
            if begun.id.is_empty() && !self.is_full {
                self.id_bytes = self.id_bytes.saturating_add(id.len());
                self.is_full |= self.id_bytes > KEPT_BYTES_MAX;
                id.clone_into(&mut begun.id);
            }
            if id.is_empty() || name.is_empty() || begun.id == id {
                return Lane::tool_arguments(lane.choice, begun.place);
            }
        }
        self.id_bytes = self.id_bytes.saturating_add(id.len());
        self.is_full |= self.begun.len() >= PARTS_MAX || self.id_bytes > KEPT_BYTES_MAX;
        if self.is_full {
            return lane;
        }
        let free = self.free.entry(lane.choice).or_default();
        let place = if is_known { *free } else { index.max(*free) };
        *free = place.saturating_add(1);
        self.begun.insert((lane.choice, index), Begun { id: id.to_owned(), place });
        Lane::tool_arguments(lane.choice, place)
    }

    /// The lane of a text at a lane of the server.
    pub(super) fn lane(&self, lane: Lane) -> Lane {
        let LaneKind::ToolArguments { index } = lane.kind else { return lane };
        let begun = self.begun.get(&(lane.choice, index));
        begun.map_or(lane, |begun| Lane::tool_arguments(lane.choice, begun.place))
    }
}
