//! The papers that a repository owes its readers are there, and their generated parts are fresh.

use super::graph;
use crate::marked;
use crate::tidy::Finding;
use crate::workspace::Workspace;

const PAPERS: [&str; 7] =
    ["README.md", "ARCHITECTURE.md", "STYLE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "LICENSE"];

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut found: Vec<Finding> = PAPERS
        .iter()
        .filter(|paper| !workspace.root.join(paper).is_file())
        .map(|paper| Finding::new(paper, 0, "write this page: the repository owes it to its readers"))
        .collect();
    found.extend(stale_picture(workspace));
    found
}

fn stale_picture(workspace: &Workspace) -> Option<Finding> {
    let text = workspace.read(graph::PAGE).ok()?;
    let advice = match marked::find(&text, graph::MARK) {
        Some(shown) if shown == graph::markdown().trim_matches('\n') => return None,
        Some(_) => "the picture of the layers is stale: run `cargo xtask graph --write`".to_owned(),
        None => format!(
            "give the layers a place, `<!-- {0}:begin -->` and `<!-- {0}:end -->`, and run `cargo xtask graph --write`",
            graph::MARK
        ),
    };
    Some(Finding::new(graph::PAGE, 0, advice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::said_of;

    fn said(architecture: &str) -> Vec<String> {
        let mut files =
            vec![("Cargo.toml", "[workspace]\nmembers = []\n"), ("ARCHITECTURE.md", architecture)];
        files
            .extend(PAPERS.iter().filter(|paper| **paper != "ARCHITECTURE.md").map(|paper| (*paper, "text")));
        said_of(check, &files)
    }

    #[test]
    fn the_picture_of_the_layers_is_fresh() {
        let fresh =
            marked::replace("<!-- layers:begin --><!-- layers:end -->", graph::MARK, &graph::markdown())
                .unwrap();
        assert_eq!(said(&fresh), [""; 0]);
        let stale = said(&fresh.replace("| wire | core |", "| wire | core, store |"));
        assert!(matches!(stale.as_slice(), [one] if one.contains("is stale")), "{stale:?}");
        let absent = said("# Architecture\n");
        assert!(matches!(absent.as_slice(), [one] if one.contains("give the layers a place")), "{absent:?}");
    }

    #[test]
    fn names_each_paper_that_is_not_written() {
        let found = said_of(check, &[("Cargo.toml", "[workspace]\nmembers = []\n")]);
        assert_eq!(found.len(), PAPERS.len(), "{found:?}");
    }
}
