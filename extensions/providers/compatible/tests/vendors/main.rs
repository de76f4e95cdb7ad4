//! What each vendor is sent. `golden/<vendor>.txt` is what becomes of the same few requests on the way to it. Set
//! `GATEWRIGHT_BLESS=1` to write these files anew, and with them the table in `docs/reference/providers.md`.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

mod page;
mod sent;

use std::path::Path;

use gatewright::{Extension, ProviderAdapter};
use gatewright_provider_compatible::{Compatible, Vendor, VendorFile, vendors as all};
use gatewright_testkit::extension::{EnvBuilder, create_in};
use serde_json::json;

/// A vendor as the tests see it.
struct Listed {
    name: &'static str,
    base_url: Option<&'static str>,
    file: &'static str,
    adapter: Box<dyn ProviderAdapter>,
}

fn listed<E: Extension + ProviderAdapter>(file: &'static str, settings: serde_json::Value) -> Listed {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let bed = EnvBuilder::default().build();
    let adapter: E = runtime.block_on(create_in(bed.env(), settings)).unwrap();
    Listed { name: E::NAME, base_url: E::BASE_URL, file, adapter: Box::new(adapter) }
}

/// All vendors, and whoever is none.
fn every() -> Vec<Listed> {
    macro_rules! list {
        ($($vendor:ident = $name:literal,)+) => {
            vec![$(listed::<gatewright_provider_compatible::$vendor>(
                <gatewright_provider_compatible::vendors::$vendor as Vendor>::FILE,
                json!({}),
            ),)+]
        };
    }
    let mut every: Vec<Listed> = all!(list);
    every.push(listed::<Compatible>(<gatewright_provider_compatible::Anybody as Vendor>::FILE, json!({})));
    every
}

fn is_blessing() -> bool {
    #[expect(clippy::disallowed_methods, reason = "a switch of this test, not of the product")]
    let blessing = std::env::var_os("GATEWRIGHT_BLESS");
    blessing.is_some()
}

/// Compares a text with a file, or writes it.
#[track_caller]
fn compare(path: &Path, text: &str) {
    if is_blessing() {
        std::fs::write(path, text).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    let path = path.display();
    assert_eq!(text, kept, "{path} differs; GATEWRIGHT_BLESS=1 takes the new text over");
}

#[test]
fn every_file_is_read_whole_and_is_used() {
    let every = every();
    for listed in &every {
        let file = VendorFile::parse(listed.file).unwrap_or_else(|error| panic!("{}: {error}", listed.name));
        assert_eq!(file.base_url.as_deref(), listed.base_url, "{}", listed.name);
        assert!(file.source.starts_with("https://") && !file.title.is_empty(), "{}", listed.name);
        let has_address = file.base_url.is_some() || file.note.is_some();
        assert!(has_address, "{} says where it is, or how to say it", listed.name);
    }
    let files = std::fs::read_dir("vendors").unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let mut names: Vec<_> = every.iter().map(|listed| format!("{}.json", listed.name)).collect();
    names.sort();
    assert_eq!(files, names, "files and the list in lib.rs");
}

#[test]
fn a_file_with_a_member_that_means_nothing_is_refused() {
    let whole = json!({"title": "t", "source": "https://s.example", "quirks": {"offers": ["chat"]}});
    assert!(VendorFile::parse(&whole.to_string()).is_ok());
    for pointer in ["", "/quirks"] {
        let mut wrong = whole.clone();
        wrong.pointer_mut(pointer).unwrap()["speaks"] = json!(1);
        assert!(VendorFile::parse(&wrong.to_string()).is_err(), "{wrong}");
    }
}

#[test]
fn every_vendor_is_asked_where_it_is_in_its_own_words() {
    for listed in every() {
        let text = sent::transcript(&*listed.adapter);
        compare(Path::new("tests/golden").join(format!("{}.txt", listed.name)).as_path(), &text);
    }
}

#[test]
fn settings_win_over_what_is_known_of_a_vendor() {
    let settings = json!({
        "offers": ["chat"],
        "paths": {"chat": "/v9/chat"},
        "key_header": "x-key",
        "key_scheme": "",
        "traits": {"has_stream_options": true, "has_legacy_cap": false, "refuses": []},
        "models": {"m": {"refuses": ["seed"]}},
    });
    let file = <gatewright_provider_compatible::vendors::Mistral as Vendor>::FILE;
    let listed = listed::<gatewright_provider_compatible::Mistral>(file, settings);
    compare(Path::new("tests/golden/mistral.overruled.txt"), &sent::transcript(&*listed.adapter));
}

#[test]
fn wrong_settings_are_refused_with_their_place() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (settings, place) in [
        (json!({"offers": []}), "offers"),
        (json!({"paths": {"chat": "v1"}}), "paths.chat"),
        (json!({"key_header": "a b"}), "key_header"),
        (json!({"key_scheme": "a\n"}), "key_scheme"),
        (json!({"traits": {"refuses": ["seed", "warmth"]}}), "traits.refuses[1]"),
        (json!({"traits": {"names": {"warmth": "w"}}}), "traits.names.warmth"),
        (json!({"models": {"m-1": {"refuses": ["warmth"]}}}), "models.m-1.refuses[0]"),
    ] {
        let bed = EnvBuilder::default().build();
        let refused = runtime.block_on(create_in::<Compatible>(bed.env(), settings.clone()));
        assert_eq!(refused.map(drop).unwrap_err().path, place, "{settings}");
    }
}

#[test]
fn the_table_of_the_reference_is_fresh() {
    let path = Path::new("../../../docs/reference/providers.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = every().into_iter().map(|listed| (listed.name, VendorFile::parse(listed.file).unwrap()));
    compare(path, &page::with_table(&text, &page::table(rows)));
}
