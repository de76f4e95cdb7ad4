//! From the checked shape to process settings and a plan.

mod plan;
mod process;
mod provider;

use std::path::{Path, PathBuf};

use gatewright_policy::Plan;

use crate::extensions::ExtensionCatalogue;
use crate::located::Node;
use crate::position::{KeyPath, Source};
use crate::problem::Problems;
use crate::reference::beside;
use crate::settings::Settings;
use crate::shape::Shape;

/// What a configuration is built into.
pub(crate) struct Built {
    pub(crate) settings: Settings,
    pub(crate) plan: Plan,
    /// The files that it depends on, besides the configuration itself and references.
    pub(crate) files: Vec<PathBuf>,
}

/// Builds settings and plan. What cannot be built goes to `problems`, and the result is then not
/// to be used.
pub(crate) fn build(
    shape: Shape,
    root: &Node,
    sources: &[Source],
    (generation, extensions): (u64, &dyn ExtensionCatalogue),
    problems: &mut Problems,
) -> Built {
    let mut builder = Builder { root, sources, extensions, problems, files: Vec::new() };
    let settings = builder.settings(&shape);
    let plan = builder.plan(shape, generation);
    Built { settings, plan, files: builder.files }
}

struct Builder<'a> {
    root: &'a Node,
    sources: &'a [Source],
    extensions: &'a dyn ExtensionCatalogue,
    problems: &'a mut Problems,
    files: Vec<PathBuf>,
}

impl Builder<'_> {
    fn error(&mut self, path: &KeyPath, message: impl Into<String>) {
        self.problems.error(self.root.deepest(path).at, path, message);
    }

    fn warning(&mut self, path: &KeyPath, message: impl Into<String>) {
        self.problems.warning(self.root.deepest(path).at, path, message);
    }

    /// A path of the configuration, from the folder of the file that it stands in.
    fn beside(&self, path: &KeyPath, file: &Path) -> PathBuf {
        beside(self.root.deepest(path).at.path(self.sources), file)
    }

    /// `file:line:column` of a value.
    fn source(&self, path: &KeyPath) -> String {
        self.root.deepest(path).at.display(self.sources)
    }
}
