//! A request that is a list of texts: all that an extension can see of one, without a wire format.

use gatewright::bytes::Bytes;
use gatewright::dialect::{Dialect, Operation, RequestDocument};
use gatewright::{EditError, Placement, RequestCounts, Role, TextKind, TextPart};

/// A request in memory. Its body is its texts, one a line.
#[derive(Clone, Debug)]
pub(super) struct PlainRequest {
    operation: Operation,
    model: String,
    parts: Vec<(Role, TextKind, String)>,
    is_edited: bool,
}

impl PlainRequest {
    pub(super) fn chat(parts: Vec<(Role, TextKind, String)>) -> Self {
        Self { operation: Operation::Chat, model: "model".to_owned(), parts, is_edited: false }
    }

    pub(super) fn embedding(text: &str) -> Self {
        let parts = vec![(Role::User, TextKind::Input, text.to_owned())];
        Self { operation: Operation::Embedding, ..Self::chat(parts) }
    }
}

impl RequestDocument for PlainRequest {
    fn dialect(&self) -> Dialect {
        match self.operation {
            Operation::Embedding => Dialect::OpenAiEmbeddings,
            _ => Dialect::OpenAiChat,
        }
    }

    fn operation(&self) -> Operation {
        self.operation
    }

    fn model(&self) -> &str {
        &self.model
    }

    fn streams(&self) -> bool {
        false
    }

    fn choices(&self) -> u32 {
        1
    }

    fn output_cap(&self) -> Option<u64> {
        None
    }

    fn estimate_input_tokens(&self) -> u64 {
        self.parts.iter().map(|(_, _, text)| text.len() as u64 / 4 + 1).sum()
    }

    fn wants_stream_usage(&self) -> bool {
        false
    }

    fn require_stream_usage(&mut self) {}

    fn set_whole(&mut self) {}

    fn set_model(&mut self, model: &str) {
        model.clone_into(&mut self.model);
    }

    fn edit_texts(
        &mut self,
        visit: &mut dyn FnMut(TextPart<'_>) -> Option<String>,
    ) -> Result<usize, EditError> {
        let mut edits = 0;
        for (role, kind, text) in &mut self.parts {
            if let Some(new) = visit(TextPart { role: *role, kind: *kind, text }) {
                *text = new;
                edits += 1;
            }
        }
        self.is_edited |= edits > 0;
        Ok(edits)
    }

    fn for_each_text(&self, visit: &mut dyn FnMut(TextPart<'_>)) -> Result<(), EditError> {
        for (role, kind, text) in &self.parts {
            visit(TextPart { role: *role, kind: *kind, text });
        }
        Ok(())
    }

    fn insert_text(&mut self, role: Role, at: Placement, text: &str) -> Result<(), EditError> {
        if self.operation == Operation::Embedding {
            return Err(EditError::NoPlace { what: "a message" });
        }
        let leading = self.parts.iter().take_while(|(other, ..)| *other == role).count();
        let index = match at {
            Placement::First => 0,
            Placement::Last => leading,
        };
        self.parts.insert(index, (role, TextKind::Content, text.to_owned()));
        self.is_edited = true;
        Ok(())
    }

    fn field(&self, _pointer: &str) -> Option<String> {
        None
    }

    fn fields(&self, _pointer: &str) -> Vec<String> {
        Vec::new()
    }

    fn remove_field(&mut self, _pointer: &str) -> Result<bool, EditError> {
        Ok(false)
    }

    fn counts(&self) -> RequestCounts {
        RequestCounts::default()
    }

    fn set_field(&mut self, pointer: &str, _json: &str) -> Result<(), EditError> {
        Err(EditError::NoSuchField { pointer: pointer.to_owned() })
    }

    fn is_edited(&self) -> bool {
        self.is_edited
    }

    fn to_body(&self) -> Bytes {
        let texts: Vec<&str> = self.parts.iter().map(|(_, _, text)| text.as_str()).collect();
        Bytes::from(texts.join("\n"))
    }

    fn clone_document(&self) -> Box<dyn RequestDocument> {
        Box::new(self.clone())
    }
}
