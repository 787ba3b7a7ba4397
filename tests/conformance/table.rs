//! The table: every row of what is known of API Gateway's WebSocket APIs, and how it is held.

mod authorization;
mod connection;
mod endpoints;
mod events;
mod handshake;
mod integration;
mod logging;
mod management;
mod open;
mod readme;
mod routing;

use std::collections::{BTreeMap, BTreeSet};

use self::Held::{As, Chosen, Outside, Tested};
pub(crate) use self::readme::check_readme;

/// What is known, and what has become of it.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its number, which the names of its tests begin with.
    id: &'static str,
    sure: Sure,
    fact: &'static str,
    /// Who says so: a page of AWS's developer guide (`dg:`), an issue (`owner/repo#n`), a URL, or a title.
    sources: &'static [&'static str],
    held: Held,
}

/// How sure a fact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sure {
    /// AWS says so.
    Documented,
    /// Somebody has seen it.
    Observed,
    /// It follows from something else that is known.
    Inferred,
    /// Nobody has said or seen it.
    Unknown,
}

/// What has become of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Held {
    /// Tests of its own prove it.
    Tested,
    /// Tests of its own prove an answer that had to be chosen; a flag may choose another.
    Chosen(&'static str),
    /// It says what other rows say, too.
    As(&'static [&'static str]),
    /// It is none of the gateway's business here, for this reason.
    Outside(&'static str),
}

/// A row, without the names of its fields: there are many.
const fn row(
    id: &'static str,
    sure: Sure,
    fact: &'static str,
    sources: &'static [&'static str],
    held: Held,
) -> Row {
    Row {
        id,
        sure,
        fact,
        sources,
        held,
    }
}

/// A section of the table: its title and its rows.
type Section = (&'static str, &'static [Row]);

const SECTIONS: &[Section] = &[
    ("1 Endpoints", endpoints::ROWS),
    ("2 Handshake", handshake::ROWS),
    ("3 Authorization", authorization::ROWS),
    ("4 Routing", routing::ROWS),
    ("5 Integration", integration::ROWS),
    ("6 Events and ids", events::ROWS),
    ("7 Connection life", connection::ROWS),
    ("8 `@connections`", management::ROWS),
    ("9 Logging", logging::ROWS),
    ("12 Open questions", open::ROWS),
];

fn rows() -> impl Iterator<Item = &'static Row> {
    SECTIONS.iter().flat_map(|(_, rows)| rows.iter())
}

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
