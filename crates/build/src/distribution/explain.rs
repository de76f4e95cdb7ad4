//! What cargo's resolver says, in the words of the manifest: which extension, which line, what to do.
//!
//! The resolver knows packages and requirements, not the manifest; here its chain of "required by" is followed to the
//! entry that brought the trouble in. What is not understood is passed on as it is, under the entry that it names.

use super::Distribution;
use super::manifest::{self, Source};
use super::part::Part;

const CORE: &str = "gatewright-core";

/// The message for a graph that does not resolve.
pub(super) fn resolver(said: &str, dist: &Distribution, parts: &[Part]) -> String {
    let story = Story { said, dist, parts };
    story
        .stale_lock()
        .or_else(|| story.other_version())
        .or_else(|| story.second_copy())
        .unwrap_or_else(|| story.as_told())
}

struct Story<'a> {
    said: &'a str,
    dist: &'a Distribution,
    parts: &'a [Part],
}

impl Story<'_> {
    fn stale_lock(&self) -> Option<String> {
        let is_stale = self.said.contains("--locked") && self.said.contains("lock file");
        is_stale.then(|| {
            "gatewright.lock does not fit gatewright.toml, and this build may not change it (`--locked`, or CI is \
             set): run `cargo xtask build` on a developer's machine and commit the file"
                .to_owned()
        })
    }

    /// An extension asks for a core that is not compatible with the one that everything is built on.
    fn other_version(&self) -> Option<String> {
        let requirement = between(self.said, "for the requirement `", "`")?;
        let (package, wanted) = requirement.split_once(" = ")?;
        if !package.starts_with("gatewright-") {
            return None;
        }
        let wanted = wanted.trim_matches('"').trim_start_matches('^');
        let built =
            between(self.said, "candidate versions found which didn't match: ", "\n").unwrap_or("another");
        Some(self.mismatch(self.culprit(self.said)?, package, wanted, built))
    }

    /// An extension brings a core of its own: another version, or another place.
    fn second_copy(&self) -> Option<String> {
        if !self.said.contains(&format!("native library `{CORE}`")) {
            return None;
        }
        let second = self.second()?;
        let (_, chain) = self.said.split_once(second)?;
        let part = self.culprit(chain).or_else(|| self.culprit(self.said))?;
        let (version, place) = split_source(second);
        let Some(place) = place else {
            let built = between(self.said, "versions that meet the requirements ", "\n")
                .and_then(|line| line.rsplit(": ").next())
                .unwrap_or("another");
            return Some(self.mismatch(part, CORE, version, built));
        };
        Some(format!(
            "{}: extension `{}` brings a second copy of {CORE}, from {place}; with two copies its registration would \
             not be seen. In the extension's Cargo.toml write `{CORE} = \"{}\"`, without path or git: the build puts \
             the core of {} in its place",
            part.listed_in(),
            short(part),
            compatible(version),
            manifest::place(self.dist.manifest.core.source.line, "core")
        ))
    }

    /// What cargo said, under the entry that it is about where that can be seen.
    fn as_told(&self) -> String {
        let named = |part: &&Part| self.said.contains(&format!("`{}`", part.package));
        let place = self.culprit(self.said).or_else(|| self.parts.iter().find(named));
        let place = place.map_or_else(|| manifest::FILE.to_owned(), Part::listed_in);
        format!("{place}: this does not resolve; cargo says:\n{}", self.said.trim_end())
    }

    fn mismatch(&self, part: &Part, package: &str, wanted: &str, built: &str) -> String {
        format!(
            "{}: extension `{}` needs {package} {wanted}, this distribution is built on {built}; take a release of \
             the extension for {built}, or move `core` ({}) to a core that fits",
            part.listed_in(),
            short(part),
            manifest::place(self.dist.manifest.core.source.line, "core")
        )
    }

    /// The first package in a chain of "required by" that the manifest lists, or that a listed folder holds.
    fn culprit(&self, chain: &str) -> Option<&Part> {
        let of_package = chain.match_indices("package `").filter_map(|(start, mark)| {
            let rest = chain.get(start + mark.len()..)?;
            rest.split([' ', '`']).next()
        });
        of_package.filter_map(|name| self.parts.iter().find(|part| part.package == name)).next()
    }

    /// The core in the message that is not the distribution's own: `0.1.0 (/elsewhere)`.
    fn second(&self) -> Option<&str> {
        let marks = self.said.match_indices("gatewright-core v");
        let mut found =
            marks.filter_map(|(start, mark)| self.said.get(start + mark.len()..)?.split('`').next());
        found.find(|core| !self.is_own(core))
    }

    fn is_own(&self, core: &str) -> bool {
        let (_, place) = split_source(core);
        match (&self.dist.manifest.core.source.value, place) {
            (Source::Path(path), Some(place)) => {
                let own = self.dist.resolve(path).join("crates/core");
                own.canonicalize().is_ok_and(|own| own == std::path::Path::new(place))
                    || super::generate::lexical(&own) == std::path::Path::new(place)
            }
            (Source::Git { url, .. }, Some(place)) => place.starts_with(url.as_str()),
            (Source::Registry { .. }, None) => false,
            (Source::Registry { .. }, Some(_)) | (Source::Path(_) | Source::Git { .. }, None) => false,
        }
    }
}

