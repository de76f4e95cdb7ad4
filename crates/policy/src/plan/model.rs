//! Models as clients name them, and the targets behind them.

use std::sync::Arc;

use gatewright::{InstanceId, ModelName, ProviderName};

use crate::PriceBook;

/// One public model name and where it is served.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelPlan {
    /// What clients ask for.
    pub name: ModelName,
    /// Where it can be served, in the order written; at least one.
    pub targets: Vec<TargetPlan>,
    /// How the first target is chosen.
    pub strategy: Strategy,
    /// The instance that picks targets before the strategy is asked.
    pub picker: Option<InstanceId>,
    /// The instance that counts prompt tokens.
    pub estimator: Option<InstanceId>,
    /// Which name the answer's `model` field carries.
    pub answer_model: AnswerModel,
    /// Whether a request is refused that cannot be translated without a loss.
    pub strict: bool,
    /// What the operator says about the model.
    pub description: Option<Arc<str>>,
}

/// One provider's model that can serve a public model.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetPlan {
    /// The provider, a key of [`Plan::providers`](crate::Plan::providers).
    pub provider: ProviderName,
    /// What the provider calls the model.
    pub model: Arc<str>,
    /// The share of traffic under [`Strategy::Weighted`]; 0 means only when all others are
    /// excluded.
    pub weight: u32,
    /// What its tokens cost, or `None` where nobody knows: an unknown price is never zero.
    pub price: Option<Arc<PriceBook>>,
}

/// How the first target of an exchange is chosen; later attempts choose among what remains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// The first target that is not excluded, in the order written.
    #[default]
    First,
    /// Each target in turn.
    RoundRobin,
    /// By chance, in proportion to the weights.
    Weighted,
}

/// Which name the `model` field of an answer carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnswerModel {
    /// What the provider reported: the bytes go out as they came.
    #[default]
    Served,
    /// The public name that the client asked for.
    Asked,
}
