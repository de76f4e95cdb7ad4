//! The settings, and their checks.

use std::collections::BTreeMap;

use gatewright::Tags;
use gatewright::http::HeaderName;
use gatewright::prelude::*;

use crate::field::Field;
use crate::template::Template;

/// Headers that belong to the connection or to the credential, which the gateway itself sets.
const RESERVED: &[&str] = &[
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-api-key",
];

/// Adds headers, fields, labels and an instruction to requests, from templates.
///
/// Each value is a template: `{tenant}`, `{project}`, `{user}`, `{groups}`, `{key}`,
/// `{model}`, `{route}`, `{request}`, `{tag.NAME}` and `{header.NAME}` stand for what the request has;
/// `{user|nobody}` names what stands there if it has none; `{{` and `}}` are braces.
#[gatewright::config]
#[derive(Debug, Default)]
pub struct Settings {
    /// Headers to add to the call that goes to the provider. One whose value comes out empty is not sent.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Texts to put into the body, by field: `user`, or `metadata.department` for a member of an object.
    /// What the caller sent there is replaced. One that comes out empty is left as it is.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// Labels for usage records, for limits on tokens, and for the instances that follow. One that comes
    /// out empty is not set.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// An instruction to add to conversations, in the role that the dialect has for it. If it comes out
    /// empty, none is added.
    #[serde(default)]
    pub system: Option<String>,
    /// Where the instruction goes among those that the caller gave. `last` keeps the provider's prompt
    /// cache warm, because what leads the prompt stays the same for all callers.
    #[serde(default)]
    pub system_at: Place,
}

/// Where an instruction goes.
#[gatewright::config]
#[derive(Clone, Copy, Debug, Default)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Before the caller's own instructions.
    First,
    /// After the caller's own instructions.
    #[default]
    Last,
}

impl Settings {
    pub(crate) fn headers(&self) -> Result<Vec<(HeaderName, Template)>, BuildError> {
        let header = |(name, value): (&String, &String)| {
            let at = |message: String| BuildError::at(format!("headers.{name}"), message);
            let parsed: HeaderName =
                name.parse().map_err(|_| at("this is not the name of a header".to_owned()))?;
            if RESERVED.contains(&parsed.as_str()) {
                return Err(at("the gateway sets this header itself; choose another name".to_owned()));
            }
            Ok((parsed, Template::parse(value).map_err(at)?))
        };
        self.headers.iter().map(header).collect()
    }

    pub(crate) fn fields(&self) -> Result<Vec<(Field, Template)>, BuildError> {
        let field = |(name, value): (&String, &String)| {
            let at = |message: String| BuildError::at(format!("fields.{name}"), message);
            let field = Field::parse(name).map_err(|message| at(message.to_owned()))?;
            Ok((field, Template::parse(value).map_err(at)?))
        };
        self.fields.iter().map(field).collect()
    }

    pub(crate) fn tags(&self) -> Result<Vec<(String, Template)>, BuildError> {
        let tag = |(name, value): (&String, &String)| {
            let at = |message: String| BuildError::at(format!("tags.{name}"), message);
            if !Tags::default().set(name, "") {
                return Err(at(format!("a label's name has 1 to {} bytes", Tags::NAME_BYTES_MAX)));
            }
            Ok((name.clone(), Template::parse(value).map_err(at)?))
        };
        self.tags.iter().map(tag).collect()
    }

    pub(crate) fn system(&self) -> Result<Option<(Placement, Template)>, BuildError> {
        let Some(text) = &self.system else { return Ok(None) };
        let template = Template::parse(text).map_err(|message| BuildError::at("system", message))?;
        let placement = match self.system_at {
            Place::First => Placement::First,
            Place::Last => Placement::Last,
        };
        Ok(Some((placement, template)))
    }
}
