//! Several files as one: a later file adds to and overrides an earlier one.

use super::{Node, Value};

/// Lays `over` on `base`: maps merge key by key, lists of named things by their `id` or `name`,
/// and everything else replaces. Every value keeps the place it came from.
pub(crate) fn merge(base: &mut Node, over: Node) {
    match (&mut base.value, over.value) {
        (Value::Map(entries), Value::Map(later)) => {
            for entry in later {
                match entries.iter_mut().find(|own| own.key == entry.key) {
                    Some(own) => merge(&mut own.value, entry.value),
                    None => entries.push(entry),
                }
            }
        }
        (Value::List(items), Value::List(later)) => match naming_key(items, &later) {
            Some(key) => {
                for item in later {
                    let name = item.get(key).and_then(Node::text);
                    match items.iter_mut().find(|own| own.get(key).and_then(Node::text) == name) {
                        Some(own) => merge(own, item),
                        None => items.push(item),
                    }
                }
            }
            None => *base = Node::new(over.at, Value::List(later)),
        },
        (_, value) => *base = Node::new(over.at, value),
    }
}

/// The key that names the items of both lists, where all of them have it. An empty list names
/// nothing and so replaces.
fn naming_key(items: &[Node], later: &[Node]) -> Option<&'static str> {
    ["id", "name"].into_iter().find(|key| {
        let named = |items: &[Node]| {
            !items.is_empty() && items.iter().all(|item| item.get(key).and_then(Node::text).is_some())
        };
        named(items) && named(later)
    })
}
