//! Where the settings of each instance stand, for problems that are found after the tree is gone.

use std::collections::HashMap;

use gatewright::{InstanceId, ProviderName};

use crate::located::{Node, Value};
use crate::position::{KeyPath, Position, Source};
use crate::problem::{Problem, Severity, of_extension};

/// The places of all settings; no values, so no secrets.
#[derive(Debug, Default)]
pub(crate) struct Places {
    instances: HashMap<String, Settings>,
    /// Those of the adapters, by provider.
    adapters: HashMap<String, Settings>,
}

#[derive(Debug)]
struct Settings {
    extension: String,
    path: KeyPath,
    at: Position,
    /// By the path from the settings on, as text.
    below: HashMap<String, Position>,
}

impl Places {
    pub(crate) fn of(root: &Node) -> Self {
        let mut places = Self::default();
        let list = root.get("extensions").map(Node::items).unwrap_or_default();
        for (place, instance) in list.iter().enumerate() {
            let Some(id) = instance.get("id").and_then(Node::text) else { continue };
            let path = KeyPath::root().key("extensions").item(place).key("with");
            places.instances.insert(id.to_owned(), Settings::of(instance, path));
        }
        for provider in root.get("providers").map(Node::entries).unwrap_or_default() {
            let path = KeyPath::root().key("providers").key(&provider.key).key("with");
            places.adapters.insert(provider.key.clone(), Settings::of(&provider.value, path));
        }
        places
    }

    /// A problem of an instance.
    pub(crate) fn of_instance(
        &self,
        sources: &[Source],
        id: &InstanceId,
        (path, message): (&str, &str),
    ) -> Problem {
        problem(self.instances.get(id.as_str()), sources, (path, message))
    }

    /// A problem of a provider's adapter.
    pub(crate) fn of_adapter(
        &self,
        sources: &[Source],
        provider: &ProviderName,
        (path, message): (&str, &str),
    ) -> Problem {
        problem(self.adapters.get(provider.as_str()), sources, (path, message))
    }
}

fn problem(settings: Option<&Settings>, sources: &[Source], (path, message): (&str, &str)) -> Problem {
    let at = settings.map_or(Position::start_of(0), |settings| settings.nearest(path));
    let dot = if path.is_empty() || path.starts_with('[') { "" } else { "." };
    let whole = settings.map(|settings| format!("{}{dot}{path}", settings.path)).unwrap_or_default();
    Problem {
        severity: Severity::Error,
        file: at.path(sources).to_owned(),
        line: at.line,
        column: at.column,
        path: whole,
        message: settings.map_or_else(|| message.to_owned(), |of| of_extension(message, &of.extension)),
    }
}

impl Settings {
    /// The settings of something that uses an extension.
    fn of(user: &Node, path: KeyPath) -> Self {
        let with = user.get("with");
        let mut below = HashMap::new();
        if let Some(with) = with {
            collect(with, &mut KeyPath::root(), &mut below);
        }
        let extension = user.get("use").and_then(Node::text).unwrap_or_default().to_owned();
        Self { extension, path, at: with.map_or(user.at, |with| with.at), below }
    }

    /// The place of a path, or of the nearest value around it.
    fn nearest(&self, path: &str) -> Position {
        let mut path = path;
        loop {
            if let Some(at) = self.below.get(path) {
                return *at;
            }
            let Some(end) = path.rfind(['.', '[']) else { return self.at };
            path = path.get(..end).unwrap_or_default();
        }
    }
}

fn collect(node: &Node, path: &mut KeyPath, below: &mut HashMap<String, Position>) {
    below.insert(path.to_string(), node.at);
    match &node.value {
        Value::Map(entries) => {
            for entry in entries {
                path.push_key(&entry.key);
                collect(&entry.value, path, below);
                path.pop();
            }
        }
        Value::List(items) => {
            for (place, item) in items.iter().enumerate() {
                path.push_item(place);
                collect(item, path, below);
                path.pop();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
    }
}
