//! What is asked of a model, whatever the dialect.

/// What is asked of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Operation {
    /// A turn of a conversation.
    Chat,
    /// A continuation of a text.
    Completion,
    /// Vectors for texts.
    Embedding,
    /// How many tokens the prompt of a chat has. It makes nothing, and costs nothing.
    CountTokens,
    /// Whether texts or images are harmful, and how.
    Moderation,
    /// Images for a text.
    Image,
    /// Documents by their relevance to a query.
    Rerank,
    /// A text, spoken.
    Speech,
    /// Images for images and a text.
    ImageEdit,
    /// Images that are like an image.
    ImageVariation,
    /// What a recording says, in its own language.
    Transcription,
    /// What a recording says, in another language.
    Translation,
    /// A conversation that is held live, in texts and sound both ways.
    Realtime,
    /// Something that only the provider knows.
    Passthrough,
}

impl Operation {
    /// The operation's name in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completion => "completion",
            Self::Embedding => "embedding",
            Self::CountTokens => "count_tokens",
            Self::Moderation => "moderation",
            Self::Image => "image",
            Self::Rerank => "rerank",
            Self::Speech => "speech",
            Self::ImageEdit => "image_edit",
            Self::ImageVariation => "image_variation",
            Self::Transcription => "transcription",
            Self::Translation => "translation",
            Self::Realtime => "realtime",
            Self::Passthrough => "passthrough",
        }
    }
}
