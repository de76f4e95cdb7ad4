//! Parts of messages, read.

use std::borrow::Cow;

use gatewright::Failure;
use gatewright::chat::{CacheMark, Media, MediaKind, MediaSource, Origin, Part, PartKind};

use super::message::text_of;
use crate::document::invalid;
use crate::json::{Kind, Reader, Value};

/// Reads the content of a message: a text, or parts.
pub(super) fn content<'a>(
    reader: &mut Reader<'a>,
    origin: Origin,
    parts: &mut Vec<Part<'a>>,
) -> Result<(), Failure> {
    if reader.kind() == Some(Kind::String) {
        parts.extend(text_of(reader)?.map(|text| Part::text(text).at(origin)));
        return Ok(());
    }
    let is_array = reader.array(|reader, index| {
        let origin = Origin { part: Some(u32::try_from(index).unwrap_or(u32::MAX)), ..origin };
        if reader.kind() == Some(Kind::String) {
            parts.extend(text_of(reader)?.map(|text| Part::text(text).at(origin)));
        } else {
            parts.push(part(reader, origin)?);
        }
        Ok::<_, Failure>(())
    })?;
    let field = || format!("/messages/{}/content", origin.message);
    if is_array { Ok(()) } else { Err(invalid(&field(), "a string or an array of parts")) }
}

/// Reads a part in one pass.
fn part<'a>(reader: &mut Reader<'a>, origin: Origin) -> Result<Part<'a>, Failure> {
    let mut kind = None;
    let mut text = None;
    let mut refusal = None;
    let mut body = None;
    let mut cache = None;
    let is_object = reader.object(|reader, key| {
        match key.bytes().as_ref() {
            b"type" => kind = text_of(reader)?,
            b"text" => text = text_of(reader)?,
            b"refusal" => refusal = text_of(reader)?,
            b"image_url" | b"input_audio" | b"file" | b"video_url" | b"audio_url" => {
                body = Some((key, reader.value()?));
            }
            b"cache_control" | b"prompt_cache_breakpoint" => cache = cache_mark(&reader.value()?),
            _ => {}
        }
        Ok::<_, Failure>(())
    })?;
    let field = format_args!("/messages/{}/content/{}", origin.message, origin.part.unwrap_or(0));
    if !is_object {
        return Err(invalid(&field.to_string(), "an object"));
    }
    let media = |media: Option<Media<'a>>| match media {
        Some(media) => Ok(PartKind::Media(media)),
        None => Err(invalid(&field.to_string(), "a part with all that its type needs")),
    };
    let kind = match (kind.as_deref(), text, refusal, &body) {
        (Some("text") | None, Some(text), _, _) => PartKind::Text(text),
        (Some("refusal"), _, Some(refusal), _) => PartKind::Refusal(refusal),
        (_, _, _, Some((key, body))) => media(read_media(&key.decode(), body))?,
        (Some("text" | "refusal" | "image_url" | "input_audio" | "file") | None, ..) => media(None)?,
        (Some(other), ..) => PartKind::Foreign(other.to_owned().into()),
    };
    Ok(Part { cache, ..Part::new(kind).at(origin) })
}

fn read_media<'a>(key: &str, body: &Value<'a>) -> Option<Media<'a>> {
    let text = |key| body.get(key).and_then(|text| text.as_str());
    let blank = |kind, source| Media { kind, mime: None, source, name: None, detail: None };
    Some(match key {
        "image_url" | "video_url" | "audio_url" => {
            let (mime, source) = MediaSource::of_url(body.as_str().or_else(|| text("url"))?);
            let kind = match key {
                "image_url" => MediaKind::Image,
                "video_url" => MediaKind::Video,
                _ => MediaKind::Audio,
            };
            Media { mime, detail: text("detail"), ..blank(kind, source) }
        }
        "input_audio" => sound(body)?,
        _ => file(text("file_data"), text("file_id"), text("filename"))?,
    })
}

/// A sound.
pub(crate) fn sound<'a>(body: &Value<'a>) -> Option<Media<'a>> {
    let text = |key| body.get(key).and_then(|text| text.as_str());
    let mime = text("format").map(|format| match format.as_ref() {
        "mp3" => Cow::Borrowed("audio/mpeg"),
        other => format!("audio/{other}").into(),
    });
    let source = MediaSource::Base64(text("data")?);
    Some(Media { kind: MediaKind::Audio, mime, source, name: None, detail: None })
}

/// A document by what is said of it.
pub(crate) fn file<'a>(
    data: Option<Cow<'a, str>>,
    id: Option<Cow<'a, str>>,
    name: Option<Cow<'a, str>>,
) -> Option<Media<'a>> {
    let (mime, source) = match (data, id) {
        (Some(data), _) if data.starts_with("data:") => MediaSource::of_url(data),
        (Some(data), _) => (None, MediaSource::Base64(data)),
        (None, Some(id)) => (None, MediaSource::File(id)),
        (None, None) => return None,
    };
    let kind = mime.as_deref().map_or(MediaKind::Document, MediaKind::of_mime);
    Some(Media { kind, mime, source, name, detail: None })
}

/// A wish that the prompt be remembered up to here. It has more than one form among vendors.
pub(crate) fn cache_mark(value: &Value<'_>) -> Option<CacheMark> {
    if value.kind() != Kind::Object {
        return None;
    }
    let lifetime = value.get("ttl").and_then(|lifetime| lifetime.as_str());
    Some(match lifetime.as_deref() {
        Some("1h" | "12h") => CacheMark::Hour,
        _ => CacheMark::Short,
    })
}
