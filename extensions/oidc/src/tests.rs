//! Who is let in by a token, and what a token must not do.

mod authority;

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use gatewright::service::Clock as _;
use gatewright::{AuthVerdict, Authenticator, BuildError, Extension, Principal};
use gatewright_testkit::extension::{self, Head, TestEnv};
use serde_json::{Value, json};

use self::authority::{Authority, base64url};
use crate::Oidc;

const ISSUER: &str = "https://login.acme.example";
const KEYS: &str = "https://login.acme.example/keys";

/// An instance with its services.
struct Bed {
    oidc: Oidc,
    services: TestEnv,
    authority: Authority,
}

fn settings() -> Value {
    json!({"issuers": [{
        "issuer": ISSUER,
        "jwks_url": KEYS,
        "audience": ["gatewright", "api://gatewright"],
        "claims": {
            "tenant": {"claim": "org.id", "map": {"o-1": "acme"}},
            "project": {"claim": "project"},
            "tags": {"cost_center": {"claim": "cc", "value": "none"}},
        },
    }]})
}

async fn bed() -> Bed {
    bed_with(settings()).await
}

async fn bed_with(settings: Value) -> Bed {
    let (services, authority) = (TestEnv::default(), Authority::new());
    services.http.answer(KEYS, 200, authority.published());
    let oidc = extension::create_in(services.env(), settings).await.unwrap();
    Bed { oidc, services, authority }
}

impl Bed {
    fn now(&self) -> u64 {
        self.services.clock.wall().duration_since(UNIX_EPOCH).unwrap().as_secs()
    }

    /// Claims that are let in.
    fn claims(&self) -> Value {
        json!({
            "iss": ISSUER, "aud": "gatewright", "sub": "ann", "iat": self.now(), "exp": self.now() + 600,
            "org": {"id": "o-1"}, "project": "search", "groups": ["staff", "ops"],
        })
    }

