//! A second, simpler evaluation of paths, by recursion over a parsed `Value`.
//!
//! Tests compare the evaluation of raw JSON text with it.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

use super::path::{Path, Step};

/// What the path selects: one value, or a list if the path can match several.
///
/// `None` if a definite path has no match.
pub(super) fn select(body: &Value, path: &Path) -> Option<Value> {
    let mut found = Vec::new();
    if body.is_null() {
        return None;
    }
    walk(body, &path.steps, path, true, &mut found)?;
    let definite = |step: &Step| matches!(step, Step::Name(_) | Step::Index(_));
    match path.steps.iter().all(definite) {
        true => found.pop(),
        false => Some(Value::Array(found)),
    }
}

/// Adds the matches of `steps` below `value`. `None` ends the evaluation of the whole path, when a
/// step that is still definite has no match.
fn walk(
    value: &Value,
    steps: &[Step],
    path: &Path,
    definite: bool,
    found: &mut Vec<Value>,
) -> Option<()> {
    let stop = (!definite).then_some(());
    let Some((step, rest)) = steps.split_first() else {
        return pick(value, path, found).or(stop);
    };
    let mut on = |next: &Value, definite| walk(next, rest, path, definite, found);
    let item = |items: &[Value], index: i32| {
        items
            .get(usize::try_from(from_start(index, items)).ok()?)
            .cloned()
    };
    match (step, value) {
        (Step::Descend, _) => {
            on(value, false)?;
            for child in children(value) {
                walk(child, steps, path, false, found)?;
            }
        }
        (Step::All, _) => children(value)
            .into_iter()
            .try_for_each(|child| on(child, false))?,
        (Step::Name(name), Value::Object(members)) => match members.get(name) {
            Some(member) => on(member, definite)?,
            None => return stop,
        },
        (Step::Names(names), Value::Object(members)) => {
            names
                .iter()
                .filter_map(|name| members.get(name))
                .try_for_each(|member| on(member, false))?;
        }
        (Step::Index(index), Value::Array(items)) => {
            item(items, *index)
                .iter()
                .try_for_each(|item| on(item, definite))?;
        }
        (Step::Indices(indices), Value::Array(items)) => {
            indices
                .iter()
                .filter_map(|index| item(items, *index))
                .try_for_each(|item| on(&item, false))?;
        }
        (Step::Slice(from, to), Value::Array(items)) => {
            let from = from.map_or(0, |from| from_start(from, items));
            let to = to.map_or(i64::MAX, |to| from_start(to, items));
            for (index, item) in (0..).zip(items) {
                if from <= index && index < to {
                    on(item, false)?;
                }
            }
        }
        _ => return stop,
    }
    Some(())
}

fn pick(value: &Value, path: &Path, found: &mut Vec<Value>) -> Option<()> {
    let Some(names) = &path.picks else {
        found.push(value.clone());
        return Some(());
    };
    let members = value.as_object()?;
    let picked = names
        .iter()
        .filter_map(|name| Some((name.clone(), members.get(name)?.clone())));
    let picked: serde_json::Map<_, _> = picked.collect();
    if path.steps.last() != Some(&Step::Descend)
        || names.iter().all(|name| picked.contains_key(name))
    {
        found.push(Value::Object(picked));
    }
    Some(())
}

/// Converts an index to count from the start; below 0 if it is before the first item.
fn from_start(index: i32, items: &[Value]) -> i64 {
    match i64::from(index) {
        index @ 0.. => index,
        index => index + i64::try_from(items.len()).unwrap(),
    }
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => Vec::new(),
    }
}

/// Whether the members of all objects are sorted by name in the text, as they are in a `Value`.
pub(super) fn keeps_order(body: &str) -> bool {
    serde_json::from_str::<Sorted>(body).is_ok()
}

/// JSON whose members are sorted by name.
struct Sorted;

impl<'de> Deserialize<'de> for Sorted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Sorted {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("members sorted by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        let mut last = String::new();
        while let Some((name, Self)) = members.next_entry::<String, Self>()? {
            if name < last {
                return Err(A::Error::custom(name));
            }
            last = name;
        }
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while let Some(Self) = items.next_element::<Self>()? {}
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }
}

#[test]
fn order_is_kept_if_members_are_sorted() {
    for (body, expected) in [
        (r#"{"a":[5],"n":{"a":6.5,"b":-1}}"#, true),
        (r#"{"a":1,"a":"twice","b":[null,true]}"#, true),
        (r#"[0,{"a":[5],"":{"a":6}}]"#, false),
        (r#"{"a":{"n":1,"a":2}}"#, false),
    ] {
        assert_eq!(keeps_order(body), expected, "{body}");
    }
}
