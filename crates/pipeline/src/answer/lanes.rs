//! The texts of a streamed answer, collected for a filter that wants to see it whole.

use bytes::Bytes;
use gatewright::dialect::{AnswerDocument, Dialect};
use gatewright::text::Lane;
use gatewright::{EditError, EventKind, LlmResponse, StreamEvent, Usage};

/// One text per lane, in the order in which the lanes began.
#[derive(Clone, Debug)]
pub(crate) struct LaneTexts {
    dialect: Dialect,
    lanes: Vec<(Lane, String)>,
    bytes: usize,
    is_edited: bool,
}

impl LaneTexts {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self { dialect, lanes: Vec::new(), bytes: 0, is_edited: false }
    }

    /// The texts of a whole answer.
    pub(crate) fn of(response: &LlmResponse) -> Self {
        let mut texts = Self::new(response.dialect());
        response.for_each_text(&mut |lane, text| {
            texts.add(&StreamEvent::inserted(EventKind::TextDelta { lane, text: text.into() }));
        });
        texts
    }

    /// Adds an event's text. Returns the bytes collected so far.
    pub(crate) fn add(&mut self, event: &StreamEvent) -> usize {
        if let Some((lane, text)) = event.text() {
            self.bytes += text.len();
            match self.lanes.iter_mut().find(|(known, _)| *known == lane) {
                Some((_, known)) => known.push_str(text),
                None => self.lanes.push((lane, text.to_owned())),
            }
        }
        self.bytes
    }

    /// Takes the text of a lane; a lane's text is given once.
    pub(crate) fn take(&mut self, lane: Lane) -> Option<String> {
        let index = self.lanes.iter().position(|(known, _)| *known == lane)?;
        Some(self.lanes.remove(index).1)
    }
}

impl AnswerDocument for LaneTexts {
    fn dialect(&self) -> Dialect {
        self.dialect
    }

    fn usage(&self) -> Option<Usage> {
        None
    }

    fn estimate_output_tokens(&self) -> u64 {
        u64::try_from(self.bytes / 4).unwrap_or(u64::MAX)
    }

    fn model(&self) -> Option<&str> {
        None
    }

    fn set_model(&mut self, _: &str) {}

    fn edit_texts(
        &mut self,
        visit: &mut dyn FnMut(Lane, &str) -> Option<String>,
    ) -> Result<usize, EditError> {
        let mut edits = 0;
        for (lane, text) in &mut self.lanes {
            if let Some(new) = visit(*lane, text) {
                *text = new;
                edits += 1;
            }
        }
        self.is_edited |= edits > 0;
        Ok(edits)
    }

    fn for_each_text(&self, visit: &mut dyn FnMut(Lane, &str)) {
        for (lane, text) in &self.lanes {
            visit(*lane, text);
        }
    }

    fn is_edited(&self) -> bool {
        self.is_edited
    }

    /// The texts one after the other: a collected stream has no wire form of its own.
    fn to_body(&self) -> Bytes {
        self.lanes.iter().map(|(_, text)| text.as_str()).collect::<String>().into()
    }
}
