//! The models endpoint: a list, or one of it, in the dialect of who asks.

use bytes::Bytes;
use gatewright::dialect::Dialect;

use crate::{anthropic_messages, google_generate, openai_chat};

/// A model as a client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelEntry<'a> {
    /// The name under which it is asked for.
    pub id: &'a str,
    /// Whose it is.
    pub owned_by: &'a str,
}

/// The body that lists models. Dialects without a list of models of their own share the first one's.
pub fn list(dialect: Dialect, models: &[ModelEntry<'_>]) -> Bytes {
    match dialect {
        Dialect::AnthropicMessages => anthropic_messages::models::list(models),
        Dialect::GoogleGenerate => google_generate::models::list(models),
        _ => openai_chat::models::list(models),
    }
}

/// The body that shows one model.
pub fn retrieve(dialect: Dialect, model: &ModelEntry<'_>) -> Bytes {
    let mut out = Vec::new();
    match dialect {
        Dialect::AnthropicMessages => anthropic_messages::models::write(model, &mut out),
        Dialect::GoogleGenerate => google_generate::models::write(model, &mut out),
        _ => openai_chat::models::write(model, &mut out),
    }
    out.into()
}

/// Appends models with commas between them.
pub(crate) fn write_all(
    models: &[ModelEntry<'_>],
    out: &mut Vec<u8>,
    write: impl Fn(&ModelEntry<'_>, &mut Vec<u8>),
) {
    for (index, model) in models.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(model, out);
    }
}
