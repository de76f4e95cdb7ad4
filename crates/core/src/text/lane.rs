//! Where in an answer a piece of text belongs.
//!
//! A lane is one text that a client assembles from many events: the content of a choice, its reasoning,
//! the arguments of one tool call. Pieces of different lanes may come interleaved; a filter sees each
//! lane as one text.

use std::ops::BitOr;

/// One text of an answer: which choice it belongs to, and which text of that choice it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    /// Index of the choice (candidate answer), from 0.
    pub choice: u32,
    /// Which of the choice's texts.
    pub kind: LaneKind,
}

impl Lane {
    /// The visible answer of a choice.
    #[must_use]
    pub const fn content(choice: u32) -> Self {
        Self { choice, kind: LaneKind::Content }
    }

    /// The reasoning of a choice.
    #[must_use]
    pub const fn reasoning(choice: u32) -> Self {
        Self { choice, kind: LaneKind::Reasoning }
    }

    /// The refusal of a choice.
    #[must_use]
    pub const fn refusal(choice: u32) -> Self {
        Self { choice, kind: LaneKind::Refusal }
    }

    /// The arguments of the tool call at `index` within a choice.
    #[must_use]
    pub const fn tool_arguments(choice: u32, index: u32) -> Self {
        Self { choice, kind: LaneKind::ToolArguments { index } }
    }
}

/// The kinds of text that a choice can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LaneKind {
    /// What the user reads.
    Content,
    /// The model's reasoning, where the provider shows it.
    Reasoning,
    /// Why the model declined, where the provider keeps that apart from the content.
    Refusal,
    /// The arguments of one tool call: the source text of a JSON value.
    ///
    /// A filter sees it with the escapes of its strings resolved, and what it puts in is escaped again.
    ToolArguments {
        /// Index of the tool call within its choice, from 0.
        index: u32,
    },
}

/// The kinds of lane that a filter wants to see.
///
/// ```
/// use gatewright::text::{LaneKind, LaneMask};
///
/// let mask = LaneMask::CONTENT | LaneMask::TOOL_ARGUMENTS;
/// assert!(mask.contains(LaneKind::ToolArguments { index: 3 }));
/// assert!(!mask.contains(LaneKind::Reasoning));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LaneMask(u8);

impl LaneMask {
    /// No lane.
    pub const NONE: Self = Self(0);
    /// [`LaneKind::Content`].
    pub const CONTENT: Self = Self(1);
    /// [`LaneKind::Reasoning`].
    pub const REASONING: Self = Self(1 << 1);
    /// [`LaneKind::Refusal`].
    pub const REFUSAL: Self = Self(1 << 2);
    /// [`LaneKind::ToolArguments`].
    pub const TOOL_ARGUMENTS: Self = Self(1 << 3);
    /// Every lane: what a filter that guards something wants.
    pub const ALL: Self = Self(0b1111);

    /// Whether lanes of this kind are wanted.
    #[must_use]
    pub const fn contains(self, kind: LaneKind) -> bool {
        let bit = match kind {
            LaneKind::Content => Self::CONTENT,
            LaneKind::Reasoning => Self::REASONING,
            LaneKind::Refusal => Self::REFUSAL,
            LaneKind::ToolArguments { .. } => Self::TOOL_ARGUMENTS,
        };
        self.0 & bit.0 != 0
    }
}

/// A kind of lane, as settings name it.
///
/// ```
/// use gatewright::text::{LaneMask, LaneName};
///
/// let lanes = [LaneName::Content, LaneName::ToolArguments];
/// assert_eq!(lanes.into_iter().collect::<LaneMask>(), LaneMask::CONTENT | LaneMask::TOOL_ARGUMENTS);
/// ```
#[crate::config]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum LaneName {
    /// What the user reads.
    Content,
    /// The model's reasoning.
    Reasoning,
    /// Why the model declined.
    Refusal,
    /// The arguments of tool calls.
    ToolArguments,
}

impl LaneName {
    /// All of them: what a filter that guards something has as its default.
    #[must_use]
    pub fn all() -> Vec<Self> {
        vec![Self::Content, Self::Reasoning, Self::Refusal, Self::ToolArguments]
    }
}

impl From<LaneName> for LaneMask {
    fn from(name: LaneName) -> Self {
        match name {
            LaneName::Content => Self::CONTENT,
            LaneName::Reasoning => Self::REASONING,
            LaneName::Refusal => Self::REFUSAL,
            LaneName::ToolArguments => Self::TOOL_ARGUMENTS,
        }
    }
}

impl FromIterator<LaneName> for LaneMask {
    fn from_iter<I: IntoIterator<Item = LaneName>>(names: I) -> Self {
        names.into_iter().fold(Self::NONE, |mask, name| mask | name.into())
    }
}

impl Default for LaneMask {
    fn default() -> Self {
        Self::ALL
    }
}

impl BitOr for LaneMask {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
