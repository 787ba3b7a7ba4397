//! Errors that any field can have: unknown name, wrong type, out of range.

use crate::tests::{
    EXPRESSION, FUNCTION, QUOTES, TOPIC, check_error, check_route_error, check_section_error, read,
    with, with_route,
};

#[test]
fn an_unknown_field_is_an_error_that_lists_the_known_ones() {
    check_section_error(
        "topics: [a]",
        "topics: unknown field (expected one of \
         routeSelectionExpression, routes, authorizer, stage, functions, push)",
    );
    check_route_error(
        "function: f, topics: t",
        ".topics: unknown field (expected one of function, topic, key, routeResponse, \
         timeoutInMillis, throttlingRateLimit, throttlingBurstLimit, tombstone)",
    );
    check_section_error(
        "stage: { name: dev }",
        "stage.name: unknown field (expected one of \
         throttlingRateLimit, throttlingBurstLimit, variables)",
    );
    check_section_error(
        "functions: { message: { memory: 1 } }",
        "functions.message.memory: unknown field (expected one of \
         timeout, memorySize, reservedConcurrentExecutions, maxConcurrency, environment)",
    );
    check_section_error(
        "authorizer: { functions: f }",
        "authorizer.functions: unknown field (expected one of type, function, identitySource)",
    );
    check_section_error(
        "push: { topic: t }",
        "push.topic: unknown field (expected one of function, topics, batchSize, \
         maximumBatchingWindowInSeconds, startingPosition, maximumRetryAttempts, \
         maximumRecordAgeInSeconds, bisectBatchOnFunctionError, deadLetter)",
    );
}

#[test]
fn a_missing_field_is_an_error_at_its_mapping() {
    check_error(
        "\nroutes: { a: { function: f } }",
        &format!(":2: routeSelectionExpression: field is missing ({EXPRESSION})"),
    );
    check_error(
        "routeSelectionExpression: $request.body.a",
        ":1: routes: field is missing (expected a mapping of route keys to routes)",
    );
    check_route_error(
        "topic: t",
        &format!(".function: field is missing ({FUNCTION})"),
    );
    check_section_error(
        "authorizer: {}",
        &format!("authorizer.function: field is missing ({FUNCTION}, or `type: AWS_IAM`)"),
    );
    check_section_error(
        "push: { topics: [a] }",
        &format!("push.function: field is missing ({FUNCTION})"),
    );
    check_section_error(
        "push: { function: f }",
        "push.topics: field is missing (expected a list of at least one topic)",
    );
}

#[test]
fn a_value_of_the_wrong_type_is_an_error() {
    check_error(
        "- a",
        ":1: a list is invalid (expected a mapping with the fields routeSelectionExpression, routes, authorizer, stage, functions, push)",
    );
    check_error(
        "routeSelectionExpression: $request.body.a\nroutes: [a]",
        ":2: routes: a list is invalid (expected a mapping of route keys to routes)",
    );
    check_error(
        &with_route("chat: message"),
        ":3: routes.chat: `message` is invalid (expected a mapping with the fields function, topic, key, routeResponse, \
         timeoutInMillis, throttlingRateLimit, throttlingBurstLimit, tombstone)",
    );
    check_route_error(
        "function: [f]",
        &format!(".function: a list is invalid ({FUNCTION})"),
    );
    check_route_error(
        "function: { a: b }",
        &format!(".function: a mapping is invalid ({FUNCTION})"),
    );
    check_route_error(
        "function: f, topic: ",
        &format!(".topic: value is missing ({TOPIC})"),
    );
    check_route_error(
        "function: f, topic: ~",
        &format!(".topic: the null `~` is invalid ({TOPIC}{QUOTES})"),
    );
    check_route_error(
        "function: 5",
        &format!(".function: the number `5` is invalid ({FUNCTION}{QUOTES})"),
    );
    check_route_error(
        "function: no",
        &format!(".function: the boolean `no` is invalid ({FUNCTION}{QUOTES})"),
    );
    check_route_error(
        "function: 2026-01-31",
        &format!(".function: the date `2026-01-31` is invalid ({FUNCTION}{QUOTES})"),
    );
    check_route_error(
        "function: f, routeResponse: yes",
        ".routeResponse: the boolean `yes` is invalid (expected `true` or `false`, unquoted)",
    );
    check_route_error(
        "function: f, routeResponse: 'true'",
        ".routeResponse: the string `true` is invalid (expected `true` or `false`, unquoted)",
    );
    check_section_error(
        "functions:",
        "functions: value is missing (expected a mapping of function names to their settings)",
    );
    check_section_error(
        "stage: { variables: [a] }",
        "stage.variables: a list is invalid (expected a mapping of stage variables)",
    );
}

