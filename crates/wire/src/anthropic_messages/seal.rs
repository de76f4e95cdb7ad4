//! What only the provider can read of its reasoning, in a form that a client of this dialect carries.
//!
//! A client sends back what it was given. What comes from another dialect is marked with its name, so that it finds
//! its way back to where it came from, and to nowhere else; what belongs to a tool call, for which this dialect has no
//! place, travels as a block behind the call.

use std::borrow::Cow;

use gatewright::chat::Signature;
use gatewright::dialect::Dialect;

/// What begins a foreign one.
const PREFIX: &str = "gw.";

/// What marks one that belongs to the call before it.
const OF_CALL: &str = "call.";

/// The dialects whose seals are carried.
const DIALECTS: [Dialect; 4] =
    [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::GoogleGenerate, Dialect::BedrockConverse];

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
