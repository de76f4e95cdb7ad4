//! The text of one lane while a filter works on it: what is held, what was left of it, what is edited.
//!
//! Owns the release rule. A cut is laid through the held text, as far right as the filter's reach and
//! wishes allow; edits that end before it are made, a match that crosses it moves it back to its start.
//! What stays behind is shown again, unedited, together with the text that comes next.

use super::json::JsonText;
use super::{HoldBack, Lane, LaneKind, Overflow};

/// How much released text a filter can look back on, in bytes.
pub(super) const CONTEXT_BYTES: usize = 64;
/// From how much released text on the buffer is moved together.
const COMPACT_BYTES: usize = 1024;
/// The most memory that an idle lane keeps for text to come, in bytes.
const IDLE_BYTES_MAX: usize = 16 * 1024;

/// What came of one release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    /// Whether exactly the text that came last was released, with nothing held before or after and no
    /// edit: the event that brought it can go out as it came.
    pub unchanged: bool,
    /// How many edits were made in the released text.
    pub edits: usize,
}

/// What a stage holds and did, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextStats {
    /// Bytes held now, over all lanes.
    pub held_bytes: usize,
    /// The most bytes that were held at once.
    pub held_bytes_peak: usize,
    /// Edits made so far.
    pub edits: usize,
    /// Whether a lane's text made exact release too dear, so that its longest match is held instead.
    pub coarse: bool,
}

/// Why a text cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// The filter would hold more than its bound, and its [`Overflow`] is `Cut`.
    #[error("the filter would hold {held} bytes, at most {max} are allowed")]
    HeldTooMuch {
        /// The lane whose text it is.
        lane: Lane,
        /// What would be held, in bytes.
        held: usize,
        /// What is allowed, in bytes.
        max: usize,
    },
    /// The answer has more texts at once than a stage keeps.
    #[error("the answer has more than {max} texts at once")]
    TooManyLanes {
        /// How many are allowed.
        max: usize,
    },
}

/// An edit that a filter asked for; places count in the buffer.
#[derive(Debug)]
struct Edit {
    start: usize,
    end: usize,
    with: String,
}

/// The text of one lane.
///
/// Invariant: `start` and every place of an edit are character boundaries of `buffer`; edits stand in
/// order, do not overlap, and do not begin before `start`.
#[derive(Debug)]
pub(super) struct LaneText {
    lane: Lane,
    hold: HoldBack,
    /// Left context up to `start`, then the text that is not released.
    buffer: String,
    start: usize,
    /// How many bytes of the lane went out of the buffer at its front.
    dropped: usize,
    edits: Vec<Edit>,
    hold_from: usize,
    is_last: bool,
    /// How many pieces came since the last release, and whether something was held before them.
    pieces: usize,
    was_empty: bool,
    json: Option<Box<JsonText>>,
    pub(super) coarse: bool,
}

impl LaneText {
    pub(super) fn new(lane: Lane, hold: HoldBack) -> Self {
        let json = matches!(lane.kind, LaneKind::ToolArguments { .. }).then(Box::default);
        Self {
            lane,
            hold,
            buffer: String::new(),
            start: 0,
            dropped: 0,
            edits: Vec::new(),
            hold_from: usize::MAX,
            is_last: false,
            pieces: 0,
            was_empty: true,
            json,
            coarse: false,
        }
    }

    pub(super) fn lane(&self) -> Lane {
        self.lane
    }

    pub(super) fn is_last(&self) -> bool {
        self.is_last
    }

    /// Everything that the buffer has, and where the text begins in it.
    pub(super) fn parts(&self) -> (&str, usize) {
        (&self.buffer, self.start)
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.buffer.len() - self.start + self.json.as_ref().map_or(0, |json| json.pending_bytes())
    }

    pub(super) fn push(&mut self, piece: &str, is_last: bool) {
        if self.pieces == 0 {
            self.was_empty = self.held_bytes() == 0;
        }
        self.pieces += 1;
        self.is_last |= is_last;
        let Some(json) = &mut self.json else {
            self.buffer.push_str(piece);
            return;
        };
        json.read(piece, &mut self.buffer, self.dropped);
        if is_last {
            json.read_end(&mut self.buffer);
        }
    }

