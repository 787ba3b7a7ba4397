//! The sections of the table, and their rows.

use super::{
    authorization, connection, endpoints, events, handshake, integration, logging, management,
    open, routing, row::Row,
};

/// A section of the table: its title and its rows.
pub(super) type Section = (&'static str, &'static [Row]);

pub(super) const SECTIONS: &[Section] = &[
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

/// All rows.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    SECTIONS.iter().flat_map(|(_, rows)| rows.iter())
}
