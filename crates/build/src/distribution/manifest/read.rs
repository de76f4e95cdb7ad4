//! From the text of a manifest to its data: one function per table.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::section::{Notes, Section, hint};
use super::{
    Allocator, Budget, Core, Entry, FILE, Located, Manifest, POINTS, Patch, Policy, Shipping, Source,
};

const TOP: [&str; 8] = ["manifest", "dist", "core", "toolchain", "extensions", "patch", "policy", "bench"];
const DIST: [&str; 5] = ["name", "version", "description", "profile", "allocator"];
const CORE: [&str; 6] = ["path", "git", "rev", "version", "default-extensions", "without"];
const EXTENSION: [&str; 8] = ["path", "git", "rev", "version", "registry", "package", "features", "allow"];
const PATCH: [&str; 3] = ["path", "git", "rev"];
const POLICY: [&str; 5] =
    ["allow-unlisted", "deny-duplicates", "licenses", "forbid-unsafe-in", "max-binary-mib"];
/// What a bench measures of a hook.
const MEASURES: [&str; 5] = ["event_ns", "event_allocs", "hold_bytes", "exchange_ns", "exchange_allocs"];

/// Reads a manifest, or returns every mistake as a line.
pub(super) fn manifest(text: &str) -> Result<Manifest, Vec<String>> {
    let notes = Notes::new(text);
    let (table, broken) = DeTable::parse_recoverable(text);
    for error in &broken {
        let line = notes.line(error.span().map_or(0, |span| span.start));
        notes.tell(line, format!("this is no TOML: {}", error.message()));
    }
    if !broken.is_empty() {
        return Err(notes.into_lines());
    }
    let read = whole(&Section::new(&notes, table.get_ref(), "", 1));
    let mistakes = notes.into_lines();
    match read {
        Some(manifest) if mistakes.is_empty() => Ok(manifest),
        _ => Err(mistakes),
    }
}

fn whole(top: &Section<'_>) -> Option<Manifest> {
    top.only(&TOP);
    match top.number("manifest") {
        Some(Located { value: 1, .. }) => {}
        Some(Located { line, value }) => {
            top.tell_at(line, format!("`manifest = {value}` is not a form that this tool reads; it reads 1"));
        }
        None if top.has("manifest") => {}
        None => top.tell("`manifest = 1` is missing: it says which form this file has"),
    }
    let dist = required(top, "dist").and_then(|section| dist(&section));
    let core = required(top, "core").and_then(|section| core(&section));
    let toolchain = top.section("toolchain", "toolchain").and_then(|section| toolchain(&section));
    let extensions = extensions(top);
    let patches = patches(top);
    let policy = top.section("policy", "policy").map(|section| policy(&section)).unwrap_or_default();
    let budgets = budgets(top);
    let (name, version, description, profile, allocator) = dist?;
    Some(Manifest {
        name,
        version,
        description,
        profile,
        allocator,
        core: core?,
        toolchain,
        extensions,
        patches,
        policy,
        budgets,
    })
}

fn required<'a>(top: &Section<'a>, key: &'a str) -> Option<Section<'a>> {
    if !top.has(key) {
        top.tell(format!("the table [{key}] is missing"));
    }
    top.section(key, key)
}

type Dist = (String, String, Option<String>, Shipping, Allocator);

