//! The real gateway as a company ships it: the same bytes from two folders. It takes many minutes.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::world::{daily, extension};
use super::super::{Distribution, generate, info};
use super::{is_full, release};

const MANIFEST: &str = "\
manifest = 1

[dist]
name = \"acme-gateway\"
version = \"1.4.0\"

[core]
path = \"../gatewright\"

[toolchain]
rust = \"1.95.0\"

[extensions.greet]
path = \"extensions/greet\"
allow = [\"request\"]
";

/// A company's repository and a copy of this one beside it, in a folder that is kept between runs.
fn company(name: &str) -> Distribution {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let folder = repository.join("target").join("test-worlds").join(name);
    for file in info::files(repository).unwrap() {
        // What the tests and the bench leave beside the sources may be no text.
        if let Ok(text) = fs::read_to_string(repository.join(&file)) {
            generate::write(&folder.join("gatewright").join(&file), &text).unwrap();
        }
    }
    let write = |path: &str, text: &str| generate::write(&folder.join("acme").join(path), text).unwrap();
    write("gatewright.toml", MANIFEST);
    write("extensions/greet/Cargo.toml", &extension("greet", "gatewright-core = \"0.1\"\n"));
    write("extensions/greet/src/lib.rs", &super::real::registering("acme.greet", ""));
    Distribution::load(&folder.join("acme")).unwrap()
}

#[test]
fn pitfall_15_the_whole_gateway_is_the_same_from_two_folders() {
    if !is_full() {
        return;
    }
    let sums = |name: &str| -> String {
        let dist = company(name);
        dist.build(&release(None)).unwrap();
        fs::read_to_string(dist.root.join("dist").join("SHA256SUMS")).unwrap()
    };
    assert_eq!(sums("whole"), sums("another folder/whole"));
}

#[test]
fn the_whole_gateway_builds_for_daily_work_and_holds_what_it_lists() {
    if !is_full() {
        return;
    }
    let built: PathBuf = company("daily").build(&daily()).unwrap().binary;
    assert!(built.is_file());
}
