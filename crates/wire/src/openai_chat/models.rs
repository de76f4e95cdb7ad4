//! The models endpoint: a list, or one of it.

use bytes::Bytes;

use crate::json::quote_into;

/// A model as a client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelEntry<'a> {
    /// The name under which it is asked for.
    pub id: &'a str,
    /// Whose it is.
    pub owned_by: &'a str,
}

/// The body of `GET /v1/models`.
pub fn list<'a>(models: impl IntoIterator<Item = ModelEntry<'a>>) -> Bytes {
    let mut out = br#"{"object":"list","data":["#.to_vec();
    for (index, model) in models.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(&model, &mut out);
    }
    out.extend_from_slice(b"]}");
    Bytes::from(out)
}

/// The body of `GET /v1/models/{id}`.
pub fn retrieve(model: ModelEntry<'_>) -> Bytes {
    let mut out = Vec::new();
    write(&model, &mut out);
    Bytes::from(out)
}

/// Client libraries require a time; when a route was set up means nothing to them, so it is always the first second.
fn write(model: &ModelEntry<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"id":"#);
    quote_into(out, model.id);
    out.extend_from_slice(br#","object":"model","created":0,"owned_by":"#);
    quote_into(out, model.owned_by);
    out.push(b'}');
}
