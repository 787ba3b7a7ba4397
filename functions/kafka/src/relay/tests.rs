//! What the relay forwards, edits and records.

mod editing;
mod half_closed;
mod links;
