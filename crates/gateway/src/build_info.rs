//! What the build tool told the binary of itself: one line of JSON with versions, sources and digests.

use serde_json::Value;

use crate::Build;

/// The line, read. Empty for a plain `cargo build`.
#[derive(Clone, Debug, Default)]
pub(crate) struct BuildInfo(Option<Value>);

/// Where the sources of a package come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// A folder, a repository or a registry.
    pub(crate) source: Option<String>,
    /// What tells one content from another.
    pub(crate) digest: Option<String>,
}

impl BuildInfo {
    /// Reads the line of a build. One that is no JSON counts as absent: it is told, never acted upon.
    pub(crate) fn of(build: &Build) -> Self {
        Self(build.info.and_then(|line| serde_json::from_str(line).ok()))
    }

    /// Everything that is known.
    pub(crate) fn as_json(&self) -> Option<&Value> {
        self.0.as_ref()
    }

    /// What is known of a package.
    pub(crate) fn origin(&self, package: &str) -> Origin {
        let extensions = self.0.as_ref().and_then(|info| info.get("extensions")?.as_array());
        let entry = extensions.into_iter().flatten().find(|entry| entry["package"] == package);
        let text = |key: &str| entry.and_then(|entry| entry.get(key)?.as_str()).map(str::to_owned);
        Origin { source: text("source"), digest: text("digest") }
    }
}

#[cfg(test)]
mod tests {
    use super::{BuildInfo, Origin};
    use crate::Build;

    fn info(line: Option<&'static str>) -> BuildInfo {
        let expected = &[];
        BuildInfo::of(&Build { name: "acme", version: "1.0.0", expected, allow_unlisted: true, info: line })
    }

    #[test]
    fn a_package_has_the_origin_that_the_build_wrote_down() {
        let line = r#"{"extensions":[{"package":"acme-one","source":"path one","digest":"sha256:1"},{"package":"acme-two","source":"registry acme","digest":null}]}"#;
        let known = info(Some(line));
        let origin = |source: &str, digest: Option<&str>| Origin {
            source: Some(source.to_owned()),
            digest: digest.map(str::to_owned),
        };
        assert_eq!(known.origin("acme-one"), origin("path one", Some("sha256:1")));
        assert_eq!(known.origin("acme-two"), origin("registry acme", None));
        assert_eq!(known.origin("acme-three"), Origin::default());
    }

    #[test]
    fn without_a_line_or_with_a_broken_one_nothing_is_known() {
        for line in [None, Some("{"), Some("7")] {
            assert_eq!(info(line).origin("acme-one"), Origin::default(), "{line:?}");
        }
    }
}