#[test]
fn an_invalid_function_name_is_an_error() {
    check_route_error(
        "function: a.b",
        &format!(".function: `a.b` is invalid ({FUNCTION})"),
    );
    check_route_error(
        "function: ''",
        &format!(".function: an empty string is invalid ({FUNCTION})"),
    );
    check_route_error(
        "function: größe",
        &format!(".function: `größe` is invalid ({FUNCTION})"),
    );
    let long = "f".repeat(65);
    check_route_error(
        &format!("function: {long}"),
        &format!(".function: `{long}` is invalid ({FUNCTION})"),
    );
    read(&with_route(&format!(
        "chat: {{ function: {} }}",
        &long[1..]
    )));
    check_section_error(
        "functions: { a/b: {} }",
        &format!("functions.a/b: invalid key ({FUNCTION})"),
    );
}

#[test]
fn an_invalid_topic_name_is_an_error() {
    check_route_error(
        "function: f, topic: a b",
        &format!(".topic: `a b` is invalid ({TOPIC})"),
    );
    check_route_error(
        "function: f, topic: a/b",
        &format!(".topic: `a/b` is invalid ({TOPIC})"),
    );
    check_route_error(
        "function: f, topic: ..",
        &format!(".topic: `..` is invalid ({TOPIC})"),
    );
    check_route_error(
        "function: f, topic: '.'",
        &format!(".topic: `.` is invalid ({TOPIC})"),
    );
    let long = "t".repeat(250);
    check_route_error(
        &format!("function: f, topic: {long}"),
        &format!(".topic: `{}…` is invalid ({TOPIC})", &long[..80]),
    );
    read(&with_route(&format!(
        "chat: {{ function: f, topic: {} }}",
        &long[1..]
    )));
    check_section_error(
        "push: { function: f, topics: [a, b!] }",
        &format!("push.topics[1]: `b!` is invalid ({TOPIC})"),
    );
    check_section_error(
        "push: { function: f, topics: [a], deadLetter: '' }",
        &format!("push.deadLetter: an empty string is invalid ({TOPIC})"),
    );
}

#[test]
fn a_number_out_of_range_is_an_error() {
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
            check_error(
                &text,
                &format!(":4: {field}: {found} is invalid (expected {expected})"),
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
        check_route_error(
            &format!("function: f, timeoutInMillis: {value}"),
            &format!(
                ".timeoutInMillis: the number `{value}` is invalid (expected a whole number of milliseconds from 50 to 29000)"
            ),
        );
    }
    check_section_error(
        "functions: { message: { timeout: '10' } }",
        "functions.message.timeout: the string `10` is invalid (expected a whole number of seconds from 1 to 900)",
    );
}

#[test]
fn control_characters_in_a_value_are_escaped() {
    check_route_error(
        "function: \"a\\nb\"",
        &format!(".function: `a\\nb` is invalid ({FUNCTION})"),
    );
    check_error(
        &with_route("\"a\\nb\": { function: a.b }"),
        &format!(":3: routes.a\\nb.function: `a.b` is invalid ({FUNCTION})"),
    );
}
