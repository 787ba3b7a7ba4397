//! What is wrong with a contract, or with another document, in one line.

use std::error::Error;
use std::fmt::{self, Display, Formatter};

/// A file that is refused: the contract, or one that is read like it.
///
/// Its text is one line, `gateway.yaml:6: routes.chat.topic: found …, expected …`;
/// the file is named as the caller named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractError {
    file: String,
    line: Option<usize>,
    text: String,
}

impl ContractError {
    /// An error of the file as a whole, which has no line.
    pub(crate) fn of_file(file: &str, text: String) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            text,
        }
    }
}

impl Display for ContractError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.text),
            None => write!(f, "{}: {}", self.file, self.text),
        }
    }
}

impl Error for ContractError {}

/// A [`ContractError`] in the making: the readers know lines, not files.
///
/// Its text is `routes.chat.topic: found …, expected …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl Refusal {
    /// Refuses the field at `path`; the file as a whole has the empty path.
    pub(crate) fn new(line: usize, path: &str, text: impl Display) -> Self {
        let text = match path {
            "" => text.to_string(),
            path => format!("{path}: {text}"),
        };
        Self { line, text }
    }

    /// Refuses a text that is no YAML, because of `why`.
    pub(crate) fn not_yaml(line: usize, why: impl Display) -> Self {
        Self::new(line, "", format_args!("{NOT_YAML}{why}"))
    }

    /// Whether it is the whole text that is no YAML.
    pub fn is_not_yaml(&self) -> bool {
        self.text.starts_with(NOT_YAML)
    }

    pub(crate) fn in_file(self, file: &str) -> ContractError {
        ContractError {
            file: file.to_owned(),
            line: Some(self.line),
            text: self.text,
        }
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Refusal {}

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
