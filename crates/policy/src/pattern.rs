//! Patterns with `*`, compiled once so that the common forms cost one comparison.

use std::fmt;

use gatewright::matches_pattern;

/// A pattern in which `*` stands for any run of characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Form);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Any,
    Exact(Box<str>),
    Prefix(Box<str>),
    General(Box<str>),
}

/// The pattern as it was written.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Any => f.write_str("*"),
            Form::Exact(text) | Form::General(text) => f.write_str(text),
            Form::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}

impl Pattern {
    /// Compiles a pattern; every text is one.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self(match pattern.split_once('*') {
            None => Form::Exact(pattern.into()),
            Some(("", "")) => Form::Any,
            Some((prefix, "")) => Form::Prefix(prefix.into()),
            Some(_) => Form::General(pattern.into()),
        })
    }

    /// The pattern that matches everything.
    #[must_use]
    pub const fn any() -> Self {
        Self(Form::Any)
    }

    /// Whether the pattern matches everything, so that even an absent text satisfies it.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        matches!(self.0, Form::Any)
    }

    /// The text, where the pattern has no `*`.
    #[must_use]
    pub fn exact(&self) -> Option<&str> {
        match &self.0 {
            Form::Exact(text) => Some(text),
            Form::Any | Form::Prefix(_) | Form::General(_) => None,
        }
    }

    /// Whether the pattern matches `text`.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match &self.0 {
            Form::Any => true,
            Form::Exact(exact) => **exact == *text,
            Form::Prefix(prefix) => text.starts_with(&**prefix),
            Form::General(pattern) => matches_pattern(pattern, text),
        }
    }

    /// Whether every text that `other` matches is matched by this pattern as well.
    ///
    /// It may say no where the answer is yes; a yes is certain.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Form::Any, _) => true,
            (_, Form::Exact(text)) => self.matches(text),
            (Form::Prefix(wide), Form::Prefix(narrow)) => narrow.starts_with(&**wide),
            (Form::Prefix(wide), Form::General(narrow)) => {
                narrow.split('*').next().is_some_and(|start| start.starts_with(&**wide))
            }
            (Form::General(one), Form::General(two)) => one == two,
            (Form::Exact(_) | Form::Prefix(_) | Form::General(_), _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn compiled_forms_match_like_the_plain_matcher() {
        let patterns = ["", "*", "a", "a*", "*a", "a*b", "**", "a**", "*a*", "/v1/*"];
        let texts = ["", "a", "b", "ab", "ba", "aab", "aba", "/v1/", "/v1/chat", "/v2"];
        for pattern in patterns {
            for text in texts {
                assert_eq!(
                    Pattern::new(pattern).matches(text),
                    gatewright::matches_pattern(pattern, text),
                    "{pattern:?} against {text:?}"
                );
            }
        }
    }

    #[test]
    fn covering_patterns_match_all_that_the_covered_ones_match() {
        let patterns = ["*", "a", "a*", "ab*", "*b", "a*b", "b"];
        let texts = ["", "a", "b", "ab", "abb", "acb", "ba"];
        for wide in patterns {
            for narrow in patterns {
                let (wide, narrow) = (Pattern::new(wide), Pattern::new(narrow));
                if wide.covers(&narrow) {
                    assert!(
                        texts.iter().all(|text| !narrow.matches(text) || wide.matches(text)),
                        "{wide:?} does not cover {narrow:?}"
                    );
                }
            }
        }
        assert!(Pattern::new("gpt-*").covers(&Pattern::new("gpt-4*")));
        assert!(!Pattern::new("gpt-4*").covers(&Pattern::new("gpt-*")));
    }
}
