//! An issuer that signs what the tests want.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub(super) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Keys of three kinds.
pub(super) struct Authority {
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

impl Authority {
    pub(super) fn new() -> Self {
        Self {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            ed: Ed25519KeyPair::generate().unwrap(),
        }
    }

    /// The public keys as the issuer publishes them.
    pub(super) fn keys(&self) -> Vec<Value> {
        // PKCS #1: the modulus of 2048 bits, then the exponent of three bytes behind its tag and length.
        let rsa = self.rsa.public_key().as_ref();
        let (rest, e) = rsa.split_at(rsa.len() - 3);
        let n = &rest[rest.len() - 2 - 256..rest.len() - 2];
        let point = self.ec.public_key().as_ref();
        vec![
            json!({"kty": "RSA", "kid": "r", "use": "sig", "n": base64url(n), "e": base64url(e)}),
            json!({"kty": "EC", "kid": "e", "crv": "P-256", "x": base64url(&point[1..33]), "y": base64url(&point[33..])}),
            json!({"kty": "OKP", "kid": "d", "crv": "Ed25519", "alg": "EdDSA", "x": base64url(self.ed.public_key())}),
        ]
    }

    pub(super) fn published(&self) -> String {
        json!({"keys": self.keys()}).to_string()
    }

    /// A token of these claims, signed by the key of the name.
    pub(super) fn token(&self, key: &str, claims: &Value) -> String {
        let algorithm = match key {
            "r" => "RS256",
            "e" => "ES256",
            _ => "EdDSA",
        };
        self.signed(&json!({"alg": algorithm, "typ": "JWT", "kid": key}).to_string(), &claims.to_string())
    }

    /// A token of this header and body, signed by what the header says.
    pub(super) fn signed(&self, head: &str, body: &str) -> String {
        let signed = format!("{}.{}", base64url(head), base64url(body));
        let algorithm = serde_json::from_str::<Value>(head).map_or(Value::Null, |head| head["alg"].clone());
        let signature = self.signature(algorithm.as_str().unwrap_or_default(), signed.as_bytes());
        format!("{signed}.{}", base64url(signature))
    }

    fn signature(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let mut rsa = vec![0; self.rsa.public_modulus_len()];
        match algorithm {
            "ES256" => self.ec.sign(&random, message).unwrap().as_ref().to_vec(),
            "EdDSA" => self.ed.sign(message).as_ref().to_vec(),
            "PS256" => {
                self.rsa.sign(&RSA_PSS_SHA256, &random, message, &mut rsa).unwrap();
                rsa
            }
            _ => {
                self.rsa.sign(&RSA_PKCS1_SHA256, &random, message, &mut rsa).unwrap();
                rsa
            }
        }
    }
}
