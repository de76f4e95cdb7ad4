//! Edits as replacements of spans, applied in one pass.
//!
//! Whatever lies outside the spans is copied byte for byte.

use bytes::Bytes;
use smallvec::SmallVec;

use super::{JsonStr, Span, Value, quote_into};

/// Replacements to be made in one text, in any order of adding.
#[derive(Debug, Clone, Default)]
pub struct Patches {
    list: SmallVec<[Patch; 2]>,
    /// The new texts one after the other: a patch costs no allocation of its own, so that an edit of a million
    /// tiny texts stays within a small multiple of their size.
    new: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Patch {
    /// In the text that is patched.
    old: Span,
    /// In the new texts.
    new: Span,
}

/// Two replacements claim the same byte, or one reaches beyond the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("edits overlap or reach beyond the text at byte {offset}")]
pub struct OverlapError {
    /// Where the edit that cannot be made begins.
    pub offset: usize,
}

impl Patches {
    /// No edits.
    pub fn new() -> Self {
        Self::default()
    }

    /// True if applying them changes nothing.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Puts `with` in the place of `span`.
    pub fn replace(&mut self, span: Span, with: impl AsRef<[u8]>) {
        self.replace_by(span, |new| new.extend_from_slice(with.as_ref()));
    }

    /// Puts `text`, as a JSON string, in the place of `span`.
    pub fn replace_str(&mut self, span: Span, text: &str) {
        self.replace_by(span, |new| quote_into(new, text));
    }

    /// Makes `text` say `new`. A value's source becomes another one's: an empty one an empty object, and what is no
    /// JSON a string.
    pub(crate) fn replace_text(&mut self, text: &JsonStr<'_>, new: &str) {
        match text.is_source() {
            true if new.trim_ascii().is_empty() => self.replace(text.span(), "{}"),
            true if Value::parse(new.as_bytes()).is_ok() => self.replace(text.span(), new),
            true | false => self.replace_str(text.span(), new),
        }
    }

    /// Puts `with` before the byte at `at`; several at one place stand in the order in which they were added.
    pub fn insert(&mut self, at: usize, with: impl AsRef<[u8]>) {
        self.replace(Span::new(at, at), with);
    }

    /// Takes `span` out.
    pub fn remove(&mut self, span: Span) {
        self.replace(span, []);
    }

    fn replace_by(&mut self, old: Span, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.new.len();
        write(&mut self.new);
        self.list.push(Patch { old, new: Span::new(start, self.new.len()) });
    }

    /// Takes over the edits of `other`, as if they had been added here after the ones before.
    pub fn append(&mut self, other: &Self) {
        for patch in &other.list {
            self.replace(patch.old, patch.new.of(&other.new));
        }
    }

    /// The text with all edits made; `text` itself, the same buffer, if there are none.
    ///
    /// # Errors
    /// [`OverlapError`] if two edits claim the same byte or one reaches beyond the text.
    pub fn apply(&self, text: &Bytes) -> Result<Bytes, OverlapError> {
        if self.is_empty() {
            return Ok(text.clone());
        }
        let mut out = Vec::new();
        self.apply_into(text, &mut out)?;
        Ok(Bytes::from(out))
    }

    /// Appends the text with all edits made.
    ///
    /// # Errors
    /// As [`Patches::apply`]; then nothing is appended.
    pub fn apply_into(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), OverlapError> {
        let mut sorted = self.list.clone();
        // Stable, so that insertions at one place keep their order, and stand before what is replaced there.
        sorted.sort_by_key(|patch| (patch.old.start, !patch.old.is_empty()));
        let removed: usize = sorted.iter().map(|patch| patch.old.len()).sum();
        let before = out.len();
        out.reserve_exact((text.len() + self.new.len()).saturating_sub(removed));
        let mut done = 0;
        for patch in sorted {
            let Some(untouched) = text.get(done..patch.old.start) else {
                out.truncate(before);
                return Err(OverlapError { offset: patch.old.start });
            };
            out.extend_from_slice(untouched);
            out.extend_from_slice(patch.new.of(&self.new));
            done = patch.old.end.max(patch.old.start);
        }
        let Some(rest) = text.get(done..) else {
            out.truncate(before);
            return Err(OverlapError { offset: done });
        };
        out.extend_from_slice(rest);
        Ok(())
    }
}
