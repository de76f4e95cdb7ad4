//! Who is let in, and which settings are refused.

use std::sync::Arc;

use gatewright::{AuthVerdict, Authenticator, BuildError, Principal};
use gatewright_testkit::extension::{self, Head};
use serde_json::{Value, json};

use crate::StaticKeys;

async fn created(settings: Value) -> Result<StaticKeys, BuildError> {
    extension::create(settings).await
}

async fn keys() -> StaticKeys {
    let settings = json!({"keys": [
        {
            "key": "sk-alice-0001", "tenant": "acme", "project": "search", "user": "alice",
            "groups": ["staff"], "models": ["small-*"], "tags": {"team": "core", "cost": "42"}
        },
        // The digest of "sk-build-0002".
        {"sha256": "EAECDD810F617D7169DC2F58F4B6D25BC2C528C1E87D107C861BA88EB86BF8B0", "tenant": "acme"},
        {"key": "sk-other-0003", "tenant": "other", "label": "other-ci"},
    ]});
    created(settings).await.expect("the settings are valid")
}

async fn accepted(keys: &StaticKeys, headers: &[(&'static str, &str)]) -> Option<Arc<Principal>> {
    match keys.authenticate(&Head::with(headers).borrow()).await.expect("it does not fail") {
        AuthVerdict::Accept(principal) => Some(principal),
        AuthVerdict::Abstain => None,
        AuthVerdict::Reject(denial) => panic!("{denial:?}"),
    }
}

#[tokio::test]
async fn a_key_is_known_by_either_header() {
    let keys = keys().await;
    for headers in [
        [("authorization", "Bearer sk-other-0003")],
        [("authorization", "bearer  sk-other-0003 ")],
        [("x-api-key", "sk-other-0003")],
    ] {
        let principal = accepted(&keys, &headers).await.expect("it is known");
        assert_eq!((principal.tenant.as_str(), &*principal.key_label), ("other", "other-ci"));
    }
    let both = [("authorization", "Bearer of-another-authenticator"), ("x-api-key", "sk-other-0003")];
    assert!(accepted(&keys, &both).await.is_some());
}

#[tokio::test]
async fn a_key_is_known_by_its_digest() {
    let principal = accepted(&keys().await, &[("x-api-key", "sk-build-0002")]).await.expect("it is known");
    assert_eq!((principal.tenant.as_str(), &*principal.key_label), ("acme", "key-eaecdd81"));
}

#[tokio::test]
async fn a_key_stands_for_its_caller() {
    let principal = accepted(&keys().await, &[("x-api-key", "sk-alice-0001")]).await.expect("it is known");
    assert_eq!(principal.project.as_deref(), Some("search"));
    assert_eq!(principal.user.as_deref(), Some("alice"));
    assert_eq!(principal.groups, [Arc::from("staff")]);
    assert_eq!((principal.tag("team"), principal.tag("cost")), (Some("core"), Some("42")));
    assert!(principal.may_use(&"small-1".into()) && !principal.may_use(&"large-1".into()));
    assert!(principal.key_label.starts_with("key-") && principal.key_label.len() == 12);
}

#[tokio::test]
async fn other_keys_are_left_to_other_authenticators() {
    let keys = keys().await;
    for headers in [
        &[][..],
        &[("authorization", "Bearer sk-alice-0002")],
        &[("authorization", "Basic sk-alice-0001")],
        &[("authorization", "Bearer ")],
        &[("x-api-key", "")],
        &[("x-api-key", "SK-ALICE-0001")],
    ] {
        assert_eq!(accepted(&keys, headers).await, None, "{headers:?}");
    }
}

#[tokio::test]
async fn settings_that_cannot_be_right_are_refused_with_their_place() {
    let cases = [
        (json!({"keys": [{"tenant": "t"}]}), "keys[0]: give either `key` or `sha256`"),
        (
            json!({"keys": [{"tenant": "t", "key": "sk-one-000", "sha256": "00"}]}),
            "keys[0]: give either `key` or `sha256`",
        ),
        (
            json!({"keys": [{"tenant": "t", "key": ""}]}),
            "keys[0].key: a key has at least 8 bytes; is the reference empty?",
        ),
        (
            json!({"keys": [{"tenant": "t", "sha256": "00"}]}),
            "keys[0].sha256: a digest is 64 hexadecimal digits",
        ),
        (
            json!({"keys": [{"tenant": "t", "key": "sk-one-000"}, {"tenant": "u", "key": "sk-one-000"}]}),
            "keys[1]: this key stands in the list already; take one out",
        ),
    ];
    for (settings, message) in cases {
        assert_eq!(created(settings).await.expect_err("it is refused").to_string(), message);
    }
    let unknown = created(json!({"keys": [{"tenant": "t", "key": "sk-one-000", "modles": []}]})).await;
    assert!(unknown.expect_err("it is refused").message.contains("unknown field `modles`"));
}

#[tokio::test]
async fn no_key_can_be_printed() {
    let keys = keys().await;
    assert!(!format!("{keys:?}").contains("sk-"));
}
