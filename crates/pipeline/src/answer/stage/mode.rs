//! How a filter sees an answer, with what the host keeps for it.

use gatewright::text::{TextPatterns, TextStage};
use gatewright::{FilterPlan, ResponseHead};

/// A filter's plan at work.
pub(super) enum Mode {
    Observe,
    Events,
    Text { stage: TextStage, patterns: Option<TextPatterns>, scratch: String },
    Whole { max_bytes: usize, is_stream: bool },
}

impl Mode {
    /// `None` for a filter that does not want to see the answer.
    pub(super) fn of(plan: FilterPlan, head: &ResponseHead) -> Option<Self> {
        Some(match plan {
            FilterPlan::Observe => Self::Observe,
            FilterPlan::Events => Self::Events,
            FilterPlan::Text(hold) => {
                Self::Text { stage: TextStage::new(hold), patterns: None, scratch: String::new() }
            }
            FilterPlan::Patterns(patterns) => Self::Text {
                stage: TextStage::new(patterns.hold_back()),
                patterns: Some(patterns),
                scratch: String::new(),
            },
            FilterPlan::Whole { max_bytes } => Self::Whole { max_bytes, is_stream: head.streams },
            _ => return None,
        })
    }
}
