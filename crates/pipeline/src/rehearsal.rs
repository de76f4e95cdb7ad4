//! A rehearsal: what the path decides for one request, step by step, without a call to a provider.
//!
//! The phases are those of any exchange. Where a course has a recorder, they tell it what each hook decided and
//! changed; instances that are withheld are named and not asked. Nobody is kept waiting, no further question reaches
//! a model, and every claim is settled as not sent.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatewright::{
    AskExchange, AskHost, BoxFuture, Denial, Estimate, Failure, FailureKind, FilterPlan, InstanceId,
    LimitHint, LlmRequest, LlmResponse, ModelName, Money, Principal, ProviderName, RequestCx, RouteName,
    Side,
};
use http::{HeaderMap, HeaderValue, Method};

use crate::course::Course;
use crate::failure::Refusal;
use crate::hook::Hook;
use crate::hooked::Hooked;

/// Who calls in a rehearsal, and who keeps out of it.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// The caller; where none is given, the authenticators are asked.
    pub principal: Option<Arc<Principal>>,
    /// The instances whose hooks are not called.
    pub withheld: HashSet<InstanceId>,
}

/// What a rehearsal showed.
#[derive(Debug)]
pub struct Rehearsal {
    /// The caller, if there is one.
    pub principal: Option<Arc<Principal>>,
    /// The route, if one matched.
    pub route: Option<RouteName>,
    /// The model that was asked for, as far as the request could be read.
    pub model: Option<ModelName>,
    /// Whether a stream is asked for.
    pub streams: bool,
    /// What each hook decided, in order.
    pub steps: Vec<Step>,
    /// What the exchange is expected to consume, once somebody asked.
    pub estimate: Option<Estimate>,
    /// The labels at the end.
    pub tags: Vec<(String, String)>,
    /// How it ended.
    pub ending: Ending,
}

/// How a rehearsal ended.
#[derive(Debug)]
pub enum Ending {
    /// The exchange goes no further; the client reads this.
    Refused(Refusal),
    /// This call is ready to be sent.
    Ready(Box<ReadyCall>),
}

/// A call that an exchange would send.
#[derive(Debug)]
pub struct ReadyCall {
    /// Whom it goes to.
    pub provider: ProviderName,
    /// What the provider is asked for.
    pub model: Arc<str>,
    /// The instance that chose the target; `None` where the model's strategy did.
    pub chosen_by: Option<InstanceId>,
    /// The provider's base URL.
    pub base_url: String,
    /// The method.
    pub method: Method,
    /// The path behind it, and the query.
    pub path: String,
    /// The headers, without the credential.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Whether a credential is added.
    pub has_credential: bool,
    /// The price of what is estimated; `None` where nobody knows it.
    pub price: Option<Money>,
}

/// One hook, and what came of it.
#[derive(Debug)]
pub struct Step {
    /// The instance.
    pub instance: InstanceId,
    /// The hook.
    pub hook: Hook,
    /// Whether the instance only watches, so that nothing comes of the step.
    pub is_shadow: bool,
    /// What it decided.
    pub decision: Decision,
    /// How long it took.
    pub took: Duration,
    /// The body before and after it, where it edited one.
    pub edit: Option<(Bytes, Bytes)>,
    /// The labels and headers that it changed.
    pub effects: Vec<Effect>,
    /// How a filter wants to see the answer.
    pub plan: Option<FilterPlan>,
}

/// What a hook decided.
#[derive(Debug)]
pub enum Decision {
    /// The exchange goes on.
    Passed,
    /// The request is none of its business.
    NotConcerned,
    /// The caller is refused.
    Denied(Box<Denial>),
    /// It answers in the provider's place.
    Answered,
    /// A limiter admits the request, and says what is left.
    Admitted(Option<LimitHint>),
    /// A limiter has the request wait this long and ask again.
    Waits(Duration),
    /// An authenticator accepts the caller.
    Accepted,
    /// An estimator counted this many prompt tokens.
    Counted(u64),
    /// A picker chose the target at this place.
    Picked(usize),
    /// A source of credentials has one.
    Found,
    /// It failed.
    Failed {
        /// How.
        cause: String,
        /// Whether that ends the exchange.
        denies: bool,
    },
    /// It was not called, because its instance is withheld.
    Withheld,
}

