//! What comes from outside: licences, banned crates, sources, as `deny.toml` states them.
//!
//! cargo-deny reads the same file and looks deeper, but takes minutes to build; this answers in a second, so that a
//! developer hears of a broken rule at once. It asks cargo for the licences and reads the lock file for the rest.

pub(crate) mod licence;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command;
use crate::console::say;

/// The registry that crates may come from, as the lock file writes it.
const REGISTRY: &str = "registry+";

/// Compares the resolved dependencies with `deny.toml`.
///
/// # Errors
/// A crate breaks a rule (all are named), or a file cannot be read.
pub(crate) fn run(root: &Path) -> Result<()> {
    let rules = Rules::parse(&read(root, "deny.toml")?)?;
    let lock = Lock::parse(&read(root, "Cargo.lock")?)?;
    let used = Used::parse(&command::read(&mut listing(root, &rules.targets))?);
    let mut broken = rules.licences(&used);
    broken.extend(rules.bans(&lock, &used));
    broken.extend(rules.duplicates(&used));
    broken.extend(sources(&lock));
    for line in &broken {
        say(line);
    }
    if !broken.is_empty() {
        bail!("{} rule(s) of deny.toml are broken, listed above", broken.len());
    }
    say(format_args!(
        "supply: {} crates from outside have allowed licences and sources",
        used.foreign().count()
    ));
    Ok(())
}

/// What is built for one of the targets, one crate a line with its licence.
fn listing(root: &Path, targets: &[String]) -> Command {
    let mut command = command::cargo();
    command.current_dir(root).args([
        "tree",
        "--workspace",
        "--locked",
        "--edges=normal,build",
        "--prefix=none",
    ]);
    command.arg("--format={p}\t{l}");
    for target in targets {
        command.args(["--target", target]);
    }
    command
}

fn read(root: &Path, file: &str) -> Result<String> {
    std::fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}"))
}

/// What ships or helps to build what ships: one entry per crate and version.
struct Used(BTreeSet<(String, String)>);

impl Used {
    /// Reads lines of `name vVERSION (source)\tlicence`.
    fn parse(listed: &str) -> Self {
        let entries = listed.lines().filter_map(|line| {
            let (package, licence) = line.split_once('\t')?;
            let licence = licence.trim_end_matches(" (*)").trim();
            Some((package.trim_end_matches(" (*)").to_owned(), licence.to_owned()))
        });
        Self(entries.collect())
    }

    /// The crates that are not ours, with their licences; ours are shown with the folder that they lie in.
    fn foreign(&self) -> impl Iterator<Item = (&str, &str)> {
        let entries = self.0.iter().map(|(package, licence)| (package.as_str(), licence.as_str()));
        entries.filter(|(package, _)| !package.contains("(/") && !package.contains(":\\"))
    }

    fn holds(&self, name: &str) -> bool {
        self.0.iter().any(|(package, _)| package.split(' ').next() == Some(name))
    }
}

/// The parts of `deny.toml` that are checked here.
struct Rules {
    licences: Vec<String>,
    /// Crate, the licences that it alone may have.
    exceptions: Vec<(String, Vec<String>)>,
    /// Crate, the packages that may use it nevertheless.
    bans: Vec<(String, Vec<String>)>,
    /// Crates that may be there in two versions, as `name` or `name@version`.
    doubles: Vec<String>,
    /// The systems that we build for.
    targets: Vec<String>,
}

