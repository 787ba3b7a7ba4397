//! Parses YAML into a tree of nodes.
//!
//! Accepts only what every YAML parser reads in the same way: one document of mappings, lists and
//! scalars, with unique string keys. Anchors, aliases, tags and merge keys are errors.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, StrInput};

use crate::{
    error::{DocumentError, one_line},
    node::{Node, Value, child},
    scalar::Plain,
};

/// Parses a text with exactly one document. The error for an empty document expects `what`.
pub(crate) fn read(text: &str, what: &str) -> Result<Node, DocumentError> {
    let empty = |line| {
        let advice = format!("expected {what}");
        error(line, "", "the document is empty", &advice)
    };
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
                let problem = "a second document starts here";
                return Err(error(line, "", problem, "keep one document per file"));
            }
            _ => {}
        }
    }
}

fn error(line: usize, path: &str, problem: &str, advice: &str) -> DocumentError {
    DocumentError::new(line, path, format_args!("{problem} ({advice})"))
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

    /// Reads the node that starts with `event`.
    fn node(
        &mut self,
        event: Event<'a>,
        line: usize,
        path: String,
        depth: usize,
    ) -> Result<Node, DocumentError> {
        reject_references(&event, line, &path)?;
        if depth > DEPTH_MAX {
            let advice = format!("at most {DEPTH_MAX} levels are allowed");
            return Err(error(line, &path, "nested too deep", &advice));
        }
        let value = match event {
            Event::Scalar(text, style, ..) => Value::Scalar {
                text: text.into_owned(),
                quoted: style != ScalarStyle::Plain,
            },
            Event::SequenceStart(..) => Value::List(self.list(&path, depth)?),
            Event::MappingStart(..) => Value::Mapping(self.mapping(&path, depth)?),
            // Aliases do not get here: the anchor that an alias needs is an error already.
            _ => return Err(error(line, &path, "value is missing", "expected a value")),
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
                let problem = format!("duplicate key, first used on line {first}");
                return Err(error(line, &path, &problem, "remove or rename one of them"));
            }
            let (event, _) = self.next()?;
            entries.push((key, self.node(event, line, path, depth + 1)?));
        }
    }
}

fn not_yaml(err: &ScanError) -> DocumentError {
    let info = one_line(err.info());
    // The likely cause is `{ key: ${request.body.room} }`; the parser's message does not help.
    let hint = match info.contains("flow") {
        true => " (quote strings that contain braces or brackets)",
        false => "",
    };
    DocumentError::not_yaml(err.marker().line(), format_args!("{info}{hint}"))
}

/// Reads a mapping's key, which every YAML parser must read as a string.
fn key(event: Event<'_>, line: usize, parent: &str) -> Result<String, DocumentError> {
    reject_references(&event, line, parent)?;
    let (text, style) = match event {
        Event::Scalar(text, style, ..) => (text.into_owned(), style),
        Event::SequenceStart(..) => {
            let advice = "expected a string; quote a key such as \"[1, 2]\"";
            return Err(error(line, parent, "a list cannot be a key", advice));
        }
        _ => {
            let problem = "a mapping cannot be a key";
            return Err(error(line, parent, problem, "expected a string"));
        }
    };
    let quoted = style != ScalarStyle::Plain;
    let invalid =
        |problem: &str, advice: &str| Err(error(line, &child(parent, &text), problem, advice));
    match Plain::of(&text) {
        _ if quoted => Ok(text),
        _ if text == "<<" => invalid("merge keys are not supported", "write the fields out"),
        Plain::Text => Ok(text),
        _ if text.is_empty() => invalid("key is missing", "expected a string before the colon"),
        plain => {
            let problem = format!("YAML reads this unquoted key as {}", plain.noun());
            let advice = format!("quote it: \"{}\"", one_line(&text));
            invalid(&problem, &advice)
        }
    }
}

/// Rejects anchors and tags, which YAML parsers resolve in different ways.
fn reject_references(event: &Event<'_>, line: usize, path: &str) -> Result<(), DocumentError> {
    let (anchor, tag) = match event {
        Event::Scalar(_, _, anchor, tag) => (*anchor, tag),
        Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => (*anchor, tag),
        _ => return Ok(()),
    };
    match tag {
        _ if anchor != NO_ANCHOR => Err(error(
            line,
            path,
            "anchors (`&`) are not supported",
            "remove it, and write the value out instead of an alias",
        )),
        Some(_) => Err(error(
            line,
            path,
            "tags (`!`) are not supported",
            "remove the tag",
        )),
        None => Ok(()),
    }
}

/// The id of an event without an anchor; the parser counts anchors from 1.
const NO_ANCHOR: usize = 0;

/// The nesting limit, which bounds the recursion. The deepest field has four levels.
const DEPTH_MAX: usize = 8;
