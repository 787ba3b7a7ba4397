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
    /// Parses static text up to the next unescaped `$`.
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
        let part = if self.eat("request.body") && !self.rest.starts_with(is_name_char) {
            Part::Body(self.path()?)
        } else if self.eat("context.") {
            Part::Context(self.context(start)?)
        } else {
            self.rest = start;
            return Err(self.expected(VARIABLE));
        };
        // Do not parse a call such as `.length()` as a name followed by a static `()`.
        if self.rest.starts_with('(') {
            return Err(self.error("functions are not supported: a path only selects values"));
        }
        if braced && !self.eat("}") {
            return Err(self.expected("`}`, or `.` or `[` to continue the path"));
        }
        Ok(part)
    }

    /// Parses the steps after `$request.body`.
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

    /// Parses the step after a dot.
    fn dotted(&mut self) -> Result<Step, ExpressionError> {
        if self.eat("*") {
            return Ok(Step::All);
        }
        match self.take_while(is_name_char) {
            "" => Err(self.expected(DOTTED)),
            name => Ok(Step::Name(name.to_owned())),
        }
    }

    /// Parses a step in brackets: quoted names, indices, a slice, or `*`.
    fn bracket(&mut self) -> Result<Step, ExpressionError> {
        self.eat("[");
        self.spaces();
        let step = match self.rest.chars().next() {
            Some('*') => {
                self.eat("*");
                Step::All
            }
            Some(quote @ ('\'' | '"')) => self.names(quote)?,
            Some('?') => return Err(self.error(NO_FILTER)),
            _ => self.indices()?,
        };
        self.spaces();
        match self.eat("]") {
            true => Ok(step),
            false => Err(self.expected("`]`, or `,` and another item of the same kind")),
        }
    }

    fn names(&mut self, quote: char) -> Result<Step, ExpressionError> {
        let mut names = vec![self.quote(quote)?];
        while self.comma() {
            names.push(self.quote(quote)?);
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

    /// Parses the rest of a slice, starting at its colon.
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
                Err(self.expected(
                    "a slice with a start or an end, such as `[1:]`; `[*]` selects the whole list",
                ))
            }
            // Other libraries select all but the first and last items with `[1:-1]`; Jayway's
            // selects nothing.
            (Some(from), Some(to)) if (from < 0) != (to < 0) => {
                self.rest = colon;
                Err(self.expected(
                    "a slice whose ends count from the same side: `[0:2]`, `[-2:-1]` or `[:-1]`",
                ))
            }
            _ => Ok(Step::Slice(from, to)),
        }
    }

    fn name(&mut self) -> Result<&'a str, ExpressionError> {
        match self.take_while(is_name_char) {
            "" => Err(self.expected("a name of letters, digits, `_` and `-`")),
            name => Ok(name),
        }
    }

    /// Parses a name in quotes. A backslash escapes the next character.
    fn quote(&mut self, quote: char) -> Result<String, ExpressionError> {
        let Some(rest) = self.rest.strip_prefix(quote) else {
            return Err(self.expected(&format!("another name in `{quote}` quotes")));
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

    /// Parses an index; a negative one counts from the end. Rejects `+1`, `01` and `-0`.
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

    /// Skips a comma and the spaces around it; returns whether there was a comma.
    fn comma(&mut self) -> bool {
        self.spaces();
        let found = self.eat(",");
        self.spaces();
        found
    }

    fn spaces(&mut self) {
        self.take_while(|c| c == ' ');
    }

    /// Parses the dotted name after `$context.`.
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
            let expected = format!("one of the $context variables {}", context::variables());
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
        self.error(&format!("expected {expected}"))
    }

    fn error(&self, advice: &str) -> ExpressionError {
        ExpressionError {
            source: self.source.to_owned(),
            rest: self.rest.to_owned(),
            advice: advice.to_owned(),
        }
    }
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

const VARIABLE: &str = "`$request.body…` or `$context.…`; write `\\$` for a dollar sign";
const DOTTED: &str =
    "a name of letters, digits, `_` and `-`, or `*`, or `['name']` without the dot";
const INDEX: &str =
    "an index such as `[0]` or `[-1]`, a slice such as `[0:2]`, `['name']` or `[*]`";
const NO_FILTER: &str = "filters are not supported: use names, indices, a slice or `*` in brackets";
