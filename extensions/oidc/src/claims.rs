//! What the claims of a valid token say of its caller.

use std::borrow::Cow;
use std::sync::Arc;

use gatewright::matches_pattern;
use gatewright::prelude::*;
use serde_json::{Map, Value};

use crate::settings::{Claims, IssuerSettings, Source};

/// A longer text of a claim is refused: it goes into labels, records and keys.
const TEXT_BYTES_MAX: usize = 256;
/// The most groups, and the most names of models, that are taken from a token.
const LIST_ITEMS_MAX: usize = 256;

/// A claim by its name, or by the way that leads to it through objects.
pub(crate) fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    find(claims.get(first)?.as_object()?, rest)
}

/// The text of a claim; a number is taken as it is written.
pub(crate) fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<Cow<'a, str>> {
    match find(claims, name)? {
        Value::String(text) => Some(text.into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(truth) => Some(truth.to_string().into()),
        _ => None,
    }
}

impl Claims {
    /// The caller.
    ///
    /// # Errors
    ///
    /// What is missing, or is not to be said by this issuer.
    pub(crate) fn principal(
        &self,
        claims: &Map<String, Value>,
        issuer: &IssuerSettings,
    ) -> Result<Principal, &'static str> {
        let tenant = self.tenant.read(claims)?.ok_or("it names no tenant")?;
        let may_name =
            |tenants: &Vec<String>| tenants.iter().any(|pattern| matches_pattern(pattern, &tenant));
        if !self.tenants.as_ref().is_none_or(may_name) {
            return Err("its issuer may not name this tenant");
        }
        let user = self.user.read(claims)?;
        let label = match &user {
            Some(user) => format!("{}#{user}", issuer.short_name()),
            None => issuer.short_name().to_owned(),
        };
        let models = match &self.models_claim {
            Some(name) => list(claims, name)?,
            None => self.models.iter().map(|model| Arc::from(model.as_str())).collect(),
        };
        let mut tags = Vec::with_capacity(self.tags.len());
        for (name, source) in &self.tags {
            if let Some(value) = source.read(claims)? {
                tags.push((Arc::from(name.as_str()), Arc::from(value.as_str())));
            }
        }
        let project = self.project.as_ref().map(|project| project.read(claims)).transpose()?.flatten();
        Ok(Principal {
            project: project.map(Arc::from),
            user: user.map(Arc::from),
            groups: list(claims, &self.groups)?,
            models,
            tags,
            ..Principal::new(TenantId::new(&tenant), &label)
        })
    }
}

impl Source {
    fn read(&self, claims: &Map<String, Value>) -> Result<Option<String>, &'static str> {
        let found = self.claim.as_deref().and_then(|name| text(claims, name));
        let Some(found) = found else { return Ok(self.value.clone()) };
        if !is_plain(&found) {
            return Err("a claim is empty, too long, or has control characters");
        }
        if self.map.is_empty() {
            return Ok(Some(found.into_owned()));
        }
        self.map.get(&*found).cloned().map(Some).ok_or("a claim has a value that is not listed")
    }
}

/// The texts of a list, or the words of one text.
fn list(claims: &Map<String, Value>, name: &str) -> Result<Vec<Arc<str>>, &'static str> {
    let texts: Vec<&str> = match find(claims, name) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::String(words)) => words.split_ascii_whitespace().collect(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        Some(_) => return Err("a claim is not a list of texts"),
    };
    if texts.len() > LIST_ITEMS_MAX || !texts.iter().all(|text| is_plain(text)) {
        return Err("a list in it is too long, or has texts that are none");
    }
    Ok(texts.into_iter().map(Arc::from).collect())
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= TEXT_BYTES_MAX && !text.chars().any(char::is_control)
}

impl IssuerSettings {
    /// What labels call the issuer: its host.
    fn short_name(&self) -> &str {
        let rest = self.issuer.split_once("://").map_or(&*self.issuer, |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }
}
