//! Answers that are nothing but text: a transcript, or one with times in the form of subtitles.

use bytes::Bytes;
use gatewright::dialect::{AnswerDocument, Dialect};
use gatewright::text::Lane;
use gatewright::{EditError, Usage};

/// Bytes of text per token, roughly, over languages.
const BYTES_PER_TOKEN: usize = 4;

/// The text of an answer.
#[derive(Debug)]
pub(super) struct Text {
    dialect: Dialect,
    text: String,
    is_edited: bool,
}

impl Text {
    /// The text of a body that is one, and no JSON.
    pub(super) fn of(body: &Bytes, dialect: Dialect) -> Option<Self> {
        if body.trim_ascii_start().starts_with(b"{") {
            return None;
        }
        let text = std::str::from_utf8(body).ok()?.to_owned();
        Some(Self { dialect, text, is_edited: false })
    }
}

impl AnswerDocument for Text {
    fn dialect(&self) -> Dialect {
        self.dialect
    }

    fn usage(&self) -> Option<Usage> {
        None
    }

    fn estimate_output_tokens(&self) -> u64 {
        u64::try_from(self.text.len().div_ceil(BYTES_PER_TOKEN)).unwrap_or(u64::MAX)
    }

    fn model(&self) -> Option<&str> {
        None
    }

    fn set_model(&mut self, _: &str) {}

    fn edit_texts(
        &mut self,
        visit: &mut dyn FnMut(Lane, &str) -> Option<String>,
    ) -> Result<usize, EditError> {
        let Some(new) = visit(Lane::content(0), &self.text).filter(|new| *new != self.text) else {
            return Ok(0);
        };
        self.text = new;
        self.is_edited = true;
        Ok(1)
    }

    fn for_each_text(&self, visit: &mut dyn FnMut(Lane, &str)) {
        visit(Lane::content(0), &self.text);
    }

    fn is_edited(&self) -> bool {
        self.is_edited
    }

    fn to_body(&self) -> Bytes {
        Bytes::from(self.text.clone())
    }
}
