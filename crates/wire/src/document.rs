//! Requests and answers as documents: the bytes that came, with views and patches. A dialect says what its members are
//! called and how they are walked; everything else is here.

mod answer;
mod draft;
mod edits;
mod head;
mod part;
mod pointer;
mod request;

pub(crate) use answer::{Answer, AnswerShape};
pub(crate) use edits::TextEdits;
pub(crate) use head::{Shape, Site};
pub(crate) use part::{CallSite, Carrier, Outline, Part, Walk};
pub(crate) use request::Request;
