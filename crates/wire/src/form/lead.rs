//! The lead of a form, as it comes, and what may follow it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use gatewright::Failure;
use gatewright::dialect::{LeadReader, Led, TailWatch};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};

use super::{Field, Form, FormShape};
use crate::json::Span;
use crate::multipart::{MultipartError, MultipartReader, PartHead, Piece, boundary_of};

/// Reads the lead of one form.
#[derive(Debug)]
pub(crate) struct Lead {
    shape: &'static FormShape,
    media_type: HeaderValue,
    boundary: String,
    reader: MultipartReader,
    held: BytesMut,
    fields: Vec<Field>,
    /// The part whose end has not come.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    head: PartHead,
    delimiter: usize,
    content: usize,
}

impl Lead {
    /// A reader for a form with this head.
    ///
    /// # Errors
    ///
    /// When it cannot be the head of one.
    pub(crate) fn of(shape: &'static FormShape, head: &HeaderMap) -> Result<Self, Failure> {
        let mut types = head.get_all(CONTENT_TYPE).iter();
        let (Some(media_type), None) = (types.next(), types.next()) else {
            return Err(refused("the request must have one content type, `multipart/form-data`"));
        };
        let boundary = boundary_of(media_type.as_bytes())
            .map_err(|problem| refused(&format!("{problem}; have a library write the form")))?;
        Ok(Self {
            shape,
            media_type: media_type.clone(),
            reader: MultipartReader::new(&boundary),
            boundary,
            held: BytesMut::new(),
            fields: Vec::new(),
            open: None,
        })
    }

    fn take(&mut self, piece: Piece) -> Result<(), Failure> {
        match piece {
            Piece::Part { head, delimiter, content } => {
                if head.is_file && self.shape.reads(&head.name) {
                    return Err(no_text(&head.name));
                }
                self.open = Some(Open { head, delimiter: place(delimiter), content: place(content) });
            }
            Piece::End { content, delimiter } => {
                let Some(open) = self.open.take().filter(|open| !open.head.is_file) else { return Ok(()) };
                let value = Span::new(open.content, place(content));
                let text = self.held.get(value.start..value.end).unwrap_or_default();
                let text = std::str::from_utf8(text).ok().filter(|_| open.head.is_utf8);
                let text = text.ok_or_else(|| no_text(&open.head.name))?.to_owned();
                let part = Span::new(open.delimiter, place(delimiter));
                self.fields.push(Field { name: open.head.name, text, part, value });
            }
            Piece::Close => {}
        }
        Ok(())
    }

    /// A required field that is missing may stand where nobody looked.
    fn beyond(&self, failure: Failure) -> Failure {
        if failure.code.as_deref() != Some("missing_required_parameter") {
            return failure;
        }
        let name = failure.param.as_deref().unwrap_or_default().to_owned();
        behind(&name, self.held.len())
    }
}

impl LeadReader for Lead {
    fn wants_more(&self) -> bool {
        true
    }

    fn push(&mut self, piece: Bytes) -> Result<(), Failure> {
        self.held.extend_from_slice(&piece);
        self.reader.push(&piece);
        while let Some(piece) = self.reader.next_piece().map_err(malformed)? {
            self.take(piece)?;
        }
        Ok(())
    }

    fn decode(self: Box<Self>, is_whole: bool) -> Result<Led, Failure> {
        if is_whole {
            self.reader.finish().map_err(malformed)?;
        } else if let Some(open) = self.open.as_ref().filter(|open| !open.head.is_file) {
            return Err(behind(&open.head.name, self.held.len()));
        }
        let came = self.shape.object(&self.fields);
        let view = self.shape.view(&came);
        let view = view.map_err(|failure| if is_whole { failure } else { self.beyond(failure) })?;
        let held_bytes = self.held.len();
        let Self { shape, media_type, boundary, reader, held, fields, .. } = *self;
        let form = Form {
            media_type,
            reader: Arc::new(MultipartReader::new(&boundary)),
            lead: held.freeze(),
            fields: fields.into(),
            came,
            view,
            is_whole,
        };
        let watch = Watch { shape, reader, held_bytes };
        let watch = (!is_whole).then(|| Box::new(watch) as Box<dyn TailWatch>);
        Ok(Led { document: Box::new(form), watch })
    }
}

/// Lets files pass behind the lead, and no field: nobody would have seen it.
#[derive(Debug)]
struct Watch {
    shape: &'static FormShape,
    reader: MultipartReader,
    held_bytes: usize,
}

impl TailWatch for Watch {
    fn see(&mut self, piece: &[u8]) -> Result<(), Failure> {
        self.reader.push(piece);
        while let Some(piece) = self.reader.next_piece().map_err(malformed)? {
            match piece {
                Piece::Part { head, .. } if !head.is_file => return Err(behind(&head.name, self.held_bytes)),
                Piece::Part { head, .. } if self.shape.reads(&head.name) => return Err(no_text(&head.name)),
                Piece::Part { .. } | Piece::End { .. } | Piece::Close => {}
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        self.reader.finish().map_err(malformed)
    }
}

impl FormShape {
    /// Whether routing, limits or transforms read a field, so that it must be a text.
    fn reads(&self, name: &str) -> bool {
        let request = self.request;
        let named = |names: &[&str]| names.contains(&name);
        matches!(name, "model" | "stream")
            || name == request.subject
            || named(self.texts)
            || named(request.choices)
            || named(request.caps)
    }
}

/// The reader has seen no byte that is not held.
fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

fn refused(message: &str) -> Failure {
    Failure::invalid("content-type", message.to_owned()).with_code("invalid_content_type")
}

fn malformed(error: MultipartError) -> Failure {
    Failure::invalid("body", format!("the form cannot be read: {error}")).with_code("invalid_multipart")
}

fn no_text(name: &str) -> Failure {
    let message = format!("`{name}` must be a text field in UTF-8, without a file name");
    Failure::invalid(name.to_owned(), message).with_code("invalid_type")
}

fn behind(name: &str, held_bytes: usize) -> Failure {
    let message = format!(
        "`{name}` does not stand in the first {held_bytes} bytes of the form, which is where its fields are read; \
         put all fields, `model` first, before the files"
    );
    Failure::invalid(name.to_owned(), message).with_code("field_behind_file")
}
