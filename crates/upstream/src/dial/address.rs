//! What kind of place an address is, with embedded IPv4 addresses unwrapped.
//!
//! IPv6 has several forms that carry an IPv4 address; a packet to such a form may arrive at the
//! embedded address, so the stricter class of the two decides.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// What kind of place an address is, from the view of a guarded dialer.
///
/// The order is the order of danger: of two classes that apply, the greater decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressClass {
    /// The public internet.
    Public,
    /// Addresses for documentation and examples.
    Documentation,
    /// Addresses for benchmarks between networks.
    Benchmarking,
    /// Private, carrier-shared, site-local or unique local addresses.
    Private,
    /// This machine.
    Loopback,
    /// This link.
    LinkLocal,
    /// The metadata service of a cloud, wherever it is.
    Metadata,
    /// Many machines at once.
    Multicast,
    /// All machines of a network.
    Broadcast,
    /// No address: systems may take it for this machine.
    Unspecified,
    /// Assigned to no network.
    Reserved,
}

impl AddressClass {
    /// Whether a destination with these permissions may be at such an address.
    pub(crate) fn is_allowed(self, allow_private: bool, allow_link_local: bool) -> bool {
        match self {
            Self::Public => true,
            Self::Documentation | Self::Benchmarking | Self::Private | Self::Loopback => allow_private,
            Self::LinkLocal | Self::Metadata => allow_link_local,
            Self::Multicast | Self::Broadcast | Self::Unspecified | Self::Reserved => false,
        }
    }
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Documentation => "documentation",
            Self::Benchmarking => "benchmarking",
            Self::Private => "private",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link-local",
            Self::Metadata => "cloud metadata",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Unspecified => "unspecified",
            Self::Reserved => "reserved",
        })
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(head: [u16; 4], tail: [u16; 4], prefix: u8) -> Ipv6Net {
    let [a, b, c, d] = head;
    let [e, f, g, h] = tail;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix)
}

/// The first matching row decides. Metadata services stand before the ranges that they lie in.
static IPV4: [(Ipv4Net, AddressClass); 22] = [
    (v4(169, 254, 169, 254, 32), AddressClass::Metadata),
    (v4(169, 254, 170, 0, 24), AddressClass::Metadata),
    (v4(100, 100, 100, 200, 32), AddressClass::Metadata),
    (v4(168, 63, 129, 16, 32), AddressClass::Metadata),
    (v4(192, 0, 0, 192, 32), AddressClass::Metadata),
    (v4(0, 0, 0, 0, 8), AddressClass::Unspecified),
    (v4(10, 0, 0, 0, 8), AddressClass::Private),
    (v4(100, 64, 0, 0, 10), AddressClass::Private),
    (v4(127, 0, 0, 0, 8), AddressClass::Loopback),
    (v4(169, 254, 0, 0, 16), AddressClass::LinkLocal),
    (v4(172, 16, 0, 0, 12), AddressClass::Private),
    (v4(192, 0, 0, 0, 24), AddressClass::Private),
    (v4(192, 0, 2, 0, 24), AddressClass::Documentation),
    (v4(192, 31, 196, 0, 24), AddressClass::Reserved),
    (v4(192, 88, 99, 0, 24), AddressClass::Reserved),
    (v4(192, 168, 0, 0, 16), AddressClass::Private),
    (v4(198, 18, 0, 0, 15), AddressClass::Benchmarking),
    (v4(198, 51, 100, 0, 24), AddressClass::Documentation),
    (v4(203, 0, 113, 0, 24), AddressClass::Documentation),
    (v4(224, 0, 0, 0, 4), AddressClass::Multicast),
    (v4(255, 255, 255, 255, 32), AddressClass::Broadcast),
    (v4(240, 0, 0, 0, 4), AddressClass::Reserved),
];

/// The first matching row decides; what matches none is reserved, because only `2000::/3` is
/// assigned to networks.
static IPV6: [(Ipv6Net, AddressClass); 17] = [
    (v6([0; 4], [0; 4], 128), AddressClass::Unspecified),
    (v6([0; 4], [0, 0, 0, 1], 128), AddressClass::Loopback),
    (v6([0xfd00, 0xec2, 0, 0], [0, 0, 0, 0x254], 128), AddressClass::Metadata),
    (v6([0xfd20, 0xce, 0, 0], [0, 0, 0, 0x254], 128), AddressClass::Metadata),
    (v6([0; 4], [0; 4], 96), AddressClass::Public),
    (v6([0x64, 0xff9b, 0, 0], [0; 4], 96), AddressClass::Public),
    (v6([0x64, 0xff9b, 1, 0], [0; 4], 48), AddressClass::Private),
    (v6([0xfc00, 0, 0, 0], [0; 4], 7), AddressClass::Private),
    (v6([0xfe80, 0, 0, 0], [0; 4], 10), AddressClass::LinkLocal),
    (v6([0xfec0, 0, 0, 0], [0; 4], 10), AddressClass::Private),
    (v6([0xff00, 0, 0, 0], [0; 4], 8), AddressClass::Multicast),
    (v6([0x2001, 2, 0, 0], [0; 4], 48), AddressClass::Benchmarking),
    (v6([0x2001, 0x10, 0, 0], [0; 4], 28), AddressClass::Reserved),
    (v6([0x2001, 0x20, 0, 0], [0; 4], 28), AddressClass::Reserved),
    (v6([0x2001, 0xdb8, 0, 0], [0; 4], 32), AddressClass::Documentation),
    (v6([0x3fff, 0, 0, 0], [0; 4], 20), AddressClass::Documentation),
    (v6([0x2000, 0, 0, 0], [0; 4], 3), AddressClass::Public),
];

/// Says what kind of place an address is.
///
/// An IPv6 address that carries an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo, ISATAP)
/// has the more dangerous class of the two.
pub fn classify(address: IpAddr) -> AddressClass {
    match address {
        IpAddr::V4(address) => classify_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => classify_v4(mapped),
            None => embedded_v4(address)
                .into_iter()
                .flatten()
                .map(classify_v4)
                .fold(classify_v6(address), AddressClass::max),
        },
    }
}

fn classify_v4(address: Ipv4Addr) -> AddressClass {
    IPV4.iter().find(|(net, _)| net.contains(&address)).map_or(AddressClass::Public, |(_, class)| *class)
}

fn classify_v6(address: Ipv6Addr) -> AddressClass {
    IPV6.iter().find(|(net, _)| net.contains(&address)).map_or(AddressClass::Reserved, |(_, class)| *class)
}

/// The IPv4 addresses that a packet to this address may end at.
fn embedded_v4(address: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let words = address.segments();
    let pair = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match words {
        // Loopback and unspecified share the compatible prefix and are no IPv4 addresses.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => [None, None],
        // IPv4-compatible, NAT64 and NAT64 for local use.
        [0, 0, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low] => [Some(pair(high, low)), None],
        // 6to4.
        [0x2002, high, low, ..] => [Some(pair(high, low)), None],
        // Teredo: the server in clear, the client inverted.
        [0x2001, 0, server_high, server_low, _, _, high, low] => {
            [Some(pair(server_high, server_low)), Some(pair(!high, !low))]
        }
        // ISATAP, with either value of the universal bit.
        [.., 0 | 0x200, 0x5efe, high, low] => [Some(pair(high, low)), None],
        _ => [None, None],
    }
}

#[cfg(test)]
mod tests;
