//! What is wrong with a file or its content, in one line.

use std::{
    error::Error,
    fmt::{self, Display, Formatter},
};

/// A file that cannot be read, or whose content is refused: a contract, or faults.
///
/// Its text is one line, `gateway.yaml:6: routes.chat.topic: found …, expected …`;
/// the file is named as the caller named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    file: String,
    line: Option<usize>,
    text: String,
}

impl FileError {
    /// An error of the file as a whole, which has no line.
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

/// What is wrong with a document's text; [`FileError`] adds the file's name.
///
/// Its text is `routes.chat.topic: found …, expected …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentError {
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl DocumentError {
    /// Refuses the field at `path`; the file as a whole has the empty path.
    pub(crate) fn new(line: usize, path: &str, text: impl Display) -> Self {
        let text = match path {
            "" => text.to_string(),
            path => format!("{path}: {text}"),
        };
        Self { line, text }
    }

    /// Refuses a text that is not YAML, because of `why`.
    pub(crate) fn not_yaml(line: usize, why: impl Display) -> Self {
        Self::new(line, "", format_args!("{NOT_YAML}{why}"))
    }

    /// Whether the whole text is not YAML.
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

/// A text from the contract as an error shows it: in backticks, on one line, cut short.
pub(crate) fn shown(text: &str) -> String {
    format!("`{}`", one_line(text))
}

/// A text without what would break the line or fill the screen.
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

/// An error shows at most this many characters of a value: more than any good
/// name has, and still one line on a terminal.
const SHOWN_CHARS_MAX: usize = 80;
