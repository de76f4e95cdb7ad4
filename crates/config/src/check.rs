//! What no schema can say: names that must exist, things that cannot be together, and what is
//! probably not as it was meant.
//!
//! The checks read the located tree and pass over what has the wrong shape, so that they find
//! their problems even where the schema is violated elsewhere.

mod chain;
mod name;
mod network;
mod route;
mod settings;

use crate::extensions::ExtensionCatalogue;
use crate::located::{Node, Value};
use crate::position::KeyPath;
use crate::problem::Problems;

pub(crate) use self::network::header;
pub(crate) use self::settings::settings;

/// Names: repeated ones, and those that nothing has.
pub(crate) fn names(root: &Node, extensions: &dyn ExtensionCatalogue, problems: &mut Problems) {
    name::repeated(root, problems);
    name::providers(root, extensions, problems);
    chain::chains(root, extensions, problems);
}

/// Combinations that cannot work, or hardly can.
pub(crate) fn sense(root: &Node, problems: &mut Problems) {
    network::listeners(root, problems);
    network::providers(root, problems);
    network::egress(root, problems);
    route::routes(root, problems);
    route::models(root, problems);
}

/// Whether callers may call a provider directly.
fn is_open(provider: &Node) -> bool {
    provider.get("passthrough").is_some_and(|node| matches!(node.value, Value::Bool(true)))
}

/// The items of a list under a key of the root, with their paths.
fn items<'a>(root: &'a Node, key: &str) -> impl Iterator<Item = (KeyPath, &'a Node)> + use<'a> {
    let path = KeyPath::root().key(key);
    let list = root.get(key).map(Node::items).unwrap_or_default();
    list.iter().enumerate().map(move |(place, item)| (path.item(place), item))
}

/// The entries of a map under a key of the root, with their paths.
fn entries<'a>(root: &'a Node, key: &str) -> impl Iterator<Item = (KeyPath, &'a str, &'a Node)> + use<'a> {
    let path = KeyPath::root().key(key);
    let map = root.get(key).map(Node::entries).unwrap_or_default();
    map.iter().map(move |entry| (path.key(&entry.key), &*entry.key, &entry.value))
}
