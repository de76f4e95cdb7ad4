//! The machine: Rust, linker, cargo's own folder, variables, names of folders.

use std::fs;
use std::path::Path;

use super::Finding;
use crate::command::{on_path, variable};
use crate::distribution::cargo::Cargo;
use crate::distribution::manifest;
use crate::distribution::{Distribution, settings, unwind};

/// The oldest Rust that the core compiles with.
const RUST_MIN: &str = env!("CARGO_PKG_RUST_VERSION");
/// Linkers that may be chosen, beside the one that the compiler brings.
const LINKERS: [&str; 4] = ["mold", "ld.lld", "ld.gold", "ld.bfd"];

pub(super) fn check(dist: &Distribution) -> Vec<Finding> {
    let mut found = vec![toolchain(dist), pinned(dist), linker(dist), panic_mode(dist), home()];
    found.extend(flags());
    found.extend(blanks(dist));
    found
}

fn toolchain(dist: &Distribution) -> Finding {
    const TOPIC: &str = "toolchain";
    match Cargo::find(dist) {
        Err(cause) => Finding::bad(TOPIC, format!("{cause:#}")),
        Ok(cargo) if is_older(&cargo.rust, RUST_MIN) => Finding::bad(
            TOPIC,
            format!(
                "Rust {} is too old, {RUST_MIN} is needed: set `toolchain.rust` in {}, or run `rustup update`",
                cargo.rust,
                manifest::FILE
            ),
        ),
        Ok(cargo) => Finding::fine(TOPIC, format!("Rust {} for {}", cargo.rust, cargo.host)),
    }
}

/// Whether everybody builds with the same Rust.
fn pinned(dist: &Distribution) -> Finding {
    const TOPIC: &str = "pinned Rust";
    let Some(pinned) = &dist.manifest.toolchain else {
        return Finding::note(
            TOPIC,
            format!(
                "{} pins no Rust, so other machines may build other bytes: add `[toolchain]` with `rust = \"…\"`",
                manifest::FILE
            ),
        );
    };
    let file = dist.root.join("rust-toolchain.toml");
    let text = fs::read_to_string(&file).unwrap_or_default();
    let table: toml::Table = text.parse().unwrap_or_default();
    let channel = table.get("toolchain").and_then(|own| own.get("channel")).and_then(toml::Value::as_str);
    match channel {
        Some(channel) if channel != pinned.value => Finding::note(
            TOPIC,
            format!(
                "rust-toolchain.toml says {channel} and {} says {}: plain cargo and this tool compile everything twice",
                manifest::place(pinned.line, "toolchain.rust"),
                pinned.value
            ),
        ),
        Some(_) | None => Finding::fine(TOPIC, &pinned.value),
    }
}

fn linker(dist: &Distribution) -> Finding {
    const TOPIC: &str = "linker";
    if on_path("cc").is_none() && on_path("gcc").is_none() && on_path("clang").is_none() {
        return Finding::bad(
            TOPIC,
            "no C compiler on the path: install gcc or clang, which link and compile C parts",
        );
    }
    let chosen = settings::files(&dist.root).unwrap_or_default();
    let chosen = chosen.iter().find_map(|file| file.linker().map(|name| (name, file.place(&["linker"]))));
    let there: Vec<&str> = LINKERS.into_iter().filter(|name| on_path(name).is_some()).collect();
    let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
    match chosen {
        Some((name, place)) if on_path(&name).is_none() && !Path::new(&name).is_file() => Finding::bad(
            TOPIC,
            format!("{place} chooses `{name}`, which is not there: install it, or take the line out"),
        ),
        Some((name, place)) => Finding::fine(TOPIC, format!("`{name}`, chosen in {place}")),
        None => Finding::fine(TOPIC, format!("the compiler's own choice; installed beside it: {there}")),
    }
}

fn panic_mode(dist: &Distribution) -> Finding {
    match unwind::check(&dist.root) {
        Ok(()) => Finding::fine("panic mode", "unwind, and nothing asks for abort"),
        Err(cause) => Finding::bad("panic mode", cause.to_string()),
    }
}

