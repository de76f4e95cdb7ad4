//! Tools that a model may call, and how far it is free to.

use std::borrow::Cow;

use super::{CacheMark, Json};

/// A tool that is offered to the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool<'a> {
    /// Its name, or, of one that the provider runs itself, its type.
    pub name: Cow<'a, str>,
    /// What it is.
    pub kind: ToolKind<'a>,
    /// The caller wants the provider to remember everything up to here.
    pub cache: Option<CacheMark>,
    /// The index among the caller's tools.
    pub origin: u32,
}

/// What a tool is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolKind<'a> {
    /// The application runs it.
    Function {
        /// What it does.
        description: Option<Cow<'a, str>>,
        /// A JSON schema of its arguments: the source text of an object. None takes no arguments.
        parameters: Option<Json<'a>>,
        /// Whether the provider is to hold the model to the schema; none leaves it to the dialect's default.
        strict: Option<bool>,
    },
    /// The provider runs it. Only its own family knows it.
    BuiltIn,
}

/// How far the model is free to call tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice<'a> {
    /// As it likes.
    Auto,
    /// Not at all.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(Cow<'a, str>),
    /// Some of these, and at least one where `required`.
    Among {
        /// Their names.
        names: Vec<Cow<'a, str>>,
        /// Whether one must be called.
        required: bool,
    },
}
