//! Starting other programs: cargo, the clients' installers, the built binaries.
//!
//! A failed command becomes an error that shows the command line as a person would type it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// Reads one variable of the environment.
#[expect(
    clippy::disallowed_methods,
    reason = "the ban keeps the gateway's settings in one place; a build tool has to read cargo's own variables"
)]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Whether this run is a continuous-integration run, in which what must be tested may not be skipped.
pub(crate) fn in_ci() -> bool {
    variable("CI").is_some_and(|value| value != "false" && value != "0")
}

/// The cargo that runs this tool, or the one on the path.
pub(crate) fn cargo() -> Command {
    Command::new(variable("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a command with the terminal's own output.
///
/// # Errors
/// The program cannot be started or ends with another code than zero.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", shown(command));
    }
    Ok(())
}

/// Runs a command and returns what it printed to standard output.
///
/// # Errors
/// The program cannot be started, fails (its error output is in the message), or prints no UTF-8.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let Output { status, stdout, stderr } = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}\n{}", shown(command), String::from_utf8_lossy(&stderr).trim_end());
    }
    String::from_utf8(stdout).with_context(|| format!("`{}` printed no UTF-8", shown(command)))
}

/// Looks for a program in the folders of `PATH`.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = variable("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The command line without its folders, as it would be typed.
pub(crate) fn shown(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let name = program.file_name().map_or_else(|| program.as_os_str().to_owned(), OsString::from);
    let mut text = name.to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_is_shown_with_its_code_and_its_words() {
        let failure =
            read(Command::new("sh").args(["-c", "echo broken >&2; exit 3"])).unwrap_err().to_string();
        assert!(failure.contains("sh -c"), "{failure}");
        assert!(failure.contains('3'), "{failure}");
        assert!(failure.contains("broken"), "{failure}");
    }

    #[test]
    fn finds_only_programs_that_are_there() {
        assert!(on_path("sh").is_some());
        assert_eq!(on_path("no-such-program-of-ours"), None);
    }
}
