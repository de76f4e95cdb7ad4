//! `anyOf` and `oneOf`: which alternative was meant, so that its problems are the ones reported.

use serde_json::Value as Json;

use super::scalar::{describe, expected};
use super::{Known, Walker, list_of};
use crate::located::{Node, Value};
use crate::problem::Problems;

impl<'a> Walker<'a> {
    pub(super) fn choice(&mut self, choices: &'a [Json], node: &mut Node, known: &mut Known<'a>) {
        if choices.is_empty() {
            return;
        }
        let null = |choice: &&Json| choice.get("type") == Some(&Json::from("null"));
        if node.value == Value::Null && choices.iter().any(|choice| null(&choice)) {
            return;
        }
        if let [choice] = choices.iter().filter(|choice| !null(choice)).collect::<Vec<_>>()[..] {
            return self.part(choice, node, known);
        }
        if let Some(alternatives) = self.constants(choices) {
            if !alternatives.contains(&node.to_json()) {
                self.not_among(&alternatives, node);
            }
            return;
        }
        if let Some((tag, alternatives)) = self.unknown_tag(choices, node) {
            self.path.push_key(tag);
            match node.get(tag) {
                Some(value) => self.not_among(&alternatives, value),
                None => {
                    self.problems.error(
                        node.at,
                        self.path,
                        "the key is missing; it says which kind is meant",
                    );
                }
            }
            self.path.pop();
            known.open = true;
            return;
        }
        let best = choices
            .iter()
            .map(|choice| (self.misfit(choice, node), choice))
            .min_by_key(|(misfit, _)| *misfit);
        match best {
            Some((misfit, choice)) if misfit < WRONG_KIND => self.part(choice, node, known),
            _ => {
                let kinds: Vec<&str> = choices
                    .iter()
                    .filter_map(|choice| self.target(choice).get("type").and_then(Json::as_str))
                    .collect();
                let message = format!("expected {}, found {}", expected(&kinds), describe(&node.value));
                self.problems.error(node.at, self.path, message);
                known.open = true;
            }
        }
    }

    /// The values of choices that are nothing but single values: an enumeration with a
    /// description of each.
    fn constants(&self, choices: &'a [Json]) -> Option<Vec<Json>> {
        let mut all = Vec::new();
        for choice in choices {
            let choice = self.target(choice);
            match (choice.get("const"), list_of(choice, "enum")) {
                (Some(constant), _) => all.push(constant.clone()),
                (None, []) => return None,
                (None, some) => all.extend_from_slice(some),
            }
        }
        Some(all)
    }

    /// Where all choices are told apart by one key and the value of that key fits none: the key
    /// and the values that would fit.
    fn unknown_tag(&self, choices: &'a [Json], node: &Node) -> Option<(&'a str, Vec<Json>)> {
        let Value::Map(_) = node.value else { return None };
        let properties = |choice: &'a Json| self.target(choice).get("properties").and_then(Json::as_object);
        let constant = |property: &'a Json| property.get("const");
        let first = properties(choices.first()?)?;
        let (tag, _) = first.iter().find(|(_, property)| constant(property).is_some())?;
        let values: Option<Vec<Json>> =
            choices.iter().map(|choice| properties(choice)?.get(tag).and_then(constant).cloned()).collect();
        let values = values?;
        let fits = node.get(tag).is_some_and(|value| values.contains(&value.to_json()));
        (!fits).then_some((tag, values))
    }

    /// How badly a value fits a choice: 0 is a fit.
    fn misfit(&self, choice: &'a Json, node: &Node) -> usize {
        let target = self.target(choice);
        let mut trial = node.clone();
        let mut problems = Problems::default();
        let mut path = self.path.clone();
        let mut walker = Walker { root: self.root, problems: &mut problems, path: &mut path };
        if !walker.kind(target, &mut trial) {
            return WRONG_KIND;
        }
        walker.value(choice, &mut trial);
        let wrong_tag = |(name, property): (&String, &Json)| {
            let constant = property.get("const");
            constant.is_some() && node.get(name).map(Node::to_json).as_ref() != constant
        };
        let properties = target.get("properties").and_then(Json::as_object);
        let tags = properties.into_iter().flatten().filter(|&property| wrong_tag(property)).count();
        problems.errors().saturating_add(tags.saturating_mul(WRONG_TAG))
    }
}

/// A choice that another value of its distinguishing key would select.
const WRONG_TAG: usize = 1_000;
/// A choice for another kind of value.
const WRONG_KIND: usize = 1_000_000;
