//! The parts of an expression.

use crate::expression::path::Path;

/// A part of an expression: static text, a path into the body, or a `$context` variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Body(Path),
    Context(String),
}
