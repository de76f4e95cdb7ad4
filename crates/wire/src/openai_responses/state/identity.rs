//! What an answer is called, where the gateway keeps it: spliced into the provider's bytes, which stay as they are
//! otherwise.

use bytes::Bytes;
use gatewright::dialect::Identity;
use gatewright::{Failure, FailureKind, Side};

use super::SEAL;
use crate::json::{ObjectEdit, Patches, Value};
use crate::sse::{SseDecoder, write_data, write_event};

/// The patches that give a response its identity.
pub(in crate::openai_responses) fn splices(response: &Value<'_>, identity: &Identity) -> Patches {
    let mut edit = ObjectEdit::new().set_str("id", &identity.id);
    // A provider that says nothing of it has no member for it.
    if response.get("store").is_some() {
        edit = edit.set("store", "true");
    }
    if let Some(previous) = &identity.previous {
        edit = edit.set_str("previous_response_id", previous);
    }
    edit.patches(response).unwrap_or_default()
}

/// The patches that take the seal out of an item.
pub(in crate::openai_responses) fn without_seal(item: &Value<'_>) -> Patches {
    match item.get(SEAL) {
        Some(_) => ObjectEdit::new().remove(SEAL).patches(item).unwrap_or_default(),
        None => Patches::new(),
    }
}

/// The patches that take the seals out of all items of a response.
pub(in crate::openai_responses) fn without_seals(response: &Value<'_>) -> Patches {
    let mut patches = Patches::new();
    for item in response.get("output").into_iter().flat_map(|output| output.elements()) {
        patches.append(&without_seal(&item));
    }
    patches
}

/// A whole answer as it is shown, and as it is kept.
pub(super) fn whole(answer: &Bytes, identity: &Identity) -> Result<(Bytes, Bytes), Failure> {
    let malformed = |reason: String| {
        let text = "the provider answered with something that is not an answer of its protocol";
        Failure::new(Side::Upstream, FailureKind::Malformed, text).with_detail(reason)
    };
    let root = Value::parse(answer).map_err(|error| malformed(error.to_string()))?;
    let mut patches = splices(&root, identity);
    let kept = patches.apply(answer).map_err(|error| malformed(error.to_string()))?;
    if !identity.hides_seals {
        return Ok((kept.clone(), kept));
    }
    patches.append(&without_seals(&root));
    let shown = patches.apply(answer).map_err(|error| malformed(error.to_string()))?;
    Ok((shown, kept))
}

/// An answer, or the end of a stream, that says that it is not kept.
pub(super) fn unkept(told: &Bytes) -> Bytes {
    if let Ok(root) = Value::parse(told) {
        return said_unkept(told, Some(root)).unwrap_or_else(|| told.clone());
    }
    let mut decoder = SseDecoder::new(usize::MAX);
    decoder.push(told.clone());
    let mut out = Vec::with_capacity(told.len());
    while let Ok(Some(frame)) = decoder.next_frame() {
        let data = frame.data.unwrap_or_default();
        let response = Value::parse(&data).ok().and_then(|event| event.get("response"));
        match said_unkept(&data, response) {
            None => out.extend_from_slice(&frame.raw),
            Some(data) => match frame.event.as_deref().and_then(|name| std::str::from_utf8(name).ok()) {
                Some(name) => write_event(&mut out, name, &data),
                None => write_data(&mut out, &data),
            },
        }
    }
    out.into()
}

fn said_unkept(text: &Bytes, response: Option<Value<'_>>) -> Option<Bytes> {
    let store = response?.get("store")?;
    let mut patches = Patches::new();
    patches.replace(store.span(), "false");
    patches.apply(text).ok()
}
