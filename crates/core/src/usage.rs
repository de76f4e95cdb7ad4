//! What an exchange consumed, in one canonical form for all dialects.

/// Tokens of one exchange or attempt.
///
/// The prompt is split by price class without overlap: its total is
/// [`Usage::prompt_tokens`]. `reasoning` and the audio figures are parts of `output` and `input`,
/// not additions to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Usage {
    /// Prompt tokens that were neither read from nor written to a prompt cache.
    pub input: u64,
    /// Prompt tokens read from the provider's prompt cache.
    pub cache_read: u64,
    /// Prompt tokens written to the provider's prompt cache for its short lifetime.
    pub cache_write: u64,
    /// Prompt tokens written to the provider's prompt cache for one hour.
    pub cache_write_1h: u64,
    /// Generated tokens, reasoning included.
    pub output: u64,
    /// The part of `output` that was reasoning.
    pub reasoning: u64,
    /// The part of the prompt that was audio.
    pub input_audio: u64,
    /// The part of `output` that was audio.
    pub output_audio: u64,
}

impl Usage {
    /// All prompt tokens, whatever their price class.
    #[must_use]
    pub fn prompt_tokens(&self) -> u64 {
        self.input
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_write)
            .saturating_add(self.cache_write_1h)
    }

    /// The sum of both, class by class.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            cache_read: self.cache_read.saturating_add(other.cache_read),
            cache_write: self.cache_write.saturating_add(other.cache_write),
            cache_write_1h: self.cache_write_1h.saturating_add(other.cache_write_1h),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
            input_audio: self.input_audio.saturating_add(other.input_audio),
            output_audio: self.output_audio.saturating_add(other.output_audio),
        }
    }

    /// Prompt and output together.
    #[must_use]
    pub fn total_tokens(&self) -> u64 {
        self.prompt_tokens().saturating_add(self.output)
    }
}

/// Where the figures of a [`Usage`] come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UsageSource {
    /// The provider reported them.
    Provider,
    /// The gateway counted or estimated them, because the provider did not report or the
    /// exchange ended early.
    Estimated,
}

impl UsageSource {
    /// `provider` or `estimated`, as records and logs name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Estimated => "estimated",
        }
    }
}
