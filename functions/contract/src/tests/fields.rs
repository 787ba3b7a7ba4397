//! What is refused of any field: its name, its type, its range.

use crate::tests::{
    EXPRESSION, FUNCTION, QUOTES, TOPIC, read, refuse, refuse_route, refuse_section, with,
    with_route,
};

#[test]
fn an_unknown_field_is_refused_with_the_known_ones() {
    refuse_section(
        "topics: [a]",
        "topics: found an unknown field, expected one of \
         routeSelectionExpression, routes, authorizer, stage, functions, push",
    );
    refuse_route(
        "function: f, topics: t",
        ".topics: found an unknown field, expected one of function, topic, key, routeResponse, \
         timeoutInMillis, throttlingRateLimit, throttlingBurstLimit, tombstone",
    );
    refuse_section(
        "stage: { name: dev }",
        "stage.name: found an unknown field, expected one of \
         throttlingRateLimit, throttlingBurstLimit, variables",
    );
    refuse_section(
        "functions: { message: { memory: 1 } }",
        "functions.message.memory: found an unknown field, expected one of \
         timeout, memorySize, reservedConcurrentExecutions, maxConcurrency, environment",
    );
    refuse_section(
        "authorizer: { functions: f }",
        "authorizer.functions: found an unknown field, expected one of type, function, identitySource",
    );
    refuse_section(
        "push: { topic: t }",
        "push.topic: found an unknown field, expected one of function, topics, batchSize, \
         maximumBatchingWindowInSeconds, startingPosition, maximumRetryAttempts, \
         maximumRecordAgeInSeconds, bisectBatchOnFunctionError, deadLetter",
    );
}

#[test]
fn a_missing_field_is_refused_where_it_should_be() {
    refuse(
        "\nroutes: { a: { function: f } }",
        &format!(":2: routeSelectionExpression: found nothing, {EXPRESSION}"),
    );
    refuse(
        "routeSelectionExpression: $request.body.a",
        ":1: routes: found nothing, expected a mapping of route keys to routes",
    );
    refuse_route("topic: t", &format!(".function: found nothing, {FUNCTION}"));
    refuse_section(
        "authorizer: {}",
        &format!("authorizer.function: found nothing, {FUNCTION}, or `type: AWS_IAM`"),
    );
    refuse_section(
        "push: { topics: [a] }",
        &format!("push.function: found nothing, {FUNCTION}"),
    );
    refuse_section(
        "push: { function: f }",
        "push.topics: found nothing, expected a list of topics, at least one",
    );
}

#[test]
fn a_value_of_the_wrong_type_is_refused() {
    refuse(
        "- a",
        ":1: found a list, expected a mapping of routeSelectionExpression, routes, authorizer, stage, functions, push",
    );
    refuse(
        "routeSelectionExpression: $request.body.a\nroutes: [a]",
        ":2: routes: found a list, expected a mapping of route keys to routes",
    );
    refuse(
        &with_route("chat: message"),
        ":3: routes.chat: found `message`, expected a mapping of function, topic, key, routeResponse, \
         timeoutInMillis, throttlingRateLimit, throttlingBurstLimit, tombstone",
    );
    refuse_route(
        "function: [f]",
        &format!(".function: found a list, {FUNCTION}"),
    );
    refuse_route(
        "function: { a: b }",
        &format!(".function: found a mapping, {FUNCTION}"),
    );
    refuse_route(
        "function: f, topic: ",
        &format!(".topic: found nothing, {TOPIC}"),
    );
    refuse_route(
        "function: f, topic: ~",
        &format!(".topic: found the null `~`, {TOPIC} {QUOTES}"),
    );
    refuse_route(
        "function: 5",
        &format!(".function: found the number `5`, {FUNCTION} {QUOTES}"),
    );
    refuse_route(
        "function: no",
        &format!(".function: found the boolean `no`, {FUNCTION} {QUOTES}"),
    );
    refuse_route(
        "function: 2026-01-31",
        &format!(".function: found the date `2026-01-31`, {FUNCTION} {QUOTES}"),
    );
    refuse_route(
        "function: f, routeResponse: yes",
        ".routeResponse: found the boolean `yes`, expected `true` or `false`",
    );
    refuse_route(
        "function: f, routeResponse: 'true'",
        ".routeResponse: found the text `true`, expected `true` or `false`",
    );
    refuse_section(
        "functions:",
        "functions: found nothing, expected a mapping of functions' names to their settings",
    );
    refuse_section(
        "stage: { variables: [a] }",
        "stage.variables: found a list, expected a mapping of stage variables",
    );
}

