//! The settings, and the patterns that they make.

use gatewright::prelude::*;
use gatewright::text::{Pattern, PatternError};

use crate::preset::Preset;

/// Settings of `mask`.
#[gatewright::config]
#[derive(Debug)]
pub struct Settings {
    /// The ready-made patterns to mask by. Default: all but `ip`.
    #[serde(default = "default_presets")]
    pub presets: Vec<Preset>,
    /// Patterns of your own; they come before the ready-made ones.
    #[serde(default)]
    pub patterns: Vec<OwnPattern>,
    /// Which texts of an answer to mask. Default: all.
    #[serde(default = "all_lanes")]
    pub lanes: Vec<LaneName>,
}

/// A pattern of the operator.
#[gatewright::config]
#[derive(Debug)]
pub struct OwnPattern {
    /// What the pattern is called.
    pub name: String,
    /// A regular expression without look-around and back-references, such as `\bTK-[0-9]{4,8}\b`. Word
    /// boundaries are ASCII. Its repetitions have to be bounded, or `max_bytes` given.
    pub regex: String,
    /// What takes the place of a match. Default: the name in brackets.
    #[serde(default)]
    pub replace: Option<String>,
    /// The longest match that counts, in bytes; at most 4096. Needed for repetitions without a bound.
    #[serde(default)]
    pub max_bytes: Option<usize>,
}

/// A text of an answer.
#[gatewright::config]
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

fn default_presets() -> Vec<Preset> {
    Preset::ALL.iter().copied().filter(|preset| *preset != Preset::Ip).collect()
}

fn all_lanes() -> Vec<LaneName> {
    vec![LaneName::Content, LaneName::Reasoning, LaneName::Refusal, LaneName::ToolArguments]
}

impl Settings {
    pub(crate) fn patterns(&self) -> Result<TextPatterns, BuildError> {
        if self.patterns.is_empty() && self.presets.is_empty() {
            return Err(BuildError::at("presets", "nothing to mask; name a preset or give a pattern"));
        }
        for (index, own) in self.patterns.iter().enumerate() {
            // Each is compiled alone first, so that a mistake is reported at its place.
            TextPatterns::compile([own.pattern()])
                .map_err(|error| BuildError::at(format!("patterns[{index}]"), said(&error)))?;
        }
        let own = self.patterns.iter().map(OwnPattern::pattern);
        let presets = Preset::ALL.iter().filter(|preset| self.presets.contains(preset));
        TextPatterns::compile(own.chain(presets.flat_map(|preset| preset.patterns())))
            .map_err(|error| BuildError::at("patterns", said(&error)))
    }

    pub(crate) fn lanes(&self) -> LaneMask {
        self.lanes.iter().fold(LaneMask::NONE, |mask, lane| {
            mask | match lane {
                LaneName::Content => LaneMask::CONTENT,
                LaneName::Reasoning => LaneMask::REASONING,
                LaneName::Refusal => LaneMask::REFUSAL,
                LaneName::ToolArguments => LaneMask::TOOL_ARGUMENTS,
            }
        })
    }
}

/// The error with its cause, which has the place in the expression.
fn said(error: &PatternError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

impl OwnPattern {
    fn pattern(&self) -> Pattern {
        let mut pattern = Pattern::new(self.name.clone(), self.regex.clone());
        if let Some(text) = &self.replace {
            pattern = pattern.replace_with(text.clone());
        }
        if let Some(bytes) = self.max_bytes {
            pattern = pattern.max_bytes(bytes);
        }
        pattern
    }
}
