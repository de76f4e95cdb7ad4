//! A JSON text with edits that wait to be made.
//!
//! An edit is kept as patches, and made when somebody reads on or asks for the bytes: the common single edit
//! and the splices of routing then cost one copy of the text together.

use std::sync::OnceLock;

use bytes::Bytes;

use crate::json::Patches;

/// What a dialect notes about a text when it scans it: spans of what is spliced, values of what is asked.
pub(crate) trait Head: Sized {
    /// Scans `text`; none if it is not what it was before an edit.
    fn rescan(&self, text: &Bytes) -> Option<Self>;
}

/// A text and what was noted about it.
#[derive(Debug, Clone)]
pub(crate) struct Scanned<H> {
    pub(crate) text: Bytes,
    pub(crate) head: H,
}

/// A text, edits of it, and, once somebody looked, the edited text.
#[derive(Debug, Clone)]
pub(crate) struct Draft<H> {
    base: Scanned<H>,
    pending: Patches,
    settled: OnceLock<Scanned<H>>,
    is_edited: bool,
}

impl<H: Head> Scanned<H> {
    fn edited(&self, patches: &Patches) -> Option<Self> {
        let text = patches.apply(&self.text).ok()?;
        let head = self.head.rescan(&text)?;
        Some(Self { text, head })
    }
}

impl<H: Head> Draft<H> {
    pub(crate) fn new(base: Scanned<H>) -> Self {
        Self { base, pending: Patches::new(), settled: OnceLock::new(), is_edited: false }
    }

    /// Whether it was ever edited.
    pub(crate) const fn is_edited(&self) -> bool {
        self.is_edited
    }

    /// The text with all edits made.
    pub(crate) fn current(&self) -> &Scanned<H> {
        if self.pending.is_empty() {
            return &self.base;
        }
        self.settled.get_or_init(|| {
            let edited = self.base.edited(&self.pending);
            edited.expect(
                "an edit that waits puts strings in the place of strings and messages between messages",
            )
        })
    }

    /// Makes the edits that wait, and gives the text that the next ones are to be made in.
    pub(crate) fn settle(&mut self) -> &Scanned<H> {
        self.current();
        if let Some(settled) = self.settled.take() {
            self.base = settled;
            self.pending = Patches::new();
        }
        &self.base
    }

    /// Adds edits of the text that [`Draft::settle`] gave. They must leave it what it is.
    pub(crate) fn edit(&mut self, patches: Patches) {
        self.is_edited |= !patches.is_empty();
        self.pending = patches;
    }

    /// Changes what was noted about the text.
    pub(crate) fn note(&mut self, change: impl FnOnce(&mut H)) {
        self.settle();
        change(&mut self.base.head);
        self.is_edited = true;
    }

    /// Makes edits of the text that [`Draft::settle`] gave, unless it would not be what it is any more.
    pub(crate) fn try_edit(&mut self, patches: &Patches) -> bool {
        let Some(edited) = self.base.edited(patches) else { return false };
        self.base = edited;
        self.is_edited = true;
        true
    }

    /// The bytes, with all edits and with what `splice` puts into the text that it is shown; the original buffer
    /// if there is neither.
    pub(crate) fn render(&self, splice: impl FnOnce(&Scanned<H>) -> Patches) -> Bytes {
        let (text, patches) = match self.settled.get() {
            Some(settled) => (settled, splice(settled)),
            None => {
                let mut patches = self.pending.clone();
                patches.append(&splice(&self.base));
                (&self.base, patches)
            }
        };
        patches.apply(&text.text).expect("splices and edits of texts touch different members")
    }
}
