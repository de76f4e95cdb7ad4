//! The shape of a file: a header, a length, functions that fit a screen, a place in the module tree.

use std::path::Path;

use crate::source::Source;
use crate::tidy::Finding;
use crate::workspace::Workspace;

/// Lines of product code in a file; what is compiled for tests only does not count.
const LINES_MAX: usize = 500;
/// Lines of code between the braces of a function.
const FUNCTION_LINES_MAX: usize = 70;
/// Lines of the `//!` header. The front page of a library may be longer: it carries the examples.
const HEADER_LINES_MAX: usize = 12;

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut found = Vec::new();
    for package in &workspace.packages {
        for source in &package.sources {
            found.extend(header(source));
            found.extend(length(source));
            found.extend(functions(source));
            // Below `tests`, cargo would take `support.rs` for a test of its own.
            if source.path.ends_with("mod.rs") && !source.is_in(package.folder.join("tests")) {
                found.push(Finding::new(
                    &source.path,
                    0,
                    "name it after its folder, beside it: `foo.rs` with `foo/`",
                ));
            }
        }
        for path in &package.unreached {
            let message = "no target reaches this file: declare it with `mod`, or delete it";
            found.push(Finding::new(path, 0, message));
        }
    }
    found
}

/// The tests of a module in a file of their own need no header: the module beside them has it.
fn header(source: &Source) -> Option<Finding> {
    if source.path.ends_with("tests.rs") {
        return None;
    }
    let lines = source.lines.iter().take_while(|line| line.comment.starts_with("//!")).count();
    let is_front_page = source.path.ends_with(Path::new("src/lib.rs"));
    let message = match lines {
        0 => "open the file with `//!`: what it is, owns, promises, and leaves to others".to_owned(),
        long if long > HEADER_LINES_MAX && !is_front_page => {
            format!("the header has {long} lines: say it in {HEADER_LINES_MAX}, or divide the file")
        }
        _ => return None,
    };
    Some(Finding::new(&source.path, 1, message))
}

fn length(source: &Source) -> Option<Finding> {
    let lines = source.product().count();
    (lines > LINES_MAX).then(|| {
        let message = format!(
            "{lines} lines outside tests: find the second idea and give it a file ({LINES_MAX} at most)"
        );
        Finding::new(&source.path, 0, message)
    })
}

fn functions(source: &Source) -> Vec<Finding> {
    let long = |length| length > FUNCTION_LINES_MAX;
    source
        .functions()
        .into_iter()
        .filter(|function| long(function.length))
        .map(|function| {
            let message = format!(
                "`{}` has {} lines of code: name its parts ({FUNCTION_LINES_MAX} at most)",
                function.name, function.length
            );
            Finding::new(&source.path, function.line, message)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{in_package, said_of};

    #[track_caller]
    fn check_file(text: &str, expected: Option<&str>) {
        let found = in_package(check, "a", text);
        match expected {
            None => assert_eq!(found, [""; 0]),
            Some(expected) => {
                assert!(matches!(found.as_slice(), [one] if one.contains(expected)), "{found:?}");
            }
        }
    }

    #[test]
    fn a_file_opens_with_a_short_header() {
        check_file("//! What it is.\nfn f() {}\n", None);
        check_file("fn f() {}\n", Some("b.rs:1: open the file with `//!`"));
        check_file(&"//! Too much.\n".repeat(13), Some("has 13 lines"));
    }

    #[test]
    fn the_tests_of_a_module_share_its_header() {
        let found = said_of(
            check,
            &[
                ("Cargo.toml", "[workspace]\nmembers = [\"a\"]\n"),
                ("a/Cargo.toml", "[package]\nname = \"a\"\n"),
                ("a/src/lib.rs", "//! A.\n#[cfg(test)]\nmod tests;\n"),
                ("a/src/tests.rs", "fn f() {}\n"),
            ],
        );
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn only_lines_that_ship_count_towards_the_length_of_a_file() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "// x\n".repeat(600));
        check_file(&format!("//! A.\n{}", "// x\n".repeat(499)), None);
        check_file(&format!("//! A.\n{tests}"), None);
        check_file(&format!("//! A.\n{}", "// x\n".repeat(500)), Some("501 lines outside tests"));
    }

    #[test]
    fn a_function_fits_a_screen() {
        let function =
            |lines: usize| format!("//! A.\nfn f() {{\n    // why\n{}}}\n", "    g();\n".repeat(lines));
        check_file(&function(70), None);
        check_file(&function(71), Some("b.rs:2: `f` has 71 lines of code"));
    }

    #[test]
    fn finds_files_that_nobody_compiles() {
        let found = said_of(
            check,
            &[
                ("Cargo.toml", "[workspace]\nmembers = [\"a\"]\n"),
                ("a/Cargo.toml", "[package]\nname = \"a\"\n"),
                ("a/src/lib.rs", "//! A.\nmod b;\n"),
                ("a/src/b/mod.rs", "//! B.\n"),
                ("a/src/c.rs", "//! C.\n"),
                ("a/tests/it.rs", "//! It.\nmod support;\n"),
                ("a/tests/support/mod.rs", "//! Support.\n"),
            ],
        );
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().any(|line| line.starts_with("a/src/c.rs: no target reaches")), "{found:?}");
        assert!(found.iter().any(|line| line.starts_with("a/src/b/mod.rs: name it after")), "{found:?}");
    }
}
