//! The opening handshake, RFC 6455, section 4.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, HeaderMap, HeaderName, ORIGIN, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Method, Version};
use sha1::{Digest as _, Sha1};

/// The version of the protocol.
pub const VERSION: &str = "13";

/// What is hashed behind a key.
const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// How long a key is when it is decoded, in bytes.
const KEY_BYTES: usize = 16;

/// So many subprotocols may be offered.
const PROTOCOLS_MAX: usize = 16;

/// A client's offer to switch to WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What the answer's `sec-websocket-accept` must say.
    pub accept: String,
    /// The subprotocols, the dearest first.
    pub protocols: Vec<String>,
    /// The web page from which the connection comes; none where it is no browser's.
    pub origin: Option<String>,
}

/// Why a request is no opening handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// It asks for no upgrade to WebSocket.
    #[error("this endpoint takes WebSocket connections; connect with `upgrade: websocket` over HTTP/1.1")]
    NoUpgrade,
    /// It came over a version of HTTP that has no upgrades.
    #[error("WebSocket connections are taken over HTTP/1.1 alone; connect without HTTP/2")]
    Http,
    /// Another method than GET.
    #[error("a WebSocket connection is opened by GET")]
    Method,
    /// Another version of the protocol.
    #[error("`sec-websocket-version` must be 13, once")]
    Version,
    /// The key is not there once, or no 16 bytes in base64.
    #[error("`sec-websocket-key` must be 16 bytes in base64, once")]
    Key,
    /// A list of subprotocols is none.
    #[error("`sec-websocket-protocol` must be a list of different tokens, 16 at most")]
    Protocol,
    /// The origin is not there once, or no text.
    #[error("`origin` must be one origin")]
    Origin,
    /// It has a body.
    #[error("the opening handshake of a WebSocket has no body")]
    Body,
}

impl HandshakeError {
    /// The header that is at fault.
    #[must_use]
    pub fn header(self) -> Option<HeaderName> {
        match self {
            Self::NoUpgrade | Self::Http => Some(UPGRADE),
            Self::Version => Some(SEC_WEBSOCKET_VERSION),
            Self::Key => Some(SEC_WEBSOCKET_KEY),
            Self::Protocol => Some(SEC_WEBSOCKET_PROTOCOL),
            Self::Origin => Some(ORIGIN),
            Self::Method | Self::Body => None,
        }
    }

    /// Whether the peer is to speak another protocol, or another version of this one.
    #[must_use]
    pub fn wants_upgrade(self) -> bool {
        matches!(self, Self::NoUpgrade | Self::Http | Self::Version)
    }
}

impl Offer {
    /// Reads the head of a request. Extensions that are offered are not agreed to, which the RFC allows.
    ///
    /// # Errors
    ///
    /// What is missing, doubled or malformed.
    pub fn read(method: &Method, version: Version, headers: &HeaderMap) -> Result<Self, HandshakeError> {
        if version != Version::HTTP_11 {
            return Err(HandshakeError::Http);
        }
        if *method != Method::GET {
            return Err(HandshakeError::Method);
        }
        if !is_upgrade(headers) {
            return Err(HandshakeError::NoUpgrade);
        }
        let has_body = headers.contains_key(http::header::TRANSFER_ENCODING)
            || headers.get(http::header::CONTENT_LENGTH).is_some_and(|length| length != "0");
        if has_body {
            return Err(HandshakeError::Body);
        }
        if single(headers, &SEC_WEBSOCKET_VERSION) != Some(VERSION) {
            return Err(HandshakeError::Version);
        }
        let key = single(headers, &SEC_WEBSOCKET_KEY).filter(|key| is_key(key)).ok_or(HandshakeError::Key)?;
        let origin = match (headers.contains_key(ORIGIN), single(headers, &ORIGIN)) {
            (true, None) => return Err(HandshakeError::Origin),
            (_, origin) => origin.map(str::to_owned),
        };
        Ok(Self { accept: accept_of(key), protocols: protocols(headers)?, origin })
    }
}

/// Whether a head asks for, or agrees to, an upgrade to WebSocket.
#[must_use]
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    has_item(headers, &CONNECTION, "upgrade") && has_item(headers, &UPGRADE, "websocket")
}

/// The key of a client, made of chance.
#[must_use]
pub fn key_of(chance: u128) -> String {
    STANDARD.encode(chance.to_be_bytes())
}

/// What a server answers to a key.
#[must_use]
pub fn accept_of(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(MAGIC.as_bytes());
    STANDARD.encode(hash.finalize())
}

fn is_key(key: &str) -> bool {
    STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == KEY_BYTES)
}

/// A header that stands there once.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value.trim())
}

fn items<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = Option<&'h str>> {
    let lists = headers.get_all(name).into_iter().map(|list| list.to_str().ok());
    lists.flat_map(|list| {
        list.map_or_else(|| vec![None], |list| list.split(',').map(|item| Some(item.trim())).collect())
    })
}

fn has_item(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    items(headers, name).flatten().any(|item| item.eq_ignore_ascii_case(wanted))
}

fn protocols(headers: &HeaderMap) -> Result<Vec<String>, HandshakeError> {
    let mut protocols: Vec<String> = Vec::new();
    for item in items(headers, &SEC_WEBSOCKET_PROTOCOL) {
        let item = item.filter(|item| is_token(item)).ok_or(HandshakeError::Protocol)?;
        if protocols.iter().any(|known| known == item) || protocols.len() == PROTOCOLS_MAX {
            return Err(HandshakeError::Protocol);
        }
        protocols.push(item.to_owned());
    }
    Ok(protocols)
}

/// Whether a text is a token of RFC 9110.
fn is_token(text: &str) -> bool {
    let is_mark = |byte: u8| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || is_mark(byte))
}
