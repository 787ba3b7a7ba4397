//! The pieces of an expression.

use crate::expression::path::Path;

/// A piece of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Body(Path),
    Context(String),
}
