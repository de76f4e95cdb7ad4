//! Names that stand twice, and targets whose provider does not exist.

use std::collections::{HashMap, HashSet};

use gatewright::dialect::DIRECT_PREFIX;
use gatewright::point::Point;

use super::{entries, is_open, items};
use crate::extensions::ExtensionCatalogue;
use crate::located::Node;
use crate::nearest::hint;
use crate::problem::Problems;
use crate::schema::can_be_instance;

/// Lists of named things in which a name stands twice.
pub(super) fn repeated(root: &Node, problems: &mut Problems) {
    for (list, key) in [("listeners", "name"), ("extensions", "id"), ("routes", "name")] {
        let mut first: HashMap<&str, usize> = HashMap::new();
        for (path, item) in items(root, list) {
            let Some(node) = item.get(key) else { continue };
            let Some(name) = node.text() else { continue };
            match first.get(name) {
                Some(line) => {
                    let message = format!("the {key} `{name}` stands twice; it is first on line {line}");
                    problems.error(node.at, &path.key(key), message);
                }
                None => {
                    first.insert(name, node.at.line);
                }
            }
        }
    }
}

/// Extensions in the wrong part, targets whose provider is none, providers without a target.
pub(super) fn providers(root: &Node, extensions: &dyn ExtensionCatalogue, problems: &mut Problems) {
    for (path, _, provider) in entries(root, "providers") {
        let Some(node) = provider.get("use") else { continue };
        let Some(name) = node.text() else { continue };
        if extensions.points(name).is_some_and(|points| !points.contains(&Point::ProviderAdapter)) {
            let message = format!("the extension `{name}` is no provider adapter");
            problems.error(node.at, &path.key("use"), message);
        }
    }
    for (path, instance) in items(root, "extensions") {
        let Some(node) = instance.get("use") else { continue };
        let Some(name) = node.text() else { continue };
        if extensions.points(name).is_some_and(|points| !can_be_instance(points)) {
            let message =
                format!("the extension `{name}` is a provider adapter; it belongs under `providers`");
            problems.error(node.at, &path.key("use"), message);
        }
    }
    let known: Vec<&str> = entries(root, "providers").map(|(_, name, _)| name).collect();
    let mut used = HashSet::new();
    for (path, _, model) in entries(root, "models") {
        let targets = model.get("targets").map(Node::items).unwrap_or_default();
        for (place, target) in targets.iter().enumerate() {
            let Some(node) = target.get("provider") else { continue };
            let Some(name) = node.text() else { continue };
            if known.contains(&name) {
                used.insert(name);
            } else {
                let hint = hint(name, known.iter().copied(), "providers");
                let path = path.key("targets").item(place).key("provider");
                problems.error(node.at, &path, format!("there is no provider `{name}`{hint}"));
            }
        }
    }
    for (path, name, model) in entries(root, "models") {
        if name.starts_with(DIRECT_PREFIX) {
            let message = "names that begin with `passthrough/` stand for providers that are called directly";
            problems.error(model.at, &path, message);
        }
    }
    for (path, name, provider) in entries(root, "providers") {
        if !is_open(provider) && !used.contains(name) {
            problems.warning(provider.at, &path, "no model has a target at this provider");
        }
    }
}
