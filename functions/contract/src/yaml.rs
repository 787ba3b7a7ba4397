//! From YAML's text to a tree of nodes.
//!
//! Only what every YAML reader understands alike gets through: one document of
//! mappings, lists and scalars, every key a text and given once. Anchors,
//! aliases, tags and merge keys are refused.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, StrInput};

use crate::{
    error::{DocumentError, one_line},
    node::{Node, Value, child},
    scalar::Plain,
};

/// Reads a text that holds one document; of one that is empty it says that `what` was expected.
pub(crate) fn read(text: &str, what: &str) -> Result<Node, DocumentError> {
    let empty = |line| refuse(line, "", "an empty document", what);
    let mut events = Events {
        parser: Parser::new_from_str(text),
    };
    let (mut event, mut line) = events.next()?;
    while matches!(event, Event::StreamStart | Event::DocumentStart(_)) {
        (event, line) = events.next()?;
    }
    if matches!(event, Event::StreamEnd) {
        return Err(empty(1));
    }
    let root = events.node(event, line, String::new(), 0)?;
    match &root.value {
        Value::Scalar { text, .. } if text.is_empty() => return Err(empty(root.line)),
        _ => {}
    }
    loop {
        match events.next()? {
            (Event::StreamEnd, _) => return Ok(root),
            (Event::DocumentStart(_), line) => {
                return Err(refuse(line, "", "a second document", "one document"));
            }
            _ => {}
        }
    }
}

fn refuse(line: usize, path: &str, found: &str, expected: &str) -> DocumentError {
    DocumentError::new(
        line,
        path,
        format_args!("found {found}, expected {expected}"),
    )
}

struct Events<'a> {
    parser: Parser<'a, StrInput<'a>>,
}

impl<'a> Events<'a> {
    /// The next event and its line.
    fn next(&mut self) -> Result<(Event<'a>, usize), DocumentError> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, span.start.line())),
            Some(Err(err)) => Err(not_yaml(&err)),
            None => Ok((Event::StreamEnd, 1)),
        }
    }

    /// Reads the node that begins with `event`.
    fn node(
        &mut self,
        event: Event<'a>,
        line: usize,
        path: String,
        depth: usize,
    ) -> Result<Node, DocumentError> {
        refuse_references(&event, line, &path)?;
        if depth > DEPTH_MAX {
            let expected = format!("at most {DEPTH_MAX} levels of nesting");
            return Err(refuse(line, &path, "deeper nesting", &expected));
        }
        let value = match event {
            Event::Scalar(text, style, ..) => Value::Scalar {
                text: text.into_owned(),
                quoted: style != ScalarStyle::Plain,
            },
            Event::SequenceStart(..) => Value::List(self.list(&path, depth)?),
            Event::MappingStart(..) => Value::Mapping(self.mapping(&path, depth)?),
            // An alias needs an anchor, which is refused where it stands.
            _ => return Err(refuse(line, &path, "no value", "a value")),
        };
        Ok(Node { path, line, value })
    }

    fn list(&mut self, path: &str, depth: usize) -> Result<Vec<Node>, DocumentError> {
        let mut items = Vec::new();
        loop {
            let (event, line) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(items);
            }
            let path = format!("{path}[{}]", items.len());
            items.push(self.node(event, line, path, depth + 1)?);
        }
    }

    fn mapping(&mut self, path: &str, depth: usize) -> Result<Vec<(String, Node)>, DocumentError> {
        let mut entries = Vec::new();
        let mut lines = BTreeMap::new();
        loop {
            let (event, line) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(entries);
            }
            let key = key(event, line, path)?;
            let path = child(path, &key);
            if let Some(first) = lines.insert(key.clone(), line) {
                let found = format!("a duplicate key (first on line {first})");
                return Err(refuse(line, &path, &found, "every key once"));
            }
            let (event, _) = self.next()?;
            entries.push((key, self.node(event, line, path, depth + 1)?));
        }
    }
}

fn not_yaml(err: &ScanError) -> DocumentError {
    let info = one_line(err.info());
    // `{ key: ${request.body.room} }` is the likely cause, and the parser's words do not say so.
    let hint = match info.contains("flow") {
        true => " (text with braces or brackets needs quotes here)",
        false => "",
    };
    DocumentError::not_yaml(err.marker().line(), format_args!("{info}{hint}"))
}

/// Reads a mapping's key, which must be text to every reader.
fn key(event: Event<'_>, line: usize, parent: &str) -> Result<String, DocumentError> {
    refuse_references(&event, line, parent)?;
    let (text, style) = match event {
        Event::Scalar(text, style, ..) => (text.into_owned(), style),
        Event::SequenceStart(..) => {
            let expected = "text; a key such as \"[1, 2]\" needs quotes";
            return Err(refuse(line, parent, "a list as a key", expected));
        }
        _ => return Err(refuse(line, parent, "a mapping as a key", "text")),
    };
    let quoted = style != ScalarStyle::Plain;
    let refused =
        |found: &str, expected: &str| Err(refuse(line, &child(parent, &text), found, expected));
    match Plain::of(&text) {
        _ if quoted => Ok(text),
        _ if text == "<<" => refused("a merge key", "the fields written out"),
        Plain::Text => Ok(text),
        _ if text.is_empty() => refused("no key", "a text before the colon"),
        plain => {
            let found = format!("an unquoted key that YAML reads as {}", plain.noun());
            let expected = format!("it in quotes: \"{}\"", one_line(&text));
            refused(&found, &expected)
        }
    }
}

/// Refuses what refers to another place or type, which readers resolve in different ways.
fn refuse_references(event: &Event<'_>, line: usize, path: &str) -> Result<(), DocumentError> {
    let (anchor, tag) = match event {
        Event::Scalar(_, _, anchor, tag) => (*anchor, tag),
        Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => (*anchor, tag),
        _ => return Ok(()),
    };
    match tag {
        _ if anchor != NO_ANCHOR => Err(refuse(
            line,
            path,
            "an anchor (`&`)",
            "a value without one: there are no aliases here",
        )),
        Some(_) => Err(refuse(line, path, "a tag (`!`)", "a value without one")),
        None => Ok(()),
    }
}

/// The parser counts anchors from 1.
const NO_ANCHOR: usize = 0;

/// The deepest field has four levels; a bound keeps the recursion small.
const DEPTH_MAX: usize = 8;
