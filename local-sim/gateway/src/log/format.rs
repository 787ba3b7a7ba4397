//! The format of an access log line: text with `$context` variables.

use std::{fmt::Write as _, str::FromStr};

use thiserror::Error;

use crate::log::entry::Entry;

/// A parsed format.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Format(Vec<Part>);

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The name of a variable, without `$context.`.
    Variable(String),
}

impl Format {
    /// Formats the line of an entry, with a line break at its end. A variable without a value
    /// becomes `-`.
    pub(crate) fn line(&self, entry: &Entry<'_>) -> String {
        let mut line = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => line.push_str(text),
                Part::Variable(name) => match entry.find(name) {
                    // The value is already quoted and escaped.
                    Some(value) if name == QUOTED => line.push_str(&value),
                    Some(value) => escape(&value, &mut line),
                    None => line.push('-'),
                },
            }
        }
        line.push('\n');
        line
    }
}

impl FromStr for Format {
    type Err = FormatError;

    /// Parses a format. Any name is accepted, because a variable may have no value.
    fn from_str(text: &str) -> Result<Self, FormatError> {
        if text.is_empty() || text.len() > FORMAT_BYTES_MAX {
            return Err(FormatError::Length(text.len()));
        }
        if text.contains(['\n', '\r']) {
            return Err(FormatError::Lines);
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(PREFIX) {
            let (before, after) = (&rest[..at], &rest[at + PREFIX.len()..]);
            let length = name_length(after);
            if length == 0 {
                return Err(FormatError::NoName(rest[at..].to_owned()));
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Variable(after[..length].to_owned()));
            rest = &after[length..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }
}

/// The length of the variable name at the start of `text`, in bytes.
///
/// A name consists of words separated by dots. Only the properties of an authorizer may contain
/// hyphens.
fn name_length(text: &str) -> usize {
    let hyphens = text.starts_with("authorizer.");
    let is_word_char = |c: char| c.is_ascii_alphanumeric() || c == '_' || hyphens && c == '-';
    let mut length = 0;
    loop {
        let word = text[length..]
            .find(|c| !is_word_char(c))
            .unwrap_or(text.len() - length);
        if word == 0 {
            // A trailing dot is not part of the name.
            return length.saturating_sub(1);
        }
        length += word;
        if !text[length..].starts_with('.') {
            return length;
        }
        length += 1;
    }
}

/// Escapes a value as in a JSON string, so that it cannot end its line or its field.
fn escape(value: &str, line: &mut String) {
    for c in value.chars() {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            c if c.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(line, "\\u{:04x}", u32::from(c));
            }
            c => line.push(c),
        }
    }
}

/// Why a format is invalid.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum FormatError {
    /// The format is empty or too long.
    #[error("the format has {0} bytes, but must have 1 to {FORMAT_BYTES_MAX}")]
    Length(usize),
    /// The format has several lines.
    #[error("the format contains a line break, but must be one line")]
    Lines,
    /// `$context.` is not followed by a name.
    #[error("no variable name after `$context.` in `{0}`")]
    NoName(String),
}

const PREFIX: &str = "$context.";
/// The only variable whose value is already quoted.
const QUOTED: &str = "error.messageString";
/// The maximum length of a format in bytes, which is API Gateway's limit.
const FORMAT_BYTES_MAX: usize = 3 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(text: &str) -> Vec<String> {
        let Format(parts) = text.parse().unwrap();
        parts
            .into_iter()
            .filter_map(|part| match part {
                Part::Variable(name) => Some(name),
                Part::Text(_) => None,
            })
            .collect()
    }

    #[test]
    fn a_variable_name_ends_at_the_first_other_character() {
        assert_eq!(variables("$context.stage"), ["stage"]);
        assert_eq!(variables("a $context.stage. b"), ["stage"]);
        assert_eq!(
            variables("$context.identity.sourceIp-$context.stage$context.apiId"),
            ["identity.sourceIp", "stage", "apiId"]
        );
        assert_eq!(
            variables("$context.authorizer.my-key"),
            ["authorizer.my-key"]
        );
        assert_eq!(variables("no $variable at ${all}"), [""; 0]);
    }

    #[test]
    fn an_invalid_format_is_rejected() {
        let check = |text: &str| text.parse::<Format>().unwrap_err().to_string();
        let length = "the format has 0 bytes, but must have 1 to 3072";
        assert_eq!(check(""), length);
        let length = "the format has 3073 bytes, but must have 1 to 3072";
        assert_eq!(check(&"x".repeat(3073)), length);
        let lines = "the format contains a line break, but must be one line";
        assert_eq!(check("a\nb"), lines);
        let no_name = "no variable name after `$context.` in `$context. b`";
        assert_eq!(check("a $context. b"), no_name);
    }

    #[test]
    fn a_value_cannot_leave_its_field() {
        let mut line = String::new();
        escape("a\"b\\c\nd\u{7f}é", &mut line);
        assert_eq!(line, "a\\\"b\\\\c\\u000ad\\u007fé");
    }
}
