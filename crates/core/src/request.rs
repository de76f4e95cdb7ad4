//! A request for a model, as extensions see it, whatever dialect the caller speaks.
//!
//! The value owns the client's bytes and parses lazily. Reading never marks it as edited; an
//! edit becomes a patch into the original text, so that what nobody touched goes to the provider
//! byte for byte.

use bytes::Bytes;

use crate::dialect::{Dialect, Operation, RequestDocument};

/// Who speaks in a part of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Instructions of the operator or the application, under whatever name the dialect has.
    System,
    /// The end user.
    User,
    /// The model, in an earlier turn.
    Assistant,
    /// The result of a tool call.
    Tool,
}

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TextKind {
    /// Text of a message.
    Content,
    /// Arguments of a tool call that the model made in an earlier turn: JSON source text.
    ToolArguments,
    /// The description of a tool that is offered to the model.
    ToolDescription,
    /// A prompt or an input outside of any message (legacy completions, embeddings).
    Input,
}

/// A piece of text in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextPart<'a> {
    /// Who speaks.
    pub role: Role,
    /// What the text is.
    pub kind: TextKind,
    /// The text, without the escapes of the wire format.
    pub text: &'a str,
}

/// What can be counted in a request, whatever its dialect calls it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestCounts {
    /// Messages of a conversation.
    pub messages: usize,
    /// Prompts or inputs outside of any message.
    pub inputs: usize,
    /// Tools that are offered to the model.
    pub tools: usize,
    /// Images in messages.
    pub images: usize,
    /// Sounds, films and documents in messages.
    pub files: usize,
}

/// Where inserted text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Placement {
    /// Before everything else of its role.
    First,
    /// After everything else of its role that leads the conversation. Text that the gateway adds
    /// belongs here, because a change at the front destroys the provider's prompt cache.
    Last,
}

/// Why an edit was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The operation has no place for this, for example a system text in an embeddings request.
    #[error("a request of this kind has no place for {what}")]
    NoPlace {
        /// What was to be placed.
        what: &'static str,
    },
    /// The pointer does not lead to a place that can be set.
    #[error("{pointer} does not lead to a field that can be set")]
    NoSuchField {
        /// The RFC 6901 pointer that was given.
        pointer: String,
    },
    /// The value is not JSON.
    #[error("the new value of {pointer} is not valid JSON")]
    NotJson {
        /// The RFC 6901 pointer that was given.
        pointer: String,
    },
    /// The request itself is malformed at this place.
    #[error("{pointer} is malformed: {reason}")]
    Malformed {
        /// Where.
        pointer: String,
        /// What is wrong there.
        reason: String,
    },
}

/// A request for a model.
#[derive(Debug)]
pub struct LlmRequest {
    document: Box<dyn RequestDocument>,
    edits: u32,
}

impl LlmRequest {
    /// Wraps a decoded request.
    #[must_use]
    pub fn new(document: Box<dyn RequestDocument>) -> Self {
        Self { document, edits: 0 }
    }

