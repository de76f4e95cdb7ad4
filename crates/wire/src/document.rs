//! Requests and answers as documents: the bytes that came, with views and patches. A dialect says what its members are
//! called and how they are walked; everything else is here.

mod answer;
mod draft;
mod edits;
mod head;
pub(crate) mod messages;
mod part;
pub(crate) mod plain;
pub(crate) mod pointer;
mod request;
mod spelling;
mod tool_text;
pub(crate) mod typed;

use gatewright::Failure;

use crate::json::JsonError;

pub(crate) use answer::{Answer, AnswerShape};
pub(crate) use edits::TextEdits;
pub(crate) use head::{Shape, Site, Streaming};
pub(crate) use part::{CallSite, Carrier, Outline, Part, Walk};
pub(crate) use plain::Plain;
pub(crate) use request::Request;
pub(crate) use spelling::camel;
pub(crate) use tool_text::descriptions;

/// A failure of the client's side: the field at `pointer` must have another form.
pub(crate) fn invalid(pointer: &str, form: &str) -> Failure {
    Failure::invalid(pointer.to_owned(), format!("`{pointer}` must be {form}")).with_code("invalid_value")
}

/// For those who read a document that has been accepted, and so is JSON.
impl From<JsonError> for Failure {
    fn from(error: JsonError) -> Self {
        Self::internal(format!("a document that was accepted is no JSON: {error}"))
    }
}
