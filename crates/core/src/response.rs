//! An answer of a model, as extensions see it, whatever dialect the provider speaks.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;

use crate::dialect::{AnswerDocument, Dialect, Operation};
use crate::text::Lane;
use crate::{ProviderName, Usage};

/// What is known of an answer before its first byte of content.
#[derive(Clone, Debug)]
pub struct ResponseHead {
    /// The provider's status; filters see successful answers only.
    pub status: StatusCode,
    /// The dialect that the provider answers in.
    pub dialect: Dialect,
    /// What was asked for.
    pub operation: Operation,
    /// Whether the answer comes as a stream.
    pub streams: bool,
    /// Who answers.
    pub provider: ProviderName,
    /// The model name that was sent to the provider.
    pub model: Arc<str>,
}

/// A whole answer.
#[derive(Debug)]
pub struct LlmResponse {
    document: Box<dyn AnswerDocument>,
}

impl LlmResponse {
    /// Wraps a decoded answer.
    #[must_use]
    pub fn new(document: Box<dyn AnswerDocument>) -> Self {
        Self { document }
    }

    /// The dialect that the answer is written in.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.document.dialect()
    }

    /// What the provider says it consumed.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.document.usage()
    }

    /// Visits the text of every lane in order. Where `visit` returns a text, it replaces the
    /// lane's. Returns how many were replaced.
    ///
    /// # Errors
    ///
    /// When the answer is malformed at the place that is visited.
    pub fn edit_texts(
        &mut self,
        visit: &mut dyn FnMut(Lane, &str) -> Option<String>,
    ) -> Result<usize, crate::EditError> {
        self.document.edit_texts(visit)
    }

    /// Visits the text of every lane in order, as far as the answer is well formed.
    pub fn for_each_text(&self, visit: &mut dyn FnMut(Lane, &str)) {
        self.document.for_each_text(visit);
    }

    /// Whether anything was edited since the answer was decoded.
    #[must_use]
    pub fn is_edited(&self) -> bool {
        self.document.is_edited()
    }

    /// The answer as it goes over the wire: the provider's own buffer when nothing was edited.
    #[must_use]
    pub fn to_body(&self) -> Bytes {
        self.document.to_body()
    }

    /// The document behind the view, for codecs.
    #[must_use]
    pub fn document_mut(&mut self) -> &mut dyn AnswerDocument {
        &mut *self.document
    }
}
