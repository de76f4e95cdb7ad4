//! How much the model reasons, and the cap on its output, which bounds both together.

use gatewright::chat::{Effort, Param, Part, PartKind, Reasoning, Speaker};
use gatewright::dialect::{Dialect, ReasoningForm};

use super::form::{Form, closed};
use super::message::Round;
use super::tool::Choice;
use super::{OUTPUT_TOKENS_DEFAULT, Result, Writing};

/// The smallest budget that the API takes.
const BUDGET_MIN: u64 = 1_024;

/// What is to be written about reasoning.
#[derive(Debug)]
pub(super) struct Thinking {
    /// The cap on output tokens.
    pub(super) cap: u64,
    mode: Mode,
    effort: Option<Effort>,
    is_shown: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Absent,
    Off,
    Budget(u64),
    Adaptive,
}

impl Thinking {
    /// Whether the model reasons because it was asked to.
    pub(super) fn is_on(&self) -> bool {
        matches!(self.mode, Mode::Budget(_) | Mode::Adaptive)
    }
}

impl<'w> Writing<'w, '_, '_> {
    pub(super) fn thinking(&mut self, choice: &Choice<'_, '_>, rounds: &[Round<'w>]) -> Result<Thinking> {
        let mut thinking = self.cap()?;
        let Some(asked) = self.chat.reasoning else { return Ok(thinking) };
        thinking.is_shown = asked.is_shown;
        let (mode, effort) = self.mode(&asked)?;
        (thinking.mode, thinking.effort) = (mode, effort);
        let is_refused = choice.is_forced()
            || rounds.last().is_some_and(|round| round.speaker == Speaker::Assistant)
            || (matches!(mode, Mode::Budget(_)) && continues_without_reasoning(rounds));
        if thinking.is_on() && is_refused {
            self.drop(Param::Reasoning)?;
            thinking.mode = Mode::Off;
        }
        if let Mode::Budget(budget) = thinking.mode {
            self.fit(budget, &mut thinking)?;
        }
        Ok(thinking)
    }

    /// The caller's cap, as far as the model goes.
    fn cap(&mut self) -> Result<Thinking> {
        let known = self.abilities.output_tokens_max;
        let cap = match (self.chat.output_cap, known) {
            (Some(cap), Some(most)) if cap > most => {
                self.approximate(Param::OutputCap)?;
                most
            }
            (Some(cap), _) => cap,
            (None, known) => known.unwrap_or(OUTPUT_TOKENS_DEFAULT),
        };
        Ok(Thinking { cap, mode: Mode::Absent, effort: None, is_shown: None })
    }

    /// What is asked for in the form that the model takes.
    fn mode(&mut self, asked: &Reasoning) -> Result<(Mode, Option<Effort>)> {
        let is_off = asked.budget == Some(0) || asked.effort == Some(Effort::None);
        let effort = asked.effort.filter(|effort| *effort != Effort::None);
        let form = self.abilities.reasoning;
        if is_off {
            // Models that are told a budget do not reason without one.
            let is_default =
                matches!(form, ReasoningForm::Never | ReasoningForm::Budget | ReasoningForm::Effort);
            return Ok((if is_default { Mode::Absent } else { Mode::Off }, None));
        }
        Ok(match (form, asked.budget) {
            (ReasoningForm::Never, _) => {
                self.drop(Param::Reasoning)?;
                (Mode::Absent, None)
            }
            (ReasoningForm::Budget, Some(budget)) => (Mode::Budget(budget), None),
            (ReasoningForm::Budget, None) => {
                self.approximate(Param::Reasoning)?;
                (Mode::Budget(effort.unwrap_or(Effort::Medium).as_budget()), None)
            }
            (ReasoningForm::Effort, budget) => (Mode::Absent, self.word(effort, budget)?),
            (ReasoningForm::Adaptive, budget) => (Mode::Adaptive, self.word(effort, budget)?),
            // Nobody knows the model: what is asked is what it takes.
            (_, Some(budget)) => (Mode::Budget(budget), self.word(effort, None)?),
            (_, None) if asked.is_adaptive || effort.is_some() => (Mode::Adaptive, self.word(effort, None)?),
            (_, None) => (Mode::Absent, None),
        })
    }

    /// The word for an effort; the API has none for the least.
    fn word(&mut self, effort: Option<Effort>, budget: Option<u64>) -> Result<Option<Effort>> {
        let near = budget.filter(|_| effort.is_none()).map(Effort::of_budget);
        if near.is_some() || effort == Some(Effort::Minimal) {
            self.approximate(Param::Reasoning)?;
        }
        Ok(effort.or(near).map(|effort| effort.max(Effort::Low)))
    }

    /// Brings budget and cap together: the budget is a part of the cap and leaves room for an answer.
    fn fit(&mut self, budget: u64, thinking: &mut Thinking) -> Result {
        let fitted = budget.max(BUDGET_MIN);
        let most = self.abilities.output_tokens_max;
        if self.chat.output_cap.is_none() {
            // Nobody pays for room that is not used.
            let wanted = thinking.cap.max(fitted.saturating_add(OUTPUT_TOKENS_DEFAULT));
            thinking.cap = most.map_or(wanted, |most| wanted.min(most));
        }
        let fitted = if fitted < thinking.cap { fitted } else { (thinking.cap / 2).max(BUDGET_MIN) };
        if fitted >= thinking.cap {
            self.drop(Param::Reasoning)?;
            thinking.mode = Mode::Absent;
            return Ok(());
        }
        if fitted != budget {
            self.approximate(Param::Reasoning)?;
        }
        thinking.mode = Mode::Budget(fitted);
        Ok(())
    }

    pub(super) fn write_thinking(&mut self, thinking: &Thinking, form: Form<'_>) -> Result {
        let kind = match thinking.mode {
            Mode::Absent => None,
            Mode::Off => Some(r#"{"type":"disabled""#.to_owned()),
            Mode::Budget(budget) => Some(format!(r#"{{"type":"enabled","budget_tokens":{budget}"#)),
            Mode::Adaptive => Some(r#"{"type":"adaptive""#.to_owned()),
        };
        if let Some(kind) = kind {
            self.member("thinking", &kind);
            match thinking.is_shown.filter(|_| thinking.is_on()) {
                Some(true) => self.out.extend_from_slice(br#","display":"summarized""#),
                Some(false) => self.out.extend_from_slice(br#","display":"omitted""#),
                None => {}
            }
            self.out.push(b'}');
        }
        self.write_output_config(thinking.effort, form)
    }

    fn write_output_config(&mut self, effort: Option<Effort>, form: Form<'_>) -> Result {
        let effort = effort.map(|effort| format!(r#""effort":"{}""#, effort.as_str()));
        let format = match form {
            Form::Schema(schema) => {
                let closed = closed(schema);
                if closed.is_some() {
                    self.approximate(Param::Format)?;
                }
                let schema = closed.as_deref().unwrap_or(schema);
                Some(format!(r#""format":{{"type":"json_schema","schema":{schema}}}"#))
            }
            Form::Free | Form::Tool(_) | Form::Instruction => None,
        };
        let members: Vec<String> = effort.into_iter().chain(format).collect();
        if !members.is_empty() {
            self.member("output_config", &format!("{{{}}}", members.join(",")));
        }
        Ok(())
    }
}

/// Whether the model is in the middle of calling tools, and the turn in which it does shows no reasoning that it
/// would know as its own. With a budget it then refuses to go on.
fn continues_without_reasoning(rounds: &[Round<'_>]) -> bool {
    let [.., assistant, user] = rounds else { return false };
    let answers = user.parts.iter().any(|part| matches!(part.kind, PartKind::ToolResult { .. }));
    let first =
        assistant.parts.iter().find(|part| !matches!(&part.kind, PartKind::Text(text) if text.is_empty()));
    answers && !first.is_some_and(|part| is_own_reasoning(part))
}

/// Whether a part is reasoning that a provider of the dialect takes for its own.
pub(super) fn is_own_reasoning(part: &Part<'_>) -> bool {
    match &part.kind {
        PartKind::Reasoning { signature: Some(signature), .. } | PartKind::SealedReasoning(signature) => {
            signature.from == Dialect::AnthropicMessages && !signature.data.is_empty()
        }
        _ => false,
    }
}
