//! Checks that rows and tests belong together.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    row::{
        Held::{As, Chosen, Outside, Tested},
        Sure,
    },
    sections::rows,
};

/// Whether there is such a row, with something of its own to say.
fn is_held(id: &str) -> bool {
    rows().any(|row| row.id == id && !matches!(row.held, As(_)))
}

/// The names of the tests of each row.
pub(crate) type Names = BTreeMap<String, Vec<&'static str>>;

/// Checks that every row that should have a test has one, and that every test has a row.
///
/// # Panics
/// Panics with the rows and tests for which that is not so.
pub(crate) fn check_rows(names: &Names) {
    let mut known = BTreeSet::new();
    let mut wrong = Vec::new();
    for row in rows() {
        if !known.insert(row.id) {
            wrong.push(format!("{} is there twice", row.id));
        }
        let tests = names.get(row.id).map_or(0, Vec::len);
        match row.held {
            Tested | Chosen(_) if tests == 0 => wrong.push(format!("{} has no test", row.id)),
            As(_) | Outside(_) if tests > 0 => {
                wrong.push(format!("{} has a test, and is not said to", row.id));
            }
            As(others) => {
                for other in others.iter().filter(|other| !is_held(other)) {
                    wrong.push(format!("{} is said to be {other}, which is no row", row.id));
                }
            }
            Tested | Chosen(_) | Outside(_) => {}
        }
        if row.sources.is_empty() && row.sure != Sure::Unknown && row.sure != Sure::Inferred {
            wrong.push(format!("{} has no source", row.id));
        }
    }
    for (id, tests) in names {
        if !known.contains(id.as_str()) {
            wrong.push(format!("{tests:?}: there is no row {id:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
