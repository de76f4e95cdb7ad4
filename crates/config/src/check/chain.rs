//! Chains of instances: ids that exist, at points that the extension implements.

use std::collections::{HashMap, HashSet};

use gatewright::point::Point;

use super::items;
use crate::extensions::ExtensionCatalogue;
use crate::located::Node;
use crate::nearest::hint;
use crate::position::KeyPath;
use crate::problem::Problems;

/// The chains of a route and the point of each.
const ROUTE_CHAINS: [(&str, Point, &str); 4] = [
    ("limit", Point::Limiter, "limiter"),
    ("request", Point::RequestTransform, "request transform"),
    ("response", Point::ResponseFilter, "response filter"),
    ("sinks", Point::UsageSink, "usage sink"),
];

/// Checks `authenticate` and the chains of every route.
pub(super) fn chains(root: &Node, extensions: &dyn ExtensionCatalogue, problems: &mut Problems) {
    let instances: HashMap<&str, Option<&str>> = items(root, "extensions")
        .filter_map(|(_, instance)| {
            Some((instance.get("id")?.text()?, instance.get("use").and_then(Node::text)))
        })
        .collect();
    let mut checker = Checker { instances, extensions, problems, used: HashSet::new() };
    let authenticate = KeyPath::root().key("authenticate");
    if let Some(chain) = root.get("authenticate") {
        checker.chain(chain, &authenticate, Point::Authenticator, "authenticator");
    }
    for (path, route) in items(root, "routes") {
        for (key, point, noun) in ROUTE_CHAINS {
            if let Some(chain) = route.get(key) {
                checker.chain(chain, &path.key(key), point, noun);
            }
        }
    }
    let used = checker.used;
    for (path, instance) in items(root, "extensions") {
        let Some(id) = instance.get("id") else { continue };
        if id.text().is_some_and(|id| !used.contains(id)) {
            problems.warning(id.at, &path.key("id"), "no chain names this instance, so that it never runs");
        }
    }
    if root.get("authenticate").is_none_or(|chain| chain.items().is_empty()) {
        let at = root.get("authenticate").map_or(root.at, |node| node.at);
        let message = "no instance can accept a caller: every request gets a 401";
        problems.warning(at, &authenticate, message);
    }
}

struct Checker<'a, 'p> {
    /// The extension of each instance.
    instances: HashMap<&'a str, Option<&'a str>>,
    extensions: &'p dyn ExtensionCatalogue,
    problems: &'p mut Problems,
    used: HashSet<&'a str>,
}

impl<'a> Checker<'a, '_> {
    fn chain(&mut self, chain: &'a Node, path: &KeyPath, point: Point, noun: &str) {
        let mut here = HashSet::new();
        for (place, item) in chain.items().iter().enumerate() {
            let path = path.item(place);
            let Some(id) = item.text() else { continue };
            let Some(extension) = self.instances.get(id) else {
                let mut ids: Vec<&str> = self.instances.keys().copied().collect();
                ids.sort_unstable();
                let hint = hint(id, ids.iter().copied(), "instances");
                self.problems.error(item.at, &path, format!("there is no instance `{id}`{hint}"));
                continue;
            };
            let points = extension.and_then(|name| self.extensions.points(name));
            if points.is_some_and(|points| !points.contains(&point)) {
                let extension = extension.unwrap_or_default();
                let message = format!("`{id}` cannot stand here: the extension `{extension}` is no {noun}");
                self.problems.error(item.at, &path, message);
            }
            self.used.insert(id);
            if !here.insert(id) {
                self.problems.warning(item.at, &path, format!("`{id}` stands in this chain twice"));
            }
        }
    }
}
