//! Images and documents.

use std::borrow::Cow;

use gatewright::chat::{LossKind, Media, MediaKind, MediaSource, Place};

use super::{Result, Writing};
use crate::json::quote_into;

/// Images that the API takes in the request itself, each with the beginning of its bytes in base64.
const IMAGES: [(&str, &str); 4] =
    [("image/png", "iVBORw0KG"), ("image/jpeg", "/9j/"), ("image/gif", "R0lG"), ("image/webp", "UklG")];

/// The one kind of document that it takes so.
const PDF: &str = "application/pdf";

impl Writing<'_, '_, '_> {
    /// The block of a medium, but for its end; none if it has no place, which is reported.
    pub(super) fn media(&mut self, media: &Media<'_>, place: &Place<'_>) -> Result<bool> {
        let kind = match media.kind {
            MediaKind::Image => "image",
            MediaKind::Document => "document",
            MediaKind::Audio | MediaKind::Video => return self.lost(place),
        };
        if !self.abilities.media.contains(&media.kind) {
            return self.lost(place);
        }
        let source = match &media.source {
            MediaSource::Base64(data) => match mime(media, data) {
                Some(mime) => {
                    [("type", "base64".into()), ("media_type", mime), ("data", data.as_ref().into())].to_vec()
                }
                None => return self.lost(place),
            },
            MediaSource::Text(_) if media.kind == MediaKind::Image => return self.lost(place),
            MediaSource::Text(text) => {
                [("type", "text".into()), ("media_type", "text/plain".into()), ("data", text.as_ref().into())]
                    .to_vec()
            }
            MediaSource::Url(_) if !self.abilities.fetches_urls => return self.lost(place),
            MediaSource::Url(url) => [("type", "url".into()), ("url", url.as_ref().into())].to_vec(),
            MediaSource::File(id) => [("type", "file".into()), ("file_id", id.as_ref().into())].to_vec(),
        };
        self.out.extend_from_slice(format!(r#"{{"type":"{kind}","source":"#).as_bytes());
        self.object(&source);
        if let Some(name) = media.name.as_deref().filter(|name| kind == "document" && !name.is_empty()) {
            self.out.extend_from_slice(br#","title":"#);
            quote_into(&mut self.out, name);
        }
        // How closely it looks is not for the caller to say.
        if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
            self.losses.report(place, LossKind::Approximated)?;
        }
        Ok(true)
    }

    fn lost(&mut self, place: &Place<'_>) -> Result<bool> {
        self.losses.report(place, LossKind::Dropped)?;
        Ok(false)
    }

    fn object(&mut self, members: &[(&str, Cow<'_, str>)]) {
        let mut separator = b'{';
        for (key, value) in members {
            self.out.push(std::mem::replace(&mut separator, b','));
            quote_into(&mut self.out, key);
            self.out.push(b':');
            quote_into(&mut self.out, value);
        }
        self.out.push(b'}');
    }
}

/// The media type of what stands in the request in base64, as the API names it; none if it does not take it.
fn mime<'m>(media: &'m Media<'_>, data: &str) -> Option<Cow<'m, str>> {
    let said = media.mime.as_deref().map(|mime| if mime == "image/jpg" { "image/jpeg" } else { mime });
    match media.kind {
        MediaKind::Image => {
            let is_known = |mime: &str| IMAGES.iter().any(|(known, _)| *known == mime);
            let seen = IMAGES.iter().find(|(_, start)| data.starts_with(start)).map(|(mime, _)| *mime);
            said.filter(|mime| is_known(mime)).or(seen).map(Cow::Borrowed)
        }
        MediaKind::Document if said.is_none() || said == Some(PDF) => Some(Cow::Borrowed(PDF)),
        MediaKind::Document | MediaKind::Audio | MediaKind::Video => None,
    }
}
