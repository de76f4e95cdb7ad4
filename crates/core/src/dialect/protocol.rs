//! The wire protocols, by name.

/// A public wire protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Dialect {
    /// OpenAI chat completions.
    OpenAiChat,
    /// OpenAI responses.
    OpenAiResponses,
    /// Anthropic messages.
    AnthropicMessages,
    /// Google's `generateContent`, of the Gemini API and Vertex AI.
    GoogleGenerate,
    /// Amazon Bedrock's Converse.
    BedrockConverse,
    /// Cohere's chat, version 2.
    CohereChat,
    /// Ollama's own chat.
    OllamaChat,
    /// OpenAI legacy text completions.
    OpenAiCompletions,
    /// OpenAI embeddings.
    OpenAiEmbeddings,
    /// OpenAI moderations.
    OpenAiModerations,
    /// OpenAI images, made from a text.
    OpenAiImages,
    /// OpenAI images, made from images and a text. Requests are forms.
    OpenAiImageEdits,
    /// OpenAI images, made from an image alone. Requests are forms.
    OpenAiImageVariations,
    /// OpenAI speech, made from a text.
    OpenAiSpeech,
    /// OpenAI transcriptions: what a recording says, in its own language. Requests are forms.
    OpenAiTranscriptions,
    /// OpenAI translations: what a recording says, in English. Requests are forms.
    OpenAiTranslations,
    /// Documents by their relevance to a query, in the form that providers share.
    Rerank,
    /// Amazon Bedrock's InvokeModel, whose bodies are those of other dialects.
    BedrockInvoke,
    /// Embeddings of Amazon's Titan models.
    TitanEmbed,
    /// Cohere's embed.
    CohereEmbed,
    /// Google's `predict`, for embeddings.
    GooglePredict,
    /// Ollama's own embed.
    OllamaEmbed,
    /// OpenAI realtime: a session in which events flow both ways.
    OpenAiRealtime,
    /// None that the gateway reads: a provider's own, whatever it is.
    Passthrough,
}

impl Dialect {
    /// Whether a file that was given to the provider of one of them can be meant in the other: ids of files are known
    /// in one family only.
    #[must_use]
    pub const fn shares_files_with(self, other: Self) -> bool {
        use Dialect::{AnthropicMessages, BedrockConverse, GoogleGenerate, OpenAiChat, OpenAiResponses};
        matches!(
            (self, other),
            (OpenAiChat | OpenAiResponses, OpenAiChat | OpenAiResponses)
                | (AnthropicMessages, AnthropicMessages)
                | (GoogleGenerate, GoogleGenerate)
                | (BedrockConverse, BedrockConverse)
        )
    }

    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::OpenAiChat,
        Self::OpenAiResponses,
        Self::AnthropicMessages,
        Self::GoogleGenerate,
        Self::BedrockConverse,
        Self::CohereChat,
        Self::OllamaChat,
        Self::OpenAiCompletions,
        Self::OpenAiEmbeddings,
        Self::OpenAiModerations,
        Self::OpenAiImages,
        Self::OpenAiImageEdits,
        Self::OpenAiImageVariations,
        Self::OpenAiSpeech,
        Self::OpenAiTranscriptions,
        Self::OpenAiTranslations,
        Self::Rerank,
        Self::BedrockInvoke,
        Self::TitanEmbed,
        Self::CohereEmbed,
        Self::GooglePredict,
        Self::OllamaEmbed,
        Self::OpenAiRealtime,
        Self::Passthrough,
    ];

    /// The dialect of a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.as_str() == name)
    }

    /// The dialect's name in configuration, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai_chat",
            Self::OpenAiResponses => "openai_responses",
            Self::AnthropicMessages => "anthropic_messages",
            Self::GoogleGenerate => "google_generate",
            Self::BedrockConverse => "bedrock_converse",
            Self::CohereChat => "cohere_chat",
            Self::OllamaChat => "ollama_chat",
            Self::OpenAiCompletions => "openai_completions",
            Self::OpenAiEmbeddings => "openai_embeddings",
            Self::OpenAiModerations => "openai_moderations",
            Self::OpenAiImages => "openai_images",
            Self::OpenAiImageEdits => "openai_image_edits",
            Self::OpenAiImageVariations => "openai_image_variations",
            Self::OpenAiSpeech => "openai_speech",
            Self::OpenAiTranscriptions => "openai_transcriptions",
            Self::OpenAiTranslations => "openai_translations",
            Self::Rerank => "rerank",
            Self::BedrockInvoke => "bedrock_invoke",
            Self::TitanEmbed => "titan_embed",
            Self::CohereEmbed => "cohere_embed",
            Self::GooglePredict => "google_predict",
            Self::OllamaEmbed => "ollama_embed",
            Self::OpenAiRealtime => "openai_realtime",
            Self::Passthrough => "passthrough",
        }
    }
}
