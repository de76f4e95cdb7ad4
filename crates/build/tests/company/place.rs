//! Where a company of a test lives, and how commands are given in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A company's repository below the target folder. Its path has a space, as paths of people have.
#[derive(Debug)]
pub(crate) struct Company {
    pub(crate) root: PathBuf,
}

/// The root of Gatewright's repository.
fn clone() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

pub(crate) fn below_target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("a company")
}

impl Company {
    /// Makes one with `new dist`, given in Gatewright's clone.
    pub(crate) fn new(name: &str) -> Self {
        let root = below_target().join(name);
        if root.exists() {
            fs::remove_dir_all(&root).unwrap();
        }
        let company = Self { root };
        let path = company.root.to_str().unwrap();
        succeeds(company.command(&clone()).args(["xtask", "new", "dist", "acme", "--path", path]));
        company
    }

    /// Gives a command of `cargo` in its root, and returns what it said, on both outputs.
    #[track_caller]
    pub(crate) fn cargo(&self, arguments: &[&str]) -> String {
        succeeds(self.command(&self.root).args(arguments))
    }

    /// A `cargo` in its root that does not run yet.
    pub(crate) fn cargo_command(&self) -> Command {
        self.command(&self.root)
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.root.join(file)).unwrap()
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.root.join(file), text).unwrap();
    }

    /// Replaces a text that stands in a file once.
    #[track_caller]
    pub(crate) fn edit(&self, file: &str, old: &str, new: &str) {
        let text = self.read(file);
        assert_eq!(text.matches(old).count(), 1, "`{old}` in {file}");
        self.write(file, &text.replace(old, new));
    }

    /// Without what the run of the tests set for itself.
    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(folder);
        for variable in ["CI", "GATEWRIGHT_BIN", "GATEWAY_KEY", "CARGO_INCREMENTAL", "RUSTFLAGS"] {
            command.env_remove(variable);
        }
        if folder == self.root {
            command.env("CARGO_TARGET_DIR", below_target().join("target"));
        }
        command
    }
}

#[track_caller]
pub(crate) fn succeeds(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (said, errors) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?} ended with {status}:\n{said}\n{errors}");
    format!("{said}\n{errors}")
}
