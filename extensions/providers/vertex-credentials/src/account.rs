//! A service account and what it signs: assertions of RFC 7523, JSON web tokens under RS256.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use gatewright::{BuildError, ExtError};
use serde::Deserialize;
use serde_json::json;

/// How long an assertion holds; the longest that is taken.
const ASSERTION_LIFE: Duration = Duration::from_secs(3_600);

/// A service account that can sign.
pub(crate) struct Account {
    email: String,
    key_id: Option<String>,
    /// Where its assertions are exchanged for tokens.
    pub(crate) token_url: String,
    key: KeyPair,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("token_url", &self.token_url).finish_non_exhaustive()
    }
}

/// The key file, as the console gives it out.
#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type")]
    kind: String,
    client_email: Option<String>,
    private_key: Option<String>,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

impl Account {
    /// Reads a key file.
    ///
    /// # Errors
    /// What is wrong with it; nothing of it is quoted.
    pub(crate) fn read(text: &str) -> Result<Self, BuildError> {
        // The cause could quote the key.
        let file: KeyFile = serde_json::from_str(text)
            .map_err(|_| BuildError::new("the secret is not the JSON text of a key file"))?;
        if file.kind != "service_account" {
            return Err(BuildError::new("the key file is not one of a service account"));
        }
        let (Some(email), Some(key)) = (file.client_email, file.private_key) else {
            return Err(BuildError::new("the key file has no `client_email` or no `private_key`"));
        };
        let key = key_of(&key)
            .ok_or_else(|| BuildError::new("the `private_key` of the key file is no RSA key in PKCS #8"))?;
        let token_url = file.token_uri.unwrap_or_else(|| "https://oauth2.googleapis.com/token".to_owned());
        Ok(Self { email, key_id: file.private_key_id, token_url, key })
    }

    /// The assertion that asks for a token of this scope.
    ///
    /// # Errors
    /// The key cannot sign.
    pub(crate) fn assertion(&self, scope: &str, now: SystemTime) -> Result<String, ExtError> {
        let issued = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.key_id});
        let claims = json!({
            "iss": self.email,
            "scope": scope,
            "aud": self.token_url,
            "iat": issued.as_secs(),
            "exp": (issued + ASSERTION_LIFE).as_secs(),
        });
        let [header, claims] = [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
        let mut token = format!("{header}.{claims}");
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
            .map_err(|_| ExtError::new("the key of the service account cannot sign"))?;
        token.push('.');
        token.push_str(&BASE64_URL_SAFE_NO_PAD.encode(signature));
        Ok(token)
    }
}

/// The key in a PEM text.
fn key_of(pem: &str) -> Option<KeyPair> {
    let (_, rest) = pem.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END PRIVATE KEY-----")?;
    let body: String = body.split_ascii_whitespace().collect();
    KeyPair::from_pkcs8(&BASE64_STANDARD.decode(body).ok()?).ok()
}
