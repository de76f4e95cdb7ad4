//! Parts of items, read.

use std::borrow::Cow;

use gatewright::Failure;
use gatewright::chat::{Media, MediaKind, MediaSource, Origin, Part, PartKind};

use crate::document::invalid;
use crate::json::{Kind, Reader, Value};
use crate::openai_chat::chat::part::{cache_mark, file, sound};

/// Reads the content of an item: a text, or parts.
pub(super) fn content<'a>(
    reader: &mut Reader<'a>,
    origin: Origin,
    parts: &mut Vec<Part<'a>>,
) -> Result<(), Failure> {
    if reader.kind() == Some(Kind::String) {
        parts.extend(reader.string()?.map(|text| Part::text(text.decode()).at(origin)));
        return Ok(());
    }
    reader.array(|reader, index| {
        let origin = Origin { part: Some(u32::try_from(index).unwrap_or(u32::MAX)), ..origin };
        parts.push(part(reader, origin)?);
        Ok::<_, Failure>(())
    })?;
    Ok(())
}

/// Reads a part in one pass.
fn part<'a>(reader: &mut Reader<'a>, origin: Origin) -> Result<Part<'a>, Failure> {
    let whole = reader.clone();
    let mut kind = None;
    let mut text = None;
    let mut cache = None;
    reader.object(|reader, key| {
        match key.bytes().as_ref() {
            b"type" => kind = reader.string()?.map(|kind| kind.decode()),
            b"text" | b"refusal" => text = reader.string()?.map(|text| text.decode()),
            b"prompt_cache_breakpoint" => cache = cache_mark(&reader.value()?),
            _ => {}
        }
        Ok::<_, Failure>(())
    })?;
    let wrong = || {
        let field = format!("/input/{}/content/{}", origin.message, origin.part.unwrap_or(0));
        invalid(&field, "a part with all that its type needs")
    };
    let kind = match (kind.as_deref(), text) {
        (Some("input_text" | "output_text" | "text" | "summary_text" | "reasoning_text"), Some(text)) => {
            PartKind::Text(text)
        }
        (Some("refusal"), Some(text)) => PartKind::Refusal(text),
        (Some(kind @ ("input_image" | "input_file" | "input_audio")), _) => {
            PartKind::Media(media(kind, &whole.clone().value()?).ok_or_else(wrong)?)
        }
        (Some("input_text" | "output_text" | "refusal") | None, _) => return Err(wrong()),
        (Some(other), _) => PartKind::Foreign(other.to_owned().into()),
    };
    Ok(Part { cache, ..Part::new(kind).at(origin) })
}

fn media<'a>(kind: &str, part: &Value<'a>) -> Option<Media<'a>> {
    let text = |key| part.get(key).and_then(|text| text.as_str());
    match kind {
        "input_image" => {
            let (mime, source) = match (text("image_url"), text("file_id")) {
                (Some(url), _) => MediaSource::of_url(url),
                (None, Some(id)) => (None, MediaSource::File(id)),
                (None, None) => return None,
            };
            let detail = text("detail").filter(|detail| detail != "auto");
            Some(Media { kind: MediaKind::Image, mime, source, name: None, detail })
        }
        "input_audio" => sound(&part.get("input_audio")?),
        _ => match text("file_url") {
            Some(url) => {
                let (mime, source) = MediaSource::of_url(url);
                let name: Option<Cow<'a, str>> = text("filename");
                Some(Media { kind: MediaKind::Document, mime, source, name, detail: None })
            }
            None => file(text("file_data"), text("file_id"), text("filename")),
        },
    }
}
