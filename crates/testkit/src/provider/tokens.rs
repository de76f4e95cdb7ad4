//! How the simulated provider counts tokens, so that a test can compute the bill by hand.
//!
//! One token is up to four characters of one word, together with the white space before it.
//! White space at the very end of a text is one token of its own.

use serde_json::Value;

/// What one message costs beside its text: role and separators.
pub const TOKENS_PER_MESSAGE: u64 = 3;
/// What one image, audio or file part of a message costs, whatever its size.
pub const TOKENS_PER_ATTACHMENT: u64 = 85;

const CHARACTERS_PER_TOKEN: usize = 4;

/// Cuts `text` into its tokens; joined they are the text again.
pub fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, tail) = rest.split_at(first_piece_end(rest));
        rest = tail;
        Some(piece)
    })
}

/// The number of tokens of `text`.
///
/// ```
/// assert_eq!(gatewright_testkit::provider::count_tokens("hello big world"), 5);
/// ```
pub fn count_tokens(text: &str) -> u64 {
    pieces(text).count() as u64
}

/// The prompt tokens of a chat request: texts, [`TOKENS_PER_MESSAGE`], [`TOKENS_PER_ATTACHMENT`], and the JSON
/// text of the tool definitions.
pub fn count_chat_prompt(request: &Value) -> u64 {
    let messages = request["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let tools = request.get("tools").map_or(0, |tools| count_tokens(&tools.to_string()));
    messages.iter().map(count_message).sum::<u64>() + tools
}

fn count_message(message: &Value) -> u64 {
    let content = match &message["content"] {
        Value::String(text) => count_tokens(text),
        Value::Array(parts) => parts.iter().map(count_part).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => 0,
    };
    let calls = message["tool_calls"].as_array().map_or(0, |calls| {
        calls.iter().filter_map(|call| call["function"]["arguments"].as_str()).map(count_tokens).sum()
    });
    TOKENS_PER_MESSAGE + content + calls
}

fn count_part(part: &Value) -> u64 {
    part["text"].as_str().map_or(TOKENS_PER_ATTACHMENT, count_tokens)
}

fn first_piece_end(text: &str) -> usize {
    let word = text.find(|c: char| !c.is_whitespace()).unwrap_or(text.len());
    let (_, rest) = text.split_at(word);
    let length = rest
        .char_indices()
        .enumerate()
        .find(|(n, (_, c))| *n == CHARACTERS_PER_TOKEN || c.is_whitespace())
        .map_or(rest.len(), |(_, (at, _))| at);
    word + length
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found: Vec<&str> = pieces(text).collect();
        assert_eq!(found, expected);
        assert_eq!(found.concat(), text);
    }

    #[test]
    fn cuts_words_into_fours_and_keeps_white_space_in_front() {
        check("", &[]);
        check("hello", &["hell", "o"]);
        check("a  big\nworld", &["a", "  big", "\nworl", "d"]);
        check("end ", &["end", " "]);
        check("äöüßä", &["äöüß", "ä"]);
    }

    #[test]
    fn counts_texts_attachments_and_tool_arguments_of_a_prompt() {
        let request = json!({"messages": [
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": [{"type": "text", "text": "what"}, {"type": "image_url"}]},
            {"role": "assistant", "content": null, "tool_calls": [{"function": {"arguments": "{}"}}]},
        ]});
        let framing = 3 * TOKENS_PER_MESSAGE;
        assert_eq!(count_chat_prompt(&request), framing + 2 + (1 + TOKENS_PER_ATTACHMENT) + 1);
    }
}
