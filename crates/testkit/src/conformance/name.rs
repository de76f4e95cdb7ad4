//! The name of an extension, and the points that it says to implement.

use std::collections::BTreeSet;

use gatewright::Extension;
use gatewright::registry::registration_of;

use super::suite::Suite;

/// The longest name, in bytes: it becomes a label of metrics.
const NAME_BYTES_MAX: usize = 64;

/// The extension is registered, under a name that can be one, for exactly the points of the suite.
///
/// # Panics
/// If it is not.
pub fn registration<E: Extension>(suite: &Suite<E>) {
    let registration = registration_of::<E>().unwrap_or_else(|error| panic!("{error}"));
    if let Some(fault) = fault_of(E::NAME) {
        panic!("`{}` cannot be the name of an extension: {fault}", E::NAME);
    }
    let registered: BTreeSet<_> = registration.points.iter().copied().collect();
    let named: BTreeSet<_> = suite.points.iter().copied().collect();
    assert_eq!(
        registered,
        named,
        "the suite names the points that `{}` is registered for; those on the left, not those on the right",
        E::NAME
    );
}

fn fault_of(name: &str) -> Option<&'static str> {
    let is_word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !word.starts_with('-')
            && !word.ends_with('-')
    };
    if name.len() > NAME_BYTES_MAX {
        return Some("it is longer than 64 bytes");
    }
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        return Some("it does not begin with a letter from a to z");
    }
    (!name.split('.').all(is_word))
        .then_some("it is made of words of a to z, 0 to 9 and dashes, with dots between them")
}

#[cfg(test)]
mod tests {
    use super::fault_of;

    #[test]
    fn names_are_words_with_dots_between_them() {
        for name in ["mask", "static-keys", "acme.mask-email", "acme.eu.mask2"] {
            assert_eq!(fault_of(name), None, "{name}");
        }
        for name in ["", "Mask", "2mask", "acme.", "acme..mask", "mask_email", "-mask", "mask-", "mäsk"] {
            assert!(fault_of(name).is_some(), "{name}");
        }
        assert!(fault_of(&"a".repeat(65)).is_some());
    }
}
