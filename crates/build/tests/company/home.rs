//! A home of cargo that cannot be written, as in a sealed build: what lies there is used, and `doctor` tells of it.
#![cfg(unix)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::{Company, below_target, succeeds};

/// What cargo has fetched, in its home.
const FETCHED: [&str; 2] = ["registry", "git"];
/// For whom no folder is read-only; a test that root runs lays this down.
const POWER: &str = "--bounding-set=-dac_override,-dac_read_search";

fn own_home() -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "the ban keeps the gateway's settings in one place; a test has to find cargo's own folder"
    )]
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    variable("CARGO_HOME").unwrap_or_else(|| variable("HOME").unwrap().join(".cargo"))
}

/// A home with what is fetched in it, in which nothing can be made.
fn sealed_home() -> PathBuf {
    let home = below_target().join("sealed home");
    if home.exists() {
        fs::set_permissions(&home, Permissions::from_mode(0o755)).unwrap();
        fs::remove_dir_all(&home).unwrap();
    }
    fs::create_dir_all(&home).unwrap();
    for name in FETCHED.iter().filter(|name| own_home().join(name).exists()) {
        symlink(own_home().join(name), home.join(name)).unwrap();
    }
    fs::set_permissions(&home, Permissions::from_mode(0o555)).unwrap();
    home
}

/// A command of cargo with another home, by somebody who is bound by permissions.
fn cargo(company: &Company, home: &Path, arguments: &[&str]) -> String {
    let cargo = company.cargo_command();
    let is_root = fs::write(home.join("probe"), "").is_ok();
    let mut command = if is_root { Command::new("setpriv") } else { Command::new(cargo.get_program()) };
    if is_root {
        fs::remove_file(home.join("probe")).unwrap();
        command.arg(POWER).arg(cargo.get_program());
    }
    for (name, value) in cargo.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    succeeds(command.current_dir(&company.root).env("CARGO_HOME", home).args(arguments))
}

#[test]
fn pitfall_16_a_home_that_cannot_be_written_serves_what_lies_there_and_doctor_tells_of_it() {
    let company = Company::new("sealed");
    company.cargo(&["xtask", "build", "--generate-only"]);
    let home = sealed_home();
    let said = cargo(&company, &home, &["xtask", "doctor"]);
    assert!(said.contains("sealed home cannot be written: what is there can be used"), "{said}");
    assert!(said.contains("it builds without a network"), "{said}");
    let said = cargo(&company, &home, &["xtask", "build", "--generate-only"]);
    assert!(said.contains("is written"), "{said}");
    assert_eq!(
        fs::read_dir(&home).unwrap().count(),
        FETCHED.iter().filter(|name| home.join(name).exists()).count()
    );
}