/// A label or header that a hook changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// What it is.
    pub kind: EffectKind,
    /// Its name.
    pub name: String,
    /// Its value before; sensitive ones are hidden.
    pub old: Option<String>,
    /// Its value after; sensitive ones are hidden.
    pub new: Option<String>,
}

/// What a hook changed beside the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectKind {
    /// A label of the exchange.
    Tag,
    /// A header of the call to the provider.
    UpstreamHeader,
    /// A header of the answer to the client.
    ResponseHeader,
}

impl EffectKind {
    /// Its name in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tag => "label",
            Self::UpstreamHeader => "upstream header",
            Self::ResponseHeader => "response header",
        }
    }
}

/// Writes down what the phases tell.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    withheld: HashSet<InstanceId>,
    steps: Vec<Step>,
    known: Vec<Effect>,
}

impl Recorder {
    pub(crate) fn new(withheld: HashSet<InstanceId>) -> Self {
        Self { withheld, ..Self::default() }
    }

    fn add(&mut self, hooked: &Hooked, hook: Hook, decision: Decision, took: Duration) -> &mut Step {
        self.steps.push(Step {
            instance: hooked.id.clone(),
            hook,
            is_shadow: hooked.is_shadow,
            decision,
            took,
            edit: None,
            effects: Vec::new(),
            plan: None,
        });
        let last = self.steps.len() - 1;
        &mut self.steps[last]
    }
}

impl Course {
    /// Whether this is a rehearsal.
    pub(crate) fn is_rehearsed(&self) -> bool {
        self.recorder.is_some()
    }

    /// Whether a hook must not be called, which is then written down.
    pub(crate) fn withholds(&mut self, hooked: &Hooked, hook: Hook) -> bool {
        let Some(recorder) = self.recorder.as_mut().filter(|recorder| recorder.withheld.contains(&hooked.id))
        else {
            return false;
        };
        recorder.add(hooked, hook, Decision::Withheld, Duration::ZERO);
        true
    }

    /// Writes down what a hook decided.
    pub(crate) fn note(
        &mut self,
        hooked: &Hooked,
        hook: Hook,
        took: Duration,
        decision: impl FnOnce() -> Decision,
    ) {
        let Some(recorder) = &mut self.recorder else { return };
        let now = self.cx.as_ref().map(effects_of).unwrap_or_default();
        let effects = difference(&recorder.known, &now);
        recorder.add(hooked, hook, decision(), took).effects = effects;
        recorder.known = now;
    }

    /// The effects so far belong to nobody: they come with the caller.
    pub(crate) fn note_beginning(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.known = self.cx.as_ref().map(effects_of).unwrap_or_default();
        }
    }

    /// The body before a hook that may edit it; `None` unless somebody writes it down.
    pub(crate) fn body_before(&self, request: &LlmRequest) -> Option<Bytes> {
        self.is_rehearsed().then(|| request.to_body())
    }

    /// Writes down what the hook of the last step made of the body.
    pub(crate) fn note_edit(&mut self, before: Option<Bytes>, after: Option<Bytes>) {
        let (Some(recorder), Some(before), Some(after)) = (&mut self.recorder, before, after) else { return };
        if let Some(step) = recorder.steps.last_mut().filter(|_| after != before) {
            step.edit = Some((before, after));
        }
    }

    /// Writes down how the filter of the last step wants to see the answer.
    pub(crate) fn note_plan(&mut self, plan: Option<FilterPlan>) {
        if let Some(step) = self.recorder.as_mut().and_then(|recorder| recorder.steps.last_mut()) {
            step.plan = plan;
        }
    }

    /// The instance that chose the target at this place.
    pub(crate) fn chosen_by(&self, index: usize) -> Option<InstanceId> {
        let steps = &self.recorder.as_ref()?.steps;
        let is_choice = |step: &&Step| {
            !step.is_shadow && matches!(step.decision, Decision::Picked(picked) if picked == index)
        };
        steps.iter().rev().find(is_choice).map(|step| step.instance.clone())
    }

    /// Everything that was written down.
    pub(crate) fn into_rehearsal(mut self: Box<Self>, ended: Result<ReadyCall, Refusal>) -> Rehearsal {
        let tags = self.cx.as_ref().map(|cx| &cx.tags);
        Rehearsal {
            principal: self.facts.principal.clone(),
            route: self.facts.route.clone(),
            model: self.facts.model_asked.clone(),
            streams: self.facts.streamed,
            estimate: self.estimate,
            tags: tags
                .map(|tags| tags.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
                .unwrap_or_default(),
            steps: self.recorder.take().map(|recorder| recorder.steps).unwrap_or_default(),
            ending: match ended {
                Ok(call) => Ending::Ready(Box::new(call)),
                Err(refusal) => Ending::Refused(refusal),
            },
        }
    }
}

