//! One pattern as an author writes it, and what can be wrong with a set of them.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A named pattern, and what takes the place of its matches.
///
/// The syntax is that of the `regex` crate: linear time, no back-references, no look-around beyond one
/// character. Word boundaries (`\b` and kin) are ASCII: the border between `[0-9A-Za-z_]` and anything
/// else. Write `[0-9]` where only ASCII digits are meant: `\d` and `\w` are Unicode.
///
/// ```
/// use gatewright::text::Pattern;
///
/// let last_four = Pattern::new("account", r"\b[0-9]{8,12}\b")
///     .validate(|digits| !digits.starts_with('0'))
///     .replace_by(|digits| format!("…{}", digits.get(digits.len() - 4..).unwrap_or_default()));
/// ```
#[derive(Clone, Debug)]
pub struct Pattern {
    pub(super) name: Cow<'static, str>,
    pub(super) regex: Cow<'static, str>,
    pub(super) replacement: Replacement,
    pub(super) validate: Option<fn(&str) -> bool>,
    pub(super) max_bytes: Option<usize>,
}

impl Pattern {
    /// A pattern whose matches are replaced by its name in brackets: `[email]`.
    pub fn new(name: impl Into<Cow<'static, str>>, regex: impl Into<Cow<'static, str>>) -> Self {
        let name = name.into();
        let replacement = Replacement::Text(format!("[{name}]"));
        Self { name, regex: regex.into(), replacement, validate: None, max_bytes: None }
    }

    /// Replaces matches by this text.
    #[must_use]
    pub fn replace_with(mut self, text: impl Into<String>) -> Self {
        self.replacement = Replacement::Text(text.into());
        self
    }

    /// Replaces matches by what `make` returns for them.
    #[must_use]
    pub fn replace_by(mut self, make: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        self.replacement = Replacement::By(Arc::new(make));
        self
    }

    /// Takes only matches that `accept` accepts, such as digits with a valid checksum.
    ///
    /// Where the preferred match is rejected, its shorter forms are tried, then the patterns after it.
    #[must_use]
    pub fn validate(mut self, accept: fn(&str) -> bool) -> Self {
        self.validate = Some(accept);
        self
    }

    /// Takes only matches of at most this many bytes.
    ///
    /// Needed for a pattern with `+` or `*`: a match that may grow for ever could never be released.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = Some(bytes);
        self
    }
}

/// The text as a regular expression that matches it and nothing else.
///
/// ```
/// use gatewright::text::{Pattern, TextPatterns, escape};
///
/// let version = Pattern::new("version", format!(r"\b{}\b", escape("v1.0")));
/// let patterns = TextPatterns::compile([version])?;
/// assert_eq!(patterns.replace_all("v1.0 is not v1x0"), "[version] is not v1x0");
/// # Ok::<(), gatewright::text::PatternError>(())
/// ```
#[must_use]
pub fn escape(text: &str) -> String {
    regex_syntax::escape(text)
}

/// Makes text from a match.
type Render = dyn Fn(&str) -> String + Send + Sync;

/// What takes the place of a match.
#[derive(Clone)]
pub enum Replacement {
    /// Always this text.
    Text(String),
    /// Text made from the match.
    By(Arc<Render>),
}

impl Replacement {
    /// The text that takes the place of `matched`.
    #[must_use]
    pub fn render(&self, matched: &str) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::By(make) => Cow::Owned(make(matched)),
        }
    }
}

impl fmt::Debug for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.debug_tuple("Text").field(text).finish(),
            Self::By(_) => f.debug_tuple("By").finish_non_exhaustive(),
        }
    }
}

/// Why a set of patterns cannot be compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// The set has more patterns than one set may have.
    #[error("{count} patterns in one set, at most {max} are allowed")]
    TooMany {
        /// How many were given.
        count: usize,
        /// How many are allowed.
        max: usize,
    },
    /// The regular expression does not parse, or asks for what cannot be decided in linear time.
    #[error("pattern `{name}` is not a valid regular expression")]
    Syntax {
        /// Name of the pattern.
        name: String,
        /// What the parser says, with the place.
        #[source]
        source: Box<regex_syntax::Error>,
    },
    /// The pattern matches the empty text, and so would match everywhere.
    #[error("pattern `{name}` matches the empty text")]
    MatchesEmpty {
        /// Name of the pattern.
        name: String,
    },
    /// The pattern matches nothing at all.
    #[error("pattern `{name}` can never match")]
    NeverMatches {
        /// Name of the pattern.
        name: String,
    },
    /// The pattern has no longest match and no cap.
    #[error(
        "pattern `{name}` has no longest match: bound its repetitions, as in {{1,64}}, or give it max_bytes"
    )]
    Unbounded {
        /// Name of the pattern.
        name: String,
    },
    /// The longest match, or the cap, is longer than what may be held.
    #[error(
        "pattern `{name}` may match {bytes} bytes, at most {max} are allowed: tighten it, or give it max_bytes"
    )]
    TooLong {
        /// Name of the pattern.
        name: String,
        /// Its longest match, in bytes.
        bytes: usize,
        /// The longest match that is allowed, in bytes.
        max: usize,
    },
    /// The cap is shorter than the shortest match.
    #[error("pattern `{name}` needs at least {needed} bytes, but its max_bytes is {cap}")]
    CapTooShort {
        /// Name of the pattern.
        name: String,
        /// Its shortest match, in bytes.
        needed: usize,
        /// The cap, in bytes.
        cap: usize,
    },
    /// The compiled set is larger than what is allowed.
    #[error(
        "the patterns compile to an automaton that is too large: use smaller repetition counts, or [0-9] for \\d"
    )]
    TooLarge {
        /// What the compiler says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
