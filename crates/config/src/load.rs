//! From files to a plan: read, merge, resolve references, check, build. Everything that is wrong
//! is found in one go.

use std::path::{Path, PathBuf};

use gatewright::{InstanceId, ProviderName};
use gatewright_policy::Plan;

use crate::extensions::ExtensionCatalogue;
use crate::located::{Node, Value, merge, parse};
use crate::place::Places;
use crate::position::{KeyPath, Source};
use crate::problem::{ConfigErrors, Problem, Problems};
use crate::reference::{Environment, resolve};
use crate::settings::Settings;
use crate::{build, check, decode, schema, walk};

/// What a configuration is read against.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// Where `${env:NAME}` looks.
    pub environment: &'a dyn Environment,
    /// The extensions that it may name.
    pub extensions: &'a dyn ExtensionCatalogue,
    /// The number of the plan to build.
    pub generation: u64,
}

impl std::fmt::Debug for Inputs<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inputs").field("generation", &self.generation).finish_non_exhaustive()
    }
}

/// A configuration that can be used.
#[derive(Debug)]
pub struct Loaded {
    /// What holds from the start of the process to its end.
    pub settings: Settings,
    /// What exchanges are served by.
    pub plan: Plan,
    /// What is probably not as it was meant, sorted by place.
    pub warnings: Vec<Problem>,
    /// The texts it was read from, for [`LastGood`](crate::LastGood).
    pub sources: Vec<Source>,
    /// Every file that it depends on: its own, those behind references, certificates.
    pub files: Vec<PathBuf>,
    places: Places,
}

impl Loaded {
    /// The problem that an extension found in its settings when its instance was built, at its
    /// place in the configuration. `path` starts at the settings, for example `rules[2].pattern`.
    #[must_use]
    pub fn settings_problem(&self, instance: &InstanceId, path: &str, message: &str) -> Problem {
        self.places.of_instance(&self.sources, instance, (path, message))
    }

    /// The same for the adapter of a provider.
    #[must_use]
    pub fn adapter_problem(&self, provider: &ProviderName, path: &str, message: &str) -> Problem {
        self.places.of_adapter(&self.sources, provider, (path, message))
    }
}

/// Reads the configuration from files; later ones add to and override earlier ones.
///
/// # Errors
///
/// Everything that is wrong, in all files.
pub fn load(files: &[PathBuf], inputs: &Inputs<'_>) -> Result<Loaded, ConfigErrors> {
    let mut sources = Vec::new();
    let mut problems = Vec::new();
    for path in files {
        match read(path) {
            Ok(text) => sources.push(Source { path: path.clone(), text }),
            Err(message) => problems.push(ConfigErrors::unreadable(path.clone(), message)),
        }
    }
    if problems.is_empty() { load_sources(sources, inputs) } else { Err(ConfigErrors::new(problems)) }
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read the file: {error}"))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("the file is not UTF-8 text: byte {at} begins no character")
    })
}

/// Reads the configuration from texts, as [`load`] does from files.
///
/// # Errors
///
/// Everything that is wrong, in all texts.
pub fn load_sources(sources: Vec<Source>, inputs: &Inputs<'_>) -> Result<Loaded, ConfigErrors> {
    let mut problems = Problems::default();
    let Some(mut root) = parse_all(&sources, &mut problems) else {
        return Err(ConfigErrors::new(problems.into_sorted(&sources)));
    };
    let referenced = resolve(&mut root, &sources, inputs.environment, &mut problems);
    let schema = schema::of_shape();
    walk::walk(&schema, &mut root, &KeyPath::root(), &mut problems);
    check::settings(&mut root, inputs.extensions, &mut problems);
    check::names(&root, inputs.extensions, &mut problems);
    check::sense(&root, &mut problems);
    let built =
        (!problems.has_errors()).then(|| decode::decode(&root, &mut problems)).flatten().map(|shape| {
            build::build(shape, &root, &sources, (inputs.generation, inputs.extensions), &mut problems)
        });
    let places = Places::of(&root);
    let has_errors = problems.has_errors();
    let problems = problems.into_sorted(&sources);
    match built {
        Some(built) if !has_errors => {
            let own = sources.iter().map(|source| source.path.clone());
            let mut files: Vec<_> = own.chain(referenced).chain(built.files).collect();
            files.sort();
            files.dedup();
            Ok(Loaded {
                settings: built.settings,
                plan: built.plan,
                warnings: problems,
                sources,
                files,
                places,
            })
        }
        _ => Err(ConfigErrors::new(problems)),
    }
}

/// The merged tree, or `None` where a text is not YAML.
fn parse_all(sources: &[Source], problems: &mut Problems) -> Option<Node> {
    let trees: Vec<Option<Node>> =
        sources.iter().enumerate().map(|(file, source)| parse(&source.text, file, problems)).collect();
    let mut merged: Option<Node> = None;
    for tree in trees {
        let tree = tree?;
        if !matches!(tree.value, Value::Map(_)) {
            problems.error(tree.at, &KeyPath::root(), "the configuration is a map of keys and values");
            return None;
        }
        match &mut merged {
            None => merged = Some(tree),
            Some(base) => merge(base, tree),
        }
    }
    merged
}
