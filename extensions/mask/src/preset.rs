//! The ready-made patterns: what has a form that can be told from other text.
//!
//! Names and addresses of people have none, and are left to extensions that understand language. Every
//! pattern is bounded, either by its repetitions or by a cap. Those whose numbers carry check digits, or
//! have a range in which they are issued, are validated by `check`.

mod check;

use gatewright::text::Pattern;

/// The longest key block or token that is masked as one, in bytes.
const BLOCK_BYTES_MAX: usize = 4096;

/// A ready-made pattern.
#[gatewright::config]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Keys of well-known services, which tell by how they begin.
    ApiKey,
    /// Private keys in their text form, from the header to the end of the block.
    PrivateKey,
    /// JSON web tokens, signed or encrypted.
    Jwt,
    /// User and password in a URL, such as `user:password@` before a host.
    UrlCredentials,
    /// E-mail addresses.
    Email,
    /// International bank account numbers with valid check digits, in one piece or in groups.
    Iban,
    /// Card numbers of 13 to 19 digits with a valid check digit, in one piece or in groups.
    Card,
    /// United States social security numbers with dashes, of those that are issued.
    Ssn,
    /// Telephone numbers: with a country code after `+`, ten digits in the North American form, and the
    /// forms of countries where numbers begin with 0, in groups.
    Phone,
    /// IP addresses of both versions. Version numbers of four parts look the same.
    Ip,
}

impl Preset {
    /// All, in order of preference.
    pub(crate) const ALL: &[Self] = &[
        Self::ApiKey,
        Self::PrivateKey,
        Self::Jwt,
        Self::UrlCredentials,
        Self::Email,
        Self::Iban,
        Self::Card,
        Self::Ssn,
        Self::Phone,
        Self::Ip,
    ];

    /// The name in settings, replacements and placeholders.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ApiKey => "api-key",
            Self::PrivateKey => "private-key",
            Self::Jwt => "jwt",
            Self::UrlCredentials => "url-credentials",
            Self::Email => "email",
            Self::Iban => "iban",
            Self::Card => "card",
            Self::Ssn => "ssn",
            Self::Phone => "phone",
            Self::Ip => "ip",
        }
    }

    pub(crate) fn patterns(self) -> Vec<Pattern> {
        let named = |regex: &'static str| Pattern::new(self.name(), regex);
        match self {
            Self::ApiKey => vec![named(API_KEY)],
            Self::PrivateKey => vec![named(PRIVATE_KEY).max_bytes(BLOCK_BYTES_MAX)],
            Self::Jwt => vec![named(JWT).max_bytes(BLOCK_BYTES_MAX)],
            Self::UrlCredentials => {
                vec![named(URL_CREDENTIALS).replace_by(without_credentials)]
            }
            Self::Email => vec![named(EMAIL)],
            Self::Iban => vec![named(IBAN).validate(check::is_iban)],
            Self::Card => vec![named(CARD).validate(check::is_card)],
            Self::Ssn => vec![named(SSN).validate(check::is_ssn)],
            Self::Phone => vec![
                named(PHONE_INTERNATIONAL).validate(check::is_international),
                named(PHONE_NORTH_AMERICAN),
                named(PHONE_NATIONAL).validate(check::is_national),
            ],
            Self::Ip => vec![named(IPV4).validate(check::is_ipv4), named(IPV6).validate(check::is_ipv6)],
        }
    }
}

const API_KEY: &str = concat!(
    r"\b(?:sk-[A-Za-z0-9_-]{20,200}|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{20,255}",
    r"|glpat-[A-Za-z0-9_-]{20,64}|xox[abeprs]-[A-Za-z0-9-]{10,250}|A(?:KI|SI)A[A-Z0-9]{16}",
    r"|AIza[A-Za-z0-9_-]{35}|hf_[A-Za-z0-9]{30,64}|[rs]k_(?:live|test)_[A-Za-z0-9]{16,128})",
);

/// The header; headers of its own that an encrypted key has; lines of the key; the footer, where it is
/// there. A line break may be written as an escape, as in the key files of services.
const PRIVATE_KEY: &str = concat!(
    r"-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----",
    r"(?:(?:[ \t\r\n]|\\[rn])*(?:Proc-Type|DEK-Info|Version|Comment|Charset|Hash): [^\r\n\\]{1,128}){0,4}",
    r"(?:(?:[ \t\r\n]|\\[rn])*[A-Za-z0-9+/=]{16,})*",
    r"(?:(?:(?:[ \t\r\n]|\\[rn])*[A-Za-z0-9+/=]{1,15}){0,2}(?:[ \t\r\n]|\\[rn])*",
    r"-----END (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----)?",
);

/// The first part is the beginning of a JSON object in base64.
const JWT: &str = r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]{2,}){1,4}";

const URL_CREDENTIALS: &str = concat!(
    r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://",
    r"[A-Za-z0-9._~!$&'()*+,;=%-]{0,64}:[A-Za-z0-9._~!$&'()*+,;=%^{}|:-]{1,128}@",
);

const EMAIL: &str = r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24}";

const IBAN: &str = r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}\b";

const CARD: &str = r"\b[2-6][0-9]{3}(?:[ -]?[0-9]){9,15}\b";

const SSN: &str = r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b";

const PHONE_INTERNATIONAL: &str = r"\+[1-9](?:[ ./-]?\(?[0-9]\)?){7,15}\b";

const PHONE_NORTH_AMERICAN: &str =
    r"(?:\b1[ .-])?(?:\([2-9][0-9]{2}\) ?|\b[2-9][0-9]{2}[ .-])[2-9][0-9]{2}[ .-][0-9]{4}\b";

/// An area code with its leading 0, then groups.
const PHONE_NATIONAL: &str =
    r"(?:\(0[1-9][0-9]{0,4}\) ?|\b0[1-9][0-9]{0,4}[ ./-])[0-9]{2,8}(?:[ .-][0-9]{2,8}){0,4}\b";

const IPV4: &str = r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b";

const IPV6: &str = r"\b[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{0,4}){2,7}\b";

/// The URL's beginning, whose scheme may stay.
fn without_credentials(found: &str) -> String {
    let scheme = found.split_once("://").map_or("", |(scheme, _)| scheme);
    format!("{scheme}://[url-credentials]@")
}
