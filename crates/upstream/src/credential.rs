//! A provider's credential, bound to the one origin that may see it.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::SendError;
use crate::origin::Origin;

/// Stands for what was taken out of a text.
const GAP: &str = "[redacted]";
/// Fewer bytes than this prove nothing: a word may begin so by chance.
const TELLING_BYTES: usize = 8;

/// The headers, mostly one, that authenticate the gateway to one origin.
///
/// They are added when everything else about a request is settled, and only for the origin that they
/// are bound to. Their values never appear in `Debug` output.
#[derive(Clone)]
pub struct Credential {
    headers: Arc<HeaderMap>,
    bound: Arc<Origin>,
}

impl Credential {
    /// Binds a header value to `origin` (scheme, host and port; the base path is not compared).
    pub fn new(header: HeaderName, value: HeaderValue, bound: Arc<Origin>) -> Self {
        Self::of_headers(HeaderMap::from_iter([(header, value)]), bound)
    }

    /// Binds headers to `origin`, as [`Credential::new`] binds one.
    pub fn of_headers(mut headers: HeaderMap, bound: Arc<Origin>) -> Self {
        // Keeps the values out of `Debug` and out of HTTP/2's header compression table.
        headers.values_mut().for_each(|value| value.set_sensitive(true));
        Self { headers: Arc::new(headers), bound }
    }

    /// A text without what of the credential stands in it; none if nothing does.
    ///
    /// A peer repeats what it was shown as it is, cut short, or in one of the encodings of a URL, of JSON and of
    /// base64; so a text loses whatever begins as one of these does, as far as the two agree.
    pub fn redacted(&self, text: &str) -> Option<String> {
        let values = self.headers.values().filter_map(|value| value.to_str().ok());
        let forms = values.flat_map(forms);
        forms.fold(None, |clean, form| without(clean.as_deref().unwrap_or(text), &form).or(clean))
    }

    /// Adds the headers to a request for `destination`, replacing what stood there.
    ///
    /// # Errors
    ///
    /// [`SendError::CredentialOrigin`] when the credential belongs to another origin.
    pub(crate) fn apply(&self, headers: &mut HeaderMap, destination: &Origin) -> Result<(), SendError> {
        if !self.bound.same_origin(destination) {
            return Err(SendError::CredentialOrigin {
                bound: self.bound.to_string(),
                destination: destination.to_string(),
            });
        }
        for (name, value) in &*self.headers {
            headers.insert(name.clone(), value.clone());
        }
        Ok(())
    }
}

/// The forms in which a header's value can be repeated, without the name of its scheme.
fn forms(value: &str) -> Vec<String> {
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    let secrets = words.get(usize::from(words.len() > 1)..).unwrap_or_default();
    let encoded = |secret: &&str| {
        let escaped: String = secret.bytes().map(percent_encoded).collect();
        [(*secret).to_owned(), escaped, secret.replace('/', "\\/"), STANDARD_NO_PAD.encode(secret)]
    };
    secrets.iter().flat_map(encoded).chain([STANDARD_NO_PAD.encode(value)]).collect()
}

fn percent_encoded(byte: u8) -> String {
    match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).into(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).into(),
        _ => format!("%{byte:02X}"),
    }
}

/// A text without a secret and its beginnings; none if there is none of it.
fn without(text: &str, secret: &str) -> Option<String> {
    let (text_bytes, secret) = (text.as_bytes(), secret.as_bytes());
    let telling = secret.len().min(TELLING_BYTES);
    let agreeing = |at: usize| {
        let rest = text_bytes.get(at..).unwrap_or_default();
        rest.iter().zip(secret).take_while(|(one, two)| one.eq_ignore_ascii_case(two)).count()
    };
    let mut out = String::new();
    let (mut kept_to, mut at) = (0, 0);
    while at + telling <= text_bytes.len() && telling > 0 {
        let found = agreeing(at);
        // What agrees is ASCII, so that the text is cut between characters.
        if found >= telling {
            out.push_str(text.get(kept_to..at).unwrap_or_default());
            out.push_str(GAP);
            at += found;
            kept_to = at;
        } else {
            at += 1;
        }
    }
    (kept_to > 0).then(|| out + text.get(kept_to..).unwrap_or_default())
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("bound", &self.bound)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let origin = Arc::new(Origin::parse("https://api.test").expect("it is one"));
        let value = HeaderValue::from_static("Bearer Zx/9-tell,nobody+1");
        let shown = Credential::new(http::header::AUTHORIZATION, value, origin);
        assert_eq!(shown.redacted(text).as_deref().unwrap_or(text), expected);
    }

    #[test]
    fn a_key_is_taken_out_in_every_form_and_the_rest_stays() {
        check("bad key Zx/9-tell,nobody+1, ask", "bad key [redacted], ask");
        check("zx/9-TELL,nobody+1", "[redacted]");
        check("two Zx/9-tell,nobody+1 Zx/9-tell,nobody+1.", "two [redacted] [redacted].");
        check("cut: Zx/9-tell,no...", "cut: [redacted]...");
        check("?key=Zx%2F9-tell%2Cnobody%2B1&a=1", "?key=[redacted]&a=1");
        check(r#"{"key":"Zx\/9-tell,nobody+1"}"#, r#"{"key":"[redacted]"}"#);
        check("Basic Wng=, Wngv", "Basic Wng=, Wngv");
        check(&format!("b64 {}", STANDARD_NO_PAD.encode("Zx/9-tell,nobody+1")), "b64 [redacted]");
        check("größer als Zx/9-te und Bearer", "größer als Zx/9-te und Bearer");
        check("", "");
    }
}
