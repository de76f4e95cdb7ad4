//! The settings.

use gatewright::prelude::*;
use gatewright::text::LaneName;

/// Asks a webhook about prompts and answers: it allows, denies or replaces.
///
/// The origin of `url` has to stand under `egress` of the instance.
#[gatewright::config]
#[derive(Debug)]
pub struct Settings {
    /// Where the webhook is: an absolute `http` or `https` URL.
    pub url: String,
    /// Which texts of requests are sent.
    #[serde(default)]
    pub prompts: Prompts,
    /// Whether the texts of answers are sent.
    #[serde(default)]
    pub answers: bool,
    /// Which texts of an answer are sent. Default: all.
    #[serde(default = "LaneName::all")]
    pub lanes: Vec<LaneName>,
    /// How much text of a stream is collected for one question, in bytes. A larger window means fewer
    /// questions and a stream that comes in larger pieces.
    #[serde(default = "default_window_bytes")]
    pub window_bytes: usize,
    /// How much of the text before a window is sent with it, in bytes, so that the webhook sees what
    /// crosses its border.
    #[serde(default = "default_context_bytes")]
    pub context_bytes: usize,
    /// Whether tenant, project, user, key label and tags of the caller are sent.
    #[serde(default)]
    pub caller: bool,
    /// The name, under `secrets` of the instance, of the secret that calls are signed with. Default: they
    /// are not signed.
    #[serde(default)]
    pub signing_secret: Option<String>,
    /// The most text of one question, in bytes. A prompt that is longer is refused, because nobody could
    /// judge it.
    #[serde(default = "default_max_bytes")]
    pub max_bytes: usize,
}

/// Which texts of requests are sent.
#[gatewright::config]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Prompts {
    /// None.
    None,
    /// Those of the end user and of tools.
    #[default]
    User,
    /// All, instructions and earlier answers too.
    All,
}

impl Prompts {
    pub(crate) fn include(self, role: Role) -> bool {
        match self {
            Self::None => false,
            Self::User => matches!(role, Role::User | Role::Tool),
            Self::All => true,
        }
    }
}

fn default_window_bytes() -> usize {
    500
}

fn default_context_bytes() -> usize {
    200
}

fn default_max_bytes() -> usize {
    256 * 1024
}
