//! An issuer and its keys: fetched beside the data path, kept while the issuer is out of reach, and looked for once more
//! when a token names one that is new.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright::bytes::Bytes;
use gatewright::http::Request;
use gatewright::prelude::*;
use parking_lot::Mutex;
use serde_json::Value;

use crate::Refusal;
use crate::keys::{self, Key};
use crate::settings::IssuerSettings;
use crate::token::Token;

/// How often keys are fetched again.
const FETCH_EVERY: Duration = Duration::from_secs(10 * 60);
/// How often a fetch is tried that failed.
const RETRY_EVERY: Duration = Duration::from_secs(30);
/// How often tokens with keys that nobody knows may cause a fetch; a flood of them causes no more.
const ASK_EVERY: Duration = Duration::from_secs(30);
/// How long keys are good for while the issuer is out of reach.
const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// An issuer.
pub(crate) struct Issuer {
    pub(crate) settings: IssuerSettings,
    pub(crate) env: ExtEnv,
    known: Mutex<Known>,
}

#[derive(Clone, Default)]
struct Known {
    keys: Arc<[Key]>,
    fetched: Option<Instant>,
    /// When a token last caused a fetch.
    asked: Option<Instant>,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Issuer {
    pub(crate) fn new(settings: IssuerSettings, env: ExtEnv) -> Self {
        Self { settings, env, known: Mutex::default() }
    }

    /// Keeps what the instance before knew of the same issuer, so that a reload asks nobody.
    pub(crate) fn take_over(&self, before: &[Arc<Self>]) {
        let same = |other: &&Arc<Self>| {
            other.settings.issuer == self.settings.issuer && other.settings.jwks_url == self.settings.jwks_url
        };
        if let Some(before) = before.iter().find(same) {
            let known = before.known.lock().clone();
            *self.known.lock() = known;
        }
    }

    pub(crate) fn has_keys(&self) -> bool {
        self.usable().is_some()
    }

    /// Fetches keys for ever.
    pub(crate) async fn keep_fresh(&self) -> Result<(), ExtError> {
        loop {
            let pause = match self.fetch().await {
                Ok(()) => FETCH_EVERY,
                Err(error) => {
                    tracing::warn!(issuer = %self.settings.issuer, %error, "Keys of an issuer were not fetched");
                    RETRY_EVERY
                }
            };
            self.env.clock.sleep(pause).await;
        }
    }

    /// The key that a token is to be verified by.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoKeys`] when nobody can tell, because no keys are known.
    ///
    /// # Cancellation
    ///
    /// A fetch that was begun is given up; the next token may begin one.
    pub(crate) async fn key(&self, token: &Token<'_>) -> Result<Key, Refusal> {
        if let Some(key) = self.usable().and_then(|keys| choose(&keys, token)) {
            return Ok(key);
        }
        if self.may_ask() {
            let fetched = self.fetch().await;
            if let Err(error) = fetched
                && !self.has_keys()
            {
                return Err(Refusal::NoKeys(error));
            }
        }
        let keys = self.usable().ok_or_else(|| {
            Refusal::NoKeys(ExtError::new(format!("no keys of {} are known", self.settings.issuer)))
        })?;
        choose(&keys, token).ok_or(Refusal::Token("its issuer has no such key"))
    }

    fn usable(&self) -> Option<Arc<[Key]>> {
        let known = self.known.lock();
        let fetched = known.fetched?;
        let age = self.env.clock.now().saturating_duration_since(fetched);
        (age < KEPT_FOR).then(|| Arc::clone(&known.keys))
    }

    fn may_ask(&self) -> bool {
        let now = self.env.clock.now();
        let mut known = self.known.lock();
        let asked_lately = known.asked.is_some_and(|asked| now.saturating_duration_since(asked) < ASK_EVERY);
        if !asked_lately {
            known.asked = Some(now);
        }
        !asked_lately
    }

    async fn fetch(&self) -> Result<(), ExtError> {
        let url = match &self.settings.jwks_url {
            Some(url) => url.clone(),
            None => self.discover().await?,
        };
        let keys = keys::parse(&self.get(&url).await?).map_err(ExtError::new)?;
        let mut known = self.known.lock();
        known.keys = keys.into();
        known.fetched = Some(self.env.clock.now());
        Ok(())
    }

    /// Where the issuer publishes its keys (OpenID Connect Discovery 1.0, 4).
    async fn discover(&self) -> Result<String, ExtError> {
        let base = self.settings.issuer.trim_end_matches('/');
        let text = self.get(&format!("{base}/.well-known/openid-configuration")).await?;
        let document: Value = serde_json::from_slice(&text)?;
        if document.get("issuer").and_then(Value::as_str) != Some(&self.settings.issuer) {
            return Err(ExtError::new("the document of the issuer is another issuer's"));
        }
        let url = document.get("jwks_uri").and_then(Value::as_str);
        url.map(str::to_owned).ok_or_else(|| ExtError::new("the document of the issuer has no `jwks_uri`"))
    }

    async fn get(&self, url: &str) -> Result<Bytes, ExtError> {
        let request = Request::get(url).header("accept", "application/json").body(Bytes::new())?;
        let answer = self.env.http.send(request).await?;
        if answer.status() != 200 {
            return Err(ExtError::new(format!("{url} answered {}", answer.status())));
        }
        Ok(answer.into_body())
    }
}

/// The key of the token's name and algorithm. A token without a name is tried with the one key that fits, if it is one.
fn choose(keys: &[Key], token: &Token<'_>) -> Option<Key> {
    let mut fitting = keys.iter().filter(|key| key.is_for(token.algorithm()));
    match token.key_id() {
        Some(id) => fitting.find(|key| key.id.as_deref() == Some(id)).cloned(),
        None => {
            let only = fitting.next()?;
            fitting.next().is_none().then(|| only.clone())
        }
    }
}
