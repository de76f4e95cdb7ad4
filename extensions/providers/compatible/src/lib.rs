//! Providers that speak the OpenAI API in ways of their own, one extension each.
//!
//! A vendor is a data file and a line in the list below. The file says where its public service is, what that offers,
//! and in what it differs from the reference; no vendor's quirk stands in code. The dialect itself is in
//! `gatewright-wire`.

mod adapter;
mod face;
mod quirks;
mod vendor;

pub use crate::adapter::Adapter;
pub use crate::quirks::{Medium, Offer, Paths, Quirks, Traits};
pub use crate::vendor::{Vendor, VendorFile};

/// Calls a macro with every vendor: the name of a type for it, and the name in configurations, which is the name of its
/// data file.
#[doc(hidden)]
#[macro_export]
macro_rules! vendors {
    ($each:ident) => {
        $each! {
            Cerebras = "cerebras",
            Cloudflare = "cloudflare",
            Dashscope = "dashscope",
            Databricks = "databricks",
            DeepSeek = "deepseek",
            Fireworks = "fireworks",
            GithubModels = "github-models",
            Groq = "groq",
            HuggingFace = "huggingface",
            LlamaCpp = "llama-cpp",
            LmStudio = "lm-studio",
            MiniMax = "minimax",
            Mistral = "mistral",
            Moonshot = "moonshot",
            NvidiaNim = "nvidia-nim",
            Ollama = "ollama",
            OpenRouter = "openrouter",
            Perplexity = "perplexity",
            SambaNova = "sambanova",
            SgLang = "sglang",
            Together = "together",
            Vllm = "vllm",
            Xai = "xai",
            Zai = "zai",
            Zhipu = "zhipu",
        }
    };
}

macro_rules! register {
    ($($vendor:ident = $name:literal,)+) => {
        /// The vendors themselves, of which [`Adapter`]s are made.
        pub mod vendors {
            use crate::Vendor;

            $(
                #[doc = concat!("What `vendors/", $name, ".json` says.")]
                #[derive(Debug)]
                pub struct $vendor;

                impl Vendor for $vendor {
                    const NAME: &'static str = $name;
                    const FILE: &'static str = include_str!(concat!("../vendors/", $name, ".json"));
                }
            )+
        }

        $(
            #[doc = concat!("The adapter `", $name, "`.")]
            pub type $vendor = Adapter<vendors::$vendor>;

            gatewright::register!($vendor => ProviderAdapter);
        )+
    };
}

vendors!(register);

/// A service that has no file: its base URL and its quirks stand in the configuration.
#[derive(Debug)]
pub struct Anybody;

impl Vendor for Anybody {
    const NAME: &'static str = "compatible";
    const FILE: &'static str = include_str!("../vendors/compatible.json");
}

/// The adapter `compatible`.
pub type Compatible = Adapter<Anybody>;

gatewright::register!(Compatible => ProviderAdapter);
