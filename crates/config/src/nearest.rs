//! "Did you mean": the known name that is nearest to an unknown one.

/// The nearest of the known names, where one is near enough to be a slip of the hand.
pub(crate) fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(unknown);
    // One slip in names of three to five characters, one more for each three beyond; names of one
    // or two characters are near to everything.
    let within = unknown.chars().count() / 3;
    known
        .into_iter()
        .map(|name| (strsim::osa_distance(&folded, &fold(name)), name))
        .filter(|(distance, _)| *distance <= within && within > 0)
        .min()
        .map(|(_, name)| name)
}

/// Spellings that differ only in case and word marks are the same to a person.
fn fold(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

/// `; did you mean …`, or the whole choice where nothing is near and the choice is short.
pub(crate) fn hint<'a>(
    unknown: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
    noun: &str,
) -> String {
    const SHORT: usize = 16;
    if let Some(name) = nearest(unknown, known.clone()) {
        return format!("; did you mean `{name}`?");
    }
    let names: Vec<_> = known.into_iter().collect();
    match names.len() {
        0 => format!("; there are no {noun}"),
        1..=SHORT => format!("; {noun}: {}", names.join(", ")),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{hint, nearest};

    #[test]
    fn slips_of_the_hand_are_recognised() {
        let known = ["base_url", "api_key", "use", "http2", "allow_private"];
        let table = [
            ("base_ur", Some("base_url")),
            ("baseUrl", Some("base_url")),
            ("base-url", Some("base_url")),
            ("apikey", Some("api_key")),
            ("api_kye", Some("api_key")),
            ("sue", Some("use")),
            ("allow_privat", Some("allow_private")),
            ("colour", None),
            ("x", None),
        ];
        for (unknown, expected) in table {
            assert_eq!(nearest(unknown, known), expected, "{unknown}");
        }
    }

    #[test]
    fn a_short_choice_is_listed_where_nothing_is_near() {
        assert_eq!(hint("colour", ["a", "b"], "known keys"), "; known keys: a, b");
        assert_eq!(hint("colour", [], "providers"), "; there are no providers");
    }
}
