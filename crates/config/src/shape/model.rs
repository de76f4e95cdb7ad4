//! The part `models`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unit::Dollars;

/// A model as clients name it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Model {
    /// Where it can be served. Later targets take over when earlier ones fail.
    #[schemars(length(min = 1))]
    pub(crate) targets: Vec<Target>,

    /// How the first target of a request is chosen.
    #[serde(default)]
    pub(crate) strategy: Strategy,

    /// The id of an instance that picks the target of each try. Where it picks none, `strategy` does.
    pub(crate) picker: Option<String>,

    /// The id of an instance that counts prompt tokens, for reservations and for answers that report no
    /// usage. Where it counts none, the gateway estimates.
    pub(crate) estimator: Option<String>,

    /// Which name the answer's `model` field carries.
    #[serde(default)]
    pub(crate) answer_model: AnswerModel,

    /// Whether a request is refused that cannot be translated into the provider's dialect without a loss. Otherwise
    /// losses are named in the answer's `x-gatewright-lost` header and in the usage record.
    #[serde(default)]
    pub(crate) strict: bool,

    /// What the model is for.
    pub(crate) description: Option<String>,
}

/// One provider's model.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Target {
    /// A name under `providers`.
    pub(crate) provider: String,

    /// What the provider calls the model. The default is the public name.
    #[schemars(length(min = 1))]
    pub(crate) model: Option<String>,

    /// The share of requests under the strategy `weighted`, in proportion to the other targets. A
    /// target of weight 0 serves only when all others are out.
    #[serde(default = "default_weight")]
    #[schemars(range(max = 1_000_000))]
    pub(crate) weight: u32,

    /// What the tokens cost. The default is the price catalogue of the binary.
    pub(crate) price: Option<Price>,
}

const fn default_weight() -> u32 {
    1
}

/// Prices in USD per million tokens.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Price {
    /// Prompt tokens outside the prompt cache.
    pub(crate) input: Dollars,

    /// Generated tokens; absent for models that generate none.
    pub(crate) output: Option<Dollars>,

    /// Prompt tokens read from the prompt cache. The default is `input`.
    pub(crate) cache_read: Option<Dollars>,

    /// Prompt tokens written to the prompt cache for its short lifetime. The default is `input`.
    pub(crate) cache_write: Option<Dollars>,

    /// Prompt tokens written to the prompt cache for one hour. The default is `cache_write`.
    pub(crate) cache_write_1h: Option<Dollars>,

    /// The part of the output that was reasoning. The default is `output`.
    pub(crate) reasoning: Option<Dollars>,

    /// The part of the prompt that was audio. The default is `input`.
    pub(crate) input_audio: Option<Dollars>,

    /// The part of the output that was audio. The default is `output`.
    pub(crate) output_audio: Option<Dollars>,
}

/// How the first target of a request is chosen.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Strategy {
    /// The first, in the order written.
    #[default]
    First,
    /// Each in turn.
    RoundRobin,
    /// By chance, in proportion to the weights.
    Weighted,
}

/// Which name the answer's `model` field carries.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AnswerModel {
    /// What the provider reported.
    #[default]
    Served,
    /// What the client asked for.
    Asked,
}
