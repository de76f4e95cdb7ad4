//! Models as the family's clients read them.

use bytes::Bytes;

use crate::json::quote_into;
use crate::models::{ModelEntry, write_all};

pub(crate) fn list(models: &[ModelEntry<'_>]) -> Bytes {
    let mut out = br#"{"object":"list","data":["#.to_vec();
    write_all(models, &mut out, write);
    out.extend_from_slice(b"]}");
    out.into()
}

/// Client libraries require a time; when a route was set up means nothing to them, so it is always the first second.
pub(crate) fn write(model: &ModelEntry<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"id":"#);
    quote_into(out, model.id);
    out.extend_from_slice(br#","object":"model","created":0,"owned_by":"#);
    quote_into(out, model.owned_by);
    out.push(b'}');
}
