//! A value of a document, with its field's path and its line.

use std::ops::RangeInclusive;

use crate::{
    error::{DocumentError, one_line, quote},
    scalar::Plain,
};

/// A value with its position in the document.
#[derive(Debug)]
pub struct Node {
    /// The field's path, such as `routes.chat.topic`; empty for the whole document.
    pub(crate) path: String,
    /// The line of the field's name or of the list item's first character, counted from 1.
    pub(crate) line: usize,
    pub(crate) value: Value,
}

#[derive(Debug)]
pub(crate) enum Value {
    Scalar { text: String, quoted: bool },
    List(Vec<Node>),
    Mapping(Vec<(String, Node)>),
}

impl Node {
    /// The error `<path>: <problem> (expected <expected>)`.
    pub fn refuse(&self, problem: &str, expected: &str) -> DocumentError {
        self.reject(problem, &format!("expected {expected}"))
    }

    /// The error for an invalid or missing value: shows the value and what is expected instead.
    pub fn unlike(&self, expected: &str) -> DocumentError {
        let problem = match &self.value {
            Value::Scalar { text, quoted } if text.is_empty() && !quoted => {
                "value is missing".to_owned()
            }
            _ => format!("{} is invalid", self.description()),
        };
        self.refuse(&problem, expected)
    }

    /// The error `<path>: <problem> (<advice>)`.
    pub(crate) fn reject(&self, problem: &str, advice: &str) -> DocumentError {
        DocumentError::new(self.line, &self.path, format_args!("{problem} ({advice})"))
    }

    /// The value and, if it could be mistaken for another kind, its kind.
    pub(crate) fn description(&self) -> String {
        match &self.value {
            Value::List(_) => "a list".to_owned(),
            Value::Mapping(_) => "a mapping".to_owned(),
            Value::Scalar { text, quoted: true } if text.is_empty() => "an empty string".to_owned(),
            Value::Scalar { text, .. } if text.is_empty() => "an empty value".to_owned(),
            Value::Scalar { text, quoted } => match Plain::of(text) {
                Plain::Text => quote(text),
                _ if *quoted => format!("the string {}", quote(text)),
                Plain::Null => format!("the null {}", quote(text)),
                Plain::Boolean => format!("the boolean {}", quote(text)),
                Plain::Number => format!("the number {}", quote(text)),
                Plain::Date => format!("the date {}", quote(text)),
            },
        }
    }

    /// The text of a scalar that every YAML parser reads as a string.
    pub(crate) fn text(&self, expected: &str) -> Result<&str, DocumentError> {
        match &self.value {
            Value::Scalar { text, quoted } if *quoted || Plain::of(text) == Plain::Text => Ok(text),
            Value::Scalar { text, .. } if !text.is_empty() => {
                Err(self.unlike(&format!("{expected}; quote the value to make it a string")))
            }
            _ => Err(self.unlike(expected)),
        }
    }

    /// A string for which `accepts` returns true.
    pub(crate) fn text_that(
        &self,
        accepts: impl Fn(&str) -> bool,
        expected: &str,
    ) -> Result<String, DocumentError> {
        match self.text(expected)? {
            text if accepts(text) => Ok(text.to_owned()),
            _ => Err(self.unlike(expected)),
        }
    }

    pub(crate) fn boolean(&self) -> Result<bool, DocumentError> {
        match self.plain() {
            Some("true" | "True" | "TRUE") => Ok(true),
            Some("false" | "False" | "FALSE") => Ok(false),
            _ => Err(self.unlike("`true` or `false`, unquoted")),
        }
    }

    /// Whether the value is an explicit null, such as `null` or `~`. `field:` alone is not.
    pub fn is_null(&self) -> bool {
        self.plain()
            .is_some_and(|text| !text.is_empty() && Plain::of(text) == Plain::Null)
    }

