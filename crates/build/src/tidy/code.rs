//! What may not stand in code: per rule, where it applies, what gives it away, and what to do instead.
//!
//! Some of it clippy says too; here it holds also for a package that forgot its lints, and for the places that a
//! lint cannot tell apart.

use crate::source::{Line, Source, has_word};
use crate::tidy::Finding;
use crate::workspace::{Package, Workspace};

struct Rule {
    applies: fn(&Package, &Source) -> bool,
    breaks: fn(&Line) -> bool,
    advice: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        applies: |_, _| true,
        breaks: |line| has_word(&line.code, "unsafe"),
        advice: "no unsafe code here: use a crate that wraps it safely, and say in docs/decisions which and why",
    },
    Rule {
        applies: |_, _| true,
        breaks: |line| {
            ["unbounded_channel", "unbounded", "UnboundedSender"]
                .iter()
                .any(|word| has_word(&line.code, word))
        },
        advice: "an unbounded queue grows with the slowest reader: use a bounded channel and write down what happens \
                 when it is full",
    },
    Rule {
        applies: |_, _| true,
        breaks: |line| !line.test && has_word(&line.code, "file!"),
        advice: "a path in the binary says nothing to whom it reaches: name what it is, with a text or `module_path!`",
    },
    Rule {
        applies: |package, _| ["gatewright-wire", "gatewright-policy"].contains(&package.name.as_str()),
        breaks: |line| !line.test && (has_word(&line.code, "async") || line.code.contains(".await")),
        advice: "this layer is pure: take bytes, time and chance as arguments and let the caller wait",
    },
    Rule {
        applies: |package, source| package.name == "gatewright-core" && !is_for_settings(source),
        breaks: |line| {
            let code = &line.code;
            let named = has_word(code, "Serialize") || has_word(code, "Deserialize");
            !line.test && named && (code.contains("derive(") || has_word(code, "impl"))
        },
        advice: "the nouns of core are not serialisable: give the border that needs it a struct of its own and \
                 convert by hand",
    },
];

/// The parts of core from which extensions build their settings; those are read from the configuration.
fn is_for_settings(source: &Source) -> bool {
    ["crates/core/src/secret.rs", "crates/core/src/setting.rs"].iter().any(|path| source.is_in(path))
}

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut found = Vec::new();
    for package in &workspace.packages {
        for source in &package.sources {
            for rule in RULES.iter().filter(|rule| (rule.applies)(package, source)) {
                let broken = source.numbered().filter(|(_, line)| (rule.breaks)(line));
                found.extend(broken.map(|(number, _)| Finding::new(&source.path, number, rule.advice)));
            }
            // An example shows how things look over time; nobody waits for it in a run of tests.
            if !source.is_in(package.folder.join("examples")) {
                found.extend(sleeps(source));
            }
        }
    }
    found
}

/// Sleeps in tests. On tokio's paused clock a sleep takes no time, so a test that starts paused may; so may one on a
/// clock that it moves itself, and such a clock says how one sleeps on it.
fn sleeps(source: &Source) -> Vec<Finding> {
    let paused: Vec<_> =
        source.functions().into_iter().filter(|f| f.attributes.contains("start_paused")).collect();
    let is_paused = |number: usize| paused.iter().any(|f| (f.line..=f.end).contains(&number));
    source
        .numbered()
        .filter(|(_, line)| line.test && line.code.contains("sleep(") && has_word(&line.code, "sleep"))
        .filter(|(_, line)| !line.code.contains("fn sleep(") && !line.code.contains("clock.sleep("))
        .filter(|(number, _)| !is_paused(*number))
        .map(|(number, _)| {
            let advice = "a test that sleeps is slow or flaky: start it paused, wait for the event, or poll the \
                          condition with the test kit's deadline";
            Finding::new(&source.path, number, advice)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::in_package;

    #[track_caller]
    fn check_code(package: &str, code: &str, expected: Option<&str>) {
        let found = in_package(check, package, &format!("//! B.\n{code}\n"));
        match expected {
            None => assert_eq!(found, [""; 0], "{package}: {code}"),
            Some(expected) => {
                assert!(
                    matches!(found.as_slice(), [one] if one.contains(expected)),
                    "{package}: {code}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn nothing_is_unsafe_and_nothing_is_unbounded() {
        check_code("server", "fn f() { unsafe { g() } }", Some("no unsafe code"));
        check_code("server", "#![forbid(unsafe_code)] // unsafe", None);
        check_code("server", "fn f() { let (a, b) = mpsc::unbounded_channel(); }", Some("unbounded queue"));
        check_code("server", "fn f() { let (a, b) = mpsc::channel(1); }", None);
    }

    #[test]
    fn pitfall_15_no_path_of_a_source_goes_into_the_binary() {
        check_code("server", "const A: &str = file!();", Some("says nothing to whom it reaches"));
        check_code("server", "#[cfg(test)]\nmod tests { const A: &str = file!(); }", None);
        check_code("server", "// file!() is not used, nor is profile!()", None);
    }

    #[test]
    fn wire_and_policy_do_not_wait() {
        check_code("policy", "async fn f() {}", Some("this layer is pure"));
        check_code("wire", "fn f() { g().await }", Some("this layer is pure"));
        check_code("wire", "#[cfg(test)]\nmod tests { async fn f() {} }", None);
        check_code("wire", "// what async code does with it", None);
        check_code("upstream", "async fn f() {}", None);
    }

    #[test]
    fn the_nouns_of_core_have_no_serialised_form() {
        check_code("core", "#[derive(Debug, Serialize)]\nstruct A;", Some("not serialisable"));
        check_code("core", "impl<'de> Deserialize<'de> for A {}", Some("not serialisable"));
        check_code("core", "fn settings<T: DeserializeOwned>() {}", None);
        check_code("config", "#[derive(Debug, Serialize)]\nstruct A;", None);
    }

    #[test]
    fn tests_wait_for_events_and_not_for_time() {
        check_code(
            "a",
            "#[cfg(test)]\nmod tests {\n    fn f() { thread::sleep(x) }\n}",
            Some("b.rs:4: a test that sleeps"),
        );
        check_code("a", "fn f() { thread::sleep(x) }", None);
        let paused = "#[cfg(test)]\nmod tests {\n#[tokio::test(start_paused = true)]\nasync fn f() {\n    sleep(x)\n}\n}";
        check_code("a", paused, None);
        let own = "#[cfg(test)]\nmod tests {\n    fn sleep() { clock.sleep(x) }\n}";
        check_code("a", own, None);
    }
}