    /// The dialect that the caller speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.document.dialect()
    }

    /// What is asked for.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.document.operation()
    }

    /// The model name as it stands in the request now.
    #[must_use]
    pub fn model(&self) -> &str {
        self.document.model()
    }

    /// Whether the caller wants the answer as a stream.
    #[must_use]
    pub fn streams(&self) -> bool {
        self.document.streams()
    }

    /// The number of alternative answers asked for, at least 1.
    #[must_use]
    pub fn choices(&self) -> u32 {
        self.document.choices()
    }

    /// The caller's own cap on output tokens per choice.
    #[must_use]
    pub fn output_cap(&self) -> Option<u64> {
        self.document.output_cap()
    }

    /// Whether anything was edited since the request was decoded.
    #[must_use]
    pub fn is_edited(&self) -> bool {
        self.document.is_edited()
    }

    /// Visits every piece of text in order. Where `visit` returns a text, it replaces the piece.
    /// Returns how many pieces were replaced.
    ///
    /// # Errors
    ///
    /// When the conversation is malformed at the place that is visited.
    pub fn edit_texts(
        &mut self,
        visit: &mut dyn FnMut(TextPart<'_>) -> Option<String>,
    ) -> Result<usize, EditError> {
        let replaced = self.document.edit_texts(visit)?;
        self.edits = self.edits.saturating_add(u32::try_from(replaced).unwrap_or(u32::MAX));
        Ok(replaced)
    }

    /// Visits every piece of text in order, without editing.
    ///
    /// # Errors
    ///
    /// When the conversation is malformed at the place that is visited.
    pub fn for_each_text(&self, visit: &mut dyn FnMut(TextPart<'_>)) -> Result<(), EditError> {
        self.document.for_each_text(visit)
    }

    /// Whether a piece of message or input text contains `needle`. A request whose texts cannot be
    /// read counts as containing it, because nobody can tell.
    #[must_use]
    pub fn contains(&self, needle: &str) -> bool {
        let mut found = false;
        let visited = self.for_each_text(&mut |part| found |= part.text.contains(needle));
        found || visited.is_err()
    }

    /// Adds a text of the given role.
    ///
    /// # Errors
    ///
    /// When a request of this kind has no place for it.
    pub fn insert_text(&mut self, role: Role, at: Placement, text: &str) -> Result<(), EditError> {
        self.document.insert_text(role, at, text)?;
        self.edits = self.edits.saturating_add(1);
        Ok(())
    }

    /// The JSON source text of the field at an RFC 6901 pointer, for example `/temperature`; the last
    /// one where a key is repeated.
    #[must_use]
    pub fn field(&self, pointer: &str) -> Option<String> {
        self.document.field(pointer)
    }

    /// The JSON source text of every field that stands at an RFC 6901 pointer: more than one where a
    /// key is repeated. Which of them a provider reads is not known, so a check has to look at all.
    #[must_use]
    pub fn fields(&self, pointer: &str) -> Vec<String> {
        self.document.fields(pointer)
    }

    /// How much of what countable things the request has.
    #[must_use]
    pub fn counts(&self) -> RequestCounts {
        self.document.counts()
    }

    /// Sets the field at an RFC 6901 pointer to a JSON value; a missing last member is added.
    ///
    /// # Errors
    ///
    /// When the pointer leads nowhere, or `json` is not JSON.
    pub fn set_field(&mut self, pointer: &str, json: &str) -> Result<(), EditError> {
        self.document.set_field(pointer, json)?;
        self.edits = self.edits.saturating_add(1);
        Ok(())
    }

    /// Takes the field at an RFC 6901 pointer out, however often its key is repeated, and says whether
    /// there was one.
    ///
    /// # Errors
    ///
    /// When the request would not be one without the field.
    pub fn remove_field(&mut self, pointer: &str) -> Result<bool, EditError> {
        let was_there = self.document.remove_field(pointer)?;
        self.edits = self.edits.saturating_add(u32::from(was_there));
        Ok(was_there)
    }

    /// Sends the request under another model name.
    pub fn set_model(&mut self, model: &str) {
        self.edits = self.edits.saturating_add(u32::from(model != self.document.model()));
        self.document.set_model(model);
    }

    /// How many edits extensions made so far: texts replaced or inserted, fields and the model name set.
    #[must_use]
    pub fn edits(&self) -> u32 {
        self.edits
    }

    /// The request as it goes over the wire: the client's own buffer when nothing was edited.
    #[must_use]
    pub fn to_body(&self) -> Bytes {
        self.document.to_body()
    }

    /// The document behind the view, for codecs and adapters.
    #[must_use]
    pub fn document(&self) -> &dyn RequestDocument {
        &*self.document
    }

    /// The document behind the view, for codecs and adapters.
    #[must_use]
    pub fn document_mut(&mut self) -> &mut dyn RequestDocument {
        &mut *self.document
    }
}

/// A cheap copy: the bytes are shared, the patches are copied.
impl Clone for LlmRequest {
    fn clone(&self) -> Self {
        Self { document: self.document.clone_document(), edits: self.edits }
    }
}
