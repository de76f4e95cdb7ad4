//! Credential providers: for anybody, with and without their services.

use gatewright::http::HeaderName;
use gatewright::{CredentialProvider, CredentialQuery, Extension, Principal, ProviderName, Shown};

use super::suite::{Suite, run};
use crate::extension::TestEnv;

/// Every caller gets a credential, none, or an error, also after a refusal and with every service failing, and never
/// a panic; and one that was found is none that a header cannot carry.
///
/// # Panics
/// If that does not hold.
pub fn credential_provider<E: Extension + CredentialProvider>(suite: &Suite<E>) {
    run(async {
        let callers = [
            suite.caller(),
            Principal::new("somebody-else".into(), ""),
            Principal { user: Some("ü\u{0}".into()), ..Principal::new("a/../b".into(), "key") },
        ];
        for fails in [false, true] {
            let bed = suite.bed();
            let found = suite.instance(&bed).await;
            if fails {
                TestEnv::SERVICES.iter().for_each(|service| bed.fail_service(service));
            }
            for caller in &callers {
                let provider = ProviderName::new("provider");
                let query = CredentialQuery {
                    principal: caller,
                    provider: &provider,
                    base_url: "https://provider.example/v1",
                    model: "model",
                };
                for _ in 0..2 {
                    judge::<E>(found.credential(&query).await);
                    found.refused(&query);
                }
            }
        }
    });
}

fn judge<E: Extension>(found: gatewright::HookResult<Option<gatewright::Found>>) {
    // What is found nowhere is not at fault here: the instance's policy says what becomes of the attempt.
    let Ok(Some(found)) = found else { return };
    match found.credential {
        Shown::ApiKey(secret) => {
            let is_sendable = secret.expose().bytes().all(|byte| (0x20..0x7f).contains(&byte));
            assert!(is_sendable, "`{}` finds a key that no header can carry", E::NAME);
            assert!(!secret.expose().is_empty(), "`{}` finds a key of nothing", E::NAME);
        }
        Shown::Header(name, _) => {
            let is_host =
                name == HeaderName::from_static("host") || name == HeaderName::from_static("content-length");
            assert!(!is_host, "`{}` shows the provider a header that is not a credential's: {name}", E::NAME);
        }
    }
}
