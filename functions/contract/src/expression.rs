//! Selection expressions, which build a string from a message and its `$context`.
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
/// `Display` writes its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    source: String,
    parts: Vec<Part>,
}

impl Expression {
    /// Parses an expression of static text, `$request.body` paths and `$context` variables.
    ///
    /// A variable is `$name` or `${name}`; `\$` is a dollar sign. A path is JSONPath: `.name`,
    /// `['name']` or `['a','b']`, `[0]`, `[-1]` or `[0,1]`, `[0:2]`, `.*` or `[*]`. After `..`,
    /// each of them selects at any depth. Without braces, a name ends at the first character that
    /// is not a letter, digit, `_` or `-`.
    ///
    /// # Errors
    /// If the expression is empty, has an unknown variable, or uses a JSONPath feature that is not
    /// supported: filters, functions, and slices with a step.
    pub fn parse(source: &str) -> Result<Self, ExpressionError> {
        Ok(Self {
            parts: parser::parse(source)?,
            source: source.to_owned(),
        })
    }

    /// The string that the expression selects. Selected values are not evaluated again.
    ///
    /// `body` is the message's text. If it is not exactly one JSON value (an event without a body
    /// has an empty one), body paths select nothing. `context` maps a variable's name, such as
    /// `identity.sourceIp`, to its value.
    ///
    /// A missing or null value adds nothing. If an object has a member twice, the last one wins.
    /// A string adds its content (a lone surrogate becomes U+FFFD), an integer its digits. Other
    /// values are written as in Java: `1e3` as `1000.0`, lists and objects as `[a, b]` and
    /// `{a=1}`. Values nested deeper than 32 levels stay JSON.
    ///
    /// A path that can match several values gives a list, or `[]` without a match. A path that
    /// ends with several names gives an object of these members. A path that would be too
    /// expensive for the message (`..` in a deeply nested one) selects nothing.
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

    /// Whether the result depends on the message.
    pub fn reads_body(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Body(_)))
    }

    /// Whether the result depends on a `$context` variable.
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