/// Whether cargo can write where it keeps what it fetches.
fn home() -> Finding {
    const TOPIC: &str = "cargo's folder";
    let home = settings::home();
    if is_writable(&home) {
        return Finding::fine(TOPIC, home.display().to_string());
    }
    Finding::note(
        TOPIC,
        format!(
            "{} cannot be written: what is there can be used, nothing new can be fetched; set CARGO_HOME to a folder of \
             your own, or build with `--vendored`",
            home.display()
        ),
    )
}

fn is_writable(folder: &Path) -> bool {
    let probe = folder.join(".gatewright-probe");
    let is_writable = fs::create_dir_all(folder).and_then(|()| fs::write(&probe, "")).is_ok();
    if is_writable {
        fs::remove_file(&probe).ok();
    }
    is_writable
}

/// Variables that change what is built.
fn flags() -> Vec<Finding> {
    let names = ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "CARGO_TARGET_DIR", "CFLAGS"];
    let set = names.into_iter().filter_map(|name| Some((name, variable(name)?)));
    set.map(|(name, value)| {
        Finding::note(
            "variables",
            format!(
                "{name} is `{}`: other machines need the same to build the same bytes",
                value.to_string_lossy()
            ),
        )
    })
    .collect()
}

/// Cargo and the compilers of this tool can live with blanks; build scripts of others may not.
fn blanks(dist: &Distribution) -> Option<Finding> {
    let places = [dist.root.clone(), dist.target().to_owned(), settings::home()];
    let place = places.into_iter().find(|place| place.to_string_lossy().contains(' '))?;
    Some(Finding::note(
        "blanks in paths",
        format!(
            "`{}` has a blank in it: if the build script of some C library fails, move it, or set CARGO_TARGET_DIR and \
             CARGO_HOME to folders without one",
            place.display()
        ),
    ))
}

fn is_older(version: &str, than: &str) -> bool {
    let numbers = |version: &str| -> Vec<u64> {
        version.split(['.', '-']).take(3).filter_map(|part| part.parse().ok()).collect()
    };
    numbers(version) < numbers(than)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::doctor::Grade;
    use crate::fixture::Fixture;

    const MANIFEST: &str =
        "manifest = 1\n[dist]\nname = \"acme\"\nversion = \"1.0.0\"\n[core]\npath = \"gw\"\n";

    #[test]
    fn versions_are_compared_by_number() {
        let cases = [("1.9.0", "1.95", true), ("1.95.0", "1.95", false), ("1.100.0", "1.95", false)];
        for (version, than, expected) in cases {
            assert_eq!(is_older(version, than), expected, "{version} {than}");
        }
        assert!(is_older("1.94.1-nightly", "1.95"));
    }

    #[test]
    fn a_linker_that_is_not_there_is_bad_and_named_with_its_line() {
        let settings = "[target.x86_64-unknown-linux-gnu]\nlinker = \"no-such-linker-of-ours\"\n";
        let fixture = Fixture::new(&[("gatewright.toml", MANIFEST), (".cargo/config.toml", settings)]);
        let found = linker(&Distribution::load(fixture.root()).unwrap());
        assert_eq!(found.grade, Grade::Bad);
        assert!(found.said.contains("config.toml:2 chooses `no-such-linker-of-ours`"), "{found}");
    }

    #[test]
    fn a_blank_in_a_path_and_a_missing_pin_are_noted() {
        let fixture = Fixture::new(&[("my gateway/gatewright.toml", MANIFEST)]);
        let dist = Distribution::load(&fixture.root().join("my gateway")).unwrap();
        let found = blanks(&dist).unwrap();
        assert!(found.said.contains("my gateway` has a blank"), "{found}");
        assert_eq!(pinned(&dist).grade, Grade::Note);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_seen() {
        let fixture = Fixture::new(&[("file", "")]);
        assert!(is_writable(&fixture.root().join("new")));
        assert!(!is_writable(&fixture.root().join("file")));
    }
}
