//! The limit buckets of the process, for the admin listener.

use std::time::Duration;

use gatewright::TenantId;
use gatewright::service::limits::{BucketKey, Dimension};
use gatewright_server::admin::{BucketReport, LimitsQuestion, LimitsReport};
use gatewright_store::{BucketQuery, BucketView, MemoryLimits};
use serde_json::{Value, json};

/// Answers a question about buckets.
///
/// # Errors
///
/// What is wrong with the question.
pub(super) fn report(limits: &MemoryLimits, question: &LimitsQuestion) -> Result<LimitsReport, String> {
    let page = limits.list(&BucketQuery {
        tenant: question.tenant.clone(),
        rule: question.rule.clone(),
        label: question.label.clone(),
        dimension: question.dimension.as_deref().map(dimension).transpose()?,
        after: question.after.as_deref().map(place).transpose()?,
        count_max: question.count,
    });
    let next = page.buckets.last().filter(|_| page.has_more).map(|last| token(&last.key));
    Ok(LimitsReport { buckets: page.buckets.iter().map(bucket).collect(), next })
}

fn dimension(name: &str) -> Result<Dimension, String> {
    Dimension::parse(name).ok_or_else(|| {
        let known: Vec<_> = Dimension::ALL.iter().map(|dimension| dimension.as_str()).collect();
        format!("there is no dimension `{name}`; known are {}", known.join(", "))
    })
}

fn bucket(view: &BucketView) -> BucketReport {
    BucketReport {
        tenant: view.key.tenant.to_string(),
        rule: view.key.rule.to_string(),
        label: view.key.label.to_string(),
        dimension: view.key.dimension.as_str(),
        window: view.key.window,
        used: view.used,
        held: view.held,
        clears: view.clears,
    }
}

/// The place of a key in the order of all, as a word that fits into a URL.
fn token(key: &BucketKey) -> String {
    let window = key.window.map(|window| u64::try_from(window.as_nanos()).unwrap_or(u64::MAX));
    let parts = json!([key.tenant.as_str(), &*key.rule, &*key.label, key.dimension.as_str(), window]);
    parts.to_string().bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn place(token: &str) -> Result<BucketKey, String> {
    parse(token).ok_or_else(|| "`after` is what an earlier page gave as `next`".to_owned())
}

fn parse(token: &str) -> Option<BucketKey> {
    let digits = token.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    let bytes: Option<Vec<u8>> = digits.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect();
    let parts: Vec<Value> = serde_json::from_slice(&bytes?).ok()?;
    let text = |at: usize| parts.get(at)?.as_str();
    Some(BucketKey {
        tenant: TenantId::new(text(0)?),
        rule: text(1)?.into(),
        label: text(2)?.into(),
        dimension: Dimension::parse(text(3)?)?,
        window: parts.get(4)?.as_u64().map(Duration::from_nanos),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use gatewright::service::limits::{BucketKey, Dimension};
    use gatewright_server::admin::LimitsQuestion;
    use gatewright_store::MemoryLimits;

    use super::{parse, report, token};
    use crate::clock::SystemClock;

    fn key(label: &str, window: Option<Duration>) -> BucketKey {
        BucketKey {
            tenant: "ac/me".into(),
            rule: "r".into(),
            label: label.into(),
            dimension: Dimension::Cost,
            window,
        }
    }

    #[test]
    fn a_place_survives_its_way_through_a_url() {
        for known in [key("ä & \"b\"", Some(Duration::from_millis(1500))), key("", None)] {
            assert_eq!(parse(&token(&known)), Some(known));
        }
        for broken in ["", "7", "zz", "5b5d"] {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn pages_follow_each_other_until_the_last() {
        let limits = MemoryLimits::new(Arc::new(SystemClock));
        let labels = ["a", "b", "c", "d", "e"];
        for label in labels {
            limits.take_over(&key(label, Some(Duration::from_secs(60))), 7, 0).unwrap();
        }
        let mut seen = Vec::new();
        let mut question = LimitsQuestion { count: 2, ..LimitsQuestion::default() };
        loop {
            let page = report(&limits, &question).unwrap();
            seen.extend(page.buckets.iter().map(|bucket| (bucket.label.clone(), bucket.used)));
            match page.next {
                Some(next) => question.after = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, labels.map(|label| (label.to_owned(), 7)));
    }

    #[test]
    fn a_wrong_question_is_told_what_is_known() {
        let limits = MemoryLimits::new(Arc::new(SystemClock));
        let ask = |question| report(&limits, &question).unwrap_err();
        let dimension = ask(LimitsQuestion { dimension: Some("x".to_owned()), ..LimitsQuestion::default() });
        assert!(dimension.contains("input_tokens"), "{dimension}");
        let after = ask(LimitsQuestion { after: Some("x".to_owned()), ..LimitsQuestion::default() });
        assert!(after.contains("next"), "{after}");
    }
}
