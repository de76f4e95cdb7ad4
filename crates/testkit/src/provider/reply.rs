//! What the simulated model says to a chat request, before any wire format: texts, tool calls, token counts.

use serde_json::{Map, Value, json};

use super::behaviour::{Behaviour, Words};
use super::schema;
use super::tokens::{count_chat_prompt, count_tokens, pieces};

/// The most choices that one request may ask for.
const CHOICES_MAX: u64 = 128;
/// No word is longer than one token.
const FILLER: &str = "This is a line of text that goes on for as long as it is told to \
                      and says not much at all so that you can see it flow by";
const REASONING: &str = "The user wants an answer, so I will give one.";

/// A whole answer of the simulated model.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) choices: Vec<Choice>,
    pub(super) prompt_tokens: u64,
}

/// One of the answers to the same prompt.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    pub(super) reasoning: Option<String>,
    pub(super) content: Content,
    pub(super) finish: Finish,
}

#[derive(Debug, Clone)]
pub(super) enum Content {
    Text(String),
    Calls(Vec<Call>),
}

#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) arguments: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finish {
    Stop,
    Length,
    ToolCalls,
}

impl Finish {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
        }
    }
}

impl Reply {
    /// Answers a chat request.
    pub(super) fn to_chat(request: &Value, behaviour: &Behaviour) -> Self {
        let choice = Choice::to_chat(request, behaviour);
        let count = choice_count(request);
        Self { choices: vec![choice; count], prompt_tokens: count_chat_prompt(request) }
    }

    /// Answers a legacy completion request: `n` choices for each prompt.
    pub(super) fn to_completion(request: &Value, behaviour: &Behaviour) -> Self {
        let prompts = prompts(&request["prompt"]);
        let limit = request["max_tokens"].as_u64();
        let echo_prompt = request["echo"].as_bool().unwrap_or(false);
        let choices = prompts.iter().flat_map(|prompt| {
            let (text, finish) = cut(words(behaviour, prompt), limit);
            let text = if echo_prompt { format!("{prompt}{text}") } else { text };
            let choice = Choice { reasoning: None, content: Content::Text(text), finish };
            vec![choice; choice_count(request)]
        });
        let prompt_tokens = prompts.iter().map(|prompt| count_tokens(prompt)).sum();
        Self { choices: choices.collect(), prompt_tokens }
    }

    /// The completion tokens of all choices.
    pub(super) fn completion_tokens(&self) -> u64 {
        self.choices.iter().map(|choice| choice.reasoning_tokens() + choice.content.tokens()).sum()
    }

    pub(super) fn reasoning_tokens(&self) -> u64 {
        self.choices.iter().map(Choice::reasoning_tokens).sum()
    }
}

impl Choice {
    fn to_chat(request: &Value, behaviour: &Behaviour) -> Self {
        let reasoning = behaviour.reasoning.then(|| REASONING.to_owned());
        let calls = calls(request, behaviour);
        if !calls.is_empty() {
            return Self { reasoning, content: Content::Calls(calls), finish: Finish::ToolCalls };
        }
        let limit = request["max_completion_tokens"].as_u64().or(request["max_tokens"].as_u64());
        let text =
            structured(request, behaviour).unwrap_or_else(|| words(behaviour, last_user_text(request)));
        let (text, finish) = cut(text, limit);
        Self { reasoning, content: Content::Text(text), finish }
    }

    fn reasoning_tokens(&self) -> u64 {
        self.reasoning.as_deref().map_or(0, count_tokens)
    }
}

impl Content {
    fn tokens(&self) -> u64 {
        match self {
            Self::Text(text) => count_tokens(text),
            Self::Calls(calls) => calls.iter().map(Call::tokens).sum(),
        }
    }
}

impl Call {
    /// A call costs its name and its arguments.
    fn tokens(&self) -> u64 {
        count_tokens(&self.name) + count_tokens(&self.arguments)
    }
}

fn choice_count(request: &Value) -> usize {
    let asked = request["n"].as_u64().unwrap_or(1).clamp(1, CHOICES_MAX);
    usize::try_from(asked).unwrap_or(1)
}

