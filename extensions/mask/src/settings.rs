//! The settings, and the patterns that they make.

use gatewright::prelude::*;
use gatewright::text::{Pattern, PatternError, as_read};

use crate::placeholder::{Labels, label};
use crate::preset::Preset;
use crate::restore::Restoring;

/// The most distinct values of one exchange that may be restored.
const VALUES_MAX: usize = 10_000;
/// How many there are without a setting.
const VALUES_DEFAULT: usize = 500;

/// Masks what matches patterns in prompts and answers, whole and streamed, and restores it where that is wanted.
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
    /// Whether what is masked in a prompt comes back in the answer. The model sees a numbered placeholder,
    /// such as `[EMAIL_1]`, and where its answer repeats it, the caller reads the value again. The instance
    /// has to stand in the chains `request` and `response` of the route. Default: false.
    #[serde(default)]
    pub restore: bool,
    /// In which texts of an answer values are restored. Default: all.
    #[serde(default)]
    pub restore_lanes: Option<Vec<LaneName>>,
    /// How many distinct values of one exchange get a placeholder, at most 10000; those beyond are masked
    /// for good. Default: 500.
    #[serde(default)]
    pub restore_values_max: Option<usize>,
}

/// A pattern of the operator.
#[gatewright::config]
#[derive(Debug)]
pub struct OwnPattern {
    /// What the pattern is called.
    pub name: String,
    /// A regular expression without look-around and back-references, such as `\bTK-[0-9]{4,8}\b`. Word
    /// boundaries are ASCII. Its repetitions have to be bounded, or `max_bytes` given. Text is looked at as
    /// it reads: write the hyphen, space or digit of ASCII where others of their kind are meant too.
    pub regex: String,
    /// What takes the place of a match, which is then not restored. Default: the name in brackets.
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

/// A pattern of the set, and what its placeholders are called; none where it has a replacement of its own.
pub(crate) struct Named {
    pub(crate) pattern: Pattern,
    pub(crate) label: Option<String>,
}

impl Settings {
    /// The patterns in order of preference.
    pub(crate) fn named(&self) -> Result<Vec<Named>, BuildError> {
        if self.patterns.is_empty() && self.presets.is_empty() {
            return Err(BuildError::at("presets", "nothing to mask; name a preset or give a pattern"));
        }
        for (index, own) in self.patterns.iter().enumerate() {
            own.check().map_err(|why| BuildError::at(format!("patterns[{index}]"), why))?;
        }
        let own = self.patterns.iter().map(|own| Named {
            pattern: own.pattern(),
            label: own.replace.is_none().then(|| label(&own.name)),
        });
        let presets = Preset::ALL.iter().filter(|preset| self.presets.contains(preset));
        let ready_made = presets.flat_map(|preset| {
            preset.patterns().into_iter().map(|pattern| Named { pattern, label: Some(label(preset.name())) })
        });
        Ok(own.chain(ready_made).collect())
    }

    /// What brings masked values back, if that is wanted.
    pub(crate) fn restoring(&self, named: &[Named]) -> Result<Option<Restoring>, BuildError> {
        if !self.restore {
            let is_unused = self.restore_lanes.is_none() && self.restore_values_max.is_none();
            let unused = if self.restore_lanes.is_some() { "restore_lanes" } else { "restore_values_max" };
            return if is_unused {
                Ok(None)
            } else {
                Err(BuildError::at(unused, "it needs `restore: true`"))
            };
        }
        let values_max = self.restore_values_max.unwrap_or(VALUES_DEFAULT);
        if !(1..=VALUES_MAX).contains(&values_max) {
            return Err(BuildError::at(
                "restore_values_max",
                format!("it is a number from 1 to {VALUES_MAX}"),
            ));
        }
        let labels = Labels::new(named.iter().map(|named| named.label.as_deref()));
        let Some(placeholder) = labels.pattern() else {
            let why = "every pattern has a replacement of its own, so nothing is restored";
            return Err(BuildError::at("restore", why));
        };
        for (index, own) in self.patterns.iter().enumerate() {
            if own.replace.as_deref().is_some_and(|text| labels.placeholders_in(text).next().is_some()) {
                let why = "it looks like a placeholder of `restore`";
                return Err(BuildError::at(format!("patterns[{index}].replace"), why));
            }
        }
        let masks = named.iter().map(|named| named.pattern.clone());
        Ok(Some(Restoring {
            lanes: self.restore_lanes.as_deref().map_or(LaneMask::ALL, lane_mask),
            values_max,
            alone: compiled([placeholder.clone()])?,
            with_masks: compiled(std::iter::once(placeholder).chain(masks))?,
            labels,
        }))
    }

    pub(crate) fn lanes(&self) -> LaneMask {
        lane_mask(&self.lanes)
    }
}

/// A set that looks at text as it reads.
pub(crate) fn compiled(patterns: impl IntoIterator<Item = Pattern>) -> Result<TextPatterns, BuildError> {
    let set = TextPatterns::compile(patterns).map_err(|error| BuildError::at("patterns", said(&error)))?;
    Ok(set.folding())
}

fn lane_mask(lanes: &[LaneName]) -> LaneMask {
    lanes.iter().fold(LaneMask::NONE, |mask, lane| {
        mask | match lane {
            LaneName::Content => LaneMask::CONTENT,
            LaneName::Reasoning => LaneMask::REASONING,
            LaneName::Refusal => LaneMask::REFUSAL,
            LaneName::ToolArguments => LaneMask::TOOL_ARGUMENTS,
        }
    })
}

/// The error with its cause, which has the place in the expression.
fn said(error: &PatternError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

impl OwnPattern {
    /// Looks at the pattern alone, so that a mistake is reported at its place.
    fn check(&self) -> Result<(), String> {
        let differs = |sign: &char| as_read(&sign.to_string()) != sign.to_string();
        if let Some(sign) = self.regex.chars().find(differs) {
            return Err(format!(
                "`{}` never comes, because text is looked at as it reads; write the sign of ASCII",
                sign.escape_unicode()
            ));
        }
        TextPatterns::compile([self.pattern()]).map(drop).map_err(|error| said(&error))
    }

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
