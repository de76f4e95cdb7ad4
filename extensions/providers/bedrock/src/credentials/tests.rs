//! Access keys from where a platform has them: a profile, a web identity, a container, an instance, a role.

use gatewright::{Principal, ProviderName};
use gatewright_testkit::extension::{self, EnvBuilder, TestEnv};
use serde_json::{Value, json};

use super::*;

const STS: &str = "https://sts.eu-west-1.amazonaws.com/";

/// A key as the token service gives it, good until long after any test.
const XML: &str = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA1</AccessKeyId>\
    <SecretAccessKey>s/1</SecretAccessKey><SessionToken>t=1</SessionToken>\
    <Expiration>2999-01-02T03:04:05Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";

fn bed() -> TestEnv {
    EnvBuilder::default()
        .secret("key", "AKID:secret")
        .secret("file", "[default]\naws_access_key_id = A\n[profile team]\n# no\naws_access_key_id=B\naws_secret_access_key = b/c\n")
        .secret("token", "jwt.a-b\n")
        .build()
}

async fn found(bed: &TestEnv, settings: Value) -> Result<Option<Found>, ExtError> {
    let source: BedrockCredentials = extension::create_in(bed.env(), settings).await.expect("valid settings");
    let (principal, provider) = (Principal::new("t".into(), "k"), ProviderName::new("p"));
    let query = CredentialQuery {
        principal: &principal,
        provider: &provider,
        base_url: "https://x.test",
        model: "m",
    };
    source.credential(&query).await
}

async fn key(bed: &TestEnv, settings: Value) -> String {
    let found = found(bed, settings).await.expect("it is found").expect("there is one");
    let Shown::ApiKey(secret) = found.credential else { panic!("no key") };
    secret.expose().to_owned()
}

#[tokio::test]
async fn a_key_comes_from_a_secret_or_a_profile() {
    assert_eq!(key(&bed(), json!({"from": {"key": "key"}})).await, "AKID:secret");
    let profile = json!({"from": {"profile": {"file": "file", "name": "team"}}});
    assert_eq!(key(&bed(), profile).await, "B:b/c");
    assert!(found(&bed(), json!({"from": {"profile": {"file": "file"}}})).await.is_err());
    assert!(found(&bed(), json!({"from": {"key": "none"}})).await.is_err());
}

#[tokio::test]
async fn a_web_identity_is_exchanged_without_a_signature() {
    let bed = bed();
    bed.http.answer(STS, 200, XML);
    let settings = json!({"from": {"web_identity": {"token": "token", "role_arn": "arn:aws:iam::1:role/r"}}, "region": "eu-west-1"});
    assert_eq!(key(&bed, settings).await, "ASIA1:s/1:t=1");
    let calls = bed.http.calls();
    assert!(calls[0].text().contains("RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr"), "{}", calls[0].text());
    assert!(calls[0].text().ends_with("WebIdentityToken=jwt.a-b"));
}

#[tokio::test]
async fn a_role_is_asked_for_with_a_signature_of_the_first_key() {
    let bed = bed();
    bed.http.answer(STS, 200, XML);
    let role = json!({"arn": "arn:aws:iam::1:role/r", "external_id": "e"});
    let settings = json!({"from": {"key": "key"}, "role": role, "region": "eu-west-1"});
    assert_eq!(key(&bed, settings).await, "ASIA1:s/1:t=1");
    assert!(bed.http.calls()[0].text().contains("Action=AssumeRole&"));
}

#[tokio::test]
async fn a_container_and_an_instance_give_keys_with_their_end() {
    let bed = bed();
    let answer = json!({"AccessKeyId": "A", "SecretAccessKey": "s", "Token": "t", "Expiration": "2999-01-01T00:00:00Z"});
    bed.http.answer("http://169.254.170.2/v2/credentials/x", 200, answer.to_string());
    let container =
        json!({"from": {"container": {"url": "http://169.254.170.2/v2/credentials/x", "token": "token"}}});
    let lent = found(&bed, container).await.expect("it is found").expect("there is one");
    assert!(lent.keep > Duration::from_hours(24));
    let root = "http://169.254.169.254/latest";
    bed.http.answer(&format!("{root}/api/token"), 200, "tok");
    bed.http.answer(&format!("{root}/meta-data/iam/security-credentials/"), 200, "role-1\n");
    bed.http.answer(&format!("{root}/meta-data/iam/security-credentials/role-1"), 200, answer.to_string());
    assert_eq!(key(&bed, json!({"from": {"instance": {}}})).await, "A:s:t");
}

#[tokio::test]
async fn a_refusal_is_a_failure_that_tells_no_secret() {
    let bed = bed();
    bed.http.answer(STS, 403, "denied for jwt.a-b");
    let settings =
        json!({"from": {"web_identity": {"token": "token", "role_arn": "r"}}, "region": "eu-west-1"});
    let error = found(&bed, settings).await.expect_err("it is refused");
    assert!(!format!("{error:?}").contains("jwt"), "{error:?}");
}

#[tokio::test]
async fn a_token_service_without_a_region_is_a_mistake_in_the_settings() {
    let settings = json!({"from": {"key": "key"}, "role": {"arn": "r"}});
    let made: Result<BedrockCredentials, _> = extension::create_in(bed().env(), settings).await;
    assert_eq!(made.expect_err("a region is needed").path, "region");
}

#[test]
fn a_key_is_kept_until_shortly_before_it_expires() {
    let now = SystemTime::UNIX_EPOCH;
    assert_eq!(keep(Some(now + Duration::from_mins(15)), now), Duration::from_mins(10));
    assert_eq!(keep(Some(now + Duration::from_mins(2)), now), Duration::ZERO);
    assert_eq!(keep(Some(now), now + Duration::from_mins(2)), Duration::ZERO);
    assert_eq!(keep(None, now), KEEP_PLAIN);
}
