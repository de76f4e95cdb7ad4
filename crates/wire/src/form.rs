//! Requests that are forms: their text fields are seen and edited as the members of a JSON object, as those of any other
//! request, and an edit is a patch into the form's own bytes. Files are nobody's business.

mod lead;

use std::sync::Arc;

use bytes::Bytes;
use gatewright::dialect::{Address, Dialect, Operation, RequestDocument};
use gatewright::{EditError, Failure, Placement, RequestCounts, Role, TextPart};
use http::HeaderValue;

use crate::document::{Request, Shape};
use crate::json::{Kind, Patches, Span, Value, quote_into};
use crate::multipart::MultipartReader;

pub(crate) use lead::Lead;

/// What a dialect says of its forms.
#[derive(Debug)]
pub(crate) struct FormShape {
    /// What its fields are called, as members of an object.
    pub(crate) request: &'static Shape,
    /// Fields that are texts, whatever they look like. Of others, a number is a number.
    pub(crate) texts: &'static [&'static str],
}

/// A text field.
#[derive(Debug, Clone)]
struct Field {
    name: String,
    text: String,
    /// Its part, delimiter included.
    part: Span,
    value: Span,
}

/// A form, or the lead of one.
#[derive(Debug)]
pub(crate) struct Form {
    media_type: HeaderValue,
    /// Knows the boundary.
    reader: Arc<MultipartReader>,
    lead: Bytes,
    fields: Arc<[Field]>,
    /// The text fields as an object, as they came and as they are to be.
    came: Bytes,
    view: Box<dyn RequestDocument>,
    is_whole: bool,
}

impl FormShape {
    /// The fields as the members of an object.
    fn object(&self, fields: &[Field]) -> Bytes {
        let mut out = vec![b'{'];
        for field in fields {
            if out.len() > 1 {
                out.push(b',');
            }
            quote_into(&mut out, &field.name);
            out.push(b':');
            if !self.texts.contains(&&*field.name) && is_literal(&field.text) {
                out.extend_from_slice(field.text.as_bytes());
            } else {
                quote_into(&mut out, &field.text);
            }
        }
        out.push(b'}');
        out.into()
    }

    fn view(&self, object: &Bytes) -> Result<Box<dyn RequestDocument>, Failure> {
        Request::decode(object.clone(), self.request, &Address::default())
    }
}

/// Whether a text reads as a number or a truth value of JSON, without space around it.
fn is_literal(text: &str) -> bool {
    let is_bare = text.bytes().all(|byte| byte.is_ascii_graphic());
    let value = Value::parse(text.as_bytes()).ok().filter(|_| is_bare);
    value.is_some_and(|value| matches!(value.kind(), Kind::Number | Kind::Bool))
}

/// The members of an object as the texts of fields.
fn members(object: &[u8]) -> Vec<(String, String)> {
    let text = |value: &Value<'_>| value.as_str().map_or_else(|| value.source().into(), String::from);
    let root = Value::of_checked(object);
    let members = root.members().filter(|member| !member.value.is_null());
    members.map(|member| (member.key.decode().into(), text(&member.value))).collect()
}

impl Form {
    /// Makes an edit, unless the form's boundary would stand in what it writes.
    fn edit<T>(
        &mut self,
        edit: impl FnOnce(&mut dyn RequestDocument) -> Result<T, EditError>,
    ) -> Result<T, EditError> {
        let before = self.view.clone_document();
        let edited = edit(&mut *self.view)?;
        let broken = members(&self.view.to_body()).into_iter().find(|(name, text)| {
            let is_name = !name.is_empty() && !name.contains(['"', '\\', '\r', '\n']);
            !is_name || self.reader.breaks(text)
        });
        let Some((name, _)) = broken else { return Ok(edited) };
        self.view = before;
        let reason = "no field of a form can have this name or hold its boundary".to_owned();
        Err(EditError::Malformed { pointer: format!("/{name}"), reason })
    }

