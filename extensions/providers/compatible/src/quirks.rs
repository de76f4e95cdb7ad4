//! In what a provider differs from the reference of the protocol: the settings, and most of a vendor's file.

use std::collections::BTreeMap;

use gatewright::BuildError;
use gatewright::chat::{MediaKind, Param};
use gatewright::dialect::{Abilities, ReasoningForm};

/// Speaks to providers by the OpenAI API, with its quirks.
///
/// What is set wins over what is known of the provider. There is seldom a reason to: for a vendor that changed since,
/// or for a proxy in front of it.
#[gatewright::config]
#[derive(Clone, Debug, Default)]
#[serde(default)]
pub struct Quirks {
    /// What the provider can be asked for. Chats of callers of other dialects are translated into one that is here.
    pub offers: Option<Vec<Offer>>,
    /// Where it is asked, as far as that is not where the reference has it.
    pub paths: Paths,
    /// The header that carries the key. The default is `authorization`.
    pub key_header: Option<String>,
    /// The word before the key, for example `Bearer`, which is the default; empty for none.
    pub key_scheme: Option<String>,
    /// What holds for all of its models.
    pub traits: Traits,
    /// What holds for single models, beside that. A name also stands for its versions: names that begin with it and a
    /// `-`, `@` or `:`.
    pub models: BTreeMap<String, Traits>,
}

/// Something that a provider can be asked for.
#[gatewright::config]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Offer {
    /// Chat completions.
    Chat,
    /// Responses.
    Responses,
    /// Legacy text completions.
    Completion,
    /// Embeddings.
    Embedding,
    /// What recordings say.
    Transcription,
    /// What recordings say, in English.
    Translation,
    /// Images that are made from images.
    ImageEdit,
    /// Realtime sessions, over WebSocket.
    Realtime,
}

/// Paths behind the base URL, each beginning with a slash.
#[gatewright::config]
#[derive(Clone, Debug, Default)]
#[serde(default)]
pub struct Paths {
    /// Of chat completions; `/chat/completions` by default.
    pub chat: Option<String>,
    /// Of responses; `/responses` by default.
    pub responses: Option<String>,
    /// Of legacy text completions; `/completions` by default.
    pub completion: Option<String>,
    /// Of embeddings; `/embeddings` by default.
    pub embedding: Option<String>,
    /// Of transcriptions; `/audio/transcriptions` by default.
    pub transcription: Option<String>,
    /// Of translations; `/audio/translations` by default.
    pub translation: Option<String>,
    /// Of edits of images; `/images/edits` by default.
    pub image_edit: Option<String>,
    /// Of realtime sessions; `/realtime` by default.
    pub realtime: Option<String>,
}

/// What models can take. What is not said is taken to be possible: the provider then says so itself.
#[gatewright::config]
#[derive(Clone, Debug, Default)]
#[serde(default)]
pub struct Traits {
    /// The most output tokens that it makes.
    pub output_tokens_max: Option<u64>,
    /// Whether it can be told to reason.
    pub reasons: Option<bool>,
    /// Parameters that it refuses, or ignores without a word. They are left out, and reported as lost:
    /// `temperature`, `top_p`, `top_k`, `seed`, `frequency_penalty`, `presence_penalty`, `stop`, `choices`,
    /// `parallel_tools`, `tool_choice`, `reasoning`, `format`, `logit_bias`, `logprobs`, `top_logprobs`, `end_user`,
    /// `metadata`, `service_tier`, `cache_key`, `cache_retention`, `store`, `verbosity`, `prediction`, `modalities`,
    /// `audio_output`, `web_search`, `output_cap`.
    pub refuses: Option<Vec<String>>,
    /// Names of its own for such parameters, for example `seed: random_seed`. Of a parameter that the protocol does
    /// not have, such as `top_k`, it says that the provider has it.
    pub names: Option<BTreeMap<String, String>>,
    /// What it reads beside text.
    pub media: Option<Vec<Medium>>,
    /// Whether it fetches images and the like by their addresses.
    pub fetches_urls: Option<bool>,
    /// Whether it goes on with an answer that the request begins.
    pub continues_answers: Option<bool>,
    /// Whether it holds an answer to a JSON schema. Where it does not, it is asked for any JSON.
    pub holds_to_schema: Option<bool>,
    /// Whether it takes the cap on output tokens as `max_tokens` only.
    pub has_legacy_cap: Option<bool>,
    /// Whether it takes `stream_options`, by which usage figures are asked for in streams.
    pub has_stream_options: Option<bool>,
    /// Whether it knows the role `developer`. Where it does not, `system` is said.
    pub has_developer_role: Option<bool>,
}

