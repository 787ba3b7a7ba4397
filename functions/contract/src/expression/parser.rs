//! The grammar of selection expressions.

use crate::context;
use crate::expression::{ExpressionError, Part, Step};

/// Splits an expression into its parts.
pub(super) fn parse(source: &str) -> Result<Vec<Part>, ExpressionError> {
    let mut parser = Parser {
        source,
        rest: source,
    };
    if source.is_empty() {
        return Err(parser.expected("a selection expression such as `$request.body.action`"));
    }
    let mut parts = Vec::new();
    while !parser.rest.is_empty() {
        parts.push(match parser.rest.starts_with('$') {
            true => parser.variable()?,
            false => parser.text(),
        });
    }
    Ok(parts)
}

struct Parser<'a> {
    source: &'a str,
    rest: &'a str,
}

impl<'a> Parser<'a> {
    /// Static text up to the next `$` without a backslash.
    fn text(&mut self) -> Part {
        let mut text = String::new();
        while let Some(c) = self.rest.chars().next().filter(|&c| c != '$') {
            if self.eat("\\$") {
                text.push('$');
            } else {
                self.rest = &self.rest[c.len_utf8()..];
                text.push(c);
            }
        }
        Part::Text(text)
    }

    fn variable(&mut self) -> Result<Part, ExpressionError> {
        let start = self.rest;
        let braced = self.eat("${");
        if !braced {
            self.eat("$");
        }
        let part = if self.eat("request.body") && !self.rest.starts_with(is_of_name) {
            Part::Body(self.path()?)
        } else if self.eat("context.") {
            Part::Context(self.context(start)?)
        } else {
            self.rest = start;
            return Err(self.expected(VARIABLE));
        };
        if braced && !self.eat("}") {
            return Err(self.expected("`}`, `.name`, `['name']` or `[0]`"));
        }
        // A call such as `.length()` must not pass for a name and a static `()`.
        if !braced && self.rest.starts_with('(') {
            return Err(
                self.expected("no function: a path is made of `.name`, `['name']` and `[0]`")
            );
        }
        Ok(part)
    }

    /// The steps after `$request.body`.
    fn path(&mut self) -> Result<Vec<Step>, ExpressionError> {
        let mut steps = Vec::new();
        loop {
            if self.eat(".") {
                steps.push(Step::Name(self.name()?.to_owned()));
            } else if self.eat("['") {
                steps.push(Step::Name(self.quoted('\'')?));
            } else if self.eat("[\"") {
                steps.push(Step::Name(self.quoted('"')?));
            } else if self.eat("[") {
                steps.push(Step::Index(self.index()?));
            } else {
                return Ok(steps);
            }
        }
    }

    fn name(&mut self) -> Result<&'a str, ExpressionError> {
        match self.take_while(is_of_name) {
            "" => Err(self.expected("a name of letters, digits, `_` and `-`, or `['name']`")),
            name => Ok(name),
        }
    }

    /// A name up to its closing quote and bracket; a backslash takes the next character as it is.
    fn quoted(&mut self, quote: char) -> Result<String, ExpressionError> {
        let mut name = String::new();
        let mut chars = self.rest.chars();
        while let Some(c) = chars.next() {
            match c {
                c if c == quote => {
                    self.rest = chars.as_str();
                    return match self.eat("]") {
                        true => Ok(name),
                        false => Err(self.expected("`]`: a bracket holds one name")),
                    };
                }
                '\\' => name.extend(chars.next()),
                c => name.push(c),
            }
        }
        self.rest = "";
        Err(self.expected(&format!("a closing `{quote}`")))
    }

    fn index(&mut self) -> Result<usize, ExpressionError> {
        let start = self.rest;
        let digits = self.take_while(|c| c.is_ascii_digit());
        match digits.parse() {
            Ok(index) if self.eat("]") => Ok(index),
            _ => {
                self.rest = start;
                Err(self.expected("an index such as `[0]`, or `['name']`"))
            }
        }
    }

    /// The dotted name after `$context.`.
    fn context(&mut self, start: &'a str) -> Result<String, ExpressionError> {
        let mut name = self.name()?.to_owned();
        while self.eat(".") {
            name.push('.');
            name.push_str(self.name()?);
        }
        if context::is_variable(&name) {
            Ok(name)
        } else {
            self.rest = start;
            let expected = format!("a $context variable of {}", context::variables());
            Err(self.expected(&expected))
        }
    }

    fn eat(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn take_while(&mut self, accepts: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !accepts(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn expected(&self, expected: &str) -> ExpressionError {
        ExpressionError {
            source: self.source.to_owned(),
            rest: self.rest.to_owned(),
            expected: expected.to_owned(),
        }
    }
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

const VARIABLE: &str = "`$request.body…` or `$context.…` (`\\$` is a dollar sign)";
