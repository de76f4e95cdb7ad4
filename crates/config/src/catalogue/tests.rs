use super::{MODELS, base_of, key, line_at, price};
use gatewright_policy::{PriceBook, Rate};
use serde_json::Value;

/// Every line that is a record.
fn records() -> impl Iterator<Item = (&'static str, &'static str, Value)> {
    MODELS.lines().filter_map(|line| {
        let (provider, model) = key(line)?;
        Some((provider, model, serde_json::from_str(line.trim_end_matches(',')).unwrap()))
    })
}

#[test]
fn the_records_are_sorted_and_their_names_need_no_unescaping() {
    let keys: Vec<_> = records().map(|(provider, model, _)| (provider, model)).collect();
    assert!(keys.len() > 1_000);
    assert!(keys.is_sorted());
    for (provider, model, record) in records() {
        assert_eq!((record["provider"].as_str(), record["model"].as_str()), (Some(provider), Some(model)));
    }
}

#[test]
fn every_record_is_found_with_its_exact_prices() {
    let mut before = None;
    for (provider, model, record) in records() {
        if before.replace((provider, model)) == Some((provider, model)) {
            continue;
        }
        let book = price(provider, model);
        let stated = record.get("input_usd_per_mtok").map(ToString::to_string);
        assert_eq!(book.is_some(), stated.is_some(), "{provider} {model}");
        let (Some(book), Some(stated)) = (book, stated) else { continue };
        let nanos: f64 = stated.parse::<f64>().unwrap() * 1e9;
        let found = book.rates.input.unwrap().0 as f64;
        assert!((found - nanos).abs() < 0.5, "{provider} {model}: {found} is not {nanos}");
    }
}

#[test]
fn what_the_catalogue_does_not_know_has_no_price() {
    for (provider, model) in [("", ""), ("a", "b"), ("zzz", "zzz"), ("acme", "acme-1")] {
        assert_eq!(price(provider, model), None);
    }
}

#[test]
fn versions_fall_back_to_the_name_they_are_a_version_of() {
    let table = [
        ("name-2025-01-31", Some("name")),
        ("name-20250131", Some("name")),
        ("name@20250131", Some("name")),
        ("name-latest", Some("name")),
        ("ft:base-2025-01-31:org::id", Some("ft:base-2025-01-31")),
        ("ft:base-2025-01-31", Some("ft:base")),
        ("ft:base", None),
        ("name", None),
        ("name-2025", None),
        ("-2025-01-31", None),
        ("é-2025-01-31", Some("é")),
        ("日本日本日本", None),
    ];
    for (model, base) in table {
        assert_eq!(base_of(model), base, "{model}");
    }
}

#[test]
fn an_unknown_version_of_a_known_model_has_its_price() {
    let (provider, model, _) =
        records().find(|(provider, model, _)| price(provider, model).is_some()).unwrap();
    assert_eq!(price(provider, &format!("{model}-2099-12-31")), price(provider, model));
    assert_eq!(price(provider, &format!("{model}-2099-12-31x")), None);
}

#[test]
fn tiers_scale_what_they_do_not_state() {
    let tiered = records().filter(|(.., record)| {
        record.get("tiers").is_some() && record.get("cache_read_usd_per_mtok").is_some()
    });
    let mut seen = 0;
    for (provider, model, _) in tiered {
        let Some(PriceBook { rates, tiers, .. }) = price(provider, model) else { continue };
        let ratio = |one: Option<Rate>, two: Option<Rate>| one.unwrap().0 as f64 / two.unwrap().0 as f64;
        for tier in tiers {
            let by_input = ratio(tier.rates.input, rates.input);
            assert!(
                (ratio(tier.rates.cache_read, rates.cache_read) - by_input).abs() < 1e-6,
                "{provider} {model}"
            );
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn lines_are_found_from_any_byte_of_theirs() {
    let line = line_at(1_000);
    for byte in [line.start, line.end] {
        assert_eq!(line_at(byte), line);
    }
    assert_eq!(line_at(0), 0..1);
}
