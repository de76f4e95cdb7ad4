//! What a provider shows to the outside: what it offers and where, how it is shown a key, what its models can take.

use std::borrow::Cow;

use gatewright::dialect::{Abilities, AbilityTable, Dialect, Operation};
use gatewright::http::header::AUTHORIZATION;
use gatewright::http::{HeaderName, HeaderValue};
use gatewright::{BuildError, Secret};

use crate::quirks::{Offer, Quirks};

/// Quirks that were checked.
#[derive(Debug)]
pub(crate) struct Face {
    offers: Vec<(Offer, Cow<'static, str>)>,
    key_header: HeaderName,
    key_scheme: String,
    models: AbilityTable,
}

impl Face {
    /// Checks quirks.
    ///
    /// # Errors
    ///
    /// What is wrong with them, and where.
    pub(crate) fn of(quirks: Quirks) -> Result<Self, BuildError> {
        let paths = quirks.paths;
        let mut offers = Vec::new();
        for offer in quirks.offers.unwrap_or_default() {
            let (name, own, usual) = match offer {
                Offer::Chat => ("chat", &paths.chat, "/chat/completions"),
                Offer::Responses => ("responses", &paths.responses, "/responses"),
                Offer::Completion => ("completion", &paths.completion, "/completions"),
                Offer::Embedding => ("embedding", &paths.embedding, "/embeddings"),
                Offer::Transcription => ("transcription", &paths.transcription, "/audio/transcriptions"),
                Offer::Translation => ("translation", &paths.translation, "/audio/translations"),
                Offer::ImageEdit => ("image_edit", &paths.image_edit, "/images/edits"),
                Offer::Realtime => ("realtime", &paths.realtime, "/realtime"),
            };
            let path = own.clone().map_or(Cow::Borrowed(usual), Cow::Owned);
            if !path.starts_with('/') {
                return Err(BuildError::at(format!("paths.{name}"), "a path begins with a slash"));
            }
            offers.push((offer, path));
        }
        if offers.is_empty() {
            return Err(BuildError::at("offers", "a provider that offers nothing is of no use"));
        }
        let key_header = match quirks.key_header {
            Some(name) => HeaderName::try_from(name)
                .map_err(|_| BuildError::at("key_header", "it cannot be the name of a header"))?,
            None => AUTHORIZATION,
        };
        let key_scheme = quirks.key_scheme.unwrap_or_else(|| "Bearer".to_owned());
        if HeaderValue::from_str(&key_scheme).is_err() {
            return Err(BuildError::at("key_scheme", "it has characters that no header can carry"));
        }
        let others = quirks.traits.over(&Abilities::default()).map_err(|error| error.under("traits"))?;
        let mut rows = Vec::with_capacity(quirks.models.len());
        for (model, traits) in quirks.models {
            let able = traits.over(&others).map_err(|error| error.under(format!("models.{model}")))?;
            rows.push((model, able));
        }
        Ok(Self { offers, key_header, key_scheme, models: AbilityTable::of_rows(rows, others) })
    }

    /// The dialect in which a caller's request is written: its own, where it is offered.
    pub(crate) fn dialect(&self, operation: Operation, caller: Dialect) -> Option<Dialect> {
        let choices: &[Dialect] = match (operation, caller) {
            (Operation::Chat, Dialect::OpenAiResponses) => &[Dialect::OpenAiResponses, Dialect::OpenAiChat],
            (Operation::Chat, _) => &[Dialect::OpenAiChat, Dialect::OpenAiResponses],
            (Operation::Completion, _) => &[Dialect::OpenAiCompletions],
            (Operation::Embedding, _) => &[Dialect::OpenAiEmbeddings],
            (Operation::Transcription, _) => &[Dialect::OpenAiTranscriptions],
            (Operation::Translation, _) => &[Dialect::OpenAiTranslations],
            (Operation::ImageEdit, _) => &[Dialect::OpenAiImageEdits],
            (Operation::Realtime, _) => &[Dialect::OpenAiRealtime],
            _ => &[],
        };
        choices.iter().copied().find(|dialect| self.path(*dialect).is_some())
    }

    /// Where requests of a dialect go.
    pub(crate) fn path(&self, dialect: Dialect) -> Option<&Cow<'static, str>> {
        let wanted = match dialect {
            Dialect::OpenAiChat => Offer::Chat,
            Dialect::OpenAiResponses => Offer::Responses,
            Dialect::OpenAiCompletions => Offer::Completion,
            Dialect::OpenAiEmbeddings => Offer::Embedding,
            Dialect::OpenAiTranscriptions => Offer::Transcription,
            Dialect::OpenAiTranslations => Offer::Translation,
            Dialect::OpenAiImageEdits => Offer::ImageEdit,
            Dialect::OpenAiRealtime => Offer::Realtime,
            _ => return None,
        };
        self.offers.iter().find(|(offer, _)| *offer == wanted).map(|(_, path)| path)
    }

    /// What a model can take.
    pub(crate) fn abilities(&self, model: &str) -> Abilities {
        self.models.of(model)
    }

    /// The header that shows a key.
    ///
    /// # Errors
    ///
    /// When no header can carry it.
    pub(crate) fn credential(&self, secret: &Secret) -> Result<(HeaderName, HeaderValue), BuildError> {
        let gap = if self.key_scheme.is_empty() { "" } else { " " };
        let mut value = HeaderValue::try_from(format!("{}{gap}{}", self.key_scheme, secret.expose()))
            .map_err(|_| BuildError::new("the API key has characters that no header can carry"))?;
        value.set_sensitive(true);
        Ok((self.key_header.clone(), value))
    }
}
