//! What only the provider can read of its reasoning, in a form that a client of this dialect carries.
//!
//! A client sends back what it was given. What comes from another dialect is marked with its name, so that it finds
//! its way back to where it came from, and to nowhere else; what belongs to a tool call, for which this dialect has no
//! place, travels as a block behind the call.

use std::borrow::Cow;

use gatewright::chat::Signature;
use gatewright::dialect::Dialect;
use memchr::memmem;

use crate::json::Value;

/// What begins a foreign one.
const PREFIX: &str = "gw.";

/// What marks one that belongs to the call before it.
const OF_CALL: &str = "call.";

/// The dialects whose seals are carried.
const DIALECTS: [Dialect; 4] =
    [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::GoogleGenerate, Dialect::BedrockConverse];

/// The member of a body that names what is tried out.
const BETA: &str = "anthropic_beta";

/// A seal as it stands in a block.
pub(super) fn write<'s>(signature: &'s Signature<'_>, of_call: bool) -> Cow<'s, str> {
    if signature.from == Dialect::AnthropicMessages && !of_call {
        return Cow::Borrowed(&signature.data);
    }
    let of_call = if of_call { OF_CALL } else { "" };
    Cow::Owned(format!("{PREFIX}{}.{of_call}{}", signature.from.as_str(), signature.data))
}

/// What stands in a block, and whether it belongs to the call before it.
pub(super) fn read(text: Cow<'_, str>) -> (Signature<'_>, bool) {
    let foreign = text.strip_prefix(PREFIX).and_then(|rest| {
        let (name, data) = rest.split_once('.')?;
        let known = DIALECTS.into_iter().chain([Dialect::AnthropicMessages]);
        let from = known.into_iter().find(|dialect| dialect.as_str() == name)?;
        let own = data.strip_prefix(OF_CALL);
        let signature = Signature { data: Cow::Owned(own.unwrap_or(data).to_owned()), from };
        Some((signature, own.is_some()))
    });
    foreign.unwrap_or((Signature { data: text, from: Dialect::AnthropicMessages }, false))
}

/// What a request has that no provider of the dialect's own service takes, as pointers, the last first: the reasoning in its
/// conversation that no provider of this dialect takes for its own, as pointers, the last first; a
/// message of which nothing else would be left goes as a whole.
pub(super) fn foreign(body: &[u8]) -> Vec<String> {
    let mut foreign = reasoning(body);
    // Callers who reach the dialect through another service's envelope have in the body what is a header elsewhere.
    if memmem::find(body, BETA.as_bytes()).is_some() && Value::of_checked(body).get(BETA).is_some() {
        foreign.push(format!("/{BETA}"));
    }
    foreign
}

fn reasoning(body: &[u8]) -> Vec<String> {
    // A look at the types of all blocks is not for free, and most conversations have no reasoning.
    if memmem::find(body, b"thinking\"").is_none() {
        return Vec::new();
    }
    let messages = Value::of_checked(body).get("messages");
    let mut pointers = Vec::new();
    for (index, message) in messages.iter().flat_map(Value::elements).enumerate() {
        let Some(content) = message.get("content") else { continue };
        let blocks: Vec<bool> = content.elements().map(|block| is_foreign(&block)).collect();
        if blocks.iter().all(|is_foreign| *is_foreign) && !blocks.is_empty() {
            pointers.push(format!("/messages/{index}"));
            continue;
        }
        let foreign = blocks.iter().enumerate().filter(|(_, is_foreign)| **is_foreign);
        pointers.extend(foreign.map(|(place, _)| format!("/messages/{index}/content/{place}")));
    }
    pointers.reverse();
    pointers
}

/// Whether a block is reasoning without a seal of this dialect.
fn is_foreign(block: &Value<'_>) -> bool {
    let [kind, signature, data] =
        block.pick(["type", "signature", "data"]).map(|value| value.and_then(|value| value.as_str()));
    let seal = match kind.as_deref() {
        Some("thinking") => signature.unwrap_or_default(),
        Some("redacted_thinking") => data.unwrap_or_default(),
        _ => return false,
    };
    seal.is_empty() || read(seal).0.from != Dialect::AnthropicMessages
}
