//! Bytes on the wire to core's types and back, one module per public dialect.
//!
//! Owns JSON text (lazy scanning and patching), server-sent events, binary event streams, messages of WebSocket, and what a dialect calls things.
//! Everything here is sans-IO: bytes in, bytes out, any chunking, no clock, no task.
//! Text from outside never panics and never costs more than a small multiple of its own length.
//! Choosing a target, sending, waiting and counting money belong to other crates.

#![warn(missing_docs, clippy::indexing_slicing)]

mod alias;
pub mod anthropic_messages;
pub mod bedrock_converse;
pub mod bedrock_invoke;
mod call;
mod chunk;
pub mod cohere_chat;
pub mod cohere_embed;
mod document;
mod embedding;
pub mod event_stream;
mod form;
pub mod google_generate;
pub mod google_predict;
pub mod json;
pub mod keepsake;
pub mod lines;
pub mod models;
pub mod multipart;
pub mod ollama_chat;
pub mod ollama_embed;
pub mod openai_chat;
pub mod openai_completions;
pub mod openai_embeddings;
pub mod openai_form;
pub mod openai_images;
pub mod openai_moderations;
pub mod openai_realtime;
pub mod openai_responses;
pub mod openai_speech;
pub mod passthrough;
pub mod path;
mod pen;
mod piece;
mod refusal;
pub mod rerank;

pub mod sse;
pub mod stored;
mod stream;
pub mod titan_embed;
mod turns;
pub mod web_socket;

use gatewright::dialect::{Codec, Dialect, Operation};

/// The codec of a dialect as a request for a chat wants it whose address has this query.
pub fn codec_at(dialect: Dialect, query: Option<&str>) -> &'static dyn Codec {
    match dialect {
        Dialect::GoogleGenerate => google_generate::codec_at(query),
        _ => codec(dialect),
    }
}

/// The codec of an operation in a dialect; the dialect's own one where it has only one operation.
pub fn codec_of(dialect: Dialect, operation: Operation) -> &'static dyn Codec {
    match (dialect, operation) {
        (Dialect::AnthropicMessages, Operation::CountTokens) => anthropic_messages::counting(),
        (Dialect::GoogleGenerate, Operation::CountTokens) => google_generate::counting(),
        (Dialect::GoogleGenerate, Operation::Embedding) => google_generate::embedding(),
        _ => codec(dialect),
    }
}

/// The codec of a dialect.
pub fn codec(dialect: Dialect) -> &'static dyn Codec {
    match dialect {
        Dialect::AnthropicMessages => anthropic_messages::codec(),
        Dialect::BedrockConverse => bedrock_converse::codec(),
        Dialect::BedrockInvoke => bedrock_invoke::codec(),
        Dialect::CohereChat => cohere_chat::codec(),
        Dialect::CohereEmbed => cohere_embed::codec(),
        Dialect::GoogleGenerate => google_generate::codec(),
        Dialect::GooglePredict => google_predict::codec(),
        Dialect::OllamaChat => ollama_chat::codec(),
        Dialect::OllamaEmbed => ollama_embed::codec(),
        Dialect::OpenAiCompletions => openai_completions::codec(),
        Dialect::OpenAiEmbeddings => openai_embeddings::codec(),
        Dialect::OpenAiImages => openai_images::codec(),
        Dialect::OpenAiImageEdits => openai_form::image_edits(),
        Dialect::OpenAiImageVariations => openai_form::image_variations(),
        Dialect::OpenAiModerations => openai_moderations::codec(),
        Dialect::OpenAiRealtime => openai_realtime::codec(),
        Dialect::OpenAiResponses => openai_responses::codec(),
        Dialect::OpenAiSpeech => openai_speech::codec(),
        Dialect::OpenAiTranscriptions => openai_form::transcriptions(),
        Dialect::OpenAiTranslations => openai_form::translations(),
        Dialect::Passthrough => passthrough::codec(),
        Dialect::Rerank => rerank::codec(),
        Dialect::TitanEmbed => titan_embed::codec(),
        // The list of dialects is open to others and closed to us: a new one comes with its codec.
        Dialect::OpenAiChat | _ => openai_chat::codec(),
    }
}
