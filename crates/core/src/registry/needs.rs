//! Values that extensions hand to each other, and circles among them.

use std::collections::BTreeSet;

use super::{Expected, Registration, Registry, listed_in};

/// The names along a circle of needs, each with the place where its package is listed; `None` where there is none.
pub(super) fn cycle(registry: &Registry, expected: &[Expected]) -> Option<String> {
    let mut search = Search { registry, expected, path: Vec::new(), settled: BTreeSet::new() };
    registry.iter().find_map(|start| search.visit(start))
}

/// A search in depth that visits each extension once.
struct Search<'r> {
    registry: &'r Registry,
    expected: &'r [Expected],
    path: Vec<&'static Registration>,
    settled: BTreeSet<&'static str>,
}

impl Search<'_> {
    fn visit(&mut self, next: &'static Registration) -> Option<String> {
        if let Some(begin) = self.path.iter().position(|known| known.name == next.name) {
            let circle = self.path.iter().skip(begin).chain([&next]);
            let named = |known: &&'static Registration| {
                format!("`{}`{}", known.name, listed_in(self.expected, known.package))
            };
            return Some(circle.map(named).collect::<Vec<_>>().join(" → "));
        }
        if !self.settled.insert(next.name) {
            return None;
        }
        self.path.push(next);
        let needed: Vec<_> = self
            .registry
            .iter()
            .filter(|other| next.needs.iter().any(|need| other.provides.contains(need)))
            .collect();
        let found = needed.into_iter().find_map(|other| self.visit(other));
        self.path.pop();
        found
    }
}
