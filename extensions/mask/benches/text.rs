//! What masking by the ten ready-made patterns costs. Prints the table that `cargo xtask bench` puts into the docs;
//! with `--quick` after one short run of each line.

use std::io::Write;
use std::time::Duration;

use gatewright_ext_mask::Mask;
use gatewright_testkit::bench::text;
use gatewright_testkit::extension;
use serde_json::json;

const PRESETS: [&str; 10] =
    ["api-key", "private-key", "jwt", "url-credentials", "email", "iban", "card", "ssn", "phone", "ip"];
const WINDOW: Duration = Duration::from_millis(500);

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let repeats = if std::env::args().any(|argument| argument == "--quick") { 1 } else { 5 };
    let mask: Mask =
        extension::create(json!({"presets": PRESETS})).await.expect("the ready-made patterns are valid");
    let table = text::to_markdown(&text::figures(&mask, repeats, WINDOW));
    write!(std::io::stdout(), "{table}")
}
