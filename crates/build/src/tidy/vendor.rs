//! Vendor names stand in their own folders and in the names of dialects, nowhere else.
//!
//! A vendor's name outside is how one vendor's quirk becomes everybody's code. Identifiers, literals and comments are
//! searched, tests and documents are not.

use std::path::Path;

use crate::source::Source;
use crate::tidy::Finding;
use crate::workspace::Workspace;

/// In lower case, as they occur inside identifiers.
const VENDORS: &[&str] = &[
    "openai",
    "anthropic",
    "claude",
    "gemini",
    "vertex",
    "bedrock",
    "azure",
    "mistral",
    "cohere",
    "groq",
    "deepseek",
    "ollama",
    "huggingface",
    "databricks",
    "together_ai",
    "fireworks_ai",
    "perplexity",
    "openrouter",
    "cerebras",
    "sambanova",
    "moonshot",
    "dashscope",
    "minimax",
    "nvidia",
    "cloudflare",
    "vllm",
    "sglang",
];

/// The dialects' names in lower case without separators: a protocol may be called by its name anywhere.
const DIALECTS: &[&str] = &[
    "openaichat",
    "openaicompletions",
    "openaiembeddings",
    "openaimoderations",
    "openaiform",
    "openaiimages",
    "openaiimageedits",
    "openaiimagevariations",
    "openaispeech",
    "openairesponses",
    "openaitranscriptions",
    "openaitranslations",
    "anthropicmessages",
    "geminigenerate",
    "bedrockconverse",
];

/// Where vendor names belong, and why.
const ALLOWED: &[(&str, &str)] = &[
    ("extensions/providers", "the vendors' own folders"),
    ("crates/core/src/dialect.rs", "the list of dialects"),
    ("crates/testkit/src/provider", "the simulated vendors"),
    ("crates/testkit/src/provider.rs", "the simulated vendors"),
    ("crates/testkit/src/bin/gatewright-simulator.rs", "the simulated vendors, as a process"),
    ("crates/testkit/src/harness", "puts the simulated vendors behind a gateway"),
    ("gateway-bin", "the list of linked extensions"),
    ("tests", "scenarios speak as a vendor's client or as a vendor"),
    ("crates/build/src/tidy/vendor.rs", "this list"),
    ("crates/build/src/client.rs", "client libraries are called after their vendor"),
    ("crates/build/src/demo", "shows how to use a vendor's client library"),
];

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let sources = workspace.packages.iter().flat_map(|package| &package.sources);
    sources.filter(|source| !is_allowed(source)).flat_map(check_source).collect()
}

fn is_allowed(source: &Source) -> bool {
    ALLOWED.iter().any(|(path, _)| source.is_in(path)) || is_dialect_folder(&source.path)
}

/// `crates/wire/src/<dialect>.rs` and what lies in the folder beside it.
fn is_dialect_folder(path: &Path) -> bool {
    let Ok(inside) = path.strip_prefix("crates/wire/src") else { return false };
    let first = inside.iter().next().and_then(|part| part.to_str()).unwrap_or_default().to_lowercase();
    VENDORS.iter().any(|vendor| first.starts_with(vendor))
}

fn check_source(source: &Source) -> Vec<Finding> {
    source
        .product()
        .filter_map(|(number, line)| {
            let word = [&line.code, &line.strings, &line.comment].into_iter().find_map(|text| vendor_word(text))?;
            let message = format!(
                "`{word}` names a vendor: put what is special about it into extensions/providers or its dialect, and \
                 say here what it is, whoever does it"
            );
            Some(Finding::new(&source.path, number, message))
        })
        .collect()
}

/// The first word of the text that holds a vendor's name and is no dialect's name.
fn vendor_word(text: &str) -> Option<&str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    text.split(|c| !is_part(c)).find(|word| {
        let lower = word.to_lowercase();
        let plain: String = lower.chars().filter(|c| c.is_alphanumeric()).collect();
        let is_dialect = DIALECTS.iter().any(|dialect| plain.contains(dialect));
        !is_dialect && VENDORS.iter().any(|vendor| lower.contains(vendor))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::in_package;

    #[test]
    fn tells_vendors_from_dialects() {
        let cases = [
            ("fn for_openai()", Some("for_openai")),
            ("struct AzureKey;", Some("AzureKey")),
            ("// as Anthropic does", Some("Anthropic")),
            ("Dialect::OpenAiChat", None),
            ("wire::openai_chat::codec()", None),
            ("\"openai-chat\"", None),
            ("a vertex", Some("vertex")),
            ("convert(x)", None),
        ];
        for (text, expected) in cases {
            assert_eq!(vendor_word(text), expected, "{text}");
        }
    }

    #[test]
    fn vendors_have_their_own_folders() {
        let text = "//! A.\nfn openai_quirk() {}\n#[cfg(test)]\nmod tests { fn openai() {} }\n";
        let found = in_package(check, "server", text);
        assert!(matches!(found.as_slice(), [one] if one.contains("src/b.rs:2: `openai_quirk`")), "{found:?}");
        assert!(is_dialect_folder(Path::new("crates/wire/src/openai_chat/request.rs")));
        assert!(is_dialect_folder(Path::new("crates/wire/src/openai_chat.rs")));
        assert!(!is_dialect_folder(Path::new("crates/wire/src/json.rs")));
    }
}
