//! The signature by which a webhook knows that a call is ours, and that nobody plays an old one again: one for
//! all extensions that call webhooks, so that a receiver needs to know one.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::Secret;

/// The header that carries a signature.
pub const HEADER: &str = "x-gatewright-signature";

/// Signs a body: `t=SECONDS,v1=HEX`, where SECONDS is the Unix time and HEX the HMAC-SHA256 of `SECONDS.BODY` under
/// the secret.
///
/// A receiver compares in constant time, and refuses a call whose SECONDS are long past.
#[must_use]
pub fn sign(secret: &Secret, now: SystemTime, body: &[u8]) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes a key of any length");
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    let digest = mac.finalize().into_bytes();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use crate::Secret;

    #[test]
    fn a_signature_is_what_any_tool_makes_of_time_and_body() {
        let secret = Secret::new("key".to_owned());
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac key
        let expected = "t=1700000000,v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae";
        assert_eq!(super::sign(&secret, now, b"{}"), expected);
    }
}
