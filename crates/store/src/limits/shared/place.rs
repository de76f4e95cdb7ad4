//! Where a bucket is kept in the shared store.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use gatewright::TenantId;
use gatewright::service::limits::{BucketKey, Claim};
use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use super::super::{INLINE_CLAIMS, slots_of};

/// The layout's version. A key of another version is another bucket.
const LAYOUT: &str = "gw1";
/// A longer name stands in a key by its hash.
const NAME_BYTES_MAX: usize = 96;
/// The script counts in floating point, which is exact below this.
pub(super) const AMOUNT_MAX: u64 = (1 << 53) - 1;

/// A bucket in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) key: String,
    /// The width of a slot in microseconds; zero for what is held and given back.
    pub(super) slot_us: u64,
    pub(super) slots: u16,
}

/// What one call wants of one bucket.
#[derive(Debug)]
pub(super) struct Want {
    pub(super) place: Place,
    /// The positions, in the call, of the claims on this bucket; at least one.
    pub(super) claims: SmallVec<[usize; 2]>,
    pub(super) need: u64,
    pub(super) limit: u64,
}

/// What belongs to a tenant lies together, on one node of a cluster: keys have its name in braces.
pub(super) fn tag(tenant: &TenantId) -> Arc<str> {
    format!("{LAYOUT}:{{{}}}", name(tenant.as_str())).into()
}

/// The tenant's tickets by the time at which they end.
pub(super) fn tickets(tag: &str) -> String {
    format!("{tag}:tickets")
}

/// A ticket.
pub(super) fn ticket(tag: &str, id: &str) -> String {
    format!("{tag}:ticket:{id}")
}

/// The replicas that share the store.
pub(super) fn replicas() -> String {
    format!("{LAYOUT}:replicas")
}

impl Place {
    fn of(tag: &str, key: &BucketKey) -> Self {
        let (slot_us, slots) = key.window.map_or((0, 0), |width| (slot_us(width), slots_of(width)));
        let window = key.window.map_or(0, |width| width.as_millis());
        let (rule, label) = (name(&key.rule), name(&key.label));
        let key = format!("{tag}:{rule}:{label}:{}:{window}", key.dimension.as_str());
        Self { key, slot_us, slots }
    }
}

/// One want per bucket. Claims on the same bucket become one: their needs together under the lower limit.
pub(super) fn wants(tag: &str, claims: &[Claim]) -> SmallVec<[Want; INLINE_CLAIMS]> {
    let mut wants: SmallVec<[Want; INLINE_CLAIMS]> = SmallVec::with_capacity(claims.len());
    for (claim, Claim { key, limit, need }) in claims.iter().enumerate() {
        let place = Place::of(tag, key);
        match wants.iter_mut().find(|want| want.place == place) {
            None => {
                let claims = SmallVec::from_slice(&[claim]);
                let (need, limit) = ((*need).min(AMOUNT_MAX + 1), (*limit).min(AMOUNT_MAX));
                wants.push(Want { place, claims, need, limit });
            }
            Some(want) => {
                want.claims.push(claim);
                want.need = want.need.saturating_add(*need).min(AMOUNT_MAX + 1);
                want.limit = want.limit.min(*limit);
            }
        }
    }
    wants
}

fn slot_us(width: Duration) -> u64 {
    let micros = u64::try_from(width.as_micros()).unwrap_or(u64::MAX);
    // Rounded up: a longer window is the safe side.
    micros.div_ceil(u64::from(slots_of(width))).max(1)
}

/// A name that keeps the parts of a key apart, and braces out of it.
fn name(text: &str) -> String {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@' | b'/');
    if text.len() > NAME_BYTES_MAX {
        return format!("#{:x}", Sha256::digest(text));
    }
    let mut name = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_plain(byte) {
            name.push(char::from(byte));
        } else {
            let _written = write!(name, "%{byte:02x}");
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn different_names_stay_different_and_have_no_mark_of_a_key() {
        let texts = ["a", "a:b", "a%3ab", "a{b}", "", "#", "ä", &"x".repeat(97), &"x".repeat(98)];
        let names: Vec<_> = texts.iter().map(|text| name(text)).collect();
        let distinct: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), texts.len(), "{names:?}");
        assert!(names.iter().all(|name| !name.contains([':', '{', '}'])), "{names:?}");
    }
}
