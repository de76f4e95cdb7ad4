//! An extension at every point that does what its settings say at the hook that they name, and nothing elsewhere.
#![expect(clippy::panic, reason = "panicking on demand is what this extension is for")]

mod grenade;
mod path;
mod side;
mod stream;

use std::future::pending;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gatewright::http::HeaderMap;
use gatewright::prelude::*;
use gatewright::serde_json::to_value;

use self::grenade::{BadError, Bomb, Grenade};

/// How often a hook that keeps its thread looks whether it may go on.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A hook of one of the points, or a moment in the life of what a hook made.
#[gatewright::config]
#[derive(Clone, Copy, Debug, PartialEq, Eq, gatewright::serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Hook {
    /// Of an instance, when it is made.
    Create,
    /// Of an instance, when it begins.
    Start,
    /// Of an instance, in its background task; the first run only.
    Task,
    /// Of an instance that is asked whether it is ready.
    Ready,
    /// Of an instance, when it ends.
    Stop,
    /// Of an authenticator.
    Authenticate,
    /// Of a transform that is asked when it runs.
    Phase,
    /// Of a transform that is asked whether it wants the request.
    Wants,
    /// Of a transform, once per request.
    Request,
    /// Of a transform, once per attempt.
    Attempt,
    /// Of a limiter.
    Reserve,
    /// Of a claim, while the answer flows.
    Progress,
    /// Of what a claim waits for.
    TopUp,
    /// Of a claim that has got what it waited for.
    ToppedUp,
    /// Of a claim, at the end.
    Settle,
    /// Of a claim, in what is left to wait for at the end.
    SettleLater,
    /// Of a filter, when it chooses how to see the answer.
    Plan,
    /// Of a filter, at the beginning of an answer.
    Open,
    /// Of a filter, for each event.
    Event,
    /// Of a filter, for text.
    Text,
    /// Of a filter that only sees events.
    Observe,
    /// Of what a filter waits for.
    Awaited,
    /// Of a filter that has got what it waited for.
    Resume,
    /// Of a filter, for a whole answer.
    Whole,
    /// Of a filter, at the end of an answer.
    End,
    /// Of a sink.
    Deliver,
    /// Of a sink of audit records.
    Audit,
    /// Of a picker.
    Pick,
    /// Of a picker that learns of a try.
    Tried,
    /// Of an estimator.
    Estimate,
    /// Of a source of credentials.
    Credential,
    /// Of a source of credentials whose credential was refused.
    Refused,
    /// Of an adapter, when it writes a call.
    Encode,
    /// Of an adapter, when it classes an error.
    Classify,
    /// When a transform's future is dropped before it is done.
    DropFuture,
    /// When a filter is dropped.
    DropFilter,
    /// When a claim is dropped.
    DropClaim,
    /// When what a filter waited for is dropped.
    DropAwaited,
    /// When what a transform keeps for the exchange is dropped.
    DropKept,
    /// When the instance is dropped.
    DropInstance,
}

/// What to do there.
#[gatewright::config]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Act {
    /// Panic.
    Panic,
    /// Panic with a payload that panics when it is dropped.
    Bomb,
    /// Return an error.
    Fail,
    /// Return an error that panics when it is shown.
    FailBadly,
    /// Never return; other exchanges go on.
    Hang,
    /// Keep the thread, until the file of `until` is there.
    Block,
    /// Say no.
    Deny,
    /// Ask for time, then go on.
    Pause,
    /// Ask for time, then say that what it was for does not go out.
    Withhold,
    /// Nothing but a line in the log.
    Speak,
}

/// Where to do what.
#[gatewright::config]
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The hook.
    pub(crate) at: Hook,
    /// The deed.
    pub(crate) act: Act,
    /// Whether only exchanges are troubled whose header `x-trouble`, or text, names the hook.
    #[serde(default)]
    pub(crate) marked: bool,
    /// The file whose being there ends a block; a relative path starts at the folder of the process.
    #[serde(default)]
    pub(crate) until: Option<String>,
    /// Changes nothing but that the settings differ.
    #[serde(default)]
    pub(crate) edition: u32,
}

