//! The path after `$request.body`: JSONPath, with the semantics of Jayway's library.
//!
//! API Gateway documents the language but not its implementation. Its output is that of Java's
//! `toString`, so this follows the usual Java library, <https://github.com/json-path/JsonPath>
//! 2.9.0, except for one bug there: within a list, a step after `..[0]` or `..*` matches too
//! little or too much (json-path/JsonPath#1084).

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::{java, json};

/// A path from a message's body to the selected values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) steps: Vec<Step>,
    /// The names of the last step, if it has several: the result is an object of these members.
    pub(super) picks: Option<Vec<String>>,
}

/// One step down into a JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// `.name` or `['name']`.
    Name(String),
    /// `['a','b']`.
    Names(Vec<String>),
    /// `[0]`, or `[-1]` for the last.
    Index(i32),
    /// `[0,1]`.
    Indices(Vec<i32>),
    /// `[from:to]`, without the item at `to`.
    Slice(Option<i32>, Option<i32>),
    /// `.*` or `[*]`.
    All,
    /// `..`: the value and all its descendants, parents first.
    Descend,
}

impl Path {
    pub(super) fn new(mut steps: Vec<Step>) -> Self {
        let picks = match steps.pop() {
            Some(Step::Names(names)) => Some(names),
            last => {
                steps.extend(last);
                None
            }
        };
        Self { steps, picks }
    }

    /// Appends the selected values in the form of Java's `toString`.
    ///
    /// A path that can match several values gives a list, even of one value or none.
    pub(super) fn print(&self, body: &RawValue, out: &mut String) {
        match self.find(body) {
            None => {}
            Some(found) if !self.is_definite() => java::list(&found, out, Found::print),
            Some(found) => found.iter().for_each(|one| match one {
                Found::Value(value) if value.get() == "null" => {}
                one => one.print(out),
            }),
        }
    }

    /// The matches. `None` if a definite path has no match, or if a limit is exceeded.
    fn find<'a>(&self, body: &'a RawValue) -> Option<Vec<Found<'a>>> {
        let mut reader = Reader::default();
        let mut values = vec![body];
        let mut definite = true;
        for step in &self.steps {
            values = flat_map(values, definite, |value| step.of(value, &mut reader))?;
            definite &= step.is_definite();
        }
        let found = match &self.picks {
            None => values.into_iter().map(Found::Value).collect(),
            Some(names) => {
                let whole = self.steps.last() == Some(&Step::Descend);
                flat_map(values, definite, |value| {
                    let picked = pick(names, &reader.members(value)?);
                    // After `..`, only objects that have every name match.
                    let counts = !whole
                        || names
                            .iter()
                            .all(|name| last_member(&picked, name).is_some());
                    counts.then_some([Found::Members(picked)])
                })?
            }
        };
        let bytes: usize = found.iter().map(Found::bytes).sum();
        let bounded = reader.bytes <= READ_BYTES_MAX && (definite || bytes <= FOUND_BYTES_MAX);
        bounded.then_some(found)
    }

    /// Whether the path matches at most one value.
    fn is_definite(&self) -> bool {
        self.steps.iter().all(Step::is_definite)
    }
}

/// Applies a step to each value and collects the results.
///
/// A value without a result is skipped, or ends the path with `None` if it is definite so far.
fn flat_map<'a, T, I: IntoIterator<Item = T>>(
    values: Vec<&'a RawValue>,
    definite: bool,
    mut step: impl FnMut(&'a RawValue) -> Option<I>,
) -> Option<Vec<T>> {
    let mut found = Vec::new();
    for value in values {
        match step(value) {
            Some(some) => found.extend(some),
            None if definite => return None,
            None => {}
        }
    }
    Some(found)
}

impl Step {
    fn is_definite(&self) -> bool {
        matches!(self, Self::Name(_) | Self::Index(_))
    }

    /// The matches of this step; `None` if the value has another type or lacks the member.
    fn of<'a>(&self, value: &'a RawValue, reader: &mut Reader) -> Option<Vec<&'a RawValue>> {
        Some(match self {
            Self::Name(name) => vec![last_member(&reader.members(value)?, name)?],
            Self::Names(names) => {
                let members = reader.members(value)?;
                Vec::from_iter(names.iter().filter_map(|name| last_member(&members, name)))
            }
            Self::Index(index) => Vec::from_iter(item_at(&reader.items(value)?, *index)),
            Self::Indices(indices) => {
                let items = reader.items(value)?;
                Vec::from_iter(indices.iter().filter_map(|index| item_at(&items, *index)))
            }
            Self::Slice(from, to) => {
                let items = reader.items(value)?;
                let from = from.map_or(0, |from| slice_end(from, items.len()));
                let to = to.map_or(items.len(), |to| slice_end(to, items.len()));
                items.get(from..to).unwrap_or_default().to_vec()
            }
            Self::All => reader.children(value),
            Self::Descend => reader.descendants(value),
        })
    }
}

