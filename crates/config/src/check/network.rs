//! Addresses: listeners that collide, and providers that cannot be reached or should not be.

use std::net::{IpAddr, SocketAddr};

use gatewright::http::Uri;
use gatewright::http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue,
    TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

use super::{entries, items};
use crate::located::{Node, Value};
use crate::position::{KeyPath, Position};
use crate::problem::Problems;
use crate::unit::{parse_base_url, parse_duration, parse_size};

/// Two listeners on one address, bounds that let nothing through, and an admin listener that
/// strangers can reach.
pub(super) fn listeners(root: &Node, problems: &mut Problems) {
    let mut taken: Vec<(SocketAddr, &str)> = Vec::new();
    let admin_path = KeyPath::root().key("admin");
    let admin = root.get("admin").into_iter().map(|admin| (admin_path.clone(), admin));
    for (path, listener) in items(root, "listeners").chain(admin) {
        if let Some(limits) = listener.get("limits") {
            sizes(limits, &path.key("limits"), problems);
        }
        let Some((address, at)) = address(listener) else { continue };
        if let Some((_, first)) = taken.iter().find(|(other, _)| collide(*other, address)) {
            problems.error(at, &path.key("address"), format!("{address} is taken by the listener `{first}`"));
        }
        taken.push((address, listener.get("name").and_then(Node::text).unwrap_or("admin")));
    }
    if let Some((address, at)) = root.get("admin").and_then(address)
        && !address.ip().is_loopback()
    {
        let message = "the admin listener has no access control and is reachable from other machines";
        problems.warning(at, &admin_path.key("address"), message);
    }
}

/// Origins that an instance may call: URLs without a path.
pub(super) fn egress(root: &Node, problems: &mut Problems) {
    for (path, instance) in items(root, "extensions") {
        for list in ["egress", "egress_metadata"] {
            origins(instance.get(list).map(Node::items).unwrap_or_default(), &path.key(list), problems);
        }
    }
}

fn origins(nodes: &[Node], path: &KeyPath, problems: &mut Problems) {
    for (place, node) in nodes.iter().enumerate() {
        let Some(text) = node.text() else { continue };
        match parse_base_url(text) {
            Err(message) => problems.error(node.at, &path.item(place), message),
            Ok(url) if url.path().trim_matches('/').is_empty() => {}
            Ok(_) => {
                let message = "an origin has no path: write scheme, host and port only";
                problems.error(node.at, &path.item(place), message);
            }
        }
    }
}

fn sizes(limits: &Node, path: &KeyPath, problems: &mut Problems) {
    let ranges = [
        ("header_bytes_max", 8 << 10, 1 << 20, "8KiB to 1MiB"),
        ("body_bytes_max", 1, u64::MAX, "1 byte up"),
        ("upload_lead_bytes_max", 1 << 10, 1 << 30, "1KiB to 1GiB"),
    ];
    for (key, least, most, words) in ranges {
        let Some(node) = limits.get(key) else { continue };
        let bytes = match &node.value {
            Value::Number(number) => number.as_u64(),
            Value::Text(text) => parse_size(&text.text).ok(),
            Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => None,
        };
        if bytes.is_some_and(|bytes| !(least..=most).contains(&bytes)) {
            problems.error(node.at, &path.key(key), format!("expected a size from {words}"));
        }
    }
}

fn address(listener: &Node) -> Option<(SocketAddr, Position)> {
    let node = listener.get("address")?;
    Some((node.text()?.parse().ok()?, node.at))
}

/// Port 0 never collides; an unspecified address stands for all of its family.
fn collide(one: SocketAddr, two: SocketAddr) -> bool {
    let covers =
        |one: IpAddr, two: IpAddr| one == two || (one.is_unspecified() && one.is_ipv4() == two.is_ipv4());
    one.port() != 0 && one.port() == two.port() && (covers(one.ip(), two.ip()) || covers(two.ip(), one.ip()))
}

/// Headers that cannot be sent, private addresses without leave, credentials in the clear, timeouts
/// that cannot pass.
pub(super) fn providers(root: &Node, problems: &mut Problems) {
    for (path, _, provider) in entries(root, "providers") {
        if let Some(timeouts) = provider.get("timeouts") {
            steps_within_total(timeouts, &path.key("timeouts"), problems);
        }
        for entry in provider.get("headers").map(Node::entries).unwrap_or_default() {
            let path = path.key("headers").key(&entry.key);
            if let Some(Err(message)) = entry.value.text().map(|value| header(&entry.key, value)) {
                problems.error(entry.key_at, &path, message);
            }
        }
        let Some(node) = provider.get("base_url") else { continue };
        let Some(Ok(url)) = node.text().map(parse_base_url) else { continue };
        let path = path.key("base_url");
        let private = is_private(&url);
        let allowed = provider.get("allow_private").is_some_and(|flag| flag.value == Value::Bool(true));
        if private && !allowed {
            let message =
                "the address is private and connections to it are refused; set `allow_private: true`";
            problems.warning(node.at, &path, message);
        }
        if !private && url.scheme_str() == Some("http") && provider.get("api_key").is_some() {
            problems.warning(node.at, &path, "the credential travels unencrypted; use https");
        }
    }
}

/// Headers that the gateway writes itself, because framing, routing or the credential hang on them.
const OWN_HEADERS: [HeaderName; 10] = [
    ACCEPT_ENCODING,
    AUTHORIZATION,
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    HOST,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Reads a further header of a provider.
///
/// # Errors
///
/// What is wrong with it; the value is not shown.
pub(crate) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    let name = HeaderName::try_from(name).map_err(|_| "not a header name")?;
    if OWN_HEADERS.contains(&name) {
        return Err("the gateway writes this header itself; the credential belongs in `api_key`");
    }
    let value =
        HeaderValue::try_from(value).map_err(|_| "the value has characters that no header can carry")?;
    Ok((name, value))
}

/// Whether the host is an address, or the name, of this machine or a private network. Other names
/// are resolved when a connection is made, and checked then.
fn is_private(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || address.is_unspecified()
        }
        Ok(IpAddr::V6(address)) => {
            address.is_loopback()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_unspecified()
        }
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

/// A step that may take longer than the whole call is cut by the whole call.
fn steps_within_total(timeouts: &Node, path: &KeyPath, problems: &mut Problems) {
    let read = |node: &Node| parse_duration(node.text()?).ok();
    let defaults = gatewright_policy::Timeouts::default();
    let total = timeouts.get("total").and_then(read).unwrap_or(defaults.total);
    for step in ["connect", "tls", "first_byte", "gap"] {
        let Some(node) = timeouts.get(step) else { continue };
        if read(node).is_some_and(|step| step > total) {
            problems.warning(
                node.at,
                &path.key(step),
                "the step may take longer than `total`, which cuts it",
            );
        }
    }
}
