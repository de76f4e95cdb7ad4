//! Parts of contents and answers, read.

use std::borrow::Cow;

use gatewright::chat::{Media, MediaKind, MediaSource, Origin, Part, PartKind, Signature};
use gatewright::dialect::Dialect;

use super::super::text::{items, name};
use crate::json::{JsonStr, Kind, Value};

/// The members of a part.
#[derive(Default)]
struct Members<'a> {
    is_thought: bool,
    text: Option<JsonStr<'a>>,
    signature: Option<JsonStr<'a>>,
    call: Option<Value<'a>>,
    result: Option<Value<'a>>,
    media: Option<Value<'a>>,
    /// A member that only this dialect knows.
    foreign: Option<Cow<'a, str>>,
}

/// Appends what a part of an answer says. What a tool that the provider runs is made of is text there, as it is in a
/// stream.
pub(super) fn said<'a>(part: &Value<'a>, origin: Origin, parts: &mut Vec<Part<'a>>) {
    let texts = part.members().filter_map(|member| match name(&member.key).as_ref() {
        "executableCode" => member.value.get("code")?.as_str(),
        "codeExecutionResult" => member.value.get("output")?.as_str(),
        _ => None,
    });
    match texts.last() {
        Some(text) => parts.push(Part::text(text).at(origin)),
        None => read(part, origin, parts),
    }
}

/// Appends what a part says. Ids that are missing are left empty.
pub(super) fn read<'a>(part: &Value<'a>, origin: Origin, parts: &mut Vec<Part<'a>>) {
    let mut found = Members::default();
    for member in part.members() {
        let (key, value) = (name(&member.key), member.value);
        match key.as_ref() {
            "thought" => found.is_thought = value.as_bool() == Some(true),
            "text" => found.text = value.json_str(),
            "thoughtSignature" => found.signature = value.json_str(),
            "functionCall" => found.call = Some(value),
            "functionResponse" => found.result = Some(value),
            "inlineData" | "fileData" => found.media = Some(value),
            // How the part is to be read, not what it says.
            "videoMetadata" | "mediaResolution" | "partMetadata" | "mediaProcessing" => {}
            _ if value.is_null() => {}
            _ => found.foreign = Some(key),
        }
    }
    let signature = found.signature.filter(|text| !text.escaped().is_empty());
    let mut signature =
        signature.map(|text| Signature { data: text.decode(), from: Dialect::GoogleGenerate });
    let mut push = |kind| parts.push(Part::new(kind).at(origin));
    if let Some(call) = found.call {
        push(tool_call(&call, signature.take()));
    } else if let Some(result) = found.result {
        push(tool_result(&result, origin));
    } else if let Some(value) = found.media {
        push(PartKind::Media(media(&value)));
    } else if let Some(text) = found.text {
        let text = text.decode();
        if found.is_thought {
            push(PartKind::Reasoning { text, signature: signature.take() });
        } else if !text.is_empty() || signature.is_none() {
            push(PartKind::Text(text));
        }
    } else if let Some(foreign) = found.foreign {
        push(PartKind::Foreign(foreign));
    }
    // A signature on anything else follows what it is on.
    if let Some(signature) = signature {
        push(PartKind::SealedReasoning(signature));
    }
}

/// A value's member, in either spelling.
pub(super) fn member<'a>(value: &Value<'a>, key: &str) -> Option<Value<'a>> {
    value.members().filter(|member| name(&member.key) == key).last().map(|member| member.value)
}

pub(super) fn string<'a>(value: &Value<'a>, key: &str) -> Option<Cow<'a, str>> {
    member(value, key)?.as_str()
}

/// The source text of a value.
pub(super) fn source<'a>(value: &Value<'a>) -> Cow<'a, str> {
    value.source()
}

fn tool_call<'a>(call: &Value<'a>, signature: Option<Signature<'a>>) -> PartKind<'a> {
    let arguments = member(call, "args").filter(|arguments| !arguments.is_null());
    PartKind::ToolCall {
        id: string(call, "id").unwrap_or_default(),
        name: string(call, "name").unwrap_or_default(),
        arguments: arguments.as_ref().map(source).unwrap_or_default(),
        signature,
    }
}

