//! Links between the pages of the repository lead somewhere: the file is there, and so is the heading.
//!
//! Addresses on the network are not asked.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::tidy::Finding;
use crate::workspace::Workspace;

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut found = Vec::new();
    for page in &workspace.pages {
        let Ok(text) = workspace.read(page) else { continue };
        for (number, target) in targets(&text) {
            if let Some(message) = dead(workspace, page, &target) {
                found.push(Finding::new(page, number, message));
            }
        }
    }
    found
}

/// The targets of the links of a page, with their lines; those in code are no links.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let line = without_code(line);
        if let Some((label, target)) = line.trim_start().split_once("]: ")
            && label.starts_with('[')
        {
            found.push((number, target.trim().to_owned()));
        }
        for (at, _) in line.match_indices("](") {
            let inside = line.get(at + 2..).unwrap_or_default();
            if let Some((target, _)) = inside.split_once(')') {
                let target = target.split_whitespace().next().unwrap_or_default();
                found.push((number, target.trim_matches(['<', '>']).to_owned()));
            }
        }
    }
    found
}

/// The lines outside fenced code, with their numbers from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        !fenced && !is_fence
    })
}

fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

/// Why a link leads nowhere; none where it is fine or leaves the repository.
fn dead(workspace: &Workspace, page: &Path, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = if path.is_empty() { page.to_owned() } else { resolve(page, path)? };
    if !workspace.root.join(&file).exists() {
        return Some(format!("`{target}` leads nowhere: {} is not there", file.display()));
    }
    let is_page = file.extension().is_some_and(|extension| extension == "md");
    if anchor.is_empty() || !is_page {
        return None;
    }
    let headings = headings(&workspace.read(&file).unwrap_or_default());
    (!headings.contains(anchor))
        .then(|| format!("`{target}` leads nowhere: {} has no such heading", file.display()))
}

/// The target relative to the root, without `.` and `..`.
fn resolve(page: &Path, target: &str) -> Option<PathBuf> {
    let mut path = page.parent()?.to_owned();
    for part in Path::new(target).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::ParentDir => {
                path.pop();
            }
            Component::RootDir => path = PathBuf::new(),
            Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Some(path)
}

/// The anchors of a page's headings, as the usual renderers make them.
fn headings(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, line) in prose(text).filter(|(_, line)| line.starts_with('#')) {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let anchor: String = title
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let again = (1..).map(|n| format!("{anchor}-{n}")).find(|again| !found.contains(again));
        if !found.insert(anchor) {
            found.extend(again);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::said_of;

    #[test]
    fn links_lead_to_files_and_headings_that_are_there() {
        let cases = [
            ("[a](docs/b.md)", true),
            ("[a](docs/b.md#second-part-of-it)", true),
            ("[a](docs/b.md#third)", false),
            ("[a](#own)", true),
            ("[a](docs/c.md)", false),
            ("[a](docs/../docs/b.md \"title\")", true),
            ("[a](docs)", true),
            ("[a](https://example.com/x)", true),
            ("`[a](docs/c.md)`", true),
            ("```\n[a](docs/c.md)\n```", true),
            ("[a][b]\n\n[b]: docs/c.md", false),
        ];
        for (text, good) in cases {
            let page = format!("# Own\n\n{text}\n");
            let found = said_of(
                check,
                &[
                    ("Cargo.toml", "[workspace]\nmembers = []\n"),
                    ("README.md", &page),
                    ("docs/b.md", "# B\n\n## Second part, of `it`\n\n[up](../README.md)\n"),
                ],
            );
            assert_eq!(found.is_empty(), good, "{text}: {found:?}");
        }
    }
}