    /// Holds everything from this place of the buffer on.
    pub(super) fn hold_from(&mut self, at: usize) {
        let at = at.max(self.start);
        self.hold_from = self.hold_from.min(self.buffer.floor_char_boundary(at));
    }

    /// Adds an edit; places count in the buffer. One that overlaps earlier ones widens the first of them.
    pub(super) fn edit(&mut self, start: usize, end: usize, with: String) {
        let start = self.buffer.floor_char_boundary(start.max(self.start));
        let end = self.buffer.ceil_char_boundary(end.max(start));
        let mut edit = Edit { start, end, with };
        if self.edits.last().is_none_or(|last| last.end <= start) {
            self.edits.push(edit);
            return;
        }
        let mut first = true;
        self.edits.retain_mut(|other| {
            let overlaps = other.start < edit.end && edit.start < other.end;
            if overlaps {
                edit.start = edit.start.min(other.start);
                edit.end = edit.end.max(other.end);
                if std::mem::take(&mut first) {
                    edit.with = std::mem::take(&mut other.with);
                }
            }
            !overlaps
        });
        let at = self.edits.partition_point(|other| other.end <= edit.start);
        self.edits.insert(at, edit);
    }

    /// Makes the edits that are certain and appends to `out` what they and the reach let go.
    pub(super) fn release(&mut self, out: &mut String) -> Result<Released, TextError> {
        let cut = self.cut()?;
        let mut edits = std::mem::take(&mut self.edits);
        let mut at = self.start;
        let mut made = 0;
        for edit in edits.drain(..) {
            // An insertion right at the cut waits: the filter is asked again when text follows it.
            let certain = self.is_last || (edit.end <= cut && edit.start < cut);
            if !certain {
                break;
            }
            self.write(at, edit.start, out);
            self.write_edit(&edit, out);
            at = edit.end;
            made += 1;
        }
        self.write(at, cut, out);
        self.edits = edits;
        self.start = cut;
        let unchanged = self.was_empty && self.pieces == 1 && made == 0 && self.held_bytes() == 0;
        self.hold_from = usize::MAX;
        self.pieces = 0;
        self.compact();
        Ok(Released { unchanged, edits: made })
    }

    /// Where the released part ends.
    fn cut(&self) -> Result<usize, TextError> {
        let len = self.buffer.len();
        if self.is_last {
            return Ok(len);
        }
        let reach = len.saturating_sub(self.hold.bytes).max(self.start);
        let cut =
            self.uncrossed(self.buffer.floor_char_boundary(reach).min(self.hold_from), |edit| edit.start);
        // A reach is moved left to a character boundary, which may add up to three bytes.
        let max = self.hold.max_bytes.max(self.hold.bytes.saturating_add(3));
        let held = len - cut;
        match self.hold.overflow {
            _ if held <= max => Ok(cut),
            Overflow::Cut => Err(TextError::HeldTooMuch { lane: self.lane, held, max }),
            Overflow::Release => {
                Ok(self.uncrossed(self.buffer.ceil_char_boundary(len - max), |edit| edit.end))
            }
        }
    }

    /// `cut`, moved to that side of an edit which it would cross.
    fn uncrossed(&self, cut: usize, side: impl Fn(&Edit) -> usize) -> usize {
        self.edits.iter().find(|edit| edit.start < cut && cut < edit.end).map_or(cut, side)
    }

    fn write(&mut self, start: usize, end: usize, out: &mut String) {
        let text = self.buffer.get(start..end).unwrap_or_default();
        match &mut self.json {
            Some(json) => json.write(text, self.dropped + start, out),
            None => out.push_str(text),
        }
    }

    fn write_edit(&mut self, edit: &Edit, out: &mut String) {
        let removed = self.buffer.get(edit.start..edit.end).unwrap_or_default();
        match &mut self.json {
            Some(json) => json.write_edit(removed, self.dropped + edit.start, &edit.with, out),
            None => out.push_str(&edit.with),
        }
    }

    /// Lets go of released text that no filter can look back on any more.
    fn compact(&mut self) {
        if self.start < COMPACT_BYTES {
            return;
        }
        let gone = self.buffer.floor_char_boundary(self.start - CONTEXT_BYTES);
        self.buffer.drain(..gone);
        self.start -= gone;
        self.dropped += gone;
        if self.buffer.len() < IDLE_BYTES_MAX {
            self.buffer.shrink_to(IDLE_BYTES_MAX);
        }
    }
}
