//! Images, sounds and documents as parts of a message.

use gatewright::chat::{LossKind, Media, MediaKind, MediaSource};
use gatewright::dialect::Abilities;

use super::super::name::audio_format;
use crate::json::{ObjectWriter, quote_into};

/// How long a medium is when it is written, roughly.
pub(super) fn size(media: &Media<'_>) -> usize {
    match &media.source {
        MediaSource::Base64(data) | MediaSource::Url(data) | MediaSource::File(data) => data.len(),
        MediaSource::Text(text) => text.len() + text.len() / 16,
    }
}

/// What is lost of a medium in a message; all of it, if the dialect or the target has no place for it.
pub(super) fn loss(media: &Media<'_>, abilities: &Abilities) -> Option<LossKind> {
    use MediaKind::{Audio, Document, Image};
    let can_be_said = match (media.kind, &media.source) {
        // As a text, which it is.
        (Document, MediaSource::Text(_)) => return Some(LossKind::Approximated),
        (Image, MediaSource::Url(_)) => abilities.fetches_urls,
        (Image | Audio | Document, MediaSource::Base64(_)) | (Document, MediaSource::File(_)) => true,
        _ => false,
    };
    let is_read = can_be_said && abilities.media.contains(&media.kind);
    (!is_read).then_some(LossKind::Dropped)
}

/// Writes the part that a medium is.
pub(super) fn write(media: &Media<'_>, out: &mut Vec<u8>) {
    let mut part = ObjectWriter::open(out);
    match (media.kind, &media.source) {
        (_, MediaSource::Text(text)) => {
            part.str("type", "text");
            part.str("text", text);
        }
        (MediaKind::Audio, MediaSource::Base64(data)) => {
            part.str("type", "input_audio");
            let mut audio = part.object("input_audio");
            audio.str("data", data);
            audio.str("format", audio_format(media.mime.as_deref()));
            audio.close();
        }
        (MediaKind::Image, source) => {
            part.str("type", "image_url");
            let mut image = part.object("image_url");
            match source {
                MediaSource::Base64(data) => {
                    data_url(image.key("url"), media.mime.as_deref(), "image/png", data);
                }
                MediaSource::Url(url) | MediaSource::File(url) | MediaSource::Text(url) => {
                    image.str("url", url);
                }
            }
            if let Some(detail) = &media.detail {
                image.str("detail", detail);
            }
            image.close();
        }
        (_, source) => {
            part.str("type", "file");
            let mut file = part.object("file");
            match source {
                MediaSource::File(id) => file.str("file_id", id),
                MediaSource::Base64(data) => {
                    file.str("filename", media.name.as_deref().unwrap_or("document.pdf"));
                    data_url(file.key("file_data"), media.mime.as_deref(), "application/pdf", data);
                }
                MediaSource::Url(_) | MediaSource::Text(_) => {}
            }
            file.close();
        }
    }
    part.close();
}

/// Writes a `data:` URL. The data are base64, in which nothing needs an escape, unless they are not what they say.
pub(crate) fn data_url(out: &mut Vec<u8>, mime: Option<&str>, usual: &str, data: &str) {
    let mut text = Vec::with_capacity(data.len() + 64);
    quote_into(&mut text, data);
    let head = format!("data:{};base64,", mime.unwrap_or(usual));
    quote_into(out, &head);
    out.pop();
    out.extend_from_slice(text.get(1..).unwrap_or(b"\""));
}
