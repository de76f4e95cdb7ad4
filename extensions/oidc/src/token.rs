//! A token as it comes: strict where a lenient reader could be led to another reading than its issuer's.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::keys::Key;
use crate::settings::{Algorithm, IssuerSettings};
use crate::{claims, json};

/// A longer token is none. Issuers stay below this, and so do the heads that servers take.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// The longest name of a key.
const KEY_ID_BYTES_MAX: usize = 512;

/// The end of the year 9999: a later time is a mistake, or an attempt at one.
const SECONDS_MAX: u64 = 253_402_300_799;

/// Whether a credential has the form of a token: three parts of the alphabet of base64url. Others may know it otherwise.
pub(crate) fn looks_like_one(text: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=');
    let mut parts = 0;
    text.split(|byte| *byte == b'.').all(|part| {
        parts += 1;
        part.iter().all(is_plain)
    }) && (parts == 3 || parts == 5)
        && text.starts_with(b"ey")
}

/// A token of which nothing is known to be true yet.
#[derive(Debug)]
pub(crate) struct Token<'a> {
    head: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
    algorithm: Algorithm,
    /// What was signed.
    signed: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Token<'a> {
    pub(crate) fn parse(text: &'a [u8]) -> Result<Self, &'static str> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err("it is too long");
        }
        let mut parts = text.split(|byte| *byte == b'.');
        let (Some(head), Some(body), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("it has not three parts; encrypted tokens are not taken");
        };
        let signed = text.get(..head.len() + 1 + body.len()).unwrap_or_default();
        let head = object(head)?;
        let name = head.get("alg").and_then(Value::as_str).ok_or("its header has no algorithm")?;
        Ok(Self {
            algorithm: Algorithm::of_name(name).ok_or("its algorithm is none that is ever taken")?,
            claims: object(body)?,
            signature: URL_SAFE_NO_PAD.decode(signature).map_err(|_| "its signature is not base64url")?,
            signed,
            head,
        })
    }

    /// Who it says has issued it; it is a key into the settings, and proves nothing.
    pub(crate) fn issuer(&self) -> &str {
        self.claims.get("iss").and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The name of the key that it says to be signed by; a key into what the issuer publishes.
    pub(crate) fn key_id(&self) -> Option<&str> {
        self.head.get("kid").and_then(Value::as_str)
    }

    /// RFC 7515 4.1.
    pub(crate) fn check_head(&self, settings: &IssuerSettings) -> Result<(), &'static str> {
        if !settings.algorithms.contains(&self.algorithm) {
            return Err("its algorithm is not listed");
        }
        if self.head.contains_key("crit") {
            return Err("it demands extensions that nobody here understands");
        }
        if self.head.contains_key("enc") || self.head.contains_key("cty") {
            return Err("it holds another token");
        }
        match self.head.get("kid") {
            None => {}
            Some(Value::String(id)) if !id.is_empty() && id.len() <= KEY_ID_BYTES_MAX => {}
            Some(_) => return Err("the name of its key is none"),
        }
        match self.head.get("typ").map(|kind| kind.as_str().unwrap_or("?").to_ascii_lowercase()) {
            None => Ok(()),
            Some(kind) if ["jwt", "at+jwt", "application/at+jwt"].contains(&kind.as_str()) => Ok(()),
            Some(_) => Err("it is a token of another kind"),
        }
    }

    /// RFC 7519 4.1, with what the settings require.
    pub(crate) fn check_claims(&self, settings: &IssuerSettings, now: Duration) -> Result<(), &'static str> {
        let (now, leeway) = (now.as_secs(), settings.leeway_secs);
        let expires = self.seconds("exp")?.ok_or("it never expires")?;
        if now >= expires.saturating_add(leeway) {
            return Err("it has expired");
        }
        if self.seconds("nbf")?.is_some_and(|from| from > now.saturating_add(leeway)) {
            return Err("it is not valid yet");
        }
        let issued = self.seconds("iat")?;
        if issued.is_some_and(|at| at > now.saturating_add(leeway)) {
            return Err("it was issued in the future");
        }
        if let Some(most) = settings.life_max_secs {
            let issued = issued.ok_or("it does not say when it was issued")?;
            if expires.saturating_sub(issued) > most {
                return Err("it lives too long");
            }
        }
        if !self.is_for(&settings.audience)? {
            return Err("it is for another audience");
        }
        for (name, wanted) in &settings.required {
            let found = claims::text(&self.claims, name);
            let holds = match wanted {
                Some(wanted) => found.as_deref() == Some(wanted),
                None => claims::find(&self.claims, name).is_some_and(|value| !value.is_null()),
            };
            if !holds {
                return Err("a required claim is not there, or has another value");
            }
        }
        Ok(())
    }

    pub(crate) fn check_signature(&self, key: &Key) -> Result<(), &'static str> {
        if key.verifies(self.algorithm, self.signed, &self.signature) {
            Ok(())
        } else {
            Err("its signature is not of that key")
        }
    }

    /// A time in whole seconds since 1970. Another form is not the same as none.
    fn seconds(&self, name: &str) -> Result<Option<u64>, &'static str> {
        match self.claims.get(name) {
            None => Ok(None),
            Some(value) => {
                let seconds = value.as_u64().filter(|seconds| *seconds <= SECONDS_MAX);
                seconds.map(Some).ok_or("a time in it is not a whole number of seconds")
            }
        }
    }

    fn is_for(&self, audience: &[String]) -> Result<bool, &'static str> {
        let listed = |name: &str| audience.iter().any(|ours| ours == name);
        match self.claims.get("aud") {
            Some(Value::String(name)) => Ok(listed(name)),
            Some(Value::Array(names)) => {
                let mut found = false;
                for name in names {
                    found |= listed(name.as_str().ok_or("its audience is not a list of names")?);
                }
                Ok(found)
            }
            _ => Err("it names no audience"),
        }
    }
}

fn object(part: &[u8]) -> Result<Map<String, Value>, &'static str> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| "a part of it is not base64url")?;
    json::object(&bytes).ok_or("a part of it is not a JSON object with each member once")
}
