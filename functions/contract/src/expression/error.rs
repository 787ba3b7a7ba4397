//! What is wrong with an expression.

use std::{
    error::Error,
    fmt::{self, Display, Formatter},
};

use crate::error::shown;

/// A text that is no selection expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpressionError {
    pub(super) source: String,
    /// The text from the fault on.
    pub(super) rest: String,
    pub(super) expected: String,
}

impl Display for ExpressionError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let source = shown(&self.source);
        match self.rest.as_str() {
            _ if self.source.is_empty() => f.write_str("found an empty text")?,
            "" => write!(f, "found the end of {source}")?,
            rest if rest == self.source => write!(f, "found {source}")?,
            rest => write!(f, "found {} in {source}", shown(rest))?,
        }
        write!(f, ", expected {}", self.expected)
    }
}

impl Error for ExpressionError {}