/// The dialect's word for what a tool answered; an error has a word of its own, and anything else is the answer as a
/// whole.
fn tool_result<'a>(result: &Value<'a>, origin: Origin) -> PartKind<'a> {
    let response = member(result, "response").filter(|response| !response.is_null());
    let sole = response.and_then(|response| {
        let mut members = response.members();
        let first = members.next()?;
        if members.next().is_some() {
            return None;
        }
        match first.key.bytes().as_ref() {
            b"output" => Some((first.value, false)),
            b"error" => Some((first.value, true)),
            _ => None,
        }
    });
    let (said, is_error) = sole.map_or((response, false), |(said, is_error)| (Some(said), is_error));
    let text = said.map(|said| said.as_str().unwrap_or_else(|| source(&said)));
    let mut content: Vec<Part<'a>> = text
        .filter(|text| !text.is_empty())
        .map(|text| Part::new(PartKind::Text(text)).at(origin))
        .into_iter()
        .collect();
    if let Some(parts) = member(result, "parts") {
        items(&parts).for_each(|part| read(&part, origin, &mut content));
    }
    PartKind::ToolResult {
        call: string(result, "id").unwrap_or_default(),
        name: string(result, "name"),
        content,
        is_error,
    }
}

/// What an `inlineData` or `fileData` says.
pub(crate) fn media<'a>(value: &Value<'a>) -> Media<'a> {
    let mime = string(value, "mimeType").filter(|mime| !mime.is_empty());
    let kind = mime.as_deref().map_or(MediaKind::Document, MediaKind::of_mime);
    let source = match (string(value, "data"), string(value, "fileUri")) {
        (Some(data), _) => MediaSource::Base64(standard(data)),
        (None, Some(address)) if is_file(&address) => MediaSource::File(address),
        (None, address) => MediaSource::Url(address.unwrap_or_default()),
    };
    Media { kind, mime, source, name: string(value, "displayName"), detail: None }
}

/// The official libraries send the alphabet that is safe in addresses.
fn standard(data: Cow<'_, str>) -> Cow<'_, str> {
    if !data.contains(['-', '_']) {
        return data;
    }
    Cow::Owned(data.replace('-', "+").replace('_', "/"))
}

/// Whether an address is one of the provider's own stores.
pub(super) fn is_file(address: &str) -> bool {
    address.starts_with("gs://") || address.contains("/v1beta/files/") || address.contains("/v1/files/")
}

/// The media type of a medium: what is said, or what its first bytes or its name tell, or else what is usual.
pub(crate) fn mime<'m>(media: &'m Media<'_>) -> Option<&'m str> {
    const BEGINNINGS: [(&str, &str); 6] = [
        ("/9j/", "image/jpeg"),
        ("iVBOR", "image/png"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
        ("JVBERi", "application/pdf"),
        ("SUQz", "audio/mpeg"),
    ];
    const ENDINGS: [(&str, &str); 9] = [
        (".jpg", "image/jpeg"),
        (".jpeg", "image/jpeg"),
        (".png", "image/png"),
        (".gif", "image/gif"),
        (".webp", "image/webp"),
        (".pdf", "application/pdf"),
        (".mp3", "audio/mpeg"),
        (".wav", "audio/wav"),
        (".mp4", "video/mp4"),
    ];
    if let Some(mime) = &media.mime {
        return Some(mime);
    }
    match &media.source {
        MediaSource::Base64(data) => {
            let found = BEGINNINGS.iter().find(|(beginning, _)| data.starts_with(beginning));
            Some(found.map_or(usual(media.kind), |(_, mime)| mime))
        }
        MediaSource::Url(address) | MediaSource::File(address) => {
            let path = address.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
            ENDINGS.iter().find(|(ending, _)| path.ends_with(ending)).map(|(_, mime)| *mime)
        }
        MediaSource::Text(_) => Some("text/plain"),
    }
}

const fn usual(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "image/png",
        MediaKind::Audio => "audio/wav",
        MediaKind::Video => "video/mp4",
        MediaKind::Document => "application/pdf",
    }
}

/// Whether a value is an object, for members that are of no use as anything else.
pub(super) fn object<'a>(value: &Value<'a>, key: &str) -> Option<Value<'a>> {
    member(value, key).filter(|value| value.kind() == Kind::Object)
}