impl Rules {
    fn parse(text: &str) -> Result<Self> {
        let table: toml::Table = text.parse().context("deny.toml is no TOML")?;
        let list = |part: &str, key: &str| {
            let list = table.get(part).and_then(|part| part.get(key)).and_then(toml::Value::as_array);
            list.cloned().unwrap_or_default()
        };
        let name = |value: &toml::Value| value.get("crate").and_then(toml::Value::as_str).map(str::to_owned);
        let words = |value: &toml::Value, key: &str| {
            let words = value.get(key).and_then(toml::Value::as_array).into_iter().flatten();
            words.filter_map(toml::Value::as_str).map(str::to_owned).collect()
        };
        let texts =
            |list: Vec<toml::Value>| list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect();
        let with = |list: Vec<toml::Value>, key: &str| {
            list.iter().filter_map(|value| Some((name(value)?, words(value, key)))).collect()
        };
        Ok(Self {
            licences: texts(list("licenses", "allow")),
            exceptions: with(list("licenses", "exceptions"), "allow"),
            bans: with(list("bans", "deny"), "wrappers"),
            doubles: list("bans", "skip").iter().filter_map(name).collect(),
            targets: texts(list("graph", "targets")),
        })
    }

    fn licences(&self, used: &Used) -> Vec<String> {
        used.foreign()
            .filter(|(package, licence)| {
                let name = package.split(' ').next().unwrap_or_default();
                let own = self.exceptions.iter().find(|(exception, _)| exception == name);
                let is_allowed = |id: &str| {
                    let listed = |list: &[String]| list.iter().any(|allowed| allowed == id);
                    listed(&self.licences) || own.is_some_and(|(_, licences)| listed(licences))
                };
                !licence::satisfies(licence, &is_allowed)
            })
            .map(|(package, licence)| {
                let shown = if licence.is_empty() { "no licence" } else { licence };
                format!("{package} has `{shown}`, which licenses.allow does not cover: replace the crate or allow it")
            })
            .collect()
    }

    /// Banned crates that are used by others than their wrappers.
    fn bans(&self, lock: &Lock, used: &Used) -> Vec<String> {
        let mut broken = Vec::new();
        for (name, wrappers) in self.bans.iter().filter(|(name, _)| used.holds(name)) {
            for user in
                lock.users_of(name).filter(|user| used.holds(user) && !wrappers.iter().any(|w| w == user))
            {
                broken.push(format!("{user} uses {name}, which bans.deny allows to {wrappers:?} only"));
            }
        }
        broken
    }

    /// Crates that are there in more than one version, and no more than one of them is excused.
    fn duplicates(&self, used: &Used) -> Vec<String> {
        let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (package, _) in used.foreign() {
            let mut words = package.split(' ');
            if let (Some(name), Some(version)) = (words.next(), words.next()) {
                versions.entry(name).or_default().insert(version.trim_start_matches('v'));
            }
        }
        let is_excused = |name: &str, version: &str| {
            self.doubles.iter().any(|double| match double.split_once('@') {
                Some((crate_name, prefix)) => {
                    crate_name == name && format!("{version}.").starts_with(&format!("{prefix}."))
                }
                None => double == name,
            })
        };
        versions
            .iter()
            .filter(|(name, versions)| {
                versions.iter().filter(|version| !is_excused(name, version)).count() > 1
            })
            .map(|(name, versions)| {
                let versions: Vec<&str> = versions.iter().copied().collect();
                format!(
                    "{name} is there in versions {}: agree on one, or give a reason in bans.skip",
                    versions.join(", ")
                )
            })
            .collect()
    }
}

/// Crates that come from elsewhere than a registry.
fn sources(lock: &Lock) -> Vec<String> {
    let foreign = lock.packages.iter().filter_map(|package| Some((package, package.source.as_deref()?)));
    foreign
        .filter(|(_, source)| !source.starts_with(REGISTRY))
        .map(|(package, source)| {
            format!("{} comes from {source}: depend on a published version", package.name)
        })
        .collect()
}

struct Lock {
    packages: Vec<Locked>,
}

struct Locked {
    name: String,
    source: Option<String>,
    /// Names only: a ban does not ask for the version.
    uses: Vec<String>,
}