#[test]
fn a_malformed_name_of_a_function_is_refused() {
    refuse_route(
        "function: a.b",
        &format!(".function: found `a.b`, {FUNCTION}"),
    );
    refuse_route(
        "function: ''",
        &format!(".function: found an empty text, {FUNCTION}"),
    );
    refuse_route(
        "function: größe",
        &format!(".function: found `größe`, {FUNCTION}"),
    );
    let long = "f".repeat(65);
    refuse_route(
        &format!("function: {long}"),
        &format!(".function: found `{long}`, {FUNCTION}"),
    );
    read(&with_route(&format!(
        "chat: {{ function: {} }}",
        &long[1..]
    )));
    refuse_section(
        "functions: { a/b: {} }",
        &format!("functions.a/b: found a malformed name, {FUNCTION}"),
    );
}

#[test]
fn a_malformed_name_of_a_topic_is_refused() {
    refuse_route(
        "function: f, topic: a b",
        &format!(".topic: found `a b`, {TOPIC}"),
    );
    refuse_route(
        "function: f, topic: a/b",
        &format!(".topic: found `a/b`, {TOPIC}"),
    );
    refuse_route(
        "function: f, topic: ..",
        &format!(".topic: found `..`, {TOPIC}"),
    );
    refuse_route(
        "function: f, topic: '.'",
        &format!(".topic: found `.`, {TOPIC}"),
    );
    let long = "t".repeat(250);
    refuse_route(
        &format!("function: f, topic: {long}"),
        &format!(".topic: found `{}…`, {TOPIC}", &long[..80]),
    );
    read(&with_route(&format!(
        "chat: {{ function: f, topic: {} }}",
        &long[1..]
    )));
    refuse_section(
        "push: { function: f, topics: [a, b!] }",
        &format!("push.topics[1]: found `b!`, {TOPIC}"),
    );
    refuse_section(
        "push: { function: f, topics: [a], deadLetter: '' }",
        &format!("push.deadLetter: found an empty text, {TOPIC}"),
    );
}

#[test]
fn a_number_out_of_range_is_refused() {
    #[track_caller]
    fn check(section: &str, field: &str, bad: &[&str], expected: &str) {
        for value in bad {
            let text = with(&section.replace(
                "FIELD",
                &format!("{}: {value}", field.rsplit('.').next().unwrap()),
            ));
            let found = if value.starts_with(|c: char| c.is_alphabetic()) {
                format!("`{value}`")
            } else {
                format!("the number `{value}`")
            };
            refuse(
                &text,
                &format!(":4: {field}: found {found}, expected {expected}"),
            );
        }
    }
    let function = "functions: { message: { FIELD } }";
    check(
        function,
        "functions.message.timeout",
        &["0", "901", "-1", "1.5", "010", "1_0", "ten", "99999999999"],
        "a whole number of seconds from 1 to 900",
    );
    check(
        function,
        "functions.message.memorySize",
        &["127", "10241"],
        "a whole number of megabytes from 128 to 10240",
    );
    check(
        function,
        "functions.message.reservedConcurrentExecutions",
        &["-1", "1000001"],
        "a whole number of invocations from 0 to 1000000",
    );
    check(
        function,
        "functions.message.maxConcurrency",
        &["0", "1601"],
        "a whole number of invocations from 1 to 1600",
    );
    let stage = "stage: { FIELD }";
    check(
        stage,
        "stage.throttlingRateLimit",
        &["-1", "-0.5", "1.", ".5", "1e3", "10000000.5", "many"],
        "a number of requests per second from 0 to 10000000",
    );
    check(
        stage,
        "stage.throttlingBurstLimit",
        &["-1", "0.5", "10000001"],
        "a whole number of requests from 0 to 10000000",
    );
    let push = "push: { function: push, topics: [a], FIELD }";
    check(
        push,
        "push.batchSize",
        &["0", "10001"],
        "a whole number of records from 1 to 10000",
    );
    check(
        push,
        "push.maximumBatchingWindowInSeconds",
        &["-1", "301"],
        "a whole number of seconds from 0 to 300",
    );
    check(
        push,
        "push.maximumRetryAttempts",
        &["-2", "10001"],
        "-1 (no limit) or a whole number from 0 to 10000",
    );
    check(
        push,
        "push.maximumRecordAgeInSeconds",
        &["0", "59", "604801"],
        "-1 (no limit) or a whole number of seconds from 60 to 604800",
    );
    for value in ["49", "29001"] {
        refuse_route(
            &format!("function: f, timeoutInMillis: {value}"),
            &format!(
                ".timeoutInMillis: found the number `{value}`, expected a whole number of milliseconds from 50 to 29000"
            ),
        );
    }
    refuse_section(
        "functions: { message: { timeout: '10' } }",
        "functions.message.timeout: found the text `10`, expected a whole number of seconds from 1 to 900",
    );
}

#[test]
fn a_value_stays_on_one_line() {
    refuse_route(
        "function: \"a\\nb\"",
        &format!(".function: found `a\\nb`, {FUNCTION}"),
    );
    refuse(
        &with_route("\"a\\nb\": { function: a.b }"),
        &format!(":3: routes.a\\nb.function: found `a.b`, {FUNCTION}"),
    );
}
