//! Several stages in a row, driven by hand: the same machinery that an answer runs through, for tests,
//! for request texts, and for whoever has text and no gateway.

use std::fmt;

use super::{HoldBack, Lane, TextError, TextPatterns, TextStage, TextStats, TextWindow};

/// What a stage does with its window.
type Edit = Box<dyn FnMut(&mut TextWindow<'_>) + Send>;

/// A pipeline of text filters over one answer; the first sees the text first.
///
/// ```
/// use gatewright::text::{Lane, Pattern, TextPatterns, TextSession};
///
/// let keys = TextPatterns::compile([Pattern::new("key", r"\bsk-[0-9a-z]{8}\b")])?;
/// let mut session = TextSession::new().with_patterns(&keys);
/// let lane = Lane::content(0);
/// assert_eq!(session.push(lane, "use sk-0123", false)?, "use ");
/// assert_eq!(session.push(lane, "abcd now", false)?, "[key] now");
/// assert_eq!(session.push(lane, "", true)?, "");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct TextSession {
    stages: Vec<(TextStage, Edit)>,
    held_bytes_peak: usize,
}

impl TextSession {
    /// A session without stages: text passes as it comes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a stage that masks by patterns.
    #[must_use]
    pub fn with_patterns(self, patterns: &TextPatterns) -> Self {
        let patterns = patterns.clone();
        self.with_stage(patterns.hold_back(), move |window| {
            window.mask(&patterns);
        })
    }

    /// Adds a stage with its own way to edit.
    #[must_use]
    pub fn with_stage(
        mut self,
        hold: HoldBack,
        edit: impl FnMut(&mut TextWindow<'_>) + Send + 'static,
    ) -> Self {
        self.stages.push((TextStage::new(hold), Box::new(edit)));
        self
    }

    /// Takes a piece of a lane's text and returns what is released.
    ///
    /// # Errors
    /// A stage would hold more than its bound, or too many lanes are open.
    pub fn push(&mut self, lane: Lane, piece: &str, is_last: bool) -> Result<String, TextError> {
        let mut text = piece.to_owned();
        for (stage, edit) in &mut self.stages {
            if !stage.wants(lane) || (text.is_empty() && !is_last) {
                continue;
            }
            let mut released = String::with_capacity(text.len());
            stage.step(lane, &text, is_last, &mut released, edit)?;
            text = released;
        }
        self.held_bytes_peak = self.held_bytes_peak.max(self.held_bytes());
        Ok(text)
    }

    /// What the stages hold and did, together.
    #[must_use]
    pub fn stats(&self) -> TextStats {
        self.stages.iter().fold(
            TextStats { held_bytes_peak: self.held_bytes_peak, ..TextStats::default() },
            |sum, (stage, _)| {
                let stats = stage.stats();
                TextStats {
                    held_bytes: sum.held_bytes + stats.held_bytes,
                    edits: sum.edits + stats.edits,
                    coarse: sum.coarse | stats.coarse,
                    ..sum
                }
            },
        )
    }

    fn held_bytes(&self) -> usize {
        self.stages.iter().map(|(stage, _)| stage.stats().held_bytes).sum()
    }
}

impl fmt::Debug for TextSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextSession")
            .field("stages", &self.stages.len())
            .field("stats", &self.stats())
            .finish()
    }
}
