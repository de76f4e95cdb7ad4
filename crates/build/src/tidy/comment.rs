//! Comments speak of the present: history belongs to git, plans to the tracker.

use crate::source::has_word;
use crate::tidy::Finding;
use crate::workspace::Workspace;

/// Words that mark unfinished work.
const UNFINISHED: [&str; 4] = ["TODO", "FIXME", "XXX", "HACK"];
/// Words that tell how it was before. "What can no longer change" tells of a state, so not every "no longer" does.
const HISTORY: &[&str] = &[
    "no longer needed",
    "no longer used",
    "no longer necessary",
    "no longer required",
    "no longer supported",
    "no longer exists",
    "no longer uses",
    "no longer has",
    "previously",
    "formerly",
    "used to be",
];

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let sources = workspace.packages.iter().flat_map(|package| &package.sources);
    sources
        .flat_map(|source| {
            source
                .numbered()
                .filter_map(|(number, line)| Some(Finding::new(&source.path, number, fault(&line.comment)?)))
        })
        .collect()
}

fn fault(comment: &str) -> Option<String> {
    if let Some(word) = UNFINISHED.iter().find(|word| has_word(comment, word)) {
        return Some(format!("`{word}`: finish it now, or file it in the tracker and delete the comment"));
    }
    let lower = comment.to_lowercase();
    if let Some(word) = HISTORY.iter().find(|word| has_word(&lower, word)) {
        return Some(format!("\"{word}\" tells history: say what holds now, git keeps what was"));
    }
    has_issue_number(comment)
        .then(|| "an issue number explains nothing to a reader: say the reason itself".to_owned())
}

/// `#` and digits, as trackers write them; `#1` alone may be a count in a drawing, so two digits are asked for, or
/// the word before.
fn has_issue_number(comment: &str) -> bool {
    comment.match_indices('#').any(|(at, _)| {
        let (before, after) = comment.split_at(at);
        let digits = after.chars().skip(1).take_while(char::is_ascii_digit).count();
        let ends = after.chars().nth(1 + digits).is_none_or(|c| !c.is_alphanumeric());
        let begins = before.chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '&' && c != '/');
        let named =
            ["issue ", "pr ", "bug ", "see "].iter().any(|word| before.to_lowercase().ends_with(word));
        begins && ends && (digits >= 2 || (digits == 1 && named))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_hold_no_plans_and_no_history() {
        let cases = [
            ("// TODO: later", true),
            ("// the todo list of the user", false),
            ("/// This is no longer needed.", true),
            ("// releases what can no longer change", false),
            ("// previously a map", true),
            ("// the bytes that came before", false),
            ("// see #4711", true),
            ("// fixes issue #7", true),
            ("// colour #fff, character &#39;", false),
            ("// step #1 of two", false),
            ("//! `#[cfg(test)]` and `r#\"…\"#`", false),
        ];
        for (comment, expected) in cases {
            assert_eq!(fault(comment).is_some(), expected, "{comment}: {:?}", fault(comment));
        }
    }

    #[test]
    fn only_comments_are_judged() {
        let text = "//! A.\nconst A: &str = \"TODO no longer #4711\";\n";
        assert_eq!(crate::tidy::testing::in_package(check, "a", text), [""; 0]);
        let text = "//! A.\nfn f() {} // TODO\n";
        assert_eq!(crate::tidy::testing::in_package(check, "a", text).len(), 1);
    }
}
