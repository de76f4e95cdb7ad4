//! Addresses: listeners that collide, and providers that cannot be reached or should not be.

use std::net::{IpAddr, SocketAddr};

use gatewright::http::Uri;

use super::{entries, items};
use crate::located::{Node, Value};
use crate::position::{KeyPath, Position};
use crate::problem::Problems;
use crate::unit::parse_base_url;

/// Two listeners on one address, and an admin listener that strangers can reach.
pub(super) fn listeners(root: &Node, problems: &mut Problems) {
    let mut taken: Vec<(SocketAddr, Position)> = Vec::new();
    let admin_path = KeyPath::root().key("admin");
    let admin = root.get("admin").into_iter().map(|admin| (admin_path.clone(), admin));
    for (path, listener) in items(root, "listeners").chain(admin) {
        let Some((address, at)) = address(listener) else { continue };
        if let Some((_, first)) = taken.iter().find(|(other, _)| collide(*other, address)) {
            let message = format!("{address} is taken by the listener on line {}", first.line);
            problems.error(at, &path.key("address"), message);
        }
        taken.push((address, at));
    }
    if let Some((address, at)) = root.get("admin").and_then(address)
        && !address.ip().is_loopback()
    {
        let message = "the admin listener has no access control and is reachable from other machines";
        problems.warning(at, &admin_path.key("address"), message);
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

/// Providers on private addresses without leave, credentials in the clear, timeouts that cannot
/// pass.
pub(super) fn providers(root: &Node, problems: &mut Problems) {
    for (path, _, provider) in entries(root, "providers") {
        if let Some(timeouts) = provider.get("timeouts") {
            steps_within_total(timeouts, &path.key("timeouts"), problems);
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
    let read = |node: &Node| crate::unit::parse_duration(node.text()?).ok();
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
