//! The door to every chore: `cargo xtask --help` lists them. The work is done by `gatewright-build`.

use std::process::ExitCode;

fn main() -> ExitCode {
    gatewright_build::main()
}
