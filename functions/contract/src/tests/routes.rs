//! Errors in the section `routes`.

use crate::tests::{EXPRESSION, ROUTE_KEY, check_error, check_route_error, read, with_route};

#[test]
fn a_reserved_or_empty_route_key_is_an_error() {
    check_error(
        &with_route("$chat: { function: f }"),
        &format!(":3: routes.$chat: reserved route key ({ROUTE_KEY})"),
    );
    check_error(
        &with_route("$Connect: { function: f }"),
        &format!(":3: routes.$Connect: reserved route key ({ROUTE_KEY})"),
    );
    check_error(
        &with_route("\"\": { function: f }"),
        &format!(":3: routes.\"\": empty route key ({ROUTE_KEY})"),
    );
    check_error(
        &with_route(": { function: f }"),
        ":3: routes.\"\": key is missing (expected a string before the colon)",
    );
}

#[test]
fn no_routes_or_too_many_routes_are_an_error() {
    let routes = |count| {
        let routes: String = (0..count)
            .map(|n| format!("  r{n}: {{ function: f }}\n"))
            .collect();
        format!("routeSelectionExpression: $request.body.a\nroutes:\n{routes}")
    };
    check_error(
        &routes(301),
        ":2: routes: 301 routes are defined (expected 1 to 300)",
    );
    assert_eq!(read(&routes(300)).routes.len(), 300);
    check_error(
        "routeSelectionExpression: $request.body.a\nroutes: {}",
        ":2: routes: 0 routes are defined (expected 1 to 300)",
    );
}

#[test]
fn an_invalid_selection_expression_is_an_error() {
    const NAME: &str =
        "expected a name of letters, digits, `_` and `-`, or `*`, or `['name']` without the dot";
    const FILTER: &str =
        "filters are not supported: use names, indices, a slice or `*` in brackets";
    check_error(
        "routeSelectionExpression: $request.body.a[?(@.b)]\nroutes: { a: { function: f } }",
        &format!(
            ":1: routeSelectionExpression: `?(@.b)]` in `$request.body.a[?(@.b)]` is invalid ({FILTER})"
        ),
    );
    check_error(
        "routeSelectionExpression: $context.stage\nroutes: { a: { function: f } }",
        ":1: routeSelectionExpression: `$context.stage` reads `$context` \
         (use only `$request.body…`: the message selects the route)",
    );
    check_error(
        "routeSelectionExpression: ''\nroutes: { a: { function: f } }",
        &format!(":1: routeSelectionExpression: the expression is empty ({EXPRESSION})"),
    );
    check_route_error(
        "function: f, key: $request.body.",
        &format!(".key: `$request.body.` is incomplete ({NAME})"),
    );
    check_route_error(
        "function: f, key: $body.a",
        ".key: `$body.a` is invalid (expected `$request.body…` or `$context.…`; write `\\$` for a dollar sign)",
    );
}

#[test]
fn a_key_from_the_body_is_an_error_on_a_route_without_a_body() {
    for route in ["$connect", "$disconnect"] {
        check_error(
            &with_route(&format!(
                "{route}: {{ function: f, key: 'a${{request.body.b}}' }}"
            )),
            &format!(
                ":3: routes.{route}.key: `a${{request.body.b}}` reads `$request.body` (`{route}` has no body: use `$context` variables)"
            ),
        );
        read(&with_route(&format!(
            "{route}: {{ function: f, key: $context.identity.sourceIp }}"
        )));
    }
}

#[test]
fn a_field_without_effect_on_its_route_is_an_error() {
    for route in ["$connect", "$disconnect"] {
        check_error(
            &with_route(&format!("{route}: {{ function: f, routeResponse: true }}")),
            &format!(
                ":3: routes.{route}.routeResponse: not allowed on the route `{route}` (move it to a route for messages)"
            ),
        );
    }
    for route in ["$connect", "$default", "chat"] {
        check_error(
            &with_route(&format!("{route}: {{ function: f, tombstone: true }}")),
            &format!(
                ":3: routes.{route}.tombstone: not allowed on the route `{route}` (move it to `$disconnect`)"
            ),
        );
    }
    for field in ["throttlingRateLimit", "throttlingBurstLimit"] {
        check_error(
            &with_route(&format!("$disconnect: {{ function: f, {field}: 5 }}")),
            &format!(
                ":3: routes.$disconnect.{field}: not allowed on the route `$disconnect` (remove it: a closed connection cannot be throttled)"
            ),
        );
    }
}