/// Something that is no text.
#[gatewright::config]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Medium {
    /// Images.
    Image,
    /// Sounds.
    Audio,
    /// Films.
    Video,
    /// Documents.
    Document,
}

impl Quirks {
    /// These quirks with those of somebody who knows better. What they say of a model says it all.
    #[must_use]
    pub fn under(self, better: Self) -> Self {
        Self {
            offers: better.offers.or(self.offers),
            paths: Paths {
                chat: better.paths.chat.or(self.paths.chat),
                responses: better.paths.responses.or(self.paths.responses),
                completion: better.paths.completion.or(self.paths.completion),
                embedding: better.paths.embedding.or(self.paths.embedding),
                transcription: better.paths.transcription.or(self.paths.transcription),
                translation: better.paths.translation.or(self.paths.translation),
                image_edit: better.paths.image_edit.or(self.paths.image_edit),
                realtime: better.paths.realtime.or(self.paths.realtime),
            },
            key_header: better.key_header.or(self.key_header),
            key_scheme: better.key_scheme.or(self.key_scheme),
            traits: self.traits.under(better.traits),
            models: self.models.into_iter().chain(better.models).collect(),
        }
    }
}

impl Traits {
    fn under(self, better: Self) -> Self {
        Self {
            output_tokens_max: better.output_tokens_max.or(self.output_tokens_max),
            reasons: better.reasons.or(self.reasons),
            refuses: better.refuses.or(self.refuses),
            names: better.names.or(self.names),
            media: better.media.or(self.media),
            fetches_urls: better.fetches_urls.or(self.fetches_urls),
            continues_answers: better.continues_answers.or(self.continues_answers),
            holds_to_schema: better.holds_to_schema.or(self.holds_to_schema),
            has_legacy_cap: better.has_legacy_cap.or(self.has_legacy_cap),
            has_stream_options: better.has_stream_options.or(self.has_stream_options),
            has_developer_role: better.has_developer_role.or(self.has_developer_role),
        }
    }

    /// What models with these traits can take, if others can take `base`.
    ///
    /// # Errors
    ///
    /// A word that is no parameter's.
    pub(crate) fn over(&self, base: &Abilities) -> Result<Abilities, BuildError> {
        let mut able = base.clone();
        if let Some(words) = &self.refuses {
            let params = words.iter().enumerate();
            let params = params.map(|(place, word)| param(word, || format!("refuses[{place}]")));
            able.refuses = params.collect::<Result<_, _>>()?;
        }
        if let Some(names) = &self.names {
            let names = names
                .iter()
                .map(|(word, name)| Ok((param(word, || format!("names.{word}"))?, name.clone().into())));
            able.names = names.collect::<Result<_, BuildError>>()?;
        }
        if let Some(media) = &self.media {
            able.media = media.iter().map(|medium| kind(*medium)).collect();
        }
        able.output_tokens_max = self.output_tokens_max.or(able.output_tokens_max);
        if let Some(reasons) = self.reasons {
            able.reasoning = if reasons { ReasoningForm::Usual } else { ReasoningForm::Never };
        }
        let set = |field: &mut bool, said: Option<bool>| *field = said.unwrap_or(*field);
        set(&mut able.fetches_urls, self.fetches_urls);
        set(&mut able.continues_answers, self.continues_answers);
        set(&mut able.holds_to_schema, self.holds_to_schema);
        set(&mut able.has_legacy_cap, self.has_legacy_cap);
        set(&mut able.has_stream_options, self.has_stream_options);
        set(&mut able.has_developer_role, self.has_developer_role);
        Ok(able)
    }
}

fn param(word: &str, place: impl FnOnce() -> String) -> Result<Param, BuildError> {
    Param::of_word(word).ok_or_else(|| BuildError::at(place(), format!("`{word}` is no parameter's word")))
}

const fn kind(medium: Medium) -> MediaKind {
    match medium {
        Medium::Image => MediaKind::Image,
        Medium::Audio => MediaKind::Audio,
        Medium::Video => MediaKind::Video,
        Medium::Document => MediaKind::Document,
    }
}
