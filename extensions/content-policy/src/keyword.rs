//! Keywords as patterns.

/// The pattern of a keyword: whole words, with any white space between them.
///
/// Borders of words are known for ASCII letters, digits and `_`; where a keyword begins or ends with another
/// sign, it is found inside words as well.
pub(crate) fn pattern(keyword: &str, is_case_sensitive: bool) -> String {
    let mut pattern = String::from(if is_case_sensitive { "" } else { "(?i)" });
    pattern.push_str(border(keyword.chars().next()));
    for (index, word) in keyword.split_whitespace().enumerate() {
        if index > 0 {
            pattern.push_str(r"\s{1,4}");
        }
        for sign in word.chars() {
            if sign.is_ascii_punctuation() {
                // A hexadecimal escape has no other meaning, whatever the sign.
                pattern.push_str(&format!(r"\x{{{:x}}}", u32::from(sign)));
            } else {
                pattern.push(sign);
            }
        }
    }
    pattern.push_str(border(keyword.chars().last()));
    pattern
}

fn border(sign: Option<char>) -> &'static str {
    if sign.is_some_and(|sign| sign.is_ascii_alphanumeric() || sign == '_') { r"\b" } else { "" }
}
