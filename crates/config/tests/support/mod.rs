//! A catalogue of extensions for the tests: one for each point, with settings of all shapes.

#![allow(dead_code, clippy::allow_attributes, reason = "each test binary uses a part of this")]
#![allow(clippy::unwrap_used, reason = "a case that cannot be read fails its test")]

use std::path::PathBuf;

use gatewright::Secret;
use gatewright::point::Point;
use gatewright_config::{ConfigErrors, Environment, ExtensionCatalogue, Inputs, Loaded, load};
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use serde_json::Value;

/// The environment of the corpus.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TestEnvironment;

impl Environment for TestEnvironment {
    fn variable(&self, name: &str) -> Option<String> {
        let variables = [("KEY", "sk-canary-1"), ("SEVEN", "7"), ("PORT", "8123"), ("LINES", "one\ntwo")];
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    /// The keys.
    #[schemars(length(min = 1))]
    keys: Vec<Key>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Key {
    key: Secret,
    tenant: String,
    user: Option<String>,
    #[serde(default)]
    models: Vec<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    #[schemars(range(min = 1))]
    requests_per_minute: u32,
    concurrent: Option<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mask {
    rules: Vec<Rule>,
    #[serde(default)]
    on_match: OnMatch,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Rule {
    Pattern { pattern: String, replace: Option<String> },
    Words { words: Vec<String> },
}

#[derive(Debug, Default, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OnMatch {
    #[default]
    Replace,
    Cut,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Empty {}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Versioned {
    version: String,
}

/// Whether a value decodes as the settings of an extension.
type Decodes = fn(Value) -> bool;

fn decodes<T: for<'de> Deserialize<'de>>(value: Value) -> bool {
    serde_json::from_value::<T>(value).is_ok()
}

/// The linked extensions.
#[derive(Debug)]
pub(crate) struct Catalogue(Vec<(&'static str, Point, Value, Decodes)>);

impl Catalogue {
    pub(crate) fn new() -> Self {
        Self(vec![
            ("classify", Point::RequestTransform, schema_for!(Empty).to_value(), decodes::<Empty>),
            ("cheapest", Point::TargetPicker, schema_for!(Empty).to_value(), decodes::<Empty>),
            ("count", Point::TokenEstimator, schema_for!(Empty).to_value(), decodes::<Empty>),
            ("enrich", Point::RequestTransform, schema_for!(Empty).to_value(), decodes::<Empty>),
            ("journal", Point::AuditSink, schema_for!(Empty).to_value(), decodes::<Empty>),
            ("lonely", Point::RequestTransform, schema_for!(Empty).to_value(), decodes::<Empty>),
            ("limits", Point::Limiter, schema_for!(Limits).to_value(), decodes::<Limits>),
            ("mask", Point::ResponseFilter, schema_for!(Mask).to_value(), decodes::<Mask>),
            ("report", Point::UsageSink, schema_for!(Empty).to_value(), decodes::<Empty>),
            ("route-by-class", Point::ResponseFilter, schema_for!(Empty).to_value(), decodes::<Empty>),
            ("static-keys", Point::Authenticator, schema_for!(Keys).to_value(), decodes::<Keys>),
            ("vault", Point::CredentialProvider, schema_for!(Empty).to_value(), decodes::<Empty>),
            ("wire", Point::ProviderAdapter, schema_for!(Empty).to_value(), decodes::<Empty>),
            (
                "wire-versioned",
                Point::ProviderAdapter,
                schema_for!(Versioned).to_value(),
                decodes::<Versioned>,
            ),
        ])
    }

    /// Whether settings decode as those of an extension.
    pub(crate) fn decodes(&self, name: &str, settings: Value) -> bool {
        self.find(name).is_some_and(|(.., decodes)| decodes(settings))
    }

    fn find(&self, name: &str) -> Option<&(&'static str, Point, Value, Decodes)> {
        self.0.iter().find(|(known, ..)| *known == name)
    }
}

impl ExtensionCatalogue for Catalogue {
    fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, ..)| *name).collect()
    }

    fn schema(&self, name: &str) -> Option<Value> {
        self.find(name).map(|(_, _, schema, _)| schema.clone())
    }

    fn points(&self, name: &str) -> Option<&[Point]> {
        self.find(name).map(|(_, point, ..)| std::slice::from_ref(point))
    }

    fn provides(&self, name: &str) -> &[&'static str] {
        if name == "classify" { &["acme.class"] } else { &[] }
    }

    fn needs(&self, name: &str) -> &[&'static str] {
        match name {
            "route-by-class" => &["acme.class"],
            "lonely" => &["acme.nobody-has-it"],
            _ => &[],
        }
    }
}

/// Loads files against the test catalogue and environment.
pub(crate) fn load_files(files: &[PathBuf]) -> Result<Loaded, ConfigErrors> {
    load(files, &Inputs { environment: &TestEnvironment, extensions: &Catalogue::new(), generation: 1 })
}

/// The files of a case of the corpus: it is laid over `base.yaml` unless it begins with `# alone`.
pub(crate) fn case_files(case: PathBuf) -> Vec<PathBuf> {
    let alone = std::fs::read(&case).unwrap().starts_with(b"# alone");
    if alone { vec![case] } else { vec![PathBuf::from("tests/base.yaml"), case] }
}

/// The cases of a folder, sorted by name.
pub(crate) fn cases(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|kind| kind == "yaml")).collect();
    cases.sort();
    cases
}
