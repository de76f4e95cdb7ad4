//! What is inside the binary, for `version` and `extensions`.

use gatewright::registry::{Registration, Registry};
use serde_json::{Value, json};

use crate::Build;
use crate::build_info::BuildInfo;
use crate::table::columns;

/// Of a digest, people read this much.
const DIGEST_SHOWN: usize = 19;

/// `version`.
pub(crate) fn version_text(build: &Build, linked: &Registry) -> String {
    let mut text = format!("{} {}", build.name, build.version);
    for known in linked.iter() {
        text.push_str(&format!("\n  {} {} ({})", known.name, known.version, points(known).join(", ")));
    }
    text
}

/// `version --json`.
pub(crate) fn version_json(build: &Build, linked: &Registry) -> String {
    let info = BuildInfo::of(build);
    json!({
        "name": build.name,
        "version": build.version,
        "build": info.as_json(),
        "extensions": extensions(&info, linked),
    })
    .to_string()
}

/// `extensions`.
pub(crate) fn extensions_text(build: &Build, linked: &Registry) -> String {
    let info = BuildInfo::of(build);
    let mut rows =
        vec![["name", "version", "points", "package", "source", "digest"].map(str::to_owned).to_vec()];
    for known in linked.iter() {
        let origin = info.origin(known.package);
        let digest = origin.digest.map(|digest| digest.chars().take(DIGEST_SHOWN).collect());
        rows.push(vec![
            known.name.to_owned(),
            known.version.to_owned(),
            points(known).join(","),
            known.package.to_owned(),
            origin.source.unwrap_or_else(|| "not known".to_owned()),
            digest.unwrap_or_else(|| "not known".to_owned()),
        ]);
    }
    let mut text = columns(&rows);
    text.push('\n');
    text.push_str(&columns(&linked.iter().map(about).collect::<Vec<_>>()));
    text.trim_end().to_owned()
}

/// `extensions --json`.
pub(crate) fn extensions_json(build: &Build, linked: &Registry) -> String {
    json!({ "extensions": extensions(&BuildInfo::of(build), linked) }).to_string()
}

fn extensions(info: &BuildInfo, linked: &Registry) -> Vec<Value> {
    let entry = |known: &'static Registration| {
        let origin = info.origin(known.package);
        json!({
            "name": known.name,
            "package": known.package,
            "version": known.version,
            "points": points(known),
            "description": description(known),
            "provides": known.provides,
            "needs": known.needs,
            "source": origin.source,
            "digest": origin.digest,
        })
    };
    linked.iter().map(entry).collect()
}

/// What an extension does, and which values it gives and takes.
fn about(known: &'static Registration) -> Vec<String> {
    let mut text = description(known).unwrap_or_default();
    for (verb, values) in [("provides", known.provides), ("needs", known.needs)] {
        if !values.is_empty() {
            text.push_str(&format!(" ({verb} {})", values.join(", ")));
        }
    }
    vec![known.name.to_owned(), text.trim_start().to_owned()]
}

fn points(known: &Registration) -> Vec<&'static str> {
    known.points.iter().map(|point| point.as_str()).collect()
}

/// The first line of what the settings say about themselves.
fn description(known: &Registration) -> Option<String> {
    let schema = (known.schema)();
    let text = schema.get("description")?.as_str()?;
    text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}
