//! Images, sounds, films and documents.

use std::borrow::Cow;

/// Something in a conversation that is not text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media<'a> {
    /// What it is.
    pub kind: MediaKind,
    /// Its media type, for example `image/png`; none where the caller did not say.
    pub mime: Option<Cow<'a, str>>,
    /// Where its bytes are.
    pub source: MediaSource<'a>,
    /// Its name, for documents.
    pub name: Option<Cow<'a, str>>,
    /// How closely an image is to be looked at, in the caller's word.
    pub detail: Option<Cow<'a, str>>,
}

/// What a medium is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A sound.
    Audio,
    /// A film.
    Video,
    /// A document, for example a PDF.
    Document,
}

impl Media<'_> {
    /// The same, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Media<'static> {
        fn own(text: Cow<'_, str>) -> Cow<'static, str> {
            Cow::Owned(text.into_owned())
        }
        Media {
            kind: self.kind,
            mime: self.mime.map(own),
            source: match self.source {
                MediaSource::Base64(data) => MediaSource::Base64(own(data)),
                MediaSource::Text(text) => MediaSource::Text(own(text)),
                MediaSource::Url(url) => MediaSource::Url(own(url)),
                MediaSource::File(id) => MediaSource::File(own(id)),
            },
            name: self.name.map(own),
            detail: self.detail.map(own),
        }
    }
}

impl MediaKind {
    /// The kind that a word of a data file stands for.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "image" => Self::Image,
            "audio" => Self::Audio,
            "video" => Self::Video,
            "document" => Self::Document,
            _ => return None,
        })
    }
}

/// Where the bytes of a medium are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaSource<'a> {
    /// Here, in base64 with the standard alphabet.
    Base64(Cow<'a, str>),
    /// Here, as text: documents of type `text/plain`.
    Text(Cow<'a, str>),
    /// At an address that the provider is to fetch.
    Url(Cow<'a, str>),
    /// In the provider's store of files.
    File(Cow<'a, str>),
}

impl MediaKind {
    /// What a media type denotes; a document where it is none of the others.
    #[must_use]
    pub fn of_mime(mime: &str) -> Self {
        match mime.split('/').next() {
            Some("image") => Self::Image,
            Some("audio") => Self::Audio,
            Some("video") => Self::Video,
            _ => Self::Document,
        }
    }
}

impl<'a> MediaSource<'a> {
    /// Reads a `data:` URL into its media type and source; any other URL is one.
    #[must_use]
    pub fn of_url(url: Cow<'a, str>) -> (Option<Cow<'a, str>>, Self) {
        let Some((head, _)) = url.strip_prefix("data:").and_then(|rest| rest.split_once(',')) else {
            return (None, Self::Url(url));
        };
        let Some(mime) = head.strip_suffix(";base64") else { return (None, Self::Url(url)) };
        let mime = mime.split(';').next().filter(|mime| !mime.is_empty()).map(str::to_owned);
        let start = "data:".len() + head.len() + 1;
        let data = match url {
            Cow::Borrowed(url) => Cow::Borrowed(url.get(start..).unwrap_or_default()),
            Cow::Owned(mut url) => {
                url.drain(..start);
                Cow::Owned(url)
            }
        };
        (mime.map(Cow::Owned), Self::Base64(data))
    }
}