/// A match of a path.
enum Found<'a> {
    Value(&'a RawValue),
    /// The picked members of an object.
    Members(Members<'a>),
}

type Members<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

impl Found<'_> {
    fn print(&self, out: &mut String) {
        match self {
            Self::Value(value) => java::print(value, out),
            Self::Members(members) => java::object(members, out, |value, out| {
                java::print(value, out);
            }),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Value(value) => value.get().len(),
            Self::Members(members) => {
                let bytes = members
                    .iter()
                    .map(|(name, value)| name.len() + value.get().len());
                bytes.sum()
            }
        }
    }
}

/// The member with this name; the last one if there are several.
fn last_member<'a>(members: &Members<'a>, wanted: &str) -> Option<&'a RawValue> {
    let (_, value) = members.iter().rfind(|(name, _)| name == wanted)?;
    Some(value)
}

/// The members with these names, in the order of `names`.
fn pick<'a>(names: &[String], members: &Members<'a>) -> Members<'a> {
    let picked = names
        .iter()
        .filter_map(|name| Some((Cow::Owned(name.clone()), last_member(members, name)?)));
    json::distinct(picked.collect())
}

/// The item at this index; a negative index counts from the end.
fn item_at<'a>(items: &[&'a RawValue], index: i32) -> Option<&'a RawValue> {
    let from_start = usize::try_from(index).ok();
    let from_end = || items.len().checked_sub(index.unsigned_abs() as usize);
    items.get(from_start.or_else(from_end)?).copied()
}

/// Converts a slice's end to an offset from the start, within 0 and `length`.
fn slice_end(index: i32, length: usize) -> usize {
    match usize::try_from(index) {
        Ok(from_start) => from_start.min(length),
        Err(_) => length.saturating_sub(index.unsigned_abs() as usize),
    }
}

/// Parses values until [`READ_BYTES_MAX`] is exceeded.
#[derive(Default)]
struct Reader {
    /// The bytes parsed so far. A value counts each time it is parsed.
    bytes: usize,
}

impl Reader {
    /// An object's members; `None` if the value is not an object.
    fn members<'a>(&mut self, value: &'a RawValue) -> Option<Members<'a>> {
        self.open(value, json::members)
    }

    /// A list's items; `None` if the value is not a list.
    fn items<'a>(&mut self, value: &'a RawValue) -> Option<Vec<&'a RawValue>> {
        self.open(value, json::items)
    }

    /// The direct children of an object or a list.
    fn children<'a>(&mut self, value: &'a RawValue) -> Vec<&'a RawValue> {
        if let Some(members) = self.members(value) {
            let members = json::distinct(members).into_iter();
            members.map(|(_, value)| value).collect()
        } else {
            self.items(value).unwrap_or_default()
        }
    }

    /// The value and all its descendants. Not recursive, because messages can be deeply nested.
    fn descendants<'a>(&mut self, value: &'a RawValue) -> Vec<&'a RawValue> {
        let mut found = Vec::new();
        let mut ahead = vec![value];
        while let Some(value) = ahead.pop() {
            found.push(value);
            ahead.extend(self.children(value).into_iter().rev());
        }
        found
    }

    fn open<'a, T>(
        &mut self,
        value: &'a RawValue,
        read: impl Fn(&'a RawValue) -> Option<T>,
    ) -> Option<T> {
        if self.bytes > READ_BYTES_MAX {
            return None;
        }
        let found = read(value)?;
        self.bytes += value.get().len();
        Some(found)
    }
}

/// The most bytes of JSON that a path may parse: 32 times the largest message, about 10 ms.
///
/// A value counts each time it is parsed. If a path exceeds this (`..` in a deeply nested
/// message), it selects nothing.
const READ_BYTES_MAX: usize = 32 * MESSAGE_BYTES_MAX;

/// The most bytes of JSON in a list of matches; if a path exceeds this, it selects nothing.
///
/// Matches can add up to more than the message if some contain others (`..*`).
const FOUND_BYTES_MAX: usize = MESSAGE_BYTES_MAX;

/// API Gateway's limit for a message.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
const MESSAGE_BYTES_MAX: usize = 128 * 1024;