    /// An integer within `range`. `what` names the number and its unit in the error.
    ///
    /// # Errors
    /// If the value is not such a number.
    pub fn whole(&self, range: RangeInclusive<u32>, what: &str) -> Result<u32, DocumentError> {
        self.plain()
            .filter(|text| is_whole(text))
            .and_then(|text| text.parse().ok())
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                self.unlike(&format!("{what} from {} to {}", range.start(), range.end()))
            })
    }

    /// An integer within `range`, or `-1` for no limit.
    pub(crate) fn whole_or_unlimited(
        &self,
        range: RangeInclusive<u32>,
        what: &str,
    ) -> Result<Option<u32>, DocumentError> {
        match self.plain() {
            Some("-1") => Ok(None),
            _ => self
                .whole(range, &format!("-1 (no limit) or {what}"))
                .map(Some),
        }
    }

    /// A decimal number from 0 to `max`. `what` names the number and its unit in the error.
    ///
    /// # Errors
    /// If the value is not such a number.
    pub fn decimal(&self, max: f64, what: &str) -> Result<f64, DocumentError> {
        self.plain()
            .filter(|text| {
                let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
                is_whole(whole)
                    && !fraction.is_empty()
                    && fraction.bytes().all(|b| b.is_ascii_digit())
            })
            .and_then(|text| text.parse().ok())
            .filter(|number| (0.0..=max).contains(number))
            .ok_or_else(|| self.unlike(&format!("{what} from 0 to {max}")))
    }

    fn plain(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, quoted } if !quoted => Some(text),
            _ => None,
        }
    }

    /// A list of at least one value, without duplicates.
    pub(crate) fn list<T: PartialEq>(
        &self,
        read: impl Fn(&Self) -> Result<T, DocumentError>,
        expected: &str,
    ) -> Result<Vec<T>, DocumentError> {
        let items = match &self.value {
            Value::List(items) if items.is_empty() => {
                return Err(self.refuse("an empty list is invalid", expected));
            }
            Value::List(items) => items,
            _ => return Err(self.unlike(expected)),
        };
        let mut list = Vec::with_capacity(items.len());
        for item in items {
            let value = read(item)?;
            if list.contains(&value) {
                let problem = format!("{} is listed twice", item.description());
                return Err(item.reject(&problem, "remove the duplicate"));
            }
            list.push(value);
        }
        Ok(list)
    }

    /// The entries of a mapping whose keys the user chooses.
    ///
    /// # Errors
    /// If the value is not a mapping.
    pub fn entries(&self, expected: &str) -> Result<&[(String, Self)], DocumentError> {
        match &self.value {
            Value::Mapping(entries) => Ok(entries),
            _ => Err(self.unlike(expected)),
        }
    }

    /// The fields of a mapping with a fixed set of keys.
    ///
    /// # Errors
    /// If the value is not a mapping, or has a field that is not in `known`.
    pub fn fields(&self, known: &[&str]) -> Result<Fields<'_>, DocumentError> {
        let Value::Mapping(entries) = &self.value else {
            return Err(self.unlike(&format!("a mapping with the fields {}", known.join(", "))));
        };
        let is_unknown = |(name, _): &&(String, Self)| !known.contains(&name.as_str());
        match entries.iter().find(is_unknown) {
            Some((_, node)) => {
                let expected = format!("one of {}", known.join(", "));
                Err(node.refuse("unknown field", &expected))
            }
            None => Ok(Fields(self)),
        }
    }

    /// The entry with this key; `None` if there is none or the value is not a mapping.
    pub(crate) fn entry(&self, name: &str) -> Option<&Self> {
        let Value::Mapping(entries) = &self.value else {
            return None;
        };
        let (_, node) = entries.iter().find(|(entry, _)| entry == name)?;
        Some(node)
    }
}

/// Whether all YAML parsers read the same integer: some read a leading zero as octal.
fn is_whole(text: &str) -> bool {
    let is_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_digits && (text == "0" || !text.starts_with('0'))
}

/// A mapping whose fields are all known.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(&'a Node);

impl<'a> Fields<'a> {
    /// The field with this name, if present.
    pub fn find(self, name: &str) -> Option<&'a Node> {
        self.0.entry(name)
    }

    /// Reads an optional field.
    ///
    /// # Errors
    /// If `read` fails.
    pub fn optional<T>(
        self,
        name: &str,
        read: impl FnOnce(&'a Node) -> Result<T, DocumentError>,
    ) -> Result<Option<T>, DocumentError> {
        self.find(name).map(read).transpose()
    }

    /// Reads a required field. If it is missing, the error has the mapping's line.
    ///
    /// # Errors
    /// If the field is missing or `read` fails.
    pub fn required<T>(
        self,
        name: &str,
        read: impl FnOnce(&'a Node) -> Result<T, DocumentError>,
        expected: &str,
    ) -> Result<T, DocumentError> {
        match self.find(name) {
            Some(node) => read(node),
            None => Err(DocumentError::new(
                self.0.line,
                &child(&self.0.path, name),
                format_args!("field is missing (expected {expected})"),
            )),
        }
    }
}

/// The path of an entry in the mapping at `parent`.
pub(crate) fn child(parent: &str, name: &str) -> String {
    let name = match name {
        "" => "\"\"".to_owned(),
        name => one_line(name),
    };
    match parent {
        "" => name,
        parent => format!("{parent}.{name}"),
    }
}
