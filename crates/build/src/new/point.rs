//! What each extension point adds to a new extension: a template per point, taken apart into its sections.

use anyhow::{Result, bail};

use crate::distribution::manifest::POINTS;

/// The templates, by the points' names.
const TEMPLATES: [(&str, &str); 10] = [
    ("auth", include_str!("template/extension/point/auth.in")),
    ("request", include_str!("template/extension/point/request.in")),
    ("limiter", include_str!("template/extension/point/limiter.in")),
    ("response", include_str!("template/extension/point/response.in")),
    ("credential", include_str!("template/extension/point/credential.in")),
    ("picker", include_str!("template/extension/point/picker.in")),
    ("provider", include_str!("template/extension/point/provider.in")),
    ("estimator", include_str!("template/extension/point/estimator.in")),
    ("sink", include_str!("template/extension/point/sink.in")),
    ("audit", include_str!("template/extension/point/audit.in")),
];

/// How a section begins.
const MARK: &str = "%% ";

/// A point with its template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    /// As the manifest writes it.
    pub(super) name: &'static str,
    /// The trait of the SDK.
    pub(super) trait_name: &'static str,
    template: &'static str,
}

/// Where the configuration names an instance of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A list at the top.
    Top(&'static str),
    /// A list of a route.
    Route(&'static str),
    /// A key of a model.
    Model(&'static str),
    /// A key of a provider.
    Provider(&'static str),
}

impl Point {
    /// The points of these names, each once, in the order in which an exchange meets them.
    ///
    /// # Errors
    /// None is given, or one is no point.
    pub(super) fn parse_all(names: &[String]) -> Result<Vec<Self>> {
        let known = POINTS.map(|(name, _)| name).join(", ");
        if let Some(unknown) = names.iter().find(|name| !POINTS.iter().any(|(point, _)| point == name)) {
            bail!("`{unknown}` is no extension point; there are {known}");
        }
        if names.is_empty() {
            bail!("name the points with `--point`: some of {known}");
        }
        let wanted = POINTS.iter().filter(|(name, _)| names.iter().any(|wanted| wanted == name));
        let point = |(name, trait_name): &(&'static str, &'static str)| {
            let (_, template) = TEMPLATES.iter().find(|(point, _)| point == name)?;
            Some(Self { name, trait_name, template })
        };
        Ok(wanted.filter_map(point).collect())
    }

    /// A section of the template; empty where it has none of this name.
    pub(super) fn section(&self, name: &str) -> &'static str {
        let mut rest = self.template;
        while let Some(begin) = rest.strip_prefix(MARK) {
            let (title, body) = begin.split_once('\n').unwrap_or((begin, ""));
            let end = body.find("\n%% ").map_or(body.len(), |at| at + 1);
            // An empty section is followed by the next mark at once.
            let end = if body.starts_with(MARK) { 0 } else { end };
            let (text, next) = body.split_at(end);
            if title == name {
                return text;
            }
            rest = next;
        }
        ""
    }

    /// Whether a provider of the configuration uses it, and gives it its settings.
    pub(super) fn is_adapter(&self) -> bool {
        self.name == "provider"
    }

    /// Where the configuration names an instance of this point.
    pub(super) fn place(&self) -> Place {
        match self.section("place").trim().split_once(' ') {
            Some(("top", key)) => Place::Top(key),
            Some(("model", key)) => Place::Model(key),
            Some(("provider", key)) => Place::Provider(key),
            Some((_, key)) => Place::Route(key),
            None => Place::Route(self.name),
        }
    }
}

impl Place {
    /// For people: `routes[].request`.
    pub(super) fn shown(self) -> String {
        match self {
            Self::Top(key) => key.to_owned(),
            Self::Route(key) => format!("routes[].{key}"),
            Self::Model(key) => format!("models.*.{key}"),
            Self::Provider(key) => format!("providers.*.{key}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(names: &[&str]) -> Result<Vec<Point>> {
        Point::parse_all(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn points_come_once_and_in_the_order_of_an_exchange() {
        let names: Vec<_> =
            points(&["response", "auth", "response"]).unwrap().iter().map(|point| point.name).collect();
        assert_eq!(names, ["auth", "response"]);
    }

    #[test]
    fn what_is_no_point_is_refused_with_those_that_are() {
        for (names, expected) in [
            (&["filter"][..], "`filter` is no extension point; there are auth, request"),
            (&[], "name the points"),
        ] {
            let message = points(names).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
        }
    }

    #[test]
    fn every_point_has_a_template_with_what_a_crate_needs() {
        let all = points(&POINTS.map(|(name, _)| name)).unwrap();
        assert_eq!(all.len(), POINTS.len());
        for point in all {
            for section in ["purpose", "field", "init", "impl", "test", "place"] {
                assert!(!point.section(section).is_empty(), "{}: {section}", point.name);
            }
            assert!(
                point.section("impl").contains(&format!("impl {} for @TYPE@", point.trait_name)),
                "{}",
                point.name
            );
            assert_eq!(point.section("purpose").lines().count(), 1, "{}", point.name);
            assert_eq!(point.section("no such section"), "");
        }
    }
}
