//! Elements of a stream that the gateway writes itself, and the parts that answers are made of.

use gatewright::chat::{Media, MediaSource, Signature};
use gatewright::dialect::Dialect;
use gatewright::text::{Lane, LaneKind};
use gatewright::{FinishReason, Usage};

use super::chat::provider_name;
use super::{finish, usage};
use crate::json::{Kind, ObjectWriter, Value};

/// What all elements of a stream say alike.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) id: Box<str>,
    pub(super) model: Box<str>,
    pub(super) is_known: bool,
}

impl Head {
    /// Learns from an element of the stream. The first one that has an id says all there is to know.
    pub(super) fn learn(&mut self, data: &[u8]) {
        if self.is_known {
            return;
        }
        let Ok(element) = Value::parse(data) else { return };
        let text =
            |key: &str| element.get(key).and_then(|value| value.as_str()).filter(|text| !text.is_empty());
        if let Some(id) = text("responseId") {
            self.id = id.into();
            self.is_known = true;
        }
        if let Some(model) = text("modelVersion") {
            self.model = model.into();
        }
    }

    /// An element with these candidates, a list without its brackets, under the name `model` or else the stream's own.
    pub(super) fn element(&self, candidates: &[u8], usage: Option<&Usage>, model: Option<&str>) -> Vec<u8> {
        let mut out = Vec::with_capacity(candidates.len() + 192);
        let mut element = ObjectWriter::open(&mut out);
        if !candidates.is_empty() {
            let mut list = element.list("candidates");
            list.item().extend_from_slice(candidates);
            list.close();
        }
        if let Some(usage) = usage {
            usage::write(usage, element.key("usageMetadata"));
        }
        element.str("modelVersion", model.unwrap_or(&self.model));
        element.str("responseId", &self.id);
        element.close();
        out
    }
}

/// How a candidate ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct End<'a> {
    pub(super) reason: &'a FinishReason,
    /// A call that nobody can read was left out.
    pub(super) has_malformed_call: bool,
}

/// A candidate with these parts, a list without its brackets.
pub(super) fn candidate(choice: u32, parts: &[u8], end: Option<End<'_>>) -> Vec<u8> {
    let mut out = Vec::with_capacity(parts.len() + 96);
    let mut candidate = ObjectWriter::open(&mut out);
    let mut content = candidate.object("content");
    let mut list = content.list("parts");
    list.item().extend_from_slice(parts);
    list.close();
    content.str("role", "model");
    content.close();
    if let Some(end) = end {
        // A call that the cap has cut is no fault of the model.
        let is_natural = matches!(end.reason, FinishReason::Stop | FinishReason::ToolCalls);
        let is_malformed = end.has_malformed_call && is_natural;
        let word = if is_malformed { finish::MALFORMED_CALL } else { finish::word(end.reason) };
        candidate.str("finishReason", word);
        if word == finish::MALFORMED_CALL {
            candidate.str("finishMessage", "The arguments of a function call are not a JSON object.");
        }
    }
    candidate.number("index", choice.into());
    candidate.close();
    out
}

/// A part with text of a lane that is no call's.
pub(super) fn text(lane: Lane, text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 32);
    let mut part = ObjectWriter::open(&mut out);
    part.str("text", text);
    if lane.kind == LaneKind::Reasoning {
        part.bool("thought", true);
    }
    part.close();
    out
}

/// A part that has a signature and says nothing; none if another dialect's provider made it.
pub(super) fn signature(lane: Lane, signature: &Signature<'_>) -> Option<Vec<u8>> {
    let data = own(signature)?;
    let mut out = Vec::with_capacity(data.len() + 64);
    let mut part = ObjectWriter::open(&mut out);
    part.str("text", "");
    if lane.kind == LaneKind::Reasoning {
        part.bool("thought", true);
    }
    part.str("thoughtSignature", data);
    part.close();
    Some(out)
}

/// The bytes of a signature that a provider of this dialect made.
pub(super) fn own<'s>(signature: &'s Signature<'_>) -> Option<&'s str> {
    (signature.from == Dialect::GoogleGenerate).then_some(signature.data.as_ref())
}

/// The source text of the object that a call's arguments are; none if they are none.
pub(super) fn arguments(source: &str) -> Option<&str> {
    let source = source.trim_ascii();
    if source.is_empty() {
        return Some("{}");
    }
    Value::parse(source.as_bytes()).is_ok_and(|value| value.kind() == Kind::Object).then_some(source)
}

/// A part that calls a tool, for a provider: under the name that it was offered by, and without an id.
pub(super) fn call(name: &str, arguments: &str, signature: Option<&str>) -> Vec<u8> {
    write_call("", &provider_name(name), arguments, signature)
}

/// A part that calls a tool, for a client.
pub(super) fn client_call(id: &str, name: &str, arguments: &str, signature: Option<&str>) -> Vec<u8> {
    write_call(id, name, arguments, signature)
}

fn write_call(id: &str, name: &str, arguments: &str, signature: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(arguments.len() + name.len() + 64);
    let mut part = ObjectWriter::open(&mut out);
    let mut call = part.object("functionCall");
    if !id.is_empty() {
        call.str("id", id);
    }
    call.str("name", name);
    call.raw("args", arguments);
    call.close();
    if let Some(signature) = signature {
        part.str("thoughtSignature", signature);
    }
    part.close();
    out
}

/// A part with a medium; none where the dialect has no form for its source.
pub(super) fn media(media: &Media<'_>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut part = ObjectWriter::open(&mut out);
    let mime = super::chat::mime(media);
    match &media.source {
        MediaSource::Base64(data) => {
            let mut blob = part.object("inlineData");
            blob.str("mimeType", mime.unwrap_or("application/octet-stream"));
            blob.str("data", data);
            blob.close();
        }
        MediaSource::Url(address) | MediaSource::File(address) if address.contains(':') => {
            let mut file = part.object("fileData");
            if let Some(mime) = mime {
                file.str("mimeType", mime);
            }
            file.str("fileUri", address);
            file.close();
        }
        MediaSource::Text(_) | MediaSource::Url(_) | MediaSource::File(_) => return None,
    }
    part.close();
    Some(out)
}
