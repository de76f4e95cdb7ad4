//! The base URL of a provider, parsed once and strictly.
//!
//! One parser decides what the host is, and the dialer and TLS use its result, so that there is
//! no second opinion to exploit: spellings that URL parsers read differently are refused.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use http::HeaderValue;
use http::uri::PathAndQuery;

/// The longest base URL that is accepted, in bytes.
const URL_BYTES_MAX: usize = 2048;
/// The longest host name that DNS can express, in bytes.
const HOST_BYTES_MAX: usize = 253;
/// The longest label of a host name, in bytes.
const LABEL_BYTES_MAX: usize = 63;

/// How bytes travel to an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Cleartext HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// The scheme as it stands in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The host of an origin: a name to resolve, or an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    Name(Box<str>),
    Address(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// Scheme, host, port and base path of a provider.
///
/// Invariant: the host is lower-case ASCII in one canonical spelling, and the base path is empty
/// or starts with a slash and does not end with one.
#[derive(Clone, PartialEq, Eq)]
pub struct Origin {
    scheme: Scheme,
    host: Host,
    port: u16,
    base_path: Box<str>,
    authority: HeaderValue,
}

/// Why a text is not a base URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// The text has no bytes, or more than a URL may have.
    #[error("the URL must have between 1 and {max} bytes", max = URL_BYTES_MAX)]
    Length,
    /// A control character, a space, a backslash or a character outside ASCII.
    #[error(
        "the URL contains {0:?}; write international names in their xn-- form and encode the rest with %"
    )]
    Character(char),
    /// The text does not start with a scheme.
    #[error("the URL must start with https:// or http://")]
    SchemeMissing,
    /// The scheme is not one that the gateway speaks.
    #[error("the scheme {0:?} is not supported, use https or http")]
    Scheme(String),
    /// A user name or password stands before the host.
    #[error("the URL must not contain user information; configure the credential on its own")]
    UserInfo,
    /// The URL has a `?` part.
    #[error("a base URL must not have a query")]
    Query,
    /// The URL has a `#` part.
    #[error("a base URL must not have a fragment")]
    Fragment,
    /// There is no host.
    #[error("the URL has no host")]
    HostMissing,
    /// The host is not a valid name.
    #[error("{0:?} is not a valid host name")]
    Host(String),
    /// The host is a number in a spelling that some parsers read as an address.
    #[error("{0:?} looks like an IP address in an unusual form; write it as four decimal numbers")]
    NumericHost(String),
    /// The part in brackets is not an IPv6 address.
    #[error("{0:?} is not an IPv6 address (zone identifiers are not allowed)")]
    Ipv6(String),
    /// The port is not a number from 1 to 65535.
    #[error("{0:?} is not a port number")]
    Port(String),
    /// The base path is malformed or contains dot segments.
    #[error("{0:?} is not a usable base path")]
    Path(String),
}

impl Origin {
    /// Parses a configured base URL such as `https://api.example.com/v1`.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the text; see [`OriginError`].
    pub fn parse(url: &str) -> Result<Self, OriginError> {
        if url.is_empty() || url.len() > URL_BYTES_MAX {
            return Err(OriginError::Length);
        }
        if let Some(found) = url.chars().find(|c| !c.is_ascii_graphic() || *c == '\\') {
            return Err(OriginError::Character(found));
        }
        let (scheme, rest) = split_scheme(url)?;
        if rest.contains('#') {
            return Err(OriginError::Fragment);
        }
        if rest.contains('?') {
            return Err(OriginError::Query);
        }
        let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        if authority.contains('@') {
            return Err(OriginError::UserInfo);
        }
        let (host, port) = split_host(authority)?;
        let port = port.map_or(Ok(scheme.default_port()), parse_port)?;
        let base_path = parse_base_path(path)?;
        Ok(Self::assemble(scheme, host, port, base_path))
    }