fn words(behaviour: &Behaviour, heard: &str) -> String {
    match &behaviour.words {
        Words::Filler(tokens) => filler(*tokens),
        Words::Text(text) => text.clone(),
        Words::Echo => heard.to_owned(),
    }
}

/// So many words of filler; each is one token.
fn filler(tokens: u32) -> String {
    let count = usize::try_from(tokens).unwrap_or(usize::MAX);
    FILLER.split(' ').cycle().take(count).collect::<Vec<_>>().join(" ")
}

/// Cuts a text to the tokens that the request allows.
fn cut(text: String, limit: Option<u64>) -> (String, Finish) {
    match limit {
        Some(limit) if limit < count_tokens(&text) => {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            (pieces(&text).take(limit).collect(), Finish::Length)
        }
        _ => (text, Finish::Stop),
    }
}

/// The answer in the structure that `response_format` asks for; a text given in the model name wins.
fn structured(request: &Value, behaviour: &Behaviour) -> Option<String> {
    if matches!(behaviour.words, Words::Text(_)) {
        return None;
    }
    let format = &request["response_format"];
    match format["type"].as_str()? {
        "json_object" => Some(json!({"answer": words(behaviour, last_user_text(request))}).to_string()),
        "json_schema" => Some(schema::sample(&format["json_schema"]["schema"]).to_string()),
        _ => None,
    }
}

/// Calls tools when the model name or `tool_choice` wants it, but not in answer to a tool's result, so that a
/// client's loop ends.
fn calls(request: &Value, behaviour: &Behaviour) -> Vec<Call> {
    let tools = request["tools"].as_array().map_or(&[][..], Vec::as_slice);
    let choice = &request["tool_choice"];
    let answers_tool = last_message(request)["role"] == "tool";
    if tools.is_empty() || choice == "none" || answers_tool {
        return Vec::new();
    }
    let call = |tool| call(tool, behaviour.arguments.as_deref());
    let named =
        |name| tools.iter().filter(move |tool| tool["function"]["name"] == name).take(1).map(call).collect();
    if let Some(name) = choice["function"]["name"].as_str() {
        return named(name);
    }
    if let Some(name) = &behaviour.call {
        return if has_results(request) { Vec::new() } else { named(name) };
    }
    let wanted = if choice == "required" { behaviour.tools.max(1) } else { behaviour.tools };
    let serial = request["parallel_tool_calls"] == Value::Bool(false);
    let wanted = if serial { wanted.min(1) } else { wanted };
    let wanted = usize::try_from(wanted).unwrap_or(0).min(tools.len().max(2));
    tools.iter().cycle().take(wanted).map(call).collect()
}

fn call(tool: &Value, arguments: Option<&str>) -> Call {
    let function = &tool["function"];
    let sample = || match function.get("parameters") {
        Some(parameters) if !parameters.is_null() => schema::sample(parameters),
        _ => Value::Object(Map::new()),
    };
    let arguments = arguments.map_or_else(|| sample().to_string(), str::to_owned);
    Call { name: function["name"].as_str().unwrap_or("unnamed").to_owned(), arguments }
}

/// Whether a tool has been called and has answered.
fn has_results(request: &Value) -> bool {
    request["messages"].as_array().is_some_and(|said| said.iter().any(|message| message["role"] == "tool"))
}

fn last_message(request: &Value) -> &Value {
    request["messages"].as_array().and_then(|messages| messages.last()).unwrap_or(&Value::Null)
}

fn last_user_text(request: &Value) -> &str {
    let messages = request["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let said =
        messages.iter().rev().find(|message| message["role"] == "user").map(|message| &message["content"]);
    match said {
        Some(Value::String(text)) => text,
        Some(Value::Array(parts)) => parts.iter().rev().find_map(|part| part["text"].as_str()).unwrap_or(""),
        _ => "",
    }
}

/// The prompts of a legacy completion: one text, several, or token ids, which stand for themselves.
fn prompts(prompt: &Value) -> Vec<String> {
    match prompt {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) if items.iter().all(Value::is_number) && !items.is_empty() => {
            vec![prompt.to_string()]
        }
        Value::Array(items) => {
            items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => vec![String::new()],
    }
}
