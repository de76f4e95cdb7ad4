//! The limits of the caller: request counts on arrival, tokens and cost once the request has its
//! final shape. What a limiter grants is held by the course and settled at its end.

use std::sync::Arc;
use std::time::Duration;

use gatewright::dialect::Operation;
use gatewright::{
    Admission, Estimate, Failure, FailureKind, LimitPhase, Limiter, LlmRequest, Money, Outcome, Side, Usage,
};
use gatewright_policy::{ModelPlan, cost};
use tokio::runtime::Handle;

use crate::course::{Course, HeldClaim};
use crate::failure::Refusal;
use crate::hook::Hook;
use crate::hooked::{Called, Hooked};
use crate::phase::settle::settle_claim;
use crate::state::{Admitted, Load, Reserved, Routed, Shaped};
use crate::subject::Subject;

/// Output tokens that are expected where nobody says how many.
const OUTPUT_TOKENS_EXPECTED: u64 = 1_024;

/// The shortest time after which a limiter that queues is asked again.
const WAIT_MIN: Duration = Duration::from_millis(5);

/// Takes the caller's request-count and concurrency buckets, so that a flood never reaches an
/// expensive hook.
pub(crate) async fn arrive(course: &mut Course, routed: Routed) -> Result<Admitted, Refusal> {
    admit(course, &routed.0, LimitPhase::Arrival).await?;
    Ok(Admitted(routed.0))
}

/// Takes the caller's token and cost buckets.
pub(crate) async fn reserve(course: &mut Course, shaped: Shaped) -> Result<Reserved, Refusal> {
    count(course, &shaped.0)?;
    admit(course, &shaped.0, LimitPhase::Spend).await?;
    Ok(Reserved(shaped.0))
}

async fn admit(course: &mut Course, load: &Load, phase: LimitPhase) -> Result<(), Refusal> {
    for hooked in &load.chains.limit {
        let asked = hooked.instance.limiter.as_ref().filter(|_| hooked.limit_phase == Some(phase));
        let Some(limiter) = asked else { continue };
        let estimate = *course.estimate.get_or_insert_with(|| estimate_of(load, None));
        if course.withholds(hooked, Hook::Reserve) {
            continue;
        }
        ask(course, hooked, limiter, (&estimate, &load.request)).await?;
    }
    Ok(())
}

/// Asks one limiter, again and again while it queues the request.
async fn ask(
    course: &mut Course,
    hooked: &Arc<Hooked>,
    limiter: &Arc<dyn Limiter>,
    (estimate, request): (&Estimate, &LlmRequest),
) -> Result<(), Refusal> {
    let mut ticket = None;
    let mut waited = Duration::ZERO;
    loop {
        let worker = Arc::clone(&course.worker);
        course.cx.enter(hooked);
        let called = if hooked.is_isolated() {
            reserve_isolated(course, hooked, limiter, (*estimate, request.clone(), ticket)).await
        } else {
            let called = hooked
                .call(&worker, Hook::Reserve, || limiter.reserve(estimate, request, ticket, course.cx()));
            Ok(called.await)
        };
        course.cx.leave();
        let called = called?;
        match course.heed(hooked, Hook::Reserve, called)? {
            None | Some(Admission::Skip) => return Ok(()),
            Some(Admission::Admit(reservation, hint)) => {
                course.claims.push(HeldClaim::new(hooked, reservation));
                course.facts.hints.keep_tightest(hint.filter(|_| !hooked.is_shadow));
                return Ok(());
            }
            Some(Admission::Deny(denial, hint)) => {
                course.facts.hints.keep(hint);
                return Err(Refusal::Denied(denial));
            }
            Some(Admission::Wait { .. }) if course.is_rehearsed() => return Ok(()),
            Some(Admission::Wait { after, ticket: place }) => {
                let after = after.max(WAIT_MIN);
                waited += after;
                if waited > worker.settings.admission_wait_max {
                    return Err(waited_too_long(waited).into());
                }
                ticket = Some(place);
                tokio::time::sleep(after).await;
            }
        }
    }
}

