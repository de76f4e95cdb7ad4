//! The values of one exchange that were masked in its prompt, and the placeholders that stand for them.
//!
//! It lives in the state that this instance has of the exchange, and nowhere else: no log, label or record
//! gets a value, and what is freed is wiped first.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::BuildHasher;

use gatewright::Secret;

use crate::placeholder::placeholder;

/// The most texts of one exchange that look like placeholders and are kept apart from ours.
const FOREIGN_MAX: usize = 10_000;

/// Values and their placeholders.
#[derive(Clone, Default)]
pub(crate) struct Vault {
    entries: Vec<Entry>,
    /// Places in `entries`, by a hash of label and value: the values themselves are stored once.
    by_value: HashMap<u64, Vec<usize>, RandomState>,
    /// Places in `entries`.
    by_placeholder: HashMap<String, usize>,
    /// The highest number of each label.
    numbers: HashMap<String, usize>,
    /// What the caller wrote that looks like a placeholder; none of ours is called so.
    foreign: HashSet<String>,
}

#[derive(Clone)]
struct Entry {
    label: String,
    value: Secret,
    placeholder: String,
}

impl Vault {
    /// Keeps a text of the caller that looks like a placeholder apart.
    pub(crate) fn avoid(&mut self, text: &str) {
        if self.foreign.len() < FOREIGN_MAX && !self.foreign.contains(text) {
            self.foreign.insert(text.to_owned());
        }
    }

    /// The placeholder of a value: the one that it has, or a new one. None over the bound of values, and
    /// where the caller wrote too much that looks like one to be kept apart.
    pub(crate) fn placeholder(&mut self, label: &str, value: &str, values_max: usize) -> Option<&str> {
        let hash = self.by_value.hasher().hash_one((label, value));
        let known = self.by_value.get(&hash).and_then(|places| {
            places
                .iter()
                .copied()
                .find(|place| self.entries.get(*place).is_some_and(|entry| entry.is(label, value)))
        });
        let place = match known {
            Some(place) => place,
            None if self.entries.len() >= values_max || self.foreign.len() >= FOREIGN_MAX => return None,
            None => self.add(label, value, hash),
        };
        self.entries.get(place).map(|entry| entry.placeholder.as_str())
    }

    fn add(&mut self, label: &str, value: &str, hash: u64) -> usize {
        let number = self.numbers.entry(label.to_owned()).or_default();
        let placeholder = loop {
            *number += 1;
            let next = placeholder(label, *number);
            if !self.foreign.contains(&next) {
                break next;
            }
        };
        let place = self.entries.len();
        self.by_value.entry(hash).or_default().push(place);
        self.by_placeholder.insert(placeholder.clone(), place);
        self.entries.push(Entry {
            label: label.to_owned(),
            value: Secret::new(value.to_owned()),
            placeholder,
        });
        place
    }

    /// The value that a placeholder stands for.
    pub(crate) fn value(&self, placeholder: &str) -> Option<&Secret> {
        self.by_placeholder
            .get(placeholder)
            .and_then(|place| self.entries.get(*place))
            .map(|entry| &entry.value)
    }
}

impl Entry {
    fn is(&self, label: &str, value: &str) -> bool {
        self.label == label && self.value.expose() == value
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("values", &self.entries.len()).finish_non_exhaustive()
    }
}
