//! The text of an event: the provider's own bytes until somebody edits it.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

/// Text that costs no copy as long as nobody edits it. It reads as a `str`.
///
/// ```
/// use gatewright::EventText;
///
/// let mut text = EventText::shared("bob@x.com".into()).expect("it is UTF-8");
/// assert!(text.contains('@'));
/// text.to_mut().push('!');
/// assert_eq!(text, "bob@x.com!");
/// ```
#[derive(Clone)]
pub struct EventText(Repr);

#[derive(Clone)]
enum Repr {
    /// Invariant: UTF-8.
    Shared(Bytes),
    Owned(String),
}

impl EventText {
    /// Text that stands in these bytes as it is; `None` where they are not UTF-8.
    #[must_use]
    pub fn shared(bytes: Bytes) -> Option<Self> {
        std::str::from_utf8(&bytes).is_ok().then_some(Self(Repr::Shared(bytes)))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // Checked when it was made; without `unsafe` the check is made again, at some bytes per nanosecond.
            Repr::Shared(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
            Repr::Owned(text) => text,
        }
    }

    /// The text for editing; the first call copies it.
    pub fn to_mut(&mut self) -> &mut String {
        if let Repr::Shared(_) = &self.0 {
            self.0 = Repr::Owned(self.as_str().to_owned());
        }
        match &mut self.0 {
            Repr::Owned(text) => text,
            Repr::Shared(_) => unreachable!("it was made owned right above"),
        }
    }
}

impl Deref for EventText {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl From<String> for EventText {
    fn from(text: String) -> Self {
        Self(Repr::Owned(text))
    }
}

impl From<&str> for EventText {
    fn from(text: &str) -> Self {
        Self(Repr::Owned(text.to_owned()))
    }
}

impl PartialEq<str> for EventText {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for EventText {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Debug for EventText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for EventText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        assert!(EventText::shared(Bytes::from_static(b"\xff")).is_none());
    }

    #[test]
    fn editing_leaves_the_shared_bytes_alone() {
        let bytes = Bytes::from_static("añb".as_bytes());
        let mut text = EventText::shared(bytes.clone()).unwrap();
        text.to_mut().make_ascii_uppercase();
        assert_eq!(text, "AñB");
        assert_eq!(bytes, "añb");
    }
}
