//! Who is admitted, what is counted and given back, and which settings are refused.

use std::sync::Arc;

use gatewright::prelude::*;
use gatewright_testkit::extension::{self, MemoryLimits, context, principal, request};
use serde_json::{Value, json};

use crate::RequestLimits;

/// An instance over limits of its own.
struct Bench {
    limits: Arc<MemoryLimits>,
    limiter: RequestLimits,
}

impl Bench {
    async fn new(settings: Value) -> Self {
        let limits = Arc::new(MemoryLimits::default());
        let limiter = extension::create_in(extension::env(Arc::clone(&limits)), settings);
        Self { limiter: limiter.await.expect("the settings are valid"), limits }
    }

    async fn ask(&self, caller: Principal) -> Admission {
        let answer =
            self.limiter.reserve(&Estimate::default(), &request(&[]), None, &mut context(caller)).await;
        answer.expect("it does not fail")
    }

    async fn admit(&self, caller: Principal) -> Box<dyn Reservation> {
        match self.ask(caller).await {
            Admission::Admit(reservation, _) => reservation,
            other => panic!("{other:?}"),
        }
    }

    async fn deny(&self, caller: Principal) -> Denial {
        match self.ask(caller).await {
            Admission::Deny(denial, _) => *denial,
            other => panic!("{other:?}"),
        }
    }
}

fn completed() -> Outcome {
    Outcome::Completed { usage: Usage::default(), reported: true }
}

fn user(name: &str) -> Principal {
    Principal { user: Some(name.into()), ..principal() }
}

#[tokio::test]
async fn a_window_takes_so_many_requests_and_no_more() {
    let bench = Bench::new(json!({"rules": [{"per": ["key"], "requests": 2, "window": "hour"}]})).await;
    for _ in 0..2 {
        assert!(bench.admit(principal()).await.settle(&completed()).is_none());
    }
    let denial = bench.deny(principal()).await;
    assert_eq!((denial.status.as_u16(), &*denial.code), (429, "too_many_requests"));
    assert_eq!(denial.retry_after.map(|after| after.as_secs()), Some(3600));
    assert_eq!(bench.limits.report(), ["tenant/test/key/key: 0+2"]);
}

#[tokio::test]
async fn so_many_requests_run_at_the_same_time_and_no_more() {
    let bench = Bench::new(json!({"rules": [{"per": ["key"], "concurrent": 2}]})).await;
    let first = bench.admit(principal()).await;
    let _second = bench.admit(principal()).await;
    assert_eq!(bench.deny(principal()).await.code, "too_many_concurrent_requests");
    assert!(first.settle(&completed()).is_none());
    let _third = bench.admit(principal()).await;
}

#[tokio::test]
async fn a_request_that_was_not_sent_does_not_count() {
    let bench = Bench::new(json!({"rules": [{"per": ["key"], "requests": 1}]})).await;
    assert!(bench.admit(principal()).await.settle(&Outcome::NotSent).is_none());
    assert!(bench.admit(principal()).await.settle(&completed()).is_none());
    bench.deny(principal()).await;
}

#[tokio::test]
async fn a_request_counts_once_from_the_beginning_of_its_answer() {
    let bench = Bench::new(json!({"rules": [{"per": ["key"], "requests": 5}]})).await;
    let mut reservation = bench.admit(principal()).await;
    assert_eq!(bench.limits.report(), ["tenant/test/key/key: 1+0"]);
    for _ in 0..2 {
        assert!(matches!(reservation.progress(&Usage::default()), Ok(Progress::Continue)));
        assert_eq!(bench.limits.report(), ["tenant/test/key/key: 0+1"]);
    }
    assert!(reservation.settle(&completed()).is_none());
    assert_eq!(bench.limits.report(), ["tenant/test/key/key: 0+1"]);
}

