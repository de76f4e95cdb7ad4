//! What is reserved, settled, given back and owed, what a caller is told, and which settings are refused.

use std::sync::Arc;

use gatewright::prelude::*;
use gatewright_testkit::extension::{self, MemoryLimits, context, principal, request};
use serde_json::{Value, json};

use crate::TokenLimits;

/// An instance over limits of its own.
struct Bench {
    limits: Arc<MemoryLimits>,
    limiter: TokenLimits,
}

fn usage(input: u64, output: u64) -> Usage {
    Usage { input, output, ..Usage::default() }
}

fn estimate(input: u64, output: u64) -> Estimate {
    Estimate { usage: usage(input, output), output_cap: None, cost: Some(Money::from_nanos(1_000)) }
}

fn completed(input: u64, output: u64) -> Outcome {
    Outcome::Completed { usage: usage(input, output), reported: true }
}

fn settle(reservation: Box<dyn Reservation>, outcome: &Outcome) {
    assert!(reservation.settle(outcome).is_none(), "nothing is left to be awaited");
}

impl Bench {
    async fn new(settings: Value) -> Self {
        let limits = Arc::new(MemoryLimits::default());
        let limiter = extension::create_in(extension::env(Arc::clone(&limits)), settings);
        Self { limiter: limiter.await.expect("the settings are valid"), limits }
    }

    async fn per_key(limits: Value) -> Self {
        let mut rule = json!({"per": ["key"], "window": "hour"});
        rule.as_object_mut().expect("an object").extend(limits.as_object().cloned().unwrap_or_default());
        Self::new(json!({"rules": [rule]})).await
    }

    async fn ask(&self, estimate: Estimate, caller: Principal) -> Admission {
        let answer = self.limiter.reserve(&estimate, &request(&[]), None, &mut context(caller)).await;
        answer.expect("it does not fail")
    }

    async fn admit(&self, estimate: Estimate) -> Box<dyn Reservation> {
        match self.ask(estimate, principal()).await {
            Admission::Admit(reservation, _) => reservation,
            other => panic!("{other:?}"),
        }
    }

