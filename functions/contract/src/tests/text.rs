//! Errors before any field is read: the file and its YAML.

use std::path::Path;

use crate::{
    Contract, file,
    tests::{check_error, check_route_error, check_section_error, with, with_route},
};

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.yaml");
    let check = |path: &Path, expected: &str| {
        let err = Contract::load(path).unwrap_err();
        assert_eq!(err.to_string(), format!("{}{expected}", path.display()));
    };
    check(&path, ": file not found (expected the contract)");
    check(
        folder.path(),
        ": cannot be read: Is a directory (os error 21)",
    );
    std::fs::write(&path, b"a: b\nc: \xff\n").unwrap();
    check(&path, ":2: invalid UTF-8 (save the file as UTF-8 text)");

    let padding = usize::try_from(file::BYTES_MAX).unwrap() - with("#").len();
    std::fs::write(&path, with("#") + &"#".repeat(padding)).unwrap();
    Contract::load(&path).unwrap();
    std::fs::write(&path, with("#") + &"#".repeat(padding + 1)).unwrap();
    check(&path, ": file is larger than the limit of 262144 bytes");
}

#[test]
fn invalid_yaml_is_an_error_with_its_line() {
    check_error(
        "a: b\nc: [d\n",
        ":3: not YAML: while parsing a flow sequence, expected ',' or ']' (quote strings that contain braces or brackets)",
    );
    check_error(
        "a: b\n  c: d\n",
        ":2: not YAML: mapping values are not allowed in this context",
    );
    check_error(
        "a: 'b\n",
        ":1: not YAML: while scanning a quoted scalar, found unexpected end of stream",
    );
    check_error("a: b\n} c\n", ":2: not YAML: misplaced bracket");
    check_error(
        "a: b\n\tc: d\n",
        ":1: not YAML: while scanning a plain scalar, found a tab",
    );
    check_error(
        "a: *b\n",
        ":1: not YAML: while parsing node, found unknown anchor",
    );
    check_error("a:\n - b\nc\nd: e", ":4: not YAML: simple key expect ':'");
}

#[test]
fn an_empty_document_is_an_error() {
    const EMPTY: &str = ": the document is empty (expected the fields of a contract)";
    check_error("", &format!(":1{EMPTY}"));
    check_error("# nothing\n", &format!(":1{EMPTY}"));
    check_error("\n---\n", &format!(":3{EMPTY}"));
    check_error(
        "hello",
        ":1: `hello` is invalid (expected a mapping with the fields routeSelectionExpression, routes, authorizer, stage, functions, push)",
    );
}

#[test]
fn a_duplicate_key_is_an_error() {
    check_section_error(
        "routes: {}",
        "routes: duplicate key, first used on line 2 (remove or rename one of them)",
    );
    check_error(
        &with("  other: { function: f }\n  'chat': { function: f }"),
        ":5: routes.chat: duplicate key, first used on line 3 (remove or rename one of them)",
    );
    check_route_error(
        "function: f, function: g",
        ".function: duplicate key, first used on line 3 (remove or rename one of them)",
    );
}

#[test]
fn a_key_that_some_yaml_parser_does_not_read_as_a_string_is_an_error() {
    #[track_caller]
    fn check(key: &str, noun: &str) {
        check_error(
            &with_route(&format!("{key}: {{ function: f }}")),
            &format!(
                ":3: routes.{key}: YAML reads this unquoted key as {noun} (quote it: \"{key}\")"
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
    check_section_error(
        "stage: { variables: { y: a } }",
        "stage.variables.y: YAML reads this unquoted key as a boolean (quote it: \"y\")",
    );
    check_error(
        &with_route("[1, 2]: { function: f }"),
        ":3: routes: a list cannot be a key (expected a string; quote a key such as \"[1, 2]\")",
    );
    check_error(
        &with_route("? { a: b }\n  : { function: f }"),
        ":3: routes: a mapping cannot be a key (expected a string)",
    );
}

#[test]
fn anchors_tags_merge_keys_and_deep_nesting_are_errors() {
    check_route_error(
        "function: &f message",
        ".function: anchors (`&`) are not supported (remove it, and write the value out instead of an alias)",
    );
    check_error(
        &with("  other: &o { function: f }\n  third: *o"),
        ":4: routes.other: anchors (`&`) are not supported (remove it, and write the value out instead of an alias)",
    );
    check_route_error(
        "function: !!str 5",
        ".function: tags (`!`) are not supported (remove the tag)",
    );
    check_route_error(
        "function: !name message",
        ".function: tags (`!`) are not supported (remove the tag)",
    );
    check_route_error(
        "<<: { function: f }",
        ".<<: merge keys are not supported (write the fields out)",
    );
    check_error(
        &with("---\na: b"),
        ":4: a second document starts here (keep one document per file)",
    );
    check_error(
        &with(&format!("push: {}{}", "[".repeat(20), "]".repeat(20))),
        ":4: push[0][0][0][0][0][0][0][0]: nested too deep (at most 8 levels are allowed)",
    );
}