/// Everything that a hook can change beside the request, as it stands.
fn effects_of(cx: &RequestCx) -> Vec<Effect> {
    let tags = cx.tags.iter().map(|(name, value)| effect(EffectKind::Tag, name, value.to_owned()));
    let upstream = headers(EffectKind::UpstreamHeader, &cx.upstream_headers);
    let response = headers(EffectKind::ResponseHeader, &cx.response_headers);
    tags.chain(upstream).chain(response).collect()
}

fn effect(kind: EffectKind, name: &str, value: String) -> Effect {
    Effect { kind, name: name.to_owned(), old: None, new: Some(value) }
}

fn headers(kind: EffectKind, headers: &HeaderMap) -> impl Iterator<Item = Effect> + '_ {
    headers.keys().map(move |name| {
        let values: Vec<_> = headers.get_all(name).iter().map(shown).collect();
        effect(kind, name.as_str(), values.join(", "))
    })
}

/// A header's value as a report shows it.
#[must_use]
pub fn shown(value: &HeaderValue) -> String {
    if value.is_sensitive() {
        return "(hidden)".to_owned();
    }
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// What changed between two states.
fn difference(before: &[Effect], after: &[Effect]) -> Vec<Effect> {
    let same = |one: &Effect, two: &Effect| one.kind == two.kind && one.name == two.name;
    let mut changed: Vec<Effect> = Vec::new();
    for new in after {
        let old = before.iter().find(|old| same(old, new)).and_then(|old| old.new.clone());
        if old != new.new {
            changed.push(Effect { old, ..new.clone() });
        }
    }
    let gone = before.iter().filter(|old| !after.iter().any(|new| same(old, new)));
    changed.extend(gone.map(|old| Effect { old: old.new.clone(), new: None, ..old.clone() }));
    changed
}

/// Asks no model, in the place of the worker.
pub(crate) struct NoModel;

impl AskHost for NoModel {
    fn ask(
        self: Arc<Self>,
        _: AskExchange,
        _: LlmRequest,
    ) -> BoxFuture<'static, Result<LlmResponse, Failure>> {
        let text = "no model is asked in a rehearsal";
        Box::pin(std::future::ready(Err(Failure::new(Side::Gateway, FailureKind::Extension, text))))
    }
}

#[cfg(test)]
mod tests {
    use super::{Effect, EffectKind, difference};

    fn label(name: &str, old: Option<&str>, new: Option<&str>) -> Effect {
        let owned = |value: Option<&str>| value.map(str::to_owned);
        Effect { kind: EffectKind::Tag, name: name.to_owned(), old: owned(old), new: owned(new) }
    }

    #[test]
    fn what_was_set_changed_and_taken_away_is_told_and_nothing_else() {
        let state = |pairs: &[(&str, &str)]| -> Vec<Effect> {
            pairs.iter().map(|(name, value)| label(name, None, Some(value))).collect()
        };
        let before = state(&[("kept", "1"), ("changed", "1"), ("gone", "1")]);
        let after = state(&[("kept", "1"), ("changed", "2"), ("new", "3")]);
        assert_eq!(
            difference(&before, &after),
            [
                label("changed", Some("1"), Some("2")),
                label("new", None, Some("3")),
                label("gone", Some("1"), None)
            ]
        );
        assert_eq!(difference(&after, &after), []);
    }
}
