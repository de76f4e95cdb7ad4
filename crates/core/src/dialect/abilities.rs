//! What a target can take, beside its dialect.

use std::borrow::Cow;

use crate::chat::{MediaKind, Param};

/// What a target can take, as far as anybody knows. What nobody knows is taken to be possible: the provider then says
/// so itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and they come in any combination"
)]
pub struct Abilities {
    /// The most output tokens that it makes. A dialect that wants a cap with every request takes it from here.
    pub output_tokens_max: Option<u64>,
    /// The most inputs of a request for vectors that it takes at once.
    pub inputs_max: Option<u64>,
    /// How it is told to reason.
    pub reasoning: ReasoningForm,
    /// Parameters that it refuses or ignores, or that make it fail.
    pub refuses: Vec<Param>,
    /// Parameters for which it has a name of its own at the top of the request, where its dialect has another.
    pub names: Vec<(Param, Cow<'static, str>)>,
    /// What it reads beside text.
    pub media: Vec<MediaKind>,
    /// Whether it fetches media by their addresses.
    pub fetches_urls: bool,
    /// Whether it goes on with an answer that the request begins.
    pub continues_answers: bool,
    /// Whether it holds an answer to a JSON schema.
    pub holds_to_schema: bool,
    /// Whether it takes the oldest name of the cap on output tokens only.
    pub has_legacy_cap: bool,
    /// Whether it takes the question for usage figures in a stream. One that does not is taken to give them unasked.
    pub has_stream_options: bool,
    /// Whether it knows the role of developers, where its dialect has one beside that of the system.
    pub has_developer_role: bool,
}

impl Abilities {
    /// The name that the target has for a parameter at the top of the request, if that is one of its own.
    #[must_use]
    pub fn own_name(&self, param: Param) -> Option<&str> {
        self.names.iter().find(|(named, _)| *named == param).map(|(_, name)| name.as_ref())
    }
}

impl Default for Abilities {
    fn default() -> Self {
        Self {
            output_tokens_max: None,
            inputs_max: None,
            reasoning: ReasoningForm::default(),
            refuses: Vec::new(),
            names: Vec::new(),
            media: vec![MediaKind::Image, MediaKind::Audio, MediaKind::Video, MediaKind::Document],
            fetches_urls: true,
            continues_answers: true,
            holds_to_schema: true,
            has_legacy_cap: false,
            has_stream_options: true,
            has_developer_role: true,
        }
    }
}

/// How a model is told to reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReasoningForm {
    /// As its dialect does by default.
    #[default]
    Usual,
    /// It does not reason: whatever says so is left out.
    Never,
    /// By a number of tokens.
    Budget,
    /// By a word.
    Effort,
    /// It decides itself, within a word.
    Adaptive,
}

impl ReasoningForm {
    /// The form that a word of a data file stands for.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "usual" => Self::Usual,
            "never" => Self::Never,
            "budget" => Self::Budget,
            "effort" => Self::Effort,
            "adaptive" => Self::Adaptive,
            _ => return None,
        })
    }
}
