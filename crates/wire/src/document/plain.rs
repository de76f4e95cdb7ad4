//! The walk over answers that are neither chats nor streams: a list of results, a model's name, perhaps usage figures.

use gatewright::Usage;

use super::part::{Outline, Part};
use crate::json::{JsonError, JsonStr, Reader, Reason, Span, Value};

/// What such answers are called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain {
    /// The member that lists the results.
    pub(crate) results: &'static str,
    /// Reads the usage figures of a member at the top, if it has any.
    pub(crate) usage: fn(&JsonStr<'_>, &Value<'_>) -> Option<Usage>,
}

/// Walks over an answer. `result` is shown every result with its position.
///
/// # Errors
/// The first byte at which `text` is not a JSON object.
pub(crate) fn walk<'a>(
    plain: Plain,
    text: &'a [u8],
    result: impl Fn(u32, &Value<'a>, &mut dyn FnMut(Part<'a>)),
    visit: &mut dyn FnMut(Part<'a>),
) -> Result<Outline, JsonError> {
    let mut reader = Reader::new(text);
    let mut outline = Outline { object: Span::new(0, 0), choices: None };
    let is_object = reader.object(|reader, key| {
        let value = reader.value()?;
        if let Some(usage) = (plain.usage)(&key, &value) {
            visit(Part::Usage { value, usage: Some(usage) });
        }
        match key.decode().as_ref() {
            "model" => value.json_str().into_iter().for_each(|name| visit(Part::Model { name })),
            "error" if !value.is_null() => visit(Part::Error { value }),
            key if key == plain.results => {
                (0..).zip(value.elements()).for_each(|(position, value)| result(position, &value, visit));
                outline.choices = Some(value.has_children());
            }
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    outline.object = Span::new(0, reader.place());
    reader.end()?;
    if !is_object {
        return Err(JsonError { offset: 0, reason: Reason::ExpectedObject });
    }
    Ok(outline)
}
