//! `panic = "unwind"`, always: an extension that panics must fail its own exchange only.
//!
//! The build forces it in the profile that it uses. Whoever asks for the opposite is told, with file and line, as a
//! wish that is silently overruled comes back as a question.

use std::path::Path;

use anyhow::{Result, bail};

use super::settings::{self, Settings};
use crate::command::variable;

/// Variables that hold flags for the compiler.
const FLAGS: [&str; 3] = ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS"];

/// Refuses what asks for a process that ends at the first panic.
///
/// # Errors
/// A manifest, a file of settings or a variable does; each is named.
pub(super) fn check(root: &Path) -> Result<()> {
    let mut wishes = of_variables(|name| Some(variable(name)?.to_string_lossy().into_owned()));
    let mut files = settings::files(root)?;
    let manifest = root.join("Cargo.toml");
    if manifest.is_file() {
        files.push(Settings::read(manifest)?);
    }
    wishes.extend(files.iter().filter_map(of_file));
    if wishes.is_empty() {
        return Ok(());
    }
    bail!(
        "panic = \"abort\" is asked for in {}; take it out: a gateway needs \"unwind\", as with \"abort\" an extension \
         that panics would end the process and every exchange with it",
        wishes.join(" and in ")
    )
}

fn of_variables(read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let profiles = ["DEV", "RELEASE", "DIST"].map(|profile| format!("CARGO_PROFILE_{profile}_PANIC"));
    let profiles = profiles.into_iter().filter(|name| read(name).as_deref() == Some("abort"));
    let flags = FLAGS.iter().map(|name| (*name).to_owned());
    let flags = flags.filter(|name| read(name).is_some_and(|flags| flags.contains("panic=abort")));
    profiles.chain(flags).map(|name| format!("the variable {name}")).collect()
}

fn of_file(settings: &Settings) -> Option<String> {
    let profiles = settings.table.get("profile").and_then(toml::Value::as_table).into_iter().flatten();
    let is_abort =
        |profile: &toml::Value| profile.get("panic").and_then(toml::Value::as_str) == Some("abort");
    if profiles.map(|(_, profile)| profile).any(is_abort) {
        return Some(settings.place(&["panic", "abort"]));
    }
    let mut flags = settings.build_flags().into_iter().chain(settings.target_flags());
    let has_flag = flags.any(|flag| flag.contains("panic=abort"));
    has_flag.then(|| settings.place(&["panic=abort"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    #[test]
    fn a_profile_that_says_abort_is_refused_with_its_line_and_the_reason() {
        let cases = [
            ("Cargo.toml", "[profile.release]\nlto = true\npanic = \"abort\"\n", "Cargo.toml:3"),
            (".cargo/config.toml", "[profile.dev]\npanic = 'abort'\n", "config.toml:2"),
            (".cargo/config.toml", "[build]\nrustflags = [\"-C\", \"panic=abort\"]\n", "config.toml:2"),
            (".cargo/config", "[target.'cfg(unix)']\nrustflags = \"-Cpanic=abort\"\n", "config:2"),
        ];
        for (file, text, expected) in cases {
            let fixture = Fixture::new(&[(file, text)]);
            let said = check(fixture.root()).unwrap_err().to_string();
            assert!(said.contains(expected) && said.contains("\"unwind\""), "{said}");
        }
    }

    #[test]
    fn anything_else_is_fine() {
        let fixture = Fixture::new(&[("Cargo.toml", "[profile.release]\npanic = \"unwind\"\n")]);
        check(fixture.root()).unwrap();
    }

    #[test]
    fn variables_outrank_files_and_are_refused_too() {
        let read = |name: &str| {
            let values = [("CARGO_PROFILE_RELEASE_PANIC", "abort"), ("RUSTFLAGS", "-Cpanic=abort")];
            values.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let expected = ["the variable CARGO_PROFILE_RELEASE_PANIC", "the variable RUSTFLAGS"];
        assert_eq!(of_variables(read), expected);
    }
}
