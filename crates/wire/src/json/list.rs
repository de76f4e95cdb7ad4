//! Taking items out of a list, commas thought of.

use memchr::memmem;

use super::cursor::Cursor;
use super::{Patches, Reason, Span};

/// What stays of the elements of an array, or of the members of an object, met in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListEdit {
    /// End of the last item, kept or not.
    last_end: Option<usize>,
    /// An item before this place stays.
    keeps_any: bool,
    /// Where a removed item begins that has no kept one before it; it goes together with the comma after it.
    leading: Option<usize>,
}

/// Where an item can be added at the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// After this byte of the list; if there is none, right after the opening bracket.
    pub(super) after: Option<usize>,
    /// Whether an item stays that a comma has to part the new one from.
    pub(super) needs_comma: bool,
}

impl ListEdit {
    /// The item at `span` stays.
    pub(crate) fn keep(&mut self, span: Span, patches: &mut Patches) {
        if let Some(start) = self.leading.take() {
            patches.remove(Span::new(start, span.start));
        }
        self.keeps_any = true;
        self.last_end = Some(span.end);
    }

    /// The item at `span` goes.
    pub(crate) fn drop(&mut self, span: Span, patches: &mut Patches) {
        match self.last_end {
            Some(end) if self.keeps_any => patches.remove(Span::new(end, span.end)),
            _ => {
                self.leading.get_or_insert(span.start);
            }
        }
        self.last_end = Some(span.end);
    }

    /// There are no more items.
    pub(super) fn end(mut self, patches: &mut Patches) -> Place {
        if let (Some(start), Some(end)) = (self.leading.take(), self.last_end) {
            patches.remove(Span::new(start, end));
        }
        Place { after: self.last_end, needs_comma: self.keeps_any }
    }

    /// There are no more items, and none is to be added.
    pub(crate) fn finish(self, patches: &mut Patches) {
        self.end(patches);
    }
}

/// What to remove to take the member with this key, written in quotes, out of the object that the checked `text` is.
///
/// Looks from the end and only as far as it must; none if the key stands elsewhere too, or not at the top.
pub(crate) fn member_near_end(text: &[u8], quoted_key: &[u8]) -> Option<Span> {
    let start = memmem::rfind(text, quoted_key)?;
    let head = text.get(..start)?;
    if memmem::find(head, quoted_key).is_some() {
        return None;
    }
    let mut cursor = Cursor::new(text, start);
    cursor.key(Reason::ExpectedKey).ok()?;
    let (_, value) = cursor.value(1).ok()?;
    // Only the members of the outermost object are followed by nothing but members, its brace and the end.
    while cursor.peek()? == b',' {
        cursor.step();
        cursor.key(Reason::ExpectedKey).ok()?;
        cursor.value(1).ok()?;
    }
    cursor.step();
    cursor.end().ok()?;
    // A quote behind a comma begins a key, because inside a string it would stand behind a backslash.
    let head = head.trim_ascii_end();
    head.ends_with(b",").then(|| Span::new(head.len() - 1, value.end))
}
