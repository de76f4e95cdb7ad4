//! A request for vectors in no dialect, and the vectors that answer it.
//!
//! As with [chats](crate::chat), nothing of this is built where caller and provider speak the same dialect. Numbers keep
//! the digits that the provider wrote: a vector is its source text until a caller wants it packed.

use std::borrow::Cow;

use crate::Usage;
use crate::chat::Json;

/// A request for vectors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embed<'a> {
    /// The model to ask for, as the provider calls it.
    pub model: Cow<'a, str>,
    /// What is to become a vector, in order.
    pub inputs: Vec<Input<'a>>,
    /// Whether the inputs came as a list, which decides the shape of an answer in some dialects.
    pub is_list: bool,
    /// How many numbers a vector is to have; none leaves it to the model.
    pub dimensions: Option<u64>,
    /// The forms in which the caller wants each vector; none is the dialect's usual one.
    pub encodings: Vec<Encoding>,
    /// What the vectors are for.
    pub task: Option<Task>,
    /// What becomes of an input that is too long.
    pub truncation: Option<Truncation>,
    /// The application's own name for its user.
    pub end_user: Option<Cow<'a, str>>,
    /// Members that no other dialect has: RFC 6901 pointers into the caller's request. Whoever writes another dialect
    /// reports each as lost.
    pub unknown: Vec<Cow<'a, str>>,
}

/// One thing that is to become a vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Input<'a> {
    /// What it is.
    pub kind: InputKind<'a>,
    /// The title of the document that it is from.
    pub title: Option<Cow<'a, str>>,
}

/// What an input is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum InputKind<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// The source text of an array of numbers, each a token of the vocabulary of one family of models.
    Tokens(Json<'a>),
}

/// What vectors are for. Models that know put what is searched and what is searched for in different places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    /// A question, to find documents by.
    Query,
    /// A document that is to be found.
    Document,
    /// A text that is compared with others of its kind.
    Similarity,
    /// A text that is put into one of several classes.
    Classification,
    /// A text that is grouped with those near it.
    Clustering,
    /// A question that a document answers.
    QuestionAnswering,
    /// A claim that a document bears out.
    FactVerification,
    /// A question, to find code by.
    CodeQuery,
}

/// What becomes of an input that is longer than the model reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Truncation {
    /// The request is refused.
    Refuse,
    /// Its beginning is cut off.
    Start,
    /// Its end is cut off.
    End,
}

/// The form of a vector in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// An array of decimal numbers.
    Float,
    /// The numbers as 32-bit floats, little-endian, in base64.
    Base64,
    /// Whole numbers from -128 to 127.
    Int8,
    /// Whole numbers from 0 to 255.
    Uint8,
    /// A bit for each number, eight in one from -128 to 127.
    Binary,
    /// A bit for each number, eight in one from 0 to 255.
    Ubinary,
}

/// The answer to an [`Embed`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vectors<'a> {
    /// The model that answered, as the provider calls it.
    pub model: Option<Cow<'a, str>>,
    /// A vector for each input, in their order.
    pub vectors: Vec<Vector<'a>>,
    /// What was consumed.
    pub usage: Option<Usage>,
}

/// A vector as its provider wrote it.
#[derive(Clone, Debug, PartialEq)]
pub enum Vector<'a> {
    /// The source text of an array of numbers.
    Numbers(Json<'a>),
    /// The base64 of 32-bit floats, little-endian.
    Packed(Cow<'a, str>),
}

impl<'a> Input<'a> {
    /// A text without a title.
    #[must_use]
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self { kind: InputKind::Text(text.into()), title: None }
    }
}

impl Encoding {
    /// The word that dialects have for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::Base64 => "base64",
            Self::Int8 => "int8",
            Self::Uint8 => "uint8",
            Self::Binary => "binary",
            Self::Ubinary => "ubinary",
        }
    }

    /// The form that a word stands for.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        let all = [Self::Float, Self::Base64, Self::Int8, Self::Uint8, Self::Binary, Self::Ubinary];
        all.into_iter().find(|encoding| encoding.as_str() == word)
    }

    /// Whether it can be made of the numbers of a vector without losing any.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        matches!(self, Self::Float | Self::Base64)
    }
}