impl Lock {
    fn parse(text: &str) -> Result<Self> {
        let table: toml::Table = text.parse().context("Cargo.lock is no TOML")?;
        let packages =
            table.get("package").and_then(toml::Value::as_array).context("Cargo.lock lists no package")?;
        let read = |value: &toml::Value| {
            let text = |key: &str| value.get(key).and_then(toml::Value::as_str).map(str::to_owned);
            let uses = value.get("dependencies").and_then(toml::Value::as_array).into_iter().flatten();
            let first_word = |value: &toml::Value| Some(value.as_str()?.split(' ').next()?.to_owned());
            Some(Locked {
                name: text("name")?,
                source: text("source"),
                uses: uses.filter_map(first_word).collect(),
            })
        };
        Ok(Self { packages: packages.iter().filter_map(read).collect() })
    }

    fn users_of(&self, name: &str) -> impl Iterator<Item = &str> {
        let uses = move |package: &&Locked| package.uses.iter().any(|used| used == name);
        self.packages.iter().filter(uses).map(|package| package.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "\
[licenses]
allow = [\"MIT\"]
exceptions = [{ crate = \"roots\", allow = [\"CDLA-Permissive-2.0\"] }]
[bans]
skip = [{ crate = \"old@0.2\" }]
deny = [{ crate = \"openssl\" }, { crate = \"axum\", wrappers = [\"server\"] }]
";
    const LOCK: &str = "\
[[package]]
name = \"server\"
dependencies = [\"axum 1.0.0\"]
[[package]]
name = \"pipeline\"
dependencies = [\"axum\"]
[[package]]
name = \"axum\"
source = \"registry+index\"
[[package]]
name = \"fork\"
source = \"git+https://example.com/fork\"
";

    #[test]
    fn each_crate_needs_an_allowed_licence() {
        let rules = Rules::parse(RULES).unwrap();
        let cases = [
            ("a v1.0.0\tMIT OR Apache-2.0", true),
            ("a v1.0.0\tGPL-3.0", false),
            ("a v1.0.0\t", false),
            ("a v1.0.0 (*)\tMIT", true),
            ("roots v1.0.0\tCDLA-Permissive-2.0", true),
            ("ours v1.0.0 (/home/x)\tGPL-3.0", true),
        ];
        for (listed, good) in cases {
            assert_eq!(rules.licences(&Used::parse(listed)).is_empty(), good, "{listed}");
        }
    }

    #[test]
    fn a_banned_crate_is_open_to_its_wrappers_only() {
        let (rules, lock) = (Rules::parse(RULES).unwrap(), Lock::parse(LOCK).unwrap());
        let all = Used::parse("server v1\t\npipeline v1\t\naxum v1\tMIT\n");
        assert_eq!(
            rules.bans(&lock, &all),
            ["pipeline uses axum, which bans.deny allows to [\"server\"] only"]
        );
        let without = Used::parse("server v1\t\naxum v1\tMIT\n");
        assert_eq!(rules.bans(&lock, &without), [""; 0], "a user that is not built does not count");
    }

    #[test]
    fn a_second_version_needs_a_reason() {
        let rules = Rules::parse(RULES).unwrap();
        let cases = [
            ("a v1.0.0\tMIT\na v1.0.0 (*)\tMIT\n", true),
            ("a v1.0.0\tMIT\na v2.0.0\tMIT\n", false),
            ("old v0.2.7\tMIT\nold v0.3.0\tMIT\n", true),
            ("old v0.2.7\tMIT\nold v0.3.0\tMIT\nold v0.4.0\tMIT\n", false),
            ("old v0.20.7\tMIT\nold v0.3.0\tMIT\n", false),
        ];
        for (listed, good) in cases {
            assert_eq!(rules.duplicates(&Used::parse(listed)).is_empty(), good, "{listed}");
        }
    }

    #[test]
    fn crates_come_from_a_registry() {
        let broken = sources(&Lock::parse(LOCK).unwrap());
        assert!(matches!(broken.as_slice(), [one] if one.starts_with("fork comes from git+")), "{broken:?}");
    }
}
