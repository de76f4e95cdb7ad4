//! What a set of patterns accepts, and what it says about the rest.

use crate::text::{Pattern, PatternError, TextPatterns};

fn refused(pattern: Pattern) -> String {
    TextPatterns::compile([pattern]).expect_err("the pattern is meant to be refused").to_string()
}

#[test]
fn says_what_is_wrong_with_a_pattern_and_what_to_do() {
    let cases = [
        (
            Pattern::new("p", "a+"),
            "pattern `p` has no longest match: bound its repetitions, as in {1,64}, or give it max_bytes",
        ),
        (Pattern::new("p", "a?"), "pattern `p` matches the empty text"),
        (Pattern::new("p", r"\b"), "pattern `p` matches the empty text"),
        (Pattern::new("p", "[^\\s\\S]"), "pattern `p` can never match"),
        (
            Pattern::new("p", "a{5}").max_bytes(4),
            "pattern `p` needs at least 5 bytes, but its max_bytes is 4",
        ),
        (
            Pattern::new("p", "a{5000}"),
            "pattern `p` may match 5000 bytes, at most 4096 are allowed: tighten it, or give it max_bytes",
        ),
        (Pattern::new("p", "(a"), "pattern `p` is not a valid regular expression"),
        (Pattern::new("p", "a(?=b)"), "pattern `p` is not a valid regular expression"),
        (Pattern::new("p", r"(a)\1"), "pattern `p` is not a valid regular expression"),
    ];
    for (pattern, message) in cases {
        assert_eq!(refused(pattern.clone()), message, "{pattern:?}");
    }
}

#[test]
fn a_cap_makes_an_unbounded_pattern_acceptable() {
    let set = TextPatterns::compile([Pattern::new("p", "a+").max_bytes(4096)]).expect("valid");
    assert_eq!(set.longest_match(), 4096);
}

#[test]
fn refuses_a_set_that_is_too_large() {
    let many = (0..300).map(|i| Pattern::new(format!("p{i}"), "a"));
    assert!(matches!(TextPatterns::compile(many), Err(PatternError::TooMany { count: 257, max: 256 })));
    let large = (0..256).map(|i| Pattern::new(format!("p{i}"), r"\w{900}"));
    assert!(matches!(TextPatterns::compile(large), Err(PatternError::TooLarge { .. })));
}

#[test]
fn word_borders_are_ascii() {
    let set = TextPatterns::compile([Pattern::new("p", r"\bcat\b")]).expect("valid");
    assert_eq!(set.replace_all("écaté cat_ cat"), "é[p]é cat_ [p]");
}

#[test]
fn names_the_pattern_that_matched_and_looks_at_the_left_context() {
    let set =
        TextPatterns::compile([Pattern::new("p", r"\bcat\b"), Pattern::new("q", "[0-9]{2}")]).expect("valid");
    let found = set.find_at("concat 42", 3).expect("there is a match");
    assert_eq!((found.name, found.range), ("q", 7..9));
}
