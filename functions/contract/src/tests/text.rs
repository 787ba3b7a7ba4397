//! What is refused before any field is looked at.

use std::path::Path;

use crate::{
    Contract, file,
    tests::{refuse, refuse_route, refuse_section, with, with_route},
};

#[test]
fn a_file_that_cannot_be_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.yaml");
    let check = |path: &Path, expected: &str| {
        let err = Contract::load(path).unwrap_err();
        assert_eq!(err.to_string(), format!("{}{expected}", path.display()));
    };
    check(&path, ": found no such file, expected the contract");
    check(
        folder.path(),
        ": cannot be read: Is a directory (os error 21)",
    );
    std::fs::write(&path, b"a: b\nc: \xff\n").unwrap();
    check(&path, ":2: found a byte that is not UTF-8, expected text");

    let padding = usize::try_from(file::BYTES_MAX).unwrap() - with("#").len();
    std::fs::write(&path, with("#") + &"#".repeat(padding)).unwrap();
    Contract::load(&path).unwrap();
    std::fs::write(&path, with("#") + &"#".repeat(padding + 1)).unwrap();
    check(
        &path,
        ": found a larger file, expected at most 262144 bytes",
    );
}

#[test]
fn what_is_not_yaml_is_refused_at_its_line() {
    refuse(
        "a: b\nc: [d\n",
        ":3: not YAML: while parsing a flow sequence, expected ',' or ']' (text with braces or brackets needs quotes here)",
    );
    refuse(
        "a: b\n  c: d\n",
        ":2: not YAML: mapping values are not allowed in this context",
    );
    refuse(
        "a: 'b\n",
        ":1: not YAML: while scanning a quoted scalar, found unexpected end of stream",
    );
    refuse("a: b\n} c\n", ":2: not YAML: misplaced bracket");
    refuse(
        "a: b\n\tc: d\n",
        ":1: not YAML: while scanning a plain scalar, found a tab",
    );
    refuse(
        "a: *b\n",
        ":1: not YAML: while parsing node, found unknown anchor",
    );
    refuse("a:\n - b\nc\nd: e", ":4: not YAML: simple key expect ':'");
}

#[test]
fn a_document_without_content_is_refused() {
    const EMPTY: &str = ": found an empty document, expected the fields of a contract";
    refuse("", &format!(":1{EMPTY}"));
    refuse("# nothing\n", &format!(":1{EMPTY}"));
    refuse("\n---\n", &format!(":3{EMPTY}"));
    refuse(
        "hello",
        ":1: found `hello`, expected a mapping of routeSelectionExpression, routes, authorizer, stage, functions, push",
    );
}

#[test]
fn a_duplicate_key_is_refused() {
    refuse_section(
        "routes: {}",
        "routes: found a duplicate key (first on line 2), expected every key once",
    );
    refuse(
        &with("  other: { function: f }\n  'chat': { function: f }"),
        ":5: routes.chat: found a duplicate key (first on line 3), expected every key once",
    );
    refuse_route(
        "function: f, function: g",
        ".function: found a duplicate key (first on line 3), expected every key once",
    );
}

#[test]
fn a_key_that_some_yaml_reader_takes_for_no_text_is_refused() {
    #[track_caller]
    fn check(key: &str, noun: &str) {
        refuse(
            &with_route(&format!("{key}: {{ function: f }}")),
            &format!(
                ":3: routes.{key}: found an unquoted key that YAML reads as {noun}, expected it in quotes: \"{key}\""
            ),
        );
    }
    check("5", "a number");
    check("1.50", "a number");
    check("1_000", "a number");
    check("0x1f", "a number");
    check("true", "a boolean");
    check("yes", "a boolean");
    check("on", "a boolean");
    check("N", "a boolean");
    check("null", "a null");
    check("~", "a null");
    check("2026-01-31", "a date");
    refuse_section(
        "stage: { variables: { y: a } }",
        "stage.variables.y: found an unquoted key that YAML reads as a boolean, expected it in quotes: \"y\"",
    );
    refuse(
        &with_route("[1, 2]: { function: f }"),
        ":3: routes: found a list as a key, expected text; a key such as \"[1, 2]\" needs quotes",
    );
    refuse(
        &with_route("? { a: b }\n  : { function: f }"),
        ":3: routes: found a mapping as a key, expected text",
    );
}

#[test]
fn what_readers_of_yaml_resolve_in_different_ways_is_refused() {
    refuse_route(
        "function: &f message",
        ".function: found an anchor (`&`), expected a value without one: there are no aliases here",
    );
    refuse(
        &with("  other: &o { function: f }\n  third: *o"),
        ":4: routes.other: found an anchor (`&`), expected a value without one: there are no aliases here",
    );
    refuse_route(
        "function: !!str 5",
        ".function: found a tag (`!`), expected a value without one",
    );
    refuse_route(
        "function: !name message",
        ".function: found a tag (`!`), expected a value without one",
    );
    refuse_route(
        "<<: { function: f }",
        ".<<: found a merge key, expected the fields written out",
    );
    refuse(
        &with("---\na: b"),
        ":4: found a second document, expected one document",
    );
    refuse(
        &with(&format!("push: {}{}", "[".repeat(20), "]".repeat(20))),
        ":4: push[0][0][0][0][0][0][0][0]: found deeper nesting, expected at most 8 levels of nesting",
    );
}