    /// The claims with others in the place of these.
    fn claims_with(&self, others: &Value) -> Value {
        let mut claims = self.claims();
        for (name, value) in others.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    async fn verdict(&self, token: &str) -> AuthVerdict {
        let value = format!("Bearer {token}");
        let head = Head::with(&[("authorization", &value)]);
        self.oidc.authenticate(&head.borrow()).await.unwrap()
    }

    async fn accepted(&self, token: &str) -> Arc<Principal> {
        match self.verdict(token).await {
            AuthVerdict::Accept(principal) => principal,
            other => panic!("{other:?}"),
        }
    }

    async fn is_refused(&self, token: &str) -> bool {
        match self.verdict(token).await {
            AuthVerdict::Reject(denial) => {
                assert_eq!(denial.code, "invalid_token");
                true
            }
            AuthVerdict::Accept(_) => false,
            AuthVerdict::Abstain => panic!("it is left to others"),
        }
    }
}

#[tokio::test]
async fn a_token_of_each_kind_of_key_lets_its_caller_in() {
    let bed = bed().await;
    for key in ["r", "e", "d"] {
        let principal = bed.accepted(&bed.authority.token(key, &bed.claims())).await;
        assert_eq!((principal.tenant.as_str(), principal.user.as_deref()), ("acme", Some("ann")));
        assert_eq!(principal.project.as_deref(), Some("search"));
        assert_eq!(principal.groups, [Arc::from("staff"), Arc::from("ops")]);
        assert_eq!(principal.tag("cost_center"), Some("none"));
        assert_eq!(&*principal.key_label, "login.acme.example#ann");
    }
    let pss = json!({"alg": "PS256", "kid": "r"}).to_string();
    bed.accepted(&bed.authority.signed(&pss, &bed.claims().to_string())).await;
    assert_eq!(bed.services.http.calls().len(), 1, "keys are asked for once");
}

#[tokio::test]
async fn other_credentials_are_left_to_others() {
    let bed = bed().await;
    for key in ["sk-something", "", "a.b.c", "ey.with spaces.x", "eyJhbGciOiJub25lIn0"] {
        let value = format!("Bearer {key}");
        let head = Head::with(&[("authorization", &value)]);
        let verdict = bed.oidc.authenticate(&head.borrow()).await.unwrap();
        assert!(matches!(verdict, AuthVerdict::Abstain), "{key}: {verdict:?}");
    }
}

#[tokio::test]
async fn a_token_is_for_us_of_our_issuer_and_of_our_time() {
    let bed = bed().await;
    let now = bed.now();
    let good = [
        json!({"aud": ["other", "api://gatewright"]}),
        json!({"exp": now - 59}),
        json!({"nbf": now + 59}),
        json!({"cc": "R&D"}),
        json!({"iat": null, "groups": "staff ops"}),
    ];
    for mut others in good {
        others.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        bed.accepted(&bed.authority.token("e", &bed.claims_with(&others))).await;
    }
    let bad = [
        json!({"aud": "gatewrigh"}),
        json!({"aud": "gatewright2"}),
        json!({"aud": ["other"]}),
        json!({"aud": []}),
        json!({"aud": null}),
        json!({"aud": ["gatewright", 7]}),
        json!({"aud": {"gatewright": true}}),
        json!({"iss": format!("{ISSUER}/")}),
        json!({"iss": "https://LOGIN.acme.example"}),
        json!({"iss": null}),
        json!({"iss": [ISSUER]}),
        json!({"exp": now - 60}),
        json!({"exp": now - 61}),
        json!({"exp": null}),
        json!({"exp": (now + 600).to_string()}),
        json!({"exp": 4_000_000_000.5}),
        json!({"exp": -1}),
        json!({"exp": 9_223_372_036_854_775_808_u64}),
        json!({"exp": true}),
        json!({"nbf": now + 61}),
        json!({"nbf": (now - 1).to_string()}),
        json!({"nbf": 1.5}),
        json!({"iat": now + 61}),
        json!({"iat": "yesterday"}),
        json!({"org": {"id": "o-2"}}),
        json!({"org": {}}),
        json!({"org": {"id": ["o-1"]}}),
        json!({"sub": "ann\nadmin"}),
        json!({"sub": "a".repeat(300)}),
        json!({"groups": {"admin": true}}),
    ];
    for others in bad {
        let token = bed.authority.token("e", &bed.claims_with(&others));
        assert!(bed.is_refused(&token).await, "{others}");
    }
}

#[tokio::test]
async fn what_a_header_must_not_say() {
    let bed = bed().await;
    let body = bed.claims().to_string();
    let rsa = serde_json::to_string(&bed.authority.keys()[0]).unwrap();
    let heads = [
        r#"{"alg":"none"}"#.to_owned(),
        r#"{"alg":"None"}"#.to_owned(),
        r#"{"alg":"NONE"}"#.to_owned(),
        r#"{"alg":"nOnE"}"#.to_owned(),
        r#"{"alg":"HS256","kid":"r"}"#.to_owned(),
        r#"{"alg":"HS512","kid":"e"}"#.to_owned(),
        r#"{"alg":"RS1","kid":"r"}"#.to_owned(),
        r#"{"alg":"RS512","kid":"r"}"#.to_owned(),
        r#"{"alg":["RS256"],"kid":"r"}"#.to_owned(),
        r#"{"kid":"r"}"#.to_owned(),
        r#"{"alg":"RS256","kid":"e"}"#.to_owned(),
        r#"{"alg":"ES256","kid":"r"}"#.to_owned(),
        r#"{"alg":"RS256"}"#.replace("RS256", "ES384"),
        r#"{"alg":"RS256","kid":"../../etc/passwd"}"#.to_owned(),
        r#"{"alg":"RS256","kid":"' OR 1=1 --"}"#.to_owned(),
        r#"{"alg":"RS256","kid":"r\u0000"}"#.to_owned(),
        r#"{"alg":"RS256","kid":""}"#.to_owned(),
        r#"{"alg":"RS256","kid":7}"#.to_owned(),
        format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "r".repeat(10_000)),
        r#"{"alg":"RS256","kid":"r","crit":["exp"]}"#.to_owned(),
        r#"{"alg":"RS256","kid":"r","crit":[]}"#.to_owned(),
        r#"{"alg":"RS256","kid":"r","cty":"JWT"}"#.to_owned(),
        r#"{"alg":"RS256","kid":"r","enc":"A256GCM"}"#.to_owned(),
        r#"{"alg":"RS256","kid":"r","typ":"dpop+jwt"}"#.to_owned(),
        r#"{"alg":"RS256","kid":"r","typ":7}"#.to_owned(),
        r#"{"alg":"RS256","kid":"x","jku":"https://evil.example/keys"}"#.to_owned(),
        r#"{"alg":"RS256","kid":"x","x5u":"https://evil.example/cert"}"#.to_owned(),
        format!(r#"{{"alg":"RS256","kid":"x","jwk":{rsa}}}"#),
        r#"{"alg":"RS256","alg":"RS256","kid":"r"}"#.to_owned(),
        r#"{"alg":"RS256","kid":"r"} "#.replace('}', ""),
    ];
    for head in heads {
        let token = bed.authority.signed(&head, &body);
        assert!(bed.is_refused(&token).await, "{head}");
    }
    let asked = bed.services.http.calls().iter().map(|call| call.url.clone()).collect::<Vec<_>>();
    assert!(asked.iter().all(|url| url == KEYS), "{asked:?}");
}

#[tokio::test]
async fn what_a_token_must_not_be() {
    let bed = bed().await;
    let claims = bed.claims();
    let good = bed.authority.token("r", &claims);
    bed.accepted(&good).await;
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (head, body) = signed.split_once('.').unwrap();
    let other = Authority::new().token("r", &claims);
    let twice = claims.to_string().replacen('{', r#"{"sub":"admin","#, 1);
    let twice_inside = claims.to_string().replace(r#""id":"o-1""#, r#""id":"o-9","id":"o-1""#);
    let es256 = base64url(json!({"alg": "ES256", "kid": "e"}).to_string());
    let tokens = [
        format!("{signed}."),
        format!("{head}..{signature}"),
        format!("{signed}.{}", base64url([0; 256])),
        format!("{es256}.{body}.{}", base64url([0; 64])),
        format!("{signed}.{}", signature.split_at(1).1),
        format!("{signed}.{signature}="),
        format!("{signed}.{signature}.x.y"),
        format!("{head}.{}.{signature}", base64url(bed.claims_with(&json!({"sub": "admin"})).to_string())),
        other,
        bed.authority.signed(r#"{"alg":"RS256","kid":"r"}"#, &twice),
        bed.authority.signed(r#"{"alg":"RS256","kid":"r"}"#, &twice_inside),
        bed.authority.signed(r#"{"alg":"RS256","kid":"r"}"#, "[]"),
        bed.authority.signed(r#"{"alg":"RS256","kid":"r"}"#, &format!("{claims}x")),
        bed.authority.token("r", &bed.claims_with(&json!({"padding": "x".repeat(20_000)}))),
    ];
    for token in tokens {
        assert!(bed.is_refused(&token).await, "{token}");
    }
}

#[tokio::test]
async fn keys_that_must_not_verify() {
    let authority = Authority::new();
    let keys = authority.keys();
    let with = |others: Value| {
        let mut key = keys[0].clone();
        for (name, value) in others.as_object().unwrap() {
            key[name] = value.clone();
        }
        json!({"keys": [key]}).to_string()
    };
    let short = base64url([0x80].iter().copied().chain([1; 127]).collect::<Vec<u8>>());
    let sets = [
        with(json!({"use": "enc"})),
        with(json!({"alg": "RS512"})),
        with(json!({"alg": "HS256"})),
        with(json!({"key_ops": ["encrypt"]})),
        with(json!({"kty": "oct"})),
        with(json!({"n": short})),
        with(json!({"n": ""})),
        with(json!({"d": "AQAB"})),
        json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}, keys[0]]}).to_string(),
        json!({"keys": []}).to_string(),
        json!({"keys": vec![&keys[0]; 101]}).to_string(),
        "{".to_owned(),
        format!("{}{}", authority.published(), " ".repeat(300_000)),
    ];
    for set in sets {
        let services = TestEnv::default();
        services.http.answer(KEYS, 200, set.clone());
        let oidc = extension::create_in(services.env(), settings()).await.unwrap();
        let bed = Bed { oidc, services, authority: Authority::new() };
        let token = authority.token("r", &bed.claims());
        let value = format!("Bearer {token}");
        let head = Head::with(&[("authorization", &value)]);
        let verdict = bed.oidc.authenticate(&head.borrow()).await;
        assert!(!matches!(verdict, Ok(AuthVerdict::Accept(_) | AuthVerdict::Abstain)), "{set}");
    }
}

#[tokio::test]
async fn a_key_that_is_new_is_found_and_a_flood_of_names_asks_no_more() {
    let bed = bed().await;
    let next = Authority::new();
    let mut keys = bed.authority.keys();
    keys.extend(next.keys().into_iter().map(|mut key| {
        key["kid"] = format!("next-{}", key["kid"].as_str().unwrap()).into();
        key
    }));
    bed.services.http.answer(KEYS, 200, json!({"keys": keys}).to_string());
    bed.accepted(&bed.authority.token("r", &bed.claims())).await;
    let rotated = next.signed(r#"{"alg":"ES256","kid":"next-e"}"#, &bed.claims().to_string());
    assert!(bed.is_refused(&rotated).await, "the keys were asked for a moment ago");
    bed.services.clock.advance(Duration::from_secs(31));
    bed.accepted(&rotated).await;
    bed.accepted(&bed.authority.token("r", &bed.claims())).await;
    let asked = bed.services.http.calls().len();
    for n in 0..1000 {
        let head = json!({"alg": "ES256", "kid": format!("unknown-{n}")}).to_string();
        assert!(bed.is_refused(&next.signed(&head, &bed.claims().to_string())).await);
    }
    assert_eq!(bed.services.http.calls().len(), asked);
}

#[tokio::test]
async fn keys_are_kept_for_a_day_while_the_issuer_is_away() {
    let bed = bed().await;
    bed.services.http.answer(KEYS, 500, "");
    bed.accepted(&bed.authority.token("r", &bed.claims())).await;
    bed.services.clock.advance(Duration::from_secs(23 * 3600));
    bed.accepted(&bed.authority.token("r", &bed.claims())).await;
    bed.services.clock.advance(Duration::from_secs(3601));
    let value = format!("Bearer {}", bed.authority.token("r", &bed.claims()));
    let head = Head::with(&[("authorization", &value)]);
    // It is not the caller's fault, and nobody is let in unseen.
    assert!(bed.oidc.authenticate(&head.borrow()).await.is_err());
    assert!(!bed.oidc.ready());
}

#[tokio::test]
async fn the_address_of_keys_is_found_at_the_issuer() {
    let mut found = settings();
    found["issuers"][0].as_object_mut().unwrap().remove("jwks_url");
    let bed = bed_with(found.clone()).await;
    let document = format!("{ISSUER}/.well-known/openid-configuration");
    bed.services.http.answer(&document, 200, json!({"issuer": ISSUER, "jwks_uri": KEYS}).to_string());
    bed.accepted(&bed.authority.token("r", &bed.claims())).await;

    let bed = bed_with(found).await;
    let other = json!({"issuer": "https://evil.example", "jwks_uri": KEYS});
    bed.services.http.answer(&document, 200, other.to_string());
    let value = format!("Bearer {}", bed.authority.token("r", &bed.claims()));
    let head = Head::with(&[("authorization", &value)]);
    assert!(bed.oidc.authenticate(&head.borrow()).await.is_err());
}

#[tokio::test]
async fn required_claims_and_the_longest_life_hold() {
    let mut strict = settings();
    strict["issuers"][0]["required"] = json!({"azp": "portal", "email": null});
    strict["issuers"][0]["life_max_secs"] = json!(3600);
    let bed = bed_with(strict).await;
    let full = json!({"azp": "portal", "email": "ann@acme.example"});
    bed.accepted(&bed.authority.token("d", &bed.claims_with(&full))).await;
    for others in [
        json!({"azp": "portal"}),
        json!({"azp": "other", "email": "x"}),
        json!({"azp": "portal", "email": null}),
        json!({"azp": "portal", "email": "x", "exp": bed.now() + 3601}),
        json!({"azp": "portal", "email": "x", "iat": null}),
    ] {
        assert!(bed.is_refused(&bed.authority.token("d", &bed.claims_with(&others))).await, "{others}");
    }
}

#[tokio::test]
async fn an_issuer_names_only_its_own_tenants() {
    let mut two = settings();
    two["issuers"][0]["claims"]["tenant"] = json!({"claim": "org.id"});
    let mut second = two["issuers"][0].clone();
    second["issuer"] = "https://other.example".into();
    two["issuers"].as_array_mut().unwrap().push(second);
    let error = created(two.clone()).await.unwrap_err();
    assert!(error.to_string().contains("claims.tenants"), "{error}");
    two["issuers"][0]["claims"]["tenants"] = json!(["o-*"]);
    two["issuers"][1]["claims"]["tenants"] = json!(["other"]);
    let bed = bed_with(two).await;
    bed.accepted(&bed.authority.token("r", &bed.claims())).await;
    let token = bed.authority.token("r", &bed.claims_with(&json!({"org": {"id": "other"}})));
    assert!(bed.is_refused(&token).await);
}

async fn created(settings: Value) -> Result<Oidc, BuildError> {
    extension::create(settings).await
}

#[tokio::test]
async fn settings_that_let_strangers_in_are_refused() {
    let wrong = [
        ("audience", json!([]), "issuers[0].audience"),
        ("audience", json!([""]), "issuers[0].audience"),
        ("algorithms", json!([]), "issuers[0].algorithms"),
        ("algorithms", json!(["none"]), "algorithms"),
        ("algorithms", json!(["HS256"]), "algorithms"),
        ("leeway_secs", json!(301), "issuers[0].leeway_secs"),
        ("claims", json!({"tenant": {}}), "issuers[0].claims"),
    ];
    for (field, value, named) in wrong {
        let mut settings = settings();
        settings["issuers"][0][field] = value.clone();
        let error = created(settings).await.unwrap_err().to_string();
        assert!(error.contains(named), "{field} {value}: {error}");
    }
    assert!(created(json!({"issuers": []})).await.is_err());
}
