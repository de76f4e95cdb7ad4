//! Names and identifiers as types, so that a tenant cannot stand where a route is meant.
//!
//! Names are cheap to clone (one reference count) because the data path keeps them in
//! contexts, records and limiter keys.

use std::fmt;
use std::sync::Arc;

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps a name.
            #[must_use]
            pub fn new(name: &str) -> Self {
                Self(Arc::from(name))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self::new(name)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name_type! {
    /// The isolation domain of a caller. Every cache, limit, vault and record key carries it.
    TenantId
}
name_type! {
    /// A route of the configuration: which chains of instances an exchange runs.
    RouteName
}
name_type! {
    /// A model by its public name, as clients ask for it.
    ModelName
}
name_type! {
    /// A configured provider: base URL, credential, adapter.
    ProviderName
}
name_type! {
    /// One configured instance of an extension.
    InstanceId
}

/// The identity of one exchange: a version 7 UUID (RFC 9562, section 5.7) behind `req_`.
///
/// It is sent to the client as `x-request-id` and stands in every log line and record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId([u8; Self::LEN]);

impl RequestId {
    const PREFIX: &'static [u8; 4] = b"req_";
    const LEN: usize = 36;

    /// Builds an id from the wall clock in milliseconds and 74 random bits.
    #[must_use]
    pub fn new(unix_millis: u64, random: u128) -> Self {
        let time = (u128::from(unix_millis) & 0xffff_ffff_ffff) << 80;
        let version = 7_u128 << 76;
        let variant = 0b10_u128 << 62;
        let random_high = ((random >> 62) & 0xfff) << 64;
        let random_low = random & 0x3fff_ffff_ffff_ffff;
        Self::from_bits(time | version | random_high | variant | random_low)
    }

    fn from_bits(bits: u128) -> Self {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0_u8; Self::LEN];
        let (prefix, digits) = text.split_at_mut(Self::PREFIX.len());
        prefix.copy_from_slice(Self::PREFIX);
        for (place, digit) in digits.iter_mut().enumerate() {
            let nibble = (bits >> (124 - 4 * place)) & 0xf;
            *digit = HEX[usize::try_from(nibble).unwrap_or(0)];
        }
        Self(text)
    }

    /// The id as text, for example `req_0193b8d06f3a7c519a7d3c2b1e0f4a55`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("req_")
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::RequestId;

    #[test]
    fn request_ids_carry_version_variant_and_time() {
        let id = RequestId::new(0x0193_b8d0_6f3a, u128::MAX);
        assert_eq!(id.as_str(), "req_0193b8d06f3a7fffbfffffffffffffff");
    }

    #[test]
    fn request_ids_sort_by_time() {
        assert!(RequestId::new(1, u128::MAX) < RequestId::new(2, 0));
    }
}
