//! Errors in the other sections.

use crate::tests::{QUOTES, check_error, check_section_error, read, with, with_route};

#[test]
fn an_authorizer_has_one_type_and_known_identity_sources() {
    check_section_error(
        "authorizer: { type: JWT }",
        "authorizer.type: `JWT` is invalid (expected `AWS_IAM`, or the field `function` instead)",
    );
    check_section_error(
        "authorizer: { type: AWS_IAM, function: f }",
        "authorizer.function: not allowed together with `type` (remove this field, or remove `type` to use a Lambda function)",
    );
    const SOURCE: &str = "expected `route.request.header.NAME`, `route.request.querystring.NAME`, `stageVariables.NAME` or `context.NAME`";
    for source in [
        "$request.header.a",
        "route.request.header.",
        "context.foo",
        "context.authorizer.a",
    ] {
        check_section_error(
            &format!("authorizer: {{ function: f, identitySource: [{source}] }}"),
            &format!("authorizer.identitySource[0]: `{source}` is invalid ({SOURCE})"),
        );
    }
    check_section_error(
        "authorizer: { function: f, identitySource: [] }",
        "authorizer.identitySource: an empty list is invalid (expected a list of at least one identity source)",
    );
    check_section_error(
        "authorizer: { function: f, identitySource: [context.stage, context.stage] }",
        "authorizer.identitySource[1]: `context.stage` is listed twice (remove the duplicate)",
    );
}

#[test]
fn an_authorizer_needs_the_connect_route() {
    check_section_error(
        "authorizer: { type: AWS_IAM }",
        "authorizer: the contract has no `$connect` route, so the authorizer would never run (add the route, or remove the authorizer to let every client connect)",
    );
}

#[test]
fn stage_variables_follow_api_gateways_rules() {
    const VALUE: &str = "expected a value of letters, digits and `-._~:/?#&=,`";
    check_section_error(
        "stage: { variables: { a-b: c } }",
        "stage.variables.a-b: invalid name of a stage variable (expected letters, digits and `_`)",
    );
    check_section_error(
        "stage: { variables: { a: 'b c' } }",
        &format!("stage.variables.a: `b c` is invalid ({VALUE})"),
    );
    check_section_error(
        "stage: { variables: { a: '' } }",
        &format!("stage.variables.a: an empty string is invalid ({VALUE})"),
    );
    check_section_error(
        "stage: { variables: { a: 5 } }",
        &format!("stage.variables.a: the number `5` is invalid ({VALUE}{QUOTES})"),
    );
}

#[test]
fn environment_variables_follow_lambdas_rules() {
    let check_environment = |environment: &str, expected: &str| {
        check_section_error(
            &format!("functions: {{ message: {{ environment: {{ {environment} }} }} }}"),
            &format!("functions.message.environment{expected}"),
        );
    };
    check_environment(
        "A-B: c",
        ".A-B: invalid name of an environment variable (expected a letter, then one or more letters, digits or `_`)",
    );
    check_environment(
        "A: c",
        ".A: invalid name of an environment variable (expected a letter, then one or more letters, digits or `_`)",
    );
    check_environment(
        "AWS_REGION: c",
        ".AWS_REGION: Lambda reserves this environment variable (use another name)",
    );
    check_environment(
        "LOG: on",
        ".LOG: the boolean `on` is invalid (expected a string without NUL characters; quote the value to make it a string)",
    );
    check_environment(
        "LOG: \"\\0\"",
        ".LOG: `\\u{0}` is invalid (expected a string without NUL characters)",
    );
    let value = "v".repeat(4094);
    check_environment(
        &format!("LOG: {value}"),
        ": names and values have 4097 bytes in total (expected at most 4096)",
    );
}

#[test]
fn settings_of_an_unused_function_are_an_error() {
    check_section_error(
        "functions: { massage: {} }\nauthorizer: { function: guard }",
        "functions.massage: no route, authorizer or push uses this function (expected one of guard, message)",
    );
}

#[test]
fn push_reads_each_topic_once_and_never_its_dead_letter_topic() {
    check_section_error(
        "push: { function: f, topics: [a, b, a] }",
        "push.topics[2]: `a` is listed twice (remove the duplicate)",
    );
    check_section_error(
        "push: { function: f, topics: [] }",
        "push.topics: an empty list is invalid (expected a list of at least one topic)",
    );
    check_section_error(
        "push: { function: f, topics: [a, b], deadLetter: b }",
        "push.deadLetter: `b` is also in `push.topics` (use a topic that push does not read)",
    );
    check_section_error(
        "push: { function: f, topics: [a], startingPosition: AT_TIMESTAMP }",
        "push.startingPosition: `AT_TIMESTAMP` is invalid (expected `LATEST` or `TRIM_HORIZON`)",
    );
    check_error(
        &with("push: { function: p, topics: [a] }\nfunctions: { p: { timeout: 841 } }"),
        ":5: functions.p.timeout: the number `841` is invalid (expected at most 840 seconds for a function of `push`)",
    );
}

#[test]
fn topics_that_differ_only_in_dots_and_underscores_are_an_error() {
    const ADVICE: &str = "use names that differ in more than `.` and `_`";
    check_error(
        &with_route(
            "a: { function: f, topic: a.b_c }\n  b: { function: f }\n  c:\n    function: f\n    topic: a_b.c",
        ),
        &format!(":7: routes.c.topic: `a_b.c` collides with `a.b_c` in Kafka ({ADVICE})"),
    );
    let with_push = |push: &str| {
        with(&format!(
            "  more: {{ function: f, topic: a.b }}\npush: {{ function: p, {push} }}"
        ))
    };
    check_error(
        &with_push("topics: [c, a_b]"),
        &format!(":5: push.topics[1]: `a_b` collides with `a.b` in Kafka ({ADVICE})"),
    );
    check_error(
        &with_push("topics: [c.d], deadLetter: c_d"),
        &format!(":5: push.deadLetter: `c_d` collides with `c.d` in Kafka ({ADVICE})"),
    );
    // A topic may be used several times, and `-` does not collide.
    read(&with_push("topics: [a.b, a-b], deadLetter: ab"));
}
