//! The error for an invalid expression.

use std::{
    error::Error,
    fmt::{self, Display, Formatter},
};

use crate::error::quote;

/// A string that is not a selection expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpressionError {
    pub(super) source: String,
    /// The part of the source that starts at the fault.
    pub(super) rest: String,
    /// What to write instead.
    pub(super) advice: String,
}

impl Display for ExpressionError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let source = quote(&self.source);
        match self.rest.as_str() {
            _ if self.source.is_empty() => f.write_str("the expression is empty")?,
            "" => write!(f, "{source} is incomplete")?,
            rest if rest == self.source => write!(f, "{source} is invalid")?,
            rest => write!(f, "{} in {source} is invalid", quote(rest))?,
        }
        write!(f, " ({})", self.advice)
    }
}

impl Error for ExpressionError {}
