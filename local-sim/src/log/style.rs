//! Colours, if the log goes to a terminal.

use std::{fmt::Display, io::Write as _};

use clap::builder::styling::{AnsiColor, Style as Ansi};

/// How the log is coloured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) is_coloured: bool,
}

pub(super) const BAD: Ansi = AnsiColor::Red.on_default();
pub(super) const DIM: Ansi = Ansi::new().dimmed();
pub(super) const GOOD: Ansi = AnsiColor::Green.on_default();
pub(super) const REMARKABLE: Ansi = AnsiColor::Yellow.on_default();

impl Style {
    /// Writes a text in a colour.
    pub(super) fn paint(self, out: &mut Vec<u8>, style: Ansi, text: impl Display) {
        // Writing to a vector does not fail.
        let _ = if self.is_coloured {
            write!(out, "{style}{text}{style:#}")
        } else {
            write!(out, "{text}")
        };
    }
}
