//! The form of a host with an optional port.

use super::violation::Violation;

/// Bytes of a host name with its port: 253 for a name, and room for brackets and a port.
const AUTHORITY_BYTES_MAX: usize = 262;

/// Accepts a name, an IPv4 address or a bracketed IPv6 address, with an optional port. Narrower than the
/// grammar of URIs: the characters that it allows in names besides these occur in attacks only.
///
/// # Errors
/// [`Violation::Host`].
pub(super) fn check(authority: &[u8]) -> Result<(), Violation> {
    if authority.len() > AUTHORITY_BYTES_MAX {
        return Err(Violation::Host);
    }
    let port = match authority {
        [b'[', rest @ ..] => {
            let end = rest.iter().position(|&b| b == b']').ok_or(Violation::Host)?;
            let (address, port) = rest.split_at(end);
            let text = std::str::from_utf8(address).map_err(|_| Violation::Host)?;
            text.parse::<std::net::Ipv6Addr>().map_err(|_| Violation::Host)?;
            port.get(1..).unwrap_or_default()
        }
        name => {
            let end = name.iter().position(|&b| b == b':').unwrap_or(name.len());
            let (name, port) = name.split_at(end);
            if name.is_empty() || !name.iter().all(|&b| is_name_byte(b)) {
                return Err(Violation::Host);
            }
            port
        }
    };
    match port {
        [] => Ok(()),
        [b':', digits @ ..] if is_port(digits) => Ok(()),
        _ => Err(Violation::Host),
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn is_port(digits: &[u8]) -> bool {
    let value = digits.iter().try_fold(0u32, |value, byte| match byte {
        b'0'..=b'9' => Some((value * 10 + u32::from(byte - b'0')).min(u32::from(u16::MAX) + 1)),
        _ => None,
    });
    !digits.is_empty() && digits.len() <= 5 && value.is_some_and(|value| value <= u32::from(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_hosts_with_an_optional_port_and_nothing_else() {
        let good =
            ["a", "a.example", "a_b.example:80", "127.0.0.1:65535", "[::1]", "[2001:db8::1]:443", "~x-1."];
        let bad = [
            "",
            ":80",
            "a:",
            "a:b",
            "a:65536",
            "a:000080",
            "a:1:2",
            "a/x?y",
            "u@a",
            "a b",
            "a,b",
            "[::1",
            "::1",
            "[::1]x",
            "[::1]:",
            "[g::]",
            "[]",
            "a\t",
            "a%2e",
            "\u{e9}",
            "[::1%eth0]",
        ];
        for host in good {
            assert_eq!(check(host.as_bytes()), Ok(()), "{host}");
        }
        for host in bad {
            assert_eq!(check(host.as_bytes()), Err(Violation::Host), "{host}");
        }
    }

    #[test]
    fn refuses_a_host_longer_than_any_name() {
        assert_eq!(check(&[b'a'; 300]), Err(Violation::Host));
    }
}