    /// The patches that make the fields say what the members of `object` say.
    fn patches(&self, object: &[u8]) -> Patches {
        let mut patches = Patches::new();
        let mut wanted: Vec<Option<(String, String)>> = members(object).into_iter().map(Some).collect();
        for field in &*self.fields {
            let is_it = |entry: &&mut Option<(String, String)>| {
                entry.as_ref().is_some_and(|(name, _)| *name == field.name)
            };
            match wanted.iter_mut().find(is_it).and_then(Option::take) {
                None => patches.remove(field.part),
                Some((_, text)) if text == field.text => {}
                Some((_, text)) => patches.replace(field.value, text),
            }
        }
        let mut added = Vec::new();
        for (name, text) in wanted.into_iter().flatten() {
            added.extend_from_slice(self.reader.mark());
            let head = format!("\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
            added.extend_from_slice(head.as_bytes());
        }
        if !added.is_empty() {
            patches.insert(0, added);
        }
        patches
    }
}

impl RequestDocument for Form {
    fn dialect(&self) -> Dialect {
        self.view.dialect()
    }

    fn operation(&self) -> Operation {
        self.view.operation()
    }

    fn model(&self) -> &str {
        self.view.model()
    }

    fn streams(&self) -> bool {
        self.view.streams()
    }

    fn choices(&self) -> u32 {
        self.view.choices()
    }

    fn output_cap(&self) -> Option<u64> {
        self.view.output_cap()
    }

    fn estimate_input_tokens(&self) -> u64 {
        self.view.estimate_input_tokens()
    }

    fn wants_stream_usage(&self) -> bool {
        self.view.wants_stream_usage()
    }

    fn require_stream_usage(&mut self) {
        self.view.require_stream_usage();
    }

    fn set_whole(&mut self) {
        self.view.set_whole();
    }

    fn set_model(&mut self, model: &str) {
        self.view.set_model(model);
    }

    fn edit_texts(
        &mut self,
        visit: &mut dyn FnMut(TextPart<'_>) -> Option<String>,
    ) -> Result<usize, EditError> {
        self.edit(|view| view.edit_texts(visit))
    }

    fn for_each_text(&self, visit: &mut dyn FnMut(TextPart<'_>)) -> Result<(), EditError> {
        self.view.for_each_text(visit)
    }

    fn insert_text(&mut self, role: Role, at: Placement, text: &str) -> Result<(), EditError> {
        self.edit(|view| view.insert_text(role, at, text))
    }

    fn field(&self, pointer: &str) -> Option<String> {
        self.view.field(pointer)
    }

    fn fields(&self, pointer: &str) -> Vec<String> {
        self.view.fields(pointer)
    }

    fn set_field(&mut self, pointer: &str, json: &str) -> Result<(), EditError> {
        self.edit(|view| view.set_field(pointer, json))
    }

    fn remove_field(&mut self, pointer: &str) -> Result<bool, EditError> {
        self.edit(|view| view.remove_field(pointer))
    }

    fn counts(&self) -> RequestCounts {
        self.view.counts()
    }

    fn is_edited(&self) -> bool {
        self.view.is_edited()
    }

    fn to_body(&self) -> Bytes {
        let object = self.view.to_body();
        if object == self.came {
            return self.lead.clone();
        }
        // Parts do not overlap, and each has one field.
        self.patches(&object).apply(&self.lead).unwrap_or_else(|_| self.lead.clone())
    }

    fn media_type(&self) -> Option<&HeaderValue> {
        Some(&self.media_type)
    }

    fn is_whole(&self) -> bool {
        self.is_whole
    }

    fn clone_document(&self) -> Box<dyn RequestDocument> {
        Box::new(Self {
            media_type: self.media_type.clone(),
            reader: Arc::clone(&self.reader),
            lead: self.lead.clone(),
            fields: Arc::clone(&self.fields),
            came: self.came.clone(),
            view: self.view.clone_document(),
            is_whole: self.is_whole,
        })
    }
}
