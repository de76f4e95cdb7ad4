//! One filter's view of one answer: a text per lane, what it holds, and the count of it.

use super::lane_text::LaneText;
use super::{HoldBack, Lane, Released, TextError, TextStats, TextWindow};

/// The most lanes that may be open at once in one answer.
const LANES_MAX: usize = 1024;

/// The texts of one answer as one filter sees them.
///
/// For each piece of text the host calls [`push`](Self::push), shows the filter the
/// [`window`](Self::window), and takes what is certain by [`release`](Self::release). Between the last two
/// it may wait, and open the window again. [`step`](Self::step) is the three in one.
///
/// A whole answer is one piece per lane with `is_last`.
///
/// ```
/// use gatewright::text::{Lane, Pattern, TextPatterns, TextStage};
///
/// let patterns = TextPatterns::compile([Pattern::new("ssn", r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b")])?;
/// let mut stage = TextStage::new(patterns.hold_back());
/// let mut out = String::new();
/// for (piece, is_last) in [("it is 123-4", false), ("5-67", false), ("89.", true)] {
///     stage.step(Lane::content(0), piece, is_last, &mut out, |window| window.mask(&patterns))?;
/// }
/// assert_eq!(out, "it is [ssn].");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TextStage {
    hold: HoldBack,
    /// In the order in which they began.
    lanes: Vec<LaneText>,
    stats: TextStats,
}

impl TextStage {
    /// A stage before the first piece of text.
    #[must_use]
    pub fn new(hold: HoldBack) -> Self {
        Self { hold, lanes: Vec::new(), stats: TextStats::default() }
    }

    /// Whether the filter wants the text of this lane; if not, the text passes by the stage.
    #[must_use]
    pub fn wants(&self, lane: Lane) -> bool {
        self.hold.lanes.contains(lane.kind)
    }

    /// The lanes that have begun and not ended, in the order in which they began.
    pub fn open_lanes(&self) -> impl Iterator<Item = Lane> {
        self.lanes.iter().map(LaneText::lane)
    }

    /// Whether text of this lane is held.
    #[must_use]
    pub fn holds(&self, lane: Lane) -> bool {
        self.lanes.iter().any(|state| state.lane() == lane && state.held_bytes() > 0)
    }

    /// What was held after the last release, and what was done so far.
    #[must_use]
    pub fn stats(&self) -> TextStats {
        self.stats
    }

    /// Appends a piece of text to a lane, which begins with its first piece and ends with `is_last`.
    ///
    /// # Errors
    /// More lanes are open than a stage keeps.
    pub fn push(&mut self, lane: Lane, piece: &str, is_last: bool) -> Result<(), TextError> {
        let index = match self.lanes.iter().position(|state| state.lane() == lane) {
            Some(index) => index,
            None if self.lanes.len() == LANES_MAX => return Err(TextError::TooManyLanes { max: LANES_MAX }),
            None => {
                self.lanes.push(LaneText::new(lane, self.hold));
                self.lanes.len() - 1
            }
        };
        self.lanes[index].push(piece, is_last);
        Ok(())
    }

    /// What the filter may look at and edit; `None` if the lane is not open.
    ///
    /// Edits asked for in an earlier window since the last release still stand.
    pub fn window(&mut self, lane: Lane) -> Option<TextWindow<'_>> {
        self.lanes.iter_mut().find(|state| state.lane() == lane).map(TextWindow::new)
    }

    /// Appends to `out` the text of the lane that is certain, and forgets the lane if that was its last.
    ///
    /// # Errors
    /// The filter would hold more than its bound. Nothing is released then, and the answer has to be cut.
    pub fn release(&mut self, lane: Lane, out: &mut String) -> Result<Released, TextError> {
        let Some(index) = self.lanes.iter().position(|state| state.lane() == lane) else {
            return Ok(Released { unchanged: false, edits: 0 });
        };
        let state = &mut self.lanes[index];
        let released = state.release(out)?;
        self.stats.edits += released.edits;
        self.stats.coarse |= state.coarse;
        if state.is_last() {
            self.lanes.remove(index);
        }
        self.stats.held_bytes = self.lanes.iter().map(LaneText::held_bytes).sum();
        self.stats.held_bytes_peak = self.stats.held_bytes_peak.max(self.stats.held_bytes);
        Ok(released)
    }

    /// Pushes a piece, lets `edit` work on the window, and releases.
    ///
    /// # Errors
    /// As [`push`](Self::push) and [`release`](Self::release).
    pub fn step<R>(
        &mut self,
        lane: Lane,
        piece: &str,
        is_last: bool,
        out: &mut String,
        edit: impl FnOnce(&mut TextWindow<'_>) -> R,
    ) -> Result<Released, TextError> {
        self.push(lane, piece, is_last)?;
        if let Some(mut window) = self.window(lane) {
            edit(&mut window);
        }
        self.release(lane, out)
    }
}
