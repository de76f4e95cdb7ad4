//! How a model is told to reason: by fields of its own, which the dialect hands on, and by a word.

use gatewright::Failure;
use gatewright::chat::{Chat, Effort, LossKind, Losses, Param, Place, Reasoning};
use gatewright::dialect::{Abilities, ReasoningForm};

use super::out;

/// A budget is at least this many tokens.
const BUDGET_MIN: u64 = 1_024;

/// With reasoning under a budget, nucleus sampling keeps at least this much.
const TOP_P_MIN: f64 = 0.95;

/// What a request says about reasoning, as it is to be sent.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Fields of the model, each with its JSON.
    pub(super) fields: Vec<(&'static str, Vec<u8>)>,
    /// The word of `outputConfig.effort`.
    pub(super) effort: Option<&'static str>,
    /// The cap on output tokens.
    pub(super) cap: Option<u64>,
    /// The model reasons, and takes no other temperature than 1.
    pub(super) restricts_sampling: bool,
}

/// Decides it. `cap` is the cap on output tokens so far; `forces_tool` tells whether a tool must be called, which no
/// model with thinking takes.
///
/// # Errors
/// A loss in strict mode.
pub(super) fn plan(
    chat: &Chat<'_>,
    abilities: &Abilities,
    (cap, forces_tool): (Option<u64>, bool),
    losses: &mut Losses<'_>,
) -> Result<Plan, Failure> {
    let plan = Plan { cap, ..Plan::default() };
    let Some(reasoning) = chat.reasoning.filter(|reasoning| *reasoning != Reasoning::default()) else {
        return Ok(plan);
    };
    let place = Place::Param(Param::Reasoning);
    let is_off = match reasoning.budget {
        Some(budget) => budget == 0,
        None => reasoning.effort == Some(Effort::None) && !reasoning.is_adaptive,
    };
    match abilities.reasoning {
        ReasoningForm::Effort => by_word(reasoning, plan, losses),
        // It does not reason unless it is told to.
        _ if is_off => Ok(plan),
        ReasoningForm::Never => {
            losses.report(&place, LossKind::Dropped)?;
            Ok(plan)
        }
        _ if forces_tool => {
            losses.report(&place, LossKind::Dropped)?;
            Ok(plan)
        }
        ReasoningForm::Adaptive => adaptive(reasoning, plan.cap, losses),
        _ => by_budget(reasoning, abilities, plan, losses),
    }
}

fn by_word(reasoning: Reasoning, plan: Plan, losses: &mut Losses<'_>) -> Result<Plan, Failure> {
    let wanted = reasoning.effort.or_else(|| reasoning.budget.map(Effort::of_budget));
    let Some(wanted) = wanted else { return Ok(plan) };
    let word = match wanted {
        Effort::None | Effort::Minimal | Effort::Low => Effort::Low,
        Effort::Medium => Effort::Medium,
        Effort::High | Effort::Extra | Effort::Max => Effort::High,
    };
    if Some(word) != reasoning.effort {
        losses.report(&Place::Param(Param::Reasoning), LossKind::Approximated)?;
    }
    let fields = vec![("reasoning_effort", format!("\"{}\"", word.as_str()).into_bytes())];
    Ok(Plan { fields, ..plan })
}

fn adaptive(reasoning: Reasoning, cap: Option<u64>, losses: &mut Losses<'_>) -> Result<Plan, Failure> {
    let wanted = reasoning.effort.or_else(|| reasoning.budget.map(Effort::of_budget));
    let word = wanted.map(|wanted| match wanted {
        Effort::None | Effort::Minimal => Effort::Low,
        other => other,
    });
    if word != reasoning.effort {
        losses.report(&Place::Param(Param::Reasoning), LossKind::Approximated)?;
    }
    let thinking = out::made(|thinking| {
        thinking.text("type", "adaptive");
        if let Some(is_shown) = reasoning.is_shown {
            thinking.text("display", if is_shown { "summarized" } else { "omitted" });
        }
    });
    Ok(Plan {
        fields: vec![("thinking", thinking)],
        effort: word.map(Effort::as_str),
        cap,
        restricts_sampling: true,
    })
}

fn by_budget(
    reasoning: Reasoning,
    abilities: &Abilities,
    plan: Plan,
    losses: &mut Losses<'_>,
) -> Result<Plan, Failure> {
    let place = Place::Param(Param::Reasoning);
    let wanted = reasoning.budget.unwrap_or_else(|| reasoning.effort.unwrap_or(Effort::Medium).as_budget());
    let wanted = wanted.max(BUDGET_MIN);
    let most = abilities.output_tokens_max.unwrap_or(u64::MAX);
    // One cap counts for reasoning and answer together. Without one the provider takes the most that the model makes.
    let cap = match plan.cap {
        Some(cap) if cap <= wanted => {
            losses.report(&Place::Param(Param::OutputCap), LossKind::Approximated)?;
            Some(wanted.saturating_add(cap).min(most))
        }
        cap => cap,
    };
    // What the caller wants to read keeps its room, up to half of what the model makes.
    let room = plan.cap.filter(|cap| *cap <= wanted).unwrap_or(1).clamp(1, (most / 2).max(1));
    let budget = wanted.min(cap.unwrap_or(most).saturating_sub(room));
    if budget < BUDGET_MIN {
        // The model cannot make as many tokens.
        losses.report(&place, LossKind::Dropped)?;
        return Ok(plan);
    }
    if reasoning.budget != Some(budget) || reasoning.is_shown == Some(false) {
        losses.report(&place, LossKind::Approximated)?;
    }
    let thinking = out::made(|thinking| {
        thinking.text("type", "enabled");
        thinking.number("budget_tokens", budget);
    });
    Ok(Plan { fields: vec![("thinking", thinking)], cap, restricts_sampling: true, ..plan })
}

/// Whether a parameter of sampling may stand beside reasoning.
pub(super) fn allows(param: Param, value: &str) -> bool {
    let number = value.parse::<f64>().unwrap_or(f64::NAN);
    match param {
        Param::Temperature => (number - 1.0).abs() < f64::EPSILON,
        Param::TopP => (TOP_P_MIN..=1.0).contains(&number),
        _ => false,
    }
}
