//! Values that must be of a kind, for those who read a request into no dialect: what is left out because it cannot be
//! read would be a loss that nobody names.

use std::borrow::Cow;

use gatewright::Failure;
use gatewright::chat::Json;

use super::invalid;
use crate::json::{Kind, Value};

/// A number as it is written, so that every digit survives.
///
/// # Errors
/// A failure of the client's side that names the field at `pointer`.
pub(crate) fn number<'a>(value: &Value<'a>, pointer: &str) -> Result<Json<'a>, Failure> {
    if value.kind() == Kind::Number { Ok(value.source()) } else { Err(invalid(pointer, "a number")) }
}

/// A whole number.
///
/// # Errors
/// As [`number`].
pub(crate) fn whole(value: &Value<'_>, pointer: &str) -> Result<u64, Failure> {
    value.as_u64().ok_or_else(|| invalid(pointer, "a whole number that is not negative"))
}

/// A boolean.
///
/// # Errors
/// As [`number`].
pub(crate) fn flag(value: &Value<'_>, pointer: &str) -> Result<bool, Failure> {
    value.as_bool().ok_or_else(|| invalid(pointer, "`true` or `false`"))
}

/// What a string says.
///
/// # Errors
/// As [`number`].
pub(crate) fn text<'a>(value: &Value<'a>, pointer: &str) -> Result<Cow<'a, str>, Failure> {
    value.as_str().ok_or_else(|| invalid(pointer, "a string"))
}

/// What the strings of an array say.
///
/// # Errors
/// As [`number`].
pub(crate) fn texts<'a>(value: &Value<'a>, pointer: &str) -> Result<Vec<Cow<'a, str>>, Failure> {
    let texts = (value.kind() == Kind::Array).then(|| value.elements().map(|text| text.as_str()).collect());
    texts.flatten().ok_or_else(|| invalid(pointer, "an array of strings"))
}