    async fn deny(&self, estimate: Estimate) -> Denial {
        match self.ask(estimate, principal()).await {
            Admission::Deny(denial, _) => *denial,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn check(&self, expected: &[&str]) {
        let counted: Vec<String> =
            self.limits.report().iter().map(|line| line.replace("tenant/test/key/key: ", "")).collect();
        assert_eq!(counted, expected);
    }
}

/// Tells the reservation how much has flowed, and gives it more where it asks for it.
async fn grow(reservation: &mut Box<dyn Reservation>, output: u64) -> Progress {
    match reservation.progress(&usage(10, output)).expect("it does not fail") {
        Progress::TopUp(future) => {
            let answer = future.await;
            reservation.topped_up(answer).expect("it does not fail")
        }
        other => other,
    }
}

#[tokio::test]
async fn what_is_expected_is_held_and_what_was_used_is_counted_once() {
    for (limit, held, used) in [
        ("requests", "1+0", "0+1"),
        ("input_tokens", "10+0", "0+7"),
        ("output_tokens", "100+0", "0+30"),
        ("total_tokens", "110+0", "0+37"),
    ] {
        let bench = Bench::per_key(json!({limit: 1000})).await;
        let reservation = bench.admit(estimate(10, 100)).await;
        bench.check(&[held]);
        settle(reservation, &completed(7, 30));
        bench.check(&[used]);
    }
}

#[tokio::test]
async fn cost_is_held_as_expected_and_counted_as_charged() {
    let bench = Bench::per_key(json!({"cost": 0.00001})).await;
    let mut reservation = bench.admit(estimate(10, 100)).await;
    bench.check(&["1000+0"]);
    reservation.charge(Some(Money::from_nanos(1_234)));
    settle(reservation, &completed(7, 30));
    bench.check(&["0+1234"]);
    let mut unknown = bench.admit(estimate(10, 100)).await;
    unknown.charge(None);
    settle(unknown, &completed(7, 30));
    bench.check(&["0+2234"]);
    let denial = bench.deny(Estimate { cost: Some(Money::from_nanos(9_000)), ..estimate(1, 1) }).await;
    assert_eq!((denial.status.as_u16(), &*denial.code), (429, "budget_exceeded"));
    assert!(!denial.message.contains("9000"), "a budget is not told: {}", denial.message);
}

#[tokio::test]
async fn a_request_that_was_not_sent_or_is_dropped_gives_all_back() {
    let bench = Bench::per_key(json!({"total_tokens": 120, "requests": 1})).await;
    settle(bench.admit(estimate(10, 100)).await, &Outcome::NotSent);
    drop(bench.admit(estimate(10, 100)).await);
    settle(bench.admit(estimate(10, 100)).await, &completed(10, 10));
    let seen = usage(10, 5);
    let bench = Bench::per_key(json!({"total_tokens": 120})).await;
    let by = gatewright::CancelledBy::Client;
    settle(bench.admit(estimate(10, 100)).await, &Outcome::Cancelled { seen, by, upstream_aborted: true });
    bench.check(&["0+15"]);
}

#[tokio::test]
async fn all_rules_have_room_or_nothing_is_taken() {
    let bench = Bench::new(json!({"rules": [
        {"per": ["key"], "total_tokens": 1000},
        {"per": ["tenant"], "output_tokens": 150},
    ]}))
    .await;
    let _held = bench.admit(estimate(10, 100)).await;
    let denial = bench.deny(estimate(10, 100)).await;
    assert_eq!((denial.status.as_u16(), &*denial.code), (429, "token_limit_exceeded"));
    assert!(denial.message.starts_with("the request needs 100 output tokens"), "{}", denial.message);
    bench.check(&["110+0", "tenant/test/tenant/\u{1f}: 100+0"]);
}

#[tokio::test]
async fn a_request_that_no_window_takes_is_told_so() {
    let bench = Bench::per_key(json!({"output_tokens": 50})).await;
    let denial = bench.deny(estimate(10, 51)).await;
    assert_eq!((denial.status.as_u16(), &*denial.code), (400, "request_exceeds_limit"));
    assert_eq!(denial.retry_after, None);
}

#[tokio::test]
async fn a_stream_that_outgrows_its_reservation_reserves_more() {
    let bench = Bench::new(json!({
        "rules": [{"per": ["key"], "output_tokens": 1000, "requests": 9}], "reserve_output": 50,
    }))
    .await;
    let mut stream = bench.admit(estimate(10, 900)).await;
    bench.check(&["1+0", "50+0"]);
    assert!(matches!(grow(&mut stream, 50).await, Progress::Continue));
    bench.check(&["1+0", "50+0"]);
    assert!(matches!(grow(&mut stream, 51).await, Progress::Continue));
    bench.check(&["1+0", "150+0"]);
    settle(stream, &completed(10, 120));
    bench.check(&["0+1", "0+120"]);
}

#[tokio::test]
async fn a_stream_without_room_goes_into_debt_or_ends() {
    for (overrun, ends) in [("debt", false), ("cut", true)] {
        let bench = Bench::new(json!({
            "rules": [{"per": ["key"], "total_tokens": 100}], "reserve_output": 60, "overrun": overrun,
        }))
        .await;
        let mut stream = bench.admit(estimate(35, 900)).await;
        match grow(&mut stream, 61).await {
            Progress::Cut(failure) => {
                assert_eq!(failure.code.as_deref(), Some("token_limit_exceeded"));
                assert!(ends);
            }
            other => assert!(!ends, "{overrun}: {other:?}"),
        }
        // It is not asked for again and again.
        assert!(ends || matches!(stream.progress(&usage(35, 99)), Ok(Progress::Continue)));
        settle(stream, &completed(35, 120));
        bench.check(&["0+155"]);
        assert_eq!(bench.deny(estimate(1, 1)).await.status.as_u16(), 429, "what was owed counts");
    }
}

#[tokio::test]
async fn a_caller_counts_in_each_of_its_groups() {
    let bench = Bench::new(json!({"rules": [{"per": ["group"], "input_tokens": 15}]})).await;
    let of = |groups: &[&str]| Principal {
        groups: groups.iter().map(|group| Arc::from(*group)).collect(),
        ..principal()
    };
    let Admission::Admit(_held, _) = bench.ask(estimate(10, 1), of(&["a", "b"])).await else { panic!() };
    assert!(matches!(bench.ask(estimate(10, 1), of(&["b", "c"])).await, Admission::Deny(..)));
    assert!(matches!(bench.ask(estimate(10, 1), of(&["c"])).await, Admission::Admit(..)));
}

#[tokio::test]
async fn a_price_that_nobody_knows_is_refused_under_a_limit_on_cost_or_not_counted() {
    let unpriced = Estimate { cost: None, ..estimate(1, 1) };
    let rules = json!([{"per": ["key"], "cost": 1, "requests": 5}]);
    let bench = Bench::new(json!({"rules": rules})).await;
    assert_eq!(bench.deny(unpriced).await.code, "price_unknown");
    let bench = Bench::new(json!({"rules": rules, "unknown_price": "ignore"})).await;
    settle(bench.admit(unpriced).await, &completed(1, 1));
    bench.check(&["0+0", "0+1"]);
}

#[tokio::test]
async fn tells_the_caller_how_the_tightest_window_stands() {
    let hint = |limits: Value| async move {
        let bench = Bench::per_key(limits).await;
        let Admission::Admit(_, hint) = bench.ask(estimate(10, 100), principal()).await else { panic!() };
        hint.map(|hint| (hint.unit, hint.limit, hint.remaining))
    };
    assert_eq!(hint(json!({"total_tokens": 200})).await, Some((LimitUnit::Tokens, 200, 90)));
    assert_eq!(hint(json!({"requests": 2, "input_tokens": 900})).await, Some((LimitUnit::Requests, 2, 1)));
    assert_eq!(hint(json!({"cost": 0.00001})).await, None, "budgets are not told");
}

#[tokio::test]
async fn limits_out_of_reach_are_a_failure_not_a_denial() {
    let env = extension::env(Arc::new(MemoryLimits::unreachable()));
    let settings = json!({"rules": [{"per": ["key"], "requests": 1}]});
    let limiter: TokenLimits = extension::create_in(env, settings).await.expect("the settings are valid");
    let answer = limiter.reserve(&estimate(1, 1), &request(&[]), None, &mut context(principal())).await;
    assert!(answer.is_err());
}

#[tokio::test]
async fn settings_that_cannot_be_right_are_refused_with_their_place() {
    let one = |rule: Value| json!({"rules": [rule]});
    let cases = [
        (json!({"rules": []}), "rules: give at least one rule"),
        (one(json!({"per": ["key"]})), "rules[0]: give `requests`, `input_tokens`"),
        (one(json!({"per": [], "requests": 1})), "rules[0]: say what the rule is `per`"),
        (one(json!({"per": ["key"], "cost": 0})), "rules[0].cost: give dollars, as in 12.50"),
        (one(json!({"per": ["key"], "cost": -1})), "rules[0].cost: give dollars, as in 12.50"),
        (one(json!({"per": ["keys"], "requests": 1})), "rules[0].per[0]: unknown variant `keys`"),
        (
            json!({"rules": [{"per": ["key"], "requests": 1}, {"per": ["key"], "cost": 1}]}),
            "rules[1]: another rule has this name",
        ),
    ];
    for (settings, message) in cases {
        let said = extension::create::<TokenLimits>(settings).await.expect_err("it is refused").to_string();
        assert!(said.starts_with(message), "{said}");
    }
}
