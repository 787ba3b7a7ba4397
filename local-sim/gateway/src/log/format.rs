//! The format of a line: text, with `$context` variables in it.

use std::{fmt::Write as _, str::FromStr};

use thiserror::Error;

use crate::log::entry::Entry;

/// A format that has been read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Format(Vec<Part>);

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The name of a variable, without `$context.`.
    Variable(String),
}

impl Format {
    /// The line of an entry, its end included. What is not known reads `-`.
    pub(crate) fn line(&self, entry: &Entry<'_>) -> String {
        let mut line = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => line.push_str(text),
                Part::Variable(name) => match entry.find(name) {
                    // It brings its own quotes.
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

    /// Reads a format. Every name is a variable, though not every variable has a value.
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

/// How many bytes of a text are the name of a variable: words with dots between them. The properties of an
/// authorizer may have hyphens.
fn name_length(text: &str) -> usize {
    let hyphens = text.starts_with("authorizer.");
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || hyphens && c == '-';
    let mut length = 0;
    loop {
        let word = text[length..]
            .find(|c| !is_of_word(c))
            .unwrap_or(text.len() - length);
        if word == 0 {
            // The dot behind a name ends a sentence.
            return length.saturating_sub(1);
        }
        length += word;
        if !text[length..].starts_with('.') {
            return length;
        }
        length += 1;
    }
}

/// As JSON has it within quotes, so that no value ends its line or its field.
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

/// What is wrong with a format.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum FormatError {
    /// Nothing, or too much.
    #[error("found {0} bytes, expected 1 to {FORMAT_BYTES_MAX}")]
    Length(usize),
    /// A line break.
    #[error("found a line break, expected one line")]
    Lines,
    /// Nothing behind `$context.`.
    #[error("found `{0}`, expected the name of a variable behind `$context.`")]
    NoName(String),
}

const PREFIX: &str = "$context.";
/// The one variable that is a text with quotes.
const QUOTED: &str = "error.messageString";
/// A format may be this long, in bytes: API Gateway's own limit.
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
    fn a_name_ends_where_no_name_can_go_on() {
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
    fn what_is_no_format_is_refused() {
        let check = |text: &str| text.parse::<Format>().unwrap_err().to_string();
        assert_eq!(check(""), "found 0 bytes, expected 1 to 3072");
        assert_eq!(
            check(&"x".repeat(3073)),
            "found 3073 bytes, expected 1 to 3072"
        );
        assert_eq!(check("a\nb"), "found a line break, expected one line");
        assert_eq!(
            check("a $context. b"),
            "found `$context. b`, expected the name of a variable behind `$context.`"
        );
    }

    #[test]
    fn a_value_cannot_leave_its_field() {
        let mut line = String::new();
        escape("a\"b\\c\nd\u{7f}é", &mut line);
        assert_eq!(line, "a\\\"b\\\\c\\u000ad\\u007fé");
    }
}
