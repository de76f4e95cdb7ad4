//! What the configuration may name: the linked extensions, and the schema of their settings.

use gatewright::point::Point;
use gatewright::registry::Registry;
use serde_json::Value;

/// The extensions of this binary.
pub trait ExtensionCatalogue {
    /// Their names, sorted.
    fn names(&self) -> Vec<&str>;

    /// The JSON Schema of an extension's settings; `None` where no extension has the name.
    fn schema(&self, name: &str) -> Option<Value>;

    /// The points that an extension implements; `None` where no extension has the name.
    fn points(&self, name: &str) -> Option<&[Point]>;

    /// The values that an extension stores for others.
    fn provides(&self, name: &str) -> &[&'static str] {
        let _ = name;
        &[]
    }

    /// Where the provider of an adapter is if the configuration does not say.
    fn base_url(&self, name: &str) -> Option<&str> {
        let _ = name;
        None
    }

    /// The values of others that an extension reads.
    fn needs(&self, name: &str) -> &[&'static str] {
        let _ = name;
        &[]
    }
}

impl ExtensionCatalogue for Registry {
    fn names(&self) -> Vec<&str> {
        self.iter().map(|extension| extension.name).collect()
    }

    fn schema(&self, name: &str) -> Option<Value> {
        self.get(name).map(|extension| (extension.schema)())
    }

    fn points(&self, name: &str) -> Option<&[Point]> {
        self.get(name).map(|extension| extension.points)
    }

    fn provides(&self, name: &str) -> &[&'static str] {
        self.get(name).map_or(&[], |extension| extension.provides)
    }

    fn base_url(&self, name: &str) -> Option<&str> {
        self.get(name)?.base_url
    }

    fn needs(&self, name: &str) -> &[&'static str] {
        self.get(name).map_or(&[], |extension| extension.needs)
    }
}
