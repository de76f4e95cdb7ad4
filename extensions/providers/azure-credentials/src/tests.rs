//! What is asked of whom, and what becomes of the answers.

use std::collections::HashMap;

use gatewright::ProviderName;
use gatewright_testkit::extension::{self, EnvBuilder, TestEnv, principal};
use serde_json::{Value, json};

use super::*;

const TOKEN_URL: &str = "https://login.microsoftonline.com/acme.example/oauth2/v2.0/token";
const MACHINE: &str = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fcognitiveservices.azure.com";

fn bed() -> TestEnv {
    EnvBuilder::default().secret("client", "p&ss=wörd").secret("federated", "ey.J\n").build()
}

async fn ask(bed: &TestEnv, settings: Value) -> HookResult<Option<Found>> {
    let found: AzureCredentials = extension::create_in(bed.env(), settings).await.expect("valid settings");
    let (caller, provider) = (principal(), ProviderName::new("azure"));
    let query = CredentialQuery {
        principal: &caller,
        provider: &provider,
        base_url: "https://acme.openai.azure.com",
        model: "gpt",
    };
    found.credential(&query).await
}

fn principal_by(secret: &str) -> Value {
    json!({"tenant": "acme.example", "client_id": "app", (secret): if secret == "client_secret" { "client" } else { "federated" }})
}

fn shown(found: &Found) -> (&str, &[u8], bool) {
    let Shown::Header(name, value) = &found.credential else { panic!("a header") };
    (name.as_str(), value.as_bytes(), value.is_sensitive())
}

#[tokio::test]
async fn a_service_principal_shows_its_secret_and_gets_a_token() {
    let bed = bed();
    bed.http.answer(
        TOKEN_URL,
        200,
        json!({"access_token": "t", "expires_in": 3_599, "token_type": "Bearer"}).to_string(),
    );
    let found = ask(&bed, principal_by("client_secret")).await.unwrap().expect("a token");
    assert_eq!(shown(&found), ("authorization", &b"Bearer t"[..], true));
    assert_eq!(found.keep, Duration::from_secs(3_299));
    let sent = bed.http.calls()[0].text();
    let form: HashMap<_, _> = form_urlencoded::parse(sent.as_bytes()).into_owned().collect();
    for (field, expected) in [
        ("grant_type", "client_credentials"),
        ("client_id", "app"),
        ("client_secret", "p&ss=wörd"),
        ("scope", "https://cognitiveservices.azure.com/.default"),
    ] {
        assert_eq!(form[field], expected, "{field}");
    }
}

#[tokio::test]
async fn a_federated_token_takes_the_place_of_the_secret() {
    let bed = bed();
    bed.http.answer(TOKEN_URL, 200, json!({"access_token": "t", "expires_in": 3_599}).to_string());
    ask(&bed, principal_by("client_assertion")).await.unwrap().expect("a token");
    let sent = bed.http.calls()[0].text();
    let form: HashMap<_, _> = form_urlencoded::parse(sent.as_bytes()).into_owned().collect();
    assert_eq!(form["client_assertion"], "ey.J", "without the line break of its file");
    assert!(form["client_assertion_type"].ends_with("jwt-bearer") && !form.contains_key("client_secret"));
}

#[tokio::test]
async fn the_machines_identity_is_asked_for_as_its_server_wants_and_says_its_end_as_text() {
    let bed = bed();
    bed.http.answer(MACHINE, 200, json!({"access_token": "t", "expires_in": "86399"}).to_string());
    let found = ask(&bed, json!({})).await.unwrap().expect("a token");
    assert_eq!(found.keep, Duration::from_secs(86_099));
    assert_eq!(bed.http.calls()[0].headers["metadata"], "true");
    let own = format!("{MACHINE}&client_id=id");
    bed.http.answer(&own, 200, json!({"access_token": "t"}).to_string());
    let found = ask(&bed, json!({"client_id": "id"})).await.unwrap().expect("a token");
    assert_eq!(found.keep, Duration::ZERO, "who says no end is asked again");
}

#[tokio::test]
async fn an_app_shows_the_header_that_its_platform_gave_it() {
    let bed = bed();
    let url = "http://127.0.0.1:41741/msi/token";
    let asked = format!("{url}?api-version=2019-08-01&resource=https%3A%2F%2Fcognitiveservices.azure.com");
    let now = bed.env().clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default();
    let end = (now + Duration::from_secs(1_000)).as_secs().to_string();
    bed.http.answer(&asked, 200, json!({"access_token": "t", "expires_on": end}).to_string());
    let settings = json!({"metadata_url": url, "identity_header": "federated"});
    let refused = ask(&bed, settings).await;
    assert!(refused.is_err(), "a secret with a line break cannot be a header");
    let bed = EnvBuilder::default().secret("header", "h").build();
    bed.http.answer(&asked, 200, json!({"access_token": "t", "expires_on": end}).to_string());
    let found =
        ask(&bed, json!({"metadata_url": url, "identity_header": "header"})).await.unwrap().expect("a token");
    assert_eq!(bed.http.calls()[0].headers["x-identity-header"], "h");
    assert!((Duration::from_secs(690)..=Duration::from_secs(701)).contains(&found.keep), "{:?}", found.keep);
}

#[tokio::test]
async fn what_is_no_token_is_a_failure_that_quotes_nothing() {
    for (status, body) in [
        (401, r#"{"error":"invalid_client","error_description":"acme.example"}"#),
        (200, "{}"),
        (200, r#"{"access_token":"acme\n","expires_in":9}"#),
        (200, r#"{"access_token":"","expires_in":9}"#),
    ] {
        let bed = bed();
        bed.http.answer(TOKEN_URL, status, body.to_owned());
        let failure = ask(&bed, principal_by("client_secret")).await.unwrap_err().to_string();
        assert!(!failure.contains("acme"), "{failure}");
    }
}

#[tokio::test]
async fn settings_that_do_not_fit_together_are_refused_with_their_place() {
    for (settings, place) in [
        (json!({"tenant": "a/b", "client_id": "app", "client_secret": "client"}), "tenant"),
        (json!({"tenant": "a", "client_secret": "client"}), "client_id"),
        (json!({"tenant": "a", "client_id": "app"}), "client_secret"),
        (
            json!({"tenant": "a", "client_id": "app", "client_secret": "client", "client_assertion": "federated"}),
            "client_assertion",
        ),
        (json!({"tenant": "a", "client_id": "app", "client_secret": "nobody"}), "client_secret"),
        (
            json!({"tenant": "a", "client_id": "app", "client_secret": "client", "authority": "not a url"}),
            "authority",
        ),
        (json!({"client_secret": "client"}), "tenant"),
        (json!({"metadata_url": "http://h/token?x=1"}), "metadata_url"),
        (json!({"identity_header": "nobody"}), "identity_header"),
    ] {
        let refused = extension::create_in::<AzureCredentials>(bed().env(), settings.clone()).await;
        assert_eq!(refused.expect_err("refused").path, place, "{settings}");
    }
}
