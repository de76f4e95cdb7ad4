//! Taking items out of a list, commas thought of.

use super::{Patches, Span};

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
