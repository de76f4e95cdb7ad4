//! How an answer is to be made.

use std::borrow::Cow;

use super::Json;

/// How tokens are drawn. Numbers are kept as they were written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling<'a> {
    /// From 0 to 2, or to 1, by dialect.
    pub temperature: Option<Json<'a>>,
    /// Nucleus sampling.
    pub top_p: Option<Json<'a>>,
    /// How many tokens are drawn from.
    pub top_k: Option<Json<'a>>,
    /// The seed.
    pub seed: Option<Json<'a>>,
    /// From -2 to 2.
    pub frequency_penalty: Option<Json<'a>>,
    /// From -2 to 2.
    pub presence_penalty: Option<Json<'a>>,
}

/// How much the model is to reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reasoning {
    /// In words.
    pub effort: Option<Effort>,
    /// In tokens. 0 switches it off.
    pub budget: Option<u64>,
    /// The model decides how much.
    pub is_adaptive: bool,
    /// Whether the reasoning, or a summary of it, is to be shown; none leaves it to the provider.
    pub is_shown: Option<bool>,
}

/// How much effort a model is to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effort {
    /// No reasoning.
    None,
    /// As little as can be.
    Minimal,
    /// Little.
    Low,
    /// Middle.
    Medium,
    /// Much.
    High,
    /// More than much.
    Extra,
    /// As much as can be.
    Max,
}

/// The form of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputFormat<'a> {
    /// Text.
    Text,
    /// A JSON object, whichever.
    Json,
    /// JSON under a schema.
    Schema {
        /// The schema's name.
        name: Option<Cow<'a, str>>,
        /// What it is for.
        description: Option<Cow<'a, str>>,
        /// The schema: the source text of an object.
        schema: Json<'a>,
        /// Whether the provider is to hold the model to it; none leaves it to the dialect's default.
        strict: Option<bool>,
    },
}

/// A member that only some dialects have, with its value as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<'a> {
    /// Which.
    pub param: Param,
    /// The JSON source text of its value.
    pub value: Json<'a>,
}

/// A parameter of a request, by what it means. Each dialect has a name for those that it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Param {
    /// The cap on output tokens.
    OutputCap,
    /// See [`Sampling::temperature`].
    Temperature,
    /// See [`Sampling::top_p`].
    TopP,
    /// See [`Sampling::top_k`].
    TopK,
    /// See [`Sampling::seed`].
    Seed,
    /// See [`Sampling::frequency_penalty`].
    FrequencyPenalty,
    /// See [`Sampling::presence_penalty`].
    PresencePenalty,
    /// Texts that end the answer.
    Stop,
    /// The number of alternative answers.
    Choices,
    /// Whether several tools may be called at once.
    ParallelTools,
    /// Which tools may be called.
    ToolChoice,
    /// How much the model reasons.
    Reasoning,
    /// The form of the answer.
    Format,
    /// Instructions.
    System,
    /// Biases of single tokens. A [`Setting`].
    LogitBias,
    /// Whether probabilities are reported. A [`Setting`].
    Logprobs,
    /// How many probabilities are reported. A [`Setting`].
    TopLogprobs,
    /// The application's own name for its user. A [`Setting`]: a string.
    EndUser,
    /// The application's own labels for the request. A [`Setting`].
    Metadata,
    /// Which class of service answers; it changes the price. A [`Setting`]: a string.
    ServiceTier,
    /// What prompts with a common prefix have in common. A [`Setting`]: a string.
    CacheKey,
    /// How long the provider remembers a prompt. A [`Setting`].
    CacheRetention,
    /// Whether the provider stores the answer. A [`Setting`]: a boolean.
    Store,
    /// How wordy the answer is. A [`Setting`]: a string.
    Verbosity,
    /// What the answer is expected to be. A [`Setting`].
    Prediction,
    /// Kinds of output: text, audio, images. A [`Setting`].
    Modalities,
    /// The voice and format of spoken output. A [`Setting`].
    AudioOutput,
    /// Limits of a provider's own content policy. A [`Setting`].
    Safety,
    /// Whether a prompt that is too long is cut. A [`Setting`].
    Truncation,
    /// A search of the web that the provider runs. A [`Setting`].
    WebSearch,
    /// How many numbers a vector has.
    Dimensions,
    /// The form of vectors.
    Encodings,
    /// What vectors are for.
    Task,
    /// The title of a text that becomes a vector.
    Title,
}

