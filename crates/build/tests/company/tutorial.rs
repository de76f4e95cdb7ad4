//! The tutorial, done as it says: its code is taken out of the text and put where the text wants it.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::dev::{Dev, contents};
use crate::is_full;
use crate::place::Company;

const TUTORIAL: &str = include_str!("../../../../docs/extending/tutorial.md");
const README: &str = include_str!("../../../../README.md");

pub(crate) const LIBRARY: &str = "extensions/acme-example/src/lib.rs";
const TESTS: &str = "extensions/acme-example/src/tests.rs";

/// The rule of section 4, as far as the text says where it begins and ends in the code of before.
const RULE: (&str, &str) = ("        let patterns = ", "error.to_string()))?;\n");

/// From a saved configuration to a gateway that serves by it.
const RELOAD_MAX: Duration = Duration::from_secs(10);

/// The block of a language that holds a text.
#[track_caller]
fn block(language: &str, text: &str) -> &'static str {
    let opening = format!("```{language}\n");
    let mut blocks = TUTORIAL.split(&opening).skip(1).filter_map(|rest| rest.split("```").next());
    let found = blocks.find(|block| block.contains(text));
    found.unwrap_or_else(|| panic!("the tutorial has no block of {language} with `{text}`"))
}

/// Section 4: the model that speaks of an order.
fn add_the_model(company: &Company) {
    let overlay = company.read("dev.yaml");
    company.write("dev.yaml", &format!("{overlay}{}", block("yaml", "orders:")));
}

/// Section 4: the rule against it.
fn add_the_rule(company: &Company) {
    let library = company.read(LIBRARY);
    let (before, rest) = library.split_once(RULE.0).unwrap();
    let (_, after) = rest.split_once(RULE.1).unwrap();
    company.write(LIBRARY, &format!("{before}{}{after}", block("rust", "let order = ")));
}

#[test]
fn the_code_of_the_tutorial_stands_where_it_says_compiles_and_passes_its_tests() {
    let company = Company::new("tutorial");
    let library = company.read(LIBRARY);
    for shown in block("rust", "impl RequestTransform").split("\n}\n\n") {
        assert!(library.contains(shown.trim()), "section 2 shows what is not in the extension:\n{shown}");
    }
    for file in TUTORIAL.split("## 2.").nth(1).unwrap().lines().filter_map(|line| line.strip_prefix("| `")) {
        for name in file.split(" | ").next().unwrap().split(", ").map(|name| name.trim_matches('`')) {
            assert!(company.root.join(name).exists(), "section 2 names {name}");
        }
    }

    add_the_model(&company);
    add_the_rule(&company);
    let tests = company.read(TESTS);
    company.write(TESTS, &format!("{tests}\n{}", block("rust", "shows_two_digits")));
    company.cargo(&["fmt", "--check"]);
    let said = company.cargo(&["test", "--package", "acme-example"]);
    assert!(said.contains("shows_two_digits_of_an_order_however_the_stream_is_cut ... ok"), "{said}");

    // The last section replaces one half of the extension.
    let library = company.read(LIBRARY);
    let (before, rest) = library.split_once("impl ResponseFilter for AcmeExample {").unwrap();
    let (_, after) = rest.split_once("\n}\n").unwrap();
    let more = format!("{before}{}{after}", block("rust", "struct Mentions"));
    company
        .write(LIBRARY, &more.replacen("use gatewright::text::{", "use gatewright::text::{MatchEdit, ", 1));
    company.write(TESTS, &format!("{tests}\n{NAMES_ONCE}"));
    let said = company.cargo(&["test", "--package", "acme-example", "names_a_thing_once"]);
    assert!(said.contains("names_a_thing_once_and_says_it_from_then_on ... ok"), "{said}");
}

/// What the text says of the filter that replaces the one with patterns.
const NAMES_ONCE: &str = r#"#[tokio::test]
async fn names_a_thing_once_and_says_it_from_then_on() {
    let example = example().await;
    let session = || split::filter_session(&example, &response_head(true), context(principal()));
    let text = "Falcon is late. When Falcon is there, Falcon flies.";
    split::assert_streamed_equals_whole(session, text);
    let answer = split::run(session(), Lane::content(0), &[text]);
    assert_eq!(
        answer,
        "the new product is late. When it is there, it flies."
    );
}
"#;

/// What a shell prints, with the address of a gateway in place of the one in the text.
fn shell(script: &str, address: &str) -> String {
    let script = script.replace("127.0.0.1:8080", address);
    let said = Command::new("sh").args(["-c", &script]).output().unwrap();
    String::from_utf8(said.stdout).unwrap()
}

/// Gives a command in which `ask` is the function of section 3.
fn ask(command: &str, address: &str) -> String {
    shell(&format!("{}{command}", block("sh", "ask()")), address)
}

/// Gives the command of a block as it stands there, and holds what it prints against the block.
#[track_caller]
fn assert_shown(of_block: &str, address: &str) {
    let shown = block("console", of_block);
    let (command, expected) = shown.trim_start_matches("$ ").split_once('\n').unwrap();
    assert_eq!(ask(command, address), expected, "{command}");
}

#[test]
fn the_commands_of_the_tutorial_print_what_stands_there() {
    if !is_full() {
        return;
    }
    let company = Company::new("tutorial live");
    let mut dev = Dev::start(&company);
    assert_shown("Proj", &dev.address);
    let readme = README.split("cargo xtask dev ").nth(1).unwrap().split("```").next().unwrap();
    let said = contents(&shell(readme.split_once('\n').unwrap().1, &dev.address));
    assert!(README.contains(&format!("lets \"{said}\" out")), "{said}");

    add_the_model(&company);
    let saved = Instant::now();
    while contents(&ask("ask orders 'Where is it?'", &dev.address)) != "Order ORD-482913 ships today." {
        assert!(saved.elapsed() < RELOAD_MAX, "the gateway does not know the model");
    }
    add_the_rule(&company);
    dev.until("serving again");
    assert_shown("ORD-****", &dev.address);
    let said = company.cargo(&["xtask", "check"]);
    for line in block("console", "cargo xtask check").lines().skip(1) {
        assert!(said.contains(line), "{line} is missing in:\n{said}");
    }
}
