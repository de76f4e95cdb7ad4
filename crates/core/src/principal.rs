//! Who is calling.

use std::sync::Arc;

use crate::{ModelName, TenantId};

/// An authenticated caller, as an [`Authenticator`](crate::Authenticator) established it.
///
/// One value is shared by all exchanges of a key, so that authenticating costs one
/// reference count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The isolation domain.
    pub tenant: TenantId,
    /// A stable, non-secret name of the credential, for records and limiter keys.
    pub key_label: Arc<str>,
    /// The project inside the tenant.
    pub project: Option<Arc<str>>,
    /// The person or service behind the call.
    pub user: Option<Arc<str>>,
    /// Groups of the user.
    pub groups: Vec<Arc<str>>,
    /// Public model names that the caller may use; `*` stands for any run of characters. Calls that pass through to a
    /// provider are named `passthrough/PROVIDER`, and only by patterns that begin with `passthrough/`.
    pub models: Vec<Arc<str>>,
    /// Labels that flow into contexts and usage records, sorted by name. They carry no content.
    pub tags: Vec<(Arc<str>, Arc<str>)>,
}

impl Principal {
    /// A caller of `tenant` that is known as `key_label` and may use every model.
    #[must_use]
    pub fn new(tenant: TenantId, key_label: &str) -> Self {
        Self {
            tenant,
            key_label: Arc::from(key_label),
            project: None,
            user: None,
            groups: Vec::new(),
            models: vec![Arc::from("*")],
            tags: Vec::new(),
        }
    }

    /// Whether the caller may use `model`.
    #[must_use]
    pub fn may_use(&self, model: &ModelName) -> bool {
        self.models.iter().any(|pattern| matches_pattern(pattern, model.as_str()))
    }

    /// The value of a label.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().find(|(key, _)| &**key == name).map(|(_, value)| &**value)
    }
}

/// Matches `text` against a pattern in which `*` stands for any run of characters.
///
/// Linear in the product of both lengths at worst, without recursion.
#[must_use]
pub fn matches_pattern(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(mut piece) = pieces.next() else { return rest.is_empty() };
    for next in pieces {
        let Some((_, after)) = rest.split_once(piece) else { return false };
        rest = after;
        piece = next;
    }
    rest.ends_with(piece)
}

#[cfg(test)]
mod tests {
    use super::matches_pattern;

    #[test]
    fn patterns_match_with_stars() {
        let table = [
            ("*", "anything", true),
            ("*", "", true),
            ("gpt-4o", "gpt-4o", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("gpt-*", "gpt-4o-mini", true),
            ("gpt-*", "claude", false),
            ("*-mini", "gpt-4o-mini", true),
            ("*-mini", "gpt-4o-mini-2", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("a*a", "a", false),
            ("/v1/*", "/v1/chat/completions", true),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches_pattern(pattern, text), expected, "{pattern} against {text}");
        }
    }
}
