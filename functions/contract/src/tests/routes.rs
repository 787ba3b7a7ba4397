//! What is refused of routes.

use crate::tests::{EXPRESSION, ROUTE_KEY, read, refuse, refuse_route, with_route};

#[test]
fn a_reserved_or_empty_route_key_is_refused() {
    refuse(
        &with_route("$chat: { function: f }"),
        &format!(":3: routes.$chat: found a reserved route key, {ROUTE_KEY}"),
    );
    refuse(
        &with_route("$Connect: { function: f }"),
        &format!(":3: routes.$Connect: found a reserved route key, {ROUTE_KEY}"),
    );
    refuse(
        &with_route("\"\": { function: f }"),
        &format!(":3: routes.\"\": found an empty route key, {ROUTE_KEY}"),
    );
    refuse(
        &with_route(": { function: f }"),
        ":3: routes.\"\": found no key, expected a text before the colon",
    );
}

#[test]
fn too_many_routes_or_none_are_refused() {
    let routes = |count| {
        let routes: String = (0..count)
            .map(|n| format!("  r{n}: {{ function: f }}\n"))
            .collect();
        format!("routeSelectionExpression: $request.body.a\nroutes:\n{routes}")
    };
    refuse(
        &routes(301),
        ":2: routes: found 301 routes, expected 1 to 300",
    );
    assert_eq!(read(&routes(300)).routes.len(), 300);
    refuse(
        "routeSelectionExpression: $request.body.a\nroutes: {}",
        ":2: routes: found 0 routes, expected 1 to 300",
    );
}

#[test]
fn a_bad_selection_expression_is_refused() {
    const NAME: &str =
        "expected a name of letters, digits, `_` and `-`, or `*`, or `['name']` without the dot";
    const FILTER: &str = "expected no filter: a bracket holds names, indices, a slice or `*`";
    refuse(
        "routeSelectionExpression: $request.body.a[?(@.b)]\nroutes: { a: { function: f } }",
        &format!(
            ":1: routeSelectionExpression: found `?(@.b)]` in `$request.body.a[?(@.b)]`, {FILTER}"
        ),
    );
    refuse(
        "routeSelectionExpression: $context.stage\nroutes: { a: { function: f } }",
        ":1: routeSelectionExpression: found `$context.stage`, \
         expected no `$context`: routes are selected by `$request.body…` only",
    );
    refuse(
        "routeSelectionExpression: ''\nroutes: { a: { function: f } }",
        &format!(":1: routeSelectionExpression: found an empty text, {EXPRESSION}"),
    );
    refuse_route(
        "function: f, key: $request.body.",
        &format!(".key: found the end of `$request.body.`, {NAME}"),
    );
    refuse_route(
        "function: f, key: $body.a",
        ".key: found `$body.a`, expected `$request.body…` or `$context.…` (`\\$` is a dollar sign)",
    );
}

#[test]
fn a_key_from_the_body_is_refused_where_there_is_no_body() {
    for route in ["$connect", "$disconnect"] {
        refuse(
            &with_route(&format!(
                "{route}: {{ function: f, key: 'a${{request.body.b}}' }}"
            )),
            &format!(
                ":3: routes.{route}.key: found `a${{request.body.b}}`, expected no `$request.body`: {route} has no body"
            ),
        );
        read(&with_route(&format!(
            "{route}: {{ function: f, key: $context.identity.sourceIp }}"
        )));
    }
}

#[test]
fn a_field_on_a_route_where_it_means_nothing_is_refused() {
    const FOUND: &str = "found a field without meaning here";
    for route in ["$connect", "$disconnect"] {
        refuse(
            &with_route(&format!("{route}: {{ function: f, routeResponse: true }}")),
            &format!(
                ":3: routes.{route}.routeResponse: {FOUND}, expected it on a route of messages: no message, no answer"
            ),
        );
    }
    for route in ["$connect", "$default", "chat"] {
        refuse(
            &with_route(&format!("{route}: {{ function: f, tombstone: true }}")),
            &format!(":3: routes.{route}.tombstone: {FOUND}, expected it on `$disconnect` only"),
        );
    }
    for field in ["throttlingRateLimit", "throttlingBurstLimit"] {
        refuse(
            &with_route(&format!("$disconnect: {{ function: f, {field}: 5 }}")),
            &format!(
                ":3: routes.$disconnect.{field}: {FOUND}, expected it on another route: what has ended cannot be throttled"
            ),
        );
    }
}
