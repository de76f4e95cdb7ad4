//! A request of a dialect as the gateway and its extensions see it, over the client's own bytes.

use bytes::Bytes;
use gatewright::dialect::{Address, Dialect, Operation, RequestDocument};
use gatewright::{EditError, Failure, Placement, RequestCounts, Role, TextPart};

use super::draft::{Draft, Scanned};
use super::head::{self, RequestHead, Shape, Streaming};
use super::pointer;
use crate::json::{ObjectEdit, Patches, Value, quote};

/// A request and what the gateway has in mind for it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    draft: Draft<RequestHead>,
    /// The name under which it is to be sent, if that is another one.
    model: Option<Box<str>>,
    /// Whether the provider is to report usage in the stream though the client did not ask.
    requires_usage: bool,
}

impl Request {
    /// Checks `body` and reads what routing needs.
    ///
    /// # Errors
    /// A failure of the client's side that names the field and says what to change.
    pub(crate) fn decode(
        body: Bytes,
        shape: &'static Shape,
        address: &Address,
    ) -> Result<Box<dyn RequestDocument>, Failure> {
        let head = head::read(&body, shape, address)?;
        let draft = Draft::new(Scanned { text: body, head });
        Ok(Box::new(Self { draft, model: None, requires_usage: false }))
    }

    fn head(&self) -> &RequestHead {
        &self.draft.current().head
    }

    /// What routing puts into the text.
    fn splices(&self, scanned: &Scanned<RequestHead>) -> Patches {
        let mut patches = Patches::new();
        if let Some(model) = self.model.as_deref().filter(|model| *model != &*scanned.head.model)
            && !scanned.head.shape.is_addressed
        {
            patches.replace_str(scanned.head.model_span, model);
        }
        if self.requires_usage && !scanned.head.wants_usage {
            patches.append(&include_usage(scanned));
        }
        patches
    }
}

/// Asks for usage figures in the stream, whatever stands in the text about it.
fn include_usage(scanned: &Scanned<RequestHead>) -> Patches {
    const OPTIONS: &str = r#"{"include_usage":true}"#;
    let mut patches = Patches::new();
    for &span in &scanned.head.options {
        let options = Bytes::copy_from_slice(span.of(&scanned.text));
        let edit = ObjectEdit::new().set("include_usage", "true");
        let inner = Value::parse(&options).ok().and_then(|value| edit.patches(&value).ok());
        let asking = inner.and_then(|inner| inner.apply(&options).ok());
        patches.replace(span, asking.unwrap_or(Bytes::from_static(OPTIONS.as_bytes())));
    }
    if scanned.head.options.is_empty() {
        patches.insert(scanned.head.members_end, format!(r#","stream_options":{OPTIONS}"#));
    }
    patches
}

impl RequestDocument for Request {
    fn dialect(&self) -> Dialect {
        self.head().shape.dialect
    }

    fn operation(&self) -> Operation {
        self.head().shape.operation
    }

    fn model(&self) -> &str {
        self.model.as_deref().unwrap_or(&self.head().model)
    }

    fn streams(&self) -> bool {
        self.head().streams
    }

    fn choices(&self) -> u32 {
        self.head().choices
    }

    fn output_cap(&self) -> Option<u64> {
        self.head().output_cap
    }

    fn estimate_input_tokens(&self) -> u64 {
        self.head().estimated_tokens
    }

    fn wants_stream_usage(&self) -> bool {
        self.head().wants_usage
    }

    fn require_stream_usage(&mut self) {
        self.requires_usage = self.head().streams && self.head().shape.has_stream_options;
    }

    fn set_whole(&mut self) {
        self.requires_usage = false;
        if !self.head().streams || matches!(self.head().shape.streaming, Streaming::Always) {
            return;
        }
        if self.head().shape.is_addressed {
            return self.draft.note(|head| head.streams = false);
        }
        let whole = ObjectEdit::new().set("stream", "false").remove("stream_options");
        // A checked request is an object, so that the edit has a place.
        if let Ok(patches) = whole.patches(&Value::of_checked(&self.draft.settle().text)) {
            self.draft.edit(patches);
        }
    }

    fn set_model(&mut self, model: &str) {
        self.model = Some(model.into());
    }

    fn edit_texts(
        &mut self,
        visit: &mut dyn FnMut(TextPart<'_>) -> Option<String>,
    ) -> Result<usize, EditError> {
        let scanned = self.draft.settle();
        let mut patches = Patches::new();
        let mut replaced = 0;
        (scanned.head.shape.texts)(&scanned.text, &mut |site| {
            let text = site.text.decode();
            let part = TextPart { role: site.role, kind: site.kind, text: &text };
            if let Some(new) = visit(part).filter(|new| **new != *text) {
                patches.replace_text(&site.text, &new);
                replaced += 1;
            }
        })?;
        self.draft.edit(patches);
        Ok(replaced)
    }

    fn for_each_text(&self, visit: &mut dyn FnMut(TextPart<'_>)) -> Result<(), EditError> {
        let scanned = self.draft.current();
        (scanned.head.shape.texts)(&scanned.text, &mut |site| {
            visit(TextPart { role: site.role, kind: site.kind, text: &site.text.decode() });
        })
    }

    fn insert_text(&mut self, role: Role, at: Placement, text: &str) -> Result<(), EditError> {
        let scanned = self.draft.settle();
        let patches = (scanned.head.shape.insert)(&scanned.text, role, at, text)?;
        self.draft.edit(patches);
        Ok(())
    }

    fn field(&self, pointer: &str) -> Option<String> {
        if let (Some(model), "/model", false) = (&self.model, pointer, self.head().shape.is_addressed) {
            return String::from_utf8(quote(model).into()).ok();
        }
        pointer::get(&self.draft.current().text, pointer)
    }

    fn has_fields(&self, pointers: &[String]) -> Vec<bool> {
        pointer::present(&self.draft.current().text, pointers)
    }

    fn fields(&self, pointer: &str) -> Vec<String> {
        if self.model.is_some() && pointer == "/model" {
            return self.field(pointer).into_iter().collect();
        }
        pointer::all(&self.draft.current().text, pointer)
    }

    fn set_field(&mut self, pointer: &str, json: &str) -> Result<(), EditError> {
        let patches = pointer::set(&self.draft.settle().text, pointer, json)?;
        // A value that is JSON and no use here, a number as the model, say, would make the request another one.
        if !self.draft.try_edit(&patches) {
            let reason = "the new value makes the request invalid".to_owned();
            return Err(EditError::Malformed { pointer: pointer.to_owned(), reason });
        }
        if pointer == "/model" {
            self.model = None;
        }
        Ok(())
    }

    fn remove_field(&mut self, pointer: &str) -> Result<bool, EditError> {
        let Some(patches) = pointer::remove(&self.draft.settle().text, pointer) else { return Ok(false) };
        if !self.draft.try_edit(&patches) {
            let reason = "the request is invalid without it".to_owned();
            return Err(EditError::Malformed { pointer: pointer.to_owned(), reason });
        }
        Ok(true)
    }

    fn counts(&self) -> RequestCounts {
        let scanned = self.draft.current();
        (scanned.head.shape.counts)(&Value::of_checked(&scanned.text))
    }

    fn is_edited(&self) -> bool {
        self.draft.is_edited()
    }

    fn to_body(&self) -> Bytes {
        self.draft.render(|scanned| self.splices(scanned))
    }

    fn clone_document(&self) -> Box<dyn RequestDocument> {
        Box::new(self.clone())
    }
}
