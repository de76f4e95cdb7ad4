//! Attribute macros of the extension SDK; authors use them through `gatewright`.
//!
//! They only add attributes and never parse the item, so they need no parser crate
//! and leave error messages to the derives they switch on.

use proc_macro::TokenStream;

/// Marks a struct or enum as settings of an extension.
///
/// It derives `Deserialize` and `JsonSchema` through the SDK's own copies of serde and schemars,
/// so that an extension needs no dependency but `gatewright-core`, and refuses unknown fields,
/// so that a typo in the configuration is an error. Doc comments of the fields become the
/// descriptions in the published schema.
#[proc_macro_attribute]
pub fn config(arguments: TokenStream, item: TokenStream) -> TokenStream {
    if !arguments.is_empty() {
        return compile_error("`#[config]` takes no arguments");
    }
    let attributes: Result<TokenStream, _> = r#"
        #[derive(::gatewright::serde::Deserialize, ::gatewright::schemars::JsonSchema)]
        #[serde(crate = "::gatewright::serde", deny_unknown_fields)]
        #[schemars(crate = "::gatewright::schemars")]
    "#
    .parse();
    match attributes {
        Ok(mut output) => {
            output.extend(item);
            output
        }
        Err(error) => compile_error(&error.to_string()),
    }
}

fn compile_error(message: &str) -> TokenStream {
    format!("::core::compile_error!({message:?});").parse().unwrap_or_default()
}
