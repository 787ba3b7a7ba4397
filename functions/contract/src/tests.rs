//! Tests of the whole parser.
//!
//! Each test of an error compares the whole message, because users see only that.

mod callers;
mod fields;
mod reading;
mod routes;
mod sections;
mod text;

use crate::Contract;

/// A contract with one valid route, followed by `rest` from line 4.
fn with(rest: &str) -> String {
    format!(
        "routeSelectionExpression: $request.body.action\nroutes:\n  chat: {{ function: message, topic: chat }}\n{rest}"
    )
}

/// A contract with only this route, at line 3.
fn with_route(route: &str) -> String {
    format!("routeSelectionExpression: $request.body.action\nroutes:\n  {route}\n")
}

/// Parses a valid contract.
#[track_caller]
fn read(text: &str) -> Contract {
    match Contract::parse("gateway.yaml", text) {
        Ok(contract) => contract,
        Err(err) => panic!("{err}"),
    }
}

const FUNCTION: &str = "expected a function name of 1 to 64 letters, digits, `-` and `_`";
const TOPIC: &str = "expected a topic name of 1 to 249 letters, digits, `.`, `_` and `-`, \
     other than `.` and `..`";
const ROUTE_KEY: &str =
    "expected `$connect`, `$disconnect`, `$default`, or a key that does not start with `$`";
const EXPRESSION: &str = "expected a selection expression such as `$request.body.action`";
const QUOTES: &str = "; quote the value to make it a string";

/// Checks the error for `text`. `expected` follows the file's name.
#[track_caller]
fn check_error(text: &str, expected: &str) {
    let err = Contract::parse("gateway.yaml", text).expect_err("an error");
    assert_eq!(err.to_string(), format!("gateway.yaml{expected}"));
}

/// Checks the error for the route `chat`, at line 3.
#[track_caller]
fn check_route_error(fields: &str, expected: &str) {
    check_error(
        &with_route(&format!("chat: {{ {fields} }}")),
        &format!(":3: routes.chat{expected}"),
    );
}

/// Checks the error for a section that is added at line 4.
#[track_caller]
fn check_section_error(section: &str, expected: &str) {
    check_error(&with(section), &format!(":4: {expected}"));
}
