//! A map with several values per name, for headers and the query.

use serde::{Serialize, Serializer};

/// Names with all their values, in the order in which events show them.
pub(crate) type MultiMap = Vec<(String, Vec<String>)>;

/// Groups values by name, in the order in which the names first occur.
pub(crate) fn group(
    pairs: impl Iterator<Item = (String, String)>,
    same: fn(&str, &str) -> bool,
) -> MultiMap {
    let mut grouped = MultiMap::new();
    for (name, value) in pairs {
        match grouped.iter_mut().find(|(known, _)| same(known, &name)) {
            Some((_, values)) => values.push(value),
            None => grouped.push((name, vec![value])),
        }
    }
    grouped
}

/// Serializes as `{name: last value}`.
pub(crate) struct Last<'a>(pub(crate) &'a MultiMap);

impl Serialize for Last<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, values)| (name, values.last())))
    }
}

/// Serializes as `{name: [value, …]}`.
pub(crate) struct All<'a>(pub(crate) &'a MultiMap);

impl Serialize for All<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, values)| (name, values)))
    }
}
