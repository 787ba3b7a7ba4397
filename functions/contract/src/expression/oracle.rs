//! Paths once more, by plain recursion over a parsed `Value`: what the reader of raw text is held against.

use serde_json::Value;

use super::path::{Path, Step};

/// What the path selects: one value, or a list where it could be several. Nothing where it stops before it branches.
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

/// Nothing ends the whole path: the one value it came to is none to go on from.
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
            .get(usize::try_from(place(index, items)).ok()?)
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
            let from = from.map_or(0, |from| place(from, items));
            let to = to.map_or(i64::MAX, |to| place(to, items));
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

/// An index counted from the start; below 0 where there is no such item.
fn place(index: i32, items: &[Value]) -> i64 {
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
