//! Errors about a file or its content, each on one line.

use std::{
    error::Error,
    fmt::{self, Display, Formatter},
};

/// A file that cannot be read, or whose content is invalid.
///
/// `Display` writes one line, such as
/// ``gateway.yaml:6: routes.chat.topic: `a/b` is invalid (expected a topic name of …)``, with the
/// path as the caller passed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    file: String,
    line: Option<usize>,
    text: String,
}

impl FileError {
    /// An error about the whole file, without a line.
    pub(crate) fn of_file(file: &str, text: String) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            text,
        }
    }
}

impl Display for FileError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.text),
            None => write!(f, "{}: {}", self.file, self.text),
        }
    }
}

impl Error for FileError {}

/// An error in a document; [`FileError`] adds the file's name and the line.
///
/// `Display` writes, for example,
/// `routes.chat.topic: field is missing (expected a topic name of …)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentError {
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl DocumentError {
    /// An error in the field at `path`, or in the whole document if `path` is empty.
    pub(crate) fn new(line: usize, path: &str, text: impl Display) -> Self {
        let text = match path {
            "" => text.to_string(),
            path => format!("{path}: {text}"),
        };
        Self { line, text }
    }

    /// The error for a document that is not YAML.
    pub(crate) fn not_yaml(line: usize, why: impl Display) -> Self {
        Self::new(line, "", format_args!("{NOT_YAML}{why}"))
    }

    /// Whether the document is not YAML.
    pub fn is_not_yaml(&self) -> bool {
        self.text.starts_with(NOT_YAML)
    }

    pub(crate) fn in_file(self, file: &str) -> FileError {
        FileError {
            file: file.to_owned(),
            line: Some(self.line),
            text: self.text,
        }
    }
}

impl Display for DocumentError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for DocumentError {}

const NOT_YAML: &str = "not YAML: ";

/// A value in backticks, on one line and truncated, for an error.
pub(crate) fn quote(text: &str) -> String {
    format!("`{}`", one_line(text))
}

/// Escapes control characters and truncates after [`SHOWN_CHARS_MAX`] characters.
pub(crate) fn one_line(text: &str) -> String {
    let mut shown = String::new();
    for (count, c) in text.chars().enumerate() {
        match c {
            _ if count == SHOWN_CHARS_MAX => {
                shown.push('…');
                break;
            }
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

/// Errors show at most this many characters of a value: longer than any reasonable name, and
/// short enough for one line on a terminal.
const SHOWN_CHARS_MAX: usize = 80;