#[tokio::test]
async fn what_is_dropped_is_given_back() {
    let bench = Bench::new(json!({"rules": [{"per": ["key"], "requests": 1, "concurrent": 1}]})).await;
    drop(bench.admit(principal()).await);
    drop(bench.admit(principal()).await);
}

#[tokio::test]
async fn a_request_needs_room_in_all_rules_or_takes_none() {
    let bench = Bench::new(json!({"rules": [
        {"per": ["tenant"], "requests": 9},
        {"per": ["user"], "concurrent": 1},
    ]}))
    .await;
    let _held = bench.admit(user("ann")).await;
    bench.deny(user("ann")).await;
    let _other = bench.admit(user("bob")).await;
    let counted: Vec<String> = bench.limits.report();
    assert!(counted.contains(&"tenant/test/tenant/\u{1f}: 2+0".to_owned()), "{counted:?}");
}

#[tokio::test]
async fn each_combination_has_an_allowance_of_its_own_within_its_tenant() {
    let bench = Bench::new(json!({"rules": [{"per": ["user", {"tag": "team"}], "concurrent": 1}]})).await;
    let team = |name: &str, team: &str| Principal { tags: vec![("team".into(), team.into())], ..user(name) };
    let _held = [
        bench.admit(team("ann", "a")).await,
        bench.admit(team("ann", "b")).await,
        bench.admit(team("bob", "a")).await,
    ];
    bench.deny(team("ann", "a")).await;
    let elsewhere = Principal { tenant: "other".into(), ..team("ann", "a") };
    let _other = bench.admit(elsewhere).await;
}

#[tokio::test]
async fn callers_without_the_part_in_question_share_an_allowance() {
    let bench = Bench::new(json!({"rules": [{"per": ["user"], "concurrent": 1}]})).await;
    let _held = bench.admit(principal()).await;
    bench.deny(Principal { key_label: "another".into(), ..principal() }).await;
}

#[tokio::test]
async fn tells_the_caller_how_a_window_stands() {
    let bench = Bench::new(json!({"rules": [{"per": ["key"], "requests": 5, "concurrent": 1}]})).await;
    let Admission::Admit(_held, hint) = bench.ask(principal()).await else { panic!("it is admitted") };
    assert_eq!(hint, None, "places at the same time are no window");
    let bench = Bench::new(json!({"rules": [{"per": ["key"], "requests": 5, "concurrent": 9}]})).await;
    let Admission::Admit(_held, hint) = bench.ask(principal()).await else { panic!("it is admitted") };
    assert_eq!(hint.map(|hint| (hint.limit, hint.remaining)), Some((5, 4)));
}

#[tokio::test]
async fn limits_out_of_reach_are_a_failure_not_a_denial() {
    let env = extension::env(Arc::new(MemoryLimits::unreachable()));
    let limiter: RequestLimits = extension::create_in(env, json!({})).await.expect("the settings are valid");
    let answer = limiter.reserve(&Estimate::default(), &request(&[]), None, &mut context(principal())).await;
    assert!(answer.is_err());
}

#[tokio::test]
async fn settings_that_cannot_be_right_are_refused_with_their_place() {
    let cases = [
        (json!({"rules": [{"per": ["key"]}]}), "rules[0]: give `requests`, `concurrent`, or both"),
        (
            json!({"rules": [{"per": [], "requests": 1}]}),
            "rules[0]: say what the rule is `per`, such as [key]",
        ),
        (
            json!({"rules": [{"per": ["key"], "requests": 1}, {"per": ["key"], "concurrent": 1}]}),
            "rules[1]: another rule has this name; give one of them a `name` of its own",
        ),
        (
            json!({"rules": [{"per": ["key"], "requests": 0}]}),
            "rules[0].requests: invalid value: integer `0`",
        ),
    ];
    for (settings, message) in cases {
        let refused =
            extension::create::<RequestLimits>(settings).await.expect_err("it is refused").to_string();
        assert!(refused.starts_with(message), "{refused}");
    }
}
