//! A vendor's data file.

use gatewright::{BuildError, Settings};

use crate::quirks::Quirks;

/// Where the public service of a vendor stands in its file.
const BASE_URL_KEY: &[u8] = b"\"base_url\": \"";

/// A vendor: a name and a data file.
pub trait Vendor: std::fmt::Debug + Send + Sync + 'static {
    /// The name in configurations.
    const NAME: &'static str;
    /// The text of its file.
    const FILE: &'static str;
}

/// What a file says.
#[gatewright::config]
#[derive(Clone, Debug)]
pub struct VendorFile {
    /// What people call it.
    pub title: String,
    /// The URL of its public service, where it has one.
    pub base_url: Option<String>,
    /// The public page that the quirks are from.
    pub source: String,
    /// What is worth knowing beside the quirks: a sentence or two in Markdown.
    pub note: Option<String>,
    /// In what it differs from the reference of the protocol.
    pub quirks: Quirks,
}

impl VendorFile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// When it is none, or a member is not known.
    pub fn parse(text: &str) -> Result<Self, BuildError> {
        let value = serde_json::from_str(text)
            .map_err(|cause| BuildError::new(format!("the vendor's file cannot be read: {cause}")))?;
        Settings::new(value).decode()
    }
}

/// The base URL in a vendor's file. It is found when the crate is compiled, because registrations are constants.
pub(crate) const fn base_url(file: &'static str) -> Option<&'static str> {
    let mut rest = file.as_bytes();
    while let Some((_, behind)) = rest.split_first() {
        if begins_with(rest, BASE_URL_KEY) {
            let (_, value) = rest.split_at(BASE_URL_KEY.len());
            return up_to_quote(value);
        }
        rest = behind;
    }
    None
}

const fn begins_with(mut text: &[u8], mut with: &[u8]) -> bool {
    while let (Some((one, behind)), Some((two, left))) = (text.split_first(), with.split_first()) {
        if *one != *two {
            return false;
        }
        (text, with) = (behind, left);
    }
    with.is_empty()
}

const fn up_to_quote(text: &'static [u8]) -> Option<&'static str> {
    let mut end = 0;
    let mut rest = text;
    while let Some((byte, behind)) = rest.split_first() {
        if *byte == b'"' {
            let (value, _) = text.split_at(end);
            return match std::str::from_utf8(value) {
                Ok(value) => Some(value),
                Err(_) => None,
            };
        }
        end += 1;
        rest = behind;
    }
    None
}