    fn assemble(scheme: Scheme, host: Host, port: u16, base_path: Box<str>) -> Self {
        let authority =
            if port == scheme.default_port() { host.to_string() } else { format!("{host}:{port}") };
        let authority = HeaderValue::try_from(authority).expect("a parsed host is visible ASCII");
        Self { scheme, host, port, base_path, authority }
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The port, explicit or by scheme.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path that comes before every call's own, empty for none, never ending with a slash.
    pub fn base_path(&self) -> &str {
        &self.base_path
    }

    /// Whether both have the same scheme, host and port, whatever their base paths.
    pub fn same_origin(&self, other: &Self) -> bool {
        self.port == other.port && self.scheme == other.scheme && self.host == other.host
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// The value of `Host` and `:authority`.
    pub fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    /// The base path followed by a call's own path and query.
    ///
    /// # Errors
    ///
    /// When the two together are too long for a path.
    pub fn join(&self, path: &PathAndQuery) -> Result<PathAndQuery, http::uri::InvalidUri> {
        if self.base_path.is_empty() && path.as_str().starts_with('/') {
            return Ok(path.clone());
        }
        let path = path.as_str();
        let mut joined = Vec::with_capacity(self.base_path.len() + 1 + path.len());
        joined.extend_from_slice(self.base_path.as_bytes());
        if !path.starts_with('/') {
            joined.push(b'/');
        }
        joined.extend_from_slice(path.as_bytes());
        PathAndQuery::from_maybe_shared(Bytes::from(joined))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.authority.to_str().unwrap_or_default();
        write!(f, "{}://{}{}", self.scheme.as_str(), authority, self.base_path)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}

impl std::str::FromStr for Origin {
    type Err = OriginError;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        Self::parse(url)
    }
}

fn split_scheme(url: &str) -> Result<(Scheme, &str), OriginError> {
    let (scheme, rest) = url.split_once("://").ok_or(OriginError::SchemeMissing)?;
    if scheme.eq_ignore_ascii_case("https") {
        Ok((Scheme::Https, rest))
    } else if scheme.eq_ignore_ascii_case("http") {
        Ok((Scheme::Http, rest))
    } else {
        Err(OriginError::Scheme(scheme.to_owned()))
    }
}

fn split_host(authority: &str) -> Result<(Host, Option<&str>), OriginError> {
    if let Some(inner) = authority.strip_prefix('[') {
        let (address, after) =
            inner.split_once(']').ok_or_else(|| OriginError::Ipv6(authority.to_owned()))?;
        let address: Ipv6Addr = address.parse().map_err(|_| OriginError::Ipv6(address.to_owned()))?;
        let port = match after.strip_prefix(':') {
            Some(port) => Some(port),
            None if after.is_empty() => None,
            None => return Err(OriginError::Host(authority.to_owned())),
        };
        return Ok((Host::Address(address.into()), port));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    Ok((parse_host(host)?, port))
}

fn parse_host(host: &str) -> Result<Host, OriginError> {
    if host.is_empty() {
        return Err(OriginError::HostMissing);
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Ok(Host::Address(address.into()));
    }
    let name = host.to_ascii_lowercase();
    let valid = name.len() <= HOST_BYTES_MAX && name.split('.').all(is_label);
    if !valid {
        return Err(OriginError::Host(name));
    }
    // The system resolver reads `127.1`, `0x7f.1` and `2130706433` as addresses.
    if name.rsplit('.').next().is_some_and(is_numeric_label) {
        return Err(OriginError::NumericHost(name));
    }
    Ok(Host::Name(name.into()))
}

fn is_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=LABEL_BYTES_MAX).contains(&label.len())
        && label.bytes().all(allowed)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn is_numeric_label(label: &str) -> bool {
    label.bytes().all(|byte| byte.is_ascii_digit())
        || label.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn parse_port(port: &str) -> Result<u16, OriginError> {
    let invalid = || OriginError::Port(port.to_owned());
    if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid());
    }
    port.parse().ok().filter(|port| *port != 0).ok_or_else(invalid)
}

fn parse_base_path(path: &str) -> Result<Box<str>, OriginError> {
    let path = path.trim_end_matches('/');
    let invalid = || OriginError::Path(path.to_owned());
    let has_dots = path.split('/').any(|segment| {
        let decoded = segment.to_ascii_lowercase().replace("%2e", ".");
        decoded == "." || decoded == ".."
    });
    if has_dots || path.contains("//") {
        return Err(invalid());
    }
    if !path.is_empty() {
        path.parse::<PathAndQuery>().map_err(|_| invalid())?;
    }
    Ok(path.into())
}

#[cfg(test)]
mod tests;
