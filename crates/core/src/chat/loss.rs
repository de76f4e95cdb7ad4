//! What a translation could not carry over.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{Origin, Param};
use crate::{Failure, FailureKind, Side};

/// Something that the provider's dialect, or the model, has no place for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    /// The field of the caller's request: an RFC 6901 pointer.
    pub field: Cow<'static, str>,
    /// What became of it.
    pub kind: LossKind,
}

/// What became of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LossKind {
    /// It was left out.
    Dropped,
    /// Something near it was sent in its place.
    Approximated,
    /// Its effect comes about by other means.
    Emulated,
}

impl LossKind {
    /// The word for it in headers and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Approximated => "approximated",
            Self::Emulated => "emulated",
        }
    }
}

/// A place in a request, before the caller's dialect gives it its name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place<'a> {
    /// A parameter.
    Param(Param),
    /// The whole of a part, or its message.
    Part(Origin),
    /// The tool at an index.
    Tool(u32),
    /// A field by its pointer.
    Pointer(Cow<'a, str>),
}

/// Collects what a translation loses, or refuses the first loss.
///
/// A writer of a dialect calls [`Losses::report`] wherever it leaves something out or changes its meaning, and goes on
/// only if that returns `Ok`.
pub struct Losses<'d> {
    is_strict: bool,
    name: &'d dyn Fn(&Place<'_>) -> String,
    found: BTreeSet<Loss>,
}

impl<'d> Losses<'d> {
    /// An empty report. `name` gives a place its pointer in the caller's request; `is_strict` refuses every loss.
    #[must_use]
    pub fn new(is_strict: bool, name: &'d dyn Fn(&Place<'_>) -> String) -> Self {
        Self { is_strict, name, found: BTreeSet::new() }
    }

    /// Notes a loss.
    ///
    /// # Errors
    ///
    /// In strict mode: a failure of the client's side that names the field.
    pub fn report(&mut self, place: &Place<'_>, kind: LossKind) -> Result<(), Failure> {
        let field = (self.name)(place);
        if self.is_strict {
            let what = match kind {
                LossKind::Dropped => "has no place for it",
                LossKind::Approximated => "has only something near it",
                LossKind::Emulated => "has it only by other means",
            };
            let text = format!("the model's provider {what}: leave `{field}` out, or ask for another model");
            let failure = Failure::new(Side::Client, FailureKind::Unsupported, text);
            return Err(Failure { param: Some(field.into()), ..failure });
        }
        self.found.insert(Loss { field: field.into(), kind });
        Ok(())
    }

    /// A failure of the client's side for a request that the provider would refuse: it names the place.
    #[must_use]
    pub fn refuse(&self, place: &Place<'_>, why: &str) -> Failure {
        Failure::invalid((self.name)(place), why.to_owned())
    }

    /// The losses, in order of their fields.
    #[must_use]
    pub fn into_found(self) -> Vec<Loss> {
        self.found.into_iter().collect()
    }
}

impl std::fmt::Debug for Losses<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Losses")
            .field("is_strict", &self.is_strict)
            .field("found", &self.found)
            .finish_non_exhaustive()
    }
}
