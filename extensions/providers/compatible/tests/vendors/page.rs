//! The table of vendors in the reference.

use std::fmt::Write as _;

use gatewright_provider_compatible::{Offer, Traits, VendorFile};

const BEGIN: &str = "<!-- vendors:begin -->\n";
const END: &str = "<!-- vendors:end -->";

/// The page with a new table in the place of the one that it has.
pub(crate) fn with_table(page: &str, table: &str) -> String {
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    format!("{before}{BEGIN}\n{table}\n{END}{after}")
}

/// The table.
pub(crate) fn table(rows: impl Iterator<Item = (&'static str, VendorFile)>) -> String {
    let mut out = String::from("| `use` | service | `base_url` by default | takes | differs in |\n");
    out.push_str("| --- | --- | --- | --- | --- |\n");
    for (name, file) in rows {
        let url = file.base_url.as_ref().map_or("-".to_owned(), |url| format!("`{url}`"));
        let offers = file.quirks.offers.iter().flatten().map(|offer| word(*offer));
        let offers = offers.collect::<Vec<_>>().join(", ");
        let title = format!("[{}]({})", file.title, file.source);
        writeln!(out, "| `{name}` | {title} | {url} | {offers} | {} |", quirks(&file)).unwrap();
    }
    out
}

fn word(offer: Offer) -> &'static str {
    match offer {
        Offer::Chat => "chat",
        Offer::Responses => "responses",
        Offer::Completion => "completion",
        Offer::Embedding => "embedding",
        Offer::Transcription => "transcription",
        Offer::Translation => "translation",
        Offer::ImageEdit => "image edit",
        Offer::Realtime => "realtime",
    }
}

fn quirks(file: &VendorFile) -> String {
    let mut said = traits(&file.quirks.traits);
    for (model, own) in &file.quirks.models {
        let own = traits(own);
        if !own.is_empty() {
            said.push(format!("`{model}`: {}", own.join(", ")));
        }
    }
    let mut said = said.join("; ");
    if let Some(note) = &file.note {
        said.push_str(if said.is_empty() { "" } else { ". " });
        said.push_str(note);
    }
    if said.is_empty() { "-".to_owned() } else { said }
}

fn traits(traits: &Traits) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(refused) = traits.refuses.as_ref().filter(|refused| !refused.is_empty()) {
        let words: Vec<_> = refused.iter().map(|word| format!("`{word}`")).collect();
        said.push(format!("loses {}", words.join(", ")));
    }
    for (param, name) in traits.names.iter().flatten() {
        said.push(if param == name { format!("takes `{name}`") } else { format!("`{param}` is `{name}`") });
    }
    let no = |said: Option<bool>| said == Some(false);
    let facts = [
        (traits.has_legacy_cap == Some(true), "the cap is `max_tokens`"),
        (no(traits.has_stream_options), "no `stream_options`"),
        (no(traits.has_developer_role), "`developer` is `system`"),
        (no(traits.holds_to_schema), "a schema becomes any JSON"),
        (no(traits.fetches_urls), "fetches no addresses"),
        (no(traits.continues_answers), "continues no answer"),
        (no(traits.reasons), "does not reason"),
    ];
    said.extend(facts.iter().filter(|(holds, _)| *holds).map(|(_, text)| (*text).to_owned()));
    if let Some(media) = &traits.media {
        let words: Vec<_> = media.iter().map(|medium| format!("{medium:?}").to_lowercase()).collect();
        said.push(format!("beside text reads {}", words.join(", ")));
    }
    if let Some(most) = traits.output_tokens_max {
        said.push(format!("at most {most} output tokens"));
    }
    said
}
