//! Routes that no request reaches, and models that hardly anybody gets.

use gatewright::dialect::Direct;
use gatewright_policy::{Pattern, RouteMatch};

use super::{entries, is_open, items};
use crate::located::{Node, Value};
use crate::nearest::nearest;
use crate::position::KeyPath;
use crate::problem::Problems;

/// Unreachable routes and patterns that match nothing there is.
pub(super) fn routes(root: &Node, problems: &mut Problems) {
    let directs: Vec<String> = entries(root, "providers")
        .filter(|(_, _, provider)| is_open(provider))
        .map(|(_, name, _)| Direct::model(name))
        .collect();
    let models = entries(root, "models").map(|(_, name, _)| name);
    let models: Vec<&str> = models.chain(directs.iter().map(String::as_str)).collect();
    let tenants: Vec<&str> = entries(root, "tenants").map(|(_, name, _)| name).collect();
    let mut earlier: Vec<(RouteMatch, &str)> = Vec::new();
    for (path, route) in items(root, "routes") {
        let pattern = |key: &str| route.get("match").and_then(|part| part.get(key)).and_then(Node::text);
        let matcher = RouteMatch {
            path: Pattern::new(pattern("path").unwrap_or("*")),
            tenant: Pattern::new(pattern("tenant").unwrap_or("*")),
            model: Pattern::new(pattern("model").unwrap_or("*")),
        };
        if let Some((_, first)) = earlier.iter().find(|(other, _)| other.covers(&matcher)) {
            let message = format!("no request reaches this route: the route `{first}` takes them all");
            problems.warning(route.at, &path, message);
        }
        earlier.push((matcher, route.get("name").and_then(Node::text).unwrap_or_default()));
        let Some(part) = route.get("match") else { continue };
        let path = path.key("match");
        if let Some(node) = part.get("path")
            && node.text().is_some_and(|text| !text.starts_with(['/', '*']))
        {
            problems.warning(node.at, &path.key("path"), "no request has such a path: paths begin with `/`");
        }
        if let Some(node) = part.get("model") {
            matches_some_model(node, &path.key("model"), &models, problems);
        }
        if let Some(node) = part.get("tenant") {
            // Tenants need no settings, so that an unknown name is a problem only if it looks like
            // a slip of the hand.
            let name = node.text().unwrap_or_default();
            if !tenants.contains(&name)
                && let Some(near) = nearest(name, tenants.iter().copied())
            {
                let message = format!("no tenant `{name}` has settings; did you mean `{near}`?");
                problems.warning(node.at, &path.key("tenant"), message);
            }
        }
    }
    if earlier.is_empty() {
        let at = root.get("routes").map_or(root.at, |node| node.at);
        problems.warning(at, &KeyPath::root().key("routes"), "there is no route: every request gets a 404");
    }
    for (path, _, tenant) in entries(root, "tenants") {
        let patterns = tenant.get("models").map(Node::items).unwrap_or_default();
        for (place, pattern) in patterns.iter().enumerate() {
            matches_some_model(pattern, &path.key("models").item(place), &models, problems);
        }
    }
}

fn matches_some_model(node: &Node, path: &KeyPath, models: &[&str], problems: &mut Problems) {
    let Some(text) = node.text() else { return };
    let pattern = Pattern::new(text);
    if !pattern.is_any() && !models.iter().any(|model| pattern.matches(model)) {
        let hint = nearest(text, models.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
        problems.warning(node.at, path, format!("no model matches `{text}`{}", hint.unwrap_or_default()));
    }
}

/// Weights that decide nothing.
pub(super) fn models(root: &Node, problems: &mut Problems) {
    for (path, _, model) in entries(root, "models") {
        let weighted = model.get("strategy").and_then(Node::text) == Some("weighted");
        let targets = model.get("targets").map(Node::items).unwrap_or_default();
        let weight = |target: &Node| match target.get("weight").map(|node| &node.value) {
            Some(Value::Number(number)) => number.as_u64() == Some(0),
            _ => false,
        };
        if weighted && !targets.is_empty() && targets.iter().all(weight) {
            let message = "all weights are 0: the first target serves every request";
            problems.warning(model.at, &path.key("targets"), message);
        }
        for (place, target) in targets.iter().enumerate() {
            if let Some(node) = target.get("weight").filter(|_| !weighted) {
                let path = path.key("targets").item(place).key("weight");
                problems.warning(node.at, &path, "weights count only with `strategy: weighted`");
            }
        }
    }
}
