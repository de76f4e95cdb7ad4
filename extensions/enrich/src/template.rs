//! Templates: text with placeholders, compiled once.

use gatewright::http::HeaderName;
use gatewright::prelude::*;

/// A compiled template.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// What the request has, or else this text.
    Value(Value, String),
}

#[derive(Debug, PartialEq, Eq)]
enum Value {
    Tenant,
    Project,
    User,
    Key,
    Model,
    Route,
    Request,
    Groups,
    Tag(String),
    Header(HeaderName),
}

impl Template {
    /// Compiles a template, or says what is wrong with it.
    pub(crate) fn parse(source: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = source;
        while let Some(at) = rest.find(['{', '}']) {
            let (head, tail) = rest.split_at(at);
            text.push_str(head);
            if let Some(after) = tail.strip_prefix("{{").or_else(|| tail.strip_prefix("}}")) {
                text.push_str(tail.get(..1).unwrap_or_default());
                rest = after;
                continue;
            }
            let inside = tail.strip_prefix('{').ok_or("a single `}`; write `}}` for the character")?;
            let (name, after) =
                inside.split_once('}').ok_or("a `{` without `}`; write `{{` for the character")?;
            parts.push(Part::Text(std::mem::take(&mut text)));
            parts.push(placeholder(name)?);
            rest = after;
        }
        text.push_str(rest);
        parts.push(Part::Text(text));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        Ok(Self(parts))
    }

    /// The text for this request.
    pub(crate) fn render(&self, cx: &RequestCx) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Value(value, otherwise) => {
                    value.with(cx, |known| out.push_str(known.unwrap_or(otherwise)));
                }
            }
        }
        out
    }
}

fn placeholder(source: &str) -> Result<Part, String> {
    let (name, otherwise) = source.split_once('|').unwrap_or((source, ""));
    let value = match name {
        "tenant" => Value::Tenant,
        "project" => Value::Project,
        "user" => Value::User,
        "key" => Value::Key,
        "model" => Value::Model,
        "route" => Value::Route,
        "request" => Value::Request,
        "groups" => Value::Groups,
        _ => named(name).ok_or_else(|| {
            format!(
                "unknown placeholder `{{{name}}}`; known are tenant, project, user, groups, key, model, route, \
                 request, tag.NAME and header.NAME"
            )
        })?,
    };
    Ok(Part::Value(value, otherwise.to_owned()))
}

fn named(name: &str) -> Option<Value> {
    match name.split_once('.')? {
        ("tag", tag) if !tag.is_empty() => Some(Value::Tag(tag.to_owned())),
        ("header", header) => header.parse().ok().map(Value::Header),
        _ => None,
    }
}

impl Value {
    fn with(&self, cx: &RequestCx, then: impl FnOnce(Option<&str>)) {
        let principal = cx.principal();
        match self {
            Self::Tenant => then(Some(principal.tenant.as_str())),
            Self::Project => then(principal.project.as_deref()),
            Self::User => then(principal.user.as_deref()),
            Self::Key => then(Some(&principal.key_label)),
            Self::Model => then(Some(cx.model().as_str())),
            Self::Route => then(Some(cx.route().as_str())),
            Self::Request => then(Some(cx.id().as_str())),
            Self::Groups => {
                then(Some(principal.groups.join(",").as_str()).filter(|groups| !groups.is_empty()));
            }
            Self::Header(name) => {
                then(cx.client_headers().get(name).and_then(|value| value.to_str().ok()));
            }
            Self::Tag(name) => then(cx.tags.get(name).or_else(|| principal.tag(name))),
        }
    }
}
