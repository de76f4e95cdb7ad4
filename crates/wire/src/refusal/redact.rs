//! Leaves out of a provider's text what is the operator's own: addresses, account ids, keys.
//!
//! Errs on the side of leaving out. Works word by word, so that what surrounds stays readable.

/// Stands for what was left out.
const GAP: &str = "[redacted]";

/// Beginnings of words that name an account, a key or a place.
const PREFIXES: &[&str] = &[
    "sk-",
    "sk_",
    "pk-",
    "pk_",
    "rk-",
    "key-",
    "org-",
    "org_",
    "proj_",
    "proj-",
    "acct_",
    "user-",
    "arn:",
    "akia",
    "asia",
    "ghp_",
    "xai-",
    "gsk_",
    "aiza",
    "bearer",
    "projects/",
    "accounts/",
    "subscriptions/",
    "/subscriptions/",
    "deployments/",
];

/// Words of letters and digits mixed that are this long are taken for ids.
const ID_BYTES_MIN: usize = 20;

/// The text without what is private.
pub(super) fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(end) = rest.find(is_border) {
        let (word, tail) = rest.split_at(end);
        let border = tail.chars().next().map_or(0, char::len_utf8);
        push(&mut out, word);
        let (border, tail) = tail.split_at(border);
        out.push_str(border);
        rest = tail;
    }
    push(&mut out, rest);
    out
}

fn push(out: &mut String, word: &str) {
    let core = word.trim_end_matches(['.', ',', ':', ';', '!', '?']);
    if is_private(core) {
        out.push_str(GAP);
        out.push_str(word.strip_prefix(core).unwrap_or_default());
    } else {
        out.push_str(word);
    }
}

const fn is_border(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '"' | '\'' | '`' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | ',' | '=')
}

fn is_private(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    PREFIXES.iter().any(|prefix| lower.starts_with(prefix) && lower.len() > prefix.len())
        || lower.contains("://")
        || lower.contains('@')
        || lower.contains("***")
        || is_host(&lower)
        || is_id(&lower)
}

/// A dotted name with a top-level domain, or an address with a port or without.
fn is_host(word: &str) -> bool {
    let host = word.split(['/', ':']).next().unwrap_or_default();
    let labels: Vec<&str> = host.split('.').collect();
    let is_label = |label: &&str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if labels.len() < 2 || !labels.iter().all(is_label) {
        return false;
    }
    let numeric = labels.iter().all(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    let domain = labels.last().is_some_and(|last| {
        matches!(*last, "com" | "net" | "org" | "io" | "ai" | "dev" | "cloud" | "local" | "internal" | "svc")
    });
    domain || (numeric && labels.len() == 4)
}

/// A long word without a natural reading: digits and letters mixed, or hexadecimal groups.
fn is_id(word: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/' | b'+');
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    word.len() >= ID_BYTES_MIN && word.bytes().all(is_part) && digits >= 4 && !is_model_name(word)
}

/// Names of models are long words with digits too; their parts between hyphens are short.
fn is_model_name(word: &str) -> bool {
    let parts: Vec<&str> = word.split(['-', '/', '_']).collect();
    let has_name =
        parts.iter().any(|part| part.len() >= 2 && part.bytes().all(|byte| byte.is_ascii_alphabetic()));
    has_name && parts.iter().all(|part| part.len() <= 12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(redact(text), expected);
    }

    #[test]
    fn keys_accounts_and_addresses_are_left_out() {
        check("Incorrect API key provided: sk-abc***xyz.", "Incorrect API key provided: [redacted].");
        check(
            "Rate limit reached for gpt-4o in organization org-Ab12 on tokens per min (TPM): Limit 30000, Used 29000.",
            "Rate limit reached for gpt-4o in organization [redacted] on tokens per min (TPM): Limit 30000, Used 29000.",
        );
        check("see https://platform.example.com/account.", "see [redacted].");
        check(
            "host api.example.com:443 at 10.0.0.12, ask me@example.org",
            "host [redacted] at [redacted], ask [redacted]",
        );
        check("arn:aws:bedrock:eu-west-1:123456789012:x", "[redacted]");
        check("request 0f8fad5b-d9cb-469f-a165-70867728950e failed", "request [redacted] failed");
        check("token=eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "token=[redacted]");
    }

    #[test]
    fn the_rest_stays_as_it_is() {
        for text in [
            "",
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens.",
            "The model `gpt-4o-mini-2024-07-18` does not exist",
            "Invalid value: 'x'. Supported values are: 'a', 'b'; see messages[0].content.",
            "Größe 1.5 ist falsch\n\tund 2.0 auch",
            "temperature must be <= 2.0, top_p=0.5",
        ] {
            check(text, text);
        }
    }
}
