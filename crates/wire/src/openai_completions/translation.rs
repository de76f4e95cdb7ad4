//! A prompt as a chat of one message, and the answer to it as a text that continues the prompt.
//!
//! For providers that have chats and no completions. A model that chats answers a prompt rather than going on with it,
//! which is told as a loss; what would change the meaning of an answer is refused.

use bytes::Bytes;
use gatewright::chat::{
    Answer, AnswerChoice, Chat, Losses, Param, Part, PartKind, Place, Setting, Speaker, Turn,
};
use gatewright::dialect::{Abilities, ChatCodec, Envelope};
use gatewright::{Failure, FailureKind, FinishReason, Side};

use crate::document::invalid;
use crate::document::pointer::below;
use crate::json::{Kind, ObjectWriter, Value};
use crate::openai_chat::{answer_id, finish_word, usage};

/// The translation of OpenAI legacy completions.
#[derive(Debug)]
pub(super) struct Translation;

impl ChatCodec for Translation {
    fn read_request<'a>(&self, body: &'a [u8]) -> Result<Chat<'a>, Failure> {
        let mut chat = Chat::default();
        let mut best_of = None;
        for member in Value::of_checked(body).members().filter(|member| !member.value.is_null()) {
            let (key, value) = (member.key.decode(), member.value);
            match key.as_ref() {
                "prompt" => {
                    let parts = vec![Part::text(prompt(&value)?)];
                    chat.turns.push(Turn { speaker: Speaker::User, parts });
                }
                "suffix" => {
                    return Err(refused(
                        "suffix",
                        "the model's provider puts no text before another: leave it out",
                    ));
                }
                "best_of" => best_of = value.as_u64(),
                key => read_member(&mut chat, key, &value),
            }
        }
        if best_of.is_some_and(|best| best > chat.choices.max(1).into()) {
            chat.unknown.push("/best_of".into());
        }
        Ok(chat)
    }

    /// Nobody is asked in this dialect who was not asked in it.
    fn write_request(&self, _: &Chat<'_>, _: &Abilities, _: &mut Losses<'_>) -> Result<Bytes, Failure> {
        Err(Failure::internal("a chat was to become a prompt, which no provider is asked for"))
    }

    fn read_answer<'a>(&self, body: &'a [u8]) -> Result<Answer<'a>, Failure> {
        let [model, choices] = Value::of_checked(body).pick(["model", "choices"]);
        let choice = |choice: Value<'a>| {
            let text = choice.get("text").and_then(|text| text.as_str());
            AnswerChoice { parts: text.map(Part::text).into_iter().collect(), finish: None }
        };
        let choices = choices.iter().flat_map(Value::elements).map(choice).collect();
        Ok(Answer { model: model.and_then(|model| model.as_str()), choices, usage: None })
    }

    fn write_answer(&self, answer: &Answer<'_>, envelope: &Envelope) -> Bytes {
        let mut out = Vec::with_capacity(1_024);
        let mut object = ObjectWriter::open(&mut out);
        object.str("id", answer_id(&envelope.id).trim_start_matches("chat"));
        object.str("object", "text_completion");
        object.number("created", envelope.created);
        object.str("model", &envelope.model);
        let mut choices = object.list("choices");
        for (index, said) in (0..).zip(&answer.choices) {
            let mut choice = choices.object();
            choice.number("index", index);
            choice.str("text", &said.parts.iter().filter_map(text).collect::<String>());
            choice.raw("logprobs", "null");
            choice.str("finish_reason", finish_word(said.finish.as_ref().unwrap_or(&FinishReason::Stop)));
            choice.close();
        }
        choices.close();
        if let Some(figures) = &answer.usage {
            usage::write(figures, object.key("usage"));
        }
        object.close();
        out.into()
    }

    fn pointer(&self, place: &Place<'_>) -> String {
        match place {
            Place::Param(param) => member(*param).map_or_else(String::new, |name| format!("/{name}")),
            Place::Part(_) => "/prompt".to_owned(),
            Place::Pointer(pointer) => pointer.clone().into_owned(),
            _ => String::new(),
        }
    }

    fn emulated(&self) -> Option<Place<'static>> {
        Some(Place::Pointer("/prompt".into()))
    }
}

/// The text of a prompt, which must be one.
fn prompt<'a>(value: &Value<'a>) -> Result<std::borrow::Cow<'a, str>, Failure> {
    if let Some(text) = value.as_str() {
        return Ok(text);
    }
    let mut prompts = value.elements();
    match (prompts.next(), prompts.next()) {
        (Some(only), None) if only.kind() == Kind::String => Ok(only.as_str().unwrap_or_default()),
        (Some(first), _) if first.kind() != Kind::String => Err(refused(
            "prompt",
            "the model's provider takes no tokens of another vocabulary: send the text",
        )),
        (Some(_), Some(_)) => {
            Err(refused("prompt", "the model's provider takes one prompt in a request: divide it"))
        }
        _ => Err(invalid("/prompt", "a string")),
    }
}

fn read_member<'a>(chat: &mut Chat<'a>, key: &str, value: &Value<'a>) {
    let sampling = &mut chat.sampling;
    match key {
        "model" => chat.model = value.as_str().unwrap_or_default(),
        "stream" => chat.streams = value.as_bool().unwrap_or(false),
        // What it asks for is seen to elsewhere.
        "stream_options" => {}
        "max_tokens" => chat.output_cap = value.as_u64(),
        "n" => chat.choices = value.as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or(1),
        "stop" => {
            let several = value.elements().filter_map(|stop| stop.as_str());
            chat.stop = value.as_str().into_iter().chain(several).collect();
        }
        "temperature" => sampling.temperature = Some(value.source()),
        "top_p" => sampling.top_p = Some(value.source()),
        "seed" => sampling.seed = Some(value.source()),
        "frequency_penalty" => sampling.frequency_penalty = Some(value.source()),
        "presence_penalty" => sampling.presence_penalty = Some(value.source()),
        "logit_bias" => chat.settings.push(Setting { param: Param::LogitBias, value: value.source() }),
        "user" => chat.settings.push(Setting { param: Param::EndUser, value: value.source() }),
        "echo" if value.as_bool() == Some(false) => {}
        key => chat.unknown.push(below("", key).into()),
    }
}

fn text<'p>(part: &'p Part<'_>) -> Option<&'p str> {
    match &part.kind {
        PartKind::Text(text) | PartKind::Refusal(text) => Some(text),
        _ => None,
    }
}

const fn member(param: Param) -> Option<&'static str> {
    Some(match param {
        Param::OutputCap => "max_tokens",
        Param::Temperature => "temperature",
        Param::TopP => "top_p",
        Param::Seed => "seed",
        Param::FrequencyPenalty => "frequency_penalty",
        Param::PresencePenalty => "presence_penalty",
        Param::Stop => "stop",
        Param::Choices => "n",
        Param::LogitBias => "logit_bias",
        Param::EndUser => "user",
        _ => return None,
    })
}

fn refused(param: &'static str, why: &str) -> Failure {
    let text = format!("`{param}` cannot be sent: {why}");
    let failure = Failure::new(Side::Client, FailureKind::Unsupported, text);
    Failure { param: Some(param.into()), ..failure }
}