fn dist(section: &Section<'_>) -> Option<Dist> {
    if section.has("panic") {
        section.only(&[DIST.as_slice(), &["panic"]].concat());
        let line = section.line_of("panic").unwrap_or(section.line);
        section.tell_at(
            line,
            "`dist.panic` cannot be chosen: it is always \"unwind\", so that an extension that panics fails its \
             own exchange only",
        );
    } else {
        section.only(&DIST);
    }
    let name = must(section, "name");
    if let Some(name) = name.as_ref().filter(|name| !is_package_name(&name.value)) {
        let message = "`dist.name` must be a package name: letters, digits, `-` and `_`, a letter first";
        section.tell_at(name.line, message);
    }
    let version = must(section, "version");
    if let Some(version) = version.as_ref().filter(|version| !is_version(&version.value)) {
        section.tell_at(version.line, "`dist.version` must be a version such as 1.4.0");
    }
    let profile = choice(section, "profile", &[("release", Shipping::Release), ("dist", Shipping::Dist)]);
    let allocators = [("system", Allocator::System), ("mimalloc", Allocator::Mimalloc)];
    let allocator = choice(section, "allocator", &allocators);
    let description = section.text("description").map(|text| text.value);
    let profile = profile.unwrap_or(Shipping::Release);
    Some((name?.value, version?.value, description, profile, allocator.unwrap_or(Allocator::System)))
}

fn core(section: &Section<'_>) -> Option<Core> {
    section.only(&CORE);
    let source = source(section, &["path", "git", "version"]);
    if let Some(Located { line, value: Source::Registry { version, .. } }) = &source
        && !is_version(version.trim_start_matches('='))
    {
        section.tell_at(
            *line,
            "`core.version` must be one version such as =0.6.2: everything is built on exactly that one",
        );
    }
    let default_extensions =
        section.flag("default-extensions").unwrap_or(Located { line: section.line, value: true });
    let without = section.texts("without").unwrap_or_default();
    Some(Core { source: source?, default_extensions, without })
}

fn toolchain(section: &Section<'_>) -> Option<Located<String>> {
    section.only(&["rust"]);
    let rust = must(section, "rust")?;
    if !is_version(&rust.value) {
        section.tell_at(
            rust.line,
            "`toolchain.rust` must be a full version such as 1.95.0, so that every machine builds with the same",
        );
    }
    Some(rust)
}

fn extensions(top: &Section<'_>) -> Vec<Entry> {
    let Some(all) = top.section("extensions", "extensions") else { return Vec::new() };
    all.entries().filter_map(|(key, line, value)| extension(&all, key, line, value)).collect()
}

fn extension(all: &Section<'_>, key: &str, line: usize, value: &Spanned<DeValue<'_>>) -> Option<Entry> {
    let name = format!("extensions.{key}");
    let section = all.open(&name, line, value)?;
    section.only(&EXTENSION);
    let source = source(&section, &["path", "git", "version"]);
    let package = section.text("package");
    if let Some(package) = package.as_ref().filter(|package| !is_package_name(&package.value)) {
        section.tell_at(package.line, format!("{} must be the name of a package", section.key("package")));
    }
    let points = POINTS.map(|(name, _)| name);
    let allow = section.texts("allow").map(|allow| {
        for point in allow.iter().filter(|point| !points.contains(&point.value.as_str())) {
            let hint = hint(&point.value, &points);
            section.tell_at(point.line, format!("`{}` in `{name}.allow` is no point{hint}", point.value));
        }
        allow.into_iter().map(|point| point.value).collect()
    });
    let features = section.texts("features").unwrap_or_default();
    Some(Entry {
        key: key.to_owned(),
        line,
        source: source?.value,
        package: package.map(|package| package.value),
        features: features.into_iter().map(|feature| feature.value).collect(),
        allow,
    })
}

fn patches(top: &Section<'_>) -> Vec<Patch> {
    let Some(all) = top.section("patch", "patch") else { return Vec::new() };
    let read = |(name, line, value)| {
        let title = format!("patch.{name}");
        let section = all.open(&title, line, value)?;
        section.only(&PATCH);
        let source = source(&section, &["path", "git"])?.value;
        Some(Patch { name: str::to_owned(name), line, source })
    };
    all.entries().filter_map(read).collect()
}

