//! A value of a document that knows its field's path and its line.

use std::ops::RangeInclusive;

use crate::{
    error::{DocumentError, one_line, shown},
    scalar::Plain,
};

/// A value, where it stands.
#[derive(Debug)]
pub struct Node {
    /// The field's name, such as `routes.chat.topic`; empty for the whole file.
    pub(crate) path: String,
    /// The line of the field's name, or of a list item's first character; from 1.
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
    /// Refuses this value because of `found`, in the reader's own words.
    pub fn refuse(&self, found: &str, expected: &str) -> DocumentError {
        DocumentError::new(
            self.line,
            &self.path,
            format_args!("found {found}, expected {expected}"),
        )
    }

    /// Refuses this value, whatever it is.
    pub fn unlike(&self, expected: &str) -> DocumentError {
        self.refuse(&self.description(), expected)
    }

    fn description(&self) -> String {
        match &self.value {
            Value::List(_) => "a list".to_owned(),
            Value::Mapping(_) => "a mapping".to_owned(),
            Value::Scalar { text, quoted: true } if text.is_empty() => "an empty text".to_owned(),
            Value::Scalar { text, .. } if text.is_empty() => "nothing".to_owned(),
            Value::Scalar { text, quoted } => match Plain::of(text) {
                Plain::Text => shown(text),
                _ if *quoted => format!("the text {}", shown(text)),
                Plain::Null => format!("the null {}", shown(text)),
                Plain::Boolean => format!("the boolean {}", shown(text)),
                Plain::Number => format!("the number {}", shown(text)),
                Plain::Date => format!("the date {}", shown(text)),
            },
        }
    }

    /// The text of a scalar that every YAML reader takes for text.
    pub(crate) fn text(&self, expected: &str) -> Result<&str, DocumentError> {
        match &self.value {
            Value::Scalar { text, quoted } if *quoted || Plain::of(text) == Plain::Text => Ok(text),
            Value::Scalar { text, .. } if !text.is_empty() => {
                Err(self.unlike(&format!("{expected} (text needs quotes here)")))
            }
            _ => Err(self.unlike(expected)),
        }
    }

    /// A text that `accepts` likes.
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
            _ => Err(self.unlike("`true` or `false`")),
        }
    }

    /// Whether it is a null that is written out; nothing at all, as in `field:`, is none.
    pub fn is_null(&self) -> bool {
        self.plain()
            .is_some_and(|text| !text.is_empty() && Plain::of(text) == Plain::Null)
    }

    /// A whole number within `range`; `what` names its unit.
    ///
    /// # Errors
    /// It is another value.
    pub fn whole(&self, range: RangeInclusive<u32>, what: &str) -> Result<u32, DocumentError> {
        self.plain()
            .filter(|text| is_whole(text))
            .and_then(|text| text.parse().ok())
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                self.unlike(&format!("{what} from {} to {}", range.start(), range.end()))
            })
    }

    /// A whole number within `range`, or `-1` for no limit.
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

    /// A number that need not be whole, from 0 to `max`.
    ///
    /// # Errors
    /// It is another value.
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

    /// A list of at least one value, no two of them alike.
    pub(crate) fn list<T: PartialEq>(
        &self,
        read: impl Fn(&Self) -> Result<T, DocumentError>,
        expected: &str,
    ) -> Result<Vec<T>, DocumentError> {
        let items = match &self.value {
            Value::List(items) if items.is_empty() => {
                return Err(self.refuse("an empty list", expected));
            }
            Value::List(items) => items,
            _ => return Err(self.unlike(expected)),
        };
        let mut list = Vec::with_capacity(items.len());
        for item in items {
            let value = read(item)?;
            if list.contains(&value) {
                let found = format!("{} a second time", item.description());
                return Err(item.refuse(&found, "every item once"));
            }
            list.push(value);
        }
        Ok(list)
    }

    /// The entries of a mapping whose names are the user's own.
    ///
    /// # Errors
    /// It is no mapping.
    pub fn entries(&self, expected: &str) -> Result<&[(String, Self)], DocumentError> {
        match &self.value {
            Value::Mapping(entries) => Ok(entries),
            _ => Err(self.unlike(expected)),
        }
    }

    /// The fields of a mapping whose names are ours.
    ///
    /// # Errors
    /// It is no mapping, or has other fields than these.
    pub fn fields(&self, known: &[&str]) -> Result<Fields<'_>, DocumentError> {
        let Value::Mapping(entries) = &self.value else {
            return Err(self.unlike(&format!("a mapping of {}", known.join(", "))));
        };
        let is_unknown = |(name, _): &&(String, Self)| !known.contains(&name.as_str());
        match entries.iter().find(is_unknown) {
            Some((_, node)) => {
                let expected = format!("one of {}", known.join(", "));
                Err(node.refuse("an unknown field", &expected))
            }
            None => Ok(Fields(self)),
        }
    }

    /// The entry of a mapping; nothing where it has none, or is no mapping.
    pub(crate) fn entry(&self, name: &str) -> Option<&Self> {
        let Value::Mapping(entries) = &self.value else {
            return None;
        };
        let (_, node) = entries.iter().find(|(entry, _)| entry == name)?;
        Some(node)
    }
}

/// Digits as all YAML readers read them: a leading zero would mean octal to some.
fn is_whole(text: &str) -> bool {
    let is_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_digits && (text == "0" || !text.starts_with('0'))
}

/// A mapping that has none but known fields.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(&'a Node);

impl<'a> Fields<'a> {
    /// The field of this name, where there is one.
    pub fn find(self, name: &str) -> Option<&'a Node> {
        self.0.entry(name)
    }

    /// Reads a field that may be left out.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn optional<T>(
        self,
        name: &str,
        read: impl FnOnce(&'a Node) -> Result<T, DocumentError>,
    ) -> Result<Option<T>, DocumentError> {
        self.find(name).map(read).transpose()
    }

    /// Reads a field that must be there; without it, the error is on the mapping's line.
    ///
    /// # Errors
    /// Those of `read`, or that it is missing.
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
                format_args!("found nothing, expected {expected}"),
            )),
        }
    }
}

/// The path of a mapping's entry.
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
