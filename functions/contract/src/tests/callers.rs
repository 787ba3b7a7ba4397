//! Errors in a valid contract that a caller cannot use.

use crate::tests::{TOPIC, read, with};

#[test]
fn a_function_that_stores_records_needs_a_topic_on_each_of_its_routes() {
    let contract = read(
        "routeSelectionExpression: $request.body.a\nroutes:\n  b: { function: f, topic: t }\n  a:\n    function: f\n  c: { function: g }\n",
    );
    let err = contract.require_topics("f").unwrap_err();
    assert_eq!(
        err.to_string(),
        format!("gateway.yaml:4: routes.a.topic: field is missing ({TOPIC})")
    );
    contract.require_topics("other").unwrap();
}

#[test]
fn an_unknown_function_is_an_error_at_its_first_use() {
    let contract = read(&with(
        "  next:\n    topic: t\n    function: foo\n  $connect: { function: foo }\npush: { function: p, topics: [a] }\nauthorizer: { function: guard }",
    ));
    let check = |name, expected: &str| {
        let err = contract.refuse_function(name, "one of connect, message");
        assert_eq!(err.to_string(), expected);
    };
    check(
        "foo",
        "gateway.yaml:6: routes.next.function: unknown function `foo` (expected one of connect, message)",
    );
    check(
        "p",
        "gateway.yaml:8: push.function: unknown function `p` (expected one of connect, message)",
    );
    check(
        "guard",
        "gateway.yaml:9: authorizer.function: unknown function `guard` (expected one of connect, message)",
    );
    check(
        "none",
        "gateway.yaml: unknown function `none` (expected one of connect, message)",
    );
}