fn policy(section: &Section<'_>) -> Policy {
    section.only(&POLICY);
    let licenses = section.texts("licenses").map(|licenses| Located {
        line: licenses.first().map_or(section.line, |first| first.line),
        value: licenses.into_iter().map(|licence| licence.value).collect(),
    });
    Policy {
        allow_unlisted: section.flag("allow-unlisted").is_some_and(|flag| flag.value),
        deny_duplicates: section.texts("deny-duplicates").unwrap_or_default(),
        licenses,
        forbid_unsafe_in: section.texts("forbid-unsafe-in").unwrap_or_default(),
        max_binary_mib: section.number("max-binary-mib"),
    }
}

fn budgets(top: &Section<'_>) -> Vec<Budget> {
    let Some(bench) = top.section("bench", "bench") else { return Vec::new() };
    bench.only(&["budget"]);
    let Some(all) = bench.section("budget", "bench.budget") else { return Vec::new() };
    let read = |(extension, line, value)| {
        let title = format!("bench.budget.{extension}");
        let section = all.open(&title, line, value)?;
        section.only(&MEASURES);
        let bounds: BTreeMap<String, u64> = MEASURES
            .iter()
            .filter_map(|measure| Some(((*measure).to_owned(), section.number(measure)?.value)))
            .collect();
        Some(Budget { extension: str::to_owned(extension), line, bounds: bounds.into_iter().collect() })
    };
    all.entries().filter_map(read).collect()
}

/// Where a package comes from: exactly one of `kinds`, with what belongs to it.
fn source(section: &Section<'_>, kinds: &[&str]) -> Option<Located<Source>> {
    let given: Vec<_> = kinds.iter().filter(|kind| section.has(kind)).collect();
    let &[kind] = given.as_slice() else {
        let all = kinds.join("`, `");
        section.tell(format!("`{}` comes from one place: give exactly one of `{all}`", section.name));
        return None;
    };
    let found = section.text(kind)?;
    for (key, owner) in [("rev", "git"), ("registry", "version")] {
        if let Some(line) = section.line_of(key).filter(|_| *kind != owner) {
            section.tell_at(line, format!("{} belongs to `{owner}`, not to `{kind}`", section.key(key)));
        }
    }
    let value = match *kind {
        "path" => Source::Path(found.value),
        "git" => Source::Git { url: found.value, rev: revision(section)? },
        _ => Source::Registry {
            version: found.value,
            registry: section.text("registry").map(|registry| registry.value),
        },
    };
    Some(Located { line: found.line, value })
}

fn revision(section: &Section<'_>) -> Option<String> {
    let rev = must(section, "rev")?;
    let is_full = rev.value.len() == 40 && rev.value.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_full {
        section.tell_at(
            rev.line,
            format!(
                "{} must be a full revision of 40 hexadecimal digits: a branch, a tag or a short one can come to \
                 mean something else",
                section.key("rev")
            ),
        );
    }
    Some(rev.value)
}

fn must(section: &Section<'_>, key: &str) -> Option<Located<String>> {
    if !section.has(key) {
        section.tell(format!("{} is missing", section.key(key)));
    }
    section.text(key)
}

fn choice<T: Copy>(section: &Section<'_>, key: &str, options: &[(&str, T)]) -> Option<T> {
    let given = section.text(key)?;
    let found = options.iter().find(|(name, _)| *name == given.value);
    if found.is_none() {
        let names: Vec<&str> = options.iter().map(|(name, _)| *name).collect();
        let message =
            format!("`{}` is no value of {}{}", given.value, section.key(key), hint(&given.value, &names));
        section.tell_at(given.line, message);
    }
    found.map(|(_, value)| *value)
}

fn is_package_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// Whether the text is a whole version: three numbers, then at most a label.
fn is_version(text: &str) -> bool {
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, _) = text.split_at(end);
    let parts: Vec<&str> = numbers.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.len() == 3 && parts.iter().all(is_number)
}

/// The place of a key of the manifest, as messages and the generated list name it.
pub(in crate::distribution) fn place(line: usize, key: &str) -> String {
    format!("{FILE}:{line}, {key}")
}
