//! The path after `$request.body`: JSONPath, as Jayway's library reads it.
//!
//! API Gateway names the language, not its reader. It speaks Java's `toString`, so
//! this follows Java's usual reader, <https://github.com/json-path/JsonPath> 2.9.0,
//! except for one fault there: within a list, a step after `..[0]` or `..*` finds
//! too little or too much (json-path/JsonPath#1084).

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::{java, json};

/// The way from a message's body to what is selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) steps: Vec<Step>,
    /// The names of a last step of several: these members stay together, as an object.
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
    /// `[from:to]`; the item at `to` is out.
    Slice(Option<i32>, Option<i32>),
    /// `.*` or `[*]`.
    All,
    /// `..`: the value and all that is within, the outer ones first.
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

    /// Appends what the path finds, as Java prints it.
    ///
    /// A path that could find several values gives a list, also of one or none.
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

    /// Nothing where the path stops before it branches, or is over a bound.
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
                    // Of all objects at any depth, those count that have every name.
                    let counts = !whole || names.iter().all(|name| last(&picked, name).is_some());
                    counts.then_some([Found::Members(picked)])
                })?
            }
        };
        let bytes: usize = found.iter().map(Found::bytes).sum();
        let bounded = reader.bytes <= READ_BYTES_MAX && (definite || bytes <= FOUND_BYTES_MAX);
        bounded.then_some(found)
    }

    /// Whether there is one value to find at most.
    fn is_definite(&self) -> bool {
        self.steps.iter().all(Step::is_definite)
    }
}

/// Takes a step from each value. From a value where it cannot be taken, it leads
/// nowhere: with that, a path ends that is definite so far.
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

    /// Where the step leads to; nothing where the value is of another kind, or lacks the one name.
    fn of<'a>(&self, value: &'a RawValue, reader: &mut Reader) -> Option<Vec<&'a RawValue>> {
        Some(match self {
            Self::Name(name) => vec![last(&reader.members(value)?, name)?],
            Self::Names(names) => {
                let members = reader.members(value)?;
                Vec::from_iter(names.iter().filter_map(|name| last(&members, name)))
            }
            Self::Index(index) => Vec::from_iter(at(&reader.items(value)?, *index)),
            Self::Indices(indices) => {
                let items = reader.items(value)?;
                Vec::from_iter(indices.iter().filter_map(|index| at(&items, *index)))
            }
            Self::Slice(from, to) => {
                let items = reader.items(value)?;
                let from = from.map_or(0, |from| place(from, items.len()));
                let to = to.map_or(items.len(), |to| place(to, items.len()));
                items.get(from..to).unwrap_or_default().to_vec()
            }
            Self::All => reader.children(value),
            Self::Descend => reader.nest(value),
        })
    }
}

/// What a path found.
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

/// The member of this name; the last of several.
fn last<'a>(members: &Members<'a>, wanted: &str) -> Option<&'a RawValue> {
    let (_, value) = members.iter().rfind(|(name, _)| name == wanted)?;
    Some(value)
}

/// The members of these names, in their order.
fn pick<'a>(names: &[String], members: &Members<'a>) -> Members<'a> {
    let picked = names
        .iter()
        .filter_map(|name| Some((Cow::Owned(name.clone()), last(members, name)?)));
    json::distinct(picked.collect())
}

/// The item of this index, which counts from the end where it is negative.
fn at<'a>(items: &[&'a RawValue], index: i32) -> Option<&'a RawValue> {
    let from_start = usize::try_from(index).ok();
    let from_end = || items.len().checked_sub(index.unsigned_abs() as usize);
    items.get(from_start.or_else(from_end)?).copied()
}

/// Where a slice begins or ends in a list of this length.
fn place(index: i32, length: usize) -> usize {
    match usize::try_from(index) {
        Ok(from_start) => from_start.min(length),
        Err(_) => length.saturating_sub(index.unsigned_abs() as usize),
    }
}

/// Opens values, until that has cost too much.
#[derive(Default)]
struct Reader {
    /// What has been read, a value anew each time that it is opened.
    bytes: usize,
}

impl Reader {
    /// An object's members; nothing where the value is no object.
    fn members<'a>(&mut self, value: &'a RawValue) -> Option<Members<'a>> {
        self.open(value, json::members)
    }

    /// A list's items; nothing where the value is no list.
    fn items<'a>(&mut self, value: &'a RawValue) -> Option<Vec<&'a RawValue>> {
        self.open(value, json::items)
    }

    /// What is directly in an object or a list.
    fn children<'a>(&mut self, value: &'a RawValue) -> Vec<&'a RawValue> {
        if let Some(members) = self.members(value) {
            let members = json::distinct(members).into_iter();
            members.map(|(_, value)| value).collect()
        } else {
            self.items(value).unwrap_or_default()
        }
    }

    /// The value and all that is within, without recursion: a message can nest deep.
    fn nest<'a>(&mut self, value: &'a RawValue) -> Vec<&'a RawValue> {
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

/// A path reads at most so many bytes of JSON, those of a nested value once for each
/// time that it is met: the largest message 32 times, some ten milliseconds.
/// A message that would take more, by nesting deep under a `..`, holds nothing for it.
const READ_BYTES_MAX: usize = 32 * MESSAGE_BYTES_MAX;

/// A list of more JSON than this is not made, and nothing found. It would be more than the
/// whole message, as it can be where values are found within others found (`..*`).
const FOUND_BYTES_MAX: usize = MESSAGE_BYTES_MAX;

/// What API Gateway lets a message carry.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
const MESSAGE_BYTES_MAX: usize = 128 * 1024;