/// A version and, where it comes from a place of its own, that place.
fn split_source(core: &str) -> (&str, Option<&str>) {
    match core.split_once(" (") {
        Some((version, place)) => (version, Some(place.trim_end_matches(')'))),
        None => (core, None),
    }
}

/// The requirement that any compatible version meets.
fn compatible(version: &str) -> String {
    version.split('.').take(2).collect::<Vec<_>>().join(".")
}

fn short(part: &Part) -> &str {
    part.key.strip_prefix("extensions.").unwrap_or(&part.package)
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after).map_or(rest, |(inside, _)| inside))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::Manifest;

    fn dist() -> Distribution {
        let text = "manifest = 1\n[dist]\nname = \"acme\"\nversion = \"1.0.0\"\n[core]\npath = \"../gw\"\n";
        Distribution::of("/home/me/acme".into(), Manifest::parse(text).unwrap())
    }

    fn parts() -> Vec<Part> {
        let part = |key: &str, line, package: &str| Part {
            key: key.to_owned(),
            line,
            package: package.to_owned(),
            source: Source::Path("x".to_owned()),
            features: Vec::new(),
            allow: None,
        };
        vec![
            part("extensions.pii", 14, "acme-pii"),
            part("core.default-extensions", 5, "gatewright-ext-mask"),
        ]
    }

    #[track_caller]
    fn check(said: &str, expected: &str) {
        assert_eq!(resolver(said, &dist(), &parts()), expected);
    }

    /// What cargo says of a second core, which `acme-pii` brings as this kind of dependency.
    fn two_cores(second: &str, dependency: &str) -> String {
        format!(
            "error: failed to select a version for `gatewright-core`.\n    \
             ... required by package `gatewright-ext-mask v0.1.0 (/home/me/gw/extensions/mask)`\n\
             versions that meet the requirements `^0.1.0` are: 0.1.0\n\n\
             package `gatewright-core` links to the native library `gatewright-core`, but it conflicts with a \
             previous package which links to `gatewright-core` as well:\n\
             package `gatewright-core {second}`\n    \
             ... which satisfies {dependency} of package `acme-pii v0.1.0 (/home/me/x)`\n"
        )
    }

    #[test]
    fn another_core_version_names_the_extension_both_versions_and_both_lines() {
        check(
            "error: failed to select a version for the requirement `gatewright-core = \"^0.5\"`\n\
             candidate versions found which didn't match: 0.1.0\n\
             location searched: index\n\
             required by package `acme-pii v0.1.0 (/home/me/acme/extensions/acme-pii)`\n    \
             ... which satisfies path dependency `acme-pii` of package `acme v1.0.0 (/home/me/acme)`\n",
            "gatewright.toml:14, extensions.pii: extension `pii` needs gatewright-core 0.5, this distribution is \
             built on 0.1.0; take a release of the extension for 0.1.0, or move `core` (gatewright.toml:6, core) to \
             a core that fits",
        );
    }

    #[test]
    fn a_core_that_a_dependency_of_the_extension_brings_is_the_extensions() {
        check(
            "error: failed to select a version for the requirement `gatewright-core = \"=0.1.7\"`\n\
             candidate versions found which didn't match: 0.1.0\n\
             required by package `acme-shared v0.1.0 (/srv/shared)`\n    \
             ... which satisfies path dependency `acme-shared` of package `acme-pii v0.1.0 (/home/me/x)`\n",
            "gatewright.toml:14, extensions.pii: extension `pii` needs gatewright-core =0.1.7, this distribution is \
             built on 0.1.0; take a release of the extension for 0.1.0, or move `core` (gatewright.toml:6, core) to \
             a core that fits",
        );
    }

    #[test]
    fn a_second_copy_by_path_names_the_place_and_the_remedy() {
        check(
            &two_cores("v0.1.0 (/home/me/gw2/crates/core)", "path dependency `gatewright-core`"),
            "gatewright.toml:14, extensions.pii: extension `pii` brings a second copy of gatewright-core, from \
             /home/me/gw2/crates/core; with two copies its registration would not be seen. In the extension's \
             Cargo.toml write `gatewright-core = \"0.1\"`, without path or git: the build puts the core of \
             gatewright.toml:6, core in its place",
        );
    }

    #[test]
    fn a_published_core_of_another_version_is_a_mismatch() {
        check(
            &two_cores("v0.5.2", "dependency `gatewright-core = \"^0.5\"`"),
            "gatewright.toml:14, extensions.pii: extension `pii` needs gatewright-core 0.5.2, this distribution is \
             built on 0.1.0; take a release of the extension for 0.1.0, or move `core` (gatewright.toml:6, core) to \
             a core that fits",
        );
    }

    #[test]
    fn a_stale_lock_and_the_unknown_are_told() {
        check(
            "error: cannot update the lock file /x/Cargo.lock because --locked was passed to prevent this",
            "gatewright.lock does not fit gatewright.toml, and this build may not change it (`--locked`, or CI is \
             set): run `cargo xtask build` on a developer's machine and commit the file",
        );
        check(
            "error: failed to load manifest for dependency `acme-pii`\n",
            "gatewright.toml:14, extensions.pii: this does not resolve; cargo says:\n\
             error: failed to load manifest for dependency `acme-pii`",
        );
    }
}
