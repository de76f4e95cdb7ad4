//! What is asked of whom, and what becomes of the answers.

use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use gatewright::prelude::*;
use gatewright::{CredentialQuery, Found, ProviderName, Shown};
use gatewright_testkit::extension::{self, EnvBuilder, TestEnv, principal};
use serde_json::{Value, json};

use crate::VertexCredentials;

const TOKEN_URL: &str = "https://oauth2.example/token";
const METADATA: &str =
    "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token";

fn key() -> KeyPair {
    KeyPair::generate(KeySize::Rsa2048).unwrap()
}

fn key_file(key: &KeyPair) -> Value {
    let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
    let body = BASE64_STANDARD.encode(der.as_ref());
    json!({
        "type": "service_account",
        "client_email": "gate@acme.example",
        "private_key_id": "k1",
        "private_key": format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"),
        "token_uri": TOKEN_URL,
    })
}

fn bed(file: &Value) -> TestEnv {
    EnvBuilder::default().secret("account", &file.to_string()).build()
}

async fn ask(bed: &TestEnv, settings: Value) -> HookResult<Option<Found>> {
    let found: VertexCredentials = extension::create_in(bed.env(), settings).await.expect("valid settings");
    let (caller, provider) = (principal(), ProviderName::new("vertex"));
    let query = CredentialQuery {
        principal: &caller,
        provider: &provider,
        base_url: "https://vertex.example/v1",
        model: "gemini",
    };
    found.credential(&query).await
}

fn token(expires_in: u64) -> String {
    json!({"access_token": "ya29.token", "expires_in": expires_in, "token_type": "Bearer"}).to_string()
}

#[tokio::test]
async fn a_service_account_signs_for_its_token() {
    let key = key();
    let bed = bed(&key_file(&key));
    bed.http.answer(TOKEN_URL, 200, token(3_600));
    let found = ask(&bed, json!({"service_account": "account"})).await.unwrap().expect("a token");
    assert_eq!(found.keep, Duration::from_secs(3_300));
    let Shown::ApiKey(secret) = &found.credential else { panic!("a key") };
    assert_eq!(secret.expose(), "ya29.token");
    let sent = bed.http.calls()[0].text();
    let assertion = sent.split_once("assertion=").unwrap().1;
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref());
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    public.verify(signed.as_bytes(), &signature).expect("its own signature");
    let part = |index: usize| -> Value {
        let part = BASE64_URL_SAFE_NO_PAD.decode(signed.split('.').nth(index).unwrap()).unwrap();
        serde_json::from_slice(&part).unwrap()
    };
    assert_eq!((&part(0)["alg"], &part(0)["kid"]), (&json!("RS256"), &json!("k1")));
    let claims = part(1);
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!("gate@acme.example"), &json!(TOKEN_URL)));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3_600);
}

#[tokio::test]
async fn the_machines_account_is_asked_for_by_the_header_that_its_server_wants() {
    let bed = EnvBuilder::default().build();
    bed.http.answer(METADATA, 200, token(100));
    let found = ask(&bed, json!({})).await.unwrap().expect("a token");
    assert_eq!(found.keep, Duration::ZERO, "it ends within the margin");
    assert_eq!(bed.http.calls()[0].headers["metadata-flavor"], "Google");
}

#[tokio::test]
async fn what_is_no_token_is_a_failure_that_quotes_nothing() {
    for (status, body) in
        [(403, "account gate@acme.example"), (200, "{}"), (200, r#"{"access_token":"a\n","expires_in":9}"#)]
    {
        let bed = EnvBuilder::default().build();
        bed.http.answer(METADATA, status, body.to_owned());
        let failure = ask(&bed, json!({})).await.unwrap_err().to_string();
        assert!(!failure.contains("acme"), "{failure}");
    }
}

#[tokio::test]
async fn key_files_that_cannot_sign_are_refused_when_the_configuration_is_read() {
    let good = key_file(&key());
    for (member, value) in [
        ("type", json!("authorized_user")),
        ("private_key", json!("-----BEGIN PRIVATE KEY-----\nQUJD\n-----END PRIVATE KEY-----")),
        ("client_email", Value::Null),
    ] {
        let mut file = good.clone();
        file[member] = value;
        let settings = json!({"service_account": "account"});
        let refused = extension::create_in::<VertexCredentials>(bed(&file).env(), settings).await;
        assert!(refused.is_err(), "{member}");
    }
    let missing =
        extension::create_in::<VertexCredentials>(bed(&good).env(), json!({"service_account": "x"})).await;
    assert!(missing.is_err());
}
