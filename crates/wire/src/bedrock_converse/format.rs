//! Formats of media, which the dialect names by a word where others have media types.

use gatewright::chat::{Media, MediaKind, MediaSource};

/// Kind, word, media type. The first of a media type is its word.
const FORMATS: &[(MediaKind, &str, &str)] = &[
    (MediaKind::Image, "png", "image/png"),
    (MediaKind::Image, "jpeg", "image/jpeg"),
    (MediaKind::Image, "jpeg", "image/jpg"),
    (MediaKind::Image, "gif", "image/gif"),
    (MediaKind::Image, "webp", "image/webp"),
    (MediaKind::Document, "pdf", "application/pdf"),
    (MediaKind::Document, "csv", "text/csv"),
    (MediaKind::Document, "doc", "application/msword"),
    (MediaKind::Document, "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (MediaKind::Document, "xls", "application/vnd.ms-excel"),
    (MediaKind::Document, "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (MediaKind::Document, "html", "text/html"),
    (MediaKind::Document, "txt", "text/plain"),
    (MediaKind::Document, "md", "text/markdown"),
    (MediaKind::Video, "mp4", "video/mp4"),
    (MediaKind::Video, "mov", "video/quicktime"),
    (MediaKind::Video, "mkv", "video/x-matroska"),
    (MediaKind::Video, "webm", "video/webm"),
    (MediaKind::Video, "flv", "video/x-flv"),
    (MediaKind::Video, "mpeg", "video/mpeg"),
    (MediaKind::Video, "mpg", "video/mpg"),
    (MediaKind::Video, "wmv", "video/x-ms-wmv"),
    (MediaKind::Video, "three_gp", "video/3gpp"),
    (MediaKind::Audio, "mp3", "audio/mpeg"),
    (MediaKind::Audio, "mp3", "audio/mp3"),
    (MediaKind::Audio, "wav", "audio/wav"),
    (MediaKind::Audio, "wav", "audio/x-wav"),
    (MediaKind::Audio, "opus", "audio/opus"),
    (MediaKind::Audio, "aac", "audio/aac"),
    (MediaKind::Audio, "flac", "audio/flac"),
    (MediaKind::Audio, "ogg", "audio/ogg"),
    (MediaKind::Audio, "m4a", "audio/mp4"),
    (MediaKind::Audio, "webm", "audio/webm"),
    (MediaKind::Audio, "pcm", "audio/pcm"),
];

/// How the base64 of some formats begins, whatever follows.
const BEGINNINGS: &[(&str, &str)] = &[
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
    ("JVBERi0", "application/pdf"),
];

/// The dialect's member for a kind of media.
pub(super) const fn member(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "image",
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
        MediaKind::Document => "document",
    }
}

/// The media type that a word stands for.
pub(super) fn mime(kind: MediaKind, word: &str) -> Option<&'static str> {
    FORMATS.iter().find(|(known, format, _)| *known == kind && *format == word).map(|(_, _, mime)| *mime)
}

/// The word for what a medium is; none if the dialect has none.
pub(super) fn word(media: &Media<'_>) -> Option<&'static str> {
    let find = |mime: &str| {
        let mime = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let mut formats = FORMATS.iter();
        formats.find(|(kind, _, known)| *kind == media.kind && *known == mime).map(|(_, word, _)| *word)
    };
    if let Some(mime) = &media.mime {
        return find(mime);
    }
    match &media.source {
        MediaSource::Text(_) => Some("txt"),
        MediaSource::Base64(data) => {
            let begins = BEGINNINGS.iter().find(|(beginning, _)| data.starts_with(beginning));
            begins.and_then(|(_, mime)| find(mime)).or_else(|| ending(media))
        }
        MediaSource::Url(_) | MediaSource::File(_) => ending(media),
    }
}

/// The word at the end of a medium's name or address.
fn ending(media: &Media<'_>) -> Option<&'static str> {
    let name = match (&media.name, &media.source) {
        (Some(name), _) => name,
        (None, MediaSource::Url(url)) => url,
        _ => return None,
    };
    let (_, ending) = name.rsplit_once('.')?;
    let ending = ending.to_ascii_lowercase();
    let ending = if ending == "jpg" { "jpeg" } else { ending.as_str() };
    FORMATS.iter().find(|(kind, word, _)| *kind == media.kind && *word == ending).map(|(_, word, _)| *word)
}
