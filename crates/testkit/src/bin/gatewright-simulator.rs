//! The simulated provider as a process: see `gatewright_testkit::provider::main`.

use std::process::ExitCode;

fn main() -> ExitCode {
    gatewright_testkit::provider::main()
}
