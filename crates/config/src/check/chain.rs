//! Chains of instances: ids that exist, at points that the extension implements.

use std::collections::{HashMap, HashSet};

use gatewright::point::Point;

use super::{entries, items};
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

/// The chains of a route in the order in which values pass from one to the other; limits that read values are
/// asked after the transforms.
const ORDER: [&str; 4] = ["request", "limit", "response", "sinks"];

/// The chains of the whole process.
const PROCESS_CHAINS: [(&str, Point, &str); 2] =
    [("authenticate", Point::Authenticator, "authenticator"), ("audit", Point::AuditSink, "audit sink")];

/// Places for one instance: the part, the key in each of its entries, and the point.
const SINGLES: [(&str, &str, Point, &str); 3] = [
    ("providers", "credential", Point::CredentialProvider, "credential provider"),
    ("models", "picker", Point::TargetPicker, "target picker"),
    ("models", "estimator", Point::TokenEstimator, "token estimator"),
];

/// Checks every place that names an instance: the chains of the process and of each route, and what providers
/// and models name.
pub(super) fn chains(root: &Node, extensions: &dyn ExtensionCatalogue, problems: &mut Problems) {
    let instances: HashMap<&str, Option<&str>> = items(root, "extensions")
        .filter_map(|(_, instance)| {
            Some((instance.get("id")?.text()?, instance.get("use").and_then(Node::text)))
        })
        .collect();
    let mut checker = Checker { instances, extensions, problems, used: HashSet::new() };
    let authenticate = KeyPath::root().key("authenticate");
    for (key, point, noun) in PROCESS_CHAINS {
        if let Some(chain) = root.get(key) {
            checker.chain(chain, &KeyPath::root().key(key), point, noun);
        }
    }
    for (part, key, point, noun) in SINGLES {
        for (path, _, item) in entries(root, part) {
            if let Some(node) = item.get(key) {
                checker.place(node, &path.key(key), point, noun);
            }
        }
    }
    for (path, route) in items(root, "routes") {
        for (key, point, noun) in ROUTE_CHAINS {
            if let Some(chain) = route.get(key) {
                checker.chain(chain, &path.key(key), point, noun);
            }
        }
        checker.needs(root, &path, route);
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
            if let Some(id) = self.place(item, &path, point, noun)
                && !here.insert(id)
            {
                self.problems.warning(item.at, &path, format!("`{id}` stands in this chain twice"));
            }
        }
    }

    /// Checks a place that names an instance; returns the id of one that exists.
    fn place(&mut self, item: &'a Node, path: &KeyPath, point: Point, noun: &str) -> Option<&'a str> {
        let id = item.text()?;
        let Some(extension) = self.instances.get(id) else {
            let mut ids: Vec<&str> = self.instances.keys().copied().collect();
            ids.sort_unstable();
            let hint = hint(id, ids.iter().copied(), "instances");
            self.problems.error(item.at, path, format!("there is no instance `{id}`{hint}"));
            return None;
        };
        let points = extension.and_then(|name| self.extensions.points(name));
        if points.is_some_and(|points| !points.contains(&point)) {
            let extension = extension.unwrap_or_default();
            let message = format!("`{id}` cannot stand here: the extension `{extension}` is no {noun}");
            self.problems.error(item.at, path, message);
        }
        self.used.insert(id);
        Some(id)
    }

    /// Whoever reads a value of another extension has to stand behind one that stores it.
    fn needs(&mut self, root: &'a Node, path: &KeyPath, route: &'a Node) {
        let mut provided: HashSet<&str> = HashSet::new();
        let chains = [root.get("authenticate")].into_iter().chain(ORDER.map(|key| route.get(key)));
        for (key, chain) in ["authenticate"].into_iter().chain(ORDER).zip(chains) {
            for (place, item) in chain.map(Node::items).unwrap_or_default().iter().enumerate() {
                let extension = item.text().and_then(|id| *self.instances.get(id)?);
                let (Some(id), Some(extension)) = (item.text(), extension) else { continue };
                let missing = self.extensions.needs(extension).iter().find(|need| !provided.contains(**need));
                if let Some(need) = missing {
                    let message = self.missing(id, extension, need);
                    self.problems.error(item.at, &path.key(key).item(place), message);
                }
                provided.extend(self.extensions.provides(extension));
            }
        }
    }

    fn missing(&self, id: &str, extension: &str, need: &str) -> String {
        let names = self.extensions.names();
        let providers: Vec<String> = names
            .iter()
            .filter(|name| self.extensions.provides(name).contains(&need))
            .map(|name| format!("`{name}`"))
            .collect();
        let remedy = match providers.as_slice() {
            [] => "no linked extension provides it; add one to the build".to_owned(),
            some => format!("put an instance of {} before it", some.join(" or ")),
        };
        format!(
            "`{id}` reads the value `{need}` that nothing before it stores (`{extension}` needs it); {remedy}"
        )
    }
}
