use super::*;

fn nothing(_: Settings, _: ExtEnv) -> Creating {
    Box::pin(async { Err(BuildError::new("a registration of a test makes nothing")) })
}

/// A registration of the package `package`; `values` are what it provides and needs.
const fn registration(
    name: &'static str,
    package: &'static str,
    points: &'static [Point],
    (provides, needs): (&'static [&'static str], &'static [&'static str]),
) -> Registration {
    Registration {
        name,
        package,
        version: "1.0.0",
        module: "tests",
        points,
        provides,
        needs,
        base_url: None,
        schema: || serde_json::Value::Null,
        create: nothing,
    }
}

const BOTH: &[Point] = &[Point::RequestTransform, Point::ResponseFilter];

static ALONE: Registration = registration("alone", "acme-alone", BOTH, (&[], &[]));
static FIRST: Registration = registration("first", "acme-pair", BOTH, (&["score"], &["language"]));
static SECOND: Registration = registration("second", "acme-pair", BOTH, (&["language"], &[]));
static THIRD: Registration = registration("third", "acme-third", BOTH, (&["language"], &["score"]));
static NAMESAKE: Registration = registration("alone", "other", BOTH, (&[], &[]));

const EXPECTED: &[Expected] = &[
    Expected { package: "acme-alone", listed_in: "gatewright.toml:7, [extensions.alone]", points: None },
    Expected { package: "acme-pair", listed_in: "gatewright.toml:9, [extensions.pair]", points: None },
];

/// All orders of some registrations.
fn orders(of: &[&'static Registration]) -> Vec<Vec<&'static Registration>> {
    let Some((first, rest)) = of.split_first() else { return vec![Vec::new()] };
    let mut all = Vec::new();
    for order in orders(rest) {
        for place in 0..=order.len() {
            let mut order = order.clone();
            order.insert(place, *first);
            all.push(order);
        }
    }
    all
}

fn told(errors: Result<(), Vec<RegistryError>>) -> Vec<String> {
    errors.err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn pitfall_03_the_order_in_which_extensions_link_means_nothing() {
    for order in orders(&[&ALONE, &FIRST, &SECOND]) {
        let registry = Registry::of(order).unwrap();
        let names: Vec<_> = registry.iter().map(|known| known.name).collect();
        assert_eq!(names, ["alone", "first", "second"]);
        assert_eq!(registry.check(EXPECTED, false), Ok(()));
    }
}

#[test]
fn pitfall_03_what_is_wrong_is_told_the_same_in_every_order() {
    let mut circles = std::collections::BTreeSet::new();
    for order in orders(&[&FIRST, &THIRD, &ALONE]) {
        circles.insert(told(Registry::of(order).unwrap().check(EXPECTED, true)));
    }
    assert_eq!(circles.len(), 1, "{circles:?}");
    let mut doubles = std::collections::BTreeSet::new();
    for order in orders(&[&ALONE, &NAMESAKE, &FIRST]) {
        doubles.insert(told(Registry::of(order).map(drop)));
    }
    assert_eq!(doubles.len(), 1, "{doubles:?}");
}

#[test]
fn pitfall_05_a_name_that_two_packages_register_is_told_with_both() {
    let errors = told(Registry::of([&ALONE, &NAMESAKE]).map(drop));
    assert_eq!(errors.len(), 1, "{errors:?}");
    for part in ["`alone`", "acme-alone", "other", "rename one"] {
        assert!(errors[0].contains(part), "{part}: {errors:?}");
    }
}

#[test]
fn pitfall_05_one_package_may_register_two_extensions() {
    let registry = Registry::of([&FIRST, &SECOND, &ALONE]).unwrap();
    assert_eq!(registry.iter().filter(|known| known.package == "acme-pair").count(), 2);
    assert_eq!(registry.check(EXPECTED, false), Ok(()));
}

#[test]
fn pitfall_05_a_point_outside_of_what_is_allowed_is_told_with_its_line() {
    let narrow = [Expected { points: Some(&[Point::RequestTransform]), ..EXPECTED[0] }];
    let errors = told(Registry::of([&ALONE]).unwrap().check(&narrow, false));
    assert_eq!(errors.len(), 1, "{errors:?}");
    for part in ["acme-alone", "`alone`", "`response`", "gatewright.toml:7", "allow"] {
        assert!(errors[0].contains(part), "{part}: {errors:?}");
    }
}

#[test]
fn pitfall_05_what_nobody_listed_is_refused_unless_that_is_allowed() {
    let registry = Registry::of([&ALONE, &FIRST, &SECOND, &THIRD]).unwrap();
    let errors = told(registry.check(EXPECTED, false));
    assert!(
        errors.iter().any(|error| error.contains("acme-third") && error.contains("not listed")),
        "{errors:?}"
    );
    let errors = told(registry.check(EXPECTED, true));
    assert!(errors.iter().all(|error| !error.contains("not listed")), "{errors:?}");
}

#[test]
fn pitfall_01_a_package_that_is_listed_and_did_not_register_is_told_with_its_line() {
    let errors = told(Registry::of([&FIRST, &SECOND]).unwrap().check(EXPECTED, false));
    assert_eq!(errors.len(), 1, "{errors:?}");
    for part in ["acme-alone", "gatewright.toml:7", "register!"] {
        assert!(errors[0].contains(part), "{part}: {errors:?}");
    }
}

#[test]
fn a_circle_of_needs_is_told_with_every_name_in_it() {
    let errors = told(Registry::of([&FIRST, &THIRD]).unwrap().check(EXPECTED, true));
    let circle = errors.iter().find(|error| error.contains("circle")).expect("the circle is told");
    for part in ["`first`", "`third`", "NEEDS", "gatewright.toml:9"] {
        assert!(circle.contains(part), "{part}: {circle}");
    }
    let registry = Registry::of([&FIRST, &SECOND, &ALONE]).unwrap();
    assert_eq!(registry.check(EXPECTED, false), Ok(()), "a need that is met is no circle");
}
