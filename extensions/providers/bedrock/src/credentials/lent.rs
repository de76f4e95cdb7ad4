//! Keys in the forms in which they are handed out.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gatewright::serde_json::{self, Value};
use gatewright::{ExtError, Secret};

use crate::sigv4::{Keys, days};

/// A key, and until when it was lent.
pub(super) struct Lent {
    id: String,
    secret: Secret,
    token: Option<Secret>,
    /// Absent for a key that is kept until somebody changes it.
    pub(super) expires: Option<SystemTime>,
}

impl Lent {
    pub(super) fn of_keys(keys: &Keys<'_>) -> Self {
        Self {
            id: keys.id.to_owned(),
            secret: Secret::new(keys.secret.to_owned()),
            token: keys.token.map(|token| Secret::new(token.to_owned())),
            expires: None,
        }
    }

    fn new(id: &str, secret: &str, token: Option<&str>, expires: Option<&str>) -> Option<Self> {
        // What has a border of our own form in it, or cannot stand in a header, is no key.
        let is_word =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
        if !is_word(id) || !is_word(secret) {
            return None;
        }
        let keys = Keys { id, secret, token: token.filter(|token| !token.is_empty()) };
        Some(Self { expires: expires.and_then(moment), ..Self::of_keys(&keys) })
    }

    /// The key as it signs.
    pub(super) fn keys(&self) -> Keys<'_> {
        Keys { id: &self.id, secret: self.secret.expose(), token: self.token.as_ref().map(Secret::expose) }
    }

    /// The key in the form in which the adapter takes it.
    pub(super) fn into_secret(self) -> Result<Secret, ExtError> {
        let Keys { id, secret, token } = self.keys();
        let text = match token {
            Some(token) => format!("{id}:{secret}:{token}"),
            None => format!("{id}:{secret}"),
        };
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ExtError::new("the key has characters that no header can carry"));
        }
        Ok(Secret::new(text))
    }
}

/// The answer of a container's endpoint, or of an instance's metadata.
pub(super) fn of_json(text: &str) -> Option<Lent> {
    let answer: Value = serde_json::from_str(text).ok()?;
    let text = |name: &str| answer.get(name)?.as_str();
    Lent::new(text("AccessKeyId")?, text("SecretAccessKey")?, text("Token"), text("Expiration"))
}

/// The answer of the token service. Its few elements have no attributes, and their texts no entities.
pub(super) fn of_xml(text: &str) -> Option<Lent> {
    let credentials = element(text, "Credentials")?;
    let text = |name: &str| element(credentials, name).map(str::trim);
    Lent::new(text("AccessKeyId")?, text("SecretAccessKey")?, text("SessionToken"), text("Expiration"))
}

fn element<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

/// A profile of a credentials file: lines of `name = value` under its name in brackets.
pub(super) fn of_profile(file: &str, name: &str) -> Option<Lent> {
    let mut is_inside = false;
    let (mut id, mut secret, mut token) = (None, None, None);
    for line in file.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(title) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            let title = title.trim();
            is_inside = title == name || title.strip_prefix("profile ").map(str::trim) == Some(name);
        } else if let Some((key, value)) = line.split_once('=').filter(|_| is_inside) {
            let value = Some(value.trim());
            match key.trim() {
                "aws_access_key_id" => id = value,
                "aws_secret_access_key" => secret = value,
                "aws_session_token" => token = value,
                _ => {}
            }
        }
    }
    Lent::new(id?, secret?, token, None)
}

/// A moment as `2026-11-25T22:02:42Z`, with or without a part of a second.
fn moment(text: &str) -> Option<SystemTime> {
    let (date, time) = text.trim().trim_end_matches('Z').split_once('T')?;
    let three = |text: &str, border: char| -> Option<[u64; 3]> {
        let mut parts = text.split(border).map(str::parse);
        let found = [parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?];
        parts.next().is_none().then_some(found)
    };
    let [year, month, day] = three(date, '-')?;
    let [hour, minute, second] = three(time.split('.').next()?, ':')?;
    let is_right = (1970..10_000).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    let seconds = || days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    is_right.then(|| UNIX_EPOCH + Duration::from_secs(seconds()))
}
