//! Names of members in the JSON form of protocol buffers, which has two spellings for each.

use std::borrow::Cow;

/// The camel case spelling of a name: `generation_config` and `generationConfig` are one.
pub(crate) fn camel(name: Cow<'_, str>) -> Cow<'_, str> {
    if !name.contains('_') {
        return name;
    }
    let mut camel = String::with_capacity(name.len());
    let mut begins_word = false;
    for char in name.chars() {
        match char {
            '_' => begins_word = true,
            _ if std::mem::take(&mut begins_word) => camel.push(char.to_ascii_uppercase()),
            _ => camel.push(char),
        }
    }
    Cow::Owned(camel)
}

#[cfg(test)]
mod tests {
    use super::camel;

    #[test]
    fn both_spellings_of_a_name_are_one() {
        for (name, expected) in [
            ("generation_config", "generationConfig"),
            ("generationConfig", "generationConfig"),
            ("top_p", "topP"),
            ("_", ""),
            ("a__b_", "aB"),
        ] {
            assert_eq!(camel(name.into()), expected);
        }
    }
}