impl Param {
    /// All of them.
    pub const ALL: [Self; 34] = [
        Self::OutputCap,
        Self::Temperature,
        Self::TopP,
        Self::TopK,
        Self::Seed,
        Self::FrequencyPenalty,
        Self::PresencePenalty,
        Self::Stop,
        Self::Choices,
        Self::ParallelTools,
        Self::ToolChoice,
        Self::Reasoning,
        Self::Format,
        Self::System,
        Self::LogitBias,
        Self::Logprobs,
        Self::TopLogprobs,
        Self::EndUser,
        Self::Metadata,
        Self::ServiceTier,
        Self::CacheKey,
        Self::CacheRetention,
        Self::Store,
        Self::Verbosity,
        Self::Prediction,
        Self::Modalities,
        Self::AudioOutput,
        Self::Safety,
        Self::Truncation,
        Self::WebSearch,
        Self::Dimensions,
        Self::Encodings,
        Self::Task,
        Self::Title,
    ];

    /// The word for it in data files and settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OutputCap => "output_cap",
            Self::Temperature => "temperature",
            Self::TopP => "top_p",
            Self::TopK => "top_k",
            Self::Seed => "seed",
            Self::FrequencyPenalty => "frequency_penalty",
            Self::PresencePenalty => "presence_penalty",
            Self::Stop => "stop",
            Self::Choices => "choices",
            Self::ParallelTools => "parallel_tools",
            Self::ToolChoice => "tool_choice",
            Self::Reasoning => "reasoning",
            Self::Format => "format",
            Self::System => "system",
            Self::LogitBias => "logit_bias",
            Self::Logprobs => "logprobs",
            Self::TopLogprobs => "top_logprobs",
            Self::EndUser => "end_user",
            Self::Metadata => "metadata",
            Self::ServiceTier => "service_tier",
            Self::CacheKey => "cache_key",
            Self::CacheRetention => "cache_retention",
            Self::Store => "store",
            Self::Verbosity => "verbosity",
            Self::Prediction => "prediction",
            Self::Modalities => "modalities",
            Self::AudioOutput => "audio_output",
            Self::Safety => "safety",
            Self::Truncation => "truncation",
            Self::WebSearch => "web_search",
            Self::Dimensions => "dimensions",
            Self::Encodings => "encodings",
            Self::Task => "task",
            Self::Title => "title",
        }
    }

    /// The parameter that a word stands for.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|param| param.as_str() == word)
    }
}

impl Effort {
    /// The word that most dialects have for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Extra => "xhigh",
            Self::Max => "max",
        }
    }

    /// The effort that a word stands for.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "none" | "disabled" => Self::None,
            "minimal" => Self::Minimal,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "xhigh" => Self::Extra,
            "max" => Self::Max,
            _ => return None,
        })
    }

    /// A budget of reasoning tokens that comes near it, for providers that take no word.
    #[must_use]
    pub const fn as_budget(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Minimal => 1_024,
            Self::Low => 2_048,
            Self::Medium => 8_192,
            Self::High => 16_384,
            Self::Extra => 24_576,
            Self::Max => 32_768,
        }
    }

    /// The effort that comes near a budget of reasoning tokens, for providers that take a word.
    #[must_use]
    pub const fn of_budget(tokens: u64) -> Self {
        match tokens {
            0 => Self::None,
            1..=1_024 => Self::Minimal,
            1_025..=4_096 => Self::Low,
            4_097..=12_288 => Self::Medium,
            12_289..=20_480 => Self::High,
            20_481..=28_672 => Self::Extra,
            _ => Self::Max,
        }
    }
}
