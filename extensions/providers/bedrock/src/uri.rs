//! Text inside a path: percent-encoded but for what RFC 3986 calls unreserved, as signatures want it.

use std::fmt::Write as _;

/// A text as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    encoded(text, b"")
}

/// A path, encoded already, as a signature has it: encoded once more, its slashes kept.
pub(crate) fn path(path: &str) -> String {
    encoded(path, b"/")
}

fn encoded(text: &str, kept: &[u8]) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte);
        if is_plain {
            out.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _written = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{path, segment};

    #[test]
    fn an_id_is_one_segment_whatever_stands_in_it() {
        assert_eq!(segment("anthropic.claude-3-5-v2:0"), "anthropic.claude-3-5-v2%3A0");
        assert_eq!(
            segment("arn:aws:bedrock:x:1:inference-profile/a b"),
            "arn%3Aaws%3Abedrock%3Ax%3A1%3Ainference-profile%2Fa%20b"
        );
        assert_eq!(segment("ü/../?#"), "%C3%BC%2F..%2F%3F%23");
    }

    #[test]
    fn a_signed_path_is_encoded_once_more_and_keeps_its_slashes() {
        assert_eq!(path("/model/a%3A0/converse"), "/model/a%253A0/converse");
    }
}
