//! A whole answer of a model, in no dialect.

use std::borrow::Cow;

use super::Part;
use crate::{FinishReason, Usage};

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer<'a> {
    /// The model that answered, as the provider calls it.
    pub model: Option<Cow<'a, str>>,
    /// The alternative answers, by index.
    pub choices: Vec<AnswerChoice<'a>>,
    /// What the provider says it consumed.
    pub usage: Option<Usage>,
}

/// One of the alternative answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnswerChoice<'a> {
    /// Its parts in order. Origins mean nothing here.
    pub parts: Vec<Part<'a>>,
    /// Why it ended.
    pub finish: Option<FinishReason>,
}
