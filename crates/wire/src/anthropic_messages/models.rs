//! Models as the dialect's clients read them. There is one page, which has them all.

use bytes::Bytes;

use crate::json::quote_into;
use crate::models::{ModelEntry, write_all};

pub(crate) fn list(models: &[ModelEntry<'_>]) -> Bytes {
    let mut out = br#"{"data":["#.to_vec();
    write_all(models, &mut out, write);
    out.extend_from_slice(br#"],"has_more":false,"first_id":"#);
    id(models.first(), &mut out);
    out.extend_from_slice(br#","last_id":"#);
    id(models.last(), &mut out);
    out.push(b'}');
    out.into()
}

fn id(model: Option<&ModelEntry<'_>>, out: &mut Vec<u8>) {
    match model {
        Some(model) => quote_into(out, model.id),
        None => out.extend_from_slice(b"null"),
    }
}

/// When a model came out is not known, for which the dialect has the first second.
pub(crate) fn write(model: &ModelEntry<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"type":"model","id":"#);
    quote_into(out, model.id);
    out.extend_from_slice(br#","display_name":"#);
    quote_into(out, model.id);
    out.extend_from_slice(br#","created_at":"1970-01-01T00:00:00Z"}"#);
}
