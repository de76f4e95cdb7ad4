//! The settings of extensions, against the schema of each.

use crate::extensions::ExtensionCatalogue;
use crate::located::{Entry, Node, Value};
use crate::nearest::hint;
use crate::position::KeyPath;
use crate::problem::Problems;
use crate::walk::walk;

/// Checks every `use` and the `with` beside it.
pub(crate) fn settings(root: &mut Node, extensions: &dyn ExtensionCatalogue, problems: &mut Problems) {
    let mut checker = Checker { extensions, problems };
    let Value::Map(parts) = &mut root.value else { return };
    for part in parts {
        let path = KeyPath::root().key(&part.key);
        match (&*part.key, &mut part.value.value) {
            ("extensions", Value::List(items)) => {
                for (place, item) in items.iter_mut().enumerate() {
                    checker.user(item, &path.item(place));
                }
            }
            ("providers", Value::Map(entries)) => {
                for entry in entries {
                    checker.user(&mut entry.value, &path.key(&entry.key));
                }
            }
            _ => {}
        }
    }
}

struct Checker<'a> {
    extensions: &'a dyn ExtensionCatalogue,
    problems: &'a mut Problems,
}

impl Checker<'_> {
    /// Something that uses an extension.
    fn user(&mut self, user: &mut Node, path: &KeyPath) {
        let Some(name) = user.get("use").and_then(Node::text).map(str::to_owned) else { return };
        let Some(schema) = self.extensions.schema(&name) else {
            let at = user.get("use").map_or(user.at, |node| node.at);
            let names = self.extensions.names();
            let hint = hint(&name, names.iter().copied(), "linked extensions");
            self.problems.error(
                at,
                &path.key("use"),
                format!("no extension `{name}` is linked into this binary{hint}"),
            );
            return;
        };
        let at = user.at;
        let Value::Map(entries) = &mut user.value else { return };
        let path = path.key("with");
        self.problems.about(Some(&name));
        match entries.iter_mut().find(|entry| entry.key == "with") {
            Some(Entry { value, .. }) if value.value != Value::Null => {
                walk(&schema, value, &path, self.problems);
            }
            // Absent settings are empty ones: whatever they miss is reported at the user.
            _ => walk(&schema, &mut Node::new(at, Value::Map(Vec::new())), &path, self.problems),
        }
        self.problems.about(None);
    }
}
