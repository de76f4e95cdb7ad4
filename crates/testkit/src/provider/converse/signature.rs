//! Whether a request is signed with a key, by Signature Version 4 as "Create a signed AWS API request" tells it.
//!
//! Written for itself, so that a fault of the gateway's own signer is not repeated here.

use hmac::{Hmac, Mac};
use http::header::{AUTHORIZATION, HOST};
use http::request;
use sha2::{Digest, Sha256};

/// Whether the request is signed with `key`, which is `ACCESS_KEY_ID:SECRET_ACCESS_KEY` and may have a session token
/// behind it.
pub(in super::super) fn is_signed(head: &request::Parts, body: &[u8], key: &str) -> bool {
    check(head, body, key).is_some()
}

fn check(head: &request::Parts, body: &[u8], key: &str) -> Option<()> {
    let mut key = key.splitn(3, ':');
    let (id, secret, token) = (key.next()?, key.next()?, key.next());
    let text = |name: &str| head.headers.get(name).map(|value| value.to_str().ok());
    if text("x-amz-security-token").flatten() != token {
        return None;
    }
    let given = head.headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("AWS4-HMAC-SHA256 ")?;
    let field = |name: &str| given.split(", ").find_map(|field| field.strip_prefix(name));
    let (known, place) = field("Credential=")?.split_once('/')?;
    let names = field("SignedHeaders=")?;
    let time = text("x-amz-date")??;
    let day = place.split('/').next().filter(|day| known == id && time.starts_with(day))?;
    // Whoever leaves these out signs a request that can be sent elsewhere, or again.
    if !names.split(';').any(|name| name == "host") || !names.split(';').any(|name| name == "x-amz-date") {
        return None;
    }
    let mut lines = String::new();
    for name in names.split(';') {
        let authority = || head.uri.authority().map(http::uri::Authority::as_str);
        let value = match name {
            "host" => head.headers.get(HOST).and_then(|value| value.to_str().ok()).or_else(authority)?,
            name => text(name)??,
        };
        lines.push_str(&format!("{name}:{}\n", value.trim()));
    }
    let mut query: Vec<&str> = head.uri.query().unwrap_or_default().split('&').collect();
    query.sort_unstable();
    let path = encoded(head.uri.path());
    let request = format!(
        "{}\n{path}\n{}\n{lines}\n{names}\n{}",
        head.method,
        query.join("&"),
        hex(&Sha256::digest(body))
    );
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{place}\n{}", hex(&Sha256::digest(request)));
    let mut parts = place.split('/');
    let mut signing = mac(format!("AWS4{secret}").as_bytes(), parts.next().filter(|first| *first == day)?);
    for part in parts {
        signing = mac(&signing, part);
    }
    (hex(&mac(&signing, &text)) == field("Signature=")?).then_some(())
}

/// A path once more in percent encoding: what was escaped is escaped again.
fn encoded(path: &str) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    path.bytes()
        .map(|byte| if kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