/// Asks a limiter on the runtime of extensions.
async fn reserve_isolated(
    course: &mut Course,
    hooked: &Arc<Hooked>,
    limiter: &Arc<dyn Limiter>,
    (estimate, request, ticket): (Estimate, LlmRequest, Option<u64>),
) -> Result<Called<Admission>, Refusal> {
    let (worker, limiter) = (Arc::clone(&course.worker), Arc::clone(limiter));
    let cx = course.lend(hooked)?;
    let (granting, subject) = (Arc::clone(hooked), Subject::of(course));
    let beside = worker.isolation.clone();
    let (cx, called) = hooked
        .call_isolated(&worker, Hook::Reserve, cx, move |cx| {
            Box::pin(async move {
                let admission = limiter.reserve(&estimate, &request, ticket, cx).await?;
                Ok(Unclaimed { admission: Some(admission), granting, subject, beside })
            })
        })
        .await;
    let Called { result, took } = called;
    let called = Called { result: result.map(Unclaimed::claim), took };
    course.take_back(hooked, Hook::Reserve, cx, called)
}

/// What a limiter granted elsewhere, until the exchange takes it. Where nobody does, because the client left or
/// patience ended, the claim is settled all the same.
struct Unclaimed {
    admission: Option<Admission>,
    granting: Arc<Hooked>,
    subject: Subject,
    beside: Handle,
}

impl Unclaimed {
    fn claim(mut self) -> Admission {
        self.admission.take().unwrap_or(Admission::Skip)
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        let Some(Admission::Admit(reservation, _)) = self.admission.take() else { return };
        let claim = HeldClaim::new(&self.granting, reservation);
        settle_claim(claim, (&Outcome::NotSent, None), &|| self.subject.clone(), &self.beside);
    }
}

/// Counts the prompt's tokens by the model's estimator, for everything that follows: reservations, prices, answers
/// that report no usage.
fn count(course: &mut Course, load: &Load) -> Result<(), Refusal> {
    let estimator =
        load.model.estimator.as_ref().and_then(|id| course.snapshot.hooks.get(id)).map(Arc::clone);
    let mut input = None;
    if let Some(hooked) = estimator
        && let Some(estimator) = hooked.instance.estimator.clone()
        && !course.withholds(&hooked, Hook::Estimate)
    {
        let worker = Arc::clone(&course.worker);
        let called = hooked.call_sync(&worker, Hook::Estimate, || {
            estimator.input_tokens(&load.request, load.model.name.as_str())
        });
        input = course.heed(&hooked, Hook::Estimate, called)?.flatten();
    }
    course.estimate = Some(estimate_of(load, input));
    Ok(())
}

fn estimate_of(load: &Load, input: Option<u64>) -> Estimate {
    let request = &load.request;
    let choices = u64::from(request.choices().max(1));
    let output_cap = request.output_cap().map(|cap| cap.saturating_mul(choices));
    let usage = Usage {
        input: input.unwrap_or_else(|| request.document().estimate_input_tokens()),
        output: output_cap.unwrap_or_else(|| output_expected(request.operation()).saturating_mul(choices)),
        ..Usage::default()
    };
    Estimate { usage, output_cap, cost: dearest(&load.model, &usage) }
}

/// Output tokens that an answer is expected to have. Some operations have none, whatever comes.
fn output_expected(operation: Operation) -> u64 {
    match operation {
        Operation::Embedding
        | Operation::CountTokens
        | Operation::Moderation
        | Operation::Rerank
        | Operation::Passthrough => 0,
        _ => OUTPUT_TOKENS_EXPECTED,
    }
}

/// What the usage costs at the dearest target, unless the price of one is not known.
fn dearest(model: &ModelPlan, usage: &Usage) -> Option<Money> {
    let costs = model.targets.iter().map(|target| cost(usage, target.price.as_deref()?));
    costs.collect::<Option<Vec<Money>>>()?.into_iter().max()
}

fn waited_too_long(waited: Duration) -> Failure {
    let text = format!("the request waited {} s for its turn; try again later", waited.as_secs());
    Failure::new(Side::Gateway, FailureKind::RateLimited, text).with_code("queue_timeout")
}
