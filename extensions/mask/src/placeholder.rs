//! What a placeholder looks like: a label in capitals and a number, in brackets, as `[EMAIL_1]`.

use gatewright::text::Pattern;

/// The longest label, in bytes.
const LABEL_BYTES_MAX: usize = 32;
/// The most digits of a number.
const DIGITS_MAX: usize = 5;

/// The label of a pattern: its name in capitals.
pub(crate) fn label(name: &str) -> String {
    let letters = name.bytes().take(LABEL_BYTES_MAX);
    let label: String = letters
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte.to_ascii_uppercase()) } else { '_' })
        .collect();
    if label.bytes().any(|byte| byte.is_ascii_alphanumeric()) { label } else { "VALUE".to_owned() }
}

/// The placeholder of the n-th value with a label.
pub(crate) fn placeholder(label: &str, number: usize) -> String {
    format!("[{label}_{number}]")
}

/// The labels of a set of patterns.
#[derive(Debug)]
pub(crate) struct Labels {
    /// One for each pattern of the set that is restored.
    of_patterns: Vec<Option<Box<str>>>,
}

impl Labels {
    pub(crate) fn new<'a>(labels: impl Iterator<Item = Option<&'a str>>) -> Self {
        Self { of_patterns: labels.map(|label| label.map(Box::from)).collect() }
    }

    /// The label of the pattern at this place of the set.
    pub(crate) fn of(&self, pattern: usize) -> Option<&str> {
        self.of_patterns.get(pattern)?.as_deref()
    }

    /// What finds placeholders; none where no pattern is restored.
    pub(crate) fn pattern(&self) -> Option<Pattern> {
        let mut labels: Vec<&str> = self.of_patterns.iter().flatten().map(|label| &**label).collect();
        labels.sort_unstable();
        labels.dedup();
        let further = DIGITS_MAX - 1;
        let regex = format!(r"\[(?:{})_[1-9][0-9]{{0,{further}}}\]", labels.join("|"));
        (!labels.is_empty()).then(|| Pattern::new("placeholder", regex))
    }

    /// What looks like a placeholder in a text, from left to right.
    pub(crate) fn placeholders_in<'t>(&self, text: &'t str) -> impl Iterator<Item = &'t str> {
        text.match_indices('[').filter_map(|(at, _)| {
            let rest = text.get(at..)?;
            let bytes = rest.as_bytes().iter().take(LABEL_BYTES_MAX + DIGITS_MAX + 3);
            let end = bytes.into_iter().position(|byte| *byte == b']')?;
            rest.get(..=end).filter(|text| self.is_placeholder(text))
        })
    }

    fn is_placeholder(&self, text: &str) -> bool {
        let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let Some((label, number)) = inside.and_then(|inside| inside.rsplit_once('_')) else { return false };
        number.bytes().all(|byte| byte.is_ascii_digit())
            && (1..=DIGITS_MAX).contains(&number.len())
            && !number.starts_with('0')
            && self.of_patterns.iter().flatten().any(|known| **known == *label)
    }
}
