//! The grammar of selection expressions.

use crate::{
    context,
    expression::{
        error::ExpressionError,
        part::Part,
        path::{Path, Step},
    },
};

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
        // A call such as `.length()` must not pass for a name and a static `()`.
        if self.rest.starts_with('(') {
            return Err(self.expected("no function: a path only selects"));
        }
        if braced && !self.eat("}") {
            return Err(self.expected("`}`, or a path that goes on with `.` or `[`"));
        }
        Ok(part)
    }

    /// The steps after `$request.body`.
    fn path(&mut self) -> Result<Path, ExpressionError> {
        let mut steps = Vec::new();
        loop {
            if self.eat("..") {
                steps.push(Step::Descend);
                steps.push(match self.rest.starts_with('[') {
                    true => self.bracket()?,
                    false => self.dotted()?,
                });
            } else if self.eat(".") {
                steps.push(self.dotted()?);
            } else if self.rest.starts_with('[') {
                steps.push(self.bracket()?);
            } else {
                return Ok(Path::new(steps));
            }
        }
    }

    /// What follows a dot.
    fn dotted(&mut self) -> Result<Step, ExpressionError> {
        if self.eat("*") {
            return Ok(Step::All);
        }
        match self.take_while(is_of_name) {
            "" => Err(self.expected(DOTTED)),
            name => Ok(Step::Name(name.to_owned())),
        }
    }

    /// What brackets hold: names in quotes, indices, a slice, or `*`.
    fn bracket(&mut self) -> Result<Step, ExpressionError> {
        self.eat("[");
        self.spaces();
        let step = match self.rest.chars().next() {
            Some('*') => {
                self.eat("*");
                Step::All
            }
            Some(quote @ ('\'' | '"')) => self.names(quote)?,
            Some('?') => return Err(self.expected(NO_FILTER)),
            _ => self.indices()?,
        };
        self.spaces();
        match self.eat("]") {
            true => Ok(step),
            false => Err(self.expected("`]`, or `,` and another of its kind")),
        }
    }

    fn names(&mut self, quote: char) -> Result<Step, ExpressionError> {
        let mut names = vec![self.quoted(quote)?];
        while self.comma() {
            names.push(self.quoted(quote)?);
        }
        Ok(match <[_; 1]>::try_from(names) {
            Ok([name]) => Step::Name(name),
            Err(names) => Step::Names(names),
        })
    }

    fn indices(&mut self) -> Result<Step, ExpressionError> {
        if self.rest.starts_with(':') {
            return self.slice(None);
        }
        let mut indices = vec![self.index()?];
        if self.rest.starts_with(':') {
            return self.slice(indices.pop());
        }
        while self.comma() {
            indices.push(self.index()?);
        }
        Ok(match <[_; 1]>::try_from(indices) {
            Ok([index]) => Step::Index(index),
            Err(indices) => Step::Indices(indices),
        })
    }

    /// The rest of a slice, from its colon on.
    fn slice(&mut self, from: Option<i32>) -> Result<Step, ExpressionError> {
        let colon = self.rest;
        self.eat(":");
        let to = match self.rest.starts_with([']', ' ']) {
            true => None,
            false => Some(self.index()?),
        };
        match (from, to) {
            (None, None) => {
                self.rest = colon;
                Err(self.expected("a slice with an end, such as `[1:]`; `[*]` is the whole list"))
            }
            // Elsewhere `[1:-1]` is a list without its ends; Jayway's library finds nothing.
            (Some(from), Some(to)) if (from < 0) != (to < 0) => {
                self.rest = colon;
                Err(self
                    .expected("both ends of a slice counted alike: `[0:2]`, `[-2:-1]` or `[:-1]`"))
            }
            _ => Ok(Step::Slice(from, to)),
        }
    }

    fn name(&mut self) -> Result<&'a str, ExpressionError> {
        match self.take_while(is_of_name) {
            "" => Err(self.expected("a name of letters, digits, `_` and `-`")),
            name => Ok(name),
        }
    }

    /// A name in quotes; a backslash takes the next character as it is.
    fn quoted(&mut self, quote: char) -> Result<String, ExpressionError> {
        let Some(rest) = self.rest.strip_prefix(quote) else {
            return Err(self.expected(&format!("another name in `{quote}`")));
        };
        let mut name = String::new();
        let mut chars = rest.chars();
        while let Some(c) = chars.next() {
            match c {
                c if c == quote => {
                    self.rest = chars.as_str();
                    return Ok(name);
                }
                '\\' => name.extend(chars.next()),
                c => name.push(c),
            }
        }
        self.rest = "";
        Err(self.expected(&format!("a closing `{quote}`")))
    }

    /// A whole number, from the end where it is negative. There is one way to write each.
    fn index(&mut self) -> Result<i32, ExpressionError> {
        let start = self.rest;
        let digits = self.take_while(|c| c.is_ascii_digit() || c == '-');
        match digits.parse::<i32>() {
            Ok(index) if index.to_string() == digits => Ok(index),
            _ => {
                self.rest = start;
                Err(self.expected(INDEX))
            }
        }
    }

    /// A comma, with what spaces there are on both its sides.
    fn comma(&mut self) -> bool {
        self.spaces();
        let found = self.eat(",");
        self.spaces();
        found
    }

    fn spaces(&mut self) {
        self.take_while(|c| c == ' ');
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
const DOTTED: &str =
    "a name of letters, digits, `_` and `-`, or `*`, or `['name']` without the dot";
const INDEX: &str =
    "an index such as `[0]` or `[-1]`, a slice such as `[0:2]`, `['name']` or `[*]`";
const NO_FILTER: &str = "no filter: a bracket holds names, indices, a slice or `*`";
