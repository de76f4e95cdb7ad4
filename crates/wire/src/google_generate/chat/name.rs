//! Names of tools and ids of calls.

use std::borrow::Cow;

use crate::json::Value;

/// What stands before a name that begins in a way that the dialect does not allow. A name that begins with it gets it
/// once more, so that taking one off is always right.
const PREFIX: &str = "_n_";

/// How much of an answer's id goes into the ids of its calls; other dialects take 64 characters in all.
const ANSWER_ID_CHARS_MAX: usize = 40;

/// The name under which the provider is offered a tool: it must begin with a letter or an underscore.
pub(crate) fn provider_name(name: &str) -> Cow<'_, str> {
    let is_fit = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    if is_fit && !name.starts_with(PREFIX) { name.into() } else { format!("{PREFIX}{name}").into() }
}

/// The caller's name of the tool that the provider calls.
pub(crate) fn tool_name(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

/// The id of a call to which the provider gave none: the same each time that the answer is read, and another one in
/// every answer, because some dialects want ids to differ over a whole conversation.
pub(crate) fn call_id(answer: &[u8], choice: u32, index: u32) -> String {
    let said = Value::of_checked(answer).get("responseId").and_then(|id| id.as_str());
    let mut id = "call_".to_owned();
    let said = said.as_deref().unwrap_or_default();
    let fit = said.chars().filter(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_'));
    id.extend(fit.take(ANSWER_ID_CHARS_MAX));
    if choice > 0 {
        id.push_str(&format!("_{choice}"));
    }
    id.push_str(&format!("_{index}"));
    id
}

#[cfg(test)]
mod tests {
    use super::{call_id, provider_name, tool_name};

    #[test]
    fn a_name_that_begins_with_a_digit_is_offered_under_another_and_comes_back() {
        for (name, offered) in [
            ("get", "get"),
            ("_x", "_x"),
            ("2nd", "_n_2nd"),
            ("-a", "_n_-a"),
            ("_n_2nd", "_n__n_2nd"),
            ("", "_n_"),
        ] {
            assert_eq!(provider_name(name), offered);
            assert_eq!(tool_name(offered), name);
        }
    }

    #[test]
    fn ids_of_calls_differ_between_answers_and_fit_every_dialect() {
        let id = |answer: &str| call_id(answer.as_bytes(), 0, 1);
        assert_eq!(id(r#"{"responseId":"a/b c"}"#), "call_abc_1");
        assert_eq!(id("{}"), "call__1");
        assert!(id(&format!(r#"{{"responseId":"{}"}}"#, "x".repeat(999))).len() <= 64);
        assert_eq!(call_id(b"{}", 2, 0), "call__2_0");
    }
}
