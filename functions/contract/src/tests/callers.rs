//! What callers refuse: the contract is good, but not for them.

use crate::tests::{TOPIC, read, with};

#[test]
fn a_function_that_stores_needs_topics_on_all_its_routes() {
    let contract = read(
        "routeSelectionExpression: $request.body.a\nroutes:\n  b: { function: f, topic: t }\n  a:\n    function: f\n  c: { function: g }\n",
    );
    let err = contract.require_topics("f").unwrap_err();
    assert_eq!(
        err.to_string(),
        format!("gateway.yaml:4: routes.a.topic: found nothing, {TOPIC}")
    );
    contract.require_topics("other").unwrap();
}

#[test]
fn a_function_that_cannot_run_is_refused_where_it_is_first_named() {
    let contract = read(&with(
        "  next:\n    topic: t\n    function: foo\n  $connect: { function: foo }\npush: { function: p, topics: [a] }\nauthorizer: { function: guard }",
    ));
    let check = |name, expected: &str| {
        let err = contract.refuse_function(name, "one of connect, message");
        assert_eq!(err.to_string(), expected);
    };
    check(
        "foo",
        "gateway.yaml:6: routes.next.function: found `foo`, expected one of connect, message",
    );
    check(
        "p",
        "gateway.yaml:8: push.function: found `p`, expected one of connect, message",
    );
    check(
        "guard",
        "gateway.yaml:9: authorizer.function: found `guard`, expected one of connect, message",
    );
    check(
        "none",
        "gateway.yaml: found `none`, expected one of connect, message",
    );
}
