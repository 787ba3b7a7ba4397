//! Selection expressions: a text made from a message and its context.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-selection-expressions.html>

mod error;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod oracle;
mod parser;
mod part;
mod path;

use std::fmt::{self, Display, Formatter};

pub use crate::expression::error::ExpressionError;
use crate::{expression::part::Part, json};

/// A selection expression, such as `$request.body.action` or
/// `${request.body.service}/${context.stage}`.
///
/// `Display` gives its source back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    source: String,
    parts: Vec<Part>,
}

impl Expression {
    /// Parses an expression of static text, `$request.body` paths and `$context` variables.
    ///
    /// A variable is `$name` or `${name}`; `\$` is a dollar sign. A path is
    /// JSONPath: `.name`, `['name']` or `['a','b']`, `[0]`, `[-1]` or `[0,1]`, `[0:2]`,
    /// `.*` or `[*]`, and each of them after `..`, at any depth. Without braces a name
    /// ends at the first character that is no letter, digit, `_` or `-`.
    ///
    /// # Errors
    /// For an empty text, an unknown variable, or a path with what JSONPath has
    /// beyond these forms: filters, functions, and slices with a step.
    pub fn parse(source: &str) -> Result<Self, ExpressionError> {
        Ok(Self {
            parts: parser::parse(source)?,
            source: source.to_owned(),
        })
    }

    /// The text that the expression selects; what it finds is not evaluated again.
    ///
    /// `body` is the message's text. Where that is not one JSON value, it selects
    /// nothing; the empty body of an event that has none is such a text. `context`
    /// maps a variable's name, such as `identity.sourceIp`, to its value.
    ///
    /// What is missing or null gives no text, and where an object names a member
    /// twice, the last one counts. A string gives its content (half of a surrogate
    /// pair becomes U+FFFD), a whole number its digits. All else reads as in Java:
    /// `1e3` as `1000.0`, lists and objects as `[a, b]` and `{a=1}`; what these
    /// nest more than 32 levels deep stays JSON.
    ///
    /// A path that could find several values gives a list, `[]` where it finds none;
    /// one that ends with several names gives an object of these members. A message
    /// too costly for a path (one that nests deep, under a `..`) holds nothing for it.
    pub fn evaluate(&self, body: &str, context: impl Fn(&str) -> Option<String>) -> String {
        let body = self.reads_body().then(|| json::parse(body)).flatten();
        let body = body.filter(|body| body.get() != "null");
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Body(path) => body.iter().for_each(|body| path.print(body, &mut text)),
                Part::Context(name) => text.push_str(&context(name).unwrap_or_default()),
            }
        }
        text
    }

    /// Whether the value depends on the message.
    pub fn reads_body(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Body(_)))
    }

    /// Whether the value depends on a `$context` variable.
    pub fn reads_context(&self) -> bool {
        self.parts
            .iter()
            .any(|part| matches!(part, Part::Context(_)))
    }
}

impl Display for Expression {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

#[cfg(test)]
mod tests;
