//! The reader as a whole.
//!
//! A refusal is pinned with its whole message: users read nothing else.

mod callers;
mod fields;
mod reading;
mod routes;
mod sections;
mod text;

use crate::Contract;

/// A contract with one good route; `rest` goes on after it, at line 4.
fn with(rest: &str) -> String {
    format!(
        "routeSelectionExpression: $request.body.action\nroutes:\n  chat: {{ function: message, topic: chat }}\n{rest}"
    )
}

/// A contract of this one route, at line 3.
fn with_route(route: &str) -> String {
    format!("routeSelectionExpression: $request.body.action\nroutes:\n  {route}\n")
}

/// Reads a contract without a fault.
#[track_caller]
fn read(text: &str) -> Contract {
    match Contract::parse("gateway.yaml", text) {
        Ok(contract) => contract,
        Err(err) => panic!("{err}"),
    }
}

const FUNCTION: &str = "expected a function's name: 1 to 64 letters, digits, `-` and `_`";
const TOPIC: &str =
    "expected a topic's name: 1 to 249 letters, digits, `.`, `_` and `-`, and not `.` or `..`";
const ROUTE_KEY: &str =
    "expected `$connect`, `$disconnect`, `$default` or a text that does not begin with `$`";
const EXPRESSION: &str = "expected a selection expression such as `$request.body.action`";
const QUOTES: &str = "(text needs quotes here)";

/// `expected` follows the file's name.
#[track_caller]
fn refuse(text: &str, expected: &str) {
    let err = Contract::parse("gateway.yaml", text).expect_err("a refusal");
    assert_eq!(err.to_string(), format!("gateway.yaml{expected}"));
}

/// The route is `chat`, at line 3.
#[track_caller]
fn refuse_route(fields: &str, expected: &str) {
    refuse(
        &with_route(&format!("chat: {{ {fields} }}")),
        &format!(":3: routes.chat{expected}"),
    );
}

/// The further section is at line 4.
#[track_caller]
fn refuse_section(section: &str, expected: &str) {
    refuse(&with(section), &format!(":4: {expected}"));
}
