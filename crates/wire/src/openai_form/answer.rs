//! Whole answers that say what a recording says.

use gatewright::text::Lane;

use crate::document::{Carrier, Outline, Part};
use crate::json::{JsonError, Reader, Reason, Span, Value};
use crate::openai_images::by_tokens;

/// Shows the text, the same text again by segments, and the usage figures. Single words with their times are no texts:
/// nobody can judge one alone.
pub(super) fn walk<'a>(text: &'a [u8], visit: &mut dyn FnMut(Part<'a>)) -> Result<Outline, JsonError> {
    let mut reader = Reader::new(text);
    let mut outline = Outline { object: Span::new(0, 0), choices: None };
    let is_object = reader.object(|reader, key| {
        let value = reader.value()?;
        match key.decode().as_ref() {
            "text" => {
                outline.choices = Some(true);
                show(0, &value, visit);
            }
            "segments" => (1..).zip(value.elements()).for_each(|(lane, segment)| {
                segment.get("text").iter().for_each(|text| show(lane, text, visit));
            }),
            "usage" => visit(Part::Usage { value, usage: by_tokens(&value) }),
            "error" if !value.is_null() => visit(Part::Error { value }),
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

fn show<'a>(lane: u32, value: &Value<'a>, visit: &mut dyn FnMut(Part<'a>)) {
    if let Some(text) = value.json_str() {
        visit(Part::Text { lane: Lane::content(lane), text, carrier: Carrier::Other });
    }
}
