//! What an issuer publishes (RFC 7517, RFC 7518 6): keys that verify, and nothing else.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::settings::Algorithm;

/// The largest answer that holds keys, in bytes.
pub(crate) const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// The most keys of an issuer.
const KEYS_MAX: usize = 100;
/// RSA keys below this are refused (NIST SP 800-131A).
const RSA_BITS_MIN: usize = 2048;
/// A larger public exponent makes verifying slow.
const EXPONENT_BYTES_MAX: usize = 4;

/// A key that verifies.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) id: Option<String>,
    /// The one algorithm that it is for, where the issuer says so.
    only: Option<Algorithm>,
    material: Material,
}

#[derive(Clone, Debug)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// The keys of a set that verify signatures. Others in it are for somebody else.
///
/// # Errors
///
/// When it is no set of keys, or holds a private or shared one: then whoever reads the address can sign.
pub(crate) fn parse(text: &[u8]) -> Result<Vec<Key>, &'static str> {
    if text.len() > ANSWER_BYTES_MAX {
        return Err("the set of keys is too large");
    }
    let set: Value = serde_json::from_slice(text).map_err(|_| "the set of keys is not JSON")?;
    let listed = set.get("keys").and_then(Value::as_array).ok_or("there is no list of keys")?;
    if listed.len() > KEYS_MAX {
        return Err("the set has too many keys");
    }
    if listed.iter().any(|key| key.get("d").is_some() || key.get("k").is_some()) {
        return Err("the set shows a private key, which is no secret any more");
    }
    let keys: Vec<Key> = listed.iter().filter_map(Key::parse).collect();
    if keys.is_empty() { Err("no key of the set verifies signatures") } else { Ok(keys) }
}

impl Key {
    fn parse(key: &Value) -> Option<Self> {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        if key.get("use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        if let Some(allowed) = key.get("key_ops").and_then(Value::as_array)
            && !allowed.iter().any(|operation| operation == "verify")
        {
            return None;
        }
        let only = match key.get("alg") {
            None => None,
            Some(name) => Some(Algorithm::of_name(name.as_str()?)?),
        };
        let point = |size: usize| {
            let (x, y) = (bytes("x")?, bytes("y")?);
            (x.len() == size && y.len() == size).then(|| [&[4][..], &x, &y].concat())
        };
        let material = match (text("kty")?, text("crv")) {
            ("RSA", _) => rsa(bytes("n")?, bytes("e")?)?,
            ("EC", Some("P-256")) => Material::P256(point(32)?),
            ("EC", Some("P-384")) => Material::P384(point(48)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes("x").filter(|x| x.len() == 32)?),
            _ => return None,
        };
        Some(Self { id: text("kid").map(str::to_owned), only, material })
    }

    /// Whether the key may be asked about signatures of an algorithm: its kind decides, never the token.
    pub(crate) fn is_for(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        let fits = match self.material {
            Material::Rsa { .. } => matches!(algorithm, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512),
            Material::P256(_) => algorithm == Es256,
            Material::P384(_) => algorithm == Es384,
            Material::Ed25519(_) => algorithm == EdDsa,
        };
        fits && self.only.is_none_or(|only| only == algorithm)
    }

    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let by = |kind: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(kind, key).verify(message, signature).is_ok()
        };
        if !self.is_for(algorithm) {
            return false;
        }
        match &self.material {
            Material::P256(point) => by(&ECDSA_P256_SHA256_FIXED, point),
            Material::P384(point) => by(&ECDSA_P384_SHA384_FIXED, point),
            Material::Ed25519(key) => by(&ED25519, key),
            Material::Rsa { n, e } => rsa_parameters(algorithm)
                .is_some_and(|kind| RsaPublicKeyComponents { n, e }.verify(kind, message, signature).is_ok()),
        }
    }
}

fn rsa(n: Vec<u8>, e: Vec<u8>) -> Option<Material> {
    let leading = n.first()?.leading_zeros();
    let bits = n.len().checked_mul(8)?.checked_sub(usize::try_from(leading).ok()?)?;
    (bits >= RSA_BITS_MIN && e.len() <= EXPONENT_BYTES_MAX).then_some(Material::Rsa { n, e })
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => return None,
    })
}