impl Settings {
    /// The hook's name, as settings and marks write it.
    pub(crate) fn name(&self) -> String {
        let name = to_value(self.at).ok();
        name.as_ref().and_then(|name| name.as_str()).unwrap_or_default().to_owned()
    }

    /// Whether an exchange of a client with these headers is meant.
    fn concerns(&self, headers: &HeaderMap) -> bool {
        !self.marked || headers.get("x-trouble").is_some_and(|mark| mark.as_bytes() == self.name().as_bytes())
    }

    /// Whether a text means this.
    pub(crate) fn is_named_in(&self, text: &str) -> bool {
        !self.marked || text.contains(&format!("mark:{}", self.name()))
    }

    /// What to do at this hook; nothing at any other than the one of the settings.
    pub(crate) fn act(&self, hook: Hook) -> HookResult<Option<Act>> {
        if self.at != hook {
            return Ok(None);
        }
        tracing::info!("Making trouble");
        match self.act {
            Act::Panic => panic!("trouble, as it was asked for"),
            Act::Bomb => std::panic::panic_any(Bomb),
            Act::Fail => Err(ExtError::new("trouble, as it was asked for")),
            Act::FailBadly => Err(BadError.into()),
            Act::Block => {
                self.block();
                Ok(None)
            }
            other => Ok(Some(other)),
        }
    }

    fn block(&self) {
        while !self.until.as_ref().is_some_and(|file| Path::new(file).exists()) {
            std::thread::park_timeout(LOOK_EVERY);
        }
    }

    /// The same in a hook that may wait. Returns whether to say no.
    async fn act_async(&self, hook: Hook) -> HookResult<bool> {
        match self.act(hook)? {
            Some(Act::Hang) => pending().await,
            found => Ok(found == Some(Act::Deny)),
        }
    }

    /// The same in a hook that cannot fail: of all deeds those are left that need no result.
    fn act_blindly(&self, hook: Hook) {
        drop(self.act(hook));
    }
}

/// Makes trouble.
pub(crate) struct Trouble {
    settings: Arc<Settings>,
    _end: Option<Grenade>,
}

impl Extension for Trouble {
    const NAME: &'static str = "trouble";
    type Config = Settings;

    async fn create(settings: Settings, _: ExtEnv) -> Result<Self, BuildError> {
        tracing::info!(edition = settings.edition, "Made");
        let failed = settings.act_async(Hook::Create).await;
        failed.map_err(|error| BuildError::new(error.to_string()))?;
        let settings = Arc::new(settings);
        let _end = Grenade::of(&settings, Hook::DropInstance);
        Ok(Self { settings, _end })
    }

    async fn start(self: &Arc<Self>, tasks: &mut TaskScope) -> Result<(), BuildError> {
        let failed = self.settings.act_async(Hook::Start).await;
        failed.map_err(|error| BuildError::new(error.to_string()))?;
        let mut is_first = true;
        let settings = Arc::clone(&self.settings);
        tasks.spawn("troubled", move || {
            let (settings, acts) = (Arc::clone(&settings), std::mem::take(&mut is_first));
            async move {
                if acts {
                    settings.act_async(Hook::Task).await?;
                }
                Ok(())
            }
        });
        Ok(())
    }

    fn ready(&self) -> bool {
        self.settings.act_blindly(Hook::Ready);
        true
    }

    async fn stop(&self, _: Duration) {
        // An end cannot fail.
        drop(self.settings.act_async(Hook::Stop).await);
    }
}

fn denial() -> Box<Denial> {
    Box::new(Denial::forbidden("trouble", "trouble says no"))
}

gatewright::register!(Trouble => Authenticator, RequestTransform, Limiter, ResponseFilter, CredentialProvider, TargetPicker, TokenEstimator, UsageSink, AuditSink);
