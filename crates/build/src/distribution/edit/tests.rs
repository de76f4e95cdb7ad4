use super::*;

const TABLES: &str = "\
# Ours.
[core]
git = \"https://git.example/gw\" # the mirror
rev = \"aa\" # reviewed

[extensions.pii] # masks
path = \"extensions/pii\"

# What we promise.
[policy]
max-binary-mib = 60
";

fn edited(text: &str, edit: impl FnOnce(&mut DocumentMut)) -> String {
    let mut document: DocumentMut = text.parse().unwrap();
    edit(&mut document);
    document.to_string()
}

fn add() -> Add {
    Add {
        key: "budget".to_owned(),
        origin: Origin {
            path: None,
            git: Some("https://git.example/b".to_owned()),
            rev: Some("bb".to_owned()),
            version: None,
            registry: None,
        },
        package: Some("gw-budget".to_owned()),
        features: vec!["redis".to_owned()],
        allow: vec!["limiter".to_owned()],
    }
}

#[test]
fn an_extension_joins_the_others_and_comments_stay() {
    let expected = TABLES.replace(
        "\n# What",
        "\n[extensions.budget]\ngit = \"https://git.example/b\"\nrev = \"bb\"\npackage = \"gw-budget\"\nfeatures = \
         [\"redis\"]\nallow = [\"limiter\"]\n\n# What",
    );
    assert_eq!(edited(TABLES, |document| insert(document, "budget", &add().fields())), expected);
}

#[test]
fn an_extension_takes_the_form_of_the_others() {
    let lines = "[extensions]\npii = { path = \"extensions/pii\" } # masks\n";
    let expected = format!(
        "{lines}budget = {{ git = \"https://git.example/b\", rev = \"bb\", package = \"gw-budget\", features = \
         [\"redis\"], allow = [\"limiter\"] }}\n"
    );
    assert_eq!(edited(lines, |document| insert(document, "budget", &add().fields())), expected);
}

#[test]
fn the_first_extension_gets_a_table_of_its_own() {
    let text = edited("[core]\npath = \"x\"\n", |document| insert(document, "budget", &add().fields()));
    assert!(text.starts_with("[core]\npath = \"x\"\n\n[extensions.budget]\ngit = "), "{text}");
}

#[test]
fn a_new_revision_keeps_the_comment_beside_it() {
    let text = edited(TABLES, |document| set(document, "core", "rev", "cc").unwrap());
    assert_eq!(text, TABLES.replace("rev = \"aa\"", "rev = \"cc\""));
    let mut document: DocumentMut = TABLES.parse().unwrap();
    let said = set(&mut document, "pii", "version", "2").unwrap_err().to_string();
    assert_eq!(said, "`pii` has no `version` in the manifest: it comes from elsewhere");
}
