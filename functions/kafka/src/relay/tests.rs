//! What goes through the relay, what is taken out, and what is told.

mod editing;
mod ending;

mod links;
