//! The exit codes of the binary, as operators and init systems read them.

use std::process::ExitCode;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: the command did what it was asked; after `serve`, every answer was finished in time.
    Done,
    /// 1: something failed while running.
    Failed,
    /// 2: the command line is wrong. The argument parser uses the same number.
    Usage,
    /// 3: the configuration is wrong or missing; nothing was started.
    Config,
    /// 4: the binary does not contain what its build lists, or contains more.
    Build,
    /// 5: an address, a file or the database cannot be used.
    Resource,
    /// 6: the drain deadline passed and answers were cut off.
    Cut,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Config => 3,
            Exit::Build => 4,
            Exit::Resource => 5,
            Exit::Cut => 6,
        })
    }
}
