//! Models as the dialect's clients read them. There is one page, which has them all.

use bytes::Bytes;

use crate::json::quote_into;
use crate::models::{ModelEntry, write_all};

pub(crate) fn list(models: &[ModelEntry<'_>]) -> Bytes {
    let mut out = br#"{"models":["#.to_vec();
    write_all(models, &mut out, write);
    out.extend_from_slice(b"]}");
    out.into()
}

/// What a model can be asked for is what the gateway serves for any model by translation.
pub(crate) fn write(model: &ModelEntry<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"name":"#);
    quote_into(out, &format!("models/{}", model.id));
    out.extend_from_slice(br#","displayName":"#);
    quote_into(out, model.id);
    out.extend_from_slice(br#","supportedGenerationMethods":["generateContent","countTokens"]}"#);
}
